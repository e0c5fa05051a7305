// Package k8s holds what installs Routelens in a cluster, for kustomize. Its tests render all of it, and apply it to a real API server.
package k8s
