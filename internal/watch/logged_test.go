package watch

import (
	"strings"
	"testing"
	"time"
)

// inLog is a certificate in a log.
func inLog(name, issuer string, at time.Time, l Logging) *Observation {
	c := Certificate{Fingerprint: "f" + name, Subject: "CN=" + name, Issuer: issuer, Names: []string{name}, Serial: "5e" + name, NotBefore: at, NotAfter: at.Add(90 * day), Key: "ECDSA P-256"}
	l.At = at
	return &Observation{Place: "a log", Source: Logged, Outcome: Answered, Leaves: []Leaf{{Chain: []Certificate{c}, Logged: &l}}}
}

func TestForeignCertificatesAreTold(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	late := now.Add(-2 * time.Hour)
	for _, c := range []struct {
		name   string
		o      *Observation
		known  map[string]bool
		policy Policy
		want   string
	}{
		{"unknown", inLog("a", "CN=X", late, Logging{}), nil, Policy{}, "issued by somebody else: CN=X"},
		{"just now", inLog("a", "CN=X", now.Add(-time.Minute), Logging{}), nil, Policy{}, ""},
		{"known", inLog("a", "CN=X", late, Logging{}), map[string]bool{"CN=X 5ea": true}, Policy{}, ""},
		{"expected", inLog("a", "CN=X", now, Logging{}), nil, Policy{Issuers: []string{"CN=X"}}, ""},
		{"not expected", inLog("a", "CN=X", now, Logging{Precertificate: true}), nil, Policy{Issuers: []string{"CN=Y"}}, "somebody else"},
		{"ended", inLog("a", "CN=X", now.Add(-91*day), Logging{}), nil, Policy{}, ""},
		{"unreadable", inLog("a", "CN=Y", late, Logging{Unreadable: true}), nil, Policy{Issuers: []string{"CN=Y"}}, "cannot be read"},
	} {
		list := AgreeLogged("ct", []*Observation{c.o, c.o}, c.known, c.policy, now)
		switch {
		case c.want == "" && len(list) == 0:
		case len(list) != 1 || c.want == "" || !strings.Contains(list[0].Title, c.want):
			t.Errorf("%s: %+v, want %q", c.name, list, c.want)
		}
	}
	for outcome, want := range map[Outcome]State{Answered: OK, Caught: Critical, TimedOut: Warning} {
		o := inLog("a", "CN=X", now.Add(-200*day), Logging{})
		o.Outcome = outcome
		if v := Judge(o, nil, Policy{}, now); v.State != want {
			t.Errorf("%s: %v (%s), want %v", outcome, v.State, v.Reason, want)
		}
	}
}
