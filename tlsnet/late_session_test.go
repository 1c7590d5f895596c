package tlsnet_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// seenSessions is a store that looks into what it keeps.
type seenSessions struct {
	*tlsnet.MemoryServerSessions
	mu   sync.Mutex
	seen []*tlscore.Session
}

func (s *seenSessions) Put(name, state []byte, until time.Time) error {
	session, err := tlscore.ParseSession(state[32:]) // behind what it is bound to
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.seen = append(s.seen, session)
	s.mu.Unlock()
	return s.MemoryServerSessions.Put(name, state, until)
}

// lateDelegated are configurations of a client that shows a delegated credential when it is asked after the handshake.
func lateDelegated(t *testing.T) (client, server *tlsnet.Config) {
	s := newSite(t)
	alice := mayDelegate(t, s.ca, s.ca.Client(pkitest.P256, "alice"))
	client, server = s.late()
	client.Identities = []tlsnet.Identity{{Chain: alice.Chain, Delegated: delegated(t, alice, tlscore.RoleClient)}}
	server.Core.DelegatedSchemes = tlscore.DelegatedSchemes()
	return client, server
}

// TestTicketsKeepNoLateCertificate: of its chain alone a session would outlive the delegated credential that came with it.
func TestTicketsKeepNoLateCertificate(t *testing.T) {
	client, server := lateDelegated(t)
	store := &seenSessions{MemoryServerSessions: tlsnet.NewMemoryServerSessions(0)}
	server.ServerSessions = store
	a, b := tcpPair(t)
	c, d := connected(t, client, server, a, b)
	got := reading(c)
	if p, err := d.RequestClientCertificate(t.Context()); err != nil || p.CommonName() != "alice" {
		t.Fatalf("%+v, %v", p, err)
	}
	mustWrite(t, d, "x") // tickets go behind it, unless they have gone before the answer
	d.Close()
	<-got
	store.mu.Lock()
	defer store.mu.Unlock()
	if len(store.seen) == 0 {
		t.Fatal("no ticket")
	}
	for i, s := range store.seen {
		if len(s.PeerChain) > 0 {
			t.Errorf("ticket %d: chain of %d, credential until %v, %v", i, len(s.PeerChain), s.DelegatedUntil, s.PeerScheme)
		}
	}
}

// TestVerifyPeerIsToldOfALateCertificate: what it judges by is that of the late certificate.
func TestVerifyPeerIsToldOfALateCertificate(t *testing.T) {
	client, server := lateDelegated(t)
	server.VerifyPeer = func(_ context.Context, p tlsnet.Peer, f tlscore.Facts) error {
		if len(f.PeerChain) != len(p.Raw) || f.PeerScheme == 0 {
			t.Errorf("chain of %d, %v", len(f.PeerChain), f.PeerScheme)
		}
		if f.PeerDelegation != nil {
			return errors.New("no delegated credentials")
		}
		return nil
	}
	a, b := tcpPair(t)
	c, d := connected(t, client, server, a, b)
	got := reading(c)
	if p, err := d.RequestClientCertificate(t.Context()); codeOf(err) != tlscore.CodeCertificateRejected {
		t.Errorf("%+v, %v", p, err)
	}
	if f := d.Facts(); len(f.PeerChain) > 0 || f.LateRequests != 0 {
		t.Error("facts of a certificate that was refused")
	}
	d.Close()
	<-got
}
