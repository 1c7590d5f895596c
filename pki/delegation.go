package pki

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
)

// oidDelegationUsage is id-ce-delegationUsage (RFC 9345, Section 4.2).
func oidDelegationUsage() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 44363, 44}
}

// addDelegation allows a certificate to sign delegated credentials.
//
// RFC 9345, Section 4.2: the extension, a NULL, MUST be marked non-critical, and the digitalSignature key usage is needed.
func addDelegation(t *x509.Certificate, req Request) error {
	switch {
	case !req.MayDelegate:
		return nil
	case t.IsCA || t.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return refuse("take a profile of leaves with digital-signature", "delegated credentials are for leaves that may sign handshakes")
	}
	t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: oidDelegationUsage(), Value: []byte{5, 0}})
	return nil
}
