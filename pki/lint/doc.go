// Package lint holds the requirements on certificates as data: one file for each, with the requirement in our own
// words, where it is written, since when it holds, and the check. [Run] applies them all to one certificate, signed or
// not yet.
//
// # How to begin
//
//	findings := lint.Run(der, issuer, lint.KindAuto) // the issuer may be nil
//	for _, f := range findings {                     // the worst first
//		fmt.Println(f)
//	}
//	if lint.Worst(findings) == lint.Error {
//		return errors.New("not to be signed")
//	}
//
// A CA runs it over pki.Draft before it signs; a scanner over what a server shows.
//
// # What matters
//
// A [Finding] names the lint, how bad it is, and the section of the standard. An [Error] is a violation of what a
// standard demands, or makes the certificate useless or dangerous; a [Warning] is what programs trip over; a [Notice]
// is worth knowing. [All] lists the lints there are. [Kind] says what the certificate is for, which KindAuto takes from
// itself.
//
// # What it does not do
//
// It knows the bytes of a certificate (RFC 5280 and its kin, what browsers ask beyond that) and reads them itself, so
// that what crypto/x509 would refuse can be examined too. It does NOT know trust, signatures, revocation or the
// network: nothing here decides whether a chain is accepted, and a certificate without findings is not thereby a good
// one.
//
// # Errors
//
// There are none: what cannot be read is a finding. Finding.Text is fit to print.
package lint
