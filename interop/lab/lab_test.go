package lab

import (
	"context"
	"net"
	"os"
	"regexp"
	"testing"
)

// missing skips the test, or fails it in a run that must have everything.
func missing(t *testing.T, reason error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

func newLab(t *testing.T) *Lab {
	t.Helper()
	if _, err := findProgram("openssl"); err != nil {
		missing(t, err)
	}
	l, err := New(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// needAccept keeps the long tests out of "go test ./...".
func needAccept(t *testing.T) {
	t.Helper()
	if os.Getenv("TLSWRIGHT_ACCEPT") == "" {
		t.Skip(`a long comparison: "make accept" runs it (TLSWRIGHT_ACCEPT=1)`)
	}
}

// wanted are the configurations that LAB, a regular expression, names; all without it.
func wanted(t *testing.T) func(*Config) bool {
	t.Helper()
	pattern, err := regexp.Compile(os.Getenv("LAB"))
	if err != nil {
		t.Fatal(err)
	}
	return func(c *Config) bool { return pattern.MatchString(c.Name) }
}

func TestAcceptEveryServerStarts(t *testing.T) {
	needAccept(t)
	l := newLab(t)
	for _, g := range Of(Groups(), RingAccept, wanted(t)) {
		t.Run(g.Configs[0].Name, func(t *testing.T) {
			if err := g.Missing(); err != nil {
				missing(t, err)
			}
			stop, err := l.Start(g)
			if err != nil {
				t.Fatal(err)
			}
			defer stop()
			for _, c := range g.Configs {
				conn, err := net.Dial("tcp", c.Addr())
				if err != nil {
					t.Errorf("%s: %v", c.Name, err)
					continue
				}
				conn.Close()
			}
		})
	}
}
