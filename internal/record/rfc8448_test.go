package record_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/x509"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/record"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/wire"
)

// replay acts both sides of one trace. What a side draws at random comes from its pool, what it signed from the
// vectors (those signatures are randomised); everything else is computed here and has to be what the trace says.
type replay struct {
	t *testing.T
	v vectors

	suite          *suite.Suite
	client, server pool
	tr             keys.Transcript
	early          keys.Early
	psk            []byte
	external       bool // the PSK is an external one

	group      wire.Group
	clientKey  *ecdh.PrivateKey
	sessionID  []byte
	early0     *direction // early data
	clientApp  *direction
	serverApp  *direction
	resumption keys.Resumption
	computed   map[string][]byte // what the key schedule and the transcript gave, by name
}

// direction is a Sealer and the Opener at its other end.
type direction struct {
	sealer *record.Sealer
	opener *record.Opener
}

func newReplay(t *testing.T, name string) *replay {
	t.Helper()
	v, ok := readVectors(t, "transcripts.vec")[name]
	if !ok {
		t.Fatalf("no section %s", name)
	}
	for key, value := range readVectors(t, "secrets.vec")[name] {
		if isMessage(key) {
			v[key] = value
		}
	}
	r := &replay{t: t, v: v, suite: suite.ByID(wire.TLS_AES_128_GCM_SHA256), computed: map[string][]byte{}}
	r.client.left, r.server.left = v["Client_RNG_Pool"], v["Server_RNG_Pool"]
	return r
}

// isMessage tells vectors of the transcript from secrets.
func isMessage(key string) bool {
	return strings.HasPrefix(key, "Message_") || strings.HasPrefix(key, "Record_")
}

// derived collects the trace of the key schedule.
func (r *replay) derived(d keys.Derivation) { r.computed[d.Name] = bytes.Clone(d.Output) }

// same compares something computed with the vector of the name, if there is one.
func (r *replay) same(name string, got []byte) {
	r.t.Helper()
	want, ok := r.v[name]
	if !ok {
		r.t.Fatalf("no vector %s", name)
	}
	if !bytes.Equal(got, want) {
		r.t.Fatalf("%s differs\n got %x\nwant %x", name, got, want)
	}
}

// hash is the transcript hash, noted under the name of the last message.
func (r *replay) hash(after string) []byte {
	th := r.tr.Sum()
	r.computed["hash "+after] = th
	return th
}

// fragment returns the payload of a vector that is one plaintext record.
func (r *replay) fragment(name string) []byte {
	r.t.Helper()
	rec, need, err := wire.Deframe(r.v[name], wire.MaxPlaintext)
	if err != nil || rec == nil || len(rec) != len(r.v[name]) {
		r.t.Fatalf("%s is not one record: %d bytes needed, %v", name, need, err)
	}
	return rec[wire.RecordHeaderLen:]
}

// direction makes both ends of a direction.
func (r *replay) direction(secret keys.Traffic) *direction {
	r.t.Helper()
	sealer, err := record.NewSealer(r.suite, secret)
	if err != nil {
		r.t.Fatal(err)
	}
	opener, err := record.NewOpener(r.suite, secret)
	if err != nil {
		r.t.Fatal(err)
	}
	return &direction{sealer, opener}
}

