#!/bin/bash
# [--seed FIRST] [--seeds N] [--nodes N]: simulated clusters with faults, one a seed
. tests/dev/common.sh
need build
exec "$python" tests/dev/sim.py "$@"
