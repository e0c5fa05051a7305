// Command istio is what Istio does with a plugin, by Istio's own code: its agent's fetcher, and the schemas and checks of its
// resources. The tests of publish run it.
//
//	istio pull [-secret FILE] URL OUT
//	istio check FILE CRDS...
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	kubecrd "istio.io/istio/pilot/pkg/config/kube/crd"
	"istio.io/istio/pkg/config/crd"
	"istio.io/istio/pkg/wasm"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(command string, args []string) error {
	if command == "check" {
		return check(args[0], args[1:])
	}
	flags := flag.NewFlagSet(command, flag.ExitOnError)
	secret := flags.String("secret", "", "a Docker configuration with credentials, as an imagePullSecret holds it")
	flags.Parse(args)
	return pull(flags.Arg(0), flags.Arg(1), *secret)
}

func pull(url, out, secret string) error {
	dir, err := os.MkdirTemp("", "istio")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	options := wasm.GetOptions{ResourceName: "ns.plugin", ResourceVersion: "1", RequestTimeout: time.Minute}
	if secret != "" {
		if options.PullSecret, err = os.ReadFile(secret); err != nil {
			return err
		}
	}
	cache := wasm.NewLocalFileCache(dir, wasm.Options{})
	defer cache.Cleanup()
	file, err := cache.Get(url, options)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(out, data, 0o600)
}

// check holds a resource against schemas, as the API server would, and what is Istio's against its own validation besides. It prints
// the resource as kubectl reads it.
func check(file string, crds []string) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	data, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	validator, err := crd.NewValidatorFromFilesWithOptions(crds, crd.WithoutCRDValidation())
	if err != nil {
		return err
	}
	if err := validator.ValidateCustomResourceYAML(string(data), nil); err != nil {
		return err
	}
	if _, _, err := kubecrd.ParseInputs(string(data)); err != nil {
		return err
	}
	seen, err := yaml.YAMLToJSON(data)
	if err != nil {
		return err
	}
	fmt.Println(string(seen))
	return nil
}
