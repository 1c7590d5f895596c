package tlsnet

import (
	"bytes"
	"crypto/x509"
	"slices"
	"weak"
)

// keptPeer is a verified Peer for as long as its connection lives. A parsed certificate takes several kilobytes, which
// an idle connection should not hold: only the bytes are kept, and what is parsed from them for as long as somebody uses
// it.
type keptPeer struct {
	raw    [][]byte // as sent
	chain  []keptCertificate
	parsed weak.Pointer[Peer]
}

// keptCertificate is one of the two: a certificate that others keep anyway, or bytes.
type keptCertificate struct {
	root *x509.Certificate
	der  []byte
}

func keepPeer(p *Peer, roots []*x509.Certificate) *keptPeer {
	k := &keptPeer{raw: p.Raw, parsed: weak.Make(p)}
	for _, c := range p.Chain {
		sent := slices.IndexFunc(p.Raw, func(der []byte) bool { return bytes.Equal(der, c.Raw) })
		switch {
		case slices.Contains(roots, c):
			k.chain = append(k.chain, keptCertificate{root: c})
		case sent >= 0:
			k.chain = append(k.chain, keptCertificate{der: p.Raw[sent]})
		default: // a root of the system, which its pool keeps
			k.chain = append(k.chain, keptCertificate{root: c})
		}
	}
	return k
}

// again returns the Peer, parsed again, and what to keep of it instead.
func (k *keptPeer) again() (*Peer, *keptPeer) {
	p := &Peer{Raw: k.raw}
	for _, kept := range k.chain {
		c := kept.root
		if c == nil {
			var err error
			if c, err = x509.ParseCertificate(kept.der); err != nil {
				return &Peer{Raw: k.raw, Problem: err}, k // cannot be: it was parsed before
			}
		}
		p.Chain = append(p.Chain, c)
	}
	p.Leaf = p.Chain[0]
	return p, &keptPeer{raw: k.raw, chain: k.chain, parsed: weak.Make(p)}
}
