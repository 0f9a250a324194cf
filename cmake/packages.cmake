# Everything comes from Debian 12; each package is named and justified in docs/dependencies.md.

find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(Protobuf REQUIRED)  # CMake's own module: Debian ships no config file for it
find_package(absl CONFIG REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(Boost 1.81 CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(simdjson CONFIG REQUIRED)
find_package(tomlplusplus CONFIG REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(rocksdb REQUIRED IMPORTED_TARGET rocksdb)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)

# libraft as its archive alone: of it the step interface is used, which needs neither libuv nor liblz4.
# SHOAL_LIBRAFT may name another build of the same release, as tests/dev/raft-sim.sh makes one with
# assertions on.
find_path(SHOAL_LIBRAFT_INCLUDE raft.h REQUIRED)
find_library(SHOAL_LIBRAFT libraft.a REQUIRED)
add_library(shoal_libraft STATIC IMPORTED)
set_target_properties(shoal_libraft PROPERTIES IMPORTED_LOCATION ${SHOAL_LIBRAFT}
                      INTERFACE_INCLUDE_DIRECTORIES ${SHOAL_LIBRAFT_INCLUDE})
file(STRINGS ${SHOAL_LIBRAFT_INCLUDE}/raft.h libraft_version
     REGEX "define RAFT_VERSION_(MAJOR|MINOR|RELEASE)")
string(REGEX REPLACE "[^0-9;]+" "" libraft_version "${libraft_version}")
if(NOT libraft_version STREQUAL "0;22;1")
  message(FATAL_ERROR "libraft ${libraft_version} is not 0.22.1: the guards of cluster/raft are for "
                      "that release, and older ones diverge (docs/raft.md)")
endif()
if(SHOAL_TESTS OR SHOAL_FUZZERS)
  find_package(GTest CONFIG REQUIRED)
endif()
if(SHOAL_TESTS)
  find_package(rapidcheck CONFIG REQUIRED)
endif()
if(SHOAL_BENCHES)
  find_package(benchmark CONFIG REQUIRED)
endif()