// send seals one record; the other end opens it to the same content.
func (r *replay) send(out []byte, d *direction, typ wire.ContentType, payload []byte) []byte {
	r.t.Helper()
	start := len(out)
	out, err := d.sealer.Seal(out, typ, payload, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	got, content, err := d.opener.Open(bytes.Clone(out[start:]))
	if err != nil || got != typ || !bytes.Equal(content, payload) {
		r.t.Fatalf("the peer reads %v, %d bytes, %v", got, len(content), err)
	}
	return out
}

// ephemeral makes a key pair of the group out of a pool.
func (r *replay) ephemeral(g wire.Group, p *pool) *ecdh.PrivateKey {
	r.t.Helper()
	curve := map[wire.Group]ecdh.Curve{wire.GroupX25519: ecdh.X25519(), wire.GroupSecp256r1: ecdh.P256()}[g]
	if curve == nil || suite.GroupByID(g) == nil {
		r.t.Fatalf("group %v", g)
	}
	key, err := curve.NewPrivateKey(p.draw(r.t, 32))
	if err != nil {
		r.t.Fatal(err)
	}
	if n := len(key.PublicKey().Bytes()); n != suite.GroupByID(g).ClientShareLen {
		r.t.Fatalf("a share of %d bytes for %v", n, g)
	}
	return key
}

// clientHello builds a ClientHello from pool and vector, with its binder if it offers a PSK, and compares the record.
func (r *replay) clientHello(vector string, random []byte, version wire.Version) {
	r.t.Helper()
	var m wire.ClientHello
	if err := m.Parse(r.fragment(vector)); err != nil {
		r.t.Fatal(err)
	}
	if r.sessionID == nil && len(m.SessionID) > 0 {
		r.sessionID = r.client.draw(r.t, 32)
	}
	var offer *wire.PreSharedKeys
	built := m
	built.Random, built.SessionID = [32]byte(random), r.sessionID
	built.Extensions = rebuild(r.t, &m, m.Extensions, func(v wire.ExtensionView) {
		switch v := v.(type) {
		case *wire.KeyShares:
			if len(v.Entries) != 1 {
				r.t.Fatalf("%d shares", len(v.Entries))
			}
			r.group = v.Entries[0].Group
			r.clientKey = r.ephemeral(r.group, &r.client)
			v.Entries[0].KeyExchange = r.clientKey.PublicKey().Bytes()
		case *wire.PreSharedKeys:
			offer = v
			v.Binders = [][]byte{make([]byte, r.suite.Hash.Size())}
		}
	})
	raw := wire.AppendMessage(nil, &built)
	if offer != nil {
		truncated := r.tr.Clone()
		truncated.Add(raw[:len(raw)-offer.BindersLen()])
		truncated.Begin(r.suite.Hash)
		th := truncated.Sum()
		r.computed["hash truncated ClientHello"] = th
		mac := r.early.Binder(r.external).MAC(th)
		if proof, err := verify.Binder(r.early.Binder(r.external), th, mac); err != nil || !proof.Holds() {
			r.t.Errorf("binder: %v", err)
		}
		r.computed["binder"] = mac
		copy(raw[len(raw)-len(mac):], mac)
	}
	r.same(vector, record.AppendPlaintext(nil, wire.ContentHandshake, version, raw))
	r.tr.Add(raw)
}

// retry builds the HelloRetryRequest.
func (r *replay) retry() {
	r.t.Helper()
	const vector = "Record_HelloRetryRequest"
	var m wire.ServerHello
	if err := m.Parse(r.fragment(vector)); err != nil {
		r.t.Fatal(err)
	}
	built := m
	built.Random = wire.HelloRetryRequestRandom()
	built.Extensions = rebuild(r.t, &m, m.Extensions, func(v wire.ExtensionView) {
		if v, ok := v.(*wire.Cookie); ok {
			r.same("HelloRetryRequest_Cookie", v.Cookie)
		}
	})
	raw := wire.AppendMessage(nil, &built)
	r.same(vector, record.AppendPlaintext(nil, wire.ContentHandshake, wire.VersionTLS12, raw))
	r.tr.Begin(r.suite.Hash)
	r.tr.Retry()
	r.tr.Add(raw)
}

// serverHello builds the ServerHello and returns the shared secret, computed by both sides.
func (r *replay) serverHello() []byte {
	r.t.Helper()
	var m wire.ServerHello
	if err := m.Parse(r.fragment("Record_ServerHello")); err != nil {
		r.t.Fatal(err)
	}
	built := m
	built.Random, built.SessionID, built.CipherSuite = [32]byte(r.server.draw(r.t, 32)), r.sessionID, r.suite.ID
	key := r.ephemeral(r.group, &r.server)
	built.Extensions = rebuild(r.t, &m, m.Extensions, func(v wire.ExtensionView) {
		if v, ok := v.(*wire.KeyShareHello); ok {
			v.Entry = wire.KeyShareEntry{Group: r.group, KeyExchange: key.PublicKey().Bytes()}
		}
	})
	raw := wire.AppendMessage(nil, &built)
	r.same("Message_ServerHello", raw)
	r.same("Record_ServerHello", record.AppendPlaintext(nil, wire.ContentHandshake, wire.VersionTLS12, raw))
	r.tr.Begin(r.suite.Hash)
	r.tr.Add(raw)
	shared, err := key.ECDH(r.clientKey.PublicKey())
	if err != nil {
		r.t.Fatal(err)
	}
	if other, err := r.clientKey.ECDH(key.PublicKey()); err != nil || !bytes.Equal(other, shared) {
		r.t.Fatalf("the two sides differ (%v)", err)
	}
	r.computed["shared_secret"] = shared
	return shared
}

// certificateVerify compares what is signed, checks the signature and builds the message around it.
func (r *replay) certificateVerify(role verify.Signer, side string, scheme wire.SignatureScheme, key verify.LeafKey) []byte {
	r.t.Helper()
	th, sig := r.hash(side+" Certificate"), r.v[side+"_MessageSignature"]
	r.same(side+"_MessageToSign", verify.CertificateVerifyInput(role, th))
	proof, err := verify.CertificateVerify(role, suite.SchemeByID(scheme), key, th, sig)
	if err != nil || proof.Scheme() != scheme || proof.Role() != role {
		r.t.Fatalf("%s: %v", side, err)
	}
	return wire.AppendMessage(nil, &wire.CertificateVerify{Scheme: scheme, Signature: sig})
}

// finished builds the Finished of a side and checks it as the other.
func (r *replay) finished(secret keys.Traffic, th []byte) []byte {
	r.t.Helper()
	data := secret.Finished(th)
	if proof, err := verify.Finished(secret, th, data); err != nil || !proof.Holds() {
		r.t.Errorf("finished: %v", err)
	}
	return wire.AppendMessage(nil, &wire.Finished{VerifyData: data})
}

// serverFlight builds everything between ServerHello and the client's answer.
func (r *replay) serverFlight(secret keys.Traffic, entry []byte, key verify.LeafKey) {
	r.t.Helper()
	var flight []byte
	add := func(vector string, raw []byte) {
		r.t.Helper()
		r.same(vector, raw)
		r.tr.Add(raw)
		flight = append(flight, raw...)
	}
	var ee wire.EncryptedExtensions
	if err := ee.Parse(r.v["Message_EncryptedExtensions"]); err != nil {
		r.t.Fatal(err)
	}
	add("Message_EncryptedExtensions", wire.AppendMessage(nil, &wire.EncryptedExtensions{Extensions: rebuild(r.t, &ee, ee.Extensions, nil)}))
	if raw, ok := r.v["Message_CertificateRequest"]; ok {
		var cr wire.CertificateRequest
		if err := cr.Parse(raw); err != nil {
			r.t.Fatal(err)
		}
		built := &wire.CertificateRequest{Context: cr.Context, Extensions: rebuild(r.t, &cr, cr.Extensions, nil)}
		add("Message_CertificateRequest", wire.AppendMessage(nil, built))
	}
	if entry != nil {
		add("Message_Server_Certificate", certificate(entry))
		r.hash("Certificate")
		var cv wire.CertificateVerify
		if err := cv.Parse(r.v["Message_Server_CertificateVerify"]); err != nil {
			r.t.Fatal(err)
		}
		add("Message_Server_CertificateVerify", r.certificateVerify(verify.ServerSigner, "Server", cv.Scheme, key))
	}
	add("Message_Server_Finished", r.finished(secret, r.hash("CertificateVerify")))
	d := r.direction(secret)
	r.same("Record_ServerHandshakeMessages", r.send(r.changeCipherSpec(), d, wire.ContentHandshake, flight))
}

// changeCipherSpec is the record of compatibility mode, nothing without it (RFC 8446, Appendix D.4).
func (r *replay) changeCipherSpec() []byte {
	if r.sessionID == nil {
		return nil
	}
	return record.AppendPlaintext(nil, wire.ContentChangeCipherSpec, wire.VersionTLS12, []byte{1})
}

// certificate is a Certificate message with one entry.
func certificate(entry []byte) []byte {
	return wire.AppendMessage(nil, &wire.Certificate{Entries: []wire.CertificateEntry{{Data: entry, Extensions: wire.Extensions{}}}})
}

// clientFlight builds the client's answer: end of early data, its certificate where it was asked for, Finished.
func (r *replay) clientFlight(secret keys.Traffic, entry []byte, key verify.LeafKey) {
	r.t.Helper()
	d := r.direction(secret)
	out := r.changeCipherSpec()
	if r.early0 != nil {
		raw := wire.AppendMessage(nil, &wire.EndOfEarlyData{})
		r.tr.Add(raw)
		out = r.send(out, r.early0, wire.ContentHandshake, raw)
	}
	var flight []byte
	if _, asked := r.v["Message_CertificateRequest"]; asked {
		if entry == nil {
			entry, key = r.clientKeyOf(secret)
		}
		flight = certificate(entry)
		r.tr.Add(flight)
		scheme := wire.SchemeRSAPSSRSAESHA256
		if key.Kind == suite.KeyECDSAP256 {
			scheme = wire.SchemeECDSASecp256r1SHA256
		}
		raw := r.certificateVerify(verify.ClientSigner, "Client", scheme, key)
		r.tr.Add(raw)
		flight = append(flight, raw...)
	}
	raw := r.finished(secret, r.tr.Sum())
	r.tr.Add(raw)
	r.same("Record_ClientFinished", r.send(out, d, wire.ContentHandshake, append(flight, raw...)))
}

// clientKeyOf reads the client's raw public key out of its flight, the only place where it is.
func (r *replay) clientKeyOf(secret keys.Traffic) ([]byte, verify.LeafKey) {
	r.t.Helper()
	_, flight, err := r.direction(secret).opener.Open(bytes.Clone(r.v["Record_ClientFinished"]))
	if err != nil {
		r.t.Fatal(err)
	}
	var j wire.Joiner
	j.Add(flight)
	raw, ok, err := j.Next()
	var m wire.Certificate
	if !ok || err != nil || m.Parse(raw) != nil || len(m.Entries) != 1 {
		r.t.Fatalf("no certificate: %v", err)
	}
	entry := bytes.Clone(m.Entries[0].Data)
	return entry, rawKey(r.t, entry)
}

// peers are the certificates, or raw keys, of both sides; nil where there is none.
type peers struct {
	serverEntry, clientEntry []byte
	server, client           verify.LeafKey
}

// run plays the trace to its end and compares the secrets the RFC prints.
func (r *replay) run(p peers) {
	r.t.Helper()
	r.early = keys.NewEarlyTraced(r.suite.Hash, r.psk, r.derived)
	random := r.client.draw(r.t, 32)
	r.clientHello("Record_ClientHello_1", random, wire.VersionTLS10)
	if data, ok := r.v["Client_EarlyAppData"]; ok {
		clone := r.tr.Clone()
		clone.Begin(r.suite.Hash)
		th := clone.Sum()
		r.early.Exporter(th)
		r.early0 = r.direction(r.early.ClientEarlyTraffic(th))
		r.same("Record_Client_EarlyAppData", r.send(nil, r.early0, wire.ContentApplicationData, data))
	}
	if _, ok := r.v["Record_HelloRetryRequest"]; ok {
		r.retry()
		r.clientHello("Record_ClientHello_2", random, wire.VersionTLS12)
	}
	handshake := r.early.Handshake(r.serverHello())
	th := r.hash("ServerHello")
	client, server := handshake.ClientTraffic(th), handshake.ServerTraffic(th)
	r.serverFlight(server, p.serverEntry, p.server)
	th = r.hash("Finished")
	main := handshake.Main()
	r.clientApp, r.serverApp = r.direction(main.ClientTraffic(th)), r.direction(main.ServerTraffic(th))
	main.Exporter(th)
	r.clientFlight(client, p.clientEntry, p.client)
	r.resumption = main.Resumption(r.tr.Sum())
	r.applicationData()
	if len(r.client.left)+len(r.server.left) > 0 {
		r.t.Errorf("%d and %d random bytes were not drawn", len(r.client.left), len(r.server.left))
	}
}

// applicationData plays what follows the handshake: ticket, data, close_notify.
func (r *replay) applicationData() {
	r.t.Helper()
	if want, ok := r.v["Record_NewSessionTicket"]; ok {
		r.same("Record_NewSessionTicket", r.send(nil, r.serverApp, wire.ContentHandshake, r.ticket(want)))
	}
	for _, side := range []struct {
		name string
		d    *direction
	}{{"Client", r.clientApp}, {"Server", r.serverApp}} {
		if data, ok := r.v[side.name+"_AppData"]; ok {
			r.same("Record_"+side.name+"_AppData", r.send(nil, side.d, wire.ContentApplicationData, data))
		}
		alert := wire.Alert{Level: wire.AlertLevelWarning, Code: wire.AlertCloseNotify}.Append(nil)
		r.same("Record_"+side.name+"_CloseNotify", r.send(nil, side.d, wire.ContentAlert, alert))
	}
}

// ticket opens the server's NewSessionTicket, builds it again from vector and pool, and computes the PSK.
func (r *replay) ticket(rec []byte) []byte {
	r.t.Helper()
	// The direction's own Opener has to stay in step, so another one looks ahead.
	secret := keys.NewEarly(r.suite.Hash, r.psk).Handshake(r.computed["shared_secret"]).Main().ServerTraffic(r.computed["hash Finished"])
	_, raw, err := r.direction(secret).opener.Open(bytes.Clone(rec))
	if err != nil {
		r.t.Fatal(err)
	}
	var m wire.NewSessionTicket
	if err := m.Parse(raw); err != nil {
		r.t.Fatal(err)
	}
	built := &wire.NewSessionTicket{
		Lifetime:   m.Lifetime,
		AgeAdd:     binary.BigEndian.Uint32(r.server.draw(r.t, 4)),
		Nonce:      m.Nonce,
		Ticket:     r.v["SessionTicket"],
		Extensions: rebuild(r.t, &m, m.Extensions, nil),
	}
	psk := r.resumption.PSK(m.Nonce)
	if !bytes.Contains(r.v["Client_SessionData"], psk) {
		r.t.Errorf("the stored session does not hold the PSK %x", psk)
	}
	return wire.AppendMessage(nil, built)
}

// checkSecrets compares with the intermediate values the RFC prints.
func (r *replay) checkSecrets(name string) {
	r.t.Helper()
	published := readVectors(r.t, "secrets.vec")[name]
	if len(published) < 15 {
		r.t.Errorf("only %d published values", len(published))
	}
	for what, want := range published {
		if isMessage(what) {
			continue
		}
		got, ok := r.computed[what]
		if what == "psk" {
			got, ok = r.psk, true
		}
		if !ok {
			r.t.Errorf("%s was never computed", what)
		} else if !bytes.Equal(got, want) {
			r.t.Errorf("%s: got %x, want %x", what, got, want)
		}
	}
}

// leaf reads a certificate file.
func leaf(t *testing.T, name string) ([]byte, verify.LeafKey) {
	t.Helper()
	der := readPEM(t, name)
	key, err := verify.Leaf(der)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return der, key
}

func TestSimpleHandshakeReproduces(t *testing.T) {
	const name = "Simple_1RTT_Handshake"
	r := newReplay(t, name)
	var p peers
	p.serverEntry, p.server = leaf(t, "server_certificate.pem")
	r.run(p)
	r.checkSecrets(name)
}

func TestResumptionReproduces(t *testing.T) {
	const name = "Resumed_0RTT_Handshake"
	first := newReplay(t, "Simple_1RTT_Handshake")
	var p peers
	p.serverEntry, p.server = leaf(t, "server_certificate.pem")
	first.run(p)
	r := newReplay(t, name)
	r.psk = first.resumption.PSK([]byte{0, 0})
	r.run(peers{})
	r.checkSecrets(name)
}

func TestHelloRetryRequestReproduces(t *testing.T) {
	const name = "HelloRetryRequest_Handshake"
	r := newReplay(t, name)
	var p peers
	p.serverEntry, p.server = leaf(t, "server_certificate.pem")
	r.run(p)
	r.checkSecrets(name)
}

func TestClientAuthenticationReproduces(t *testing.T) {
	const name = "Client_Authentication_Handshake"
	r := newReplay(t, name)
	var p peers
	p.serverEntry, p.server = leaf(t, "server_certificate_client_auth.pem")
	p.clientEntry, p.client = leaf(t, "client_certificate.pem")
	r.run(p)
	r.checkSecrets(name)
}

func TestCompatibilityModeReproduces(t *testing.T) {
	const name = "Middlebox_Compatibility_Mode"
	r := newReplay(t, name)
	var p peers
	p.serverEntry, p.server = leaf(t, "server_certificate.pem")
	r.run(p)
	if !bytes.HasPrefix(r.v["Record_ServerHandshakeMessages"], []byte{20, 3, 3, 0, 1, 1}) || len(r.sessionID) != 32 {
		t.Error("this is not compatibility mode")
	}
	r.checkSecrets(name)
}

// The two that follow are not in the RFC but in its manner.

func TestExternalPSKReproduces(t *testing.T) {
	r := newReplay(t, "Externally_Provided_PSK_with_Ephemeral_Key")
	r.psk, r.external = r.v["PskSecret"], true
	r.run(peers{})
}

func TestRawPublicKeysReproduce(t *testing.T) {
	r := newReplay(t, "RawPublicKey_With_Client_Authentication")
	var m wire.Certificate
	if err := m.Parse(r.v["Message_Server_Certificate"]); err != nil {
		t.Fatal(err)
	}
	var p peers
	p.serverEntry = m.Entries[0].Data
	p.server = rawKey(t, p.serverEntry)
	r.run(p)
}

func rawKey(t *testing.T, spki []byte) verify.LeafKey {
	t.Helper()
	pub, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		t.Fatal(err)
	}
	return verify.LeafKey{Public: pub, Kind: suite.KindOf(pub, false)}
}

