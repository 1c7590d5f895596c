// Package acme holds the objects of ACME as they stand in its JSON (RFC 8555 and what has grown around it: IP
// identifiers, RFC 8738; STAR, RFC 8739; renewal information, RFC 9773; profiles; dns-account-01 and dns-persist-01),
// the problem documents, and the values that prove control of a name: key authorizations and what is derived from them.
//
// It knows syntax. It does NOT know what a server or a client does with an object: states are in internal/order,
// signatures of requests (JWS) and HTTP in internal/acmeserver, the client in acmeclient. Nothing here opens a
// connection or asks for the time.
package acme
