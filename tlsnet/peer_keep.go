package tlsnet

import (
	"bytes"
	"crypto/x509"
	"slices"
	"weak"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/tlscore"
)

// keptPeer is a verified Peer for as long as its connection lives. A parsed certificate takes several kilobytes, which
// an idle connection should not hold: only the bytes are kept, and what is parsed from them for as long as somebody uses
// it.
type keptPeer struct {
	raw    [][]byte // as sent
	key    bool     // raw is a public key, and it is pinned
	chain  []keptCertificate
	extra  *keptExtra // nil: none of it
	parsed weak.Pointer[Peer]
}

// keptExtra is what few peers have.
type keptExtra struct {
	staple []byte
	scts   [][]byte
	status *pki.Staple
	above  []tlscore.Stapled
	said   []*pki.Staple
}

// keptCertificate is one of the two: a certificate that others keep anyway, or bytes.
type keptCertificate struct {
	root *x509.Certificate
	der  []byte
}

func keepPeer(p *Peer, roots []*x509.Certificate) *keptPeer {
	k := &keptPeer{raw: p.Raw, key: p.keyPinned, parsed: weak.Make(p)}
	if len(p.Staple) > 0 || len(p.SCTs) > 0 || len(p.Above) > 0 {
		k.extra = &keptExtra{p.Staple, p.SCTs, p.Status, p.Above, p.AboveStatus}
	}
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
	if k.key {
		p.RawKey, p.keyPinned = k.raw[0], true
		return p, &keptPeer{raw: k.raw, key: true, parsed: weak.Make(p)}
	}
	for _, kept := range k.chain {
		c := kept.root
		if c == nil {
			var err error
			if c, err = cert.ParseX509(kept.der); err != nil {
				return &Peer{Raw: k.raw, Problem: err}, k // cannot be: it was parsed before
			}
		}
		p.Chain = append(p.Chain, c)
	}
	p.Leaf = p.Chain[0]
	if e := k.extra; e != nil {
		p.Staple, p.SCTs, p.Status, p.Above, p.AboveStatus = e.staple, e.scts, e.status, e.above, e.said
	}
	return p, &keptPeer{raw: k.raw, chain: k.chain, extra: k.extra, parsed: weak.Make(p)}
}

// path returns the verified chain without its root, in DER.
func (k *keptPeer) path() [][]byte {
	if k.key {
		return k.raw
	}
	var out [][]byte
	for i, kept := range k.chain {
		switch {
		case i > 0 && i == len(k.chain)-1:
		case kept.root != nil:
			out = append(out, kept.root.Raw)
		default:
			out = append(out, kept.der)
		}
	}
	return out
}
