package tlstest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/record"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// puppet12 is what a puppet remembers of a TLS 1.2 handshake.
type puppet12 struct {
	randoms keys.Randoms
	ems     bool
	master  keys.Master12
	block   keys.KeyBlock12
	signed  []byte // all messages so far, for CertificateVerify
}

// derive makes the keys, of the shared secret of a key exchange, or of the session.
func (p *Puppet) derive(c *puppet12, shared []byte) {
	switch pre := keys.NewPremaster12(p.suite.Hash, shared); {
	case shared == nil:
		c.master = keys.ResumeMaster12(p.suite.Hash, p.Session.Secret)
	case c.ems:
		c.master = pre.Extended(p.transcript.Sum())
	default:
		c.master = pre.Plain(&c.randoms)
	}
	c.block = c.master.KeyBlock(&c.randoms, p.suite.KeyLen, p.suite.IVLen)
}

// next12Is tells with which keys to read from the machine's change_cipher_spec on.
func (p *Puppet) next12Is(key, iv []byte) {
	var err error
	if p.next12, err = record.NewOpener12(p.suite, key, iv); err != nil {
		panic(err)
	}
	p.read()
}

// change sends change_cipher_spec and moves to the keys.
func (p *Puppet) change(m *tlscore.Machine, key, iv []byte) {
	rec := record.AppendPlaintext(nil, wire.ContentChangeCipherSpec, wire.VersionTLS12, []byte{1})
	if p.Change != nil {
		rec = p.Change(rec)
	}
	if len(rec) == 0 {
		return
	}
	p.feed(m, rec)
	var err error
	if p.sealer, err = record.NewSealer12(p.suite, key, iv); err != nil {
		panic(err)
	}
}

// fits12 finds a suite of TLS 1.2 for the identity among those that a client offers.
func (p *Puppet) fits12(offered []wire.CipherSuite) (*suite.Suite, error) {
	if p.Suite != 0 {
		return suite.ByID12(p.Suite), nil
	}
	if p.Session != nil {
		return suite.ByID12(p.Session.CipherSuite), nil
	}
	leaf, err := verify.Leaf(p.Identity.Chain[0])
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(offered, func(id wire.CipherSuite) bool {
		s := suite.ByID12(id)
		return s != nil && s.Auth.Fits(leaf.Kind)
	})
	if i < 0 {
		return nil, errors.New("tlstest: no cipher suite of TLS 1.2 for our key")
	}
	return suite.ByID12(offered[i]), nil
}

func (p *Puppet) serve12(m *tlscore.Machine) error {
	var hello wire.ClientHello
	if err := p.hearAs(&hello); err != nil {
		return err
	}
	p.random = hello.Random
	var err error
	if p.suite, err = p.fits12(hello.CipherSuites); err != nil {
		return err
	}
	p.transcript.Begin(p.suite.Hash)
	c := &puppet12{}
	c.randoms.Client = hello.Random
	sh := p.serverHello12(&hello)
	var ticket wire.SessionTicket
	if _, err := hello.Ext(&ticket); err != nil {
		return err
	}
	resumed := p.Session != nil && bytes.Equal(ticket.Ticket, p.Session.Ticket)
	if resumed {
		sh.SessionID = hello.SessionID
	}
	sent := p.say(m, sh)
	if err := sh.Parse(sent); err != nil {
		return err
	}
	c.randoms.Server = sh.Random
	_, c.ems = sh.Extensions.Find(wire.ExtExtendedMasterSecret)
	if resumed {
		p.derive(c, nil)
		p.sayTicket(m)
		p.finish12(m, c, true)
		p.next12Is(c.block.ClientKey, c.block.ClientIV)
		p.hear()
		return nil
	}
	return p.serveFully12(m, c)
}

// serverHello12 answers all that is offered and we can give.
func (p *Puppet) serverHello12(hello *wire.ClientHello) *wire.ServerHello {
	sh := &wire.ServerHello{LegacyVersion: wire.VersionTLS12, CipherSuite: p.suite.ID, Extensions: wire.Extensions{}}
	rand.Read(sh.Random[:])
	es := &sh.Extensions
	if offers(hello, wire.ExtRenegotiationInfo) {
		es.Add(&wire.RenegotiationInfo{})
	}
	if offers(hello, wire.ExtExtendedMasterSecret) {
		es.Add(&wire.ExtendedMasterSecret{})
	}
	if p.Ticket != nil {
		es.Add(&wire.SessionTicket{})
	}
	if p.Staple != nil {
		es.Add(&wire.EmptyStatusRequest{})
	}
	return sh
}

// serveFully12 goes on behind the ServerHello with a full handshake.
func (p *Puppet) serveFully12(m *tlscore.Machine, c *puppet12) error {
	p.say(m, &wire.Certificate12{Chain: p.Identity.Chain})
	if p.Staple != nil {
		p.say(m, &wire.CertificateStatus12{Response: p.Staple})
	}
	share, err := suite.GroupByID(wire.GroupX25519).Generate()
	if err != nil {
		return err
	}
	ske := &wire.ServerKeyExchange{Group: share.Group(), Public: share.Public()}
	if ske.Scheme, ske.Signature, err = p.sign(verify.ServerKeyExchangeInput(&c.randoms, ske.AppendParams(nil))); err != nil {
		return err
	}
	p.say(m, ske)
	if p.Request {
		p.say(m, &wire.CertificateRequest12{Types: []wire.ClientCertificateType{wire.ClientCertificateECDSASign, wire.ClientCertificateRSASign}, Schemes: suite.DefaultSchemes()})
	}
	p.say(m, &wire.ServerHelloDone{})
	verifies := false
	if p.Request {
		var cert wire.Certificate12
		if err := p.hearAs(&cert); err != nil {
			return err
		}
		verifies = len(cert.Chain) > 0
	}
	var cke wire.ClientKeyExchange
	if err := p.hearAs(&cke); err != nil {
		return err
	}
	shared, err := share.Shared(cke.Public)
	if err != nil {
		return err
	}
	p.derive(c, shared)
	if verifies {
		if err := p.hearAs(&wire.CertificateVerify{}); err != nil {
			return err
		}
	}
	p.next12Is(c.block.ClientKey, c.block.ClientIV)
	if err := p.hearAs(&wire.Finished{}); err != nil {
		return err
	}
	p.sayTicket(m)
	p.finish12(m, c, true)
	return nil
}

