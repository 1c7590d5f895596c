// Package relay carries bytes between those who ask and those who answer: a strict HTTP/1.1 server loop for one
// connection, upstreams with a pool of connections and the headers that tell them who asks, two connections joined at
// the transport layer, and the PROXY protocol, version 2.
//
// It knows what RFC 9110 and RFC 9112 say about messages on a connection, and is strict: what two programs could read in
// two ways is refused, in requests and in responses alike. Both directions are written anew from what was understood;
// no byte of a message's head is passed on unread. It does NOT know sites, routes or rules about who may do what, nor
// how a client's certificate was verified: callers decide first, and say who the client is.
package relay
