// Command eventloop holds any number of TLS connections in one goroutine: an echo server over epoll, and a client that
// opens many connections to it, both on package tlscore alone. It is an example to be copied from, and it is what
// docs/event-loops.md explains.
//
//	eventloop -listen 127.0.0.1:8443
//	eventloop -connect 127.0.0.1:8443 -pin SHA256 -connections 100000
//
// The server makes a certificate of its own and prints its SHA-256, which the client is told. Both report, whenever
// nothing has happened for a second, how many connections they hold and what memory these take.
//
// What a server for strangers needs besides is left out here, for it has nothing to do with TLS: a limit on connections,
// and a time by which a handshake must be done.
package main
