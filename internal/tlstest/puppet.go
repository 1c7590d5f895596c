package tlstest

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"fmt"
	"slices"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/record"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// Puppet speaks TLS 1.3 by a fixed script against one machine, and lets a test put any bytes in the place of any
// message. It uses wire, keys and record directly, so that it can say what no machine would.
type Puppet struct {
	// Edit sees each handshake message before it is sent, header included, and returns what is sent (and hashed) in its
	// place: several messages, changed ones, or nothing. Nil: the message as it is.
	Edit func(kind wire.HandshakeType, raw []byte) []byte
	// Before returns records, in the clear, to be sent before a message; nil: none.
	Before func(kind wire.HandshakeType) []byte

	// Behind returns bytes to send in the same record behind a message; they are not hashed.
	Behind func(kind wire.HandshakeType) []byte

	Identity tlscore.Identity // of a server, or of a client that is asked; its Tag is the crypto.Signer
	Request  bool             // as server: ask for a certificate
	Retry    wire.Group       // as server: ask for a share of this group first; zero: do not

	suite      *suite.Suite
	transcript keys.Transcript
	sealer     *record.Sealer
	opener     *record.Opener
	plain      []byte // the machine's output, not read yet
	joiner     wire.Joiner
	outcome    Outcome
}

// Outcome is what became of the machine.
type Outcome struct {
	Err   error       // the machine's error
	Alert *wire.Alert // the alert it sent, as the puppet could read it
	Done  bool        // it reported HandshakeDone
}

// say sends a message in the current epoch, and feeds it to the machine.
func (p *Puppet) say(m *tlscore.Machine, msg wire.Message) {
	raw := wire.AppendMessage(nil, msg)
	if p.Before != nil {
		p.feed(m, p.Before(msg.Type()))
	}
	if p.Edit != nil {
		raw = p.Edit(msg.Type(), raw)
	}
	if len(raw) == 0 {
		return
	}
	p.transcript.Add(raw)
	if p.Behind != nil {
		raw = append(raw, p.Behind(msg.Type())...)
	}
	p.feed(m, p.protect(wire.ContentHandshake, raw))
}

// Say sends any content in the current epoch, after the script has ended.
func (p *Puppet) Say(m *tlscore.Machine, kind wire.ContentType, content []byte) Outcome {
	p.feed(m, p.protect(kind, content))
	p.read()
	return p.outcome
}

func (p *Puppet) protect(kind wire.ContentType, content []byte) []byte {
	var out []byte
	for first := true; first || len(content) > 0; first = false {
		n := min(len(content), wire.MaxPlaintext)
		if p.sealer == nil {
			out = record.AppendPlaintext(out, kind, wire.VersionTLS12, content[:n])
		} else {
			var err error
			if out, err = p.sealer.Seal(out, kind, content[:n], 0); err != nil {
				panic(err)
			}
		}
		content = content[n:]
	}
	return out
}

// feed gives bytes to the machine, answers its questions kindly, and keeps what it sends.
func (p *Puppet) feed(m *tlscore.Machine, b []byte) {
	for p.outcome.Err == nil {
		step, err := m.Feed(Now, b, nil)
		n := step.N
		for {
			p.plain = append(p.plain, step.Out...)
			p.outcome.Done = p.outcome.Done || step.Event.Kind == tlscore.HandshakeDone
			q := step.Event.Question
			if err != nil || q == nil {
				break
			}
			step, err = m.Resume(Now, q.ID, (&End{}).answer(q), nil)
		}
		if p.outcome.Err = err; m.Pending() {
			out, _ := m.Flush(nil)
			p.plain = append(p.plain, out...)
		}
		if b = b[n:]; n == 0 {
			return
		}
	}
}

// read takes in the machine's output: an alert into the outcome, handshake messages into the joiner.
func (p *Puppet) read() {
	for len(p.plain) > 0 {
		rec, _, err := wire.Deframe(p.plain, wire.MaxCiphertext13)
		if err != nil || rec == nil {
			return
		}
		kind, content := wire.ContentType(rec[0]), rec[wire.RecordHeaderLen:]
		if kind == wire.ContentApplicationData {
			if p.opener == nil {
				return // for keys that are not known yet
			}
			if kind, content, err = p.opener.Open(bytes.Clone(rec)); err != nil {
				return
			}
		}
		p.plain = p.plain[len(rec):]
		switch kind {
		case wire.ContentAlert:
			if a, err := wire.ParseAlert(content); err == nil && p.outcome.Alert == nil {
				p.outcome.Alert = &a
			}
		case wire.ContentHandshake:
			p.joiner.Add(content)
		}
	}
}

