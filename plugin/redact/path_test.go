package redact

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/routelens/routelens/plugin/config"
)

func hidingPath(templates ...string) *Redactor {
	c := &config.Redact{Key: key, Detect: config.Detectors}
	for _, t := range templates {
		c.Rules = append(c.Rules, config.RedactRule{Path: t, Mode: config.Mask})
	}
	return New(c)
}

func TestThePath(t *testing.T) {
	for _, c := range []struct{ name, path, want string }{
		{"loses what a variable matches", "/users/7/keys/k", "/users/[masked]/keys/[masked]"},
		{"keeps what no template matches", "/users/7/x", "/users/7/x"},
		{"keeps what is shorter or longer", "/users/7/keys", "/users/7/keys"},
		{"loses all the rest", "/files/a/b/c", "/files/[masked]/[masked]/[masked]"},
		{"is read without empty segments", "//users//7/keys/k/", "//users//[masked]/keys/[masked]/"},
		{"is read without dots", "/./users/7/%2e/keys/k", "/./users/[masked]/%2e/keys/[masked]"},
		{"loses what is taken back", "/users/s/../7/keys/k", "/users/[masked]/../[masked]/keys/[masked]"},
		{"is read in any case", "/Users/7/KEYS/k", "/Users/[masked]/KEYS/[masked]"},
		{"is read decoded", "/%75sers/7/%256Beys/k", "/%75sers/[masked]/%256Beys/[masked]"},
		{"is read with encoded slashes", "/users%2f7%5Ckeys\\k", "/users%2f[masked]%5Ckeys\\[masked]"},
		{"is read without encoded slashes", "/users/a%2Fb/keys/k", "/users/[masked]/keys/[masked]"},
		{"is read without parameters", "/users;v=1/7;w=2/keys/k;x", "/users;v=1/[masked]/keys/[masked]"},
		{"is read without segments that are parameters alone", "/users/;/7/keys/;v=1/k", "/users/;/[masked]/keys/;v=1/[masked]"},
		{"is read with them", "/users/;7/keys/k", "/users/[masked]/keys/[masked]"},
		{"is read with slashes that are encoded twice", "/users%252f7%25255Ckeys/k", "/users%252f[masked]%25255Ckeys/[masked]"},
		{"may be a whole URL", "https://example.org/users/7/keys/k", "https://example.org/users/[masked]/keys/[masked]"},
		{"is no URL by what stands within", "users/7://x/keys/k", "users/7://x/keys/k"},
		{"loses what only looks like a host", "files/a://b", "files/[masked]//[masked]"},
		{"may be odd", "https://example.org", "https://example.org"},
		{"may be empty", "", ""},
		{"loses what is detected", "/a/jane%40example.org/4111111111111111", "/a/[email]/[card]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, hidingPath("/users/{id}/keys/{key}", "/files/{rest...}").Path(c.path))
		})
	}
}

func TestARuleSaysWhatBecomesOfAVariable(t *testing.T) {
	r := New(&config.Redact{Key: key, Rules: []config.RedactRule{
		{Path: "/a/{id}", Mode: config.Hash}, {Path: "/b/{id}/c", Mode: config.Remove}, {Path: "/{x}/{y}", Mode: config.Last, Last: 2},
	}})
	assert.Equal(t, "/[masked]/[hash:ebb20db31f7ebada]", r.Path("/a/%78"))
	assert.Equal(t, "/b/c", r.Path("/b/7/c"))
	assert.Equal(t, "/[masked]cd/[masked]", r.Path("/abcd/abc"))
}
