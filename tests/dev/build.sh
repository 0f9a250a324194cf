#!/bin/bash
# [PRESET [TARGET...]]: builds (default: release; also dev, tsan, fuzz, coverage)
. tests/dev/common.sh
preset=${1:-release}
shift || true
case $preset in
  release) need build ;;
  *) need build clang ;;
esac
build "$preset" "$@"
