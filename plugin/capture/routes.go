package capture

import (
	"strings"

	"github.com/routelens/routelens/plugin/config"
)

// Budget admits names until there are too many, and tells whether its answer is
// final. It is shared by all threads.
type Budget interface {
	Admit(name string) (admitted, final bool)
}

// The names of what has no name of its own.
const (
	Unmatched = "unmatched" // no route and no template
	Other     = "other"     // beyond the budget
)

// Routes names the route of an exchange: Envoy's route name, else the first
// template that its path matches, else [Unmatched]. Never the raw path: a
// client must not be able to grow the set.
type Routes struct {
	templates []template
	budget    Budget
	known     map[string]string
}

type template struct {
	name     string
	segments []string // "" matches any one segment that is not empty
	rest     bool     // the last matches all that follows
}

// NewRoutes prepares the templates.
func NewRoutes(c config.Routes, budget Budget) *Routes {
	r := &Routes{budget: budget, known: map[string]string{}}
	for _, name := range c.Templates {
		t := template{name: name}
		for _, segment := range strings.Split(name[1:], "/") {
			t.rest = strings.HasSuffix(segment, "...}")
			if strings.HasPrefix(segment, "{") {
				segment = ""
			} else if segment == "" {
				segment = "/" // an empty segment matches only itself, and "/" is never one
			}
			t.segments = append(t.segments, segment)
		}
		r.templates = append(r.templates, t)
	}
	return r
}

// Name gives the name to use in labels and records.
func (r *Routes) Name(route, path string) string {
	route = r.find(route, path)
	if name, ok := r.known[route]; ok {
		return name
	}
	route = strings.Clone(route)
	name, admitted, final := route, true, true
	if route != Unmatched {
		admitted, final = r.budget.Admit(route)
	}
	if !admitted {
		name = Other
	}
	if final && len(r.known) < maxKnown {
		r.known[route] = name
	}
	return name
}

// maxKnown bounds the memory of a VM whose routes are replaced again and again.
const maxKnown = 100_000

// find is the name without regard to the budget.
func (r *Routes) find(route, path string) string {
	if route == "" {
		return r.match(path)
	}
	return route
}

func (r *Routes) match(path string) string {
	for i := range r.templates {
		if r.templates[i].matches(path) {
			return r.templates[i].name
		}
	}
	return Unmatched
}

func (t *template) matches(path string) bool {
	path, ok := strings.CutPrefix(path, "/")
	for i, want := range t.segments {
		if !ok {
			return false
		}
		if t.rest && i == len(t.segments)-1 {
			return path != ""
		}
		var segment string
		segment, path, ok = strings.Cut(path, "/")
		switch want {
		case "":
			if segment == "" {
				return false
			}
		case "/":
			if segment != "" {
				return false
			}
		default:
			if segment != want {
				return false
			}
		}
	}
	return !ok
}
