package tlscore_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// loneCodes makes the failures that no table of refusals holds: those of our own side, those the peer tells us about, and
// the floods.
func loneCodes(t *testing.T) map[tlscore.Code]func() error {
	answering := func(kind tlscore.EventKind, a tlscore.Answer) func() error {
		return func() error {
			s := serverConfig(t)
			s.AskIdentity = kind == tlscore.NeedIdentity
			l := link(t, tlscore.Config{}, s)
			l.Server.Answer = func(q *tlscore.Question) tlscore.Answer {
				if q.Kind == kind {
					return a
				}
				return nil
			}
			return l.Handshake()
		}
	}
	told := func(level wire.AlertLevel, code wire.AlertCode) func() error {
		return func() error {
			m := tlscore.NewServer(compile(t, serverConfig(t)), tlscore.Options{})
			if _, err := m.Start(tlstest.Now, nil); err != nil {
				return err
			}
			return drive(m, []byte{byte(wire.ContentAlert), 3, 3, 0, 2, byte(level), byte(code)})
		}
	}
	unpacks := func(what string) func() error {
		return func() error {
			times := 0
			p := &tlstest.Puppet{Identity: selfSigned(t, ed(t)), Edit: compressing(compressionRefusals()[what].change)}
			return p.Serve(tlscore.NewClient(compile(t, tlscore.Config{CertificateCompression: []tlscore.CertificateCompression{deflate(&times)}}), tlscore.Options{})).Err
		}
	}
	return map[tlscore.Code]func() error{
		tlscore.CodeInternal:         answering(tlscore.NeedIdentity, tlscore.Chosen{Identity: &tlscore.Identity{Chain: [][]byte{{1}}}}),
		tlscore.CodeSigningFailed:    answering(tlscore.NeedSignature, tlscore.Signed{Err: errors.New("no key")}),
		tlscore.CodeUnaskedDelegated: func() error { return delegatedTo(t, tlscore.Config{}, newDelegation(t).certificate()).Err },
		tlscore.CodeBadDelegated: func() error {
			d := newDelegation(t)
			d.dc.Signature[7] ^= 1
			return delegatedTo(t, d.takes(), d.certificate()).Err
		},
		tlscore.CodeNoSecureRenegotiation: func() error { return withoutRenegotiationInfo(t, true) },
		tlscore.CodeStapleFailed:          func() error { return stapling(t, nil, errors.New("no responder")).Handshake() },
		tlscore.CodePeerAlert:             told(wire.AlertLevelFatal, wire.AlertHandshakeFailure),
		tlscore.CodePeerClosedEarly:       told(wire.AlertLevelWarning, wire.AlertCloseNotify),
		tlscore.CodeTooLongToSend: func() error {
			_, err := tlscore.NewClient(compile(t, tlscore.Config{}), tlscore.Options{ServerName: strings.Repeat("x", 300)}).Start(tlstest.Now, nil)
			return err
		},
		tlscore.CodeNoSharedCertificateType: func() error {
			return link(t, tlscore.Config{PeerCertificateTypes: bothTypes[:1]}, serverConfig(t)).Handshake()
		},
		tlscore.CodeBadCertificateTypes: func() error {
			p := &tlstest.Puppet{Edit: inHello(func(h *wire.ClientHello) { h.Extensions.Add(&wire.ClientCertificateTypes{Types: bothTypes[1:]}) })}
			return p.Connect(tlscore.NewServer(compile(t, serverConfig(t)), tlscore.Options{})).Err
		},
		tlscore.CodeBadRawKey: func() error {
			p := &tlstest.Puppet{Identity: serverConfig(t).Identities[0], Edit: inEE(&wire.SelectedServerCertificateType{Type: wire.CertificateTypeRawPublicKey})}
			return p.Serve(tlscore.NewClient(compile(t, tlscore.Config{PeerCertificateTypes: bothTypes}), tlscore.Options{})).Err
		},
		tlscore.CodeBadCompressionAlgorithm:  unpacks("another algorithm"),
		tlscore.CodeBadCompressedCertificate: unpacks("nonsense"),
		tlscore.CodeBadCompressionList: func() error {
			p := &tlstest.Puppet{Edit: inHello(func(h *wire.ClientHello) {
				h.Extensions.Add(&wire.CompressCertificate{Algorithms: []wire.CompressionAlgorithm{1, 1}})
			})}
			return p.Connect(tlscore.NewServer(compile(t, serverConfig(t)), tlscore.Options{})).Err
		},
		tlscore.CodeBadRecordLimit: func() error { return limitRefusals()["both"].run(t) },
		tlscore.CodeNoSharedPSK: func() error {
			client, server := keyedPair()
			server.PSKs[0].Identity = []byte("stranger")
			return link(t, client, server).Handshake()
		},
		tlscore.CodeNoECHConfig: func() error {
			_, err := tlscore.NewClient(compile(t, tlscore.Config{}), tlscore.Options{ECHConfigList: []byte{}}).Start(tlstest.Now, nil)
			return err
		},
		tlscore.CodeECHRejected: func() error {
			l := newECHPair(t, false).link(nil, false)
			l.Handshake()
			return l.Client.Err
		},
		tlscore.CodeECHInconsistent:    func() error { return inconsistent(t) },
		tlscore.CodeBadECH:             func() error { return refuseECH(t, "of no type") },
		tlscore.CodeBadInnerHello:      func() error { return refuseECH(t, "inner: TLS 1.2 too") },
		tlscore.CodeBadOuterExtensions: func() error { return refuseECH(t, "outer: itself") },
		tlscore.CodeECHDecrypt:         func() error { return refuseECH(t, "second: damaged") },
		tlscore.CodeAborted: func() error {
			m := tlscore.NewServer(compile(t, serverConfig(t)), tlscore.Options{})
			if _, err := m.Start(tlstest.Now, nil); err != nil {
				return err
			}
			if _, err := m.Abort(wire.AlertUserCanceled, nil); err != nil {
				return err
			}
			return drive(m, []byte{0})
		},
	}
}

// TestEveryCodeIsProduced runs all tables of refusals once more and holds them to leave out no row of the error table.
func TestEveryCodeIsProduced(t *testing.T) {
	seen := map[tlscore.Code]bool{}
	note := func(what string, err error) {
		code, ok := tlscore.CodeOf(err)
		if !ok {
			t.Errorf("%s: %v has no code", what, err)
			return
		}
		seen[code] = true
	}
	rows := 0
	for _, s := range refusalSets(t) {
		for _, r := range s.list {
			note(r.name, s.run(t, r, nil).Err)
			rows++
		}
	}
	for _, c := range recordRules(t) {
		note(c.name, c.run(t, nil))
	}
	for _, b := range bombs() {
		_, _, o := b.explode(t)
		note(b.name, o.Err)
	}
	for code, make := range loneCodes(t) {
		err := make()
		if note(code.String(), err); !codeIs(err, code) {
			t.Errorf("%v: ended with %v", code, err)
		}
	}
	for code := tlscore.Code(0); code.String() != "unknown"; code++ {
		if !seen[code] {
			t.Errorf("no test produces %v", code)
		}
	}
	t.Logf("%d refusals by puppets; %d codes", rows, len(seen))
}
