package tlstest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/record"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// write moves to the next keys of TLS 1.3.
func (p *Puppet) write(s *suite.Suite, t keys.Traffic) {
	var err error
	p.traffic = t
	if p.sealer, err = record.NewSealer(s, t); err != nil {
		panic(err)
	}
}

// UpdateKeys moves the puppet's writing keys on, as behind a KeyUpdate that it has said.
func (p *Puppet) UpdateKeys() { p.write(p.suite, p.traffic.Next()) }

// learn adds keys that the machine may write with.
func (p *Puppet) learn(s *suite.Suite, all ...keys.Traffic) {
	for _, t := range all {
		o, err := record.NewOpener(s, t)
		if err != nil {
			panic(err)
		}
		p.openers, p.theirs = append(p.openers, o), t
	}
}

// secret is that of the session, if the client offers a pre-shared key and we have the one it must mean.
func (p *Puppet) secret(hello *wire.ClientHello) []byte {
	if p.Session == nil || p.Session.Version != wire.VersionTLS13 || !offers(hello, wire.ExtPreSharedKey) {
		return nil
	}
	return p.Session.Secret
}

// suiteFor chooses a server's cipher suite.
func (p *Puppet) suiteFor(hello *wire.ClientHello, psk []byte) *suite.Suite {
	switch {
	case psk != nil:
		return suite.ByID(p.Session.CipherSuite)
	case p.Suite != 0:
		return suite.ByID(p.Suite)
	}
	i := slices.IndexFunc(hello.CipherSuites, func(id wire.CipherSuite) bool { return suite.ByID(id) != nil })
	if i < 0 {
		return nil
	}
	return suite.ByID(hello.CipherSuites[i])
}

func (p *Puppet) serve13(m *tlscore.Machine) error {
	var hello wire.ClientHello
	if err := p.hearAs(&hello); err != nil {
		return err
	}
	psk := p.secret(&hello)
	if p.suite = p.suiteFor(&hello, psk); p.suite == nil {
		return errors.New("tlstest: no cipher suite of TLS 1.3 is offered")
	}
	p.transcript.Begin(p.suite.Hash)
	if psk != nil && offers(&hello, wire.ExtEarlyData) {
		p.learn(p.suite, keys.NewEarly(p.suite.Hash, psk).ClientEarlyTraffic(p.transcript.Sum()))
	}
	if p.Retry != 0 {
		p.transcript.Retry()
		p.say(m, p.serverHello(&hello, wire.HelloRetryRequestRandom(), &wire.KeyShareRetry{Group: p.Retry}))
		if err := p.hearAs(&hello); err != nil {
			return err
		}
		psk = p.secret(&hello)
	}
	share, shared, err := p.respond(&hello)
	if err != nil {
		return err
	}
	var random [32]byte
	rand.Read(random[:])
	msg := p.serverHello(&hello, random, share)
	if psk != nil {
		msg.Extensions.Add(&wire.PreSharedKeySelected{})
	}
	p.say(m, msg)
	h := keys.NewEarly(p.suite.Hash, psk).Handshake(shared)
	th := p.transcript.Sum()
	server, client := h.ServerTraffic(th), h.ClientTraffic(th)
	p.write(p.suite, server)
	p.learn(p.suite, client)
	return p.serveRest(m, h.Main(), server, psk)
}

// serveRest is the server's flight from EncryptedExtensions on.
func (p *Puppet) serveRest(m *tlscore.Machine, main keys.Main, server keys.Traffic, psk []byte) error {
	ee := &wire.EncryptedExtensions{Extensions: wire.Extensions{}}
	if p.TakeEarly {
		ee.Extensions.Add(&wire.EarlyData{})
	}
	p.say(m, ee)
	if p.Request {
		req := &wire.CertificateRequest{Extensions: wire.Extensions{}}
		req.Extensions.Add(&wire.SignatureAlgorithms{Schemes: suite.DefaultSchemes()})
		p.say(m, req)
	}
	if psk == nil {
		if err := p.authenticate(m, verify.ServerSigner); err != nil {
			return err
		}
	}
	p.say(m, &wire.Finished{VerifyData: server.Finished(p.transcript.Sum())})
	th := p.transcript.Sum()
	p.read()
	p.write(p.suite, main.ServerTraffic(th))
	p.learn(p.suite, main.ClientTraffic(th))
	return nil
}