func TestTraceKeySignsForTheCertificate(t *testing.T) {
	_, key := leaf(t, "server_certificate.pem")
	parsed, err := x509.ParsePKCS8PrivateKey(readPEM(t, "server_key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	th := crypto.SHA256.New().Sum(nil)
	scheme := suite.SchemeByID(wire.SchemeRSAPSSRSAESHA256)
	sig, err := suite.Sign(parsed.(crypto.Signer), scheme, verify.CertificateVerifyInput(verify.ServerSigner, th))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verify.CertificateVerify(verify.ServerSigner, scheme, key, th, sig); err != nil {
		t.Error(err)
	}
	if _, err := verify.CertificateVerify(verify.ClientSigner, scheme, key, th, sig); err == nil {
		t.Error("a server's signature passes for a client's")
	}
}

func TestEveryTraceIsReplayed(t *testing.T) {
	want := []string{
		"Client_Authentication_Handshake", "Externally_Provided_PSK_with_Ephemeral_Key", "HelloRetryRequest_Handshake",
		"Middlebox_Compatibility_Mode", "RawPublicKey_With_Client_Authentication", "Resumed_0RTT_Handshake",
		"Simple_1RTT_Handshake",
	}
	if got := slices.Sorted(maps.Keys(readVectors(t, "transcripts.vec"))); !slices.Equal(got, want) {
		t.Errorf("traces: %q", got)
	}
}
