package trace_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/certcompress"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/trace"
	"github.com/tlswright/tlswright/wire"
)

// talk sends data both ways.
func (w *watched) talk(t *testing.T) {
	t.Helper()
	for _, pair := range [][2]*tlstest.End{{w.Client, w.Server}, {w.Server, w.Client}} {
		data := bytes.Repeat([]byte("hello, world. "), 2000)
		pair[1].Received = nil
		if err := w.Send(pair[0], data); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(pair[1].Received, data) {
			t.Fatal("the data did not arrive")
		}
	}
}

// renew lets a side change its keys, and with ask the other one, too.
func (w *watched) renew(t *testing.T, e *tlstest.End, ask bool) {
	t.Helper()
	out, err := e.Machine.KeyUpdate(ask, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Carry(e, out)
	if err := w.Run(); err != nil {
		t.Fatal(err)
	}
}

func (w *watched) close(t *testing.T) {
	t.Helper()
	for _, e := range []*tlstest.End{w.Client, w.Server} {
		out, err := e.Machine.CloseWrite(nil)
		if err != nil {
			t.Fatal(err)
		}
		w.Carry(e, out)
	}
	if err := w.Run(); err != nil {
		t.Fatal(err)
	}
}

// ticket sends a TLS 1.3 ticket and returns both sides' sessions.
func (w *watched) ticket(t *testing.T) (ours, theirs *tlscore.Session) {
	t.Helper()
	theirs, err := w.Server.Machine.NewSession(tlstest.Now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	name := make([]byte, 20)
	rand.Read(name)
	out, err := w.Server.Machine.SendTicket(theirs, name, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Carry(w.Server, out)
	if err := w.Run(); err != nil {
		t.Fatal(err)
	}
	return w.Client.Sessions[len(w.Client.Sessions)-1], theirs
}

// scene is one connection.
type scene struct {
	name   string
	play   func(t *testing.T) *watched
	refuse bool // early data is refused: the server's machine has no keys for it
	// live: a packet capture and a key log do not tell it. The log goes by the random of the inner ClientHello, which nothing
	// in it decrypts, so that no record is opened. Still each byte that is seen has a name.
	live bool
	want trace.Summary
}

// basic are the scenes without what came to the protocol by other RFCs: those that there are other forms of recordings for.
func basic(t *testing.T, all []scene) []scene {
	t.Helper()
	const last = "early data and retry"
	i := slices.IndexFunc(all, func(s scene) bool { return s.name == last })
	if i < 0 {
		t.Fatalf("there is no scene %q", last)
	}
	return all[:i+1]
}

func plain(client, server tlscore.Config) func(t *testing.T) *watched {
	return func(t *testing.T) *watched {
		if server.Identities == nil {
			server.Identities = serverConfig(t).Identities
		}
		w := watch(t, client, server, tlscore.Options{})
		if err := w.Handshake(); err != nil {
			t.Fatal(err)
		}
		w.talk(t)
		w.close(t)
		return w
	}
}

func scenes13(t *testing.T) []scene {
	own := []tlscore.Identity{selfSigned(t, "ed25519", "client")}
	all := []scene{
		{name: "no share", play: plain(tlscore.Config{KeyShares: []wire.Group{}}, tlscore.Config{}), want: trace.Summary{HelloRetry: true}},
		{name: "other group", play: plain(tlscore.Config{}, tlscore.Config{Groups: []wire.Group{wire.GroupSecp384r1}}), want: trace.Summary{HelloRetry: true, Group: "secp384r1"}},
		{name: "cookie", play: plain(tlscore.Config{}, tlscore.Config{RetryAlways: true}), want: trace.Summary{HelloRetry: true}},
		{name: "client certificate", play: plain(tlscore.Config{Identities: own}, tlscore.Config{ClientAuth: tlscore.RequireClientCert}), want: trace.Summary{ClientAuth: true}},
		{name: "no client certificate", play: plain(tlscore.Config{}, tlscore.Config{ClientAuth: tlscore.RequestClientCert})},
		{name: "no compatibility, padding, ALPN", play: plain(tlscore.Config{NoCompatibilityMode: true, Padding: tlscore.Padding{To: 512}, ALPN: []string{"h2", "x"}}, tlscore.Config{Padding: tlscore.Padding{To: 100}, ALPN: []string{"x"}}), want: trace.Summary{ALPN: "x"}},
		{name: "RSA", play: plain(tlscore.Config{}, tlscore.Config{Identities: []tlscore.Identity{selfSigned(t, "rsa", "a.example")}}), want: trace.Summary{Signature: "rsa_pss_rsae_sha256"}},
		{name: "Ed25519", play: plain(tlscore.Config{}, tlscore.Config{Identities: []tlscore.Identity{selfSigned(t, "ed25519", "a.example")}}), want: trace.Summary{Signature: "ed25519"}},
		{name: "a message over many records", play: plain(tlscore.Config{}, tlscore.Config{Identities: stapled(t, 40_000)})},
		{name: "key updates and tickets", play: func(t *testing.T) *watched {
			w := plainOpen(t, tlscore.Config{}, serverConfig(t), tlscore.Options{}, nil)
			w.ticket(t)
			w.renew(t, w.Client, true)
			w.talk(t)
			w.renew(t, w.Server, false)
			w.renew(t, w.Server, true)
			w.talk(t)
			w.ticket(t)
			w.close(t)
			return w
		}},
		{name: "certificates after the handshake", play: late(t), want: trace.Summary{ClientAuth: true}},
		{name: "resumed", play: again(tlscore.Config{}, false, nil), want: trace.Summary{Resumed: true}},
		{name: "resumed after retry", play: again(tlscore.Config{KeyShares: []wire.Group{}}, false, nil), want: trace.Summary{Resumed: true, HelloRetry: true}},
		{name: "early data", play: again(tlscore.Config{}, true, nil), want: trace.Summary{Resumed: true, EarlyData: "accepted"}},
		{name: "early data with SHA-256", play: again(tlscore.Config{CipherSuites: []wire.CipherSuite{wire.TLS_CHACHA20_POLY1305_SHA256}}, true, nil), want: trace.Summary{Resumed: true, EarlyData: "accepted"}},
		{name: "early data refused", refuse: true, play: again(tlscore.Config{}, true, func(c *tlscore.Config) { c.MaxEarlyData = 0 }), want: trace.Summary{Resumed: true, EarlyData: "rejected"}},
		{name: "early data and retry", refuse: true, play: again(tlscore.Config{}, true, func(c *tlscore.Config) { c.RetryAlways = true }), want: trace.Summary{Resumed: true, HelloRetry: true, EarlyData: "rejected"}},
		{name: "early data and another suite", refuse: true, play: again(tlscore.Config{}, true, func(c *tlscore.Config) {
			c.CipherSuites = []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256}
		}), want: trace.Summary{EarlyData: "rejected", CipherSuite: "TLS_AES_128_GCM_SHA256"}},
		{name: "compressed certificates", play: plain(compressing(t)), want: trace.Summary{ClientAuth: true}},
		{name: "staples of each certificate", play: plain(chainStaples(t)), want: trace.Summary{ClientAuth: true}},
		{name: "delegated credentials", play: plain(delegating(t)), want: trace.Summary{ClientAuth: true, Signature: "ed25519"}},
		{name: "raw public keys", play: plain(rawKeys(t)), want: trace.Summary{ClientAuth: true}},
		{name: "ML-DSA", play: plain(quantumSafe(t)), want: trace.Summary{ClientAuth: true, Signature: "mldsa87"}},
		{name: "external PSK", play: keyed(false, false), want: trace.Summary{PSK: "device 7"}},
		{name: "external PSK as it is, after retry", play: keyed(true, true), want: trace.Summary{PSK: "device 7", HelloRetry: true}},
		{name: "session forgotten", refuse: true, play: again(tlscore.Config{}, true, func(c *tlscore.Config) { c.AskSession = false }), want: trace.Summary{EarlyData: "rejected"}},
	}
	all = append(all, recordScenes(t)...)
	all = append(all, hiddenScenes()...)
	for _, id := range suite.All() {
		for _, g := range suite.AllGroups() {
			all = append(all, scene{
				name: id.String() + " " + g.String(), want: trace.Summary{CipherSuite: id.String(), Group: g.String()},
				play: plain(tlscore.Config{CipherSuites: []wire.CipherSuite{id}, Groups: []wire.Group{g}}, tlscore.Config{CipherSuites: []wire.CipherSuite{id}, Groups: []wire.Group{g}}),
			})
		}
	}
	return all
}

// compressing configures two ends that compress their certificates.
func compressing(t *testing.T) (client, server tlscore.Config) {
	algorithm := func(a wire.CompressionAlgorithm) []tlscore.CertificateCompression {
		return []tlscore.CertificateCompression{{
			Algorithm:  a,
			Compress:   func(out, message []byte) []byte { return certcompress.Compress(a, out, message) },
			Decompress: func(out, compressed []byte) error { return certcompress.Decompress(a, out, compressed) },
		}}
	}
	zstd := algorithm(wire.CompressionZstd)
	return tlscore.Config{CertificateCompression: zstd, Identities: []tlscore.Identity{selfSigned(t, "ecdsa", "client")}},
		tlscore.Config{CertificateCompression: zstd, ClientAuth: tlscore.RequireClientCert}
}

// rawKeys configures two ends that show raw public keys to each other.
func rawKeys(t *testing.T) (client, server tlscore.Config) {
	both := []wire.CertificateType{wire.CertificateTypeRawPublicKey}
	own := func() []tlscore.Identity {
		id := selfSigned(t, "ecdsa", "a.example")
		der, err := x509.MarshalPKIXPublicKey(id.Tag.(crypto.Signer).Public())
		if err != nil {
			t.Fatal(err)
		}
		id.Chain, id.Type = [][]byte{der}, wire.CertificateTypeRawPublicKey
		return []tlscore.Identity{id}
	}
	return tlscore.Config{Identities: own(), PeerCertificateTypes: both},
		tlscore.Config{Identities: own(), PeerCertificateTypes: both, ClientAuth: tlscore.RequireClientCert}
}

// keyed plays a handshake with an external PSK.
func keyed(unimported, retried bool) func(t *testing.T) *watched {
	key := func(r tlscore.Role) []tlscore.PSK {
		k := tlscore.PSK{Identity: []byte("device 7"), Key: bytes.Repeat([]byte("key "), 8), Role: r, Unimported: unimported}
		if !unimported {
			k.Context = []byte("a and b")
		}
		return []tlscore.PSK{k}
	}
	client := tlscore.Config{PSKs: key(tlscore.RoleClient)}
	if retried {
		client.KeyShares = []wire.Group{}
	}
	return plain(client, tlscore.Config{PSKs: key(tlscore.RoleServer)})
}

// stapled is an identity that brings n bytes in place of an OCSP response.
func stapled(t *testing.T, n int) []tlscore.Identity {
	id := selfSigned(t, "ecdsa", "a.example")
	id.Staple, id.SCTs = make([]byte, n), [][]byte{[]byte("no timestamp")}
	return []tlscore.Identity{id}
}

func plainOpen(t *testing.T, client, server tlscore.Config, o tlscore.Options, answer func(*tlscore.Question) tlscore.Answer) *watched {
	t.Helper()
	w := watch(t, client, server, o)
	w.Server.Answer = answer
	if err := w.Handshake(); err != nil {
		t.Fatal(err)
	}
	return w
}

// again plays a second visit with the ticket of a first; change is made to the server before it.
func again(client tlscore.Config, early bool, change func(*tlscore.Config)) func(t *testing.T) *watched {
	return func(t *testing.T) *watched {
		server := serverConfig(t)
		server.AskSession, server.MaxEarlyData = true, 40_000
		ours, theirs := plainOpen(t, client, server, tlscore.Options{}, nil).ticket(t)
		if change != nil {
			change(&server)
		}
		w := watch(t, client, server, tlscore.Options{Session: ours, EarlyData: early})
		w.Later = time.Minute
		w.Server.Answer = func(q *tlscore.Question) tlscore.Answer {
			switch q.Kind {
			case tlscore.NeedSession:
				return tlscore.Found{Session: theirs}
			case tlscore.NeedFresh:
				return tlscore.Fresh(true)
			}
			return nil
		}
		if err := w.Start(); err != nil {
			t.Fatal(err)
		}
		if early {
			_, out, err := w.Client.Machine.SealEarly(bytes.Repeat([]byte("early "), 2500), nil)
			if err != nil {
				t.Fatal(err)
			}
			w.Carry(w.Client, out)
		}
		if err := w.Run(); err != nil {
			t.Fatal(err)
		}
		w.talk(t)
		w.close(t)
		return w
	}
}

// again12 is again for TLS 1.2; with renew the server sends another ticket for the session that goes on.
func again12(renew bool) func(t *testing.T) *watched {
	return func(t *testing.T) *watched { return resume12(t, renew) }
}

func resume12(t *testing.T, renew bool) *watched {
	server := serverConfig(t)
	server.AskSession, server.MaxVersion = true, wire.VersionTLS12
	var kept *tlscore.Session
	answer := func(q *tlscore.Question) tlscore.Answer {
		switch q.Kind {
		case tlscore.NeedTicket:
			kept = q.Resumed
			return tlscore.Issued{Ticket: []byte("a ticket"), Lifetime: time.Hour}
		case tlscore.NeedSession:
			return tlscore.Found{Session: kept, Renew: renew}
		}
		return nil
	}
	first := plainOpen(t, tlscore.Config{}, server, tlscore.Options{}, answer)
	w := plainOpen(t, tlscore.Config{}, server, tlscore.Options{Session: first.Client.Sessions[0]}, answer)
	if got := len(w.Client.Sessions) > 0; got != renew {
		t.Fatalf("a ticket came with the resumption: %v", got)
	}
	w.talk(t)
	w.close(t)
	return w
}

func scenes12(t *testing.T) []scene {
	own := []tlscore.Identity{selfSigned(t, "ed25519", "client")}
	old := tlscore.Config{MaxVersion: wire.VersionTLS12}
	all := []scene{
		{name: "1.2 client offers 1.3", play: plain(tlscore.Config{}, old)},
		{name: "1.2 both", play: plain(old, old)},
		{name: "1.2 client certificate", play: plain(tlscore.Config{Identities: own}, tlscore.Config{MaxVersion: wire.VersionTLS12, ClientAuth: tlscore.RequireClientCert}), want: trace.Summary{ClientAuth: true}},
		{name: "1.2 no client certificate", play: plain(old, tlscore.Config{ClientAuth: tlscore.RequestClientCert})},
		{name: "1.2 staple", play: plain(old, tlscore.Config{Identities: stapled(t, 20_000)})},
		{name: "1.2 short records", play: plain(tlscore.Config{RecordSizeLimit: 64}, old), want: trace.Summary{RecordLimits: &trace.RecordLimits{ToClient: 64, ToServer: wire.MaxPlaintext}}},
		{name: "1.2 max_fragment_length", play: plain(tlscore.Config{MaxFragmentLength: 1024}, old), want: trace.Summary{RecordLimits: &trace.RecordLimits{ToClient: 1024, ToServer: 1024}}},
		{name: "1.2 raw public keys", play: func(t *testing.T) *watched {
			client, server := rawKeys(t)
			server.MaxVersion = wire.VersionTLS12
			return plain(client, server)(t)
		}, want: trace.Summary{ClientAuth: true}},
		{name: "1.2 resumed", play: again12(false), want: trace.Summary{Resumed: true}},
		{name: "1.2 resumed, with another ticket", play: again12(true), want: trace.Summary{Resumed: true}},
	}
	ecdsa, rsa := selfSigned(t, "ecdsa", "a.example"), selfSigned(t, "rsa", "a.example")
	for _, id := range suite.All12() {
		identity := ecdsa
		if suite.ByID12(id).Auth == suite.AuthRSA {
			identity = rsa
		}
		for _, g := range []wire.Group{wire.GroupX25519, wire.GroupSecp384r1} {
			all = append(all, scene{
				name: id.String() + " " + g.String(), want: trace.Summary{CipherSuite: id.String(), Group: g.String()},
				play: plain(tlscore.Config{CipherSuites: []wire.CipherSuite{id}}, tlscore.Config{CipherSuites: []wire.CipherSuite{id}, Groups: []wire.Group{g}, Identities: []tlscore.Identity{identity}}),
			})
		}
	}
	return all
}

// offline leaves of a capture what a packet capture and a key log have.
func offline(r *trace.Recording) *trace.Capture {
	c := r.Capture()
	c.Derivations, c.Happenings, c.Observed = nil, nil, ""
	return c
}

func TestEveryConnectionIsToldWhole(t *testing.T) {
	for _, s := range slices.Concat(scenes13(t), scenes12(t)) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			w := s.play(t)
			client := decode(t, w.client.Capture())
			server := decode(t, w.server.Capture())
			for _, r := range []*trace.Recording{client, server, decode(t, offline(client)), decode(t, offline(server))} {
				whole(t, r)
				if s.live && r.Observed == "" {
					closed(t, r)
					continue
				}
				if s.refuse {
					for i := range r.Records { // the server never has the keys of these
						if rec := &r.Records[i]; rec.Epoch == "early data" && !rec.Opened {
							rec.Problem = ""
						}
					}
				}
				allRight(t, r)
				checked(t, r)
				agrees(t, s.want, r.Summary)
				if r.Failure != nil {
					t.Errorf("failure: %+v", r.Failure)
				}
			}
			if !s.live && (client.Summary.Version == "TLS 1.3" || !client.Summary.Resumed) {
				fromShared(t, client)
			}
			sameTwice(t, client)
			sameWire(t, client, server)
		})
	}
}

