// Command gateway is what Envoy Gateway does with a plugin, by its own code: it pulls it, and makes an Envoy's configuration of an
// EnvoyProxy. The tests of publish run it. Its module is named as if it were within Envoy Gateway's, as Go lets nobody else import
// what is internal there.
//
//	gateway [-secret FILE] [-ca FILE] URL OUT
//	gateway -bootstrap FILE
package main

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	"github.com/envoyproxy/gateway/internal/logging"
	"github.com/envoyproxy/gateway/internal/wasm"
	"github.com/envoyproxy/gateway/internal/xds/bootstrap"
	"sigs.k8s.io/yaml"
)

func main() {
	secret := flag.String("secret", "", "a Docker configuration with credentials, as the secret of pullSecretRef holds it")
	ca := flag.String("ca", "", "PEM of an authority, as that of tls.caCertificateRef")
	proxy := flag.String("bootstrap", "", "an EnvoyProxy, whose Envoy's configuration is printed")
	flag.Parse()
	if *proxy != "" {
		if err := printBootstrap(*proxy); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if err := pull(flag.Arg(0), flag.Arg(1), *secret, *ca); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func printBootstrap(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var proxy egv1a1.EnvoyProxy
	if err := yaml.UnmarshalStrict(data, &proxy); err != nil {
		return err
	}
	if err := bootstrap.Validate(proxy.Spec.Bootstrap); err != nil {
		return err
	}
	own, err := bootstrap.GetRenderedBootstrapConfig(nil)
	if err != nil {
		return err
	}
	merged, err := bootstrap.ApplyBootstrapConfig(proxy.Spec.Bootstrap, own)
	fmt.Print(merged)
	return err
}

func pull(url, out, secret, ca string) error {
	dir, err := os.MkdirTemp("", "gateway")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	options := &wasm.GetOptions{ResourceName: "ns/plugin", ResourceVersion: "1"}
	if options.PullSecret, err = read(secret); err != nil {
		return err
	}
	if options.CACert, err = read(ca); err != nil {
		return err
	}
	server := wasm.NewHTTPServerWithFileCache(wasm.ServerOptions{Salt: []byte("salt")}, wasm.CacheOptions{CacheDir: dir},
		"envoy-gateway-system", logging.DefaultLogger(io.Discard, egv1a1.LogLevelError))
	_, checksum, err := server.Get(url, options)
	if err != nil {
		return err
	}
	data, err := cached(dir)
	if err != nil {
		return err
	}
	if sum := fmt.Sprintf("%x", sha256.Sum256(data)); sum != checksum {
		return fmt.Errorf("Envoy would be told the checksum %s of a file that has %s", checksum, sum)
	}
	return os.WriteFile(out, data, 0o600)
}

func read(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	return os.ReadFile(file)
}

// cached is the one plugin in the cache.
func cached(dir string) (data []byte, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".wasm" {
			data, err = os.ReadFile(path)
		}
		return err
	})
	return data, err
}
