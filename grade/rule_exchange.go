package grade

import (
	"fmt"

	"github.com/tlswright/tlswright/wire"
)

// exchangeRules judge the keys: the certificate's and the ephemeral ones.
var exchangeRules = []rule{
	{id: "F3", severity: Critical, cap: "F", title: "A key of less than 1024 bits", reference: []string{guide, "RFC 9325, Section 4.5"},
		fix: "Make a new key, ECDSA with P-256 or RSA with 3072 bits, and parameters of 2048 bits or more; or do without DHE.", snippets: fixDH, check: checkTinyKey},
	{id: "dh-composite", severity: Critical, cap: "F", title: "The Diffie-Hellman modulus is no prime", reference: []string{"RFC 9325, Section 4.5", ourRule},
		fix: "Use a group of RFC 7919, or do without DHE; and find out who put this modulus there.", snippets: fixDH, check: checkComposite},
	{id: "B4", severity: Medium, cap: "B", title: "A key of less than 2048 bits", reference: []string{guide, "RFC 9325, Section 4.5"},
		fix: "Make a new key, ECDSA with P-256 or RSA with 3072 bits, and parameters of 2048 bits or more; or do without DHE.", snippets: fixDH, check: checkShortKey},
	{id: "ecdsa-short", severity: Low, title: "An elliptic curve of less than 256 bits in the certificate", reference: []string{"RFC 9325, Section 4.5", lesson12},
		fix: "Make a new key with P-256 and have a new certificate issued; few clients know smaller curves.", snippets: fixKey, check: checkShortCurve},
	{id: "issuer-key-short", severity: Low, title: "A CA of the chain has a short key", reference: []string{"RFC 9325, Section 4.5"},
		fix: "Ask the CA for a certificate from a newer intermediate.", check: checkIssuerKey},
	{id: "weak-group", severity: Low, title: "Groups of less than 2048 bits' strength", reference: []string{"RFC 8422, Section 5.1.1", "RFC 9325, Section 4.5"},
		fix: "Offer X25519MLKEM768, X25519, P-256 and P-384 alone.", snippets: fixGroups, check: checkWeakGroup},
	{id: "dh-prime-unsafe", severity: Low, title: "The Diffie-Hellman prime is not a safe one", reference: []string{"RFC 7919, Appendix A"},
		fix: "Use a group of RFC 7919, or do without DHE.", snippets: fixDH, check: checkUnsafePrime},
	{id: "dh-common", severity: Info, title: "A Diffie-Hellman prime that many share", reference: []string{guide, "RFC 7919, Section 1"},
		fix: "Nothing has to be done at 2048 bits and more; ECDHE is better and faster anyway.", check: checkCommonPrime},
	{id: "dh-reuse", severity: Low, title: "The ephemeral Diffie-Hellman key is not ephemeral", reference: []string{"RFC 9325, Section 7.4", "CVE-2016-0701"},
		fix: "Have the server make a new key for each connection (SSL_OP_SINGLE_DH_USE in old OpenSSL), or do without DHE.", snippets: fixDH, check: checkDHReuse},
	{id: "ecdh-reuse", severity: Info, title: "The ephemeral elliptic key is used again", reference: []string{"RFC 9325, Section 7.4"},
		fix: "Have the server make a new key for each connection (SSL_OP_SINGLE_ECDH_USE in old OpenSSL).", snippets: fixUpdate, check: checkECDHReuse},
	{id: "no-pq", severity: Info, title: "No post-quantum key exchange", reference: []string{"FIPS 203", ourRule},
		fix: "Offer X25519MLKEM768 first; it needs OpenSSL 3.5, Go 1.24 or a current BoringSSL.", snippets: fixGroups, check: checkNoPostQuantum},
}

// shortKeys lists keys of certificates and parameters of Diffie-Hellman with at least from and less than below bits.
func (s *subject) shortKeys(from, below int) []string {
	var evidence []string
	s.leaves(func(c *Chain, leaf *Certificate) {
		if n := keyStrength(leaf); n > 0 && n >= from && n < below {
			evidence = append(evidence, fmt.Sprintf("%s: %s, as strong as %d bits of RSA", describeChain(c), orElse(leaf.Key, "key"), n))
		}
	})
	for _, dh := range s.f.DH {
		if dh.Bits >= from && dh.Bits < below {
			line := fmt.Sprintf("Diffie-Hellman parameters of %d bits", dh.Bits)
			if dh.Known != "" {
				line += " (" + dh.Known + ")"
			}
			if dh.Export {
				line += ", for export suites"
			}
			evidence = append(evidence, line)
		}
	}
	if len(s.f.DH) == 0 {
		evidence = append(evidence, s.suitesThat(func(u *usedSuite) bool { return u.suite.DHBits > 0 && u.suite.DHBits >= from && u.suite.DHBits < below })...)
	}
	return append(evidence, s.suitesThat(func(u *usedSuite) bool {
		bits := u.suite.RSABits
		if bits == 0 {
			bits = groupStrength(u.suite.Group)
		}
		return bits > 0 && bits >= from && bits < below
	})...)
}

func checkTinyKey(s *subject) *hit {
	return s.withKeyFix(1, 1024, firedIf("Numbers of this size have been factored, and their logarithms taken, by small groups of people.", s.shortKeys(1, 1024)))
}

