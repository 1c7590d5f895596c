package lab

import (
	"flag"
	"strings"
	"testing"
)

var anchors = flag.String("anchors", "", "a folder in which the reports of other scanners are kept, and used again")

// TestAcceptOthersDiffer shows where other scanners err; it fails where a difference has no explanation.
func TestAcceptOthersDiffer(t *testing.T) {
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
				othersDiffer(t, l, c)
			}
		})
	}
}

func othersDiffer(t *testing.T, l *Lab, c *Config) {
	truth, err := l.Truth(t.Context(), c)
	if err != nil {
		t.Errorf("%s: %v", c.Name, err)
		return
	}
	for _, s := range Scanners() {
		if !s.Speaks(c) {
			t.Logf("%s | %s: no STARTTLS in %s", c.Name, s.Name, c.StartTLS)
			continue
		}
		said, err := l.Asked(t.Context(), s, c, *anchors)
		if err != nil {
			t.Errorf("%s | %s: %v", c.Name, s.Name, err)
			continue
		}
		for _, d := range Compare(s.Name, l, c, said, truth) {
			t.Log("DIFF ", d)
		}
		if len(said.Alarms) > 0 {
			t.Logf("%s | %s: alarms %s", c.Name, s.Name, strings.Join(said.Alarms, ", "))
		}
	}
}
