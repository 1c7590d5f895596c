package lab

import (
	"context"
	"crypto/x509"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/scan"
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
	for _, program := range []string{"openssl", "python3"} {
		if _, err := findProgram(program); err != nil {
			missing(t, err)
		}
	}
	// Not t.Context: that ends before the clean-up.
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

// start starts a group until the end of the test.
func start(t *testing.T, l *Lab, g *Group) {
	t.Helper()
	if err := g.Missing(); err != nil {
		missing(t, err)
	}
	stop, err := l.Start(g)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
}

// scanOurs lets our scanner look at a server, which it knows by name.
func scanOurs(t *testing.T, l *Lab, c *Config) (*grade.Facts, *grade.Result) {
	t.Helper()
	root, err := readCertificate(l.Root)
	if err != nil {
		t.Fatal(err)
	}
	// The store knows the intermediate, as those of browsers know all public ones: a chain without it is incomplete, no worse.
	inter, err := readCertificate(filepath.Join(l.Dir, "inter.pem"))
	if err != nil {
		t.Fatal(err)
	}
	s := scan.New(scan.Options{
		Offline: true, Simulate: true, Timeout: 20 * time.Second, HostTimeout: 10 * time.Minute, // of a busy machine: a gap is a failure here
		Stores: []scan.Store{{Name: "lab", Roots: []*x509.Certificate{root}, Intermediates: []*x509.Certificate{inter}}},
		LookUp: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}, nil
		},
	})
	all, err := s.Scan(t.Context(), scan.Target{Host: Host, Port: c.Port, ServerName: Host, StartTLS: c.StartTLS})
	if err != nil || len(all) != 1 {
		t.Fatalf("%s: %d facts, %v", c.Name, len(all), err)
	}
	return all[0], grade.Judge(all[0], grade.Options{Policies: []grade.Policy{}})
}

// TestOurFactsAreTrue holds our scanner against the truth at some servers; "make accept" does so at all of them.
func TestOurFactsAreTrue(t *testing.T) {
	l := newLab(t)
	page, keep := newPage(), wanted(t)
	some := regexp.MustCompile(`^(nginx: (good|old|RSA and ECDSA|TLS 1.3 only|anonymous)|s_server: everything.*|gnutls-serv.*|crypto/tls: (default|X.*)|tlswright serve)$`)
	for _, g := range Of(everyGroup(t), RingCI, func(c *Config) bool { return keep(c) && some.MatchString(c.Name) }) {
		t.Run(g.Configs[0].Name, func(t *testing.T) {
			start(t, l, g)
			for _, c := range g.Configs {
				page.examineOurs(t, l, c)
			}
		})
	}
}

// TestTheTwelveServersGetTheGuidesGrade is about those that testssl.sh's rating was measured with: six of twelve wrong.
func TestTheTwelveServersGetTheGuidesGrade(t *testing.T) {
	l := newLab(t)
	twelve := map[string]grade.Letter{
		"nginx: good": "A+", "nginx: no HSTS": "A", "nginx: DHE-1024": "B", "nginx: anonymous": "F", "nginx: CBC only": "B", "nginx: wrong name": "M",
		"nginx: no SAN": "M", "nginx: incomplete": "B", "nginx: TLS 1.2 only": "A-", "nginx: TLS 1.3 only": "A+", "nginx: RSA-1024": "B", "nginx: expired": "T",
	}
	groups := Of(everyGroup(t), RingCI, func(c *Config) bool { return twelve[c.Name] != "" })
	if len(groups) != 1 || len(groups[0].Configs) != len(twelve) {
		t.Fatal("not all of the twelve are in the lab")
	}
	start(t, l, groups[0])
	for _, c := range groups[0].Configs {
		f, r := scanOurs(t, l, c)
		if r.Grade != twelve[c.Name] {
			t.Errorf("%s: %s instead of %s; findings %v", c.Name, r.Grade, twelve[c.Name], ruleNames(r))
		}
		if len(f.Gaps) > 0 {
			t.Errorf("%s: %v", c.Name, f.Gaps)
		}
	}
}

func ruleNames(r *grade.Result) []string {
	var names []string
	for _, f := range r.Findings {
		if f.Severity != grade.Good && f.Severity != grade.Info {
			names = append(names, f.Rule)
		}
	}
	return names
}
