package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/tlswright/tlswright/pki"
)

// Bounds on a file.
const (
	maxFile    = 64 << 10 // bytes; the parser takes time with the square of the keys
	maxEntries = 10_000   // keys and list entries together
	maxNesting = 32
)

// Error is what is wrong in a file, and where.
type Error struct {
	Line, Column int    // counted from 1; 0: nowhere in particular
	Text         string // fit to print
	Hint         string // what to write instead; may be ""
}

// Error implements error: "line 3, column 5: text".
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Text
	}
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Text)
}

// node is one value of the file.
type node struct {
	ast  ast.Node
	path string // "profiles.web.lifetime"
}

// field is one key of a mapping, with its value.
type field struct {
	name  string
	key   ast.Node
	value node
}

// fail makes an error at a place of the file.
func fail(at ast.Node, hint, format string, args ...any) error {
	e := &Error{Text: pki.Printable(fmt.Sprintf(format, args...)), Hint: pki.Printable(hint)}
	// A mapping begins at its first key; the parser has the colon after it.
	if m, ok := at.(*ast.MappingNode); ok && len(m.Values) > 0 && !m.IsFlowStyle {
		at = m.Values[0]
	}
	if v, ok := at.(*ast.MappingValueNode); ok {
		at = v.Key
	}
	if at != nil {
		if t := at.GetToken(); t != nil {
			e.Line, e.Column = place(t)
		}
	}
	return e
}

func place(t *token.Token) (line, column int) {
	if t == nil || t.Position == nil {
		return 0, 0
	}
	return t.Position.Line, t.Position.Column
}

// parse reads the one document of a file. An empty file has none: ok is false.
func parse(text []byte) (root node, ok bool, err error) {
	return parseWithin(text, maxFile, maxEntries)
}

// parseWithin is parse with bounds of its own, in bytes and entries.
func parseWithin(text []byte, bytes, entries int) (root node, ok bool, err error) {
	if len(text) > bytes {
		return root, false, &Error{Text: fmt.Sprintf("the file has %d bytes, more than the limit of %d", len(text), bytes)}
	}
	if line := tooDeep(text); line > 0 {
		return root, false, &Error{Line: line, Column: 1, Text: fmt.Sprintf("nested more than %d deep", maxNesting)}
	}
	file, err := parseYAML(text)
	if err != nil {
		return root, false, syntaxError(err)
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc == nil || doc.Body == nil || doc.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			return root, false, fail(doc.Body, "keep one of them", "a second document in the file")
		}
		body = doc.Body
	}
	if body == nil {
		return root, false, nil
	}
	if err := checkTree(body, 0, &budget{left: entries, all: entries}); err != nil {
		return root, false, err
	}
	return node{ast: body}, true, nil
}

// parseYAML keeps a parser that falls over hostile input from taking us along.
func parseYAML(text []byte) (file *ast.File, err error) {
	defer func() {
		if recover() != nil {
			file, err = nil, errors.New("the file is not YAML that can be read")
		}
	}()
	return parser.ParseBytes(text, 0)
}

// tooDeep returns the first line that nests brackets, or list entries within one
// line, too deep; 0: none does. The parser's work grows with the square of depth.
// Brackets inside of strings count too: no sensible value has that many.
func tooDeep(text []byte) int {
	depth, line, dashes := 0, 1, 0
	for i, c := range text {
		switch c {
		case '\n':
			line, dashes = line+1, 0
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(depth-1, 0)
		case '-', '?', ':', '!', '&':
			if i+1 == len(text) || text[i+1] == ' ' || text[i+1] == '\t' {
				dashes++
			}
		}
		if depth > maxNesting || dashes > 4*maxNesting {
			return line
		}
	}
	return 0
}

// syntaxError takes the place out of the parser's error.
func syntaxError(err error) error {
	var positioned yaml.Error
	if errors.As(err, &positioned) {
		e := &Error{Text: pki.Printable("not YAML: " + positioned.GetMessage())}
		e.Line, e.Column = place(positioned.GetToken())
		return e
	}
	return &Error{Text: pki.Printable("not YAML: " + err.Error())}
}

// budget is how many entries a file may still have, of how many.
type budget struct{ left, all int }

