package tlscore_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

func TestMisuseIsNamedAndHarmless(t *testing.T) {
	client := tlscore.NewClient(compile(t, tlscore.Config{}), tlscore.Options{})
	check := func(what string, err error) {
		t.Helper()
		var m *tlscore.MisuseError
		if !errors.As(err, &m) {
			t.Errorf("%s: %v, want a MisuseError", what, err)
		}
	}
	_, err := client.Feed(tlstest.Now, nil, nil)
	check("Feed before Start", err)
	if _, err := client.Start(tlstest.Now, nil); err != nil {
		t.Fatal(err)
	}
	_, err = client.Start(tlstest.Now, nil)
	check("second Start", err)
	_, _, err = client.Seal([]byte("x"), nil)
	check("Seal before HandshakeDone", err)
	_, err = client.KeyUpdate(false, nil)
	check("KeyUpdate before HandshakeDone", err)
	_, err = client.Export("l", nil, 1)
	check("Export before HandshakeDone", err)
	_, err = client.Resume(tlstest.Now, 1, tlscore.Verified{}, nil)
	check("Resume without a question", err)
	if _, err := client.Feed(tlstest.Now, nil, nil); err != nil {
		t.Errorf("misuse ended the connection: %v", err)
	}
}

func TestStaleAndWrongAnswersAreRefused(t *testing.T) {
	l := link(t, tlscore.Config{}, serverConfig(t))
	tried := 0
	answer := func(m *tlscore.Machine) func(*tlscore.Question) tlscore.Answer {
		return func(q *tlscore.Question) tlscore.Answer {
			tried++
			var misuse *tlscore.MisuseError
			if _, err := m.Resume(tlstest.Now, q.ID+1, tlscore.Verified{}, nil); !errors.As(err, &misuse) {
				t.Errorf("stale id: %v", err)
			}
			if _, err := m.Resume(tlstest.Now, q.ID, tlscore.Chosen{}, nil); !errors.As(err, &misuse) {
				t.Errorf("wrong type: %v", err)
			}
			if step, err := m.Feed(tlstest.Now, []byte{22, 3, 3, 0, 1, 0}, nil); err != nil || step.N != 0 {
				t.Errorf("Feed while waiting consumed %d bytes: %v", step.N, err)
			}
			return nil
		}
	}
	l.Client.Answer, l.Server.Answer = answer(l.Client.Machine), answer(l.Server.Machine)
	if err := l.Handshake(); err != nil {
		t.Fatal(err)
	}
	if tried != 2 {
		t.Errorf("%d questions, want a signature and a verification", tried)
	}
}

func TestCompileNamesTheField(t *testing.T) {
	for want, c := range map[string]tlscore.Config{
		"cipher suites[0]":                 {CipherSuites: []wire.CipherSuite{wire.TLS_RSA_WITH_RC4_128_SHA}},
		"groups[1]":                        {Groups: []wire.Group{wire.GroupX25519, wire.GroupX448}},
		"key shares[0]":                    {KeyShares: []wire.Group{wire.GroupFFDHE2048}},
		"key shares[1]":                    {KeyShares: []wire.Group{wire.GroupX25519, wire.GroupX25519}},
		"signature schemes[0]":             {Schemes: []wire.SignatureScheme{wire.SchemeEd448}},
		"signature schemes: none can sign": {Schemes: []wire.SignatureScheme{wire.SchemeRSAPKCS1SHA256}},
		"alpn[0]":                          {ALPN: []string{""}},
		"alpn: ":                           {ALPN: slices.Repeat([]string{strings.Repeat("x", 255)}, 40)},
		"certificate authorities: ":        {CertificateAuthorities: [][]byte{make([]byte, 9000)}},
		"padding":                          {Padding: tlscore.Padding{To: 1 << 20}},
		"max handshake message":            {MaxHandshakeMessage: 1},
		"max useless records":              {MaxUselessRecords: -1},
		"identities[0]: chain is empty":    {Identities: []tlscore.Identity{{}}},
		"identities[0]: leaf":              {Identities: []tlscore.Identity{{Chain: [][]byte{{1}}}}},
		"identities[0]: chain and staples have 50000 bytes": {Identities: []tlscore.Identity{{Chain: [][]byte{make([]byte, 50000)}}}},
	} {
		if _, err := tlscore.Compile(c); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q…", err, want)
		}
	}
}
