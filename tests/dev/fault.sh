#!/bin/bash
# [--seed N] [--minutes N | --short]: three real nodes that are killed, frozen and cut off under a checked load
. tests/dev/common.sh
need build
build release shoal
exec "$python" tests/fault/run.py "$@"
