#!/bin/bash
# Succeeds when the broker's /readyz says 200. bash speaks TCP itself: the image needs no HTTP client.
set -u
admin=${SHOAL_ADMIN:-127.0.0.1:9883}
host=${admin%:*}
port=${admin##*:}
case $host in
  0.0.0.0 | '' | '*') host=127.0.0.1 ;;
  '[::]') host=::1 ;;
esac
exec 3<>"/dev/tcp/${host//[\[\]]/}/$port" || exit 1
printf 'GET /readyz HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$admin" >&3
read -r -t 2 _ status _ <&3
[[ ${status:-} == 200 ]]
