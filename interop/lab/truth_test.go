package lab

import (
	"testing"
)

// TestAcceptTruth prints what is true of each server.
func TestAcceptTruth(t *testing.T) {
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
				t.Logf("%s:", c.Name)
				for _, p := range truth.Protocols {
					t.Logf("  %v: %d suites, own order %q, %d ranked", p.Version, len(p.Suites), p.Order, len(p.Ranked))
				}
				t.Logf("  groups %v | %v, DH %v", truth.Groups12, truth.Groups13, truth.DH)
			}
		})
	}
}
