#!/bin/bash
# three nodes behind a load balancer on 127.0.0.1:1883, a message crossing them; until Ctrl-C
. tests/dev/common.sh
need build cluster
build release shoal
exec "$python" tests/dev/up.py
