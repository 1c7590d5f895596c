package tlswright_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
)

// sourceRules are the rules on what Go source may contain.
func sourceRules() []rule {
	return []rule{
		{name: "nothing runs before main", check: nothingRunsBeforeMain,
			refused: []sample{
				{files: goSource("wire/a.go", `func init() {}`), want: "func init"},
				{files: goSource("wire/a_test.go", `func init() {}`), want: "func init"},
			},
			allowed: []sample{{files: goSource("wire/a.go", "type t struct{}\nfunc (t) init() {}")}}},
		{name: "no mutable globals", check: noMutableGlobals,
			refused: []sample{
				{files: goSource("wire/a.go", `var Default = 1`), want: "Default"},
				{files: goSource("wire/a.go", `var table = make(map[int]int)`), want: "table"},
				{files: goSource("wire/a.go", `var counter int`), want: "counter"},
				{files: goSource("wire/a.go", `var Table = []int{1}`), want: "Table"},
				{files: goSource("internal/cli/a.go", `var root = newRoot()`), want: "root"},
				{files: goSource("tlsnet/a.go", `var Dialer = net.DefaultDialer`), want: "Dialer"},
				{files: goSource("wire/a.go", "var table = []int{1}\nfunc f() { table[0] = 2 }"), want: "table is changed"},
				{files: goSource("wire/a.go", "var table = []int{1}\nfunc f() { table = append(table, 2) }"), want: "table is changed"},
				{files: goSource("wire/a.go", "var table = map[int]int{}\nfunc f() { delete(table, 2) }"), want: "table is changed"},
				{files: map[string]string{
					"wire/a.go": "package wire\nvar limits = struct{ n int }{1}",
					"wire/b.go": "package wire\nfunc f() { limits.n++ }",
				}, want: "limits is changed"},
			},
			allowed: []sample{
				{files: goSource("wire/a.go", "import (\n\"errors\"\n\"fmt\"\n)\n// ErrX says.\nvar ErrX = errors.New(\"x\")\nvar errY = fmt.Errorf(\"y: %w\", ErrX)\nvar table = [...]int{1}")},
				{files: goSource("wire/a.go", "import \"regexp\"\nvar r = regexp.MustCompile(`x`)\nvar _ error = (*E)(nil)\nfunc f() { _ = r }")},
				{files: goSource("tlscore/a.go", "// ErrX says.\nvar ErrX = wire.ErrX\n// ErrY says.\nvar ErrY error = &timeout{}")},
				{files: goSource("wire/a.go", "var table = []int{1}\nfunc f() { table := []int{2}; table[0] = 3 }")},
				{files: goSource("internal/cli/a.go", "import \"embed\"\n//go:embed x\nvar pages embed.FS")},
				{files: goSource("wire/a_test.go", "var update = flag.Bool(\"update\", false, \"\")")},
			}},
		{name: "public signatures name no internal type", check: publicSignaturesNameNoInternalType,
			refused: []sample{
				{files: goSource("tlscore/a.go", `import "`+modulePath+"/internal/suite\"\nfunc F(s *suite.Suite) {}"), want: "suite.Suite"},
				{files: goSource("tlscore/a.go", `import "`+modulePath+"/internal/suite\"\ntype T struct{ S []suite.Suite }"), want: "suite.Suite"},
				{files: goSource("tlscore/a.go", `import s "`+modulePath+"/internal/suite\"\ntype T struct{ s.Suite }"), want: "s.Suite"},
				{files: goSource("tlscore/a.go", `import "`+modulePath+"/internal/keys\"\ntype T struct{}\nfunc (*T) M() keys.Early { return x }"), want: "keys.Early"},
				{files: goSource("tlsnet/a.go", `import "`+modulePath+"/internal/keystore\"\nvar V keystore.Identity"), want: "keystore.Identity"},
				{files: goSource("tlsnet/a.go", `import "`+modulePath+"/internal/keystore\"\ntype A = keystore.Identity"), want: "keystore.Identity"},
			},
			allowed: []sample{
				{files: goSource("tlscore/a.go", `import "`+modulePath+"/internal/suite\"\ntype T struct{ s *suite.Suite }\nfunc f(s *suite.Suite) {}\nfunc (t *T) m(s suite.Suite) {}")},
				{files: goSource("tlscore/a.go", `import "`+modulePath+"/internal/suite\"\ntype state struct{ S *suite.Suite }\nfunc (state) M(suite.Suite) {}\nfunc F() { var s suite.Suite; _ = s }")},
				{files: goSource("internal/record/a.go", `import "`+modulePath+"/internal/suite\"\nfunc F(s *suite.Suite) {}")},
			}},
		{name: "package names say something", check: packageNamesSaySomething,
			refused: []sample{
				{files: goSource("internal/util/a.go", ""), want: "util"},
				{files: goSource("pkg/a.go", ""), want: "pkg"},
				{files: map[string]string{"wire/a.go": "package Wire"}, want: "Wire"},
			},
			allowed: []sample{{files: goSource("wire/a.go", "")}, {files: goSource("wire/a_test.go", "")}}},
	}
}

