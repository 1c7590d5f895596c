package scan

import (
	"crypto"
	"slices"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// Identity is a client certificate with its key, for servers that let nobody in without one (RFC 8446, Section 4.4.2; RFC 5246,
// Section 7.4.6). Where the server takes none of the signatures that the key can make, no certificate is shown.
type Identity struct {
	Chain [][]byte      // DER, leaf first
	Key   crypto.Signer // of the leaf; it may live anywhere
}

// proof13 is what a client says of itself in TLS 1.3: a Certificate and, where it has one, a CertificateVerify. The transcript
// takes them up.
func (i *Identity) proof13(request *wire.CertificateRequest, f *flight13) ([]byte, error) {
	certificate := &wire.Certificate{Context: request.Context}
	scheme := i.scheme13(request)
	if scheme != nil {
		for _, der := range i.Chain {
			certificate.Entries = append(certificate.Entries, wire.CertificateEntry{Data: der})
		}
	}
	// RFC 8446, Section 4.4.2: a client without a suitable certificate MUST send a Certificate message without entries.
	messages := wire.AppendMessage(nil, certificate)
	f.transcript.Add(messages)
	if scheme == nil {
		return messages, nil
	}
	signature, err := suite.Sign(i.Key, scheme, signedContent("TLS 1.3, client CertificateVerify", f.transcript.Sum()))
	if err != nil {
		return nil, err
	}
	verify := wire.AppendMessage(nil, &wire.CertificateVerify{Scheme: scheme.ID, Signature: signature})
	f.transcript.Add(verify)
	return append(messages, verify...), nil
}

// scheme13 is one that the server takes and the key can do; nil: there is none.
func (i *Identity) scheme13(request *wire.CertificateRequest) *suite.Scheme {
	var accepted wire.SignatureAlgorithms
	if _, err := request.Ext(&accepted); i == nil || err != nil {
		return nil
	}
	return i.scheme(accepted.Schemes, func(s *suite.Scheme) bool { return s.Usable(i.Key.Public(), false) })
}

func (i *Identity) scheme(accepted []wire.SignatureScheme, isUsable func(*suite.Scheme) bool) *suite.Scheme {
	for _, id := range suite.DefaultSchemes() {
		if s := suite.SchemeByID(id); s != nil && slices.Contains(accepted, id) && isUsable(s) {
			return s
		}
	}
	return nil
}

// scheme12 is scheme13 for TLS 1.2. Older versions sign with MD5 and SHA-1, which we do not.
func (i *Identity) scheme12(hs *handshake12) *suite.Scheme {
	var request wire.CertificateRequest12
	if i == nil || hs.a.Version != wire.VersionTLS12 || request.Parse(hs.a.Request) != nil {
		return nil
	}
	return i.scheme(request.Schemes, func(s *suite.Scheme) bool { return s.UsableTLS12(i.Key.Public(), false) })
}

// verify12 is the CertificateVerify of TLS 1.2, over all messages so far (RFC 5246, Section 7.4.8).
func (i *Identity) verify12(s *suite.Scheme, transcript []byte) ([]byte, error) {
	signature, err := suite.SignTLS12(i.Key, s, transcript)
	if err != nil {
		return nil, err
	}
	return wire.AppendMessage(nil, &wire.CertificateVerify{Scheme: s.ID, Signature: signature}), nil
}
