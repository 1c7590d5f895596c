package tlscore

import (
	"crypto/x509"
	"slices"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/wire"
)

// choose picks an identity and the scheme to sign with. Among those whose key the peer can verify, a server prefers one
// for the requested name, then one whose chain the peer can verify too, then one from a listed authority; a client
// presents nothing that the server's authorities exclude.
//
// RFC 8446, Section 4.4.2.2: a chain that the peer's signature algorithms do not cover is sent all the same where there
// is no better one.
func (p *Params) choose(role Role, w wanted) (*identity, *suite.Scheme) {
	var best *identity
	var bestScheme *suite.Scheme
	bestRank := -1
	for _, id := range p.identities {
		if !w.takesType(id.public.Type) || !w.takes(id.leaf.Kind) || !w.takesCurve(id.leaf.Kind) || w.suites != nil && chooseSuite12(p, w.suites, id) == nil {
			continue
		}
		// Between certificates and raw public keys the order of preference alone decides.
		if best != nil && id.public.Type != best.public.Type {
			continue
		}
		s := id.scheme(w)
		named := w.name != "" && id.serves(w.name)
		listed := id.issuedBy(w.authorities)
		if s == nil || role == RoleClient && !listed || role == RoleServer && p.c.StrictServerName && w.name != "" && !named {
			continue
		}
		rank := 0
		for i, good := range []bool{listed, id.chainSuits(w), named} {
			if good {
				rank |= 1 << i
			}
		}
		if rank > bestRank {
			best, bestScheme, bestRank = id, s, rank
		}
	}
	return best, bestScheme
}

// chainSuits reports whether the peer can verify every signature of the chain.
func (id *identity) chainSuits(w wanted) bool {
	allowed := w.chains
	if allowed == nil {
		allowed = w.schemes
	}
	return !slices.ContainsFunc(id.signed, func(s wire.SignatureScheme) bool { return !slices.Contains(allowed, s) })
}

// schemeOf is the signature scheme that a certificate is signed with, zero where there is none. An ECDSA signature does
// not tell the issuer's curve: that of the hash's size stands for it.
func schemeOf(a x509.SignatureAlgorithm) wire.SignatureScheme {
	switch a {
	case x509.ECDSAWithSHA256:
		return wire.SchemeECDSASecp256r1SHA256
	case x509.ECDSAWithSHA384:
		return wire.SchemeECDSASecp384r1SHA384
	case x509.ECDSAWithSHA512:
		return wire.SchemeECDSASecp521r1SHA512
	case x509.PureEd25519:
		return wire.SchemeEd25519
	case x509.SHA256WithRSA:
		return wire.SchemeRSAPKCS1SHA256
	case x509.SHA384WithRSA:
		return wire.SchemeRSAPKCS1SHA384
	case x509.SHA512WithRSA:
		return wire.SchemeRSAPKCS1SHA512
	case x509.SHA256WithRSAPSS:
		return wire.SchemeRSAPSSRSAESHA256
	case x509.SHA384WithRSAPSS:
		return wire.SchemeRSAPSSRSAESHA384
	case x509.SHA512WithRSAPSS:
		return wire.SchemeRSAPSSRSAESHA512
	case cert.MLDSA44:
		return wire.SchemeMLDSA44
	case cert.MLDSA65:
		return wire.SchemeMLDSA65
	case cert.MLDSA87:
		return wire.SchemeMLDSA87
	}
	return 0
}
