package tlscore_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// stapledChain is an identity of three certificates, each with something of its own.
func stapledChain(t testing.TB) tlscore.Identity {
	t.Helper()
	id := selfSigned(t, p256(t), "a.example")
	for _, name := range []string{"intermediate", "root"} {
		id.Chain = append(id.Chain, selfSigned(t, p256(t), name).Chain[0])
	}
	id.Staple, id.SCTs = []byte("the leaf's"), [][]byte{[]byte("timestamp")}
	id.Above = []tlscore.Stapled{{Staple: []byte("the intermediate's")}, {SCTs: [][]byte{[]byte("another"), []byte("one more")}}}
	return id
}

// stapling is a link whose server asks for its OCSP responses, and is told these.
func stapling(t *testing.T, staples [][]byte, err error) *tlstest.Link {
	t.Helper()
	l := link(t, tlscore.Config{}, tlscore.Config{Identities: []tlscore.Identity{stapledChain(t)}, AskStaple: true})
	l.Server.Answer = func(q *tlscore.Question) tlscore.Answer {
		if q.Kind != tlscore.NeedStaple {
			return nil
		}
		return tlscore.Stapling{Staples: staples, Err: err}
	}
	return l
}

func TestEachCertificateComesWithItsStaple(t *testing.T) {
	id := stapledChain(t)
	for name, c := range map[string]struct {
		client, server tlscore.Config
		leaf           string
		above          []tlscore.Stapled
		scts           int
	}{
		"all":           {leaf: "the leaf's", above: id.Above, scts: 1},
		"no OCSP":       {client: tlscore.Config{NoOCSP: true}, above: []tlscore.Stapled{{}, id.Above[1]}, scts: 1},
		"no SCTs":       {client: tlscore.Config{NoSCTs: true}, leaf: "the leaf's", above: []tlscore.Stapled{id.Above[0], {}}},
		"neither":       {client: tlscore.Config{NoSCTs: true, NoOCSP: true}},
		"TLS 1.2":       {client: tlscore.Config{MaxVersion: wire.VersionTLS12}, leaf: "the leaf's", scts: 1},
		"TLS 1.2, none": {client: tlscore.Config{MaxVersion: wire.VersionTLS12, NoOCSP: true, NoSCTs: true}},
	} {
		c.server.Identities = []tlscore.Identity{id}
		l := link(t, c.client, c.server)
		if err := l.Handshake(); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		f := l.Client.Machine.Facts()
		if string(f.PeerStaple) != c.leaf || len(f.PeerSCTs) != c.scts || !reflect.DeepEqual(f.PeerAbove, c.above) {
			t.Errorf("%s: staple %q, %d SCTs, above %q", name, f.PeerStaple, len(f.PeerSCTs), f.PeerAbove)
		}
	}
}

// TestClientCertificatesComeWithStaples: a server asks for OCSP responses, but not for SCTs.
func TestClientCertificatesComeWithStaples(t *testing.T) {
	id := stapledChain(t)
	for _, silent := range []bool{false, true} {
		server := serverConfig(t)
		server.ClientAuth, server.NoOCSP = tlscore.RequireClientCert, silent
		l := link(t, tlscore.Config{Identities: []tlscore.Identity{id}}, server)
		var asked *tlscore.Question
		l.Server.Answer = func(q *tlscore.Question) tlscore.Answer {
			if q.Kind == tlscore.NeedVerify {
				asked = q
			}
			return nil
		}
		if err := l.Handshake(); err != nil {
			t.Fatal(err)
		}
		f := l.Server.Machine.Facts()
		want := []tlscore.Stapled{id.Above[0], {}}
		if silent {
			want = nil
		}
		if (string(f.PeerStaple) == "the leaf's") == silent || len(f.PeerSCTs) != 0 || !reflect.DeepEqual(f.PeerAbove, want) || !reflect.DeepEqual(asked.Above, want) {
			t.Errorf("silent %v: staple %q, %d SCTs, above %q", silent, f.PeerStaple, len(f.PeerSCTs), f.PeerAbove)
		}
	}
}

// TestStaplesMayBeLeftToTheCaller: who has AskStaple is asked once where the peer wants it, and not otherwise.
func TestStaplesMayBeLeftToTheCaller(t *testing.T) {
	given := [][]byte{[]byte("fresh"), nil, []byte("fresh for the third")}
	for name, c := range map[string]struct {
		client tlscore.Config
		leaf   string
		third  string
		asked  int
	}{
		"TLS 1.3":                        {leaf: "fresh", third: "fresh for the third", asked: 1},
		"TLS 1.2":                        {client: tlscore.Config{MaxVersion: wire.VersionTLS12}, leaf: "fresh", asked: 1},
		"a client that does not want it": {client: tlscore.Config{NoOCSP: true}},
		"after a retry":                  {client: tlscore.Config{KeyShares: []wire.Group{}}, leaf: "fresh", third: "fresh for the third", asked: 1},
	} {
		l := tlstest.New(compile(t, c.client), compile(t, tlscore.Config{Identities: []tlscore.Identity{stapledChain(t)}, AskStaple: true}), tlscore.Options{ServerName: "a.example"}, tlscore.Options{})
		asked := 0
		l.Server.Answer = func(q *tlscore.Question) tlscore.Answer {
			if q.Kind != tlscore.NeedStaple {
				return nil
			}
			asked++
			if len(q.Identity.Chain) != 3 || q.ServerName != "a.example" {
				t.Errorf("%s: asked for %q, with %d certificates", name, q.ServerName, len(q.Identity.Chain))
			}
			return tlscore.Stapling{Staples: given}
		}
		if err := l.Handshake(); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		f := l.Client.Machine.Facts()
		third := ""
		if len(f.PeerAbove) == 2 {
			third = string(f.PeerAbove[1].Staple)
		}
		if string(f.PeerStaple) != c.leaf || third != c.third || asked != c.asked {
			t.Errorf("%s: asked %d times, staple %q and %q", name, asked, f.PeerStaple, third)
		}
	}
	client := tlscore.Config{Identities: []tlscore.Identity{stapledChain(t)}, AskStaple: true}
	server := serverConfig(t)
	server.ClientAuth = tlscore.RequireClientCert
	l := link(t, client, server)
	l.Client.Answer = func(q *tlscore.Question) tlscore.Answer {
		if q.Kind != tlscore.NeedStaple {
			return nil
		}
		return tlscore.Stapling{Staples: given}
	}
	if err := l.Handshake(); err != nil || string(l.Server.Machine.Facts().PeerStaple) != "fresh" {
		t.Errorf("a client's: %v, %q", err, l.Server.Machine.Facts().PeerStaple)
	}
}

