#!/bin/sh
# engine.sh TREE IMAGES RUN [FLAG...]: Docker's engine of the Debian tree TREE, with its images kept in IMAGES and its socket in RUN.
# It is to be the first process of network, mount and process namespaces of its own (offline.sh sees to that). They hold all that an engine
# does to a machine: bridges, packet filter rules, forwarding, mounts, processes. When it ends they are gone, and there is no way out of
# them to any network but to the machine itself.
set -eu
tree=$1 images=$2 run=$3
shift 3
mount --bind "$tree" "$tree"
mkdir -p "$tree/engine/images" "$tree/engine/run" "$tree/engine/host"
mount --bind "$images" "$tree/engine/images"
mount --bind "$run" "$tree/engine/run"
mount -t proc proc "$tree/proc"
mount --rbind /sys "$tree/sys"
mount --rbind /dev "$tree/dev"
mount -t tmpfs tmpfs "$tree/run"
cd "$tree"
pivot_root . engine/host
exec chroot . /bin/sh -c 'umount -l /engine/host && ip link set lo up && exec dockerd "$@"' sh \
	--data-root /engine/images --exec-root /run/docker --pidfile /run/dockerd.pid -H unix:///engine/run/docker.sock \
	--cgroup-parent routelens-kind --bip 172.31.240.1/24 --default-address-pool base=172.31.0.0/17,size=24 "$@"
