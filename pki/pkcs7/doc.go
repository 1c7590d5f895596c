// Package pkcs7 reads and writes bundles of certificates as PKCS #7 (.p7b, .p7c): SignedData that signs nothing
// (RFC 2315, Section 9, "degenerate").
//
// # How to begin
//
//	if pkcs7.Is(data) {
//		certificates, err := pkcs7.Decode(data)
//		if err != nil {
//			return err
//		}
//	}
//	file, err := pkcs7.EncodePEM(certificates) // or Encode, for DER
//
// [Decode] takes the certificates out of any SignedData, DER or BER, bare or in PEM, in their order, which means
// nothing: pki.Arrange finds the chain in them. [Encode] writes certs-only ones.
//
// # What it does not do
//
// It does NOT know files, or whether a certificate is trusted; signatures over content are not looked at, and encrypted
// content is refused. It is no S/MIME: nothing is signed, and no key is ever in such a file; for keys see package
// pkcs12.
//
// # Errors
//
// Input of more than 8 MiB, what is no SignedData, and one without any certificate are errors that say so in words.
package pkcs7
