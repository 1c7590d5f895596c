package tlswright_test

import (
	"fmt"
	"go/ast"
	"path"
	"regexp"
	"strings"
)

// minGuide is how many lines a public package's doc has at least: what it is for, how to begin, which types matter, what
// it does not do, what is unsafe, and how to tell errors apart do not fit into fewer.
const minGuide = 20

// guideRules are the rules on what a stranger finds who asks go doc about a public package.
func guideRules() []rule {
	guide := "// Package wire is a guide.\n" + strings.Repeat("// More of it.\n", minGuide-1) + "package wire"
	example := "package wire_test\nfunc ExampleF() {\n\tprintln()\n\t// Output: x\n}"
	return []rule{
		{name: "every public package has a guide", check: everyPublicPackageHasAGuide,
			refused: []sample{
				{files: map[string]string{"wire/doc.go": "// Package wire is short.\npackage wire"}, want: "has 1 lines"},
				{files: map[string]string{"wire/a.go": "package wire"}, want: "has 0 lines"},
				{files: map[string]string{"wire/doc.go": guide, "pki/ct/a.go": "// Package ct.\npackage ct", "pki/ct/b_test.go": "package ct"}, want: "pki/ct"},
			},
			allowed: []sample{
				{files: map[string]string{"wire/doc.go": guide, "wire/a.go": "package wire"}},
				{files: map[string]string{"internal/keys/doc.go": "// Package keys.\npackage keys", "interop/a_test.go": "package interop", "cmd/tlswright/main.go": "package main", "packaging/release/a.go": "package main"}},
			}},
		{name: "every public package has an example that runs", check: everyPublicPackageHasAnExample,
			refused: []sample{
				{files: map[string]string{"wire/a.go": "package wire"}, want: "no Example"},
				{files: map[string]string{"wire/a.go": "package wire", "wire/a_test.go": strings.Replace(example, "wire_test", "wire", 1)}, want: "no Example"},
				{files: map[string]string{"wire/a.go": "package wire", "wire/a_test.go": strings.Replace(example, "ExampleF", "TestF", 1)}, want: "no Example"},
				{files: map[string]string{"wire/a.go": "package wire", "wire/a_test.go": example + "\n" + strings.Replace(example[len("package wire_test\n"):], "// Output: x", "// That is all.", 1)}, want: "is never run"},
				{files: map[string]string{"wire/a.go": "package wire", "pki/ct/a.go": "package ct", "pki/ct/a_test.go": strings.Replace(example, "wire_test", "ct_test", 1)}, want: "wire"},
			},
			allowed: []sample{
				{files: map[string]string{"wire/a.go": "package wire", "wire/a_test.go": example}},
				{files: map[string]string{"wire/a.go": "package wire", "wire/a_test.go": "package wire_test\nfunc Example() {\n\t// Unordered output:\n\t// x\n}"}},
				{files: map[string]string{"internal/keys/a.go": "package keys", "bench/a.go": "package bench", "interop/a_test.go": "package interop"}},
			}},
		{name: "guides name what exists", check: guidesNameWhatExists,
			refused: []sample{
				{files: map[string]string{"wire/a.go": "// Package wire:\n//\n//\twire.Lost(x)\npackage wire"}, want: "wire.Lost"},
				{files: map[string]string{"wire/a.go": "// Package wire:\n//\n//\tacme.Lost{}\npackage wire", "acme/a.go": "package acme\nfunc f() {}"}, want: "acme.Lost"},
				{files: map[string]string{"wire/a.go": "// Package wire has [Lost].\npackage wire"}, want: "Lost"},
				{files: map[string]string{"wire/a.go": "// Package wire has [T.Lost].\npackage wire\n\n// T is.\ntype T struct{ F int }"}, want: "T.Lost"},
				{files: map[string]string{"wire/a.go": "// Package wire has [*acme.Lost].\npackage wire", "acme/a.go": "package acme\ntype T int"}, want: "acme.Lost"},
			},
			allowed: []sample{
				{files: map[string]string{
					"wire/a.go": "// Package wire has [T], [*T], [T.F], [T.M], [I.N], [F], [C], [acme.T], and x[n], [Go] and [record.Opener]:\n//\n//\tx := wire.F(acme.T, \"acme.json\", wire.C)\n//\tfmt.Lost()\npackage wire\n" +
						"type T struct{ F int }\nfunc (*T) M() {}\ntype I interface{ N() }\nfunc F() {}\nconst C = 1\nconst Go = 1",
					"acme/a.go": "package acme\ntype T int"}},
				{files: map[string]string{"wire/a.go": "package wire\n\n// F is not [Lost] on a guide.\nfunc F() {}", "wire/a_test.go": "// Package wire has [Lost].\npackage wire"}},
			}},
	}
}

// publicPackages returns the packages that another program may import, each with its first file.
func publicPackages(t *tree) map[string]*goFile {
	first := make(map[string]*goFile)
	for _, f := range t.shipped() {
		if isPublic(f.dir) && f.syntax.Name.Name != "main" && first[f.dir] == nil {
			first[f.dir] = f
		}
	}
	return first
}

