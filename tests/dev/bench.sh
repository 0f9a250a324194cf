#!/bin/bash
# [compare|durable|soak|instructions|scale] [...]: cost of messages and connections, beside the floor or peers
. tests/dev/common.sh

# Debian's package starts a broker on 1883, which `./dev up` wants.
need_peers() {
  [[ -x /usr/sbin/mosquitto ]] && return
  need peers
  [[ ! -d /run/systemd/system ]] || as_root systemctl disable --now mosquitto
}

need build cluster
[[ ${1:-} != compare ]] || need_peers
[[ ${1:-} != instructions ]] || need profile
if [[ ${1:-} == scale ]]; then
  build release scale_sim
else
  build release shoal floor publish_path benches slow_sync
fi
exec "$python" tests/dev/bench.py "$@"
