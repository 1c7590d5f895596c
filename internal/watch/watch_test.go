package watch

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/incident"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// certificate makes one that lives so many days, of which so many are left.
func certificate(name string, lifetime, leftDays float64) Certificate {
	end := now.Add(time.Duration(leftDays * float64(day)))
	return Certificate{Fingerprint: fmt.Sprintf("%s-%g-%g-0123456789abcdef", name, lifetime, leftDays), Subject: "CN=" + name, Issuer: "CN=Test CA", Names: []string{name}, Serial: "01",
		NotBefore: end.Add(-time.Duration(lifetime * float64(day))), NotAfter: end, Key: "ECDSA P-256", Pin: "pin-" + name, Signature: "ECDSA-SHA256"}
}

func authority(name string, leftDays float64) Certificate {
	c := certificate(name, 3650, leftDays)
	c.IsCA, c.Names = true, nil
	return c
}

// healthy is an observation without fault: leaf and intermediate are sent, the root completes the path.
func healthy() *Observation {
	leaf, middle, root := certificate("a.example", 90, 60), authority("Intermediate", 1000), authority("Root", 3000)
	root.SelfSigned = true
	return &Observation{Target: "a.example:443", Place: "192.0.2.1:443", Source: Served, At: now, Outcome: Answered, Version: "TLS 1.3", Suite: "TLS_AES_128_GCM_SHA256", Group: "X25519",
		Leaves: []Leaf{{Chain: []Certificate{leaf, middle}, Path: []Certificate{leaf, middle, root}, Trust: []Trust{{Store: "system", Trusted: true}}, Revocation: "good"}}}
}

func changedBy(change func(*Observation)) *Observation {
	o := healthy()
	change(o)
	return o
}

func kinds(v Verdict) string {
	var list []string
	for _, f := range v.Findings {
		list = append(list, f.Kind+" "+f.Severity.String())
	}
	return strings.Join(list, ", ")
}

// stateCase is an observation made from a healthy one, and what it is worth.
type stateCase struct {
	name   string
	change func(*Observation)
	policy Policy
	state  State
	kinds  string
}

