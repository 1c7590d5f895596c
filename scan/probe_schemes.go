package scan

import (
	"context"
	"slices"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/wire"
)

// probeSchemes finds the signature schemes by elimination: in TLS 1.2 they stand in the ServerKeyExchange, in TLS 1.3 in the
// CertificateVerify, which is encrypted, so that the flight is opened for it. On the way the server shows all its
// certificates, for each kind of key that a scheme is for.
func probeSchemes(ctx context.Context, h *host) {
	for _, v := range []wire.Version{wire.VersionTLS12, wire.VersionTLS13} {
		if !h.offersAny(v) {
			continue
		}
		o := h.working(v)
		if v == wire.VersionTLS12 {
			if o.Suites = h.signedSuites(v); len(o.Suites) == 0 {
				continue
			}
		}
		found, err := h.huntSchemes(ctx, v, o)
		h.gap("signature schemes of "+v.String(), err)
		h.record(func(f *grade.Facts) {
			for _, id := range found {
				f.Schemes = addScheme(f.Schemes, id, v)
			}
		})
	}
}

// signedSuites are those whose handshake the server signs.
func (h *host) signedSuites(v wire.Version) []wire.CipherSuite {
	return slices.DeleteFunc(h.candidates(v), func(id wire.CipherSuite) bool {
		k := h.kindOf(id)
		return !k.signed || k.base != "ECDHE" && k.base != "DHE"
	})
}

func (h *host) huntSchemes(ctx context.Context, v wire.Version, o *offer) (found []wire.SignatureScheme, err error) {
	o.Until, o.Verify = untilFlight, true
	o.SignedBy = schemes() // what certificates may be signed with is another matter
	list := schemes()
	for len(list) > 0 {
		o.Schemes = list
		a, err := h.ask(ctx, o)
		if err != nil {
			return found, err
		}
		h.learn(o, a)
		if !a.ok(v) || a.Scheme == 0 {
			return found, nil
		}
		found = append(found, a.Scheme)
		if !slices.Contains(list, a.Scheme) {
			return found, nil // it does not heed the list
		}
		list = without(list, a.Scheme)
	}
	return found, nil
}

// addScheme adds a scheme to the list, or a version to one that is there.
func addScheme(list []grade.Scheme, id wire.SignatureScheme, v wire.Version) []grade.Scheme {
	for i := range list {
		if list[i].ID == id {
			if !slices.Contains(list[i].Versions, v) {
				list[i].Versions = append(list[i].Versions, v)
			}
			return list
		}
	}
	return append(list, grade.Scheme{ID: id, Name: id.String(), Versions: []wire.Version{v}})
}
