package tlscore_test

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/record"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// answerKind is which answer to a ClientHello is mutated.
type answerKind uint8

const (
	answer13 answerKind = iota
	answerRetry
	answer12
	answerKinds
)

// clientPair is a client of ours and one of crypto/tls with one configuration.
type clientPair struct {
	ours   *tlscore.Params
	theirs *tls.Config
	id     tlscore.Identity
	share  suite.KeyShare
}

func newClientPair(t testing.TB) *clientPair {
	t.Helper()
	share, err := suite.GroupByID(wire.GroupX25519).Generate()
	if err != nil {
		t.Fatal(err)
	}
	return &clientPair{
		id: selfSigned(t, p256(t), "a.example"), share: share,
		ours: compile(t, tlscore.Config{Groups: []wire.Group{wire.GroupX25519, wire.GroupSecp256r1}, ALPN: []string{"h2"}}),
		theirs: &tls.Config{
			ServerName: "a.example", InsecureSkipVerify: true, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12,
			CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256}, ClientSessionCache: tls.NewLRUClientSessionCache(1),
			CipherSuites: commonSuites(),
		},
	}
}

// template is the answer before it is mutated, the same for every client but for the session id.
func (p *clientPair) template(kind answerKind, hello *wire.ClientHello) *wire.ServerHello {
	sh := &wire.ServerHello{LegacyVersion: wire.VersionTLS12, Random: [32]byte{1, 2, 3}, SessionID: hello.SessionID, CipherSuite: wire.TLS_AES_128_GCM_SHA256, Extensions: wire.Extensions{}}
	es := &sh.Extensions
	switch kind {
	case answer13:
		es.Add(&wire.SelectedVersion{Version: wire.VersionTLS13})
		es.Add(&wire.KeyShareHello{Entry: wire.KeyShareEntry{Group: wire.GroupX25519, KeyExchange: p.share.Public()}})
	case answerRetry:
		sh.Random = wire.HelloRetryRequestRandom()
		es.Add(&wire.SelectedVersion{Version: wire.VersionTLS13})
		es.Add(&wire.KeyShareRetry{Group: wire.GroupSecp256r1})
	default:
		sh.SessionID, sh.CipherSuite = nil, wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
		es.Add(&wire.RenegotiationInfo{})
		es.Add(&wire.ExtendedMasterSecret{})
	}
	return sh
}

// answer is the flight that a client gets: the mutated hello, and in TLS 1.2 the rest up to ServerHelloDone.
func (p *clientPair) answer(t testing.TB, kind answerKind, sent []byte, mutate func(*wire.ServerHello) []byte) []byte {
	t.Helper()
	rec, _, err := wire.Deframe(sent, wire.MaxPlaintext)
	var hello wire.ClientHello
	if err != nil || hello.Parse(rec[wire.RecordHeaderLen:]) != nil {
		t.Fatal("no ClientHello")
	}
	raw := mutate(p.template(kind, &hello))
	flight := bytes.Clone(raw)
	var sh wire.ServerHello
	if sh.Parse(bytes.Clone(raw)) == nil && !isAnswer13(&sh) {
		randoms := keys.Randoms{Client: hello.Random, Server: sh.Random}
		ske := &wire.ServerKeyExchange{Group: wire.GroupX25519, Public: p.share.Public(), Scheme: wire.SchemeECDSASecp256r1SHA256}
		sign := tlscore.Question{Scheme: ske.Scheme, Version: wire.VersionTLS12, Message: verify.ServerKeyExchangeInput(&randoms, ske.AppendParams(nil))}
		key, _ := p.id.Tag.(crypto.Signer)
		if ske.Signature, err = tlscore.SignWith(key, &sign); err != nil {
			t.Fatal(err)
		}
		flight = wire.AppendMessage(flight, &wire.Certificate12{Chain: p.id.Chain})
		flight = wire.AppendMessage(flight, ske)
		flight = wire.AppendMessage(flight, &wire.ServerHelloDone{})
	}
	return record.AppendPlaintext(nil, wire.ContentHandshake, wire.VersionTLS12, flight)
}

