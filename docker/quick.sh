#!/bin/bash
# Usage: docker/quick.sh BINARY IMAGE
# Makes the Dockerfile's image from a binary that was built on this machine (Debian 12 as well): seconds, not minutes.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
binary=$1
image=$2
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
mkdir "$context/docker"
cp "$here"/*.sh "$context/docker"
"$here/collect.sh" "$binary" "$context/out"
# The Dockerfile's last stage, with what the one before would have built.
awk '/^FROM / { text = "" } { text = text $0 "\n" } END { printf "%s", text }' "$here/../Dockerfile" |
  sed 's#^COPY --from=build /out/\([a-z]*\)#COPY out/\1#' > "$context/Dockerfile"
docker build --quiet --tag "$image" "$context"
