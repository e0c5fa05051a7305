# The demo with images as their makers publish them, sourced by ./demo: for whoever has Docker and reaches the registries. Same functions
# as offline.sh.

address=127.0.0.1
node='' # kind's own image
elsewhere=", and kind's image in Docker, which other clusters may be of"

tools() {
	docker version >/dev/null 2>&1 || fail "no Docker to be reached (docker version): start it; or, as root on Debian, OFFLINE=1 needs none"
	.ci/setup/kind
}

engine_start() { :; }

# engine_stop: Docker is not ours to stop; the cluster is. kind leaves its network, which other clusters of kind may be on.
engine_stop() {
	if ! docker version >/dev/null 2>&1; then
		[ ! -e "$KUBECONFIG" ] || fail 'no Docker to be reached (docker version): the cluster is still in it. One of OFFLINE=1 wants OFFLINE=1 here, too'
		return
	fi
	docker ps -aq --filter "label=io.x-k8s.kind.cluster=$cluster" | xargs -r docker rm -f -v >/dev/null
	docker network rm kind >/dev/null 2>&1 || true
	docker images -q routelens.local/shop | xargs -r docker rmi -f >/dev/null
}

# images: the shop alone is ours.
images() {
	new_part image
	(cd k8s && CGO_ENABLED=0 GOOS=linux go build -trimpath -ldflags '-s -w' -o "$top/$part/" ./kind/shop)
	printf 'FROM scratch\nCOPY shop /shop\nENTRYPOINT ["/shop"]\n' >"$part/Dockerfile"
	shop=routelens.local/shop:$(sha256sum "$part/shop" | cut -c 1-12) # by its content, so that pods of an older one are replaced
	docker build -q -t "$shop" "$part" >/dev/null
	rm -rf "$part"
}

load_images() { quietly kind kind load docker-image --name "$cluster" "$shop"; }

cluster_images() { echo "{name: routelens.local/shop, newTag: ${shop#*:}}"; }

grafana=http://$address:13000
dashboards() {
	(cd dashboards && go run . -logs victorialogs -o ../build/dashboards)
	apply grafana <<-KUSTOMIZATION
		apiVersion: kustomize.config.k8s.io/v1beta1
		kind: Kustomization
		resources: [../../../k8s/kind/grafana]
		configMapGenerator:
		- {name: routelens-dashboards, namespace: observability, files: [$(printf '../../dashboards/grafana/%s.json, ' routes route pipeline)]}
	KUSTOMIZATION
	kubectl rollout status deployment/grafana -n observability --timeout 240s >/dev/null
}

# istio: what Istio had at Google's, which charts and images of 1.30 still name, ends in December 2026. These are its places for good.
istio() {
	charts=https://blob.istio.io/istio-release/charts
	helm_upgrade base base --repo $charts --version "$ISTIO_VERSION"
	helm_upgrade istiod istiod --repo $charts --version "$ISTIO_VERSION" --set global.hub=docker.io/istio
}
