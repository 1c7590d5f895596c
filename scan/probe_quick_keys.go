package scan

import (
	"context"
	"slices"

	"github.com/tlswright/tlswright/wire"
)

// quickKeys asks, of a server that has shown a certificate with one kind of key, for one with the other: RSA where it was
// ECDSA, and the other way round. A client that takes both sees one of them only, and never that the other one runs out.
func (h *host) quickKeys(ctx context.Context, first *offer) {
	shown := make(map[string]bool)
	for _, c := range h.chains() {
		shown[c.KeyType] = true
	}
	if len(shown) == 0 {
		return
	}
	for _, kind := range []string{"RSA", "ECDSA"} {
		if shown[kind] {
			continue
		}
		o := *first
		o.SignedBy = schemes() // what the CA signed with is another matter
		o.Schemes = schemesOf(kind)
		o.Suites = slices.DeleteFunc(slices.Clone(first.Suites), func(id wire.CipherSuite) bool {
			auth := h.scanner.parts[id].Authentication
			return auth != "" && auth != "any" && auth != kind && id>>8 != 0x13
		})
		a, err := h.ask(ctx, &o)
		if err != nil {
			h.gap("a certificate with a key of kind "+kind, err)
			continue
		}
		h.learn(&o, a)
	}
}

// schemesOf lists the signature schemes of one kind of key that a client of today offers.
func schemesOf(kind string) []wire.SignatureScheme {
	if kind == "ECDSA" {
		return []wire.SignatureScheme{wire.SchemeECDSASecp256r1SHA256, wire.SchemeECDSASecp384r1SHA384, wire.SchemeECDSASecp521r1SHA512, wire.SchemeECDSASHA1}
	}
	return []wire.SignatureScheme{wire.SchemeRSAPSSRSAESHA256, wire.SchemeRSAPSSRSAESHA384, wire.SchemeRSAPSSRSAESHA512,
		wire.SchemeRSAPKCS1SHA256, wire.SchemeRSAPKCS1SHA384, wire.SchemeRSAPKCS1SHA512, wire.SchemeRSAPKCS1SHA1}
}
