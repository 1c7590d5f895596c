// Package verify makes the checks a handshake stands on - signature, Finished, PSK binder - and hands out a proof for
// each that holds. A proof is a pointer to a struct only this package can fill: a state that asks for one cannot be
// reached without the check. nil and a zero value prove nothing, and Holds says so.
//
// TLS 1.2 has checks of its own (tls12.go): there the server signs its ephemeral key and the client the messages
// themselves.
//
// It checks what the transcript hash and the keys it is given say. It does not know whether a certificate is trusted,
// whether the name fits, which schemes were offered, or that a transcript hash ends at the right message: those
// belong to the caller.
package verify
