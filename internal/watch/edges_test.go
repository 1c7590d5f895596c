package watch

import (
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/incident"
)

// What lies at the edge of the rules, each once judged wrongly.
func TestEdges(t *testing.T) {
	lives := func(lifetime, rest float64) func(*Observation) {
		return func(o *Observation) {
			c := certificate("a.example", lifetime, rest)
			o.Leaves[0].Chain[0], o.Leaves[0].Path[0] = c, c
		}
	}
	unneeded := func(leftDays float64) func(*Observation) {
		return func(o *Observation) {
			o.Leaves[0].Chain = append(o.Leaves[0].Chain, authority("Old cross-sign", leftDays))
		}
	}
	for _, test := range []stateCase{
		{name: "a CRL without an end beside a certificate", change: func(o *Observation) {
			o.Source, o.Lists = Disk, []List{{Issuer: "CN=CA", ThisUpdate: now.Add(-day)}}
		}, state: OK},
		{name: "a CRL without an end alone", change: func(o *Observation) {
			o.Source, o.Leaves, o.Lists = Disk, nil, []List{{Issuer: "CN=CA", ThisUpdate: now.Add(-day)}}
		}, state: OK},
		{name: "a store that was not asked", policy: Policy{Stores: []string{"system", "mozila"}}, state: Warning, kinds: "untrusted warning"},
		{name: "no store that was asked", policy: Policy{Stores: []string{"mozila"}}, state: Critical, kinds: "untrusted critical"},
		{name: "a share is not meant for a cross-sign of ten years", change: unneeded(200), policy: Policy{Critical: Span{Share: 0.1}}, state: OK},
		{name: "a renewal before the beginning is no renewal", change: lives(6, 4), policy: Policy{RenewBefore: 30 * day}, state: OK},
		{name: "nor does it keep one from being overdue", change: lives(6, 1.7), policy: Policy{RenewBefore: 30 * day, Warning: Span{Time: day}}, state: Warning, kinds: "renewal-overdue warning"},
		{name: "who is warned late is not alarmed before", change: lives(90, 5), policy: Policy{Warning: Span{Time: 4 * day}}, state: OK},
		{name: "but warned", change: lives(90, 3), policy: Policy{Warning: Span{Time: 4 * day}}, state: Warning, kinds: "expiry warning"},
		{name: "and alarmed", change: lives(90, 0.9), policy: Policy{Warning: Span{Time: 4 * day}}, state: Critical, kinds: "expiry critical"},
		{name: "no warning at all", change: lives(90, 1), policy: Policy{Warning: Span{Time: -1}, Critical: Span{Time: -1}}, state: OK},
		{name: "the end is told nevertheless", change: lives(90, -1), policy: Policy{Warning: Span{Time: -1}, Critical: Span{Time: -1}}, state: Expired, kinds: "expiry emergency"},
		{name: "a server that says itself that it is revoked", change: func(o *Observation) {
			o.Leaves[0].Revocation = ""
			o.Leaves[0].Staple = &Staple{Status: "revoked", ThisUpdate: now.Add(-day), NextUpdate: now.Add(6 * day)}
		}, state: Critical, kinds: "revoked emergency"},
		{name: "an answer for another certificate revokes nothing", change: func(o *Observation) {
			o.Leaves[0].Staple = &Staple{Status: "revoked", Problem: "it is for another certificate", ThisUpdate: now.Add(-day), NextUpdate: now.Add(6 * day)}
		}, state: Warning, kinds: "staple warning"},
		{name: "what begins tomorrow is not also untrusted", change: func(o *Observation) {
			lives(90, 95)(o)
			o.Leaves[0].Trust = []Trust{{Store: "system", Problem: "not yet valid"}}
		}, state: Critical, kinds: "not-yet-valid critical"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := healthy()
			if test.change != nil {
				test.change(o)
			}
			v := Judge(o, nil, test.policy, now)
			if v.State != test.state || kinds(v) != test.kinds || v.Reason == "" {
				t.Errorf("%v (%s), findings %q; want %v, %q", v.State, v.Reason, kinds(v), test.state, test.kinds)
			}
		})
	}
}

// The title of an incident is the same at every target that it concerns.
func TestTitlesDoNotNameOneTargetOfMany(t *testing.T) {
	titles := make(map[incident.Key]map[string]bool)
	for _, target := range []string{"one.example:443", "two.example:443"} {
		for _, test := range stateCases() {
			o := healthy()
			o.Target = target
			if test.change != nil {
				test.change(o)
			}
			for _, f := range Judge(o, nil, test.policy, now).Findings {
				if titles[f.Key] == nil {
					titles[f.Key] = make(map[string]bool)
				}
				if strings.Contains(f.Title, target) {
					titles[f.Key][target] = true
				}
			}
		}
	}
	for key, named := range titles {
		if len(named) > 1 {
			t.Errorf("%s has a title for each target", key.Kind)
		}
	}
}

