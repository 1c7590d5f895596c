package tlswright_test

import (
	"fmt"
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
)

// importRules are the rules on who may import whom.
func importRules() []rule {
	return []rule{
		{name: "every package is in a group", check: everyPackageIsInAGroup,
			refused: []sample{
				{files: map[string]string{"internal/stray/stray.go": "package stray"}, want: "in no group"},
				{files: map[string]string{"util/util.go": "package util"}, want: "in no group"},
				{files: map[string]string{"benchmark/b.go": "package benchmark"}, want: "in no group"},
				{files: map[string]string{"stray.go": "package tlswright"}, want: "in no group"},
			},
			allowed: []sample{{files: map[string]string{
				"wire/wire.go": "package wire", "interop/table_test.go": "package interop", "interop/bogo/shim/main.go": "package main", "arch_test.go": "package tlswright_test"}}}},
		{name: "imports point to earlier groups", check: importsPointToEarlierGroups,
			refused: []sample{
				{files: goSource("wire/a.go", `import _ "`+modulePath+`/tlscore"`), want: "1 language may not import tlscore of 3 core"},
				{files: goSource("pki/cert/a.go", `import _ "`+modulePath+`/internal/suite"`), want: "2a craft may not import internal/suite of 2a craft"},
				{files: goSource("tlsnet/a.go", `import _ "`+modulePath+`/interop"`), want: "for tests only"},
				{files: goSource("tlsnet/a.go", `import _ "`+modulePath+`/interop/bogo/shim"`), want: "for tests only"},
				{files: goSource("tlsnet/a.go", `import _ "`+modulePath+`/internal/nowhere"`), want: "in no group"},
				{files: goSource("trace/a.go", `import _ "`+modulePath+`/internal/legacy"`), want: "scan alone"},
				{files: goSource("internal/cli/a.go", `import _ "`+modulePath+`/internal/legacy"`), want: "scan alone"},
			},
			allowed: []sample{
				{files: goSource("tlscore/a.go", `import _ "`+modulePath+`/wire"`)},
				{files: goSource("wire/a_test.go", `import _ "`+modulePath+`/tlscore"`)},
				{files: goSource("scan/a.go", `import _ "`+modulePath+`/internal/legacy"`)},
				{files: goSource("internal/tlstest/a.go", `import _ "`+modulePath+`/tlscore"`)},
			}},
		{name: "pure packages touch nothing outside", check: purePackagesTouchNothingOutside,
			refused: []sample{
				{files: goSource("wire/a.go", `import _ "net"`), want: "imports net"},
				{files: goSource("tlscore/a.go", `import _ "os"`), want: "imports os"},
				{files: goSource("tlscore/a.go", `import _ "log/slog"`), want: "imports log/slog"},
				{files: goSource("pki/a.go", `import _ "context"`), want: "imports context"},
				{files: goSource("pki/a.go", `import _ "net/http"`), want: "imports net/http"},
				{files: goSource("tlscore/a.go", `func f() { go f() }`), want: "starts a goroutine"},
				{files: goSource("tlscore/a.go", "import \"time\"\nvar now = time.Now"), want: "time.Now"},
				{files: goSource("pki/a.go", "import clock \"time\"\nfunc f() { clock.Sleep(1) }"), want: "time.Sleep"},
				{files: goSource("pki/a.go", "import \"crypto/x509\"\nvar o = x509.VerifyOptions{Roots: nil}"), want: "CurrentTime"},
				{files: goSource("pki/a.go", "import \"crypto/x509\"\nfunc f(o x509.VerifyOptions) {}\nvar o = x509.VerifyOptions{CurrentTime: now}"), want: "Roots"},
			},
			allowed: []sample{
				{files: goSource("wire/a_test.go", "import _ \"net\"\nfunc f() { go f() }")},
				{files: goSource("pki/a.go", "import (\n_ \"net/netip\"\n_ \"net/url\"\n\"time\"\n\"crypto/x509\"\n)\nvar d = time.Second\nvar o = x509.VerifyOptions{Roots: r, CurrentTime: t}")},
				{files: goSource("tlsnet/a.go", "import _ \"net\"\nfunc f() { go f() }")},
			}},
		{name: "crypto/tls is for tests and bench", check: cryptoTLSIsForTests,
			refused: []sample{
				{files: goSource("tlsnet/a.go", `import _ "crypto/tls"`), want: "crypto/tls"},
				{files: goSource("internal/tlstest/a.go", `import _ "crypto/tls"`), want: "crypto/tls"},
			},
			allowed: []sample{
				{files: goSource("tlsnet/a_test.go", `import _ "crypto/tls"`)},
				{files: goSource("bench/a.go", `import _ "crypto/tls"`)},
			}},
		{name: "tlscore depends on little", check: tlscoreDependsOnLittle,
			refused: []sample{
				{files: goSource("tlscore/a.go", `import _ "golang.org/x/net/http2"`), want: "golang.org/x/net/http2"},
				{files: map[string]string{
					"tlscore/a.go": "package tlscore\nimport _ \"" + modulePath + "/wire\"",
					"wire/a.go":    "package wire\nimport _ \"example.org/codec\"",
				}, want: "example.org/codec"},
			},
			allowed: []sample{
				{files: goSource("tlscore/a.go", "import (\n_ \"crypto/ecdh\"\n_ \"golang.org/x/crypto/chacha20poly1305\"\n_ \"filippo.io/mldsa\"\n)")},
				{files: goSource("internal/cli/a.go", `import _ "example.org/colours"`)},
			}},
	}
}

