# The demo without pulling an image, sourced by ./demo: an engine, and all that runs in it, are made of Go modules and Debian's packages.
# Root, on Debian or what has its mmdebstrap. Same functions as online.sh.
. .ci/setup/apt.sh
. .ci/setup/modules.sh

address=169.254.83.2 # the engine's end of a cable to this machine; link-local, so routed nowhere
tree=$cache/debian-$DEBIAN_SUITE-node
base=$cache/debian-$DEBIAN_SUITE-base
engine=$cache/kind-images

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
		mkdir -p $run "$engine"
		flags='' bounding=$(awk '/CapBnd/ {print $2}' /proc/self/status)
		if [ $((0x$bounding >> 24 & 1)) = 0 ]; then
			cp k8s/kind/node/runc-less "$tree/usr/local/bin/"
			flags='--add-runtime less=/usr/local/bin/runc-less --default-runtime less'
		fi
		# shellcheck disable=SC2086 # flags are a list of words
		setsid nohup unshare --net --mount --pid --fork --kill-child --propagation private \
			k8s/kind/engine.sh "$top/$tree" "$top/$engine" $run $flags >$run/log 2>&1 </dev/null &
		echo $! >$run/pid
		soon 60 docker version || { tail -n 20 $run/log >&2; fail "the engine does not start; that was the end of $run/log"; }
	fi
	engine_process
	chroot "$tree" ip link show routelens >/dev/null 2>&1 || {
		inside() { nsenter -t "$process" -n chroot "$tree" "$@"; }
		chroot "$tree" ip link add routelens type veth peer name eth0 netns "$process"
		chroot "$tree" ip address add 169.254.83.1/30 dev routelens
		chroot "$tree" ip link set routelens up
		inside ip address add $address/30 dev eth0
		inside ip link set eth0 up
		# Nodes answer to none but their own network (node/guard): to them this machine is the engine.
		inside iptables -t nat -A POSTROUTING -s 169.254.83.1 -j MASQUERADE
	}
}

# engine_stop: all that is in its namespaces goes with it, but for the folders of its containers' cgroups.
engine_stop() {
	if engine_process; then
		docker ps -aq 2>/dev/null | xargs -r docker rm -f -v >/dev/null 2>&1 || true
		kill -KILL "$process" # unshare passes no other signal on
		gone() { ! kill -0 "$process" 2>/dev/null; }
		soon 30 gone || fail "process $process does not end"
	fi
	rm -rf $run
	no_cgroups() { find /sys/fs/cgroup -depth -type d -path '*/routelens-kind*' -exec rmdir {} + 2>/dev/null; [ -z "$(find /sys/fs/cgroup -name routelens-kind 2>/dev/null)" ]; }
	soon 10 no_cgroups || say "cgroups named routelens-kind are still in use: /sys/fs/cgroup"
}

