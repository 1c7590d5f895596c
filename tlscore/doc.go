// Package tlscore is the TLS 1.3 protocol as a machine without input or output (RFC 8446).
//
// A [Machine] is fed the bytes that arrived and appends the bytes to send to a slice that the caller owns. It reads no
// clock, no socket and no file, starts no goroutine and calls nobody back. Whatever may take long or needs judgement
// from outside - is this chain trusted, sign this, which certificate - suspends the machine: [Machine.Feed] returns an
// [Event] with a [Question], and [Machine.Resume] carries the answer in.
//
//	          bytes in                                  bytes out, appended
//	             │                                             ▲
//	wire.Deframe │ record.Opener         record.Sealer         │ record header
//	             ▼ wire.Joiner                                 │ wire.AppendMessage
//	       one message ──▶ state.on(turn, message) ──▶ effects: send, keys, ask
//
// There is one state per awaited message, in a file named after it (client13_server_hello.go). A state knows only what
// is known by then, says which messages it expects, and asks for effects through its turn; the driver in machine*.go
// carries them out, and is the only place that sees buffers, keys in use, and observers.
//
// What this package does not know: sockets, deadlines and goroutines (tlsnet), which roots to trust (pki, asked through
// a question), private keys (they sign outside), and how a handshake is drawn (trace).
package tlscore
