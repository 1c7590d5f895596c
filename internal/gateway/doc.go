// Package gateway is a TLS front door: it takes TLS off, says who the client is, decides who may go where, and hands
// connections and requests on - and explains every refusal.
//
//	accept ─▶ limits ─▶ PROXY header of trusted peers ─▶ site by SNI ─▶ chain, revocation, rules ─┬─▶ stream ─▶ target
//	                                                          refused: alert and [Denial] ◀───────┤
//	          Host fits the connection, or 421 ─▶ route ─▶ rules, or 403 and [Denial] ─▶ target ◀─┘ HTTP
//
// What a configuration means is checked and loaded as a whole into a state, which [Gateway.Reload] replaces. A site behind
// one listener is a door; the door that the handshake came through is the tag of its connection, and says which clients
// were let in there. Certificates, CAs and ticket keys are read again when their files change.
//
// It knows listeners, sites, routes and where certificates come from. It does NOT know the protocol (tlscore), how HTTP is
// read and handed on (internal/relay), what rules mean (internal/access), what makes a certificate revoked
// (internal/revoked), or who issues certificates: it gets them from files, by ACME through acmeclient's tree, or from a
// function that stands for the estate's own CA.
package gateway
