package tlscore

import (
	"slices"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// fits13 is the suite of TLS 1.3 with a number, nil if there is none.
func fits13(code wire.CipherSuite) *suite.Suite { return suite.ByID(code) }

// chooseSuite picks a server's cipher suite among those that both ends have and fits returns: the first in our order, or
// in the client's with Config.PreferClient (RFC 8446, Section 4.1.1). Our order gives way in one point: a client that
// puts ChaCha20-Poly1305 first has no AES in hardware, so it gets that.
func chooseSuite(p *Params, offered []wire.CipherSuite, fits func(wire.CipherSuite) *suite.Suite) *suite.Suite {
	order, other := p.c.CipherSuites, offered
	if p.c.PreferClient {
		order, other = offered, p.c.CipherSuites
	}
	var first, chacha *suite.Suite
	for _, code := range order {
		s := fits(code)
		if s == nil || !slices.Contains(other, code) {
			continue
		}
		if first == nil {
			first = s
		}
		if chacha == nil && isChaCha(code) {
			chacha = s
		}
	}
	if chacha != nil && !p.c.PreferClient && prefersChaCha(offered) {
		return chacha
	}
	return first
}

// prefersChaCha reports whether the first suite of a client that we know at all is one with ChaCha20-Poly1305.
func prefersChaCha(offered []wire.CipherSuite) bool {
	for _, code := range offered {
		if suite.ByID(code) != nil || suite.ByID12(code) != nil {
			return isChaCha(code)
		}
	}
	return false
}

func isChaCha(code wire.CipherSuite) bool {
	switch code {
	case wire.TLS_CHACHA20_POLY1305_SHA256, wire.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256:
		return true
	}
	return false
}