func stateCases() []stateCase {
	leafLives := func(lifetime, rest float64) func(*Observation) {
		return func(o *Observation) {
			c := certificate("a.example", lifetime, rest)
			o.Leaves[0].Chain[0], o.Leaves[0].Path[0] = c, c
		}
	}
	return []stateCase{
		{name: "healthy", state: OK},
		{name: "29 days of 90", change: leafLives(90, 29), state: Warning, kinds: "expiry warning"},
		{name: "6 days of 90", change: leafLives(90, 6), state: Critical, kinds: "expiry critical"},
		{name: "over", change: leafLives(90, -1), state: Expired, kinds: "expiry emergency"},
		{name: "six-day certificates do not cry wolf", change: leafLives(6, 3), state: OK},
		{name: "nor do those of a day", change: leafLives(1, 0.5), state: OK},
		{name: "a six-day certificate that was not renewed", change: leafLives(6, 1.5), state: Warning, kinds: "expiry warning"},
		{name: "a six-day certificate at its end", change: leafLives(6, 0.5), state: Critical, kinds: "expiry critical"},
		{name: "thresholds in days", change: leafLives(90, 40), policy: Policy{Warning: Span{Time: 45 * day}}, state: Warning, kinds: "expiry warning"},
		{name: "thresholds as a share", change: leafLives(90, 40), policy: Policy{Warning: Span{Share: 0.5}}, state: Warning, kinds: "expiry warning"},
		{name: "renewal was due", change: leafLives(90, 40), policy: Policy{RenewBefore: 45 * day}, state: Warning, kinds: "renewal-overdue warning"},
		{name: "renewal is just due", change: leafLives(90, 44), policy: Policy{RenewBefore: 45 * day}, state: OK},
		{name: "from the future", change: leafLives(90, 95), state: Critical, kinds: "not-yet-valid critical"},
		{name: "an intermediate of the path ends", change: func(o *Observation) { o.Leaves[0].Path[1] = authority("Intermediate", 20) }, state: Warning, kinds: "path-expiry warning"},
		{name: "a cross-sign that nobody needs ends", change: func(o *Observation) {
			o.Leaves[0].Chain = append(o.Leaves[0].Chain, authority("Old cross-sign", -100))
		}, state: Warning, kinds: "sent-expiry warning"},
		{name: "another name", change: func(o *Observation) { o.Leaves[0].Name = "it is for b.example" }, state: Critical, kinds: "name critical"},
		{name: "incomplete, but browsers repair it", change: func(o *Observation) { o.Leaves[0].Incomplete, o.Leaves[0].Repairable = true, true }, state: Critical, kinds: "incomplete-chain critical"},
		{name: "one store of two", change: func(o *Observation) {
			o.Leaves[0].Trust = append(o.Leaves[0].Trust, Trust{Store: "java", Problem: "unknown root"})
		}, state: Warning, kinds: "untrusted warning"},
		{name: "one store of two that does not count", change: func(o *Observation) {
			o.Leaves[0].Trust = append(o.Leaves[0].Trust, Trust{Store: "java", Problem: "unknown root"})
		}, policy: Policy{Stores: []string{"system"}}, state: OK},
		{name: "an own CA, which others need not know", change: func(o *Observation) {
			o.Leaves[0].Trust = []Trust{{Store: "system", Problem: "unknown root"}, {Store: "own", Own: true, Trusted: true}}
		}, state: OK},
		{name: "an expired root in a bundle", change: func(o *Observation) {
			root := authority("Root", -100)
			root.SelfSigned, root.Weak = true, "SHA-1"
			o.Source, o.Leaves = Disk, []Leaf{{Chain: []Certificate{root}}}
		}, state: Warning, kinds: "expiry warning"},
		{name: "no store", change: func(o *Observation) { o.Leaves[0].Trust = []Trust{{Store: "system", Problem: "unknown root"}} }, state: Critical, kinds: "untrusted critical"},
		{name: "expired is not also untrusted", change: func(o *Observation) {
			leafLives(90, -1)(o)
			o.Leaves[0].Trust = []Trust{{Store: "system", Problem: "expired"}}
		}, state: Expired, kinds: "expiry emergency"},
		{name: "revoked", change: func(o *Observation) { o.Leaves[0].Revocation = "revoked" }, state: Critical, kinds: "revoked emergency"},
		{name: "a stale staple", change: func(o *Observation) {
			o.Leaves[0].Staple = &Staple{Status: "good", ThisUpdate: now.Add(-day), NextUpdate: now.Add(-time.Hour)}
		}, state: Warning, kinds: "staple warning"},
		{name: "a staple that nobody refreshes", change: func(o *Observation) {
			o.Leaves[0].Staple = &Staple{Status: "good", ThisUpdate: now.Add(-6*day - 22*time.Hour), NextUpdate: now.Add(2 * time.Hour)}
		}, state: Warning, kinds: "staple warning"},
		{name: "a fresh staple", change: func(o *Observation) {
			o.Leaves[0].Staple = &Staple{Status: "good", ThisUpdate: now.Add(-day), NextUpdate: now.Add(6 * day)}
		}, state: OK},
		{name: "no staple where one is demanded", change: func(o *Observation) { o.Leaves[0].MustStaple = true }, state: Critical, kinds: "staple critical"},
		{name: "a weak key", change: func(o *Observation) { o.Leaves[0].Chain[0].Weak = "RSA of 1024 bits" }, state: Warning, kinds: "weak warning"},
		{name: "the root's old signature does not matter", change: func(o *Observation) {
			root := authority("Root", 3000)
			root.SelfSigned, root.Weak = true, "SHA-1"
			o.Leaves[0].Chain = append(o.Leaves[0].Chain, root)
		}, state: OK},
		{name: "an issuer that is not expected", policy: Policy{Issuers: []string{"Other CA"}}, state: Critical, kinds: "unexpected-issuer critical"},
		{name: "an issuer that is", policy: Policy{Issuers: []string{"Test CA"}}, state: OK},
		{name: "two kinds of keys, one ends", change: func(o *Observation) {
			rsa := certificate("a.example", 90, 3)
			rsa.Key = "RSA 2048"
			o.Leaves = append(o.Leaves, Leaf{Chain: []Certificate{rsa}, Path: []Certificate{rsa}, Trust: []Trust{{Store: "system", Trusted: true}}})
		}, state: Critical, kinds: "expiry critical"},
		{name: "nobody listens", change: func(o *Observation) { o.Outcome, o.Leaves = Refused, nil }, state: Error, kinds: "unreachable critical"},
		{name: "a server that asks for a certificate", change: func(o *Observation) { o.AsksClient = true }, state: OK},
		{name: "a file that cannot be read", change: func(o *Observation) { o.Source, o.Outcome, o.Leaves = Disk, Unreadable, nil }, state: Error, kinds: "unreadable critical"},
		{name: "a CRL that has run out", change: func(o *Observation) {
			o.Leaves, o.Lists = nil, []List{{Issuer: "CN=CA", ThisUpdate: now.Add(-8 * day), NextUpdate: now.Add(-day)}}
		}, state: Expired, kinds: "crl emergency"},
		{name: "a CRL that is late", change: func(o *Observation) {
			o.Leaves, o.Lists = nil, []List{{Issuer: "CN=CA", ThisUpdate: now.Add(-7 * day), NextUpdate: now.Add(12 * time.Hour)}}
		}, state: Critical, kinds: "crl critical"},
		{name: "nothing at all", change: func(o *Observation) { o.Leaves = nil }, state: Unknown},
	}
}