func (p *Puppet) sayTicket(m *tlscore.Machine) {
	if p.Ticket != nil {
		p.say(m, &wire.NewSessionTicket12{LifetimeHint: uint32(time.Hour / time.Second), Ticket: p.Ticket})
	}
}

// finish12 sends change_cipher_spec and Finished.
func (p *Puppet) finish12(m *tlscore.Machine, c *puppet12, server bool) {
	key, iv, mac := c.block.ClientKey, c.block.ClientIV, c.master.ClientFinished
	if server {
		key, iv, mac = c.block.ServerKey, c.block.ServerIV, c.master.ServerFinished
	}
	p.change(m, key, iv)
	p.say(m, &wire.Finished{VerifyData: mac(p.transcript.Sum())})
}

// hello12 is a ClientHello of TLS 1.2.
func (p *Puppet) hello12() *wire.ClientHello {
	hello := &wire.ClientHello{LegacyVersion: wire.VersionTLS12, CipherSuites: []wire.CipherSuite{p.suite.ID}, CompressionMethods: []byte{0}, Extensions: wire.Extensions{}}
	rand.Read(hello.Random[:])
	es := &hello.Extensions
	es.Add(&wire.SupportedGroups{Groups: []wire.Group{wire.GroupX25519, wire.GroupSecp256r1}})
	es.Add(&wire.SignatureAlgorithms{Schemes: suite.DefaultSchemes()})
	es.Add(&wire.ECPointFormats{Formats: []byte{0}})
	es.Add(&wire.ExtendedMasterSecret{})
	es.Add(&wire.RenegotiationInfo{})
	if p.Session == nil {
		es.Add(&wire.SessionTicket{})
		return hello
	}
	es.Add(&wire.SessionTicket{Ticket: p.Session.Ticket})
	hello.SessionID = make([]byte, 32)
	rand.Read(hello.SessionID)
	return hello
}

func (p *Puppet) connect12(m *tlscore.Machine) error {
	id := wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
	if p.Suite != 0 {
		id = p.Suite
	}
	if p.Session != nil {
		id = p.Session.CipherSuite
	}
	p.suite = suite.ByID12(id)
	p.transcript.Begin(p.suite.Hash)
	c := &puppet12{}
	hello := p.hello12()
	sent := p.say(m, hello)
	if err := hello.Parse(sent); err != nil {
		return err
	}
	var sh wire.ServerHello
	raw := p.hear()
	if err := sh.Parse(raw); err != nil {
		return err
	}
	p.transcript.Add(raw)
	c.signed = append(bytes.Clone(sent), raw...)
	c.randoms = keys.Randoms{Client: hello.Random, Server: sh.Random}
	_, c.ems = sh.Extensions.Find(wire.ExtExtendedMasterSecret)
	if p.Session == nil || len(sh.SessionID) == 0 || !bytes.Equal(sh.SessionID, hello.SessionID) {
		return p.connectFully12(m, c)
	}
	p.derive(c, nil)
	p.next12Is(c.block.ServerKey, c.block.ServerIV)
	if err := p.hearAs(&wire.Finished{}); err != nil && p.outcome.Err != nil {
		return err // otherwise we go on, though we could not understand it
	}
	p.finish12(m, c, false)
	return nil
}

// connectFully12 goes on behind the ServerHello with a full handshake.
func (p *Puppet) connectFully12(m *tlscore.Machine, c *puppet12) error {
	var ske wire.ServerKeyExchange
	requested := false
	for kind := wire.TypeServerHello; kind != wire.TypeServerHelloDone; {
		raw := p.hear()
		if raw == nil {
			return errSilence
		}
		p.transcript.Add(raw)
		c.signed = append(c.signed, raw...)
		switch kind = wire.HandshakeType(raw[0]); kind {
		case wire.TypeServerKeyExchange:
			if err := ske.Parse(raw); err != nil {
				return err
			}
		case wire.TypeCertificateRequest:
			requested = true
		}
	}
	if requested {
		c.signed = append(c.signed, p.say(m, &wire.Certificate12{Chain: p.Identity.Chain})...)
	}
	public, shared, err := suite.GroupByID(ske.Group).Respond(ske.Public)
	if err != nil {
		return err
	}
	c.signed = append(c.signed, p.say(m, &wire.ClientKeyExchange{Public: public})...)
	p.derive(c, shared)
	if requested {
		scheme, sig, err := p.sign(c.signed)
		if err != nil {
			return err
		}
		if sig != nil {
			p.say(m, &wire.CertificateVerify{Scheme: scheme, Signature: sig})
		}
	}
	p.finish12(m, c, false)
	p.next12Is(c.block.ServerKey, c.block.ServerIV)
	return nil
}
