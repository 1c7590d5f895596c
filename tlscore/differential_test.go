package tlscore_test

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/record"
	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// verdict is what an implementation makes of the bytes it got: it goes on, it ends with an alert, or it waits for more.
type verdict struct {
	accepted, refused bool
	retried           bool // by HelloRetryRequest
	alert             wire.AlertCode
	err               error
}

func (v verdict) String() string {
	switch {
	case v.accepted:
		return "goes on"
	case v.refused:
		return "alert " + v.alert.String()
	}
	return "waits"
}

func (v verdict) same(w verdict) bool { return v.accepted == w.accepted && v.refused == w.refused }

// memory is a net.Conn without a network: it reads what reply makes of all that was written so far, then the end.
type memory struct {
	in      []byte
	out     []byte
	reply   func(out []byte) []byte
	replied bool
}

func (c *memory) Read(b []byte) (int, error) {
	if len(c.in) == 0 && !c.replied && c.reply != nil {
		c.replied = true
		c.in = c.reply(c.out)
	}
	if len(c.in) == 0 {
		return 0, io.EOF
	}
	n := copy(b, c.in)
	c.in = c.in[n:]
	return n, nil
}

func (c *memory) Write(b []byte) (int, error)      { c.out = append(c.out, b...); return len(b), nil }
func (c *memory) Close() error                     { return nil }
func (c *memory) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *memory) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *memory) SetDeadline(time.Time) error      { return nil }
func (c *memory) SetReadDeadline(time.Time) error  { return nil }
func (c *memory) SetWriteDeadline(time.Time) error { return nil }

// verdictOf reads a verdict out of what was sent and the error at the end. Messages go on; an error refuses, unless it is
// that there is no more to read. An alert may be protected and look like data.
func verdictOf(out []byte, err error) (v verdict) {
	v.err = err
	for len(out) > 0 {
		rec, _, err := wire.Deframe(out, wire.MaxCiphertext13)
		if err != nil || rec == nil {
			break
		}
		switch wire.ContentType(rec[0]) {
		case wire.ContentHandshake:
			v.accepted = true
			retry := wire.HelloRetryRequestRandom()
			v.retried = v.retried || bytes.Contains(rec, retry[:])
		case wire.ContentAlert:
			if a, err := wire.ParseAlert(rec[wire.RecordHeaderLen:]); err == nil {
				v.alert = a.Code
			}
		}
		out = out[len(rec):]
	}
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		v.accepted, v.refused = false, true
	}
	return v
}

// pair is a server of ours and one of crypto/tls with one configuration.
type pair struct {
	ours   *tlscore.Params
	theirs *tls.Config
	id     tlscore.Identity
}

func newPair(t testing.TB) *pair {
	t.Helper()
	id := selfSigned(t, p256(t), "a.example")
	key, _ := id.Tag.(crypto.Signer)
	return &pair{
		id:   id,
		ours: compile(t, tlscore.Config{Identities: []tlscore.Identity{id}, ALPN: []string{"h2", "http/1.1"}}),
		theirs: &tls.Config{
			Certificates: []tls.Certificate{{Certificate: id.Chain, PrivateKey: key}},
			NextProtos:   []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS12,
			CipherSuites: commonSuites(),
		},
	}
}

// commonSuites are those of TLS 1.2 that both have: theirs would also speak CBC.
func commonSuites() []uint16 {
	return []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	}
}

// judge shows a ClientHello to both servers.
func (p *pair) judge(t testing.TB, hello []byte) (ours, theirs verdict) {
	t.Helper()
	var in []byte
	for part := range slices.Chunk(hello, wire.MaxPlaintext) {
		in = record.AppendPlaintext(in, wire.ContentHandshake, wire.VersionTLS10, part)
	}
	conn := &memory{in: bytes.Clone(in)}
	err := tls.Server(conn, p.theirs).Handshake()
	theirs = verdictOf(conn.out, err)

	e := &tlstest.End{Machine: tlscore.NewServer(p.ours, tlscore.Options{})}
	if _, err := e.Machine.Start(tlstest.Now, nil); err != nil {
		t.Fatal(err)
	}
	err = e.Drive(in)
	return verdictOf(e.Sent, err), theirs
}

