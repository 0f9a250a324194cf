#!/bin/bash
# Makes the image debian:bookworm-slim where there is none: it can be pulled from nowhere here. Where Docker has it
# already, from a registry or from an earlier run, that one is used.
set -euo pipefail
image=debian:bookworm-slim
if docker image inspect "$image" >/dev/null 2>&1; then
  exit 0
fi
root=$(mktemp -d)
trap 'rm -rf --one-file-system "$root"' EXIT
echo "making $image with debootstrap (about a minute)"
nice debootstrap --variant=minbase bookworm "$root/fs" >"$root/log" 2>&1 || { tail -n 20 "$root/log" && exit 1; }
# As the registry's image: without what apt downloads again anyway, and without pages that nobody reads in a container.
tar -C "$root/fs" -c --exclude='./var/cache/apt/*.bin' --exclude='./var/cache/apt/archives/*.deb' \
  --exclude='./var/lib/apt/lists/*_*' --exclude='./usr/share/man/*' --exclude='./usr/share/doc/*/*' \
  --exclude='./usr/share/locale/*' . |
  docker import --change 'CMD ["bash"]' - "$image" >/dev/null
