package tlsnet_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// A dialer remembers the chains of servers that it verified, too. These tests meet a server, change one thing, and see it
// refused as if it had never been met.

// meeting is a dialer of full handshakes, and a server with a certificate for localhost alone.
type meeting struct {
	t    *testing.T
	d    *tlsnet.Dialer
	port string
	off  atomic.Int64 // the dialer's clock, from now
}

func newMeeting(t *testing.T) *meeting {
	s := newSite(t)
	s.server = s.ca.Server(pkitest.P256, "localhost")
	config := s.serverConfig()
	config.Core.NoTickets = true
	l := listen(t, config)
	go echo(l)
	m := &meeting{t: t}
	var err error
	if _, m.port, err = net.SplitHostPort(l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	c := &tlsnet.Config{Roots: s.ca.Roots(), Time: func() time.Time { return time.Now().Add(time.Duration(m.off.Load())) }}
	if m.d, err = tlsnet.NewDialer(c); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *meeting) dial(host string) error {
	c, err := m.d.Dial(context.Background(), "tcp4", net.JoinHostPort(host, m.port))
	if err == nil {
		if p := c.Peer(); !p.Verified() || p.Leaf != p.Chain[0] {
			m.t.Error("the peer is not told right")
		}
		c.Close()
	}
	return err
}

func (m *meeting) mustFail(host string, want pki.Reason) {
	m.t.Helper()
	var v *pki.VerifyError
	if err := m.dial(host); !errors.As(err, &v) || v.Reason != want {
		m.t.Fatalf("%v; want the reason %v", err, want)
	}
}

func TestRememberedServerIsJudgedByItsName(t *testing.T) {
	m := newMeeting(t)
	for range 2 { // once in full, once remembered
		if err := m.dial("localhost"); err != nil {
			t.Fatal(err)
		}
		m.mustFail("127.0.0.1", pki.ReasonNameMismatch)
	}
}

func TestRememberedServerIsRefusedOnceExpired(t *testing.T) {
	m := newMeeting(t)
	for range 2 {
		if err := m.dial("localhost"); err != nil {
			t.Fatal(err)
		}
	}
	m.off.Store(int64(100 * 365 * 24 * time.Hour))
	m.mustFail("localhost", pki.ReasonExpired)
	m.off.Store(0)
	if err := m.dial("localhost"); err != nil {
		t.Fatal(err)
	}
}
