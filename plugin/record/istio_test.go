package record

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEachLabelOfIstiosHasAValueOfItsOwn(t *testing.T) {
	i := &Istio{
		Reporter: "reporter", Service: "destination_service", ServiceName: "destination_service_name", ServiceNamespace: "destination_service_namespace",
		Source: Workload{"source_workload", "source_workload_namespace", "source_canonical_service", "source_canonical_revision",
			"source_app", "source_version", "source_principal"},
		Destination: Workload{"destination_workload", "destination_workload_namespace", "destination_canonical_service", "destination_canonical_revision",
			"destination_app", "destination_version", "destination_principal"},
	}
	for n, label := range IstioLabels {
		assert.Equal(t, label, i.Label(label))
		assert.Equal(t, "istio."+label, IstioKeys[n])
		assert.Empty(t, (*Istio)(nil).Label(label), "where the proxy is not Istio's")
		assert.Empty(t, new(Istio).Label(label))
	}
	assert.Empty(t, i.Label("source_zone"))
}

func TestTheNamespaceOfAnIdentity(t *testing.T) {
	for id, want := range map[string]string{
		"spiffe://cluster.local/ns/shop/sa/cart": "shop",
		"spiffe://td/ns/a.b/sa/c":                "a.b",
		"spiffe://td/ns//sa/c":                   "",
		"spiffe://td/ns/shop/sa/":                "",
		"spiffe://td/ns/shop/sa/a/b":             "",
		"spiffe://td/ns/shop":                    "",
		"spiffe:///ns/shop/sa/c":                 "",
		"spiffe://td/x/ns/shop/sa/c":             "",
		"cluster.local/ns/shop/sa/c":             "",
		"https://td/ns/shop/sa/c":                "",
		"":                                       "",
	} {
		assert.Equal(t, want, SPIFFENamespace(id), id)
	}
}

func TestTheNamesOfIstiosClusters(t *testing.T) {
	for name, want := range map[string][2]string{
		"outbound|80||cart.shop.svc.cluster.local": {"cart.shop.svc.cluster.local", "80"},
		"outbound|80|v1|cart.shop.svc":             {"cart.shop.svc", "80"},
		"inbound|8080||":                           {"", "8080"},
		"outbound|80||[::1]":                       {"[::1]", "80"},
		"PassthroughCluster":                       {},
		"outbound_.80_._.cart.shop.svc":            {},
		"outbound|80|cart":                         {},
		"outbound|80||cart|x":                      {},
		"":                                         {},
	} {
		host, port, ok := IstioCluster(name)
		assert.Equal(t, want, [2]string{host, port}, name)
		assert.Equal(t, want != [2]string{}, ok, name)
	}
}

var identity = regexp.MustCompile(`^(?s)spiffe://[^/]+/ns/([^/]*)/sa/[^/]+$`)

func FuzzNamesAreReadAsTheirExpressionsSay(f *testing.F) {
	for _, s := range []string{"spiffe://cluster.local/ns/shop/sa/cart", "spiffe://td/ns//sa/", "spiffe://", "outbound|80|v1|cart.shop.svc", "inbound|80||", "|||", "||||", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := ""
		if m := identity.FindStringSubmatch(s); m != nil {
			want = m[1]
		}
		require.Equal(t, want, SPIFFENamespace(s))
		host, port, ok := IstioCluster(s)
		require.Equal(t, strings.Count(s, "|") == 3, ok)
		if ok {
			require.Equal(t, []string{port, host}, []string{strings.Split(s, "|")[1], strings.Split(s, "|")[3]})
		} else {
			require.Empty(t, host+port)
		}
	})
}
