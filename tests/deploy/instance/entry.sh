#!/bin/sh
# Makes this container's own cgroup mounts writable (the host's tree is never mounted here), takes the keys that the
# cloud would give by its metadata service, and hands over to systemd.
set -eu
mount -o remount,bind,rw /sys/fs/cgroup
for controller in /sys/fs/cgroup/*; do
  if [ -d "$controller" ] && [ ! -L "$controller" ]; then
    mount -o remount,bind,rw "$controller"
  fi
done
mount --make-rshared /
install -d -m 0700 /root/.ssh
printf '%s\n' "${INSTANCE_SSH_KEYS:?}" > /root/.ssh/authorized_keys
chmod 0600 /root/.ssh/authorized_keys
ssh-keygen -A
exec /sbin/init
