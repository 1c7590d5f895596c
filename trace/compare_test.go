package trace_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/trace"
	"github.com/tlswright/tlswright/wire"
)

// recorded makes a handshake and returns what the client recorded.
func recorded(t testing.TB, client, server tlscore.Config) *trace.Recording {
	t.Helper()
	w := watch(t, client, server, tlscore.Options{})
	if err := w.Handshake(); err != nil {
		t.Fatal(err)
	}
	return decode(t, w.client.Capture())
}

func bothVersions(t testing.TB) (old, new *trace.Recording) {
	t.Helper()
	server := serverConfig(t)
	return recorded(t, tlscore.Config{MaxVersion: wire.VersionTLS12, ALPN: []string{"h2"}}, server), recorded(t, tlscore.Config{ALPN: []string{"h2"}}, server)
}

func TestThirteenPoints(t *testing.T) {
	old, new := bothVersions(t)
	for _, c := range []*trace.Comparison{trace.Compare(old, new), trace.Compare(new, old)} {
		if len(c.Points) != 13 {
			t.Fatalf("%d points", len(c.Points))
		}
		for i, p := range c.Points {
			if p.Number != i+1 || p.Feature == "" || p.Rule12 == "" || p.Rule13 == "" || p.Shown12 == "" || p.Shown13 == "" || p.Why == "" || p.Section == "" {
				t.Errorf("a point has gaps: %+v", p)
			}
			// A connection without early data cannot show it.
			if !p.Shows && p.Number != 2 {
				t.Errorf("the recordings do not show point %d, %s: %s; %s", p.Number, p.Feature, p.Shown12, p.Shown13)
			}
		}
	}
	if c := trace.Compare(new, old); !c.Swapped {
		t.Error("the columns of the points are not by version")
	}
}

func TestPointsDoNotNeedSecrets(t *testing.T) {
	old, new := bothVersions(t)
	for i, p := range trace.LessonPoints(old.WithoutSecrets(), new.WithoutSecrets()) {
		if !p.Shows && i != 1 {
			t.Errorf("point %d, %s: %s; %s", p.Number, p.Feature, p.Shown12, p.Shown13)
		}
	}
}

func TestCompareWithItself(t *testing.T) {
	_, r := bothVersions(t)
	for _, d := range trace.Compare(r, r).Parts {
		if d.Differs || d.Matters {
			t.Errorf("%s differs from itself: %+v", d.Part, d)
		}
	}
}

func TestCompareSaysWhatMatters(t *testing.T) {
	server := serverConfig(t)
	hybrid := recorded(t, tlscore.Config{Groups: []wire.Group{wire.GroupX25519MLKEM768, wire.GroupX25519}}, server)
	plain := recorded(t, tlscore.Config{Groups: []wire.Group{wire.GroupX25519}}, server)
	parts := map[string]trace.Difference{}
	for _, d := range trace.Compare(hybrid, plain).Parts {
		parts[d.Part] = d
	}
	if d := parts["group"]; !d.Matters || !strings.Contains(d.Meaning, "quantum") {
		t.Errorf("group: %+v", d)
	}
	if d := parts["server's certificate"]; d.Differs {
		t.Errorf("the same certificate differs: %+v", d)
	}
	if d := parts["version"]; d.Differs {
		t.Errorf("version: %+v", d)
	}
	if d := parts["JA4"]; d.One == "" || d.One != d.Other && d.Matters {
		t.Errorf("JA4: %+v", d)
	}
}

func TestRoundTrips(t *testing.T) {
	old, new := bothVersions(t)
	retried := recorded(t, tlscore.Config{Groups: []wire.Group{wire.GroupX25519, wire.GroupSecp384r1}}, func() tlscore.Config {
		c := serverConfig(t)
		c.Groups = []wire.Group{wire.GroupSecp384r1}
		return c
	}())
	for _, c := range []struct {
		name string
		r    *trace.Recording
		want int
	}{{"TLS 1.2", old, 2}, {"TLS 1.3", new, 1}, {"with HelloRetryRequest", retried, 2}} {
		if got, known := c.r.RoundTrips(); !known || got != c.want {
			t.Errorf("%s: %d round trips (%v), want %d", c.name, got, known, c.want)
		}
	}
}