// checked looks that the checks that matter most were made.
func checked(t *testing.T, r *trace.Recording) {
	t.Helper()
	right := map[string]bool{}
	for _, c := range r.Checks {
		if c.Result == "right" {
			right[c.Name] = true
		}
	}
	want := []string{"client Finished", "server Finished", "record tags", "record nonces", "downgrade sentinel", "version", "cipher suite", "key schedule"}
	switch {
	case r.Summary.Resumed, r.Summary.PSK != "":
	case r.Summary.Version == "TLS 1.3":
		want = append(want, "server CertificateVerify", "certificate path")
	default:
		want = append(want, "ServerKeyExchange signature", "certificate path")
	}
	if showsKeys(r) {
		want = slices.DeleteFunc(want, func(name string) bool { return name == "certificate path" })
	}
	if r.Summary.ClientAuth {
		want = append(want, "client CertificateVerify")
	}
	if r.Summary.HelloRetry {
		want = append(want, "message_hash", "second ClientHello")
	}
	if (r.Summary.Resumed || r.Summary.PSK != "") && r.Summary.Version == "TLS 1.3" && r.Observed != "" {
		want = append(want, "PSK binder")
	}
	if r.Observed != "" {
		want = append(want, "transcript hash")
	}
	for _, name := range want {
		if !right[name] && !(name == "transcript hash" && r.Summary.Version == "TLS 1.2" && r.Summary.Resumed) {
			t.Errorf("observed %q: %s was not found right", r.Observed, name)
		}
	}
}

