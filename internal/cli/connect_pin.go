package cli

import (
	"crypto/x509"
	"fmt"

	"github.com/tlswright/tlswright/pki"
)

// pinOutcome is what came of --pin.
type pinOutcome struct {
	pin     pki.Pin
	matches bool
	of      *x509.Certificate // the certificate that matches
}

// isAlone reports whether there is a single pin, said once or more often.
func isAlone(pins pki.PinSet) bool {
	for _, p := range pins {
		if p != pins[0] {
			return false
		}
	}
	return len(pins) > 0
}

// checkPins insists on the pins of --pin, where there are some. A chain that was verified may match anywhere; of one that
// was not, only the leaf counts, which has proven that it has its key (RFC 7469, Section 2.6).
func (c *connector) checkPins(o *outcome) {
	if len(c.pins) == 0 {
		return
	}
	chain := o.peer.Chain
	if !o.isTrusted() {
		chain = o.sent[:min(len(o.sent), 1)]
	}
	o.pinned = &pinOutcome{}
	if p, ok := c.pins.Match(chain); ok {
		o.pinned.pin, o.pinned.matches = p, true
		for _, cert := range chain {
			if p.Matches(cert) {
				o.pinned.of = cert
				return
			}
		}
		return
	}
	text := fmt.Sprintf("%v: no pin matches the chain", o.target)
	if len(o.sent) > 0 {
		text += "; that of the leaf's key is " + pki.PinSPKI(o.sent[0]).String()
	}
	o.problem = &failure{kind: kindTrust, text: text, hint: "either somebody is in between, or the server has a new key"}
}

// text is the outcome in words.
func (p *pinOutcome) text() (string, style) {
	if !p.matches {
		return "NO MATCH", bad
	}
	return fmt.Sprintf("%s, that of the %s %s", p.pin, roleOf(p.of), nameOf(p.of)), good
}

// pinJSON is --pin in --json.
type pinJSON struct {
	Matches bool   `json:"matches"`
	Pin     string `json:"pin,omitempty"`
	Subject string `json:"subject,omitempty"` // of the certificate that matches
}

func newPinJSON(p *pinOutcome) *pinJSON {
	if p == nil {
		return nil
	}
	j := &pinJSON{Matches: p.matches}
	if p.matches {
		j.Pin, j.Subject = p.pin.String(), nameOf(p.of)
	}
	return j
}
