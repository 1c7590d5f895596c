package tlsnet_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// aboveStaple is an OCSP response for the intermediate.
func aboveStaple(t *testing.T, ca *pkitest.CA, status int) []byte {
	t.Helper()
	der, err := ocsp.CreateResponse(ca.Root, ca.Root, ocsp.Response{
		Status: status, SerialNumber: ca.Intermediate.SerialNumber, ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour), RevokedAt: time.Now().Add(-time.Hour),
	}, ca.RootKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// meet makes one connection between two configurations.
func meet(t *testing.T, client, server *tlsnet.Config) (c, s *tlsnet.Conn, clientErr, serverErr error) {
	t.Helper()
	a, b := tcpPair(t)
	c, err := tlsnet.Client(a, client)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = tlsnet.Server(b, server); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		err := s.Handshake()
		if err != nil {
			s.Close()
		}
		done <- err
	}()
	clientErr = c.Handshake()
	if clientErr != nil {
		c.Close()
	}
	serverErr = <-done
	if clientErr == nil && serverErr != nil { // the client learns of it when it reads
		c.SetReadDeadline(time.Now().Add(time.Minute))
		_, clientErr = c.Read(make([]byte, 1))
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return c, s, clientErr, serverErr
}

func TestStaplesOfCAsAreJudged(t *testing.T) {
	s := newSite(t)
	hour := time.Now().Add(time.Hour)
	good, revoked := aboveStaple(t, s.ca, ocsp.Good), aboveStaple(t, s.ca, ocsp.Revoked)
	for name, c := range map[string]struct {
		above   []byte
		said    bool
		version wire.Version
		refused bool
	}{
		"good":                    {good, true, 0, false},
		"nonsense":                {[]byte("nonsense"), false, 0, false},
		"the leaf's":              {staple(t, s.ca, s.server, ocsp.Good, hour), false, 0, false},
		"revoked":                 {revoked, false, 0, true},
		"revoked, and no room":    {revoked, false, wire.VersionTLS12, false},
		"revoked, nobody is told": {nil, false, 0, false},
	} {
		for _, who := range []string{"server", "client"} {
			t.Run(name+", of the "+who, func(t *testing.T) {
				sc, cc := s.serverConfig(), s.clientConfig()
				cc.Core.MaxVersion = c.version
				presents := sc
				if who == "client" {
					leaf := s.ca.Client(pkitest.P256, "alice")
					cc.Identities, sc.ClientRoots, sc.Core.ClientAuth = []tlsnet.Identity{identity(leaf)}, s.ca.Roots(), tlscore.RequireClientCert
					presents = cc
				}
				presents.Identities[0].Above = []tlscore.Stapled{{Staple: c.above}}
				client, server, clientErr, serverErr := meet(t, cc, sc)
				conn, err := client, clientErr
				if who == "client" {
					conn, err = server, serverErr
				}
				if c.refused {
					var v *pki.VerifyError
					if !errors.As(err, &v) || v.Reason != pki.ReasonRevoked || v.Depth != 1 || conn.Peer().Verified() || !strings.Contains(v.Text, "CA certificate") {
						t.Fatalf("%v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				for range 2 {
					p := conn.Peer()
					if has := len(p.AboveStatus) > 0 && p.AboveStatus[0] != nil; has != c.said {
						t.Errorf("status %+v", p.AboveStatus)
					}
					if c.version == 0 && c.above != nil && (len(p.Above) != 1 || !bytes.Equal(p.Above[0].Staple, c.above)) {
						t.Errorf("above the leaf came %d", len(p.Above))
					}
					runtime.GC() // what is not kept must be found again
				}
			})
		}
	}
}

// TestConfigStaples: the callback is asked in handshakes that want it, within the time for them, and only then.
func TestConfigStaples(t *testing.T) {
	s := newSite(t)
	leaf, above := staple(t, s.ca, s.server, ocsp.Good, time.Now().Add(time.Hour)), aboveStaple(t, s.ca, ocsp.Good)
	asked := 0
	sc, cc := s.serverConfig(), s.clientConfig()
	sc.Staples = func(_ context.Context, q *tlscore.Question) ([][]byte, error) {
		asked++
		if !bytes.Equal(q.Identity.Chain[0], s.server.Chain[0]) {
			t.Error("asked about another certificate")
		}
		return [][]byte{leaf, above}, nil
	}
	conn, _, err, _ := meet(t, cc, sc)
	if p := conn.Peer(); err != nil || p.Status == nil || len(p.AboveStatus) == 0 || p.AboveStatus[0] == nil || asked != 1 {
		t.Errorf("asked %d times, %+v, %+v: %v", asked, p.Status, p.AboveStatus, err)
	}
	cc.Core.NoOCSP = true
	if conn, _, err, _ = meet(t, cc, sc); err != nil || conn.Peer().Staple != nil || asked != 1 {
		t.Errorf("a client that does not ask: asked %d times: %v", asked, err)
	}
	cc.Core.NoOCSP = false
	sc.Staples = func(context.Context, *tlscore.Question) ([][]byte, error) { return nil, nil }
	if conn, _, err, _ = meet(t, cc, sc); err != nil || conn.Peer().Staple != nil {
		t.Errorf("declined: %v", err)
	}
	broken := errors.New("the responder is down")
	sc.Staples = func(context.Context, *tlscore.Question) ([][]byte, error) { return nil, broken }
	if _, _, err, theirs := meet(t, cc, sc); !errors.Is(theirs, broken) || err == nil || !strings.Contains(err.Error(), "internal_error") {
		t.Errorf("an error: %v, %v", theirs, err)
	}
	sc.HandshakeTimeout = 50 * time.Millisecond
	sc.Staples = func(ctx context.Context, _ *tlscore.Question) ([][]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if _, _, _, theirs := meet(t, cc, sc); !errors.Is(theirs, tlsnet.ErrHandshakeTimeout) {
		t.Errorf("a responder that does not answer: %v", theirs)
	}
}

// TestWhoAsksForNoStapleDemandsNone: a must-staple certificate is the server's promise to those who ask.
func TestWhoAsksForNoStapleDemandsNone(t *testing.T) {
	s := newSite(t)
	sc, cc := s.serverConfig(), s.clientConfig()
	sc.Identities = []tlsnet.Identity{identity(mustStaple(t, s.ca))}
	if _, _, err, _ := meet(t, cc, sc); err == nil {
		t.Error("accepted without a staple")
	}
	cc.Core.NoOCSP = true
	if _, _, err, _ := meet(t, cc, sc); err != nil {
		t.Error(err)
	}
}
