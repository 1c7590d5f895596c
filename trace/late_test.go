package trace_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/trace"
	"github.com/tlswright/tlswright/wire"
)

// late plays a connection whose client is asked for a certificate three times after the handshake: between key updates, by
// two requests at once, and when it has none to show.
func late(t *testing.T) func(t *testing.T) *watched {
	client, server := compressing(t)
	server.ClientAuth, server.PostHandshakeAuth, client.PostHandshakeAuth = tlscore.NoClientCert, true, true
	client.AskIdentity = true
	server.Identities = serverConfig(t).Identities
	return func(t *testing.T) *watched {
		w := watch(t, client, server, tlscore.Options{})
		times := 0
		w.Client.Answer = func(q *tlscore.Question) tlscore.Answer {
			if q.Kind != tlscore.NeedIdentity {
				return nil
			}
			if times++; times == 4 {
				return tlscore.Chosen{}
			}
			return tlscore.Chosen{Identity: &client.Identities[0]}
		}
		if err := w.Handshake(); err != nil {
			t.Fatal(err)
		}
		ask := func() {
			_, out, err := w.Server.Machine.RequestCertificate(nil)
			if err != nil {
				t.Fatal(err)
			}
			w.Carry(w.Server, out)
		}
		run := func() {
			if err := w.Run(); err != nil {
				t.Fatal(err)
			}
		}
		ask()
		run()
		w.renew(t, w.Client, true)
		w.talk(t)
		ask()
		ask()
		run()
		w.renew(t, w.Server, true)
		ask()
		run()
		w.talk(t)
		w.close(t)
		return w
	}
}

// TestLateCertificatesAreChecked looks that each answer's signature and MAC are computed anew, in each kind of recording,
// and that a changed one is found wrong.
func TestLateCertificatesAreChecked(t *testing.T) {
	w := late(t)(t)
	client := decode(t, w.client.Capture())
	for _, r := range []*trace.Recording{client, decode(t, w.server.Capture()), decode(t, offline(client))} {
		right := map[string]int{}
		for _, c := range r.Checks {
			if c.Result == "right" {
				right[c.Name]++
			} else if strings.Contains(c.Section, "4.6.2") {
				t.Errorf("%+v", c)
			}
		}
		if right["client CertificateVerify"] != 3 || right["client Finished"] != 5 {
			t.Errorf("%v", right)
		}
		meant := 0
		for i := range r.Messages {
			if strings.Contains(r.Messages[i].Meaning, "after the handshake") {
				meant++
			}
		}
		if meant != 4+4+3+4 {
			t.Errorf("%d messages are said to come after the handshake", meant)
		}
	}
}

// TestForgedLateMessagesAreFound by the check that is computed anew, as the machine finds them.
func TestForgedLateMessagesAreFound(t *testing.T) {
	for kind, name := range map[wire.HandshakeType]string{wire.TypeCertificateVerify: "client CertificateVerify", wire.TypeFinished: "client Finished"} {
		server := serverConfig(t)
		server.PostHandshakeAuth = true
		rec := trace.NewRecorder(trace.Server, trace.Endpoint{}, trace.Endpoint{}, clock())
		m := tlscore.NewServer(compile(t, server), tlscore.Options{Observer: rec, Secrets: rec})
		p := tlstest.Puppet{Identity: selfSigned(t, "ecdsa", "client"), Late: true}
		if o := p.Connect(m); !o.Done {
			t.Fatal(o.Err)
		}
		_, out, err := m.RequestCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		p.Edit = func(k wire.HandshakeType, raw []byte) []byte {
			if k == kind {
				raw[len(raw)-1] ^= 1
			}
			return raw
		}
		if o := p.AnswerLate(m, out, nil); o.Err == nil {
			t.Fatal("the machine takes it")
		}
		r := decode(t, rec.Capture())
		i := slices.IndexFunc(r.Checks, func(k trace.Check) bool { return k.Result == "wrong" })
		if i < 0 || r.Checks[i].Name != name || !strings.Contains(r.Checks[i].Section, "4.6.2") {
			t.Errorf("no check of the late %s is wrong", name)
		}
	}
}