// showsKeys reports whether the server shows a raw public key, and says so.
func showsKeys(r *trace.Recording) bool {
	for i := range r.Messages {
		for _, f := range r.Messages[i].Fields {
			if strings.HasSuffix(f.Path, "server_certificate_type.server_certificate_type") && f.Value == "RawPublicKey" {
				return true
			}
		}
	}
	return false
}

// agrees compares a summary with what the scene wants of it.
func agrees(t *testing.T, want, got trace.Summary) {
	t.Helper()
	if !got.Complete || got.Version == "" || got.CipherSuite == "" || got.ServerName != "a.example" || len(got.ClientRandom) != 32 {
		t.Errorf("summary %+v", got)
	}
	if got.Resumed != want.Resumed || got.PSK != want.PSK || got.HelloRetry != want.HelloRetry || got.EarlyData != want.EarlyData || got.ClientAuth != want.ClientAuth || got.ALPN != want.ALPN {
		t.Errorf("summary %+v, want %+v", got, want)
	}
	if (want.RecordLimits == nil) != (got.RecordLimits == nil) || want.RecordLimits != nil && *want.RecordLimits != *got.RecordLimits {
		t.Errorf("record limits are %+v, want %+v", got.RecordLimits, want.RecordLimits)
	}
	for _, p := range [][2]string{{want.CipherSuite, got.CipherSuite}, {want.Group, got.Group}, {want.Signature, got.Signature}} {
		if p[0] != "" && p[0] != p[1] {
			t.Errorf("%s, want %s", p[1], p[0])
		}
	}
}

