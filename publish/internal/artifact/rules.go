package artifact

import (
	"fmt"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Found is where a reader finds the plugin.
type Found struct {
	Layout Layout
	Layer  ocispec.Descriptor
}

// Packed tells whether the plugin lies in an archive.
func (f Found) Packed() bool { return f.Layout == Compat || f.Layout == Docker }

// Consumer is a program that pulls plugins, with its rules.
type Consumer struct {
	Name string
	// Find tells where in a manifest it finds the plugin, or why it does not.
	Find func(*ocispec.Manifest) (Found, error)
	// Repository tells why it cannot pull from a repository of that name, whatever is in it.
	Repository func(name string) error
}

// Consumers are those whose rules are known. Istio's and Envoy Gateway's were read in their fetchers: the second began as a copy of the
// first.
var Consumers = []Consumer{
	{"Istio", proxyRule, proxyRepository},
	{"Envoy Gateway", proxyRule, proxyRepository},
	{"Wasm tools (CNCF layout)", cncfRule, anyRepository},
}

// In is where it finds the plugin that lies in a repository, or why it does not get it. What is in no registry has a repository without
// a name.
func (c Consumer) In(repository string, m *ocispec.Manifest) (Found, error) {
	found, err := c.Find(m)
	if err == nil && repository != "" {
		err = c.Repository(repository)
	}
	return found, err
}

// proxyRepository is the rule of go-containerregistry's parser before 0.22, which both have. The rest of what it refuses, no registry
// takes.
func proxyRepository(name string) error {
	if n := len(name); n < 2 || n > 255 {
		return fmt.Errorf("it reads names of repositories with 2 to 255 characters, and this one has %d", n)
	}
	return nil
}

func anyRepository(string) error { return nil }

// proxyRule looks for an image of Docker's, then for one of OCI's, then for an artifact, in this order.
func proxyRule(m *ocispec.Manifest) (Found, error) {
	n := len(m.Layers)
	if n == 0 {
		return Found{}, fmt.Errorf("it has no layers")
	}
	last := m.Layers[n-1]
	if m.MediaType == DockerManifest {
		if last.MediaType != DockerLayer {
			return Found{}, fmt.Errorf("the last layer of a Docker image must be of type %s, and is %s", DockerLayer, last.MediaType)
		}
		return Found{Docker, last}, nil
	}
	if last.MediaType == ocispec.MediaTypeImageLayerGzip {
		return Found{Compat, last}, nil
	}
	if n != 2 {
		return Found{}, fmt.Errorf("an artifact must have exactly two layers, and this has %d; the last is %s", n, last.MediaType)
	}
	for _, l := range m.Layers {
		if l.MediaType == ContentType {
			return Found{OCI, l}, nil
		}
	}
	return Found{}, fmt.Errorf("none of its two layers is of type %s", ContentType)
}

func cncfRule(m *ocispec.Manifest) (Found, error) {
	if m.Config.MediaType != CNCFConfigType {
		return Found{}, fmt.Errorf("its config must be of type %s, and is %s", CNCFConfigType, m.Config.MediaType)
	}
	for _, l := range m.Layers {
		if l.MediaType == CNCFContentType {
			return Found{CNCF, l}, nil
		}
	}
	return Found{}, fmt.Errorf("none of its layers is of type %s", CNCFContentType)
}

// Find applies every rule in turn.
func Find(m *ocispec.Manifest) (Found, error) {
	var first error
	for _, c := range Consumers {
		found, err := c.Find(m)
		if err == nil {
			return found, nil
		}
		if first == nil {
			first = err
		}
	}
	return Found{}, fmt.Errorf("%w: %w", ErrNoPlugin, first)
}
