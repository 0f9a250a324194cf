# Compiler flags, linker and compiler cache, for every target.

add_library(shoal_warnings INTERFACE)
target_compile_options(shoal_warnings INTERFACE -Wall -Wextra -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # gcc 12 at -O2 reports these falsely: the first on variants of containers, the second inside
  # std::string's operator+ (gcc bug 105329).
  target_compile_options(shoal_warnings INTERFACE -Wno-maybe-uninitialized -Wno-restrict)
  # A row of a table names what it sets and leaves the rest at its default; clang agrees.
  target_compile_options(shoal_warnings INTERFACE -Wno-missing-field-initializers)
endif()


# Tests besides: gcc takes `if (x) EXPECT_EQ(a, b);` for an ambiguous else.
add_library(shoal_test_warnings INTERFACE)
target_link_libraries(shoal_test_warnings INTERFACE shoal_warnings)
target_compile_options(shoal_test_warnings INTERFACE -Wno-dangling-else)

add_compile_options(-fno-omit-frame-pointer -fdiagnostics-color=auto)
# A library that nothing calls into is not loaded: codec_test must not start gRPC's threads.
add_link_options(-Wl,--as-needed)

if(SHOAL_SANITIZE)
  add_compile_options(-fsanitize=${SHOAL_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SHOAL_SANITIZE})
endif()

find_program(SHOAL_MOLD mold)
if(SHOAL_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

find_program(SHOAL_CCACHE ccache)
if(SHOAL_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Builds of the same sources with the same options share their objects, whatever their directories.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
                                  CCACHE_NOHASHDIR=1 ${SHOAL_CCACHE})
endif()