// sameTwice checks that a recording survives JSON, and that what it was made of makes the same again.
func sameTwice(t *testing.T, r *trace.Recording) {
	t.Helper()
	first, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	read, err := trace.ReadJSON(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	second, err := read.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("JSON read and written again is not the same")
	}
	third, err := decode(t, read.Capture()).JSON()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, third) {
		t.Errorf("decoded again it is not the same: %s", difference(first, third))
	}
}

// difference shows the first lines that differ.
func difference(a, b []byte) string {
	la, lb := bytes.Split(a, []byte("\n")), bytes.Split(b, []byte("\n"))
	for i := range la {
		if i >= len(lb) || !bytes.Equal(la[i], lb[i]) {
			return string(bytes.Join(la[max(0, i-8):min(len(la), i+3)], []byte("\n"))) + "\n-----\n" + string(bytes.Join(lb[max(0, i-3):min(len(lb), i+3)], []byte("\n")))
		}
	}
	return "longer"
}

// sameWire checks that both sides saw the same messages.
func sameWire(t *testing.T, a, b *trace.Recording) {
	t.Helper()
	for _, side := range []trace.Side{trace.Client, trace.Server} {
		of := func(r *trace.Recording) (all [][]byte) {
			for _, m := range r.Messages {
				if m.From == side {
					all = append(all, m.Raw)
				}
			}
			return all
		}
		if !slices.EqualFunc(of(a), of(b), bytes.Equal) {
			t.Errorf("client and server saw other messages of the %s", side)
		}
	}
}

// fromShared checks that a pre-shared key and a shared secret are enough to open everything.
func fromShared(t *testing.T, full *trace.Recording) {
	t.Helper()
	c := full.Capture()
	c.KeyLog = nil
	c.Derivations = slices.DeleteFunc(c.Derivations, func(k trace.Derivation) bool { return k.Name != "psk" && k.Name != "shared_secret" })
	r := decode(t, c)
	whole(t, r)
	allRight(t, r)
	checked(t, r)
	for _, k := range full.Keys {
		if !slices.ContainsFunc(r.Keys, func(o trace.Derivation) bool { return bytes.Equal(o.Output, k.Output) }) {
			t.Errorf("%s was not derived", k.Name)
		}
	}
}
