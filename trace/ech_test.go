package trace_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/trace"
	"github.com/tlswright/tlswright/wire"
)

func echKey(t testing.TB) (key tlscore.ECHKey, list []byte) {
	t.Helper()
	key, err := tlscore.GenerateECHKey(wire.ECHConfig{PublicName: "public.example", ConfigID: 7})
	if err != nil {
		t.Fatal(err)
	}
	if list, err = tlscore.ECHConfigList(key); err != nil {
		t.Fatal(err)
	}
	return key, list
}

// TestAnEncryptedHelloIsToldWhole decodes connections with Encrypted ClientHello with the secrets of either end: every byte
// is named, every check comes out right, and the inner hello is shown, but never without secrets.
func TestAnEncryptedHelloIsToldWhole(t *testing.T) {
	for name, c := range map[string]struct {
		retry, early, resumed, rejected bool
		hellos                          int
	}{
		"accepted":                  {hellos: 1},
		"accepted after retry":      {retry: true, hellos: 2},
		"resumed":                   {resumed: true, hellos: 1},
		"resumed after retry":       {resumed: true, retry: true, hellos: 2},
		"early data":                {resumed: true, early: true, hellos: 1},
		"rejected":                  {rejected: true, hellos: 1},
		"rejected behind the retry": {rejected: true, retry: true, hellos: 1},
	} {
		t.Run(name, func(t *testing.T) {
			key, list := echKey(t)
			server := serverConfig(t)
			server.ECHKeys, server.RetryAlways, server.MinVersion = []tlscore.ECHKey{key}, c.retry, wire.VersionTLS13
			server.AskSession, server.MaxEarlyData = true, 1000
			if c.rejected {
				_, list = echKey(t)
				server.Identities = []tlscore.Identity{selfSigned(t, "ed25519", "public.example")}
			}
			o := tlscore.Options{ECHConfigList: list}
			var known *tlscore.Session
			if c.resumed {
				w := watch(t, tlscore.Config{}, server, o)
				if err := w.Handshake(); err != nil {
					t.Fatal(err)
				}
				o.Session, known = w.ticket(t)
				o.EarlyData = c.early
			}
			w := watch(t, tlscore.Config{}, server, o)
			w.Server.Answer = func(q *tlscore.Question) tlscore.Answer {
				switch q.Kind {
				case tlscore.NeedSession:
					return tlscore.Found{Session: known}
				case tlscore.NeedFresh:
					return tlscore.Fresh(true)
				}
				return nil
			}
			if err := w.Start(); err != nil {
				t.Fatal(err)
			}
			if c.early {
				_, out, err := w.Client.Machine.SealEarly([]byte("early"), nil)
				if err != nil {
					t.Fatal(err)
				}
				w.Carry(w.Client, out)
			}
			if err := w.Run(); (err != nil) != c.rejected {
				t.Fatal(err)
			}
			if !c.rejected {
				w.talk(t)
				w.close(t)
			}
			ends := map[*tlstest.End]*trace.Recording{w.Client: decode(t, w.client.Capture()), w.Server: decode(t, w.server.Capture())}
			for e, r := range ends {
				whole(t, r)
				allRight(t, r)
				shown := 0
				for i := range r.Messages {
					m := &r.Messages[i]
					if len(m.Inner) == 0 {
						continue
					}
					shown++
					end := 0
					for _, f := range m.InnerFields {
						if f.Offset != end || f.Length <= 0 {
							t.Errorf("field %s at %d, expected at %d", f.Path, f.Offset, end)
						}
						end = f.Offset + f.Length
					}
					if end != len(m.Inner) || !bytes.Contains(m.Inner, []byte("a.example")) {
						t.Errorf("the fields end at %d of %d bytes", end, len(m.Inner))
					}
				}
				if want := c.hellos; shown != want && !(c.rejected && e == w.Server && shown == 0) {
					t.Errorf("%d inner hellos are shown, not %d", shown, want)
				}
				confirmed := slices.ContainsFunc(r.Checks, func(c trace.Check) bool { return c.Name == "ECH confirmation" })
				if confirmed == c.rejected {
					t.Errorf("the confirmation was checked: %v", confirmed)
				}
				sameTwice(t, r)
				text, err := json.Marshal(r.WithoutSecrets().Messages)
				if err != nil || strings.Contains(string(text), "612e6578616d706c65") && c.rejected || strings.Contains(string(text), `"inner`) {
					t.Errorf("%v: without secrets there is an inner hello", err)
				}
			}
		})
	}
}

// hiddenScenes are connections with Encrypted ClientHello that was accepted, and with GREASE in its place.
func hiddenScenes() []scene {
	grease := tlscore.Config{ECHGrease: true}
	return []scene{
		{name: "ECH", live: true, play: hiding(tlscore.Config{}, tlscore.Config{})},
		{name: "ECH after retry", live: true, play: hiding(tlscore.Config{}, tlscore.Config{RetryAlways: true}), want: trace.Summary{HelloRetry: true}},
		{name: "ECH and a client certificate", live: true, play: func(t *testing.T) *watched {
			own := []tlscore.Identity{selfSigned(t, "ed25519", "client")}
			return hiding(tlscore.Config{Identities: own}, tlscore.Config{ClientAuth: tlscore.RequireClientCert})(t)
		}, want: trace.Summary{ClientAuth: true}},
		{name: "GREASE of ECH", play: plain(grease, tlscore.Config{})},
		{name: "GREASE of ECH after retry", play: plain(grease, tlscore.Config{RetryAlways: true}), want: trace.Summary{HelloRetry: true}},
	}
}

// hiding plays a connection whose ClientHello is encrypted.
func hiding(client, server tlscore.Config) func(t *testing.T) *watched {
	return func(t *testing.T) *watched {
		key, list := echKey(t)
		c, s := client, server
		s.Identities, s.ECHKeys, s.MinVersion = serverConfig(t).Identities, []tlscore.ECHKey{key}, wire.VersionTLS13
		w := watch(t, c, s, tlscore.Options{ECHConfigList: list})
		if err := w.Handshake(); err != nil {
			t.Fatal(err)
		}
		w.talk(t)
		w.close(t)
		return w
	}
}

// closed checks that what cannot be opened is said to be that, and nothing to be wrong.
func closed(t *testing.T, r *trace.Recording) {
	t.Helper()
	protected := 0
	for i := range r.Records {
		rec := &r.Records[i]
		if rec.Opened || rec.Problem != "" && rec.Problem != "no secret for it is at hand" {
			t.Errorf("record %d of the %s: opened %v: %s", rec.ID, rec.From, rec.Opened, rec.Problem)
		}
		if rec.Problem != "" {
			protected++
		}
	}
	for _, c := range r.Checks {
		if c.Result == "wrong" {
			t.Errorf("%s: %s", c.Name, c.Text)
		}
	}
	if protected == 0 || r.Failure == nil || !strings.Contains(r.Failure.Text, "cannot be opened here") || r.Summary.ServerName != "public.example" {
		t.Errorf("%d records are protected; %+v; %+v", protected, r.Summary.ServerName, r.Failure)
	}
}
