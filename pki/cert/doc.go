// Package cert gives a tolerant view of one X.509 certificate: it reads the outer structure of RFC 5280, Section 4.1
// and keeps every part as the bytes that were on the wire. It is for looking at what crypto/x509 refuses to read.
//
// # How to begin
//
//	c, err := cert.Parse(der)
//	if err != nil {
//		return err
//	}
//	names, err := c.AltNames()
//	extension, present := c.Find(cert.OIDNameConstraints)
//	fmt.Println(c.NotAfter, names.DNS, c.KeyUsage, c.Defects)
//
// # What matters
//
// [Certificate] knows where each field lies, how to read RSA (also keys restricted to RSASSA-PSS), ECDSA on P-256,
// P-384 and P-521, and Ed25519 public keys, the key usage and the subject alternative names. Keys, curves and
// extensions it does not know are kept raw instead of being refused; what is odd but readable is listed in
// [Certificate.Defects]. The Read… functions read the values of extensions, [ParseName] a distinguished name.
//
// # What it does not do
//
// It does NOT know what a certificate is worth: no signature is checked here, no chain is built, no name or date is
// compared with anything. Whether a certificate is trusted is decided by package pki alone.
//
// All byte slices borrow from the input. All strings are the certificate's own and may hold anything: pass them through
// pki.Printable before showing them.
//
// # Errors
//
// [Parse] and the Read… functions fail with a [*ParseError], which names the field in the words of the RFC; Parse does
// so only where the structure itself is broken. A key that cannot be used is Certificate.KeyError, not an error of
// Parse.
package cert
