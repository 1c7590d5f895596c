package grade

import (
	"fmt"
	"strings"

	"github.com/tlswright/tlswright/wire"
)

// scores are the three of the guide, exact, and what made the worst of each.
type scores struct {
	protocol, exchange, cipher, total float64
	// weakest names what the key exchange score comes from: "TLS_…: the server's key, 1024 bits".
	weakest     string
	unknown     []string // scores that nothing is known for; they count as 100
	hasAnon     bool
	weakestBits int // of the ciphers
}

// protocolPoints is the guide's table for versions.
func protocolPoints(v wire.Version) float64 {
	switch v {
	case VersionSSL20:
		return 0
	case wire.VersionSSL30:
		return 80
	case wire.VersionTLS10:
		return 90
	case wire.VersionTLS11:
		return 95
	}
	return 100
}

// scores computes all three: protocol and cipher are the mean of the best and the worst, key exchange is the worst. A
// zero in one makes the total zero.
func (s *subject) scores() scores {
	var sc scores
	sc.protocol = s.protocolScore()
	s.exchangeScore(&sc)
	s.cipherScore(&sc)
	sc.total = (30*sc.protocol + 30*sc.exchange + 40*sc.cipher) / 100
	if sc.protocol == 0 || sc.exchange == 0 || sc.cipher == 0 {
		sc.total = 0
	}
	return sc
}

func (s *subject) protocolScore() float64 {
	best, worst, known := 0.0, 100.0, false
	for i := range s.f.Protocols {
		if p := &s.f.Protocols[i]; p.Offered == Yes {
			points := protocolPoints(p.Version)
			best, worst, known = max(best, points), min(worst, points), true
		}
	}
	if !known {
		return 100
	}
	return (best + worst) / 2
}

func (s *subject) cipherScore(sc *scores) {
	strongest, weakest, known := 0, 0, false
	see := func(bits int) {
		if !known {
			strongest, weakest, known = bits, bits, true
			return
		}
		strongest, weakest = max(strongest, bits), min(weakest, bits)
	}
	for i := range s.used {
		see(s.used[i].parts.Bits)
	}
	for _, k := range s.kinds {
		see(k.bits)
	}
	if !known {
		sc.cipher = 100
		sc.unknown = append(sc.unknown, "cipher strength: no suite is known")
		return
	}
	sc.weakestBits = weakest
	sc.cipher = (cipherPoints(strongest) + cipherPoints(weakest)) / 2
}

// exchangeScore finds the weakest key exchange: for each suite the weaker of the certificate's key and the ephemeral one.
func (s *subject) exchangeScore(sc *scores) {
	worst, known := 100.0, false
	see := func(points float64, what string) {
		if !known || points < worst {
			worst, sc.weakest = points, what
		}
		known = true
	}
	for i := range s.used {
		u := &s.used[i]
		if u.parts.Authentication == "none" {
			sc.hasAnon = true
			see(0, u.parts.Suite.String()+": nobody is authenticated")
			continue
		}
		bits, what := s.exchangeBits(u)
		if bits == 0 {
			continue
		}
		points := strengthPoints(bits)
		if u.parts.IsExport {
			points = min(points, 40)
		}
		see(points, fmt.Sprintf("%s: %s, as strong as %d bits of RSA", u.parts.Suite, what, bits))
	}
	for _, k := range s.kinds {
		bits := s.keyBits("RSA")
		if bits == 0 {
			continue
		}
		points := strengthPoints(bits)
		if k.export {
			points = min(points, 40)
		}
		see(points, fmt.Sprintf("%s: the server's key, %d bits", k.name, bits))
	}
	if reason := s.computableKey(); reason != "" {
		see(0, "the server's private key can be computed: "+reason)
	}
	sc.exchange = worst
	if !known {
		sc.unknown = append(sc.unknown, "key exchange: no key size is known")
	}
}

// exchangeBits is the weaker of the keys that a suite rests on, in bits of RSA; 0: nothing is known.
func (s *subject) exchangeBits(u *usedSuite) (bits int, what string) {
	take := func(n int, name string) {
		if n > 0 && (bits == 0 || n < bits) {
			bits, what = n, name
		}
	}
	take(s.keyBits(u.parts.Authentication), "the certificate's key")
	switch {
	case u.parts.IsExport && u.suite.RSABits > 0:
		take(u.suite.RSABits, "the temporary RSA key")
	case u.suite.DHBits > 0:
		take(u.suite.DHBits, "the Diffie-Hellman parameters")
	case u.suite.Group != 0:
		take(groupStrength(u.suite.Group), "the group "+u.suite.Group.String())
	case strings.HasPrefix(u.parts.KeyExchange, "DHE"):
		for _, dh := range s.f.DH {
			if dh.Export == u.parts.IsExport {
				take(dh.Bits, "the Diffie-Hellman parameters")
			}
		}
	}
	return bits, what
}

// keyBits is the strength of the weakest certificate key of a kind that a suite's authentication names, in bits of RSA;
// "any" in TLS 1.3. 0: there is none, or it is not known.
func (s *subject) keyBits(authentication string) int {
	bits := 0
	s.leaves(func(c *Chain, leaf *Certificate) {
		if !authenticates(c.KeyType, authentication) {
			return
		}
		if n := keyStrength(leaf); n > 0 && (bits == 0 || n < bits) {
			bits = n
		}
	})
	return bits
}

// authenticates reports whether a key of a kind serves suites with an authentication. EdDSA keys go with the suites of
// ECDSA (RFC 8422, Section 5.10).
func authenticates(keyType, authentication string) bool {
	switch authentication {
	case "any":
		return true
	case "PSK", "SRP", "KRB5", "ECCPWD", "ECJPAKE", "none":
		return false
	case "ECDSA":
		return strings.HasPrefix(keyType, "EC") || strings.HasPrefix(keyType, "Ed")
	case "RSA":
		return strings.HasPrefix(keyType, "RSA")
	case "DSS":
		return strings.HasPrefix(keyType, "DS")
	}
	return true
}

// computableKey says why the server's private key is no secret; empty: it is one, as far as is known.
func (s *subject) computableKey() string {
	reason := ""
	s.leaves(func(_ *Chain, leaf *Certificate) {
		if reason == "" {
			reason = leaf.WeakKey
		}
		if reason == "" && leaf.KeyListed == Yes {
			reason = "a list of keys that are known to everybody has it"
		}
	})
	switch {
	case reason != "":
	case s.proven("debian-weak-key"):
		reason = "it comes from Debian's broken random numbers of 2006 to 2008"
	case s.proven("roca"):
		reason = "its primes come from Infineon's library (ROCA, CVE-2017-15361)"
	}
	return reason
}
