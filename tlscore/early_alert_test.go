package tlscore_test

import (
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// lastEpoch watches under which keys the last record went out.
type lastEpoch struct{ epoch tlscore.Epoch }

func (l *lastEpoch) Observe(o tlscore.Observation) {
	if r, ok := o.(tlscore.RecordObserved); ok && r.Direction == tlscore.Sent {
		l.epoch = r.Epoch
	}
}

// TestAlertsAfterEarlyDataCanBeRead: nothing says before a sound ServerHello that the server has the early keys, so the
// alert goes out in the clear, and ours understand it whether they took the early data or not.
func TestAlertsAfterEarlyDataCanBeRead(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*wire.ServerHello)
		code  tlscore.Code
	}{
		"TLS 1.2": {func(h *wire.ServerHello) {
			h.Extensions = drop(h.Extensions, wire.ExtSupportedVersions)
		}, tlscore.CodeBadVersionSelected},
		"TLS 1.0": {func(h *wire.ServerHello) {
			h.LegacyVersion, h.Extensions = wire.VersionTLS10, drop(h.Extensions, wire.ExtSupportedVersions)
		}, tlscore.CodeUnsupportedVersion},
		"another session id": {func(h *wire.ServerHello) { h.SessionID = []byte{1} }, tlscore.CodeBadSessionID},
		"a suite of TLS 1.2": {func(h *wire.ServerHello) { h.CipherSuite = wire.TLS_RSA_WITH_AES_128_GCM_SHA256 }, tlscore.CodeBadSuite},
		"an extension twice": {func(h *wire.ServerHello) { h.Extensions = append(h.Extensions, h.Extensions[0]) }, tlscore.CodeDuplicateExtension},
		"an empty share": {func(h *wire.ServerHello) {
			h.Extensions = append(drop(h.Extensions, wire.ExtKeyShare), wire.Extension{Type: wire.ExtKeyShare})
		}, tlscore.CodeMalformed},
		"the second of one session": {func(h *wire.ServerHello) {
			h.Extensions = drop(h.Extensions, wire.ExtPreSharedKey)
			h.Extensions.Add(&wire.PreSharedKeySelected{Index: 1})
		}, tlscore.CodeBadPSKSelected},
	} {
		for fate, change := range map[string]func(*shop){
			"accepted": func(*shop) {},
			"refused":  func(s *shop) { s.refuse() },
			"unknown":  func(s *shop) { clear(s.known) },
			"retried":  func(s *shop) { s.server.RetryAlways = true },
		} {
			if fate == "retried" && c.code != tlscore.CodeBadSessionID {
				continue // HelloRetryRequest has its own rules for the rest
			}
			t.Run(name+", "+fate, func(t *testing.T) {
				s := earlyShop(t)
				session := s.first()
				change(s)
				l := s.visit(session, true, time.Minute)
				rewrite(l, l.Server, func(raw []byte) []byte {
					var hello wire.ServerHello
					if err := hello.Parse(raw); err != nil {
						t.Fatal(err)
					}
					c.spoil(&hello)
					return wire.AppendMessage(nil, &hello)
				})
				checkAlert(t, l, c.code)
			})
		}
	}
}

// checkAlert lets the client send early data, fail with a code, and its server hear of it in a record of plain text.
func checkAlert(t *testing.T, l *tlstest.Link, want tlscore.Code) {
	t.Helper()
	if err := l.Start(); err != nil {
		t.Fatal(err)
	}
	_, out, err := l.Client.Machine.SealEarly([]byte("early"), nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Carry(l.Client, out)
	l.Run()
	if code, _ := tlscore.CodeOf(l.Client.Err); code != want {
		t.Fatalf("the client ended with %v, want %v", l.Client.Err, want)
	}
	alert, _ := l.Client.Err.(*tlscore.Error).Alert()
	tail := l.Client.Sent[len(l.Client.Sent)-wire.RecordHeaderLen-2:]
	if h, _ := wire.ParseRecordHeader(tail); h.Type != wire.ContentAlert || h.Version != wire.VersionTLS12 || h.Length != 2 || wire.AlertCode(tail[6]) != alert {
		t.Errorf("the last record is % x, want %v", tail, alert)
	}
	heard, ok := l.Server.Err.(*tlscore.Error)
	if !ok || heard.Code != tlscore.CodePeerAlert {
		t.Fatalf("the server ended with %v", l.Server.Err)
	}
	if got, _ := heard.Alert(); got != alert {
		t.Errorf("the server heard %v, want %v", got, alert)
	}
	if _, _, err := l.Client.Machine.SealEarly([]byte("more"), nil); err != tlscore.ErrWriteClosed {
		t.Errorf("early data behind the alert: %v", err)
	}
}

// TestAlertsBehindAServerHelloUseTheHandshakeKeys, unless the server has said that it reads with the early ones.
func TestAlertsBehindAServerHelloUseTheHandshakeKeys(t *testing.T) {
	twice := withExt(&wire.ServerNameAck{})
	twice.Add(&wire.ServerNameAck{})
	taken := withExt(&wire.ALPN{Protocols: []string{"y"}})
	taken.Add(&wire.EarlyData{})
	for name, c := range map[string]struct {
		ee   wire.Extensions
		want tlscore.Epoch
	}{
		"bad EncryptedExtensions":       {twice, tlscore.EpochHandshake},
		"accepted for another protocol": {taken, tlscore.EpochEarlyData},
	} {
		t.Run(name, func(t *testing.T) {
			session := *sessionOf(wire.VersionTLS13)
			session.ALPN = "x"
			var watch lastEpoch
			m := tlscore.NewClient(compile(t, tlscore.Config{ALPN: []string{"x", "y"}}), tlscore.Options{Session: &session, EarlyData: true, Observer: &watch})
			p := tlstest.Puppet{Session: &session, Edit: instead(wire.TypeEncryptedExtensions, &wire.EncryptedExtensions{Extensions: c.ee})}
			out := p.Serve(m)
			if out.Err == nil || out.Alert == nil || watch.epoch != c.want {
				t.Errorf("%+v, under the keys of %v, want %v", out, watch.epoch, c.want)
			}
		})
	}
}

// TestAbortsBeforeTheServerHelloCanBeRead: whatever the server makes of the early data.
func TestAbortsBeforeTheServerHelloCanBeRead(t *testing.T) {
	for _, known := range []bool{true, false} {
		s := earlyShop(t)
		session := s.first()
		if !known {
			clear(s.known)
		}
		l := s.visit(session, true, time.Minute)
		if err := l.Start(); err != nil {
			t.Fatal(err)
		}
		_, out, err := l.Client.Machine.SealEarly([]byte("early"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if out, err = l.Client.Machine.Abort(wire.AlertInternalError, out); err != nil {
			t.Fatal(err)
		}
		l.Carry(l.Client, out)
		l.Run()
		if heard, ok := l.Server.Err.(*tlscore.Error); !ok || heard.Code != tlscore.CodePeerAlert {
			t.Errorf("known %v: the server ended with %v", known, l.Server.Err)
		}
	}
}
