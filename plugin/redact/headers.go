package redact

import (
	"slices"
	"strings"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/record"
)

// credentials are masked even when they are listed, unless a rule says what else
// becomes of them.
var credentials = []string{
	"authorization", "proxy-authorization", "cookie", "set-cookie",
	"x-api-key", "x-auth-token", "x-access-token", "x-csrf-token", "x-xsrf-token", "x-forwarded-client-cert",
	// Of AWS, Cloudflare, Google and Vault.
	"x-amz-security-token", "x-amzn-oidc-accesstoken", "x-amzn-oidc-data", "cf-access-jwt-assertion", "x-goog-iap-jwt-assertion", "x-vault-token",
}

// MaxValue caps a header value, in bytes. Envoy's own limit is 60 KiB for all.
const MaxValue = 4 << 10

// Select appends to dst the fields of all that are listed, each with all its
// values, in the order of the list.
func (r *Redactor) Select(dst []record.Field, listed []string, all [][2]string) []record.Field {
	for _, name := range listed {
		dst = r.headerField(dst, name, all)
	}
	return dst
}

func (r *Redactor) headerField(dst []record.Field, name string, all [][2]string) []record.Field {
	begin := len(dst)
	for i := range all {
		if !strings.EqualFold(all[i][0], name) {
			continue
		}
		value, kept := r.header(name, all[i][1])
		if !kept {
			continue
		}
		if len(dst) == begin {
			dst = grow(dst)
			dst[begin].Name, dst[begin].Values = name, dst[begin].Values[:0]
		}
		dst[begin].Values = append(dst[begin].Values, value)
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

// header gives what may be recorded of a value. It is cut only at the end, so
// that no half of what a detector knows is left.
func (r *Redactor) header(name, value string) (hidden string, kept bool) {
	t, named := r.headers[name]
	switch {
	case named && t.mode == config.Remove:
		return "", false
	case named && t.mode == config.Mask:
		return Masked, true
	case named:
		value = string(r.replace(nil, t, value))
	case name == "cookie" && len(r.cookies) > 0:
		value, kept = r.cookie(value)
	case name == "set-cookie" && len(r.cookies) > 0:
		value, kept = r.setCookie(value)
	case slices.Contains(credentials, name):
		return Masked, true
	case r.hasURL(name):
		value, kept = r.value(r.url(value)), true
	default:
		value, kept = r.value(value), true
	}
	if len(value) > MaxValue {
		value = value[:MaxValue]
	}
	return value, kept || named
}

// Ruled gives what may be recorded of a header's value elsewhere than among the
// headers, where a rule names the header.
func (r *Redactor) Ruled(name, value string) string {
	if _, named := r.headers[name]; named && value != "" {
		value, _ = r.header(name, value)
	}
	return value
}

// value hides what the detectors find in a value, which may be JSON or
// percent-encoded.
func (r *Redactor) value(value string) string {
	if !r.Detects() {
		return value
	}
	switch hidden, f := r.within([]byte(value), nil, 0); f {
	case something:
		value = string(hidden)
	case unclear, tooDeep:
		return Masked
	}
	if strings.IndexByte(value, '%') >= 0 {
		value, _ = r.detectEscaped(value, false)
	}
	return value
}
