package redact

import (
	"net/url"
	"strings"

	"github.com/routelens/routelens/plugin/config"
)

// Query drops, keeps or masks the query string.
type Query struct {
	mode string
	mask map[string]bool
}

// NewQuery prepares a Query.
func NewQuery(c config.Query) *Query {
	q := &Query{mode: c.Mode, mask: map[string]bool{}}
	for _, name := range c.Mask {
		q.mask[strings.ToLower(name)] = true
	}
	return q
}

// Apply returns what may be recorded of a query string.
func (q *Query) Apply(query string) string {
	switch {
	case query == "" || q.mode == config.QueryDrop:
		return ""
	case q.mode == config.QueryKeep:
		return query
	}
	parameters := strings.Split(query, "&")
	for i, parameter := range parameters {
		// Some servers take a semicolon for a separator: what hides behind one
		// cannot be told, and is masked with the rest.
		name, _, _ := strings.Cut(parameter, "=")
		if strings.Contains(parameter, ";") || q.masked(name) {
			name, _, _ = strings.Cut(name, ";")
			parameters[i] = name + "=" + Masked
		}
	}
	return strings.Join(parameters, "&")
}

// masked compares names as a server may read them: decoded, some in any case,
// without space around it, and token[] or token[a] as parts of token. One that
// cannot be decoded is masked, as nobody can say what a server makes of it.
func (q *Query) masked(name string) bool {
	decoded, err := url.QueryUnescape(name)
	decoded = strings.ToLower(strings.TrimSpace(decoded))
	whole, _, _ := strings.Cut(decoded, "[")
	return err != nil || q.mask[decoded] || q.mask[strings.TrimSpace(whole)]
}