func everyPublicPackageHasAGuide(t *tree) []problem {
	var problems []problem
	lines := make(map[string]int)
	for _, f := range t.shipped() {
		if f.syntax.Doc != nil {
			lines[f.dir] += strings.Count(strings.TrimSpace(f.syntax.Doc.Text()), "\n") + 1
		}
	}
	for dir, f := range publicPackages(t) {
		if lines[dir] < minGuide {
			problems = append(problems, f.at(f.syntax.Package, "", fmt.Sprintf("the package doc of %s has %d lines: a guide for strangers needs %d", dir, lines[dir], minGuide)))
		}
	}
	return problems
}

// outputComment is what makes the test runner run an example, and look at what it prints.
var outputComment = regexp.MustCompile(`(?i)^(unordered )?output:`)

func everyPublicPackageHasAnExample(t *tree) []problem {
	var problems []problem
	packages, found := publicPackages(t), make(map[string]bool)
	for _, f := range t.files {
		if packages[f.dir] == nil || !strings.HasSuffix(f.syntax.Name.Name, "_test") { // as a stranger sees the package, from outside
			continue
		}
		for _, decl := range f.syntax.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || !strings.HasPrefix(fn.Name.Name, "Example") {
				continue
			}
			found[f.dir] = true
			if !saysItsOutput(f, fn) {
				problems = append(problems, f.at(fn.Pos(), fn.Name.Name, "is never run: it has no comment with its output"))
			}
		}
	}
	for dir, f := range packages {
		if !found[dir] {
			problems = append(problems, f.at(f.syntax.Package, "", fmt.Sprintf("package %s has no Example in a package %s_test", dir, f.syntax.Name.Name)))
		}
	}
	return problems
}

// saysItsOutput reports whether a comment in the function begins as one that the test runner looks for.
func saysItsOutput(f *goFile, fn *ast.FuncDecl) bool {
	for _, comment := range f.syntax.Comments {
		if comment.Pos() > fn.Pos() && comment.End() < fn.End() && outputComment.MatchString(comment.Text()) {
			return true
		}
	}
	return false
}

var (
	// guideSelector finds the names of packages' things in the code of a guide.
	guideSelector = regexp.MustCompile(`\b([a-z][a-z0-9]*)\.([A-Z]\w*)`)
	// guideLink finds links as go doc reads them, outside of code.
	guideLink = regexp.MustCompile(`(?:^|[\s(])\[\*?((?:[a-z][a-z0-9]*\.)?[A-Z]\w*(?:\.[A-Z]\w*)?)\]`)
)

// guidesNameWhatExists follows each link of a package doc and each name in its code to a declaration.
func guidesNameWhatExists(t *tree) []problem {
	var problems []problem
	names := make(map[string]map[string]bool) // by the package's name
	for dir := range publicPackages(t) {
		names[path.Base(dir)] = make(map[string]bool)
	}
	for _, f := range t.shipped() {
		if known := names[f.syntax.Name.Name]; known != nil && isPublic(f.dir) {
			collectNames(f, known)
		}
	}
	for _, f := range t.shipped() {
		if !isPublic(f.dir) || f.syntax.Doc == nil {
			continue
		}
		own := f.syntax.Name.Name
		for line := range strings.Lines(f.syntax.Doc.Text()) {
			var found []string
			if strings.HasPrefix(line, "\t") {
				found = guideSelector.FindAllString(line, -1)
			} else {
				for _, m := range guideLink.FindAllStringSubmatch(line, -1) {
					found = append(found, m[1])
				}
			}
			for _, name := range found {
				in, what := own, name
				if first, rest, qualified := strings.Cut(name, "."); qualified && first == strings.ToLower(first) {
					in, what = first, rest
				}
				if known := names[in]; known != nil && !known[what] {
					problems = append(problems, f.at(f.syntax.Doc.Pos(), "", fmt.Sprintf("the guide names %s, and there is no such thing in %s", name, in)))
				}
			}
		}
	}
	return problems
}

// collectNames notes what a file declares for others: F, T, C, and T.M for methods and fields.
func collectNames(f *goFile, known map[string]bool) {
	for _, decl := range f.syntax.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			known[funcName(decl)] = true
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					known[spec.Name.Name] = true
					for _, member := range members(spec.Type) {
						known[spec.Name.Name+"."+member] = true
					}
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						known[name.Name] = true
					}
				}
			}
		}
	}
}

// members returns the names of a struct's fields, or of an interface's methods.
func members(typ ast.Expr) (names []string) {
	var list *ast.FieldList
	switch typ := typ.(type) {
	case *ast.StructType:
		list = typ.Fields
	case *ast.InterfaceType:
		list = typ.Methods
	default:
		return nil
	}
	for _, field := range list.List {
		for _, name := range field.Names {
			names = append(names, name.Name)
		}
	}
	return names
}
