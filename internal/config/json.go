package config

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/goccy/go-yaml/ast"
)

// JSON turns a file into the JSON that says the same, for readers that know what the keys mean and want JSON. An empty file
// gives "null". What is wrong is an [*Error] with line and column.
func JSON(text []byte) ([]byte, error) {
	root, ok, err := parse(text)
	if err != nil {
		return nil, err
	}
	if !ok {
		return []byte("null"), nil
	}
	var b bytes.Buffer
	if err := root.json(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// json appends the value of a node.
func (n node) json(b *bytes.Buffer) error {
	switch v := n.ast.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		list, err := n.fields(nil)
		if err != nil {
			return err
		}
		b.WriteByte('{')
		for i, f := range list {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := quote(b, f.name); err != nil {
				return err
			}
			b.WriteByte(':')
			if err := f.value.json(b); err != nil {
				return err
			}
		}
		b.WriteByte('}')
		return nil
	case *ast.SequenceNode:
		b.WriteByte('[')
		for i, e := range v.Values {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := (node{ast: e, path: n.path}).json(b); err != nil {
				return err
			}
		}
		b.WriteByte(']')
		return nil
	case *ast.NullNode:
		b.WriteString("null")
		return nil
	}
	return n.plainJSON(b)
}

// plainJSON appends a single value. What JSON has no number for stays the text that was written.
func (n node) plainJSON(b *bytes.Buffer) error {
	text, err := n.text()
	if err != nil {
		return err
	}
	switch n.ast.(type) {
	case *ast.BoolNode:
		if isTrue, err := strconv.ParseBool(text); err == nil {
			b.WriteString(strconv.FormatBool(isTrue))
			return nil
		}
	case *ast.IntegerNode, *ast.FloatNode:
		if json.Valid([]byte(text)) {
			b.WriteString(text)
			return nil
		}
	}
	return quote(b, text)
}

func quote(b *bytes.Buffer, text string) error {
	quoted, err := json.Marshal(text)
	b.Write(quoted)
	return err
}