# image NAME BASE ENTRYPOINT FILE:PLACE...: an image of some files, on another or on nothing (scratch).
image() {
	name=$1 on=$2 entry=$3
	shift 3
	docker image inspect "$name" >/dev/null 2>&1 && return
	context=$(mktemp -d "$cache/image.part.XXXXXX")
	{
		echo "FROM $on"
		echo 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
		for each; do
			cp -rL "${each%%:*}" "$context/$(basename "${each#*:}")"
			echo "COPY $(basename "${each#*:}") ${each#*:}"
		done
		echo "ENTRYPOINT [\"$entry\"]"
	} >"$context/Dockerfile"
	docker build -q -t "$name" "$context" >/dev/null || fail "the image $name could not be made"
	rm -rf "$context"
}

# images: a node, and in its store all that the cluster runs, as it has nowhere to pull from.
images() {
	made_of=$(cat Tools.mk publish/consumers/istio/go.mod k8s/kind/offline.sh k8s/kind/node/* k8s/kind/*/*.go | sha256sum | cut -c 1-12)
	node=routelens.local/node:$made_of
	! docker image inspect "$node" >/dev/null 2>&1 || return 0
	say 'making the images of node and cluster (2 min)'
	docker image prune -af >/dev/null # those of other versions; the engine is ours alone
	tar -C "$base" -c . | docker import - routelens.local/base:demo >/dev/null
	(cd k8s && mkdir -p ../build/kind && CGO_ENABLED=0 native_go build -trimpath -ldflags '-s -w' -o ../build/kind/ ./kind/shop ./kind/pause)

	stored='' user=''
	kubernetes_images
	pilot=$cache/istio-$(pinned istio istio.io/istio)
	user=1337:1337 # the chart has no user of its own for it
	image routelens.local/pilot:demo scratch /usr/local/bin/pilot-discovery "$pilot/pilot-discovery:/usr/local/bin/pilot-discovery"
	user=''
	image routelens.local/proxyv2:demo routelens.local/base:demo /usr/local/bin/pilot-agent "$pilot/pilot-agent:/usr/local/bin/pilot-agent" \
		"$cache/bin/envoy:/usr/local/bin/envoy" "$istio_module/tools/packaging/common/envoy_bootstrap.json:/var/lib/istio/envoy/envoy_bootstrap_tmpl.json"
	image routelens.local/registry:demo scratch /bin/registry "$(echo $cache/registry-*)/registry:/bin/registry"
	image routelens.local/victoria-logs:demo scratch /victoria-logs-prod "$cache/bin/victoria-logs:/victoria-logs-prod"
	image routelens.local/prometheus:demo routelens.local/base:demo /bin/prometheus \
		"$cache/prometheus-debian/usr/bin/prometheus:/bin/prometheus" "$cache/prometheus-debian/usr/share:/usr/share"
	image routelens.local/shop:demo scratch /shop build/kind/shop:/shop
	node_image
}

# kubernetes_images: those that kubeadm asks for, by their names, and the one that containerd has pods held by.
kubernetes_images() {
	programs=$cache/kubernetes-$KUBERNETES_VERSION
	for name in $("$programs/kubeadm" config images list --kubernetes-version "$KUBERNETES_VERSION" 2>/dev/null); do
		program=$(basename "${name%:*}")
		case $program in
		coredns) image "$name" scratch /coredns "$cache/coredns-$COREDNS_VERSION/coredns:/coredns" ;;
		kube-proxy) image "$name" routelens.local/base:demo /usr/local/bin/kube-proxy "$programs/kube-proxy:/usr/local/bin/kube-proxy" ;;
		pause) image registry.k8s.io/pause:3.10 scratch /pause build/kind/pause:/pause ;; # by kind's own configuration of containerd
		*) image "$name" scratch "/usr/local/bin/$program" "$programs/$program:/usr/local/bin/$program" ;;
		esac
	done
}

