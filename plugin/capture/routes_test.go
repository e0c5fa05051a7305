package capture

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/metrics"
	"github.com/routelens/routelens/plugin/shared/sharedtest"
)

func TestTemplates(t *testing.T) {
	for _, c := range []struct {
		template string
		yes, no  []string
	}{
		{template: "/", yes: []string{"/"}, no: []string{"", "//", "/a", "*", "a"}},
		{template: "/a", yes: []string{"/a"}, no: []string{"/", "/a/", "/a/b", "/A", "/ab", "a", "//a", "/%61"}},
		{template: "/a/", yes: []string{"/a/"}, no: []string{"/a", "/a//", "/a/b"}},
		{template: "/a//b", yes: []string{"/a//b"}, no: []string{"/a/b", "/a/x/b", "/a///b"}},
		{template: "//", yes: []string{"//"}, no: []string{"/", "///"}},
		{template: "/users/{id}", yes: []string{"/users/7", "/users/{id}", "/users/%2F", "/users/\xff", "/users/a:b"}, no: []string{"/users", "/users/", "/users/7/", "/users/7/a", "/users//", "/user/7"}},
		{template: "/users/{id}/", yes: []string{"/users/7/"}, no: []string{"/users/7", "/users//", "/users/7//"}},
		{template: "/{a}/{b}", yes: []string{"/1/2"}, no: []string{"/1", "/1/", "//2", "/1/2/3"}},
		{template: "/{a}/x/{b}", yes: []string{"/1/x/2"}, no: []string{"/1/y/2", "/1/x/"}},
		{template: "/{all...}", yes: []string{"/a", "/a/", "/a/b", "//", "//a"}, no: []string{"/", "", "*", "a"}},
		{template: "/files/{path...}", yes: []string{"/files/a", "/files/a/b/", "/files//"}, no: []string{"/files", "/files/", "/file/a"}},
		{template: "/{a}/{rest...}", yes: []string{"/1/2", "/1/2/3", "/1//"}, no: []string{"/1", "/1/", "//2"}},
		{template: "/...", yes: []string{"/..."}, no: []string{"/a"}},
	} {
		t.Run(c.template, func(t *testing.T) {
			r := NewRoutes(config.Routes{Templates: []string{c.template}, Max: 9}, admits(true))
			for _, path := range c.yes {
				assert.Equal(t, c.template, r.Name("", path), "%q", path)
			}
			for _, path := range c.no {
				assert.Equal(t, Unmatched, r.Name("", path), "%q", path)
			}
		})
	}
}

func TestTheNameOfARoute(t *testing.T) {
	r := NewRoutes(config.Routes{Templates: []string{"/a/b", "/a/{id}", "/{all...}"}, Max: 9}, admits(true))
	assert.Equal(t, "cart", r.Name("cart", "/a/b"), "Envoy's own goes first")
	assert.Equal(t, "/a/b", r.Name("", "/a/b"), "then the first template that matches")
	assert.Equal(t, "/a/{id}", r.Name("", "/a/c"))
	assert.Equal(t, "/{all...}", r.Name("", "/b"))
	assert.Equal(t, Unmatched, r.Name("", "/"))
	assert.Equal(t, Unmatched, NewRoutes(config.Routes{}, admits(true)).Name("", "/a"), "never the raw path")
}

func TestARouteThatCouldNotBeAskedForIsAskedForAgain(t *testing.T) {
	data := sharedtest.New()
	r := NewRoutes(config.Routes{}, metrics.NewBudget(data, "routes", 1))
	data.FailSwaps = 16
	assert.Equal(t, Other, r.Name("cart", "/"))
	assert.Equal(t, "cart", r.Name("cart", "/"))
	assert.Equal(t, Other, r.Name("late", "/"))
}

func TestRoutesBeyondTheBudgetAreOther(t *testing.T) {
	data := sharedtest.New()
	threads := []*Routes{}
	for range 3 {
		threads = append(threads, NewRoutes(config.Routes{Templates: []string{"/{a}"}}, metrics.NewBudget(data, "routes", 4)))
	}
	names := map[string]bool{}
	for i := range 10 {
		for _, r := range threads {
			for range 2 {
				names[r.Name(fmt.Sprint("r", i), "")] = true
				names[r.Name("", "/a")] = true
				assert.Equal(t, Unmatched, r.Name("", "/a/b"), "takes no room")
			}
		}
	}
	assert.Equal(t, map[string]bool{"r0": true, "/{a}": true, "r1": true, "r2": true, Other: true}, names)
}

func TestARouteOutlivesTheMemoryThatItWasReadFrom(t *testing.T) {
	r := NewRoutes(config.Routes{}, admits(true))
	memory := []byte("cart")
	r.Name(text(memory), "")
	copy(memory, "xxxx")
	assert.Equal(t, "cart", r.Name("cart", ""))
	assert.Len(t, r.known, 1)
	for name := range r.known {
		assert.Equal(t, "cart", name)
	}
}

// A template is the regular expression that its words say.
func FuzzATemplateMatchesAsItsExpressionDoes(f *testing.F) {
	for _, template := range []string{"/", "/a", "/a/", "/a//b", "/{id}", "/{id}/", "/a/{b}/c", "/{all...}", "/a/{rest...}", "//", "//{a}"} {
		for _, path := range []string{"", "/", "//", "/a", "/a/", "/a/b", "/a//b", "/a/b/c", "*", "/\xff\n"} {
			f.Add(template, path)
		}
	}
	f.Fuzz(func(t *testing.T, template, path string) {
		text, _ := config.Parse([]byte(`{"routes":{"templates":["` + template + `"]}}`))
		if len(text.Routes.Templates) != 1 || !utf8.ValidString(template) {
			return // regexp takes UTF-8 alone
		}
		template = text.Routes.Templates[0]
		expression := "^(?s)"
		for _, segment := range strings.Split(template[1:], "/") {
			switch {
			case strings.HasSuffix(segment, "...}"):
				expression += "/.+"
			case strings.HasPrefix(segment, "{"):
				expression += "/[^/]+"
			default:
				expression += "/" + regexp.QuoteMeta(segment)
			}
		}
		want := Unmatched
		if regexp.MustCompile(expression + "$").MatchString(path) {
			want = template
		}
		require.Equal(t, want, NewRoutes(text.Routes, admits(true)).Name("", path))
	})
}

func BenchmarkName(b *testing.B) {
	r := NewRoutes(config.Routes{Templates: []string{"/users/{id}", "/orders/{id}/items", "/files/{path...}"}}, admits(true))
	name := ""
	b.ReportAllocs()
	for b.Loop() {
		name = r.Name("", "/files/a/b/c")
	}
	require.Equal(b, "/files/{path...}", name)
	require.Zero(b, testing.AllocsPerRun(100, func() { r.Name("", "/files/a/b/c") }))
}
