# Sourced by every subcommand: packages, and what all of them agree on. The directory is the repository's.
# shellcheck shell=bash
set -euo pipefail

# Debian's, which sees Debian's modules; PATH may hold another one.
export python=/usr/bin/python3

# The suite that is newer than Debian 12 itself: taken from it is only what is named NAME/$backports below.
backports=bookworm-backports

# What each group of commands needs, as Debian 12 names it; docs/dependencies.md says what for.
packages_of() {
  case $1 in
    build) echo ca-certificates git g++ cmake ninja-build pkg-config ccache mold python3 libabsl-dev \
      libargon2-dev libbenchmark-dev libboost1.81-dev libcli11-dev libcrypt-dev libgmock-dev \
      libgrpc++-dev libgtest-dev libjemalloc-dev libprotobuf-dev librapidcheck-dev librocksdb-dev \
      libsimdjson-dev libspdlog-dev libssl-dev libtomlplusplus-dev libxxhash-dev libzstd-dev \
      protobuf-compiler protobuf-compiler-grpc "libraft-dev/$backports" ;;
    clang) echo clang-16 libclang-rt-16-dev llvm-16 ;;
    lint) echo python3 clang-format-16 shellcheck ;;
    cluster) echo python3 haproxy openssl ;;
    deploy) echo docker-compose debootstrap ansible ansible-lint yamllint shellcheck openssh-client \
      openssl e2fsprogs iproute2 util-linux ;;
    e2e) echo python3-paho-mqtt mosquitto-clients libpaho-mqtt-dev libmosquitto-dev nodejs node-mqtt ;;
    fault) echo python3 iproute2 nftables util-linux e2fsprogs ;;
    peers) echo mosquitto ;;
    profile) echo valgrind ;;
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

# Another apt may be at work: a fresh machine upgrades itself.
apt_get() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 "$@"; }

# Makes $backports known to apt, packages and sources, at the mirror that serves bookworm here. apt tells its sources
# only after an update, as on a fresh image.
update_with_backports() {
  local mirror kind added=0
  apt_get update -q
  mirror=$(apt-get indextargets --format "\$(RELEASE) \$(COMPONENT) \$(REPO_URI)" 'Created-By: Packages' |
    awk '$1 == "bookworm" && $2 == "main" && !found { print $3; found = 1 }')
  [[ $mirror ]] || { echo "dev: no source of bookworm in apt's configuration, so none for $backports" >&2 && return 1; }
  for kind in Packages:deb Sources:deb-src; do
    apt-get indextargets --format "\$(RELEASE)" "Created-By: ${kind%:*}" | grep -qx "$backports" && continue
    echo "dev: adding $backports (${kind#*:}) to apt's sources"
    printf '%s\n' "Types: ${kind#*:}" "URIs: $mirror" "Suites: $backports" "Components: main" \
      "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg" |
      as_root tee "/etc/apt/sources.list.d/shoal-backports-${kind#*:}.sources" >/dev/null
    added=1
  done
  ((added == 0)) || apt_get update -q
}

# Of the names given, those that are not installed; a NAME/$backports only counts in the version of that suite.
missing_of() {
  { dpkg-query -W -f='${Package} ${Version} ${db:Status-Status}\n' "${@%/*}" 2>/dev/null || true; } |
    awk -v wanted="$*" '
      $3 == "installed" { version[$1] = $2 }
      END {
        count = split(wanted, names, " ")
        for (i = 1; i <= count; ++i) {
          split(names[i], parts, "/")
          if (!(parts[1] in version) || (parts[2] && version[parts[1]] !~ /~bpo12/)) print names[i]
        }
      }'
}

install_packages() {
  apt_get install -q -y --no-install-recommends "$@"
}

# Installs what is missing of the groups named; one quick query when nothing is.
need() {
  local group name names=() wanted=() missing=() newer=() plain=()
  for group in "$@"; do
    read -ra names <<<"$(packages_of "$group")"
    wanted+=("${names[@]}")
  done
  mapfile -t missing < <(missing_of "${wanted[@]}" | sort -u)
  ((${#missing[@]})) || return 0
  echo "dev: installing ${#missing[@]} Debian packages: ${missing[*]}"
  for name in "${missing[@]}"; do
    if [[ $name == */* ]]; then newer+=("${name%/*}"); else plain+=("$name"); fi
  done
  if ((${#newer[@]})); then update_with_backports; else apt_get update -q; fi
  ((${#plain[@]} == 0)) || install_packages "${plain[@]}"
  ((${#newer[@]} == 0)) || install_packages -t "$backports" "${newer[@]}"
}

# build/libraft-asserts/libraft.a: the step interface of the very release that is linked, with its assertions on, which
# Debian builds without. For the simulation alone, never shipped.
asserting_libraft() {
  local folder=build/libraft-asserts version
  version=$(dpkg-query -W -f='${Version}' libraft-dev)
  [[ $(cat "$folder/version" 2>/dev/null) != "$version" ]] || return 0
  [[ $(apt-get indextargets --format "\$(RELEASE)" 'Created-By: Sources') == *$backports* ]] || update_with_backports
  echo "dev: building libraft $version with assertions"
  rm -rf "$folder" && mkdir -p "$folder/objects"
  # The archive of the source alone: Debian's own changes to it are packaging. apt checks its sums.
  (cd "$folder" && apt-get source -q --tar-only --download-only -t "$backports" raft && tar xzf raft_*.orig.tar.gz)
  # Its casts between structs that share their first members break the rule that -fstrict-aliasing relies on.
  (cd "$folder/objects" && find ../raft-*/src -name '*.c' ! -name 'uv*' ! -name 'fixture.c' -print0 |
    xargs -0 -P "$(jobs_max)" -I{} gcc -c -O2 -g1 -fno-strict-aliasing -fno-omit-frame-pointer -UNDEBUG {})
  ar rcs "$folder/libraft.a" "$folder"/objects/*.o
  echo "$version" >"$folder/version"
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
