package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// page is what is printed, kept to be written into the documentation as well.
type page struct {
	io.Writer
	text bytes.Buffer
}

func newPage(w io.Writer) *page {
	p := new(page)
	p.Writer = io.MultiWriter(w, &p.text)
	return p
}

// preface says how to read the page, which is overwritten by the next run.
const preface = `# Performance

Written by ` + "`make bench`" + `, from one run on one machine; [benchmarks](benchmarks.md) says what is measured, and how. An operation
of a handshake is a pair, both ends together, or in "_client" and "_server" what that end of a pair takes; one of a bulk
scenario is a write and all it takes to read it. Absolute
times are this machine's, and move with what else it does; the ratios compare turns of the same moments. "primitives"
and "AES-128-GCM alone" are the bound: what is left if a stack does nothing but its cryptography. A share above 1 is
possible where a stack remembers what it has verified before.

`

// write makes the page.
func (p *page) write(path string) error {
	text := preface + "## " + time.Now().UTC().Format("January 2006") + "\n\n" + p.text.String()
	return os.WriteFile(path, []byte(text), 0o644)
}

// machine names what this runs on.
func machine() string {
	name := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if m := regexp.MustCompile(`(?m)^model name\s*: (.*)$`).FindSubmatch(info); m != nil {
			name = string(m[1])
		}
	}
	busy := ""
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		busy = ", load " + strings.Fields(string(load))[0] + " at the start"
	}
	return fmt.Sprintf("%s, %s/%s, %d processors (%s)%s", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), name, busy)
}
