#!/bin/sh
# Usage: collect.sh BINARY DIRECTORY
# Puts what an image needs of a built binary into DIRECTORY: the binary without its symbols, and the names of the
# Debian packages that its shared libraries come from, so that no list has to be kept by hand.
set -eu
binary=$1
out=$2
mkdir -p "$out"
strip -o "$out/shoal" "$binary"
libraries=$(ldd "$binary" | awk '$3 ~ /^\// { print $3 }' | xargs readlink -f | sort -u)
# Asked for by both paths, in one call: /lib is a link to /usr/lib, and dpkg may know either.
# shellcheck disable=SC2046,SC2086  # a word is a path
owners=$(dpkg-query -S $libraries $(printf '%s\n' $libraries | sed 's#^/usr##') 2>/dev/null || true)
for library in $libraries; do
  case $owners in
    *": $library"* | *": ${library#/usr}"*) ;;
    *)
      echo "collect.sh: no package owns $library" >&2
      exit 1
      ;;
  esac
done
printf '%s\n' "$owners" | cut -d: -f1 | sort -u > "$out/packages"
test -s "$out/packages"