func checkShortKey(s *subject) *hit {
	return s.withKeyFix(1024, 2048, firedIf("A state can break keys of 1024 bits, and whoever breaks a common prime once reads all who use it (Logjam).", s.shortKeys(1024, 2048)))
}

// withKeyFix points a hit about short keys to a new certificate if that is what is short, and not Diffie-Hellman.
func (s *subject) withKeyFix(from, below int, h *hit) *hit {
	s.leaves(func(_ *Chain, leaf *Certificate) {
		if n := keyStrength(leaf); h != nil && n >= from && n < below {
			h.snippets = fixKey
			h.fix = "Make a new key, ECDSA with P-256 or RSA with 3072 bits, and have a new certificate issued for it."
		}
	})
	return h
}

func checkComposite(s *subject) *hit {
	var evidence []string
	for _, dh := range s.f.DH {
		if dh.Composite {
			evidence = append(evidence, fmt.Sprintf("%d bits: %.64s…", dh.Bits, dh.Prime))
		}
	}
	return firedIf("Who knows its factors takes logarithms at ease: this is a mistake or a back door.", evidence)
}

func checkShortCurve(s *subject) *hit {
	var evidence []string
	s.leaves(func(c *Chain, leaf *Certificate) {
		if authenticates(c.KeyType, "ECDSA") && leaf.KeyBits > 0 && leaf.KeyBits < 255 { // Ed25519 has 255 or 256, as one counts
			evidence = append(evidence, describeChain(c)+": "+orElse(leaf.Key, "a short curve"))
		}
	})
	return firedIf("Curves below 256 bits fall short of 128 bits of strength.", evidence)
}

func checkIssuerKey(s *subject) *hit {
	var evidence []string
	for _, c := range s.chains {
		for i := range c.Sent {
			if i == 0 || !c.onPath(&c.Sent[i]) {
				continue
			}
			if n := keyStrength(&c.Sent[i]); n > 0 && n < 2048 {
				evidence = append(evidence, fmt.Sprintf("%s: %s has %s", describeChain(c), subjectOf(&c.Sent[i], i), orElse(c.Sent[i].Key, count(n, "bit", "bits"))))
			}
		}
	}
	return firedIf("Who breaks a CA's key issues certificates for any name.", evidence)
}

func checkWeakGroup(s *subject) *hit {
	var evidence []string
	for _, g := range s.f.Groups {
		if bits := groupStrength(g.ID); bits > 0 && bits < 2048 {
			evidence = append(evidence, fmt.Sprintf("%s, as strong as %d bits of RSA", g.ID, bits))
		}
	}
	return firedIf("A client that asks for one of these gets it.", evidence)
}

func checkUnsafePrime(s *subject) *hit {
	var evidence []string
	for _, dh := range s.f.DH {
		if dh.Safe == No && !dh.Composite {
			evidence = append(evidence, fmt.Sprintf("%d bits, generator %.20s: %.64s…", dh.Bits, dh.Generator, dh.Prime))
		}
	}
	return firedIf("(p-1)/2 is no prime, so there may be small subgroups into which a key can be led.", evidence)
}

func checkCommonPrime(s *subject) *hit {
	var evidence []string
	for _, dh := range s.f.DH {
		if dh.Known != "" {
			evidence = append(evidence, fmt.Sprintf("%s, %d bits", dh.Known, dh.Bits))
		}
	}
	return firedIf("Work spent once on a prime serves against all who use it; from 2048 bits on that is beyond anybody's means. The guide does not grade this.", evidence)
}

func checkDHReuse(s *subject) *hit {
	var evidence []string
	for _, dh := range s.f.DH {
		if dh.Reused == Yes {
			evidence = append(evidence, fmt.Sprintf("the same public value on two connections, %d bits", dh.Bits))
		}
	}
	if len(evidence) == 0 && s.proven("shared-dh") {
		evidence = append(evidence, s.f.Vulnerability("shared-dh").Text)
	}
	return firedIf("A key that stays in memory takes forward secrecy away for as long, and helps small-subgroup and timing attacks.", evidence)
}

func checkECDHReuse(s *subject) *hit {
	if s.f.Features.ECDHReuse != Yes {
		return nil
	}
	return fired("A key that stays in memory takes forward secrecy away for as long.", "the same public value on two connections")
}

// checkNoPostQuantum fires where TLS 1.3 is offered and the groups are known: without TLS 1.3 another rule speaks.
func checkNoPostQuantum(s *subject) *hit {
	if !s.f.Offers(wire.VersionTLS13) || len(s.f.Groups) == 0 || s.f.Quick {
		return nil
	}
	names := make([]string, 0, len(s.f.Groups))
	for _, g := range s.f.Groups {
		if isPostQuantum(g.ID) {
			return nil
		}
		names = append(names, g.ID.String())
	}
	return fired("What is recorded today can be read once there is a quantum computer. No grade depends on this yet.", "groups: "+several(names, maxEvidence))
}

// isPostQuantum reports a group with ML-KEM in it, as standardised.
func isPostQuantum(g wire.Group) bool {
	switch g {
	case wire.GroupX25519MLKEM768, wire.GroupSecp256r1MLKEM768, wire.GroupSecp384r1MLKEM1024, wire.GroupCurveSM2MLKEM768,
		wire.GroupMLKEM512, wire.GroupMLKEM768, wire.GroupMLKEM1024:
		return true
	}
	return false
}
