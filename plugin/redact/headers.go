// Package redact keeps out of records what must not be there: header values
// that nobody listed, credentials, and the query string.
package redact

import (
	"strings"

	"github.com/routelens/routelens/plugin/record"
)

// Masked stands where a value was.
const Masked = "[masked]"

// credentials are masked even when they are listed.
var credentials = []string{
	"authorization", "proxy-authorization", "cookie", "set-cookie",
	"x-api-key", "x-auth-token", "x-access-token", "x-csrf-token", "x-xsrf-token", "x-forwarded-client-cert",
	// Of AWS, Cloudflare, Google and Vault.
	"x-amz-security-token", "x-amzn-oidc-accesstoken", "x-amzn-oidc-data", "cf-access-jwt-assertion", "x-goog-iap-jwt-assertion", "x-vault-token",
}

// Headers selects header fields and masks values.
type Headers struct{ mask map[string]bool }

// NewHeaders masks the credentials and the given names.
func NewHeaders(mask []string) *Headers {
	h := &Headers{mask: map[string]bool{}}
	for _, names := range [][]string{credentials, mask} {
		for _, name := range names {
			h.mask[name] = true
		}
	}
	return h
}

// MaxValue caps a header value, in bytes. Envoy's own limit is 60 KiB for all.
const MaxValue = 4 << 10

// Select appends to dst the fields of all that are listed, each with all its
// values, in the order of the list.
func (h *Headers) Select(dst []record.Field, listed []string, all [][2]string) []record.Field {
	for _, name := range listed {
		dst = h.field(dst, name, all)
	}
	return dst
}

func (h *Headers) field(dst []record.Field, name string, all [][2]string) []record.Field {
	begin := len(dst)
	for i := range all {
		if !strings.EqualFold(all[i][0], name) {
			continue
		}
		if len(dst) == begin {
			dst = grow(dst)
			dst[begin].Name, dst[begin].Values = name, dst[begin].Values[:0]
		}
		dst[begin].Values = append(dst[begin].Values, h.value(name, all[i][1]))
	}
	return dst
}

// grow appends a field, reusing the values of one that was there before.
func grow(dst []record.Field) []record.Field {
	if len(dst) < cap(dst) {
		return dst[:len(dst)+1]
	}
	return append(dst, record.Field{})
}

func (h *Headers) value(name, value string) string {
	switch {
	case h.mask[name]:
		return Masked
	case len(value) > MaxValue:
		return value[:MaxValue]
	}
	return value
}
