package config

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// kind is a type of value: it reads itself from JSON into its place, and
// describes itself as JSON Schema (schema.go).
type kind interface {
	read(r *reader, path string, v gjson.Result)
	schema() map[string]any
}

// field is a key of an object.
type field struct {
	key  string
	help string
	kind kind
}

// object has the given keys and no others.
type object []field

func (o object) read(r *reader, path string, v gjson.Result) {
	if !v.IsObject() {
		r.refuse(orRoot(path), "an object", v)
		return
	}
	seen := map[string]bool{}
	v.ForEach(func(key, value gjson.Result) bool {
		at := join(path, key.String())
		switch f := o.find(key.String()); {
		case seen[key.String()]:
			r.refuse(at, "given once", value)
		case f == nil:
			r.report(at, "is not a key here; known: "+list(o.keys()), "")
		default:
			f.kind.read(r, at, value)
		}
		seen[key.String()] = true
		return true
	})
	for i := range o {
		if _, must := o[i].kind.(required); must && !seen[o[i].key] {
			r.report(join(path, o[i].key), "must be given", "")
		}
	}
}

func (o object) find(key string) *field {
	for i := range o {
		if o[i].key == key {
			return &o[i]
		}
	}
	return nil
}

func (o object) keys() []string {
	keys := make([]string, len(o))
	for i := range o {
		keys[i] = o[i].key
	}
	return keys
}

func join(path, key string) string {
	if key = shorten(key); key == "" {
		key = `""`
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func orRoot(path string) string {
	if path == "" {
		return "configuration"
	}
	return path
}

// objects is a list of objects of one form. next makes an item and binds the
// form to it; keep puts the item, once read, in its place.
type objects struct {
	max  int
	next func() (form object, keep func())
}

func (o objects) read(r *reader, path string, v gjson.Result) {
	if !v.IsArray() {
		r.refuse(path, "a list", v)
		return
	}
	items := v.Array()
	if len(items) > o.max {
		r.report(path, "must have at most "+strconv.Itoa(o.max)+" items", strconv.Itoa(len(items)))
		return
	}
	for i, item := range items {
		form, keep := o.next()
		form.read(r, at(path, i), item)
		keep()
	}
}

func at(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// required is a text that must be there.
type required struct{ text }

type text struct {
	to   *string
	rule textRule
}

func (t text) read(r *reader, path string, v gjson.Result) {
	if v.Type != gjson.String || !t.rule.ok(v.Str) {
		r.refuse(path, t.rule.words, v)
		return
	}
	*t.to = v.Str
}

// texts is a list of different texts.
type texts struct {
	to   *[]string
	rule textRule
}

func (t texts) read(r *reader, path string, v gjson.Result) {
	if !v.IsArray() {
		r.refuse(path, "a list", v)
		return
	}
	read := []string{}
	for i, item := range v.Array() {
		at := at(path, i)
		switch {
		case item.Type != gjson.String || !t.rule.ok(item.Str):
			r.refuse(at, t.rule.words, item)
		case slices.Contains(read, item.Str):
			r.refuse(at, "given once", item)
		default:
			read = append(read, item.Str)
		}
	}
	*t.to = read
}

// dictionary maps names to texts.
type dictionary struct {
	to            *[]Attribute
	names, values textRule
}

func (d dictionary) read(r *reader, path string, v gjson.Result) {
	if !v.IsObject() {
		r.refuse(path, "an object", v)
		return
	}
	seen := map[string]bool{}
	v.ForEach(func(key, value gjson.Result) bool {
		at := join(path, key.Str)
		switch {
		case !d.names.ok(key.Str):
			// "authorization: Bearer …" as a name shows its first word alone.
			name, _, _ := strings.Cut(strings.TrimSpace(key.Str), " ")
			name, _, _ = strings.Cut(name, ":")
			r.report(join(path, name), "its name must be "+d.names.words, "")
		case seen[key.Str]:
			r.refuse(at, "given once", value)
		case value.Type != gjson.String || !d.values.ok(value.Str):
			r.refuse(at, d.values.words, value)
		default:
			*d.to = append(*d.to, Attribute{key.Str, value.Str})
		}
		seen[key.Str] = true
		return true
	})
}

type choice struct {
	to    *string
	among []string
}

func (c choice) read(r *reader, path string, v gjson.Result) {
	if v.Type != gjson.String || !slices.Contains(c.among, v.Str) {
		r.refuse(path, "one of "+list(c.among), v)
		return
	}
	*c.to = v.Str
}

type boolean struct{ to *bool }

func (b boolean) read(r *reader, path string, v gjson.Result) {
	if !v.IsBool() {
		r.refuse(path, "true or false", v)
		return
	}
	*b.to = v.Bool()
}

type number struct {
	to       *float64
	min, max float64
}

func (n number) read(r *reader, path string, v gjson.Result) {
	if v.Type != gjson.Number || !(v.Num >= n.min && v.Num <= n.max) {
		r.refuse(path, "a number from "+decimal(n.min)+" to "+decimal(n.max), v)
		return
	}
	*n.to = v.Num
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

type integer struct {
	to       *int
	min, max int
}

func (n integer) read(r *reader, path string, v gjson.Result) {
	// Bounds first: what a number beyond int converts to hangs on the compiler.
	if v.Type != gjson.Number || !(v.Num >= float64(n.min) && v.Num <= float64(n.max)) || v.Num != math.Trunc(v.Num) {
		r.refuse(path, "a whole number from "+strconv.Itoa(n.min)+" to "+strconv.Itoa(n.max), v)
		return
	}
	*n.to = int(v.Num)
}

type size struct {
	to       *int
	min, max int
}

func (s size) read(r *reader, path string, v gjson.Result) {
	n, ok := parseSize(v.Str)
	if v.Type != gjson.String || !ok || n < s.min || n > s.max {
		r.refuse(path, "a size from "+sizeText(s.min)+" to "+sizeText(s.max)+`, such as "256KiB"`, v)
		return
	}
	*s.to = n
}

type duration struct {
	to       *time.Duration
	min, max time.Duration
}

func (d duration) read(r *reader, path string, v gjson.Result) {
	t, err := time.ParseDuration(v.Str)
	if v.Type != gjson.String || err != nil || t < d.min || t > d.max {
		r.refuse(path, "a duration from "+d.min.String()+" to "+d.max.String()+`, such as "1s" or "500ms"`, v)
		return
	}
	*d.to = t
}
