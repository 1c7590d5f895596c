package tlscore

import (
	"bytes"
	"slices"

	"github.com/tlswright/tlswright/wire"
)

// code is the format of Facts in the state of a suspended connection. A test sees to it that no field is forgotten.
// HandshakeComplete and PSKTag are found anew, and so is OwnIdentity, by what it presents.
func (f *Facts) code(c *coder, p *Params) {
	number(c, &f.Role)
	number(c, &f.Version)
	number(c, &f.CipherSuite)
	number(c, &f.Group)
	text(c, &f.ALPN)
	text(c, &f.ServerName)
	for _, b := range []*bool{&f.ExtendedMasterSecret, &f.SecureRenegotiation, &f.Resumed, &f.HelloRetried, &f.Compatible,
		&f.CertificateRequested, &f.TakesTickets, &f.PostHandshakeAuth} {
		c.flag(b)
	}
	for _, b := range []*[]byte{&f.PSKIdentity, &f.pskCheck, &f.PeerStaple} {
		text(c, b)
	}
	number(c, &f.EarlyData)
	c.list(&f.PeerChain)
	c.list(&f.PeerSCTs)
	number(c, &f.PeerType)
	number(c, &f.PeerScheme)
	number(c, &f.OwnScheme)
	number(c, &f.PeerCompression)
	number(c, &f.OwnCompression)
	for _, n := range []*int{&f.TicketsReceived, &f.LateRequests, &f.RecordLimitRead, &f.RecordLimitWrite} {
		number(c, n)
	}
	for _, random := range []*[32]byte{&f.ClientRandom, &f.ServerRandom} {
		b := random[:]
		text(c, &b)
		if c.bad = c.bad || len(b) != len(random); !c.bad {
			copy(random[:], b)
		}
	}
	f.ECH.code(c)
	f.codeIdentity(c, p)
	c.delegation(&f.PeerDelegation)
	c.delegation(&f.OwnDelegation)
	n := len(f.PeerAbove)
	if number(c, &n); c.reading && !c.bad && n <= len(c.bytes)/16 && n > 0 { // each has two lengths at least
		f.PeerAbove = make([]Stapled, n)
	}
	for i := range f.PeerAbove {
		text(c, &f.PeerAbove[i].Staple)
		c.list(&f.PeerAbove[i].SCTs)
	}
	c.bad = c.bad || n != len(f.PeerAbove)
}

func (f *ECHFacts) code(c *coder) {
	number(c, &f.Status)
	text(c, &f.PublicName)
	number(c, &f.ConfigID)
	number(c, &f.Suite.KDF)
	number(c, &f.Suite.AEAD)
	text(c, &f.RetryConfigs)
	c.flag(&f.Disabled)
}

// codeIdentity codes what this end has presented.
func (f *Facts) codeIdentity(c *coder, p *Params) {
	var (
		chain [][]byte
		kind  wire.CertificateType
	)
	if f.OwnIdentity != nil {
		chain, kind = f.OwnIdentity.Chain, f.OwnIdentity.Type
	}
	c.list(&chain)
	number(c, &kind)
	if !c.reading || len(chain) == 0 {
		c.bad = c.bad || kind != 0 && len(chain) == 0
		return
	}
	f.OwnIdentity = &Identity{Chain: chain, Type: kind}
	for _, id := range p.identities {
		if id.public.Type == kind && slices.EqualFunc(id.public.Chain, chain, bytes.Equal) {
			f.OwnIdentity = id.public
		}
	}
}
