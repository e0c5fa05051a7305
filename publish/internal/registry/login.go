package registry

import (
	"context"
	"encoding/json"
	"os"

	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
)

// Login checks the options' credentials with a registry and keeps them. It tells in which file, and whether they can be read there.
func (c *Client) Login(ctx context.Context, host string) (file string, inClear bool, err error) {
	at := Reference{Host: host}
	server, err := remote.NewRegistry(host)
	if err != nil {
		return "", false, c.explain(at, "log in", err)
	}
	server.Client, server.PlainHTTP = c.auth, c.options.PlainHTTP
	credential := auth.Credential{Username: c.options.Username, Password: c.options.Password}
	c.secrets.addPassword(credential.Username, credential.Password)
	if err := credentials.Login(ctx, c.store, server, credential); err != nil {
		return "", false, c.explain(at, "log in", err)
	}
	if dynamic, ok := c.store.(*credentials.DynamicStore); ok {
		file = dynamic.ConfigPath()
	}
	return file, inClearText(file, credentials.ServerAddressFromRegistry(host)), nil
}

// inClearText tells whether a configuration file holds a password itself.
func inClearText(file, address string) bool {
	data, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	var config struct {
		Auths map[string]struct{ Auth string }
	}
	return json.Unmarshal(data, &config) == nil && config.Auths[address].Auth != ""
}

// Logout forgets the credentials for a registry.
func (c *Client) Logout(ctx context.Context, host string) error {
	return c.explain(Reference{Host: host}, "log out", credentials.Logout(ctx, c.store, host))
}
