#!/bin/sh
# Usage: collect.sh BINARY DIRECTORY
# Puts what an image needs of a built binary into DIRECTORY: the binary without its symbols, and the names of the
# Debian packages that its shared libraries come from, so that no list has to be kept by hand.
set -eu
binary=$1
out=$2
mkdir -p "$out"
strip -o "$out/shoal" "$binary"
# Libraries are asked for by the path that dpkg knows: /lib is a link to /usr/lib, and dpkg may know either.
ldd "$binary" | awk '$3 ~ /^\// { print $3 }' | while read -r library; do
  real=$(readlink -f "$library")
  dpkg-query -S "$real" 2>/dev/null || dpkg-query -S "${real#/usr}" 2>/dev/null || {
    echo "collect.sh: no package owns $library" >&2
    exit 1
  }
done | cut -d: -f1 | sort -u > "$out/packages"
test -s "$out/packages"
