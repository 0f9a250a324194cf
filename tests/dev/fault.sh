#!/bin/bash
# [--seed N] [--minutes N | --short] [...]: three real nodes that lose processes, disks, power and packets under a checked load
. tests/dev/common.sh
need build fault
build release shoal fault_clock
exec "$python" tests/fault/run.py "$@"
