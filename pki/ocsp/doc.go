// Package ocsp reads, checks and makes requests and responses of the Online Certificate Status Protocol (RFC 6960),
// with several certificates in one, nonces (RFC 9654) and delegated responders.
//
// # How to begin
//
// A client names the certificate, asks, and checks what it gets:
//
//	id, err := ocsp.NewCertID(leaf.SerialNumber.Bytes(), issuer, crypto.SHA256)
//	request, err := ocsp.CreateRequest([]ocsp.CertID{id}, nil) // POST it, as application/ocsp-request
//
//	response, err := ocsp.ParseResponse(body)
//	if err != nil {
//		return err
//	}
//	if err := response.Verify(issuer, time.Now()); err != nil {
//		return err
//	}
//	single := response.Find(leaf, issuer) // nil: it says nothing about this one
//
// A server uses [ParseRequest] and [CreateResponse], and [ErrorResponse] where it has no answer. A response that a TLS
// server stapled is judged whole by pki.CheckStaple.
//
// # What matters
//
// A [CertID] names a certificate, a [Single] says how it fares. An [Issuer] is made once per CA and recognises its
// certificates without hashing.
//
// # What it does not do
//
// It does NOT know any status: who answers brings it along. It does not know HTTP, clocks or what an answer means for a
// connection; that is for packages that serve, fetch and judge (package pki).
//
// # What is safe, and what is not
//
// [Response.Verify] says that somebody who may speak for the issuer has signed. Whether Single.ThisUpdate and NextUpdate
// enclose the moment, and whether Nonce is the one that was sent, is for the caller to look at; pki.CheckStaple and
// pki.JudgeRevocation do. Signatures with MD5 and SHA-1 are refused; SHA-1 in a CertID is not one of them. Sizes are
// bounded by [MaxRequest] and [MaxResponse].
//
// # Errors
//
// What cannot be read is a [*ParseError], which names the field. A response whose Status is not [Successful] is no
// error of Go: look at it first.
package ocsp
