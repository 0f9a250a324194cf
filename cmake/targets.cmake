# The kinds of target. Every folder is globbed (and watched: CONFIGURE_DEPENDS), so that a new source
# needs no edit here; a folder that is still empty gives a library without code.

set(SHOAL_GENERATED ${CMAKE_BINARY_DIR}/generated)

# Sources are included by their path from the root ("node/codec/decode.h"), the waist as "shoal/x.h".
add_library(shoal_includes INTERFACE)
target_include_directories(shoal_includes INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/include)
# The configuration of the header-only libraries must be one and the same in every file.
target_compile_definitions(shoal_includes INTERFACE TOML_HEADER_ONLY=0)
if(SHOAL_MUTATIONS)
  file(WRITE ${CMAKE_BINARY_DIR}/mutations/mutations_on.h "")
  target_include_directories(shoal_includes INTERFACE ${CMAKE_BINARY_DIR}/mutations)
endif()

# The bodies of Boost's headers, compiled once instead of in each file that includes them.
add_library(shoal_boost STATIC cmake/boost.cc)
target_compile_definitions(shoal_boost PUBLIC BOOST_ASIO_SEPARATE_COMPILATION
                           BOOST_ASIO_NO_DEPRECATED BOOST_BEAST_SEPARATE_COMPILATION
                           BOOST_JSON_NO_LIB BOOST_URL_NO_LIB)
target_link_libraries(shoal_boost PUBLIC Boost::headers Threads::Threads OpenSSL::SSL)

