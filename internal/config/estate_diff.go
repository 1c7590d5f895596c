package config

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Difference is one key that two files have not in common.
type Difference struct {
	Section string // "gateway"
	Key     string // within it: "sites.app.target", "site app"
	How     string // "added", "removed", "changed", "90d -> 5m"
}

// String is the difference on one line.
func (d Difference) String() string {
	if strings.Contains(d.How, " -> ") || d.How == "added" || d.How == "removed" || d.How == "changed" {
		return d.Section + ": " + d.Key + " " + d.How
	}
	return d.Section + ": " + d.Key + ": " + d.How
}

// Differences compares two files that were read before, key by key, in the order of the newer one. What may be a secret is
// not shown.
func Differences(old, new []byte) []Difference {
	a, _, errOld := parseWithin(old, maxMonitorFile, maxMonitorEntries)
	b, _, errNew := parseWithin(new, maxMonitorFile, maxMonitorEntries)
	if errOld != nil || errNew != nil {
		return nil
	}
	var all []Difference
	compareNodes(&all, nil, a, b)
	return all
}

// compareNodes compares two values that stand in the same place.
func compareNodes(all *[]Difference, path []string, a, b node) {
	old, okOld := entries(a)
	now, okNew := entries(b)
	if !okOld || !okNew || isSecret(path) {
		if x, y := plainOf(a), plainOf(b); x != y || okOld != okNew {
			note(all, path, change(path, x, y, okOld || okNew))
		}
		return
	}
	for _, f := range now {
		at := append(path[:len(path):len(path)], f.name)
		if was, ok := find(old, f.name); ok {
			compareNodes(all, at, was.value, f.value)
		} else {
			note(all, at, "added")
		}
	}
	for _, f := range old {
		if _, ok := find(now, f.name); !ok {
			note(all, append(path[:len(path):len(path)], f.name), "removed")
		}
	}
}

func find(list []field, name string) (field, bool) {
	for _, f := range list {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

// entries are the keys of a mapping, or the entries of a list of mappings by what each is called; ok is false for a value.
func entries(n node) (list []field, ok bool) {
	if isEmpty(n) || n.ast == nil {
		return nil, true
	}
	if s, isList := n.ast.(*ast.SequenceNode); isList {
		elements, err := n.list()
		if err != nil || len(s.Values) == 0 {
			return nil, false
		}
		seen := make(map[string]bool)
		for _, e := range elements {
			name := called(e)
			if name == "" || seen[name] {
				return nil, false
			}
			seen[name] = true
			list = append(list, field{name: name, value: e})
		}
		return list, true
	}
	list, err := n.fields(nil)
	return list, err == nil
}

// called is what an entry of a list is known by: its name, or the key that it is told from the others by; "": nothing.
func called(n node) string {
	list, err := n.fields(nil)
	if err != nil {
		text, _ := n.text()
		if strings.Contains(text, ":") { // an address alone, as listeners and targets may be
			return text
		}
		return ""
	}
	for _, key := range []string{"name", "address", "path", "files", "ct"} {
		if f, ok := find(list, key); ok {
			return plainOf(f.value)
		}
	}
	return ""
}

// plainOf is a value on one line.
func plainOf(n node) string {
	if text, err := n.text(); err == nil {
		return text
	}
	if _, isList := n.ast.(*ast.SequenceNode); isList {
		elements, err := n.list()
		if err != nil {
			return ""
		}
		var words []string
		for _, e := range elements {
			words = append(words, plainOf(e))
		}
		return "[" + strings.Join(words, ", ") + "]"
	}
	if n.ast == nil || isEmpty(n) {
		return ""
	}
	return n.ast.String()
}

// change says how a value has changed; what could be a secret, or is too long for a line, just has.
func change(path []string, old, new string, isTree bool) string {
	const most = 60
	switch {
	case isTree || isSecret(path) || len(old) > most || len(new) > most || strings.ContainsAny(old+new, "\n\r"):
		return "changed"
	case old == "":
		return new
	case new == "":
		return old + " taken out"
	}
	return old + " -> " + new
}

// isSecret reports whether what stands there may hold one: addresses of databases have passwords, commands have tokens.
func isSecret(path []string) bool {
	if len(path) == 0 {
		return false
	}
	key := path[len(path)-1]
	return slices.Contains([]string{"url", "database", "inventory", "command", "secret"}, key) || strings.HasPrefix(key, "password")
}

// note adds a difference, in the words of people: "site app", not "sites.app".
func note(all *[]Difference, path []string, how string) {
	d := Difference{How: how}
	if len(path) > 0 {
		d.Section, path = path[0], path[1:]
	}
	words := map[string]string{"sites": "site", "listeners": "listener", "targets": "target", "channels": "channel"}
	if len(path) > 1 && words[path[0]] != "" {
		d.Key = words[path[0]] + " " + path[1]
		path = path[2:]
		if len(path) > 0 {
			d.Key += ": "
		}
	}
	d.Key += strings.Join(path, ".")
	if d.Key == "" {
		d.Key = "section"
	}
	*all = append(*all, d)
}