func nothingRunsBeforeMain(t *tree) []problem {
	var problems []problem
	for _, f := range t.files {
		for _, decl := range f.syntax.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				problems = append(problems, f.at(fn.Pos(), "", "func init runs behind the reader's back"))
			}
		}
	}
	return problems
}

// noMutableGlobals allows a package-level var only for an error value, an unexported table, a compiled pattern, an
// embedded file or an interface assertion - and then only if nothing in its package assigns to it.
func noMutableGlobals(t *tree) []problem {
	var problems []problem
	globals := make(map[string]map[string]*ast.ValueSpec) // by package directory and name
	for _, f := range t.shipped() {
		for _, decl := range f.syntax.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.VAR {
				continue
			}
			for _, s := range gen.Specs {
				spec := s.(*ast.ValueSpec)
				for i, name := range spec.Names {
					if !constantInSpirit(f, gen, spec, i) {
						problems = append(problems, f.at(name.Pos(), name.Name, "is a package variable that could change"))
					}
					if globals[f.dir] == nil {
						globals[f.dir] = make(map[string]*ast.ValueSpec)
					}
					globals[f.dir][name.Name] = spec
				}
			}
		}
	}
	for _, f := range t.shipped() {
		problems = append(problems, assignmentsTo(f, globals[f.dir])...)
	}
	return problems
}

// constantInSpirit reports whether the i-th variable of spec is a constant that Go has no constant form for.
func constantInSpirit(f *goFile, gen *ast.GenDecl, spec *ast.ValueSpec, i int) bool {
	name := spec.Names[i]
	if name.Name == "_" {
		return true
	}
	if i >= len(spec.Values) {
		return isEmbedded(gen, spec)
	}
	value := spec.Values[i]
	if unary, ok := value.(*ast.UnaryExpr); ok && unary.Op == token.AND {
		value = unary.X
	}
	switch value := value.(type) {
	case *ast.CompositeLit: // a table, or an error value of our own type
		return !name.IsExported() || strings.HasPrefix(name.Name, "Err")
	case *ast.SelectorExpr: // another package's error under our name
		return strings.HasPrefix(name.Name, "Err") && strings.HasPrefix(value.Sel.Name, "Err")
	case *ast.CallExpr:
		fn, ok := value.Fun.(*ast.SelectorExpr)
		if !ok {
			return false
		}
		return isSelector(f, fn, "errors") && fn.Sel.Name == "New" ||
			isSelector(f, fn, "fmt") && fn.Sel.Name == "Errorf" ||
			isSelector(f, fn, "regexp") && fn.Sel.Name == "MustCompile" && !name.IsExported()
	}
	return false
}

// isEmbedded reports whether the variable is filled by the compiler from a file.
func isEmbedded(gen *ast.GenDecl, spec *ast.ValueSpec) bool {
	for _, doc := range []*ast.CommentGroup{gen.Doc, spec.Doc} {
		if doc == nil {
			continue
		}
		for _, comment := range doc.List {
			if strings.HasPrefix(comment.Text, "//go:embed ") {
				return true
			}
		}
	}
	return false
}

// assignmentsTo finds the places where f changes one of its package's variables. The parser resolves names within a
// file, so a local variable that shadows a global is told apart.
func assignmentsTo(f *goFile, globals map[string]*ast.ValueSpec) []problem {
	var problems []problem
	check := func(target ast.Expr) {
		name := rootIdent(target)
		if name == nil || name.Name == "_" || globals[name.Name] == nil {
			return
		}
		if name.Obj == nil || name.Obj.Decl == globals[name.Name] {
			problems = append(problems, f.at(target.Pos(), "", name.Name+" is changed, and is a package variable"))
		}
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, target := range n.Lhs {
				if n.Tok != token.DEFINE {
					check(target)
				}
			}
		case *ast.IncDecStmt:
			check(n.X)
		case *ast.CallExpr:
			if fn, ok := n.Fun.(*ast.Ident); ok && (fn.Name == "delete" || fn.Name == "clear") && len(n.Args) > 0 {
				check(n.Args[0])
			}
		}
		return true
	})
	return problems
}

