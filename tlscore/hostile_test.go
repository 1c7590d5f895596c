package tlscore_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"

	"github.com/tlswright/tlswright/internal/record"
	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// ended says how a link came to rest, and checks what must hold in every case: a side that failed by its own judgement
// sent its alert, and nobody finished alone with data flowing.
func ended(t *testing.T, l *tlstest.Link) {
	t.Helper()
	for _, e := range []*tlstest.End{l.Client, l.Server} {
		if e.Err == nil {
			continue
		}
		if _, ok := tlscore.CodeOf(e.Err); !ok {
			t.Errorf("an end failed with %T %v, no *tlscore.Error", e.Err, e.Err)
		}
	}
}

// recordsOf runs an undisturbed handshake and returns how many records each end sends, and their sizes.
func recordsOf(t *testing.T, c, s tlscore.Config) (client, server []int) {
	t.Helper()
	l := link(t, c, s)
	l.Mutate = func(from *tlstest.End, rec []byte) []byte {
		if from == l.Client {
			client = append(client, len(rec))
		} else {
			server = append(server, len(rec))
		}
		return rec
	}
	if err := l.Handshake(); err != nil {
		t.Fatal(err)
	}
	return client, server
}

// smallConfigs make handshakes of few bytes, so that each byte can have its turn.
func smallConfigs(t *testing.T) (c, s tlscore.Config) {
	c = tlscore.Config{Groups: []wire.Group{wire.GroupX25519}, Identities: []tlscore.Identity{selfSigned(t, ed(t))}}
	s = tlscore.Config{Groups: []wire.Group{wire.GroupX25519}, Identities: []tlscore.Identity{selfSigned(t, ed(t), "a.example")}, ClientAuth: tlscore.RequireClientCert}
	return c, s
}

// TestEveryFlippedBitIsNoticed flips one bit in each byte of each record of a handshake with client authentication.
func TestEveryFlippedBitIsNoticed(t *testing.T) {
	c, s := smallConfigs(t)
	client, server := recordsOf(t, c, s)
	pc, ps := compile(t, c), compile(t, s)
	flips := 0
	for side, sizes := range [][]int{client, server} {
		for index, size := range sizes {
			for at := range size {
				l := tlstest.New(pc, ps, tlscore.Options{ServerName: "a.example"}, tlscore.Options{})
				seen := [2]int{}
				ignorable := false
				l.Mutate = func(from *tlstest.End, rec []byte) []byte {
					who := 0
					if from == l.Server {
						who = 1
					}
					if who == side && seen[who] == index && at < len(rec) {
						// RFC 8446, Section 5.1: legacy_record_version MUST be ignored; without protection nothing notices.
						ignorable = at == 2 && wire.ContentType(rec[0]) != wire.ContentApplicationData
						rec[at] ^= 1 << (at % 8)
						flips++
					}
					seen[who]++
					return rec
				}
				err := l.Handshake()
				ended(t, l)
				if err == nil && !ignorable {
					t.Fatalf("side %d, record %d: the flip in byte %d of %d went unnoticed", side, index, at, size)
				}
			}
		}
	}
	t.Logf("%d flips", flips)
}

// TestDisorderIsNoticed drops, doubles and swaps each record in turn.
func TestDisorderIsNoticed(t *testing.T) {
	for _, v := range []wire.Version{wire.VersionTLS12, wire.VersionTLS13} {
		c, s := smallConfigs(t)
		s.MaxVersion = v
		client, server := recordsOf(t, c, s)
		for side, sizes := range [][]int{client, server} {
			for index := range sizes {
				for _, what := range []string{"drop", "double", "swap"} {
					t.Run(fmt.Sprintf("%v/%s/%d/%d", v, what, side, index), func(t *testing.T) {
						disorder(t, link(t, c, s), v, what, side, index)
					})
				}
			}
		}
	}
}

// disorder plays it out: the record of a number, counted from 0, that the client (side 0) or the server sends.
func disorder(t *testing.T, l *tlstest.Link, v wire.Version, what string, side, index int) {
	t.Helper()
	seen := [2]int{}
	var held []byte
	harmless := false
	// In TLS 1.3 a change_cipher_spec is dropped wherever it comes, so it may be missing, double or late.
	may := func(rec []byte) bool {
		return v == wire.VersionTLS13 && wire.ContentType(rec[0]) == wire.ContentChangeCipherSpec
	}
	l.Mutate = func(from *tlstest.End, rec []byte) []byte {
		who := 0
		if from == l.Server {
			who = 1
		}
		seen[who]++
		if who != side {
			return rec
		}
		switch {
		case seen[who]-1 == index:
			harmless = may(rec)
			switch what {
			case "drop":
				return nil
			case "double":
				return append(bytes.Clone(rec), rec...)
			}
			held = rec
			return nil
		case held != nil:
			harmless = harmless || may(rec)
			rec, held = append(rec, held...), nil
		}
		return rec
	}
	err := l.Handshake()
	ended(t, l)
	if err == nil && !harmless {
		// What remains is a doubled or held last record, which data makes visible.
		err = l.Send(l.Client, []byte("x"))
		if err == nil && bytes.Equal(l.Server.Received, []byte("x")) && held == nil {
			t.Error("went unnoticed")
		}
	}
}

