package tlsnet_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// Whoever was verified once is remembered, so that the second time costs less. These tests let a client in, change one
// thing, and see it refused as if it had never been there.

// returning is a listener that a client was let in by, and whose clock can be set.
type returning struct {
	*site
	t   *testing.T
	l   *tlsnet.Listener
	off atomic.Int64 // the clock, from now
}

func newReturning(t *testing.T, change func(*tlsnet.Config)) *returning {
	a := &returning{site: newSite(t), t: t}
	c := a.config()
	if change != nil {
		change(c)
	}
	a.l = listen(t, c)
	return a
}

func (a *returning) config() *tlsnet.Config {
	c := a.mutual()
	c.Time = func() time.Time { return time.Now().Add(time.Duration(a.off.Load())) }
	c.Core.NoTickets = true // each handshake is a full one
	return c
}

// try makes a handshake with a chain, and returns how it ended at the server.
func (a *returning) try(chain [][]byte) error {
	a.t.Helper()
	done := make(chan error, 1)
	go func() {
		c, err := a.l.AcceptConn()
		if err == nil {
			err = c.Handshake()
			c.Close()
		}
		done <- err
	}()
	config := a.stdClient()
	config.Certificates = []tls.Certificate{{Certificate: chain, PrivateKey: a.client.Key}}
	c, err := tls.Dial("tcp", a.l.Addr().String(), config)
	if err == nil {
		c.Read(make([]byte, 1)) // the server's word comes after our handshake
		c.Close()
	}
	return <-done
}

func (a *returning) mustPass() {
	a.t.Helper()
	for range 2 { // once in full, once remembered
		if err := a.try(a.client.Chain); err != nil {
			a.t.Fatal(err)
		}
	}
}

func (a *returning) mustFail(chain [][]byte, want pki.Reason, alert wire.AlertCode) {
	a.t.Helper()
	for range 2 {
		err := a.try(chain)
		var v *pki.VerifyError
		if !errors.As(err, &v) || v.Reason != want {
			a.t.Fatalf("%v; want the reason %v", err, want)
		}
		var te *tlscore.Error
		if !errors.As(err, &te) {
			a.t.Fatal(err)
		}
		if got, _ := te.Alert(); got != alert {
			a.t.Errorf("alert %v, want %v", got, alert)
		}
	}
}

func TestRememberedClientIsRefusedOnceExpired(t *testing.T) {
	a := newReturning(t, nil)
	a.mustPass()
	leaf, err := x509.ParseCertificate(a.client.Chain[0])
	if err != nil {
		t.Fatal(err)
	}
	a.off.Store(int64(time.Until(leaf.NotAfter) + time.Minute))
	a.mustFail(a.client.Chain, pki.ReasonExpired, wire.AlertCertificateExpired)
	a.off.Store(int64(time.Until(leaf.NotBefore) - time.Minute))
	a.mustFail(a.client.Chain, pki.ReasonNotYetValid, wire.AlertCertificateExpired)
	a.off.Store(0)
	a.mustPass()
}

func TestRememberedClientIsRefusedUnderOtherRoots(t *testing.T) {
	a := newReturning(t, nil)
	a.mustPass()
	c := a.config()
	c.ClientRoots = a.ca.Stranger().Roots()
	if err := a.l.SetConfig(c); err != nil {
		t.Fatal(err)
	}
	a.mustFail(a.client.Chain, pki.ReasonUnknownAuthority, wire.AlertUnknownCA)
	if err := a.l.SetConfig(a.config()); err != nil {
		t.Fatal(err)
	}
	a.mustPass()
}

func TestRememberedClientIsRefusedAtAnotherSite(t *testing.T) {
	var elsewhere atomic.Pointer[tlsnet.Prepared]
	a := newReturning(t, func(c *tlsnet.Config) {
		c.ForClient = func(*tlsnet.ClientHello) (*tlsnet.Prepared, error) { return elsewhere.Load(), nil }
	})
	a.mustPass()
	strict := a.mutual()
	strict.ClientRoots = a.ca.Stranger().Roots()
	other, err := tlsnet.Prepare(strict, nil)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere.Store(other)
	a.mustFail(a.client.Chain, pki.ReasonUnknownAuthority, wire.AlertUnknownCA)
}

