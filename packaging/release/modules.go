package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// program is what the licences are collected for.
const program = "./cmd/tlswright"

// module is something of others that is in the program: a Go module, the Go library itself, or a file of the dashboard.
type module struct {
	name    string
	version string
	texts   []text
}

// text is one file with legal words.
type text struct {
	name   string // slash path within the module
	body   string
	notice bool // it goes along, but is no licence: NOTICE, PATENTS, COPYRIGHT
}

// listed is what `go list` says of a package.
type listed struct {
	Dir      string
	Standard bool
	Module   *struct {
		Path, Version, Dir string
		Main               bool
	}
}

// linked finds what is in the program on any of the platforms (linux/amd64, …), sorted by name.
func linked(platforms []string) ([]module, error) {
	if len(platforms) == 0 {
		return nil, errors.New("no platform is named: linux/amd64, say")
	}
	found := make(map[string]*module)
	var own string
	for _, platform := range platforms {
		packages, err := list[listed](platform, "Dir,Standard,Module", program)
		if err != nil {
			return nil, err
		}
		for _, p := range packages {
			switch {
			case p.Standard || p.Module == nil:
			case p.Module.Main:
				own = p.Module.Dir
			default:
				m := found[p.Module.Path]
				if m == nil {
					m = &module{name: p.Module.Path, version: p.Module.Version}
					found[m.name] = m
				}
				if err := m.collect(p.Module.Dir, p.Dir); err != nil {
					return nil, err
				}
			}
		}
	}
	all := []module{}
	for _, m := range found {
		all = append(all, *m)
	}
	others, err := besideModules(own)
	if err != nil {
		return nil, err
	}
	all = append(all, others...)
	slices.SortFunc(all, func(a, b module) int { return cmp.Compare(a.name, b.name) })
	return all, nil
}

// list asks the go command for packages on a platform with all that they import, one T each: of the fields that are named.
func list[T any](platform, fields string, patterns ...string) ([]T, error) {
	system, processor, ok := strings.Cut(platform, "/")
	if !ok {
		return nil, fmt.Errorf("%q is no platform: linux/amd64, say", platform)
	}
	cmd := exec.Command("go", append([]string{"list", "-deps", "-json=" + fields}, patterns...)...)
	cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+processor, "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list for %s: %w\n%s", platform, err, stderr.Bytes())
	}
	var all []T
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p T
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("what go list says cannot be read: %w", err)
		}
		all = append(all, p)
	}
}

// collect takes the legal texts from a package's folder up to that of its module: a package that came from elsewhere has its own.
func (m *module) collect(root, dir string) error {
	for {
		if err := m.collectFolder(root, dir); err != nil {
			return err
		}
		if dir == root || len(dir) <= len(root) {
			break
		}
		dir = filepath.Dir(dir)
	}
	slices.SortFunc(m.texts, func(a, b text) int { return cmp.Compare(a.name, b.name) })
	return nil
}

func (m *module) collectFolder(root, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	licence := regexp.MustCompile(`(?i)^(un)?(licen[cs]e|copying)([._-].*)?$`)
	notice := regexp.MustCompile(`(?i)^(notice|patents|copyright)([._-].*)?$`)
	source := regexp.MustCompile(`(?i)\.(go|s|c|h|json|ya?ml)$`)
	for _, e := range entries {
		isLicence := licence.MatchString(e.Name())
		if !e.Type().IsRegular() || source.MatchString(e.Name()) || !isLicence && !notice.MatchString(e.Name()) {
			continue
		}
		relative, err := filepath.Rel(root, filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		name := filepath.ToSlash(relative)
		if slices.ContainsFunc(m.texts, func(t text) bool { return t.name == name }) {
			continue
		}
		body, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		m.texts = append(m.texts, text{name: name, body: string(body), notice: !isLicence})
	}
	return nil
}

// besideModules is what the modules do not tell: Go's own library, and what lies in our folders under a licence of others
// ("…-LICENSE.txt", beside what it is about).
func besideModules(own string) ([]module, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	library := module{name: "std", version: runtime.Version()}
	if err := library.collectFolder(strings.TrimSpace(string(root)), strings.TrimSpace(string(root))); err != nil {
		return nil, err
	}
	found := map[string]module{"std": library}
	err = filepath.WalkDir(filepath.Join(own, "internal"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.Contains(path, "testdata") {
			return err
		}
		name, ok := strings.CutSuffix(e.Name(), "-LICENSE.txt")
		if !ok {
			return nil
		}
		body, err := os.ReadFile(path)
		found[name] = module{name: name, texts: []text{{name: e.Name(), body: string(body)}}}
		return err
	})
	return slices.Collect(maps.Values(found)), err
}
