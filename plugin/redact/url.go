package redact

import (
	"slices"
	"strings"
)

// urlHeaders hold another URL, or this request's again: what the rules hide of
// paths and queries is hidden there too.
var urlHeaders = []string{
	"referer", "location", "content-location",
	"x-forwarded-path", "x-forwarded-uri", "x-original-uri", "x-original-url", "x-rewrite-url", "x-envoy-original-path",
}

func (r *Redactor) hasURL(header string) bool {
	return len(r.query)+len(r.templates) > 0 && slices.Contains(urlHeaders, header)
}

func (r *Redactor) url(value string) string {
	value, fragment, has := strings.Cut(value, "#")
	value = r.target(value)
	if has {
		return value + "#" + r.fragment(fragment)
	}
	return value
}

func (r *Redactor) target(value string) string {
	path, query, has := strings.Cut(value, "?")
	path = r.hostPath(path)
	if has {
		return path + "?" + r.Query(query)
	}
	return path
}

// hostPath hides what is in a path, which may have a host before it without a scheme.
func (r *Redactor) hostPath(path string) string {
	hidden := r.Path(path)
	if rest, ok := strings.CutPrefix(path, "//"); ok && hidden == path {
		if slash := strings.IndexByte(rest, '/'); slash >= 0 {
			return path[:len("//")+slash] + r.Path(rest[slash:])
		}
	}
	return hidden
}

// fragment reads parameters, as OAuth gives tokens to a browser (RFC 6749, 4.2.2), or
// a path with its query, as applications in browsers route.
func (r *Redactor) fragment(fragment string) string {
	if path, _, _ := strings.Cut(fragment, "?"); strings.HasPrefix(path, "/") || !strings.Contains(path, "=") {
		return r.target(fragment)
	}
	return r.Query(fragment)
}
