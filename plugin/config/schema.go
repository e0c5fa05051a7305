package config

// Schema is the configuration's JSON Schema (draft 2020-12), ready to marshal.
// schema.json beside this file is its committed form.
func Schema() map[string]any {
	c := Default()
	schema := spec(&c).schema()
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "Routelens plugin configuration"
	return schema
}

func (o object) schema() map[string]any {
	properties := map[string]any{}
	var must []string
	for _, f := range o {
		property := f.kind.schema()
		property["description"] = f.help
		properties[f.key] = property
		if _, ok := f.kind.(required); ok {
			must = append(must, f.key)
		}
	}
	schema := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	if must != nil {
		schema["required"] = must
	}
	return schema
}

func (o objects) schema() map[string]any {
	form, _ := o.next()
	return map[string]any{"type": "array", "maxItems": o.max, "items": form.schema()}
}

func (t text) schema() map[string]any {
	schema := map[string]any{"type": "string", "pattern": t.rule.pattern}
	if *t.to != "" {
		schema["default"] = *t.to
	}
	return schema
}

func (t texts) schema() map[string]any {
	schema := map[string]any{"type": "array", "uniqueItems": true, "items": map[string]any{"type": "string", "pattern": t.rule.pattern}}
	if len(*t.to) > 0 {
		schema["default"] = *t.to
	}
	return schema
}

func (d dictionary) schema() map[string]any {
	return map[string]any{
		"type":                 "object",
		"propertyNames":        map[string]any{"pattern": d.names.pattern},
		"additionalProperties": map[string]any{"type": "string", "pattern": d.values.pattern},
	}
}

func (c choice) schema() map[string]any {
	return map[string]any{"enum": c.among, "default": *c.to}
}

func (b boolean) schema() map[string]any {
	return map[string]any{"type": "boolean", "default": *b.to}
}

func (n number) schema() map[string]any {
	return map[string]any{"type": "number", "minimum": n.min, "maximum": n.max, "default": *n.to}
}

func (n integer) schema() map[string]any {
	return map[string]any{"type": "integer", "minimum": n.min, "maximum": n.max, "default": *n.to}
}

// JSON Schema cannot bound a size or a duration that is written as text: the
// bounds stand in the comment, the form in the pattern.
func (s size) schema() map[string]any {
	return map[string]any{"type": "string", "pattern": "^[0-9]+(B|KiB|MiB|GiB)$", "default": sizeText(*s.to),
		"$comment": "from " + sizeText(s.min) + " to " + sizeText(s.max)}
}

func (d duration) schema() map[string]any {
	return map[string]any{"type": "string", "pattern": `^[+-]?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$`, "default": d.to.String(),
		"$comment": "from " + d.min.String() + " to " + d.max.String()}
}