func TestFoldersWithOtherCertificates(t *testing.T) {
	at := func(source Source, place string, c Certificate) *Observation {
		return &Observation{Target: "a", Place: place, Source: source, Outcome: Answered, Leaves: []Leaf{{Chain: []Certificate{c}}}}
	}
	served := certificate("www.example", 90, 20)
	wildcard, other, ca := certificate("*.example", 90, 80), certificate("shop.example", 90, 85), authority("New intermediate", 3600)
	newer := certificate("www.example", 90, 89)
	newer.Names = []string{"example", "WWW.example"}
	for _, test := range []struct {
		name string
		file Certificate
		want string
	}{
		{"another site's", other, ""},
		{"an intermediate", ca, ""},
		{"a wildcard for the name", wildcard, KindNotReloaded},
		{"the site's", newer, KindNotReloaded},
	} {
		var got []string
		for _, f := range Agree("a", []*Observation{at(Served, "1", served), at(Disk, "/etc/ssl/old.pem", served), at(Disk, "/etc/ssl/x.pem", test.file)}, nil, nil, Policy{}, now) {
			got = append(got, f.Kind)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s beside: found %v, want %q", test.name, got, test.want)
		}
	}
	// What another certificate that is newer still hides is found all the same.
	findings := Agree("a", []*Observation{at(Served, "1", served), at(Disk, "/etc/ssl/a.pem", wildcard), at(Disk, "/etc/ssl/b.pem", other)}, nil, nil, Policy{}, now)
	if len(findings) != 1 || !strings.Contains(findings[0].Text, "/etc/ssl/a.pem") {
		t.Errorf("found %+v", findings)
	}
}

func TestWhatHasRunOutIsSaidToHaveRunOut(t *testing.T) {
	o := changedBy(func(o *Observation) {
		o.Leaves[0].Chain = append(o.Leaves[0].Chain, authority("Old cross-sign", -100))
	})
	if v := Judge(o, nil, Policy{}, now); !strings.Contains(v.Reason, "has expired") {
		t.Errorf("it says %q", v.Reason)
	}
}

// What lies in any of the files is known, the one before last too.
func TestWhatLiesInAFileIsNoStranger(t *testing.T) {
	older, newer := certificate("a", 90, 80), certificate("a", 90, 85)
	at := func(source Source, place string, c Certificate) *Observation {
		return &Observation{Target: "a", Place: place, Source: source, Outcome: Answered, Leaves: []Leaf{{Chain: []Certificate{c}}}}
	}
	all := []*Observation{at(Served, "1", older), at(Disk, "/etc/ssl/old.pem", older), at(Disk, "/etc/ssl/new.pem", newer)}
	for _, f := range Agree("a", all, map[string]bool{}, nil, Policy{Reload: 100 * day}, now) {
		if f.Kind == KindStranger {
			t.Errorf("%s: %s", f.Title, f.Text)
		}
	}
}

// What a file held goes on running out while nobody can read it.
func TestAnExpiryIsNotMaskedByAFileThatCannotBeRead(t *testing.T) {
	last := changedBy(func(o *Observation) {
		c := certificate("a.example", 90, -2)
		o.Source, o.Place, o.Leaves = Disk, "/etc/ssl/a.pem", []Leaf{{Chain: []Certificate{c}}}
		o.Lists = []List{{Issuer: "CN=CA", ThisUpdate: now.Add(-8 * day), NextUpdate: now.Add(-day)}}
	})
	lost := &Observation{Target: "a", Place: "/etc/ssl/a.pem", Source: Disk, Outcome: Unreadable, Error: "permission denied"}
	v := Judge(lost, last, Policy{}, now)
	if v.State != Expired || kinds(v) != "expiry emergency, crl emergency, unreadable critical" || !strings.Contains(v.Reason, "could not be looked at") {
		t.Errorf("%v, %s: %s", v.State, kinds(v), v.Reason)
	}
	if v := Judge(lost, nil, Policy{}, now); v.State != Error || kinds(v) != "unreadable critical" {
		t.Errorf("%v, %s: %s", v.State, kinds(v), v.Reason)
	}
}

// An OCSP answer that was good when a server was last seen says nothing of it while it is down.
func TestNoAnswerRunsOutWhileItsServerIsDown(t *testing.T) {
	last := changedBy(func(o *Observation) {
		o.Leaves[0].MustStaple = true
		o.Leaves[0].Staple = &Staple{Status: "good", ThisUpdate: now.Add(-9 * day), NextUpdate: now.Add(-day)}
	})
	down := &Observation{Target: "a.example:443", Place: "192.0.2.1:443", Source: Served, Outcome: Refused}
	if v := Judge(down, last, Policy{}, now); v.State != Error || kinds(v) != "unreachable critical" {
		t.Errorf("%v, %s: %s", v.State, kinds(v), v.Reason)
	}
}