// checkTree refuses what no file of ours needs, and what is too much.
func checkTree(n ast.Node, depth int, b *budget) error {
	if b.left--; b.left < 0 {
		return fail(n, "", "the file has more than %d entries", b.all)
	}
	if depth > maxNesting {
		return fail(n, "", "nested more than %d deep", maxNesting)
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			if err := checkTree(v, depth+1, b); err != nil {
				return err
			}
		}
	case *ast.MappingValueNode:
		switch n.Key.(type) {
		case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		default:
			return fail(n.Key, "write it as a plain word", "a key that is not a plain word")
		}
		return checkTree(n.Value, depth, b)
	case *ast.SequenceNode:
		for _, v := range n.Values {
			if err := checkTree(v, depth+1, b); err != nil {
				return err
			}
		}
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		return fail(n, "write the value out", "anchors, aliases, tags and merge keys are not read here")
	case *ast.StringNode, *ast.LiteralNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode, *ast.InfinityNode, *ast.NanNode:
	case nil:
		return &Error{Text: "a value is missing"}
	default:
		return fail(n, "", "a value of a kind that is not read here")
	}
	return nil
}

// fields returns the keys of a mapping in order. Keys other than known are refused;
// known nil: every name goes.
func (n node) fields(known []string) ([]field, error) {
	var values []*ast.MappingValueNode
	switch m := n.ast.(type) {
	case *ast.MappingNode:
		values = m.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{m}
	default:
		return nil, fail(n.ast, "write key: value lines below it", "%s is not a mapping", n.label())
	}
	list := make([]field, 0, len(values))
	seen := make(map[string]bool)
	for _, v := range values {
		name := scalar(v.Key)
		if seen[name] {
			return nil, fail(v.Key, "keep one of them", "the key %q is written twice", name)
		}
		seen[name] = true
		if known != nil && !slices.Contains(known, name) {
			return nil, fail(v.Key, nearest(name, known), "unknown key %q", name)
		}
		list = append(list, field{name: name, key: v.Key, value: node{ast: v.Value, path: strings.TrimPrefix(n.path+"."+name, ".")}})
	}
	return list, nil
}

// list returns the entries of a list; a single plain value is a list of one.
func (n node) list() ([]node, error) {
	s, ok := n.ast.(*ast.SequenceNode)
	if !ok {
		if _, err := n.text(); err != nil {
			return nil, fail(n.ast, "write it as [a, b]", "%s is not a list", n.label())
		}
		return []node{n}, nil
	}
	list := make([]node, 0, len(s.Values))
	for i, v := range s.Values {
		list = append(list, node{ast: v, path: fmt.Sprintf("%s[%d]", n.path, i)})
	}
	return list, nil
}

// text returns a plain value as it is written, numbers and dates included: what
// YAML makes of 0443, 1.10 or no does not matter.
func (n node) text() (string, error) {
	switch n.ast.(type) {
	case *ast.StringNode, *ast.LiteralNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return scalar(n.ast), nil
	case *ast.NullNode:
		return "", fail(n.ast, "leave the key out, or give it a value", "%s has no value", n.label())
	}
	return "", fail(n.ast, "", "%s is not a single value", n.label())
}

// truth returns true or false.
func (n node) truth() (bool, error) {
	switch text, err := n.text(); {
	case err != nil:
		return false, err
	case text == "true":
		return true, nil
	case text == "false":
		return false, nil
	default:
		return false, fail(n.ast, "write true or false", "%s is %q", n.label(), text)
	}
}

// label names the value for people.
func (n node) label() string {
	if n.path == "" {
		return "the file"
	}
	return n.path
}

// scalar is the text of a plain value.
func scalar(n ast.Node) string {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		if n.Value != nil {
			return n.Value.Value
		}
	}
	if t := n.GetToken(); t != nil {
		return t.Value
	}
	return ""
}

// nearest suggests the known word that the writer probably meant, or lists all.
func nearest(word string, known []string) string {
	best, distance := "", len(word)/2+2
	for _, k := range known {
		if d := editDistance(strings.ToLower(word), k); d < distance {
			best, distance = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "known are: " + strings.Join(known, ", ")
}

// editDistance counts the letters to insert, delete or replace. Long words are
// not compared.
func editDistance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
