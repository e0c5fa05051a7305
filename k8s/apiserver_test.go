//go:build apiserver

package k8s

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"
)

// server is the API server of all tests, with the CRDs of those whose resources are here.
var server client.Client

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	log.SetLogger(logr.Discard()) // it asks for one
	environment := envtest.Environment{
		BinaryAssetsDirectory: os.Getenv("ROUTELENS_KUBERNETES"),
		CRDDirectoryPaths:     strings.Fields(os.Getenv("ROUTELENS_CRDS")),
		ErrorIfCRDPathMissing: true,
		// On a busy machine: its own are 20 s, 20 s and 10 s.
		ControlPlaneStartTimeout: 2 * time.Minute,
		ControlPlaneStopTimeout:  2 * time.Minute,
		CRDInstallOptions:        envtest.CRDInstallOptions{MaxTime: 2 * time.Minute},
	}
	if environment.BinaryAssetsDirectory == "" || len(environment.CRDDirectoryPaths) == 0 {
		fmt.Fprintln(os.Stderr, "ROUTELENS_KUBERNETES is the folder of kube-apiserver and etcd, ROUTELENS_CRDS are the CRDs; make test-k8s sets both")
		return 1
	}
	defer environment.Stop()
	cfg, err := environment.Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "the API server does not start:", err)
		return 1
	}
	if server, err = client.New(cfg, client.Options{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	server = client.WithFieldValidation(server, metav1.FieldValidationStrict)
	return m.Run()
}

// everything is each list of resources that the project shows anyone, by where it stands.
func everything(t testing.TB) map[string][]*unstructured.Unstructured {
	all := manifests(t)
	for _, dir := range kustomizations(t) {
		all["rendered "+dir] = render(t, dir)
	}
	for name, edit := range map[string][3]string{
		"outside":                   {"overlays/istio/gateway", "/sink]", "/sink-outside]"},
		"outside, TrafficExtension": {"overlays/istio/traffic-extension/gateway", "/sink]", "/sink-outside]"},
		"secret":                    {"overlays/istio/gateway", "../sink]", "../sink, ../../../pull-secret]"},
		"secret, TrafficExtension":  {"overlays/istio/traffic-extension/gateway", "../sink]", "../sink, ../../../../pull-secret]"},
		"secret, Envoy Gateway":     {"overlays/envoy-gateway", "../../base]", "../../base, ../../pull-secret]"},
	} {
		all["edited "+name] = edited(t, edit[0], edit[1], edit[2])
	}
	printed, err := filepath.Glob("../publish/internal/manifest/testdata/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, printed)
	for _, file := range printed {
		if name := filepath.Base(file); name != "envoy-full.yaml" && name != "envoy-bare.yaml" { // those are Envoy's own
			all[file] = objects(t, read(t, file))
		}
	}
	pages, err := filepath.Glob("../docs/*.md")
	require.NoError(t, err)
	for _, page := range append(pages, "../README.md") {
		for i, block := range blocks.FindAllStringSubmatch(string(read(t, page)), -1) {
			if strings.Contains(block[1], "apiVersion:") && !strings.Contains(block[1], "kustomize.config.k8s.io") {
				all[fmt.Sprint(page, " ", i)] = objects(t, []byte(block[1]))
			}
		}
	}
	return all
}

var blocks = regexp.MustCompile("(?s)```yaml\n(.*?)```")

func TestTheAPIServerTakesEveryManifest(t *testing.T) {
	for name, all := range everything(t) {
		t.Run(name, func(t *testing.T) {
			for _, o := range all {
				assert.NoError(t, create(t, o), "%s %s", o.GetKind(), o.GetName())
			}
		})
	}
}

func TestTheAPIServerRefusesAMisspeltKeyInEveryManifest(t *testing.T) {
	for name, all := range everything(t) {
		t.Run(name, func(t *testing.T) {
			for _, o := range all {
				part := "spec"
				if _, ok := o.Object[part]; !ok {
					part = "metadata" // such as a ConfigMap
				}
				o.Object[part].(map[string]any)["misspelt"] = "x"
				assert.ErrorContains(t, create(t, o), "unknown field \""+part+".misspelt\"", "%s %s", o.GetKind(), o.GetName())
			}
		})
	}
}

func TestTheAPIServerRefusesWhatIsWrong(t *testing.T) {
	for _, wrong := range []struct {
		dir, kind string
		value     any
		at        []string
		words     string
	}{
		{"overlays/istio/gateway", "WasmPlugin", "FAIL_SOMEHOW", []string{"spec", "failStrategy"}, "Unsupported value"},
		{"overlays/istio/gateway", "WasmPlugin", "ftp://x/y", []string{"spec", "url"}, "url must have schema"},
		{"overlays/istio/gateway", "WasmPlugin", "text", []string{"spec", "pluginConfig"}, "must be of type object"},
		{"overlays/istio/traffic-extension/gateway", "TrafficExtension", "NOSUCH", []string{"spec", "phase"}, "Unsupported value"},
		{"overlays/istio/gateway", "DestinationRule", "soon", []string{"spec", "trafficPolicy", "connectionPool", "http", "idleTimeout"}, "must be a valid duration"},
		{"overlays/envoy-gateway", "EnvoyExtensionPolicy", []any{map[string]any{"group": "apps", "kind": "Deployment", "name": "x"}},
			[]string{"spec", "targetRefs"}, "can only have a targetRefs"},
		{"overlays/envoy-gateway", "EnvoyProxy", "Blend", []string{"spec", "bootstrap", "type"}, "Unsupported value"},
		{"overlays/envoy-gateway", "HTTPRoute", []any{"not a host"}, []string{"spec", "hostnames"}, "hostnames"},
	} {
		t.Run(strings.Join(append([]string{wrong.kind}, wrong.at...), " "), func(t *testing.T) {
			o := one(t, render(t, wrong.dir), wrong.kind)
			require.NoError(t, unstructured.SetNestedField(o.Object, wrong.value, wrong.at...))
			assert.ErrorContains(t, create(t, o), wrong.words)
		})
	}
}

// The namespace is restricted, which a Deployment is not held to, but its pods are.
func TestThePodsOfTheStoreAreTakenWhereOnlyRestrictedOnesAre(t *testing.T) {
	rendered := render(t, "store")
	restricted := one(t, rendered, "Namespace").DeepCopy()
	restricted.SetName("restricted")
	require.NoError(t, server.Create(t.Context(), restricted))
	pod := func(change func(spec map[string]any)) error {
		template, _, err := unstructured.NestedMap(one(t, rendered, "Deployment").Object, "spec", "template")
		require.NoError(t, err)
		change(template["spec"].(map[string]any))
		o := &unstructured.Unstructured{Object: template}
		o.SetAPIVersion("v1")
		o.SetKind("Pod")
		o.SetName("logs")
		o.SetNamespace("restricted")
		return create(t, o)
	}
	assert.ErrorContains(t, pod(func(spec map[string]any) { spec["hostNetwork"] = true }), "violates PodSecurity")
	assert.NoError(t, pod(func(map[string]any) {}))
}

func TestThePatchesAreTakenToo(t *testing.T) {
	pod := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "checkout"}, Annotations: map[string]string{"own": "kept"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "checkout", Image: "checkout"}}},
	}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "checkout", Namespace: "default"},
		Spec:       appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: pod.Labels}, Template: pod},
	}
	require.NoError(t, server.Create(t.Context(), deployment))
	annotations := patch(t, "overlays/istio/labels/annotations.yaml")
	require.NoError(t, server.Patch(t.Context(), deployment, client.RawPatch(types.StrategicMergePatchType, annotations)))
	assert.Len(t, deployment.Spec.Template.Annotations, 3)

	gateway := objects(t, []byte(`{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: eg, namespace: default},
spec: {gatewayClassName: eg, listeners: [{name: http, port: 80, protocol: HTTP}]}}`))[0]
	require.NoError(t, server.Create(t.Context(), gateway))
	require.NoError(t, server.Patch(t.Context(), gateway, client.RawPatch(types.MergePatchType, patch(t, "overlays/envoy-gateway/gateway.yaml"))))
	name, _, _ := unstructured.NestedString(gateway.Object, "spec", "infrastructure", "parametersRef", "name")
	assert.Equal(t, one(t, render(t, "overlays/envoy-gateway"), "EnvoyProxy").GetName(), name)
}

func patch(t testing.TB, file string) []byte {
	data, err := yaml.YAMLToJSONStrict(read(t, file))
	require.NoError(t, err)
	return data
}

// create puts a resource on the server, in its namespace or, as kubectl does, in default, until the test ends.
func create(t testing.TB, o *unstructured.Unstructured) error {
	t.Helper()
	if o.GetKind() == "Namespace" { // it stays: what would end it is no part of an API server
		err := server.Create(t.Context(), o)
		if errors.IsAlreadyExists(err) {
			err = server.Update(t.Context(), o)
		}
		return err
	}
	o.SetNamespace(cmp.Or(o.GetNamespace(), "default"))
	err := server.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: o.GetNamespace()}})
	require.True(t, err == nil || errors.IsAlreadyExists(err), "%v", err)
	if err := server.Create(t.Context(), o); err != nil {
		return err
	}
	t.Cleanup(func() { assert.NoError(t, server.Delete(context.Background(), o, client.GracePeriodSeconds(0))) })
	return nil
}
