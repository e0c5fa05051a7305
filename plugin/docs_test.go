package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/redact"
)

func TestTheReferenceOfBodiesShowsWhatHappens(t *testing.T) {
	page, err := os.ReadFile("../docs/bodies.md")
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(page), "```json\n")
	configuration, rest, _ := strings.Cut(rest, "```\n")
	c, err := config.Parse([]byte(configuration))
	require.NoError(t, err)
	r := redact.New(&c.Redact)
	rows := regexp.MustCompile("(?m)^\\| (\\w+) \\| `(.*)` \\| `(.*)` \\|$").FindAllStringSubmatch(rest, -1)
	require.Len(t, rows, 6)
	for _, row := range rows {
		where, passes, want := row[1], row[2], row[3]
		var got []byte
		switch where {
		case "body":
			got, _ = r.JSON(nil, []byte(passes), redact.Options{})
		case "form":
			got, _ = r.Form(nil, []byte(passes), false)
		case "query":
			got = []byte(r.Query(passes))
		case "path":
			got = []byte(r.Path(passes))
		case "cookie":
			got = []byte(r.Select(nil, []string{"cookie"}, [][2]string{{"cookie", passes}})[0].Values[0])
		}
		assert.Equal(t, want, string(got), where)
	}
}
