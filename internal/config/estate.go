package config

import "github.com/goccy/go-yaml/ast"

// Estate is a whole file: the parts of the estate that it describes. nil: there is no such section, and no such part.
type Estate struct {
	CA      *CA
	Gateway *Gateway
	Monitor *Monitor
}

// estateSections are the sections of a whole file.
func estateSections() []string { return []string{"ca", "gateway", "monitor"} }

// ReadEstate reads all sections of a file, YAML or JSON, and refuses others. A section that is there and empty is that of
// usual. File names are as they were written: see [Estate.RelativeTo]. What is wrong is an [*Error] with line and column.
func ReadEstate(text []byte, usual *Estate) (*Estate, error) {
	root, ok, err := parseWithin(text, maxMonitorFile, maxMonitorEntries)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &Error{Text: "the file is empty", Hint: "begin with gateway:, or have one written: tlswright init"}
	}
	top, err := root.fields(estateSections())
	if err != nil {
		return nil, err
	}
	e := &Estate{}
	for _, f := range top {
		switch {
		case isEmpty(f.value) && usual != nil:
			e.take(f.name, usual)
		case f.name == "ca":
			e.CA, err = readCA(f.value)
		case f.name == "gateway":
			e.Gateway, err = readGateway(f)
		default:
			e.Monitor, err = readMonitor(f)
		}
		if err != nil {
			return nil, err
		}
	}
	if m := e.Monitor; m != nil && len(m.Targets)+len(m.Lists) == 0 && (m.NotOwn || e.CA == nil && e.Gateway == nil) {
		return nil, fail(sectionKey(top, "monitor"), "add targets: [{address: \"www.example.com:443\"}]", "there is nothing to watch")
	}
	return e, nil
}

// take has a section of another file.
func (e *Estate) take(section string, from *Estate) {
	switch section {
	case "ca":
		e.CA = from.CA
	case "gateway":
		e.Gateway = from.Gateway
	default:
		e.Monitor = from.Monitor
	}
}

func sectionKey(top []field, name string) ast.Node {
	for _, f := range top {
		if f.name == name {
			return f.key
		}
	}
	return nil
}

// isEmpty reports whether nothing is written under a key.
func isEmpty(n node) bool {
	switch v := n.ast.(type) {
	case *ast.NullNode:
		return true
	case *ast.MappingNode:
		return len(v.Values) == 0
	}
	return false
}

// RelativeTo makes every file name absolute: names that are not are below dir, which is the folder of the file they stand in.
func (e *Estate) RelativeTo(dir string) {
	if e.CA != nil {
		e.CA.RelativeTo(dir)
	}
	if e.Gateway != nil {
		e.Gateway.RelativeTo(dir)
	}
	if e.Monitor != nil {
		e.Monitor.RelativeTo(dir)
	}
}

// Sections names what there is.
func (e *Estate) Sections() (names []string) {
	for _, s := range []struct {
		name string
		has  bool
	}{{"ca", e.CA != nil}, {"gateway", e.Gateway != nil}, {"monitor", e.Monitor != nil}} {
		if s.has {
			names = append(names, s.name)
		}
	}
	return names
}

// PlaceOf is where a key stands in a file, such as "ca", "admin"; the place of what is around it where it was not written, and
// none where the file cannot be read.
func PlaceOf(text []byte, keys ...string) (at Place) {
	n, ok, err := parseWithin(text, maxMonitorFile, maxMonitorEntries)
	if err != nil || !ok {
		return at
	}
	for _, key := range keys {
		list, err := n.fields(nil)
		if err != nil {
			return at
		}
		f, ok := find(list, key)
		if !ok {
			return at
		}
		at.Line, at.Column = nodePlace(f.key)
		n = f.value
	}
	return at
}
