package tlsnet

import (
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
)

// maxPins bounds Config.Pins: each is compared with each certificate of a chain.
const maxPins = 256

// checkPinning refuses pins that would lock their user out, or that nothing looks at.
//
// RFC 7469, Section 4.3: a Backup Pin is a fingerprint for the public key of a secondary, not-yet-deployed key pair.
func (c *Config) checkPinning(role tlscore.Role) error {
	different := make(map[pki.Pin]bool)
	for _, p := range c.Pins {
		different[p] = true
	}
	switch {
	case len(c.Pins) > 0 && role == tlscore.RoleServer:
		return errors.New("pins are what a client insists on, and this is a server: it chooses its clients by Config.VerifyPeer")
	case c.PinsAlone && len(different) != 1:
		return fmt.Errorf("PinsAlone is about a single pin, and there are %d", len(different))
	case len(different) == 1 && !c.PinsAlone:
		return errors.New("there is a single pin, and nothing to fall back to when its key is lost: add the pin of another key, " +
			"or set PinsAlone as well")
	case len(different) > maxPins:
		return fmt.Errorf("there are %d pins, more than the limit of %d", len(different), maxPins)
	}
	return nil
}

// unpinned says why a peer is not the one that was pinned; nil if it is, or nothing was. Where the chain was not verified,
// only the leaf counts, which will have to prove that it has its key: anybody can put other certificates behind it.
//
// RFC 7469, Section 2.6: the UA MUST … check the validated chain.
func (s *settings) unpinned(p *Peer) error {
	if len(s.pins) == 0 {
		return nil
	}
	chain := p.Chain
	if len(chain) == 0 && p.Leaf != nil {
		chain = []*x509.Certificate{p.Leaf}
	}
	if _, ok := s.pins.Match(chain); ok {
		return nil
	}
	e := &pki.VerifyError{Reason: pki.ReasonPin, Text: "no pin matches the chain", Depth: -1,
		Hint: "either somebody is in between, or the server has a new key"}
	if p.Leaf != nil {
		e.Text += "; that of the leaf's key is " + pki.PinSPKI(p.Leaf).String()
		e.Certificate, e.Subject, e.Depth = p.Leaf, pki.Name(p.Leaf.Subject), 0
	}
	return e
}