// respond completes the key exchange with the last share of a ClientHello.
func (p *Puppet) respond(hello *wire.ClientHello) (share *wire.KeyShareHello, shared []byte, err error) {
	var shares wire.KeyShares
	if _, err := hello.Ext(&shares); err != nil || len(shares.Entries) == 0 {
		return nil, nil, errors.Join(errors.New("tlstest: no share"), err)
	}
	last := shares.Entries[len(shares.Entries)-1]
	ours, shared, err := suite.GroupByID(last.Group).Respond(last.KeyExchange)
	return &wire.KeyShareHello{Entry: wire.KeyShareEntry{Group: last.Group, KeyExchange: ours}}, shared, err
}

func (p *Puppet) serverHello(hello *wire.ClientHello, random [32]byte, share wire.ExtensionView) *wire.ServerHello {
	msg := &wire.ServerHello{LegacyVersion: wire.VersionTLS12, Random: random, SessionID: hello.SessionID, CipherSuite: p.suite.ID, Extensions: wire.Extensions{}}
	msg.Extensions.Add(&wire.SelectedVersion{Version: wire.VersionTLS13})
	msg.Extensions.Add(share)
	return msg
}

// authenticate sends Certificate and CertificateVerify.
func (p *Puppet) authenticate(m *tlscore.Machine, by verify.Signer) error {
	cert := &wire.Certificate{}
	for _, der := range p.Identity.Chain {
		cert.Entries = append(cert.Entries, wire.CertificateEntry{Data: der, Extensions: wire.Extensions{}})
	}
	p.say(m, cert)
	scheme, sig, err := p.sign(verify.CertificateVerifyInput(by, p.transcript.Sum()))
	if err == nil && sig != nil {
		p.say(m, &wire.CertificateVerify{Scheme: scheme, Signature: sig})
	}
	return err
}

// puppetClient13 is what a client of TLS 1.3 remembers over a HelloRetryRequest.
type puppetClient13 struct {
	hello *wire.ClientHello
	share suite.KeyShare
	early keys.Early
}

func (p *Puppet) connect13(m *tlscore.Machine) error {
	if p.suite = suite.ByID(wire.TLS_AES_128_GCM_SHA256); p.Suite != 0 {
		p.suite = suite.ByID(p.Suite)
	}
	c := &puppetClient13{hello: p.firstHello(), early: keys.NewEarly(p.suite.Hash, nil)}
	if p.Session != nil {
		p.suite = suite.ByID(p.Session.CipherSuite)
		c.hello.CipherSuites = []wire.CipherSuite{p.suite.ID}
		c.early = keys.NewEarly(p.suite.Hash, p.Session.Secret)
	}
	if err := c.generate(wire.GroupX25519); err != nil {
		return err
	}
	p.transcript.Begin(p.suite.Hash)
	p.sayHello(m, c, p.Early != nil)
	if p.Early != nil {
		p.write(p.suite, c.early.ClientEarlyTraffic(p.transcript.Sum()))
		for _, data := range p.Early {
			p.feed(m, p.protect(wire.ContentApplicationData, data))
		}
	}
	raw := p.hear()
	var sh wire.ServerHello
	if err := sh.Parse(raw); err != nil {
		return err
	}
	if sh.IsHelloRetryRequest() {
		p.sealer = nil
		if err := p.retried(m, c, &sh, raw); err != nil {
			return err
		}
	} else {
		p.transcript.Add(raw)
	}
	if _, resumed := sh.Extensions.Find(wire.ExtPreSharedKey); !resumed {
		c.early = keys.NewEarly(p.suite.Hash, nil)
	}
	var theirs wire.KeyShareHello
	if _, err := sh.Ext(&theirs); err != nil {
		return err
	}
	shared, err := c.share.Shared(theirs.Entry.KeyExchange)
	if err != nil {
		return err
	}
	h := c.early.Handshake(shared)
	th := p.transcript.Sum()
	client, server := h.ClientTraffic(th), h.ServerTraffic(th)
	p.learn(p.suite, server)
	return p.connectRest(m, h.Main(), client)
}

