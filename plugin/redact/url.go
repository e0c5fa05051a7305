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
	path, query, has := strings.Cut(value, "?")
	path = r.Path(path)
	if !has {
		return path
	}
	query, fragment, has := strings.Cut(query, "#")
	query = r.Query(query)
	if has {
		return path + "?" + query + "#" + r.Query(fragment)
	}
	return path + "?" + query
}
