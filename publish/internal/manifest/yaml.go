package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// mapping is a YAML mapping that is being written.
type mapping struct{ *yaml.Node }

func object() mapping { return mapping{&yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}} }

// add adds a key, with a comment above it. Without a value it adds nothing.
func (m mapping) add(comment, key string, value *yaml.Node) {
	if value == nil {
		return
	}
	k := scalar(key)
	k.HeadComment = comment
	if m.HeadComment != "" && len(m.Content) == 0 { // yaml writes a mapping's own before its key
		k.HeadComment, m.HeadComment = m.HeadComment, ""
	}
	m.Content = append(m.Content, k, value)
}

// text is a string, or nothing where it is empty.
func text(s string) *yaml.Node {
	if s == "" {
		return nil
	}
	return scalar(s)
}

var (
	plain = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./@:-]*[A-Za-z0-9]$`)
	// words are those that YAML 1.1, which kubectl reads, takes for something else than texts. The library knows those of 1.2.
	words = []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
)

// scalar is a string, within quotes unless nobody could take it for anything else.
func scalar(s string) *yaml.Node {
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	if !plain.MatchString(s) || slices.Contains(words, strings.ToLower(s)) {
		node.Style = yaml.DoubleQuotedStyle
	}
	return node
}

func list(of ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: of}
}

// block is a JSON object as YAML that people write: in the same order, with its numbers as they stand.
func block(data []byte) (*yaml.Node, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(data, new(json.RawMessage)); err != nil { // which bounds its depth, and tokens do not
		return nil, fmt.Errorf("is not valid JSON: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	node, err := value(d)
	if err != nil {
		return nil, fmt.Errorf("is not valid JSON: %w", err)
	}
	if node.Kind != yaml.MappingNode {
		return nil, errors.New("must be an object")
	}
	return node, nil
}

func value(d *json.Decoder) (*yaml.Node, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case json.Delim:
		return collection(d, v)
	case string:
		return scalar(v), nil
	case json.Number:
		tag := "!!int"
		if strings.ContainsAny(v.String(), ".eE") {
			tag = "!!float"
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: v.String()}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(v)}, nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
}

// collection reads an object or a list, after its first character.
func collection(d *json.Decoder, begin json.Delim) (*yaml.Node, error) {
	node := list()
	if begin == '{' {
		node = object().Node
	}
	seen := map[string]bool{}
	for d.More() {
		item, err := value(d)
		if err != nil {
			return nil, err
		}
		if begin == '{' {
			if seen[item.Value] {
				return nil, fmt.Errorf("the key %q is there twice", item.Value)
			}
			seen[item.Value] = true
			node.Content = append(node.Content, item)
			if item, err = value(d); err != nil {
				return nil, err
			}
		}
		node.Content = append(node.Content, item)
	}
	if len(node.Content) == 0 {
		node.Style = yaml.FlowStyle // {} and []
	}
	_, err := d.Token() // the end
	return node, err
}