// recordRule is a stream of records that no client may send.
type recordRule struct {
	name  string
	in    []byte
	code  tlscore.Code
	alert wire.AlertCode
}

func recordRules(t *testing.T) []recordRule {
	t.Helper()
	first, err := tlscore.NewClient(compile(t, tlscore.Config{}), tlscore.Options{}).Start(tlstest.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	hello := func() []byte { return bytes.Clone(first) }
	plain := func(kind wire.ContentType, b ...byte) []byte {
		return record.AppendPlaintext(nil, kind, wire.VersionTLS12, b)
	}
	return []recordRule{
		{"plain HTTP", []byte("GET / HTTP/1.1\r\n\r\n"), tlscore.CodeNotTLS, wire.AlertUnexpectedMessage},
		{"another major version", []byte{22, 4, 0, 0, 1, 0}, tlscore.CodeRecordVersion, wire.AlertProtocolVersion},
		{"too long", []byte{22, 3, 3, 0x40, 1}, tlscore.CodeRecordTooLong, wire.AlertRecordOverflow},
		{"empty handshake", plain(wire.ContentHandshake), tlscore.CodeEmptyFragment, wire.AlertUnexpectedMessage},
		{"application data", plain(wire.ContentApplicationData, 1), tlscore.CodeUnexpectedRecord, wire.AlertUnexpectedMessage},
		{"something else", []byte("SSH-2.0-x"), tlscore.CodeNotTLS, wire.AlertUnexpectedMessage},
		{"unknown content type", append(hello(), plain(99, 1)...), tlscore.CodeUnexpectedRecord, wire.AlertUnexpectedMessage},
		{"change_cipher_spec first", plain(wire.ContentChangeCipherSpec, 1), tlscore.CodeUnexpectedRecord, wire.AlertUnexpectedMessage},
		{"change_cipher_spec of two bytes", append(hello(), plain(wire.ContentChangeCipherSpec, 1, 1)...), tlscore.CodeBadChangeCipherSpec, wire.AlertUnexpectedMessage},
		{"change_cipher_spec inside a message", append(plain(wire.ContentHandshake, 1, 0, 1), plain(wire.ContentChangeCipherSpec, 1)...), tlscore.CodeInterleaved, wire.AlertUnexpectedMessage},
		{"alert inside a message", append(plain(wire.ContentHandshake, 1, 0, 1), plain(wire.ContentAlert, 1, 90)...), tlscore.CodeInterleaved, wire.AlertUnexpectedMessage},
		{"alert of one byte", plain(wire.ContentAlert, 1), tlscore.CodeBadAlert, wire.AlertDecodeError},
		{"unprotected record after ServerHello", append(hello(), plain(wire.ContentHandshake, 20, 0, 0, 0)...), tlscore.CodeUnexpectedRecord, wire.AlertUnexpectedMessage},
		{"forged record", append(hello(), plain(wire.ContentApplicationData, make([]byte, 40)...)...), tlscore.CodeBadRecordMAC, wire.AlertBadRecordMAC},
		{"protected record too long", append(hello(), 23, 3, 3, 0x41, 1), tlscore.CodeRecordTooLong, wire.AlertRecordOverflow},
		{"flood of change_cipher_spec", append(hello(), bytes.Repeat(plain(wire.ContentChangeCipherSpec, 1), 40)...), tlscore.CodeTooManyUselessRecords, wire.AlertUnexpectedMessage},
		{"flood of warnings", bytes.Repeat(plain(wire.ContentAlert, 1, byte(wire.AlertUserCanceled)), 6), tlscore.CodeTooManyWarnings, wire.AlertUnexpectedMessage},
	}
}

// run feeds the stream to a server.
func (c *recordRule) run(t *testing.T, watch tlscore.Observer) error {
	t.Helper()
	m := tlscore.NewServer(compile(t, serverConfig(t)), tlscore.Options{Observer: watch})
	if _, err := m.Start(tlstest.Now, nil); err != nil {
		t.Fatal(err)
	}
	return drive(m, c.in)
}

// TestRecordRulesAreEnforced sends single records that no peer may send.
func TestRecordRulesAreEnforced(t *testing.T) {
	for _, c := range recordRules(t) {
		t.Run(c.name, func(t *testing.T) {
			var seen alerts
			err := c.run(t, &seen)
			if code, _ := tlscore.CodeOf(err); code != c.code {
				t.Fatalf("ended with %v, want %v", err, c.code)
			}
			if len(seen) != 1 || seen[0] != c.alert {
				t.Errorf("alerts %v, want %v", seen, c.alert)
			}
		})
	}
}

// alerts is an observer that notes the alerts sent.
type alerts []wire.AlertCode

func (a *alerts) Observe(o tlscore.Observation) {
	if s, ok := o.(tlscore.AlertObserved); ok && s.Direction == tlscore.Sent {
		*a = append(*a, s.Alert.Code)
	}
}

// drive feeds bytes to a machine until it fails or has consumed all it can, and answers what a server asks.
func drive(m *tlscore.Machine, in []byte) error {
	e := &tlstest.End{Machine: m}
	return e.Drive(in)
}

func TestEmptyRecordFloodIsRefused(t *testing.T) {
	l := connected(t)
	p := &tlstest.Puppet{Identity: selfSigned(t, ed(t))}
	m := tlscore.NewClient(compile(t, tlscore.Config{}), tlscore.Options{})
	if o := p.Serve(m); !o.Done {
		t.Fatal(o.Err)
	}
	var o tlstest.Outcome
	for range tlscore.DefaultMaxUselessRecords + 1 {
		o = p.Say(m, wire.ContentApplicationData, nil)
	}
	if code, _ := tlscore.CodeOf(o.Err); code != tlscore.CodeTooManyUselessRecords || o.Alert == nil {
		t.Errorf("ended with %v, alert %v", o.Err, o.Alert)
	}
	ended(t, l)
}

func TestHandshakeMemoryIsBounded(t *testing.T) {
	// A peer announces a message of 16 MiB and sends records for ever: refused at the header.
	m := tlscore.NewServer(compile(t, serverConfig(t)), tlscore.Options{})
	if _, err := m.Start(tlstest.Now, nil); err != nil {
		t.Fatal(err)
	}
	rec := record.AppendPlaintext(nil, wire.ContentHandshake, wire.VersionTLS12, []byte{1, 0xff, 0xff, 0xff})
	if code, _ := tlscore.CodeOf(drive(m, rec)); code != tlscore.CodeMessageTooLong {
		t.Errorf("ended with %v", code)
	}
	// A peer sends the largest message allowed, one byte a record: memory stays near the message's size.
	var before, after runtime.MemStats
	m = tlscore.NewServer(compile(t, serverConfig(t)), tlscore.Options{})
	if _, err := m.Start(tlstest.Now, nil); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&before)
	head := []byte{1, 0, 0xff, 0xff}
	for i := range 4 + 0xfffe {
		b := byte(0)
		if i < 4 {
			b = head[i]
		}
		if err := drive(m, record.AppendPlaintext(nil, wire.ContentHandshake, wire.VersionTLS12, []byte{b})); err != nil {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 256<<10 {
		t.Errorf("heap grew by %d bytes", grown)
	}
	runtime.KeepAlive(m)
}

// TestRandomFlightsAreRefused feeds flights of random bytes and randomly damaged ones to both roles, seeded. The full
// million of them belongs to `make accept`.
func TestRandomFlightsAreRefused(t *testing.T) {
	n := 20_000
	if os.Getenv("TLSWRIGHT_ACCEPT") != "" {
		n = 1_000_000
	}
	if testing.Short() || brief {
		n = 2_000
	}
	r := rand.New(rand.NewPCG(1, 2))
	pc, ps := compile(t, tlscore.Config{Groups: []wire.Group{wire.GroupX25519}}), compile(t, serverConfig(t))
	hello, err := tlscore.NewClient(pc, tlscore.Options{}).Start(tlstest.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	var flight []byte
	l := tlstest.New(pc, ps, tlscore.Options{}, tlscore.Options{})
	if err := l.Handshake(); err != nil {
		t.Fatal(err)
	}
	flight = l.Server.Sent
	refused := 0
	for range n {
		m, sample := tlscore.NewServer(ps, tlscore.Options{}), hello
		if r.IntN(2) == 0 {
			m, sample = tlscore.NewClient(pc, tlscore.Options{}), flight
		}
		if _, err := m.Start(tlstest.Now, nil); err != nil {
			t.Fatal(err)
		}
		if drive(m, damaged(r, sample)) != nil {
			refused++
		}
		if m.Facts().HandshakeComplete {
			t.Fatal("a damaged flight completed a handshake")
		}
	}
	t.Logf("%d flights, %d refused at once, the rest wait for more", n, refused)
}

// damaged returns random bytes, random content behind a sound record header, or a sample with some damage.
func damaged(r *rand.Rand, sample []byte) []byte {
	var b []byte
	switch r.IntN(4) {
	case 0:
		b = make([]byte, r.IntN(300))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	case 1:
		b = make([]byte, r.IntN(300))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		if len(b) > 0 {
			b[0] = []byte{1, 2}[r.IntN(2)]
		}
		return record.AppendPlaintext(nil, wire.ContentHandshake, wire.VersionTLS12, b)
	}
	b = bytes.Clone(sample)
	for range 1 + r.IntN(4) {
		at := r.IntN(len(b))
		switch r.IntN(3) {
		case 0:
			b[at] = byte(r.Uint32())
		case 1:
			b = append(b[:at], b[min(len(b), at+1+r.IntN(8)):]...)
		default:
			b = append(b[:at:at], append([]byte{byte(r.Uint32())}, b[at:]...)...)
		}
		if len(b) == 0 {
			return b
		}
	}
	return b
}
