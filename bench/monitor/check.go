package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// writeFile writes the monitor's configuration for a farm. extra are lines of the section, without their indentation.
func writeFile(f *farm, path string, extra ...string) error {
	var b strings.Builder
	b.WriteString("monitor:\n")
	for _, line := range extra {
		b.WriteString("  " + line + "\n")
	}
	b.WriteString("  targets:\n")
	for _, e := range f.endpoints {
		fmt.Fprintf(&b, "    - {name: %s, address: %q, server-name: %s, ca: [%q]}\n", e.Name, e.Address, e.Name, f.root())
	}
	return os.WriteFile(path, []byte(b.String()), 0o600)
}

// checks measures `monitor check` of n healthy servers by the program itself: of targets that it has never seen, with and
// without the full scan that a grade wants, and again a little later.
func checks(o *options) error {
	if o.tlswright == "" {
		return errors.New("-tlswright is needed: go build ./cmd/tlswright")
	}
	h, err := startHelper("-role", "farm", "-dir", o.dir, "-n", fmt.Sprint(o.n), "-healthy")
	if err != nil {
		return err
	}
	defer h.stop()
	f, err := readFarm(o.dir)
	if err != nil {
		return err
	}
	fmt.Printf("\n%d healthy servers, load %s before\n\n| `monitor check` | wall | CPU time | at most resident | it says |\n| --- | ---: | ---: | ---: | --- |\n", o.n, load())
	for _, c := range []struct {
		name, home string
		extra      []string
		pause      time.Duration // before it: first full scans of many are not made at once
	}{
		{"as it comes, first time", "home1", nil, 0},
		{"again", "home1", nil, 0},
		{"`grade: none`, first time", "home2", []string{"grade: none"}, 0},
		{"`grade: none`, again", "home2", []string{"grade: none"}, 0},
		{"`grade: 1s`, first time", "home3", []string{"grade: 1s"}, 0},
		{"again: a full scan of each", "home3", []string{"grade: 1s"}, 15 * time.Second},
	} {
		file := filepath.Join(o.dir, c.home+".yaml")
		if err := writeFile(f, file, c.extra...); err != nil {
			return err
		}
		time.Sleep(c.pause)
		u, said, err := timed(o.tlswright, "--home", filepath.Join(o.dir, c.home), "monitor", "check", "-q", "-c", file)
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %.2f s | %.2f s | %d MB | %s |\n", c.name, u.Wall.Seconds(), u.CPU.Seconds(), u.RSS>>20, said)
	}
	fmt.Printf("\nload %s after; database %.1f MB\n", load(), float64(size(filepath.Join(o.dir, "home1", "monitor.db")))/(1<<20))
	return nil
}
