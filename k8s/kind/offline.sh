# The demo without pulling an image, sourced by ./demo: an engine, and all that runs in it, are made of Go modules and Debian's packages.
# Root, on Debian or what has its mmdebstrap. Same functions as online.sh.
. .ci/setup/apt.sh
. .ci/setup/modules.sh
. k8s/kind/images.sh

address=169.254.83.2 # the engine's end of a cable to this machine; link-local, so routed nowhere
tree=$cache/debian-$DEBIAN_SUITE-node
base=$cache/debian-$DEBIAN_SUITE-base
engine=$cache/kind-images
elsewhere=''

tools() {
	[ "$(id -u)" = 0 ] || fail "OFFLINE=1 wants root: it unpacks Debian and makes namespaces. With access to image registries, \`make kind-demo\` alone needs Docker only"
	.ci/setup/kind --offline
	.ci/setup/envoy
	.ci/setup/victoria-logs
	.ci/setup/prometheus
	[ -x $cache/prometheus-debian/usr/bin/prometheus ] || fail "OFFLINE=1 takes Prometheus from Debian's package, which is not to be had here"
	istio_module=$(module_dir istio.io/istio "$(pinned istio istio.io/istio)")
	debian "$tree" systemd,conntrack,iptables,nftables,iproute2,ethtool,mount,kmod,libseccomp2,pigz,e2fsprogs,bash,ca-certificates,curl,jq,procps,socat,runc,docker.io
	debian "$base" ca-certificates,iptables,nftables,conntrack,kmod
	mkdir -p "$state/bin"
	ln -sf "$top/$tree/usr/bin/docker" "$state/bin/docker"
}

# debian TREE PACKAGES: Debian with those packages.
debian() {
	[ ! -d "$1" ] || return 0
	command -v mmdebstrap >/dev/null || { can_install && install mmdebstrap; } || fail "no mmdebstrap: OFFLINE=1 makes its images of Debian's packages"
	say "unpacking Debian into $1 (a minute)"
	new_part "$(basename "$1")"
	quietly debian mmdebstrap --variant=minbase --include="$2" \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		"$DEBIAN_SUITE" "$part/root" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" || fail "Debian could not be unpacked; DEBIAN_MIRROR names another mirror"
	mv "$part/root" "$1"
	rmdir "$part"
}

PATH=$top/$state/bin:$PATH
export DOCKER_HOST=unix:///run/routelens-kind/docker.sock DOCKER_BUILDKIT=0
run=/run/routelens-kind

# engine_process: the process that holds the engine's namespaces, if it is there.
engine_process() {
	process=$(cat $run/pid 2>/dev/null) && tr '\0' ' ' 2>/dev/null <"/proc/$process/cmdline" | grep -q 'k8s/kind/engine\.sh'
}

engine_start() {
	if ! engine_process; then
		rm -rf $run
		mkdir -p $run "$engine"
		flags='' bounding=$(awk '/CapBnd/ {print $2}' /proc/self/status)
		if [ $((0x$bounding >> 24 & 1)) = 0 ]; then
			cp k8s/kind/node/runc-less "$tree/usr/local/bin/"
			flags='--add-runtime less=/usr/local/bin/runc-less --default-runtime less'
		fi
		# shellcheck disable=SC2086 # flags are a list of words
		setsid nohup unshare --net --mount --pid --fork --kill-child --propagation private \
			k8s/kind/engine.sh "$top/$tree" "$top/$engine" $run $flags >$run/log 2>&1 </dev/null 8>&- &
		echo $! >$run/pid
		soon 60 docker version || { tail -n 20 $run/log >&2; fail "the engine does not start; that was the end of $run/log"; }
		docker ps -aq | xargs -r docker rm -f -v >/dev/null # what an engine that was killed left: no cluster outlives its own
	fi
	engine_process
	[ -e $run/cable ] || {
		inside() { nsenter -t "$process" -n chroot "$tree" "$@"; }
		chroot "$tree" ip link delete routelens 2>/dev/null || true
		chroot "$tree" ip link add routelens type veth peer name eth0 netns "$process"
		chroot "$tree" ip address add 169.254.83.1/30 dev routelens
		chroot "$tree" ip link set routelens up
		inside ip address add $address/30 dev eth0
		inside ip link set eth0 up
		# Nodes answer to none but their own network (node/guard): to them this machine is the engine.
		inside iptables -t nat -A POSTROUTING -s 169.254.83.1 -j MASQUERADE
		touch $run/cable
	}
}

# engine_stop: all that is in its namespaces goes with it, but for the folders of its containers' cgroups.
engine_stop() {
	if engine_process; then
		docker ps -aq 2>/dev/null | xargs -r docker rm -f -v >/dev/null 2>&1 || true
		kill -KILL "$process" # unshare passes no other signal on
		gone() { ! engine_process; }
		soon 30 gone || fail "process $process does not end"
	fi
	chroot "$tree" ip link delete routelens 2>/dev/null || true # the kernel would, in its own time
	rm -rf $run
	soon 10 remove_cgroups || say "cgroups named routelens-kind are still in use: /sys/fs/cgroup"
}

remove_cgroups() {
	find /sys/fs/cgroup -depth -type d -path '*/routelens-kind*' -exec rmdir {} + || true
	[ -z "$(find /sys/fs/cgroup -name routelens-kind)" ]
}

load_images() { :; } # the node has them

# cluster_images: what stands in for the images of the manifests, as kustomize has it.
cluster_images() {
	for name in library/registry prom/prometheus victoriametrics/victoria-logs; do
		printf '{name: docker.io/%s, newName: routelens.local/%s, newTag: demo}, ' "$name" "${name#*/}"
	done
}

# There is no Grafana to be had in Go modules or Debian's packages.
grafana=''
dashboards() { :; }

# istio: base and istiod, by Istio's own charts. Plain Envoy lacks the extensions of Istio's build: what would configure them is off.
istio() {
	helm_upgrade base "$istio_module/manifests/charts/base"
	helm_upgrade istiod "$istio_module/manifests/charts/istio-control/istio-discovery" \
		--set global.hub=routelens.local,global.tag=demo,telemetry.enabled=false \
		--set-string env.PILOT_ENABLE_METADATA_EXCHANGE=false,env.PILOT_ENABLE_ALPN_FILTER=false
}
