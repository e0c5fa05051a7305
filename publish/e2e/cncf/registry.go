// Package cncf is CNCF's Distribution, a registry as many run it, as a handler for tests and for the benchmark.
package cncf

import (
	"context"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"

	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
)

// Registry keeps its content in a folder. It must be shut down. With auth it wants a password.
func Registry(dir string, auth configuration.Auth) *handlers.App {
	config := &configuration.Configuration{
		Auth: auth,
		Storage: configuration.Storage{
			"filesystem":  configuration.Parameters{"rootdirectory": dir},
			"delete":      configuration.Parameters{"enabled": true},
			"maintenance": configuration.Parameters{"uploadpurging": map[any]any{"enabled": false}},
		},
	}
	config.HTTP.Secret = "for tests"
	return handlers.NewApp(context.Background(), config)
}
