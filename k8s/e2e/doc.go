// Package e2e tests what k8s/ installs, on the real programs that read it: the plugin is pushed by publish to a real registry, pulled by
// those who run proxies, and runs in their Envoy, with real traffic and a real log store. No cluster is needed: resources come from files.
//
// `make test-istio` runs Istio's part (build tag istio): istiod and pilot-agent. `make test-gateway` runs Envoy Gateway's (build tag
// gateway). Where a program is missing, a test fails.
package e2e
