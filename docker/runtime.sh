#!/bin/sh
# Usage: runtime.sh PACKAGES
# Makes a bare Debian image one that can run the broker: its libraries, an init, and a user of its own.
set -eu
apt-get update -q
# tini: signals reach the broker, and what it leaves behind is reaped. ca-certificates: whom an S3 server is known by.
xargs apt-get install -q -y --no-install-recommends tini ca-certificates < "$1"
rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /var/log/apt /var/log/dpkg.log
# A fixed number: files on the host belong to the same one.
groupadd --system --gid 10001 shoal
useradd --system --uid 10001 --gid shoal --home-dir /var/lib/shoal --no-create-home --shell /usr/sbin/nologin shoal
install -d -o shoal -g shoal -m 0700 /var/lib/shoal
