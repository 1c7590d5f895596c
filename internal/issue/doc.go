// Package issue is the way a certificate takes from a request to a signature:
// prepare, examine, sign once.
//
// [Prepare] turns a request into the very bytes that will be signed and shows them,
// as a certificate with an empty signature, to every linter. What passes comes back
// as a [Token], which signs these bytes, once, and nothing else. So nothing is
// signed that was not examined.
//
// It knows the rules of package pki and of pki/lint. It does NOT know storage: that
// the serial number is reserved before and the certificate recorded after, is the
// business of who calls (internal/authority). No clock either, and no files.
package issue