// goSource returns a sample of one Go file: its package clause is made from the path.
func goSource(name, body string) map[string]string {
	dir := path.Dir(name)
	if dir == "." {
		dir = "tlswright"
	}
	return map[string]string{name: "package " + path.Base(dir) + "\n" + body}
}

// groupOf returns the index of a package's group; ok is false for a package in no group.
func groupOf(dir string) (index int, ok bool) {
	index = slices.IndexFunc(groups, func(g group) bool { return slices.Contains(g.packages, dir) })
	return index, index >= 0
}

// isBeside reports whether the package serves tests and measurements only.
func isBeside(dir string) bool {
	return slices.ContainsFunc(beside, func(root string) bool { return dir == root || strings.HasPrefix(dir, root+"/") })
}

// isPure reports whether the package belongs to a group that may touch nothing outside.
func isPure(dir string) bool {
	index, ok := groupOf(dir)
	return ok && groups[index].pure
}

func everyPackageIsInAGroup(t *tree) []problem {
	var problems []problem
	seen := make(map[string]bool)
	for _, f := range t.files {
		if seen[f.dir] || isBeside(f.dir) || (f.dir == "" && f.test) {
			continue
		}
		seen[f.dir] = true
		if _, ok := groupOf(f.dir); !ok {
			problems = append(problems, f.at(f.syntax.Package, "", fmt.Sprintf("package %q is in no group of arch_test.go", f.dir)))
		}
	}
	return problems
}

func importsPointToEarlierGroups(t *tree) []problem {
	var problems []problem
	for _, f := range t.shipped() {
		from, ok := groupOf(f.dir)
		if !ok {
			continue // reported by everyPackageIsInAGroup
		}
		for imported, pos := range f.imports() {
			target, ours := strings.CutPrefix(imported, modulePath+"/")
			if !ours {
				continue
			}
			to, known := groupOf(target)
			switch {
			case isBeside(target):
				problems = append(problems, f.at(pos, "", target+" is for tests only"))
			case !known:
				problems = append(problems, f.at(pos, "", target+" is in no group of arch_test.go"))
			case to >= from:
				problems = append(problems, f.at(pos, "", fmt.Sprintf("%s may not import %s of %s", groups[from].name, target, groups[to].name)))
			case target == "internal/legacy" && f.dir != "scan":
				problems = append(problems, f.at(pos, "", "internal/legacy holds broken ciphers: it is for scan alone"))
			}
		}
	}
	return problems
}