// sights gives what is seen and what is hidden, by name.
func sights(t *testing.T, r *trace.Recording) (seen, hidden map[string]trace.Sight, all string) {
	t.Helper()
	v, err := r.OnPath()
	if err != nil {
		t.Fatal(err)
	}
	seen, hidden = map[string]trace.Sight{}, map[string]trace.Sight{}
	for _, s := range v.Seen {
		seen[s.What] = s
	}
	for _, s := range v.Hidden {
		hidden[s.What] = s
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return seen, hidden, string(text)
}

func TestPathSeesTheCertificateInTLS12Only(t *testing.T) {
	old, new := bothVersions(t)
	seen, _, text := sights(t, old)
	if s := seen["the server's certificate"]; !strings.Contains(s.Value, "CN=test") {
		t.Errorf("TLS 1.2: %+v in %s", s, text)
	}
	seen, hidden, text := sights(t, new)
	if s, ok := seen["the server's certificate"]; ok {
		t.Errorf("TLS 1.3: %+v", s)
	}
	if _, ok := hidden["the server's certificate"]; !ok || strings.Contains(text, "CN=test") {
		t.Errorf("TLS 1.3: %s", text)
	}
}

func TestPathSeesTheName(t *testing.T) {
	_, new := bothVersions(t)
	seen, _, text := sights(t, new)
	for what, value := range map[string]string{
		"server name (SNI)": "a.example", "protocols offered (ALPN)": "h2", "DNS lookup": "a.example",
		"addresses and ports": "192.0.2.1:50000 to 192.0.2.2:443", "the program, by its hello": "JA4 t13d",
	} {
		if !strings.Contains(seen[what].Value, value) || seen[what].Where == "" {
			t.Errorf("%s: %+v", what, seen[what])
		}
	}
	for _, measure := range []string{"Encrypted Client Hello", "encrypted DNS", "DNSSEC hides nothing", "Tor", "IPsec"} {
		if !strings.Contains(text, measure) {
			t.Errorf("%s is not named", measure)
		}
	}
}

// TestPathSeesNoSecrets holds the view against everything that only the two sides know.
func TestPathSeesNoSecrets(t *testing.T) {
	for _, r := range func() []*trace.Recording { a, b := bothVersions(t); return []*trace.Recording{a, b} }() {
		_, _, text := sights(t, r)
		for _, k := range r.Keys {
			if len(k.Output) >= 12 && strings.Contains(text, k.Output.String()) {
				t.Errorf("%s is in the view", k.Name)
			}
		}
		if !r.HasSecrets {
			t.Error("there were no secrets to look for")
		}
	}
}

// FuzzWhatIsSaid holds that nothing on the wire is too odd to be looked at from the path, or to be compared.
func FuzzWhatIsSaid(f *testing.F) {
	old, new := bothVersions(f)
	for _, r := range []*trace.Recording{old, new} {
		var from [2][]byte
		for _, rec := range r.Records {
			at := 0
			if rec.From == trace.Server {
				at = 1
			}
			from[at] = append(from[at], rec.Raw...)
		}
		f.Add(from[0], from[1])
	}
	f.Fuzz(func(t *testing.T, client, server []byte) {
		r := decode(t, &trace.Capture{Segments: []trace.Segment{{From: trace.Client, Data: client}, {From: trace.Server, Data: server}}})
		if _, err := r.OnPath(); err != nil {
			t.Fatal(err)
		}
		for _, d := range trace.Compare(r, r).Parts {
			if d.Differs {
				t.Errorf("%s differs from itself", d.Part)
			}
		}
		trace.Compare(r, old)
		trace.LessonPoints(r, new)
		r.Fingerprints()
	})
}
