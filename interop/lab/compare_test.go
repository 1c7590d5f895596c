package lab

import (
	"context"
	"crypto/x509"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/scan"
)

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
		Offline: true, Simulate: true, HostTimeout: time.Minute,
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

// TestAcceptOursIsTrue holds our scanner against the truth at every server of the lab.
func TestAcceptOursIsTrue(t *testing.T) {
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
				truth, err := l.Truth(t.Context(), c)
				if err != nil {
					t.Errorf("%s: %v", c.Name, err)
					continue
				}
				f, r := scanOurs(t, l, c)
				t.Logf("%s: %s (%s), %d connections, %.2f s", c.Name, r.Grade, r.GradeIgnoringTrust, f.Connections, f.Seconds)
				for _, d := range CompareOurs(l, c, f, r, truth) {
					t.Error(d)
				}
				if c.Grade != "" && c.Grade != string(r.Grade) {
					t.Errorf("%s: grade %s instead of %s", c.Name, r.Grade, c.Grade)
				}
			}
		})
	}
}
