package tlsnet_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// pinned is a client with pins; a single one stands alone.
func (s *site) pinned(pins ...pki.Pin) *tlsnet.Config {
	c := s.clientConfig()
	c.Pins, c.PinsAlone = pins, len(pins) == 1
	return c
}

func TestPinsAreInsistedOn(t *testing.T) {
	s := newSite(t)
	addr := served(t, s.serverConfig())
	other := pkitest.New(t, pkitest.P256).Server(pkitest.P256).Certificate
	for name, c := range map[string]struct {
		pins []pki.Pin
		ok   bool
	}{
		"the leaf's key":           {[]pki.Pin{pki.PinSPKI(s.server.Certificate)}, true},
		"the leaf itself":          {[]pki.Pin{pki.PinCertificate(s.server.Certificate)}, true},
		"an intermediate's key":    {[]pki.Pin{pki.PinSPKI(s.ca.Intermediate)}, true},
		"an intermediate itself":   {[]pki.Pin{pki.PinCertificate(s.ca.Intermediate)}, true},
		"the root's key":           {[]pki.Pin{pki.PinSPKI(s.ca.Root)}, true},
		"a key, and its backup":    {[]pki.Pin{pki.PinSPKI(other), pki.PinSPKI(s.server.Certificate)}, true},
		"another key":              {[]pki.Pin{pki.PinSPKI(other)}, false},
		"another certificate":      {[]pki.Pin{pki.PinCertificate(other)}, false},
		"two others":               {[]pki.Pin{pki.PinCertificate(other), pki.PinSPKI(other)}, false},
		"a key as a certificate's": {[]pki.Pin{{Kind: pki.PinKindCertificate, SHA256: pki.PinSPKI(s.server.Certificate).SHA256}}, false},
	} {
		conn, err := tlsnet.Dial(t.Context(), "tcp", addr, s.pinned(c.pins...))
		if err == nil {
			chat(t, conn)
			conn.Close()
		}
		var why *pki.VerifyError
		switch {
		case c.ok && err != nil:
			t.Errorf("%s: %v", name, err)
		case !c.ok && (!errors.As(err, &why) || why.Reason != pki.ReasonPin || !strings.Contains(why.Text, pki.PinSPKI(s.server.Certificate).String())):
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPinsComeOnTopOfVerification(t *testing.T) {
	s := newSite(t)
	stranger := s.ca.Stranger().Server(pkitest.P256)
	strange := s.serverConfig()
	strange.Identities = []tlsnet.Identity{identity(stranger)}
	_, err := tlsnet.Dial(t.Context(), "tcp", served(t, strange), s.pinned(pki.PinSPKI(stranger.Certificate)))
	var why *pki.VerifyError
	if !errors.As(err, &why) || why.Reason != pki.ReasonUnknownAuthority {
		t.Errorf("pinned, and not trusted: %v", err)
	}
}

// A server may send any certificates behind its own: only what leads to a root, or the leaf, can be pinned.
func TestPinnedCertificatesOfOthersCountForNothing(t *testing.T) {
	s := newSite(t)
	other := pkitest.New(t, pkitest.P256)
	decorated := s.serverConfig()
	id := identity(s.server)
	id.Chain = append(append([][]byte(nil), id.Chain...), other.Intermediate.Raw)
	decorated.Identities = []tlsnet.Identity{id}
	addr := served(t, decorated)
	if _, err := tlsnet.Dial(t.Context(), "tcp", addr, s.pinned(pki.PinSPKI(other.Intermediate))); err == nil {
		t.Error("a certificate beside the chain was taken for one of it")
	}
	insecure := s.pinned(pki.PinSPKI(s.ca.Intermediate))
	insecure.Insecure, insecure.Roots = true, other.Roots()
	if _, err := tlsnet.Dial(t.Context(), "tcp", addr, insecure); err == nil {
		t.Error("without verification, a CA's pin was enough")
	}
	insecure.Pins = pki.PinSet{pki.PinSPKI(s.server.Certificate)}
	c, err := tlsnet.Dial(t.Context(), "tcp", addr, insecure)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestUnpinnedServerLearnsNothingOfTheClient(t *testing.T) {
	s := newSite(t)
	a, b := tcpPair(t)
	cc := s.pinned(pki.PinSPKI(s.client.Certificate))
	cc.Identities = []tlsnet.Identity{identity(s.client)}
	client, server := ends(t, cc, s.mutual(), a, b)
	done := make(chan error, 1)
	go func() { done <- server.HandshakeContext(t.Context()) }()
	if err := client.Handshake(); err == nil {
		t.Fatal("connected")
	}
	var te *tlscore.Error
	err := <-done
	if !errors.As(err, &te) {
		t.Fatal(err)
	}
	if alert, _ := te.Alert(); alert != wire.AlertCertificateUnknown || len(server.Peer().Raw) > 0 {
		t.Errorf("alert %v, the client's certificates: %d", alert, len(server.Peer().Raw))
	}
}

func TestPinsHoldForResumedSessions(t *testing.T) {
	s := newSite(t)
	addr := served(t, s.serverConfig())
	var shared tlsnet.SessionStore = tlsnet.NewMemorySessions(0)
	cc := s.pinned(pki.PinSPKI(s.server.Certificate))
	cc.Sessions = shared
	who := newVisitor(t, cc)
	for i := range 2 {
		if f := who.visit(addr); f.Resumed != (i > 0) {
			t.Errorf("%d: resumed %v", i, f.Resumed)
		}
	}
	unpinned := s.clientConfig()
	shared = careless{tlsnet.NewMemorySessions(0)}
	unpinned.Sessions = shared
	newVisitor(t, unpinned).visit(addr)
	if f := newVisitor(t, unpinned).visit(addr); !f.Resumed {
		t.Fatal("the store gives nothing away")
	}
	for _, insecure := range []bool{false, true} {
		strict := s.pinned(pki.PinSPKI(s.client.Certificate))
		strict.Sessions, strict.Insecure = shared, insecure
		if _, err := tlsnet.Dial(t.Context(), "tcp", addr, strict); err == nil {
			t.Error("a session of others let a server in that is not pinned")
		}
	}
}

// careless is a store that gives anybody's sessions to anybody.
type careless struct{ tlsnet.SessionStore }

func (c careless) Put(_ string, s *tlscore.Session)    { c.SessionStore.Put("", s) }
func (c careless) Take(string) *tlscore.Session        { return c.SessionStore.Take("") }
func (c careless) Remove(_ string, s *tlscore.Session) { c.SessionStore.Remove("", s) }

func TestPinsWithoutBackupAreRefused(t *testing.T) {
	s := newSite(t)
	one, two := pki.PinSPKI(s.server.Certificate), pki.PinSPKI(s.client.Certificate)
	for name, c := range map[string]struct {
		pins  pki.PinSet
		alone bool
		want  string
	}{
		"one":               {pki.PinSet{one}, false, "nothing to fall back to"},
		"one, and again":    {pki.PinSet{one, one}, false, "nothing to fall back to"},
		"one, said so":      {pki.PinSet{one}, true, ""},
		"two":               {pki.PinSet{one, two}, false, ""},
		"two, said alone":   {pki.PinSet{one, two}, true, "there are 2"},
		"none, said alone":  {nil, true, "there are 0"},
		"more than anybody": {many(257), false, "more than the limit"},
	} {
		cc := s.clientConfig()
		cc.Pins, cc.PinsAlone = c.pins, c.alone
		_, err := tlsnet.NewDialer(cc)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	sc := s.serverConfig()
	sc.Pins = pki.PinSet{one, two}
	if _, err := tlsnet.Listen("tcp", "127.0.0.1:0", sc); err == nil {
		t.Error("a server took pins that it does not look at")
	}
}

func many(n int) (pins pki.PinSet) {
	for i := range n {
		pins = append(pins, pki.Pin{SHA256: [32]byte{byte(i), byte(i >> 8)}})
	}
	return pins
}
