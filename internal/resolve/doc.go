// Package resolve asks the DNS what names say about TLS: addresses, who may issue certificates (CAA, RFC 8659), which
// certificates a service has (TLSA, RFC 6698), how it is to be reached (HTTPS, RFC 9460), texts and mail exchangers.
//
// It knows how to put one question to a recursive resolver and to read the answer: DNSSEC asked for and its verdict (the
// AD bit) told, TCP where an answer does not fit into a datagram, aliases followed a bounded number of times, failures
// told apart from "there is none".
//
// It does NOT validate DNSSEC itself: it tells what its resolver says, which is worth as much as the way to it. It keeps
// nothing, and it does not know what follows from a record.
package resolve