// firstHello is a ClientHello without key_share and what may follow it.
func (p *Puppet) firstHello() *wire.ClientHello {
	hello := &wire.ClientHello{LegacyVersion: wire.VersionTLS12, SessionID: make([]byte, 32), CipherSuites: []wire.CipherSuite{p.suite.ID}, CompressionMethods: []byte{0}, Extensions: wire.Extensions{}}
	rand.Read(hello.Random[:])
	es := &hello.Extensions
	es.Add(&wire.SupportedGroups{Groups: []wire.Group{wire.GroupX25519, wire.GroupSecp256r1}})
	es.Add(&wire.SignatureAlgorithms{Schemes: suite.DefaultSchemes()})
	es.Add(&wire.SupportedVersions{Versions: []wire.Version{wire.VersionTLS13}})
	if p.Late {
		es.Add(&wire.PostHandshakeAuth{})
	}
	return hello
}

func (c *puppetClient13) generate(g wire.Group) (err error) {
	known := suite.GroupByID(g)
	if known == nil {
		return errors.New("tlstest: unknown group")
	}
	c.share, err = known.Generate()
	return err
}

// sayHello sends a ClientHello with the key share and, with a session, its offer. The hello itself is kept without them.
func (p *Puppet) sayHello(m *tlscore.Machine, c *puppetClient13, early bool) {
	hello := *c.hello
	hello.Extensions = slices.Clone(hello.Extensions)
	es := &hello.Extensions
	es.Add(&wire.KeyShares{Entries: []wire.KeyShareEntry{{Group: c.share.Group(), KeyExchange: c.share.Public()}}})
	if p.Session != nil {
		es.Add(&wire.PSKKeyExchangeModes{Modes: []wire.PSKKeyExchangeMode{wire.PSKModeDHEKE}})
		if early {
			es.Add(&wire.EarlyData{})
		}
		offer := &wire.PreSharedKeys{
			Identities: []wire.PSKIdentity{{Identity: p.Session.Ticket, ObfuscatedAge: uint32(Now.Sub(p.Session.Issued).Milliseconds()) + p.Session.AgeAdd}},
			Binders:    [][]byte{make([]byte, p.suite.Hash.Size())},
		}
		base := slices.Clone(*es)
		es.Add(offer)
		raw := wire.AppendMessage(nil, &hello)
		bound := p.transcript.Clone()
		bound.Add(raw[:len(raw)-offer.BindersLen()])
		offer.Binders[0] = c.early.Binder(false).MAC(bound.Sum())
		*es = base
		es.Add(offer)
	}
	p.say(m, &hello)
}

// retried answers a HelloRetryRequest, and reads the ServerHello behind it into sh.
func (p *Puppet) retried(m *tlscore.Machine, c *puppetClient13, sh *wire.ServerHello, request []byte) error {
	var cookie wire.Cookie
	if present, err := sh.Ext(&cookie); err != nil {
		return err
	} else if present {
		c.hello.Extensions.Add(&wire.Cookie{Cookie: bytes.Clone(cookie.Cookie)})
	}
	var wish wire.KeyShareRetry
	if present, err := sh.Ext(&wish); err != nil {
		return err
	} else if present {
		if err := c.generate(wish.Group); err != nil {
			return err
		}
	}
	p.transcript.Retry()
	p.transcript.Add(request)
	p.sayHello(m, c, false)
	return p.hearAs(sh)
}

// connectRest hears the server's flight and sends the client's.
func (p *Puppet) connectRest(m *tlscore.Machine, main keys.Main, client keys.Traffic) error {
	requested, accepted := false, false
	for raw := p.hear(); raw != nil; raw = p.hear() {
		p.transcript.Add(raw)
		var ee wire.EncryptedExtensions
		if ee.Parse(raw) == nil {
			_, accepted = ee.Extensions.Find(wire.ExtEarlyData)
		}
		requested = requested || wire.HandshakeType(raw[0]) == wire.TypeCertificateRequest
		if wire.HandshakeType(raw[0]) == wire.TypeFinished {
			break
		}
	}
	th := p.transcript.Sum()
	p.learn(p.suite, main.ServerTraffic(th))
	if accepted {
		p.say(m, &wire.EndOfEarlyData{})
	}
	p.write(p.suite, client)
	if requested {
		if err := p.authenticate(m, verify.ClientSigner); err != nil {
			return err
		}
	}
	p.say(m, &wire.Finished{VerifyData: client.Finished(p.transcript.Sum())})
	p.read()
	p.write(p.suite, main.ClientTraffic(th))
	return nil
}