func TestStaplesThatCannotBeHad(t *testing.T) {
	for name, l := range map[string]*tlstest.Link{
		"an error":  stapling(t, nil, errors.New("no responder")),
		"too many":  stapling(t, make([][]byte, 4), nil),
		"too large": stapling(t, [][]byte{make([]byte, 48<<10)}, nil),
	} {
		err := l.Handshake()
		if !codeIs(l.Server.Err, tlscore.CodeStapleFailed) || !strings.Contains(l.Client.Err.Error(), "internal_error") {
			t.Errorf("%s: %v", name, err)
		}
	}
	none := stapling(t, nil, nil)
	if err := none.Handshake(); err != nil || none.Client.Machine.Facts().PeerStaple != nil {
		t.Errorf("declined: %v", err)
	}
	id := stapledChain(t)
	id.Above = append(id.Above, tlscore.Stapled{})
	if _, err := tlscore.Compile(tlscore.Config{Identities: []tlscore.Identity{id}}); err == nil || !strings.Contains(err.Error(), "above the leaf") {
		t.Errorf("one too many: %v", err)
	}
	id.Above = []tlscore.Stapled{{SCTs: [][]byte{nil}}}
	if _, err := tlscore.Compile(tlscore.Config{Identities: []tlscore.Identity{id}}); err == nil || !strings.Contains(err.Error(), "empty SCT") {
		t.Errorf("an empty SCT: %v", err)
	}
	id.Above = []tlscore.Stapled{{Staple: make([]byte, 48<<10)}}
	if _, err := tlscore.Compile(tlscore.Config{Identities: []tlscore.Identity{id}}); err == nil || !strings.Contains(err.Error(), "bytes") {
		t.Errorf("too large: %v", err)
	}
}

// TestStaplesNobodyAskedForAreRefused: with any certificate of the chain, from either side.
func TestStaplesNobodyAskedForAreRefused(t *testing.T) {
	for i := range 2 {
		for name, e := range map[string]wire.ExtensionView{
			"OCSP": &wire.CertificateStatus{Response: []byte("x")}, "SCTs": &wire.SCTs{List: [][]byte{[]byte("x")}},
		} {
			edit := func(kind wire.HandshakeType, raw []byte) []byte {
				if kind != wire.TypeCertificate {
					return raw
				}
				var msg wire.Certificate
				if err := msg.Parse(raw); err != nil {
					t.Fatal(err)
				}
				msg.Entries = append(msg.Entries, wire.CertificateEntry{Data: msg.Entries[0].Data})
				msg.Entries[i].Extensions.Add(e)
				return wire.AppendMessage(nil, &msg)
			}
			p := &tlstest.Puppet{Identity: selfSigned(t, ed(t)), Edit: edit}
			if o := p.Serve(tlscore.NewClient(compile(t, tlscore.Config{NoOCSP: true, NoSCTs: true}), tlscore.Options{})); !codeIs(o.Err, tlscore.CodeUnsupportedExtension) {
				t.Errorf("%s with certificate %d to a client: %v", name, i, o.Err)
			}
			server := serverConfig(t)
			server.ClientAuth, server.NoOCSP = tlscore.RequireClientCert, true
			p = &tlstest.Puppet{Identity: selfSigned(t, ed(t)), Edit: edit}
			if o := p.Connect(tlscore.NewServer(compile(t, server), tlscore.Options{})); !codeIs(o.Err, tlscore.CodeUnsupportedExtension) {
				t.Errorf("%s with certificate %d to a server: %v", name, i, o.Err)
			}
			// Asked for, but no OCSP response: its type is 9.
			broken := func(kind wire.HandshakeType, raw []byte) []byte {
				e, was := wire.Extension{Type: wire.ExtStatusRequest, Data: []byte{9, 0, 0, 1, 1}}, raw
				if kind != wire.TypeCertificate {
					return raw
				}
				var msg wire.Certificate
				if err := msg.Parse(was); err != nil {
					t.Fatal(err)
				}
				msg.Entries = append(msg.Entries, wire.CertificateEntry{Data: msg.Entries[0].Data})
				msg.Entries[i].Extensions = wire.Extensions{e}
				return wire.AppendMessage(nil, &msg)
			}
			p = &tlstest.Puppet{Identity: selfSigned(t, ed(t)), Edit: broken}
			if o := p.Serve(tlscore.NewClient(compile(t, tlscore.Config{}), tlscore.Options{})); !codeIs(o.Err, tlscore.CodeMalformed) {
				t.Errorf("a broken one with certificate %d: %v", i, o.Err)
			}
		}
	}
}
