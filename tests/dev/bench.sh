#!/bin/bash
# [--seconds N] [--connections N] [--no-micro]: cost of a message, of an idle connection; docs/evidence/bench.md
. tests/dev/common.sh
need build cluster
build release shoal benches
exec "$python" tests/dev/bench.py "$@"
