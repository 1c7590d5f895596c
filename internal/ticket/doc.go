// Package ticket seals session tickets and guards 0-RTT data against replay (RFC 8446, Sections 4.6.1 and 8).
//
// It knows keys that rotate, authenticated encryption of opaque session state, and a bounded memory of the tickets whose
// early data was accepted. It does not know what a session holds (tlscore), which listener or site a ticket is for (the
// caller binds that by additional data), nor what time it is (an argument).
package ticket