func TestRememberedClientIsAskedAboutEachTime(t *testing.T) {
	var asked, revoked atomic.Int64
	var leaf atomic.Pointer[x509.Certificate]
	a := newReturning(t, func(c *tlsnet.Config) {
		c.VerifyPeer = func(_ context.Context, p tlsnet.Peer, _ tlscore.Facts) error {
			asked.Add(1)
			if !p.Verified() || p.Leaf != p.Chain[0] || !bytes.Equal(p.Raw[0], p.Leaf.Raw) {
				return errors.New("the peer is not told right")
			}
			leaf.Store(p.Leaf)
			if revoked.Load() > 0 {
				return &tlsnet.RefusalError{Alert: wire.AlertCertificateRevoked, Err: errors.New("revoked")}
			}
			return nil
		}
	})
	a.mustPass()
	a.mustPass()
	if n := asked.Load(); n != 4 {
		t.Errorf("asked %d times about four connections", n)
	}
	if leaf.Load().Subject.CommonName != "alice" {
		t.Error("another certificate is remembered")
	}
	revoked.Store(1)
	for range 2 {
		var te *tlscore.Error
		if err := a.try(a.client.Chain); !errors.As(err, &te) {
			t.Fatal(err)
		} else if alert, _ := te.Alert(); alert != wire.AlertCertificateRevoked {
			t.Errorf("alert %v", alert)
		}
	}
}

func TestRememberedChainIsNoOther(t *testing.T) {
	a := newReturning(t, nil)
	a.mustPass()
	bent := slices.Clone(a.client.Chain)
	bent[0] = bytes.Clone(bent[0])
	bent[0][len(bent[0])-1] ^= 1 // in the signature of the CA
	a.mustFail(bent, pki.ReasonSignature, wire.AlertBadCertificate)
	a.mustFail(a.client.Chain[:1], pki.ReasonUnknownAuthority, wire.AlertUnknownCA) // the intermediate was not sent
	a.mustPass()
}

// TestRememberedClientMustHaveItsKey: the certificate is public, whoever has seen it can send it.
func TestRememberedClientMustHaveItsKey(t *testing.T) {
	a := newReturning(t, nil)
	a.mustPass()
	a.client.Key = a.server.Key
	if err := a.try(a.client.Chain); codeOf(err) != tlscore.CodeBadSignature {
		t.Errorf("%v; want a bad signature", err)
	}
}

func TestRememberedClientIsRefusedWhenItsSessionComesBackExpired(t *testing.T) {
	st := newSite(t)
	var off atomic.Int64
	sc := st.mutual()
	sc.Time = func() time.Time { return time.Now().Add(time.Duration(off.Load())) }
	l := listen(t, sc)
	go echo(l)
	cc := st.clientConfig()
	cc.Identities = []tlsnet.Identity{identity(st.client)}
	d, err := tlsnet.NewDialer(cc)
	if err != nil {
		t.Fatal(err)
	}
	dial := func() (*tlsnet.Conn, error) {
		c, err := d.Dial(context.Background(), "tcp", l.Addr().String())
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { c.Close() })
		if _, err := c.Write([]byte("x")); err != nil {
			return c, err
		}
		if err := c.CloseWrite(); err != nil {
			return c, err
		}
		_, err = io.ReadAll(c) // the tickets come behind what is echoed
		return c, err
	}
	for i := range 3 {
		c, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Facts().Resumed; got != (i > 0) {
			t.Fatalf("connection %d: resumed %v", i, got)
		}
	}
	leaf, err := x509.ParseCertificate(st.client.Chain[0])
	if err != nil {
		t.Fatal(err)
	}
	off.Store(int64(time.Until(leaf.NotAfter) + time.Second))
	if _, err := dial(); err == nil {
		t.Error("a session outlived its certificate")
	}
}
