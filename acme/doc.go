// Package acme holds the objects of ACME as they stand in its JSON (RFC 8555 and what has grown around it: IP
// identifiers, RFC 8738; STAR, RFC 8739; renewal information, RFC 9773; profiles; dns-account-01 and dns-persist-01),
// the problem documents, and the values that prove control of a name: key authorizations and what is derived from them.
// It is for those who write a client, a server or a tool of their own; to get certificates, take package acmeclient.
//
// # How to begin
//
// Objects are plain structs for encoding/json, and each proof is a function:
//
//	var order acme.Order
//	if err := json.Unmarshal(body, &order); err != nil {
//		return err
//	}
//	if order.Status == acme.StatusPending {
//		proof := acme.KeyAuthorization(challenge.Token, thumbprint)
//		// http-01: serve proof at acme.HTTP01Path + challenge.Token
//		// dns-01:  a TXT record at acme.DNS01Name(name) with acme.DNS01Value(proof)
//	}
//
// [Directory], [Order], [Authorization] and [Challenge] are what a client meets, in this order. [Identifier.Normalize]
// gives the one form in which names are compared.
//
// # What it does not do
//
// It knows syntax. It does NOT know what a server or a client does with an object: states are in internal/order,
// signatures of requests (JWS) and HTTP in internal/acmeserver, the client in acmeclient. Nothing here opens a
// connection or asks for the time. A struct that was read has not been checked: strings in it are the peer's.
//
// # Errors
//
// A [*Problem] is a problem document and an error of Go; [Problem.Kind] is what programs switch on ([BadNonce]: try
// again; [RateLimited]: later). [NewProblem] makes one with the HTTP status that goes with it.
package acme
