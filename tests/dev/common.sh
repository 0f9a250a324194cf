# Sourced by every subcommand: packages, and what all of them agree on. The directory is the repository's.
# shellcheck shell=bash
set -euo pipefail

# Debian's, which sees Debian's modules; PATH may hold another one.
export python=/usr/bin/python3

# What each group of commands needs, as Debian 12 names it; docs/dependencies.md says what for.
packages_of() {
  case $1 in
    build) echo ca-certificates git g++ cmake ninja-build pkg-config ccache mold python3 libabsl-dev \
      libargon2-dev libbenchmark-dev libboost1.81-dev libcli11-dev libcrypt-dev libgmock-dev \
      libgrpc++-dev libgtest-dev libjemalloc-dev libprotobuf-dev librapidcheck-dev librocksdb-dev \
      libsimdjson-dev libspdlog-dev libssl-dev libtomlplusplus-dev libxxhash-dev \
      protobuf-compiler protobuf-compiler-grpc ;;
    clang) echo clang-16 libclang-rt-16-dev llvm-16 ;;
    lint) echo python3 clang-format-16 shellcheck ;;
    cluster) echo python3 haproxy openssl ;;
    deploy) echo docker-compose debootstrap ansible ansible-lint yamllint shellcheck openssh-client \
      openssl e2fsprogs iproute2 util-linux ;;
    e2e) echo python3-paho-mqtt mosquitto-clients libpaho-mqtt-dev libmosquitto-dev nodejs node-mqtt ;;
    *) echo "dev: no package group '$1'" >&2; return 1 ;;
  esac
}

as_root() {
  if [[ $(id -u) == 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "dev: installing packages needs root, or sudo; as root run: $*" >&2
    return 1
  fi
}

# Installs what is missing of the groups named; one quick query when nothing is.
need() {
  local group wanted=() missing=()
  for group in "$@"; do
    read -ra names <<<"$(packages_of "$group")"
    wanted+=("${names[@]}")
  done
  mapfile -t missing < <(comm -23 <(printf '%s\n' "${wanted[@]}" | sort -u) \
    <({ dpkg-query -W -f='${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null || true; } |
      sed -n 's/ installed$//p' | sort -u))
  ((${#missing[@]})) || return 0
  echo "dev: installing ${#missing[@]} Debian packages: ${missing[*]}"
  # Another apt may be at work: a fresh machine upgrades itself.
  as_root apt-get -o DPkg::Lock::Timeout=600 update -q
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -q -y \
    --no-install-recommends "${missing[@]}"
}

# As many compilers at once as there are cores, and 1.5 GiB of memory for each.
jobs_max() {
  local memory
  memory=$(awk '/^MemAvailable/ { print int($2 / 1572864) }' /proc/meminfo)
  ((memory >= 1)) || memory=1
  local cores
  cores=$(nproc)
  echo $((cores < memory ? cores : memory))
}

# build PRESET [TARGET...]
build() {
  local preset=$1 log=build/$1.configure.log targets=()
  shift
  (($# == 0)) || targets=(--target "$@")
  mkdir -p build
  echo "dev: building $preset${*:+ ($*)}"
  cmake --preset "$preset" >"$log" 2>&1 || { cat "$log" && return 1; }
  cmake --build "build/$preset" -j "$(jobs_max)" "${targets[@]}"
}