func TestStates(t *testing.T) {
	for _, test := range stateCases() {
		t.Run(test.name, func(t *testing.T) {
			o := healthy()
			if test.change != nil {
				test.change(o)
			}
			v := Judge(o, nil, test.policy, now)
			if v.State != test.state || kinds(v) != test.kinds {
				t.Errorf("%v (%s), findings %q; want %v, %q", v.State, v.Reason, kinds(v), test.state, test.kinds)
			}
			if v.Reason == "" {
				t.Error("no reason is given")
			}
			for _, f := range v.Findings {
				if f.Title == "" || f.Subject == "" || f.Severity == incident.None {
					t.Errorf("a finding lacks something: %+v", f)
				}
			}
		})
	}
}

func TestThreeEndsAreToldApart(t *testing.T) {
	o := changedBy(func(o *Observation) {
		o.Leaves[0].Path[1] = authority("Intermediate", 50)
		o.Leaves[0].Chain = append(o.Leaves[0].Chain, authority("Old", 10))
	})
	v := Judge(o, nil, Policy{}, now)
	for _, end := range []struct {
		name string
		got  time.Time
		want float64
	}{{"leaf", v.Leaf, 60}, {"path", v.Path, 50}, {"sent", v.Sent, 10}} {
		if got := end.got.Sub(now).Hours() / 24; got != end.want {
			t.Errorf("the end of the %s is %g days away, want %g", end.name, got, end.want)
		}
	}
}

// While a server is down, the certificate that it had goes on running out.
func TestAnExpiryIsNotMaskedByAFailure(t *testing.T) {
	last := changedBy(func(o *Observation) {
		c := certificate("a.example", 90, -2)
		o.Leaves[0].Chain[0], o.Leaves[0].Path[0] = c, c
	})
	down := &Observation{Target: "a.example:443", Place: "192.0.2.1:443", Source: Served, Outcome: TimedOut}
	v := Judge(down, last, Policy{}, now)
	if v.State != Expired || kinds(v) != "expiry emergency, unreachable critical" || !strings.Contains(v.Reason, "could not be looked at") {
		t.Errorf("%v, %s: %s", v.State, kinds(v), v.Reason)
	}
}

