#!/bin/bash
# [--asserts] [--seed FIRST] [--seeds N] [--nodes 1|3|5] [--mix plain|mix|hard|slow]: simulated Raft groups
. tests/dev/common.sh
need build
[[ " $* " != *" --asserts "* ]] || asserting_libraft
exec "$python" tests/dev/raft_sim.py "$@"