// hear reads the machine's next handshake message, or nil.
func (p *Puppet) hear() []byte {
	if raw, ok, _ := p.joiner.Next(); ok {
		return bytes.Clone(raw)
	}
	p.read()
	raw, ok, _ := p.joiner.Next()
	if !ok {
		return nil
	}
	return bytes.Clone(raw)
}

func (p *Puppet) keys(write, read keys.Traffic) {
	var err error
	if p.sealer, err = record.NewSealer(p.suite, write); err != nil {
		panic(err)
	}
	if p.opener, err = record.NewOpener(p.suite, read); err != nil {
		panic(err)
	}
}

// Serve plays the server against a client machine that was not started yet.
func (p *Puppet) Serve(m *tlscore.Machine) Outcome {
	hello, err := m.Start(Now, nil)
	if err != nil {
		p.outcome.Err = err
		return p.outcome
	}
	p.plain = append(p.plain, hello...)
	p.serve(m)
	p.read()
	return p.outcome
}

func (p *Puppet) serve(m *tlscore.Machine) {
	raw := p.hear()
	var hello wire.ClientHello
	if err := hello.Parse(raw); err != nil {
		panic(err)
	}
	p.suite = suite.ByID(hello.CipherSuites[0])
	p.transcript.Add(raw)
	p.transcript.Begin(p.suite.Hash)
	if p.Retry != 0 {
		p.transcript.Retry()
		p.say(m, p.serverHello(&hello, wire.HelloRetryRequestRandom(), &wire.KeyShareRetry{Group: p.Retry}))
		if raw = p.hear(); raw == nil {
			return
		}
		p.transcript.Add(raw)
		if err := hello.Parse(raw); err != nil {
			panic(err)
		}
	}
	var shares wire.KeyShares
	if _, err := hello.Ext(&shares); err != nil || len(shares.Entries) == 0 {
		panic(fmt.Sprint("no share: ", err))
	}
	group := shares.Entries[len(shares.Entries)-1].Group
	ours, shared, err := suite.GroupByID(group).Respond(shares.Entries[len(shares.Entries)-1].KeyExchange)
	if err != nil {
		panic(err)
	}
	var random [32]byte
	rand.Read(random[:])
	p.say(m, p.serverHello(&hello, random, &wire.KeyShareHello{Entry: wire.KeyShareEntry{Group: group, KeyExchange: ours}}))
	h := keys.NewEarly(p.suite.Hash, nil).Handshake(shared)
	th := p.transcript.Sum()
	server, client := h.ServerTraffic(th), h.ClientTraffic(th)
	p.keys(server, client)
	p.say(m, &wire.EncryptedExtensions{Extensions: wire.Extensions{}})
	if p.Request {
		req := &wire.CertificateRequest{Extensions: wire.Extensions{}}
		req.Extensions.Add(&wire.SignatureAlgorithms{Schemes: suite.DefaultSchemes()})
		p.say(m, req)
	}
	p.authenticate(m, verify.ServerSigner)
	p.say(m, &wire.Finished{VerifyData: server.Finished(p.transcript.Sum())})
	main, th := h.Main(), p.transcript.Sum()
	p.read()
	p.keys(main.ServerTraffic(th), main.ClientTraffic(th))
}

func (p *Puppet) serverHello(hello *wire.ClientHello, random [32]byte, share wire.ExtensionView) *wire.ServerHello {
	msg := &wire.ServerHello{LegacyVersion: wire.VersionTLS12, Random: random, SessionID: hello.SessionID, CipherSuite: p.suite.ID, Extensions: wire.Extensions{}}
	msg.Extensions.Add(&wire.SelectedVersion{Version: wire.VersionTLS13})
	msg.Extensions.Add(share)
	return msg
}