// isAnswer13 reports whether a ServerHello selects TLS 1.3, soundly or not, or is a HelloRetryRequest.
func isAnswer13(sh *wire.ServerHello) bool {
	_, ok := sh.Extensions.Find(wire.ExtSupportedVersions)
	return ok || sh.IsHelloRetryRequest()
}

// judge gives both clients the same mutated answer. A client that has no more to say than it said accepts too: then the
// next message would be due.
func (p *clientPair) judge(t testing.TB, kind answerKind, mutate func(*wire.ServerHello) []byte) (ours, theirs verdict) {
	t.Helper()
	read := func(out []byte, err error) verdict {
		v := verdictOf(out, err)
		v.accepted = !v.refused
		return v
	}
	first := 0
	conn := &memory{reply: func(out []byte) []byte {
		first = len(out)
		return p.answer(t, kind, out, mutate)
	}}
	err := tls.Client(conn, p.theirs).Handshake()
	theirs = read(conn.out[first:], err)

	e := &tlstest.End{Machine: tlscore.NewClient(p.ours, tlscore.Options{ServerName: "a.example"})}
	out, err := e.Machine.Start(tlstest.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = e.Drive(p.answer(t, kind, out, mutate))
	return read(e.Sent, err), theirs
}

// serverHelloMutation applies the same changes to every template, by the seed.
func serverHelloMutation(seed uint64) func(*wire.ServerHello) []byte {
	return func(sh *wire.ServerHello) []byte {
		r := rand.New(rand.NewPCG(seed, 5))
		for range 1 + r.IntN(3) {
			mutateServerHello(r, sh)
		}
		out, err := wire.TryAppendMessage(nil, sh)
		if err != nil {
			panic(err)
		}
		if r.IntN(8) == 0 {
			out[4+r.IntN(len(out)-4)] ^= byte(1 << r.IntN(8))
		}
		return out
	}
}

func mutateServerHello(r *rand.Rand, sh *wire.ServerHello) {
	switch r.IntN(9) {
	case 0:
		sh.LegacyVersion = pick(r, wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12, wire.VersionTLS13, 0x0305, 0x0200)
	case 1:
		sh.SessionID = pick(r, nil, make([]byte, 32), make([]byte, 1))
	case 2:
		sh.CipherSuite = pick(r, wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			wire.TLS_RSA_WITH_RC4_128_SHA, wire.TLS_AES_128_CCM_SHA256, 0x0a0a)
	case 3:
		sh.CompressionMethod = pick[uint8](r, 0, 1)
	case 4:
		copy(sh.Random[24:], pick(r, "DOWNGRD\x01", "DOWNGRD\x00", "DOWNGRD\x02"))
	default:
		mutateAnswers(r, &sh.Extensions)
	}
}

func mutateAnswers(r *rand.Rand, es *wire.Extensions) {
	i := 0
	if len(*es) > 0 {
		i = r.IntN(len(*es))
	}
	add := func(v wire.ExtensionView) {
		*es = slices.DeleteFunc(*es, func(e wire.Extension) bool { return e.Type == v.Extension() })
		es.Add(v)
	}
	switch n := r.IntN(16); {
	case n == 0 && len(*es) > 0:
		*es = slices.Delete(*es, i, i+1)
	case n == 1 && len(*es) > 0:
		*es = append(*es, (*es)[i])
	case n == 2 && len(*es) > 0:
		(*es)[i].Data = append(bytes.Clone((*es)[i].Data), 0)
	case n == 3 && len(*es) > 0:
		(*es)[i].Data = bytes.Clone((*es)[i].Data[:r.IntN(len((*es)[i].Data)+1)])
	case n == 4:
		add(&wire.SelectedVersion{Version: pick(r, wire.VersionTLS13, wire.VersionTLS12, wire.VersionTLS11, 0x0a0a)})
	case n == 5:
		add(&wire.KeyShareHello{Entry: wire.KeyShareEntry{Group: pick(r, wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1), KeyExchange: make([]byte, pick(r, 1, 32, 65))}})
	case n == 6:
		add(&wire.KeyShareRetry{Group: pick(r, wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1, 0x0a0a)})
	case n == 7:
		add(&wire.Cookie{Cookie: make([]byte, r.IntN(3))})
	case n == 8:
		add(&wire.PreSharedKeySelected{Index: uint16(r.IntN(2))})
	case n == 9:
		add(&wire.ALPN{Protocols: pick(r, []string{"h2"}, []string{"h3"}, []string{"h2", "h2"})})
	case n == 10:
		add(&wire.RenegotiationInfo{Data: make([]byte, r.IntN(2))})
	case n == 11:
		add(&wire.ECPointFormats{Formats: pick(r, []byte{0}, []byte{1}, []byte{1, 0})})
	case n == 12:
		add(&wire.SessionTicket{Ticket: make([]byte, r.IntN(2))})
	case n == 13:
		add(&wire.SCTs{List: [][]byte{{1}}})
	case n == 14:
		add(pick[wire.ExtensionView](r, &wire.EmptyStatusRequest{}, &wire.ServerNameAck{}, &wire.ExtendedMasterSecret{}, &wire.EncryptThenMAC{}))
	default:
		*es = append(*es, wire.Extension{Type: wire.ExtensionType(pick(r, r.IntN(60), 0x0a0a)), Data: make([]byte, r.IntN(4))})
	}
}

// TestServerHellosAreJudgedAsByCryptoTLS gives mutated answers to clients of crypto/tls and of ours.
func TestServerHellosAreJudgedAsByCryptoTLS(t *testing.T) {
	p, j := newClientPair(t), newJury(t)
	for kind := range answerKinds {
		plain := func(sh *wire.ServerHello) []byte { return wire.AppendMessage(nil, sh) }
		if ours, theirs := p.judge(t, kind, plain); !ours.accepted || !theirs.accepted {
			t.Fatalf("answer %d: we: %v (%v), crypto/tls: %v (%v)", kind, ours, ours.err, theirs, theirs.err)
		}
	}
	n := uint64(6000)
	if testing.Short() || brief {
		n = 500
	}
	for seed := range n {
		p.weigh(t, j, answerKind(seed)%answerKinds, serverHelloMutation(seed))
	}
	j.sum()
}

func (p *clientPair) weigh(t testing.TB, j *jury, kind answerKind, mutate func(*wire.ServerHello) []byte) {
	t.Helper()
	ours, theirs := p.judge(t, kind, mutate)
	raw := mutate(p.template(kind, &wire.ClientHello{SessionID: make([]byte, 32)}))
	j.weigh(ours, theirs, func() string { return explainAnswer(raw, ours, theirs) }, func() string { return outlineAnswer(raw) })
}

// FuzzServerHelloVerdicts does the same with any bytes in a ServerHello; what stands for the session id is echoed.
func FuzzServerHelloVerdicts(f *testing.F) {
	p := newClientPair(f)
	for kind := range answerKinds {
		f.Add(wire.AppendMessage(nil, p.template(kind, &wire.ClientHello{SessionID: make([]byte, 32)})))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) < 4 || raw[0] != byte(wire.TypeServerHello) {
			return
		}
		p.weigh(t, newJury(t), answer13, func(template *wire.ServerHello) []byte {
			out := bytes.Clone(raw)
			if len(out) > 39+32 && out[38] == 32 && bytes.Equal(out[39:39+32], make([]byte, 32)) {
				copy(out[39:], template.SessionID)
			}
			return out
		})
	})
}