// pureImports are the standard library's packages below a forbidden name that touch nothing outside.
var pureImports = []string{"net/netip", "net/url", "net/mail"}

// forbiddenInPure matches imports that a pure package does without.
var forbiddenInPure = regexp.MustCompile(`^(net|os|log|context|syscall|runtime)(/|$)`)

// clockReads are the functions of package time that read or wait for the clock.
var clockReads = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

func purePackagesTouchNothingOutside(t *tree) []problem {
	var problems []problem
	for _, f := range t.shipped() {
		if !isPure(f.dir) {
			continue
		}
		for imported, pos := range f.imports() {
			if forbiddenInPure.MatchString(imported) && !slices.Contains(pureImports, imported) {
				problems = append(problems, f.at(pos, "", "a pure package imports "+imported))
			}
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				problems = append(problems, f.at(n.Pos(), "", "a pure package starts a goroutine"))
			case *ast.SelectorExpr:
				if isSelector(f, n, "time") && slices.Contains(clockReads, n.Sel.Name) {
					problems = append(problems, f.at(n.Pos(), "", "a pure package calls time."+n.Sel.Name))
				}
			case *ast.CompositeLit:
				problems = append(problems, incompleteVerifyOptions(f, n)...)
			}
			return true
		})
	}
	return problems
}

// incompleteVerifyOptions complains about options with which crypto/x509 would read the clock or the system's roots.
func incompleteVerifyOptions(f *goFile, lit *ast.CompositeLit) []problem {
	typ, ok := lit.Type.(*ast.SelectorExpr)
	if !ok || !isSelector(f, typ, "crypto/x509") || typ.Sel.Name != "VerifyOptions" {
		return nil
	}
	set := make(map[string]bool)
	for _, element := range lit.Elts {
		if pair, ok := element.(*ast.KeyValueExpr); ok {
			if key, ok := pair.Key.(*ast.Ident); ok {
				set[key.Name] = true
			}
		}
	}
	var problems []problem
	for _, field := range []string{"CurrentTime", "Roots"} {
		if !set[field] {
			problems = append(problems, f.at(lit.Pos(), "", "x509.VerifyOptions without "+field+" reads the machine's"))
		}
	}
	return problems
}

// isSelector reports whether n is importedPackage.Something in file f.
func isSelector(f *goFile, n *ast.SelectorExpr, importPath string) bool {
	x, ok := n.X.(*ast.Ident)
	return ok && x.Name == f.importName(importPath)
}

func cryptoTLSIsForTests(t *tree) []problem {
	var problems []problem
	for _, f := range t.files {
		if pos, ok := f.imports()["crypto/tls"]; ok && !f.test && f.dir != "bench" && !strings.HasPrefix(f.dir, "bench/") {
			problems = append(problems, f.at(pos, "", "imports crypto/tls"))
		}
	}
	return problems
}

// allowedInTLSCore matches what tlscore may depend on, through our own packages too. The first part is the standard
// library: its import paths have no dot in their first element.
var allowedInTLSCore = regexp.MustCompile(`^([^./]+(/|$)|golang\.org/x/crypto/|filippo\.io/mldsa(/|$))`)

func tlscoreDependsOnLittle(t *tree) []problem {
	var problems []problem
	seen := map[string]bool{"tlscore": true}
	for queue := []string{"tlscore"}; len(queue) > 0; queue = queue[1:] {
		for _, f := range t.shipped() {
			if f.dir != queue[0] {
				continue
			}
			for imported, pos := range f.imports() {
				if own, ours := strings.CutPrefix(imported, modulePath+"/"); ours {
					if !seen[own] {
						seen[own] = true
						queue = append(queue, own)
					}
				} else if !allowedInTLSCore.MatchString(imported) {
					problems = append(problems, f.at(pos, "", "tlscore may not depend on "+imported))
				}
			}
		}
	}
	return problems
}