function(shoal_library name folder)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cc ${folder}/*.c)
  if(NOT sources)
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE shoal_includes ${ARG_LINK})
    return()
  endif()
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC shoal_includes ${ARG_LINK} PRIVATE shoal_warnings)
endfunction()

# Generates NAME (messages alone, what the core may see) and NAME_grpc (services) from FOLDER/*.proto;
# included as "proto/shoal/x.pb.h" and "proto/shoal/x.grpc.pb.h".
function(shoal_protos name folder)
  file(GLOB protos CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} ${folder}/*.proto)
  set(messages)
  set(services)
  foreach(proto IN LISTS protos)
    string(REGEX REPLACE "\\.proto$" "" stem ${SHOAL_GENERATED}/${proto})
    add_custom_command(
      OUTPUT ${stem}.pb.cc ${stem}.pb.h ${stem}.grpc.pb.cc ${stem}.grpc.pb.h
      COMMAND ${CMAKE_COMMAND} -E make_directory ${SHOAL_GENERATED}
      COMMAND protobuf::protoc --proto_path=${CMAKE_SOURCE_DIR} --cpp_out=${SHOAL_GENERATED}
              --grpc_out=${SHOAL_GENERATED}
              --plugin=protoc-gen-grpc=$<TARGET_FILE:gRPC::grpc_cpp_plugin> ${proto}
      WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
      DEPENDS ${CMAKE_SOURCE_DIR}/${proto}
      COMMENT "Generating ${proto}"
      VERBATIM)
    list(APPEND messages ${stem}.pb.cc ${stem}.pb.h)
    list(APPEND services ${stem}.grpc.pb.cc ${stem}.grpc.pb.h)
  endforeach()
  if(NOT protos)
    add_library(${name} INTERFACE)
    add_library(${name}_grpc INTERFACE)
    target_link_libraries(${name} INTERFACE protobuf::libprotobuf)
    target_link_libraries(${name}_grpc INTERFACE ${name} gRPC::grpc++)
    return()
  endif()
  # One custom target owns the generation: two libraries compile what one command writes.
  add_custom_target(${name}_generate DEPENDS ${messages} ${services})
  add_library(${name} STATIC ${messages})
  target_include_directories(${name} SYSTEM PUBLIC ${SHOAL_GENERATED})
  target_link_libraries(${name} PUBLIC protobuf::libprotobuf)
  add_library(${name}_grpc STATIC ${services})
  target_link_libraries(${name}_grpc PUBLIC ${name} gRPC::grpc++)
  add_dependencies(${name} ${name}_generate)
  add_dependencies(${name}_grpc ${name}_generate)
  # What protoc writes has the same internal names in every file.
  set_target_properties(${name} ${name}_grpc PROPERTIES UNITY_BUILD OFF)
endfunction()

function(shoal_program name folder)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cc)
  if(NOT sources)
    return()
  endif()
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} shoal_warnings)
  if(SHOAL_JEMALLOC)
    # First and unconditionally: it replaces malloc, which --as-needed would not count as a use.
    target_link_libraries(${name} PRIVATE "-Wl,--push-state,--no-as-needed -ljemalloc -Wl,--pop-state")
  endif()
endfunction()

# tests/FOLDER/*.cc -> FOLDER_test.
function(shoal_test folder)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS tests/${folder}/*.cc)
  if(NOT sources)
    return()
  endif()
  add_executable(${folder}_test ${sources})
  target_link_libraries(${folder}_test PRIVATE ${ARG_LINK} shoal_test_warnings rapidcheck
                        GTest::gmock_main)
  target_compile_definitions(${folder}_test PRIVATE SHOAL_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_test(NAME ${folder}_test COMMAND ${folder}_test)
  set_tests_properties(${folder}_test PROPERTIES TIMEOUT 300)
endfunction()

# tests/sim: simulate.cc is the program `simulate`, *_test.cc are sim_test, the rest is shared by both.
function(shoal_simulator)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  file(GLOB tests CONFIGURE_DEPENDS tests/sim/*_test.cc)
  file(GLOB parts CONFIGURE_DEPENDS tests/sim/*.cc)
  set(main ${CMAKE_SOURCE_DIR}/tests/sim/simulate.cc)
  list(FIND parts ${main} has_main)
  # These are parts of shoal_raft_sim.
  list(REMOVE_ITEM parts ${main} ${tests} ${CMAKE_SOURCE_DIR}/tests/sim/world.cc
       ${CMAKE_SOURCE_DIR}/tests/sim/seeds.cc)
  if(NOT parts)
    return()
  endif()
  add_library(shoal_sim STATIC ${parts})
  target_link_libraries(shoal_sim PUBLIC ${ARG_LINK} PRIVATE shoal_warnings)
  if(has_main GREATER_EQUAL 0)
    add_executable(simulate ${main})
    target_link_libraries(simulate PRIVATE shoal_sim shoal_warnings CLI11::CLI11)
  endif()
  if(tests)
    add_executable(sim_test ${tests})
    target_link_libraries(sim_test PRIVATE shoal_sim shoal_test_warnings GTest::gmock_main)
    target_compile_definitions(sim_test PRIVATE SHOAL_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    add_test(NAME sim_test COMMAND sim_test)
    set_tests_properties(sim_test PROPERTIES TIMEOUT 600)
  endif()
endfunction()

# tests/raft: raft_sim.cc is the program `raft_sim`, *_test.cc are raft_test, the rest is shared by both.
function(shoal_raft_simulator)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  file(GLOB tests CONFIGURE_DEPENDS tests/raft/*_test.cc)
  file(GLOB parts CONFIGURE_DEPENDS tests/raft/*.cc)
  set(main ${CMAKE_SOURCE_DIR}/tests/raft/raft_sim.cc)
  list(REMOVE_ITEM parts ${main} ${tests})
  add_library(shoal_raft_sim STATIC ${parts} tests/sim/world.cc tests/sim/seeds.cc)
  target_link_libraries(shoal_raft_sim PUBLIC ${ARG_LINK} PRIVATE shoal_warnings CLI11::CLI11)
  add_executable(raft_sim ${main})
  target_link_libraries(raft_sim PRIVATE shoal_raft_sim shoal_warnings CLI11::CLI11)
  add_executable(raft_test ${tests})
  target_link_libraries(raft_test PRIVATE shoal_raft_sim shoal_test_warnings rapidcheck
                        GTest::gmock_main)
  add_test(NAME raft_test COMMAND raft_test)
  set_tests_properties(raft_test PROPERTIES TIMEOUT 300)
endfunction()

# tests/FOLDER: PROGRAM.cc is the program, *_test.cc are FOLDER_test, the rest is LIBRARY, shared by both
# and by other simulators. JEMALLOC: the program has it as shoal itself does, for memory is measured.
function(shoal_folder_simulator folder program library)
  cmake_parse_arguments(ARG "JEMALLOC" "" "LINK" ${ARGN})
  file(GLOB tests CONFIGURE_DEPENDS tests/${folder}/*_test.cc)
  file(GLOB parts CONFIGURE_DEPENDS tests/${folder}/*.cc)
  set(main ${CMAKE_SOURCE_DIR}/tests/${folder}/${program}.cc)
  list(REMOVE_ITEM parts ${main} ${tests})
  add_library(${library} STATIC ${parts})
  target_link_libraries(${library} PUBLIC ${ARG_LINK} PRIVATE shoal_warnings)
  add_executable(${program} ${main})
  target_link_libraries(${program} PRIVATE ${library} shoal_warnings CLI11::CLI11)
  if(ARG_JEMALLOC AND SHOAL_JEMALLOC)
    target_link_libraries(${program} PRIVATE "-Wl,--push-state,--no-as-needed -ljemalloc -Wl,--pop-state")
  endif()
  add_executable(${folder}_test ${tests})
  target_link_libraries(${folder}_test PRIVATE ${library} shoal_test_warnings GTest::gmock_main)
  add_test(NAME ${folder}_test COMMAND ${folder}_test)
  set_tests_properties(${folder}_test PROPERTIES TIMEOUT 300)
endfunction()

# tests/fuzz/fuzz_NAME.cc -> fuzz_NAME, all of them by the target `fuzzers`.
function(shoal_fuzzers)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_custom_target(fuzzers)
  file(GLOB sources CONFIGURE_DEPENDS tests/fuzz/fuzz_*.cc)
  foreach(source IN LISTS sources)
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source})
    target_link_libraries(${name} PRIVATE ${ARG_LINK} shoal_warnings)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    add_dependencies(fuzzers ${name})
  endforeach()
endfunction()

# tests/bench/bench_NAME.cc -> bench_NAME, all of them by the target `benches`.
function(shoal_benches)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_custom_target(benches)
  file(GLOB sources CONFIGURE_DEPENDS tests/bench/bench_*.cc)
  foreach(source IN LISTS sources)
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} EXCLUDE_FROM_ALL ${source})
    target_link_libraries(${name} PRIVATE ${ARG_LINK} shoal_warnings benchmark::benchmark_main)
    add_dependencies(benches ${name})
  endforeach()
endfunction()
