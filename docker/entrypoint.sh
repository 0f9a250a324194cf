#!/bin/sh
# The image's start: the broker's own defaults are for a machine, where a loopback listener is useful; in a container
# it would be reachable by nobody.
set -eu

configured() {
  case " $* " in *" --config"* | *" --mqtt"* | *" --ws"*) return 0 ;; esac
  test -n "${SHOAL_CONFIG:-}${SHOAL_MQTT:-}${SHOAL_MQTTS:-}${SHOAL_WS:-}${SHOAL_WSS:-}${SHOAL_MQTT_PROXY:-}${SHOAL_MQTT_UNIX:-}"
}

if [ "${1:-}" = serve ]; then
  if ! configured "$@"; then
    export SHOAL_MQTT=0.0.0.0:1883
  fi
  case ${SHOAL_MQTT:-} in
    127.* | localhost:*)
      echo "shoal: SHOAL_MQTT=$SHOAL_MQTT is the container's own loopback: no client outside of it can connect" >&2 ;;
  esac
  case ${SHOAL_JOIN:+${SHOAL_PEER:-127.0.0.1:7883}} in
    127.* | localhost:*)
      echo "shoal: SHOAL_PEER=${SHOAL_PEER:-127.0.0.1:7883} is the container's own loopback: no other node can reach this one" >&2 ;;
  esac
fi
exec shoal "$@"