// helloSeeds are ClientHellos of both stacks, as messages.
func helloSeeds(t testing.TB) (out [][]byte) {
	t.Helper()
	message := func(sent []byte) []byte {
		var raw []byte
		for len(sent) > 0 {
			rec, _, err := wire.Deframe(sent, wire.MaxPlaintext)
			if err != nil || rec == nil || rec[0] != byte(wire.ContentHandshake) {
				break
			}
			raw, sent = append(raw, rec[wire.RecordHeaderLen:]...), sent[len(rec):]
		}
		return raw
	}
	for _, c := range []*tls.Config{
		{ServerName: "a.example", NextProtos: []string{"h2"}},
		{ServerName: "a.example", MaxVersion: tls.VersionTLS12},
		{ServerName: "a.example", MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519}},
		{ServerName: "a.example", MinVersion: tls.VersionTLS10, CurvePreferences: []tls.CurveID{tls.CurveP384, tls.CurveP256}},
	} {
		conn := &memory{}
		if err := tls.Client(conn, c).Handshake(); err == nil {
			t.Fatal("a handshake with nobody")
		}
		out = append(out, message(conn.out))
	}
	for _, c := range []tlscore.Config{
		{ALPN: []string{"h2", "x"}}, {MaxVersion: wire.VersionTLS12}, {MinVersion: wire.VersionTLS13, KeyShares: []wire.Group{}},
		{Groups: []wire.Group{wire.GroupX25519, wire.GroupSecp256r1}},
	} {
		for _, o := range []tlscore.Options{{ServerName: "a.example"}, {Session: sessionOf(wire.VersionTLS13)}, {Session: sessionOf(wire.VersionTLS12)}, {Session: sessionOf(wire.VersionTLS13), EarlyData: true}} {
			sent, err := tlscore.NewClient(compile(t, c), o).Start(tlstest.Now, nil)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, message(sent))
		}
	}
	return out
}

// jury compares verdicts, and counts.
type jury struct {
	t         testing.TB
	agreed    map[string]int
	explained map[string]int
	open      int
}

func newJury(t testing.TB) *jury {
	return &jury{t: t, agreed: map[string]int{}, explained: map[string]int{}}
}

// weigh compares two verdicts; name is the explanation where they differ, "" for none.
func (j *jury) weigh(ours, theirs verdict, explain func() string, outline func() string) {
	j.t.Helper()
	if ours.same(theirs) {
		word, _, _ := strings.Cut(ours.String(), " ")
		j.agreed[word]++
		return
	}
	name := explain()
	if name != "" {
		j.explained[name]++
		return
	}
	j.t.Errorf("%s\nwe: %v (%v), crypto/tls: %v (%v)", outline(), ours, ours.err, theirs, theirs.err)
	if j.open++; j.open == 10 {
		j.t.FailNow()
	}
}

func (j *jury) sum() { j.t.Logf("agreed: %v; explained: %v", j.agreed, j.explained) }

// TestHellosAreJudgedAsByCryptoTLS shows mutated ClientHellos to crypto/tls and to us.
func TestHellosAreJudgedAsByCryptoTLS(t *testing.T) {
	p, seeds, j := newPair(t), helloSeeds(t), newJury(t)
	weigh := func(hello []byte) {
		ours, theirs := p.judge(t, hello)
		j.weigh(ours, theirs, func() string { return explainHello(hello, ours, theirs) }, func() string { return outline(hello) })
	}
	for _, hello := range seeds {
		weigh(hello)
	}
	n := 8000
	if testing.Short() || brief {
		n = 500
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range n {
		weigh(mutateHello(r, seeds))
	}
	j.sum()
}

// FuzzHelloVerdicts does the same with any bytes in a handshake message.
func FuzzHelloVerdicts(f *testing.F) {
	p := newPair(f)
	for _, hello := range helloSeeds(f) {
		f.Add(hello)
	}
	f.Fuzz(func(t *testing.T, hello []byte) {
		ours, theirs := p.judge(t, hello)
		newJury(t).weigh(ours, theirs, func() string { return explainHello(hello, ours, theirs) }, func() string { return outline(hello) })
	})
}
