package tlswright_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// tree is the text of a repository: the real one, or a sample of a rule.
type tree struct {
	files []*goFile         // Go source, testdata left out
	texts map[string]string // every text file by slash path, Go source included
}

// goFile is one parsed Go file.
type goFile struct {
	path      string // slash path from the root
	dir       string // the package's directory, "" for the root
	test      bool
	generated bool
	lines     int
	fset      *token.FileSet
	syntax    *ast.File
}

// line returns the line of a position.
func (f *goFile) line(p token.Pos) int { return f.fset.Position(p).Line }

// at returns a problem at a node of the file; name, if any, tells which declaration.
func (f *goFile) at(p token.Pos, name, text string) problem {
	place := f.path
	if name != "" {
		place += ":" + name
	}
	return problem{place: place, line: f.line(p), text: text}
}

// imports returns the paths that the file imports, each with its position.
func (f *goFile) imports() map[string]token.Pos {
	found := make(map[string]token.Pos)
	for _, spec := range f.syntax.Imports {
		found[strings.Trim(spec.Path.Value, `"`)] = spec.Pos()
	}
	return found
}

// importName returns the name under which the file knows an import path, "" if it does not import it.
func (f *goFile) importName(importPath string) string {
	for _, spec := range f.syntax.Imports {
		if strings.Trim(spec.Path.Value, `"`) != importPath {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(importPath)
	}
	return ""
}

// shipped yields the files that are part of the program: neither tests nor the packages beside.
func (t *tree) shipped() []*goFile {
	return slices.DeleteFunc(slices.Clone(t.files), func(f *goFile) bool {
		return f.test || isBeside(f.dir)
	})
}

// newTree parses a set of files.
func newTree(t *testing.T, texts map[string]string) *tree {
	t.Helper()
	result := &tree{texts: texts}
	for name, text := range texts {
		if !strings.HasSuffix(name, ".go") || strings.Contains("/"+name, "/testdata/") {
			continue
		}
		if toolSource.MatchString(text) {
			continue
		}
		fset := token.NewFileSet()
		syntax, err := parser.ParseFile(fset, name, text, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		dir := path.Dir(name)
		if dir == "." {
			dir = ""
		}
		result.files = append(result.files, &goFile{
			path: name, dir: dir, test: strings.HasSuffix(name, "_test.go"), generated: ast.IsGenerated(syntax),
			lines: strings.Count(text, "\n"), fset: fset, syntax: syntax,
		})
	}
	slices.SortFunc(result.files, func(a, b *goFile) int { return strings.Compare(a.path, b.path) })
	return result
}

// toolSource recognises a generator: it is run by hand and is part of no package.
var toolSource = regexp.MustCompile(`(?m)^//go:build ignore$`)

// loadRepository reads the repository in which the test stands.
func loadRepository(t *testing.T) *tree {
	t.Helper()
	texts := make(map[string]string)
	for _, name := range repositoryFiles(t) {
		data, err := os.ReadFile(filepath.FromSlash(name))
		if os.IsNotExist(err) {
			continue // deleted, not yet committed
		}
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(data, []byte{0}) {
			texts[name] = string(data)
		}
	}
	return newTree(t, texts)
}

// repositoryFiles lists what belongs to the repository: what git tracks or would track, or, in a plain copy of the
// source, every file outside hidden folders.
func repositoryFiles(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z").Output()
	if err == nil && len(out) > 0 {
		return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	}
	var names []string
	err = filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && name != "." && entry.Name() != ".ci" {
			return fs.SkipDir
		}
		if entry.Type().IsRegular() {
			names = append(names, filepath.ToSlash(name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestTheRepositoryIsSeen(t *testing.T) {
	repository := loadRepository(t)
	for _, want := range []string{"go.mod", "arch_test.go", "wire/zregistry.go", "docs/decisions/0001-sans-io-core.md"} {
		if repository.texts[want] == "" {
			t.Errorf("%s is not among the files the rules look at", want)
		}
	}
	if len(repository.shipped()) == 0 {
		t.Error("no Go source found")
	}
}
