package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/routelens/routelens/plugin/goldentest"
)

func TestTheReferenceOfTheConfigurationIsUpToDate(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Configuration

The configuration is one JSON object. Every key has a default but the sink's cluster; ` + "`{}`" + `, or nothing at all, gives metrics
alone. Unknown keys, keys given twice and values out of bounds are errors: all of them are reported at once, and the proxy
keeps serving with the configuration it had. [schema.json](../plugin/config/schema.json) is its JSON Schema, for editors.

A size is a whole number with ` + "`B`, `KiB`, `MiB` or `GiB`" + `; a duration is like ` + "`1s`, `1m30s` or `500ms`" + `. ` + "`[]`" + ` stands for any item of a list.

| key | type | default | what |
|---|---|---|---|
`)
	c := Default()
	walk("", spec(&c), func(path string, f field) {
		kind, initial := describe(f.kind)
		b.WriteString(strings.ReplaceAll(fmt.Sprintf("| `%s` | %s | %s | %s |\n", path, kind, initial, f.help), "|  |", "| |"))
	})
	goldentest.Equal(t, "../../docs/configuration.md", b.String())
}

// describe gives a key's type with its bounds, and its default.
func describe(k kind) (kind, initial string) {
	switch k := k.(type) {
	case object:
		return "object", ""
	case objects:
		return "list of at most " + fmt.Sprint(k.max) + " objects", code()
	case required:
		return strings.TrimPrefix(k.rule.words, "a "), "must be given"
	case text:
		return strings.TrimPrefix(k.rule.words, "a "), code(*k.to)
	case texts:
		return "list of different texts, each " + k.rule.words, code(*k.to...)
	case dictionary:
		return "object of texts", "`{}`"
	case choice:
		return "one of " + code(k.among...), code(*k.to)
	case boolean:
		return "`true` or `false`", code(fmt.Sprint(*k.to))
	case number:
		return fmt.Sprintf("number from %s to %s", decimal(k.min), decimal(k.max)), code(decimal(*k.to))
	case integer:
		return fmt.Sprintf("whole number from %d to %d", k.min, k.max), code(fmt.Sprint(*k.to))
	case size:
		return fmt.Sprintf("size from %s to %s", sizeText(k.min), sizeText(k.max)), code(sizeText(*k.to))
	case duration:
		return fmt.Sprintf("duration from %s to %s", k.min, k.max), code(k.to.String())
	}
	panic(fmt.Sprintf("%T has no description", k))
}

func code(words ...string) string {
	if len(words) == 1 && words[0] == "" {
		return ""
	}
	if len(words) == 0 {
		return "none"
	}
	return "`" + strings.Join(words, "`, `") + "`"
}