func TestChangesAreTold(t *testing.T) {
	before := healthy()
	after := changedBy(func(o *Observation) {
		c := certificate("a.example", 90, 89)
		c.Issuer, c.Pin, c.Names = "CN=Another CA", "pin-new", []string{"a.example", "www.a.example"}
		o.Leaves[0].Chain[0] = c
		o.Version = "TLS 1.2"
	})
	var fields []string
	for _, c := range Diff(before, after) {
		fields = append(fields, c.Field)
		if c.Before == c.After {
			t.Errorf("%s has not changed", c.Field)
		}
	}
	want := []string{"certificate", "issuer", "key", "names", "valid until", "version"}
	if !slices.Equal(fields, want) {
		t.Errorf("changed are %v, want %v", fields, want)
	}
	if d := Diff(before, healthy()); len(d) != 0 {
		t.Errorf("nothing has changed, but %v", d)
	}
	down := &Observation{Outcome: Refused}
	if d := Diff(before, down); len(d) != 1 || d[0].Field != "outcome" {
		t.Errorf("a server that is down is told as %v", d)
	}
	both := changedBy(func(o *Observation) {
		c := certificate("a.example", 90, 50)
		c.Key = "RSA 2048"
		o.Leaves = append(o.Leaves, Leaf{Chain: []Certificate{c}})
	})
	if d := Diff(before, both); len(d) != 1 || d[0].Field != "RSA certificate" || d[0].Before != "none" {
		t.Errorf("a second kind of key is told as %v", d)
	}
}

func TestServedAndDiskAreCompared(t *testing.T) {
	file := func(c Certificate) *Observation {
		return &Observation{Target: "a", Place: "/etc/ssl/a.pem", Source: Disk, Outcome: Answered, Leaves: []Leaf{{Chain: []Certificate{c}}}}
	}
	server := func(place string, c Certificate) *Observation {
		return &Observation{Target: "a", Place: place, Source: Served, Outcome: Answered, Leaves: []Leaf{{Chain: []Certificate{c}}}}
	}
	older, newer := certificate("a", 90, 20), certificate("a", 90, 89)
	recently := map[string]time.Time{"/etc/ssl/a.pem": now.Add(-time.Minute)}
	known := map[string]bool{older.Fingerprint: true}
	for _, test := range []struct {
		name    string
		all     []*Observation
		known   map[string]bool
		changed map[string]time.Time
		want    string
	}{
		{name: "the same", all: []*Observation{file(newer), server("1", newer), server("2", newer)}},
		{name: "not reloaded", all: []*Observation{file(newer), server("1", older)}, want: KindNotReloaded},
		{name: "renewed a minute ago", all: []*Observation{file(newer), server("1", older)}, changed: recently},
		{name: "an older file beside", all: []*Observation{file(older), server("1", newer)}},
		{name: "not everywhere", all: []*Observation{server("1", newer), server("2", older)}, want: KindNotEverywhere},
		{name: "a stranger", all: []*Observation{server("1", newer)}, known: known, want: KindStranger},
		{name: "ours", all: []*Observation{server("1", older)}, known: known},
		{name: "ours by its file", all: []*Observation{file(newer), server("1", newer)}, known: known},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, f := range Agree("a", test.all, test.known, test.changed, Policy{}, now) {
				got = append(got, f.Kind)
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("found %v, want %q", got, test.want)
			}
		})
	}
}

func TestSpansAndStatesAreWritten(t *testing.T) {
	for span, want := range map[Span]string{{Time: 30 * day}: "30d", {Share: 0.25}: "25%", {Time: 36 * time.Hour, Share: 0.5}: "36h or 50%"} {
		if span.String() != want {
			t.Errorf("%v is written %q, want %q", span.Time, span, want)
		}
	}
	for s := OK; s <= Expired; s++ {
		text, _ := s.MarshalText()
		var back State
		if err := back.UnmarshalText([]byte(strings.ToLower(string(text)))); err != nil || back != s {
			t.Errorf("%s comes back as %v, %v", text, back, err)
		}
	}
	var s State
	if s.UnmarshalText([]byte("fine")) == nil {
		t.Error("an unknown state is read")
	}
	for d, want := range map[time.Duration]string{12 * day: "12 days", 36 * time.Hour: "36 hours", time.Hour: "1 hour", 90 * time.Second: "1 minute", 0: "0 minutes"} {
		if left(d) != want {
			t.Errorf("%v is written %q, want %q", d, left(d), want)
		}
	}
}