// authenticate sends Certificate and CertificateVerify.
func (p *Puppet) authenticate(m *tlscore.Machine, by verify.Signer) {
	cert := &wire.Certificate{}
	for _, der := range p.Identity.Chain {
		cert.Entries = append(cert.Entries, wire.CertificateEntry{Data: der, Extensions: wire.Extensions{}})
	}
	p.say(m, cert)
	key, ok := p.Identity.Tag.(crypto.Signer)
	if !ok {
		return
	}
	leaf, err := verify.Leaf(p.Identity.Chain[0])
	if err != nil {
		panic(err)
	}
	i := slices.IndexFunc(suite.DefaultSchemes(), func(id wire.SignatureScheme) bool { return suite.SchemeByID(id).Fits(leaf.Kind) })
	scheme := suite.SchemeByID(suite.DefaultSchemes()[i])
	sig, err := suite.Sign(key, scheme, verify.CertificateVerifyInput(by, p.transcript.Sum()))
	if err != nil {
		panic(err)
	}
	p.say(m, &wire.CertificateVerify{Scheme: scheme.ID, Signature: sig})
}

// Connect plays the client against a server machine, with X25519 and AES-128-GCM.
func (p *Puppet) Connect(m *tlscore.Machine) Outcome {
	if _, err := m.Start(Now, nil); err != nil {
		p.outcome.Err = err
		return p.outcome
	}
	p.connect(m)
	p.read()
	return p.outcome
}

func (p *Puppet) connect(m *tlscore.Machine) {
	p.suite = suite.ByID(wire.TLS_AES_128_GCM_SHA256)
	share, err := suite.GroupByID(wire.GroupX25519).Generate()
	if err != nil {
		panic(err)
	}
	hello := &wire.ClientHello{LegacyVersion: wire.VersionTLS12, SessionID: make([]byte, 32), CipherSuites: []wire.CipherSuite{p.suite.ID}, CompressionMethods: []byte{0}, Extensions: wire.Extensions{}}
	rand.Read(hello.Random[:])
	es := &hello.Extensions
	es.Add(&wire.SupportedGroups{Groups: []wire.Group{wire.GroupX25519, wire.GroupSecp256r1}})
	es.Add(&wire.SignatureAlgorithms{Schemes: suite.DefaultSchemes()})
	es.Add(&wire.SupportedVersions{Versions: []wire.Version{wire.VersionTLS13}})
	es.Add(&wire.KeyShares{Entries: []wire.KeyShareEntry{{Group: share.Group(), KeyExchange: share.Public()}}})
	p.say(m, hello)
	raw := p.hear()
	if raw == nil {
		return
	}
	p.transcript.Begin(p.suite.Hash)
	var sh wire.ServerHello
	if err := sh.Parse(raw); err != nil {
		panic(err)
	}
	if sh.IsHelloRetryRequest() {
		if sh, raw = p.retried(m, hello, raw); raw == nil {
			return
		}
	}
	p.transcript.Add(raw)
	var theirs wire.KeyShareHello
	if _, err := sh.Ext(&theirs); err != nil {
		panic(err)
	}
	shared, err := share.Shared(theirs.Entry.KeyExchange)
	if err != nil {
		panic(err)
	}
	h := keys.NewEarly(p.suite.Hash, nil).Handshake(shared)
	th := p.transcript.Sum()
	client, server := h.ClientTraffic(th), h.ServerTraffic(th)
	p.opener, _ = record.NewOpener(p.suite, server)
	requested := false
	for raw = p.hear(); raw != nil; raw = p.hear() {
		p.transcript.Add(raw)
		requested = requested || wire.HandshakeType(raw[0]) == wire.TypeCertificateRequest
		if wire.HandshakeType(raw[0]) == wire.TypeFinished {
			break
		}
	}
	main, th := h.Main(), p.transcript.Sum()
	p.keys(client, main.ServerTraffic(th))
	if requested {
		p.authenticate(m, verify.ClientSigner)
	}
	p.say(m, &wire.Finished{VerifyData: client.Finished(p.transcript.Sum())})
	p.read()
	p.sealer, _ = record.NewSealer(p.suite, main.ClientTraffic(th))
}

// retried answers a HelloRetryRequest that only wants its cookie back.
func (p *Puppet) retried(m *tlscore.Machine, hello *wire.ClientHello, request []byte) (sh wire.ServerHello, raw []byte) {
	if err := sh.Parse(request); err != nil {
		panic(err)
	}
	var cookie wire.Cookie
	if _, err := sh.Ext(&cookie); err != nil {
		panic(err)
	}
	p.transcript.Retry()
	p.transcript.Add(request)
	if cookie.Cookie != nil {
		hello.Extensions.Add(&cookie)
	}
	p.say(m, hello)
	if raw = p.hear(); raw != nil {
		if err := sh.Parse(raw); err != nil {
			panic(err)
		}
	}
	return sh, raw
}