# image NAME BASE ENTRYPOINT FILE:PLACE...: an image of some files, on another or on nothing (scratch).
image() {
	name=$1 stored="$stored $1"
	context=$(mktemp -d "$cache/image.part.XXXXXX")
	{
		printf 'FROM %s\nENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nENTRYPOINT ["%s"]\n' "$2" "$3"
		shift 3
		for file; do
			mkdir -p "$context/files$(dirname "${file#*:}")"
			cp -rL "${file%%:*}" "$context/files${file#*:}"
		done
		echo 'COPY files /'
		[ -z "$user" ] || echo "USER $user"
	} >"$context/Dockerfile"
	docker build -q -t "$name" "$context" >/dev/null || fail "the image $name could not be made, see above"
	rm -rf "$context"
}

# node_image: Debian as kind wants a node, by the files of kind's own image, with what node/ says instead where those need what is not here.
node_image() {
	files=$(module_dir sigs.k8s.io/kind "$KIND_VERSION")/images/base/files
	new_part node
	root=$part
	cp -a "$tree/." "$root"
	rm -rf "$root/engine" "$root"/usr/bin/docker* "$root"/usr/sbin/dockerd "$root"/usr/bin/containerd* "$root"/usr/bin/ctr "$root"/etc/docker "$root"/lib/systemd/system/docker.* \
		"$root"/lib/systemd/system/containerd.service
	# Debian's services and kernel settings out; kind's come in.
	find "$root"/lib/systemd/system/sysinit.target.wants -name systemd-tmpfiles-setup.service -delete
	find "$root"/usr/lib/sysctl.d "$root"/etc/sysctl.d -name '*.conf' -delete
	rm -f "$root"/etc/sysctl.conf "$root"/lib/systemd/system/multi-user.target.wants/* "$root"/etc/systemd/system/*.wants/* "$root"/lib/systemd/system/local-fs.target.wants/* \
		"$root"/lib/systemd/system/sockets.target.wants/*udev* "$root"/lib/systemd/system/sockets.target.wants/*initctl* "$root"/lib/systemd/system/basic.target.wants/*
	echo ReadKMsg=no >>"$root/etc/systemd/journald.conf"
	ln -sf /usr/lib/systemd/systemd "$root/sbin/init"
	cp -r "$files/." "$root"
	chmod -R u+w "$root/etc" "$root/usr/local" "$root/kind"
	chmod 755 "$root"/usr/local/bin/* "$root"/kind/bin/*
	rm "$root/etc/systemd/system/containerd-fuse-overlayfs.service"
	units=$root/etc/systemd/system
	mkdir -p "$units/multi-user.target.wants" "$root/kind/manifests" "$root/etc/cni/net.d" "$root/opt/cni/bin" "$root/etc/kubernetes/manifests" "$root/usr/local/sbin"
	for unit in kubelet containerd undo-mount-hacks; do ln -s /etc/systemd/system/$unit.service "$units/multi-user.target.wants/$unit.service"; done
	for unit in systemd-binfmt systemd-tmpfiles-setup-dev; do ln -s /dev/null "$units/$unit.service"; done
	cp "$cache/containerd-$CONTAINERD_VERSION"/* "$root/usr/local/bin/"
	cp "$cache/cni-$CNI_PLUGINS_VERSION"/* "$root/opt/cni/bin/"
	for program in kubeadm kubelet kubectl; do cp "$cache/kubernetes-$KUBERNETES_VERSION/$program" "$root/usr/bin/"; done
	printf %s "$KUBERNETES_VERSION" >"$root/kind/version"

	cp k8s/kind/node/guard "$root/kind/bin/"
	sed -i 's|^select_iptables$|/kind/bin/guard boot\nselect_iptables|' "$root/usr/local/bin/entrypoint"
	grep -q '^/kind/bin/guard boot$' "$root/usr/local/bin/entrypoint" || fail "kind's entrypoint has changed: the guard finds no place in it"
	printf '[Service]\nExecStartPre=/kind/bin/guard kubelet\n' >"$units/kubelet.service.d/12-guard.conf"
	cp k8s/kind/node/10-ptp.conflist "$root/etc/cni/net.d/"
	cp k8s/kind/node/default-cni.json "$root/kind/manifests/default-cni.yaml"
	cp k8s/kind/node/default-storage.json "$root/kind/manifests/default-storage.yaml"
	# No snapshotter for those who are not root; and no process may be made less likely to be killed than this one.
	sed -i -e '/^\[proxy_plugins/d; /containerd-fuse-overlayfs.sock/d; /^  type = "snapshot"$/d' \
		-e 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' "$root/etc/containerd/config.toml"
	echo 'KUBELET_EXTRA_ARGS=--runtime-cgroups=/system.slice/containerd.service --fail-cgroupv1=false' >"$root/etc/default/kubelet"
	chroot "$root" ctr oci spec | chroot "$root" jq '.hooks.createContainer += [{"path": "/kind/bin/mount-product-files.sh"}] | del(.process.rlimits)' >"$part.json"
	mv "$part.json" "$root/etc/containerd/cri-base.json"

	tar -C "$root" -c . | docker import --change 'ENV container=docker' \
		--change 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' - routelens.local/node:bare >/dev/null
	rm -rf "$root"

	docker rm -f -v routelens-images >/dev/null 2>&1 || true
	docker run -d --name routelens-images --entrypoint sleep --security-opt seccomp=unconfined routelens.local/node:bare infinity >/dev/null
	docker exec -d routelens-images containerd
	soon 30 docker exec routelens-images ctr version
	# shellcheck disable=SC2086 # a list of names
	docker save $stored | docker exec -i routelens-images ctr -n k8s.io images import --label=io.cri-containerd.pinned=pinned --all-platforms --no-unpack --digests - >/dev/null
	docker exec routelens-images pkill -x containerd
	docker commit --change 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' routelens-images "$node" >/dev/null
	docker rm -f -v routelens-images >/dev/null
}

load_images() { :; } # the node has them

# cluster_images: what stands in for the images of the manifests, as kustomize has it.
cluster_images() {
	for name in library/registry prom/prometheus victoriametrics/victoria-logs; do
		echo "- {name: docker.io/$name, newName: routelens.local/${name#*/}, newTag: demo}"
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