// rootIdent returns the variable that an assignment to target changes: x of x, x.f, x[i], *x and (x).
func rootIdent(target ast.Expr) *ast.Ident {
	for {
		switch t := target.(type) {
		case *ast.Ident:
			return t
		case *ast.SelectorExpr:
			target = t.X
		case *ast.IndexExpr:
			target = t.X
		case *ast.StarExpr:
			target = t.X
		case *ast.ParenExpr:
			target = t.X
		default:
			return nil
		}
	}
}

// isPublic reports whether another program may import the package.
func isPublic(dir string) bool {
	return dir != "" && !strings.Contains("/"+dir+"/", "/internal/") && !strings.HasPrefix(dir, "cmd/")
}

func publicSignaturesNameNoInternalType(t *tree) []problem {
	var problems []problem
	for _, f := range t.shipped() {
		if !isPublic(f.dir) {
			continue
		}
		internal := make(map[string]bool)
		for imported := range f.imports() {
			if strings.Contains(imported, "/internal/") {
				internal[f.importName(imported)] = true
			}
		}
		if len(internal) == 0 {
			continue
		}
		for name, shown := range exportedTypes(f) {
			for _, expr := range shown {
				ast.Inspect(expr, func(n ast.Node) bool {
					selector, ok := n.(*ast.SelectorExpr)
					if !ok {
						return true
					}
					if x, ok := selector.X.(*ast.Ident); ok && internal[x.Name] {
						problems = append(problems, f.at(selector.Pos(), name, fmt.Sprintf("shows the internal type %s.%s", x.Name, selector.Sel.Name)))
					}
					return true
				})
			}
		}
	}
	return problems
}

// exportedTypes returns, by exported name, the type expressions that its users see.
func exportedTypes(f *goFile) map[string][]ast.Node {
	shown := make(map[string][]ast.Node)
	for _, decl := range f.syntax.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			if decl.Name.IsExported() && exportedReceiver(decl) {
				shown[funcName(decl)] = append(shown[funcName(decl)], decl.Type)
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					if spec.Name.IsExported() {
						shown[spec.Name.Name] = visibleParts(spec.Type)
					}
				case *ast.ValueSpec:
					if spec.Names[0].IsExported() && spec.Type != nil {
						shown[spec.Names[0].Name] = []ast.Node{spec.Type}
					}
				}
			}
		}
	}
	return shown
}

// visibleParts returns the parts of a type that its users can name: the exported and embedded fields of a struct,
// and every other type whole.
func visibleParts(typ ast.Expr) []ast.Node {
	structure, ok := typ.(*ast.StructType)
	if !ok {
		return []ast.Node{typ}
	}
	var parts []ast.Node
	for _, field := range structure.Fields.List {
		embedded := len(field.Names) == 0
		if embedded || slices.ContainsFunc(field.Names, (*ast.Ident).IsExported) {
			parts = append(parts, field.Type)
		}
	}
	return parts
}

// receiverType returns the name of a method's receiver type, "" for a function.
func receiverType(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return ""
	}
	typ := fn.Recv.List[0].Type
	for {
		switch t := typ.(type) {
		case *ast.StarExpr:
			typ = t.X
		case *ast.IndexExpr:
			typ = t.X
		case *ast.IndexListExpr:
			typ = t.X
		case *ast.Ident:
			return t.Name
		default:
			return ""
		}
	}
}

// exportedReceiver reports whether fn is a function, or a method of an exported type.
func exportedReceiver(fn *ast.FuncDecl) bool {
	return fn.Recv == nil || token.IsExported(receiverType(fn))
}

// funcName returns "F" for a function and "T.M" for a method.
func funcName(fn *ast.FuncDecl) string {
	if receiver := receiverType(fn); receiver != "" {
		return receiver + "." + fn.Name.Name
	}
	return fn.Name.Name
}

// emptyNames are package names that say nothing about what is inside.
var emptyNames = []string{"util", "utils", "common", "core", "helpers", "helper", "misc", "base", "shared", "pkg", "lib", "types"}

func packageNamesSaySomething(t *tree) []problem {
	var problems []problem
	for _, f := range t.files {
		name := strings.TrimSuffix(f.syntax.Name.Name, "_test")
		switch {
		case slices.Contains(emptyNames, name):
			problems = append(problems, f.at(f.syntax.Package, "", "package "+name+" says nothing about what is inside"))
		case name != strings.ToLower(name):
			problems = append(problems, f.at(f.syntax.Package, "", "package "+name+" is not in lower case"))
		case f.dir != "" && name != "main" && name != path.Base(f.dir):
			problems = append(problems, f.at(f.syntax.Package, "", "package "+name+" is not called as its folder"))
		}
	}
	return problems
}
