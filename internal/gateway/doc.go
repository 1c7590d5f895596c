// Package gateway is a TLS front door: it takes TLS off, says who the client is, decides who may go where, and hands
// connections and requests on - and explains every refusal.
//
// It knows listeners, sites, routes and certificates. It does NOT know the protocol (tlscore), how HTTP is read and
// handed on (internal/relay), what rules mean (internal/access), or who issues certificates: it gets them from files, or
// by ACME through acmeclient's tree, from our own CA as from any other.
package gateway
