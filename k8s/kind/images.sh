# The images of the cluster where none can be pulled, sourced by offline.sh: made of programs in .cache/bin and of Debian.

# images: a node, and in its store all that the cluster runs, as it has nowhere to pull from.
images() {
	made_of=$(cat Tools.mk publish/consumers/istio/go.mod publish/e2e/go.mod k8s/go.mod .ci/setup/kind k8s/kind/offline.sh k8s/kind/images.sh k8s/kind/node/* k8s/kind/*/*.go | sha256sum | cut -c 1-12)
	node=routelens.local/node:$made_of
	! docker image inspect "$node" >/dev/null 2>&1 || return 0
	say 'making the images of node and cluster (2 min)'
	docker image prune -af >/dev/null # those of other versions; the engine is ours alone
	tar -C "$base" -c . | docker import - routelens.local/base:demo >/dev/null
	(cd k8s && mkdir -p ../build/kind && CGO_ENABLED=0 native_go build -trimpath -ldflags '-s -w' -o ../build/kind/ ./kind/shop ./kind/pause)

	stored='' user=''
	kubernetes_images
	user=1337:1337 # the chart has no user of its own for it
	image routelens.local/pilot:demo scratch /usr/local/bin/pilot-discovery "$cache/bin/pilot-discovery:/usr/local/bin/pilot-discovery"
	user=''
	image routelens.local/proxyv2:demo routelens.local/base:demo /usr/local/bin/pilot-agent "$cache/bin/pilot-agent:/usr/local/bin/pilot-agent" \
		"$cache/bin/envoy:/usr/local/bin/envoy" "$istio_module/tools/packaging/common/envoy_bootstrap.json:/var/lib/istio/envoy/envoy_bootstrap_tmpl.json"
	image routelens.local/registry:demo scratch /bin/registry "$cache/bin/registry:/bin/registry"
	image routelens.local/victoria-logs:demo scratch /victoria-logs-prod "$cache/bin/victoria-logs:/victoria-logs-prod"
	image routelens.local/prometheus:demo routelens.local/base:demo /bin/prometheus \
		"$cache/prometheus-debian/usr/bin/prometheus:/bin/prometheus" "$cache/prometheus-debian/usr/share:/usr/share"
	image routelens.local/shop:demo scratch /shop build/kind/shop:/shop
	node_image
}

# kubernetes_images: those that kubeadm asks for, by their names, and the one that containerd has pods held by.
kubernetes_images() {
	names=$("$cache/bin/kubeadm" config images list --kubernetes-version "$KUBERNETES_VERSION")
	for name in $names; do
		program=$(basename "${name%:*}")
		case $program in
		coredns) image "$name" scratch /coredns "$cache/bin/coredns:/coredns" ;;
		kube-proxy) image "$name" routelens.local/base:demo /usr/local/bin/kube-proxy "$cache/bin/kube-proxy:/usr/local/bin/kube-proxy" ;;
		pause) image registry.k8s.io/pause:3.10 scratch /pause build/kind/pause:/pause ;; # by kind's own configuration of containerd
		*) image "$name" scratch "/usr/local/bin/$program" "$cache/bin/$program:/usr/local/bin/$program" ;;
		esac
	done
}

# image NAME BASE ENTRYPOINT FILE:PLACE...: an image of some files, on another or on nothing (scratch).
image() {
	name=$1 stored="$stored $1"
	new_part image
	{
		printf 'FROM %s\nENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nENTRYPOINT ["%s"]\n' "$2" "$3"
		shift 3
		for file; do
			mkdir -p "$part/files$(dirname "${file#*:}")"
			cp -rL "${file%%:*}" "$part/files${file#*:}"
		done
		echo 'COPY files /'
		[ -z "$user" ] || echo "USER $user"
	} >"$part/Dockerfile"
	docker build -q -t "$name" "$part" >/dev/null || fail "the image $name could not be made, see above"
	rm -rf "$part"
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
	for program in kubeadm kubelet kubectl; do cp "$cache/bin/$program" "$root/usr/bin/"; done
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
