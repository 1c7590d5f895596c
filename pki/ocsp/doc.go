// Package ocsp reads, checks and makes requests and responses of the Online
// Certificate Status Protocol (RFC 6960), with several certificates in one, nonces
// (RFC 9654) and delegated responders.
//
// It knows the structures, how a certificate is named in them, and who may sign a
// response: the issuer itself, or a certificate that it issued for this purpose.
//
// It does NOT know any status: who answers brings it along. It does not know
// HTTP, clocks or what an answer means for a connection; that is for packages that
// serve, fetch and judge.
package ocsp
