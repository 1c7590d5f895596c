// Package fetch is the only way out to the addresses that certificates name: issuers (AIA), CRLs and OCSP responders; and
// to logs of Certificate Transparency, which are believed no more than that.
// Whoever makes a certificate chooses these addresses, so they are treated as a stranger's request.
//
// It knows which addresses may be asked (http and https, public addresses unless told otherwise, checked after the name
// was looked up and again for every redirect), how long and how large an answer may be, and that one question is asked
// once: calls for the same thing at the same time share one request, and a failure is remembered for a while. It knows how
// logs are spoken to (RFC 6962 and the static API), and what of their answers their key and their tree must prove.
//
// It does NOT know what the bytes are worth: signatures, dates and trust are package pki's. It does not decide whether
// to ask at all: a caller asks only for certificates whose chain verifies, or because a person told it to.
package fetch
