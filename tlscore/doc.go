// Package tlscore is the TLS protocol, 1.3 and 1.2, as a machine without input or output (RFC 8446, RFC 5246). It is
// for TLS over what is no socket, for simulators and tests, and for what must be watched step by step; for connections
// as usual take package tlsnet, which drives it.
//
// # How to begin
//
// A [Config] is compiled once; each connection has a [Machine] of its own. Bytes that arrived go into [Machine.Feed],
// bytes to send come out, appended to a slice that the caller owns:
//
//	params, err := tlscore.Compile(tlscore.Config{})
//	if err != nil {
//		return err
//	}
//	m := tlscore.NewClient(params, tlscore.Options{ServerName: "www.example.org"})
//	out, err := m.Start(time.Now(), nil) // send out
//	step, err := m.Feed(time.Now(), in, nil) // send step.Out, drop in[:step.N], look at step.Event
//
// and so on with what is left of in, until nothing is consumed and nothing reported. The example of Machine has the
// whole loop, twenty lines; examples/eventloop holds 100,000 connections in one goroutine.
//
// # What matters
//
// [Machine] reads no clock, no socket and no file, starts no goroutine and calls nobody back. Whatever may take long or
// needs judgement from outside - is this chain trusted, sign this, which certificate - suspends it: Feed returns an
// [Event] with a [Question], and [Machine.Resume] carries the [Answer] in. [SignWith] answers with a key at hand; trust
// is for pki.Verify to decide. After HandshakeDone, [Machine.Seal] protects data, and [Machine.Facts] tells what was
// agreed on.
//
// Memory is the caller's: Feed opens records in place, so that in[:step.N] is overwritten, and Event.Data points into
// it. Sealed bytes are committed: they are sent whole and in order, or the connection is over.
//
// # What is safe, and what is not
//
// The zero Config is a sound client: TLS 1.2 with ephemeral keys and AEADs, TLS 1.3, hybrid key exchange first. But who
// is at the other end is for the caller to find out: answering [NeedVerify] with a zero [Verified] accepts anybody.
// Early data can be replayed ([EarlyDataReceived] is apart from Data for that reason). [Observer] sees no secrets and
// may be shared around; [Secrets] receives all of them. A [Session] holds the secret of its connection.
//
// # Errors
//
// What ends a connection is an [*Error], and final: its [Code] is for programs ([CodeOf]), [Error.Blame] tells whose
// fault it is, [Error.Alert] what was said about it on the wire, [Error.RFC] the rule. On an error Step.Out may still
// hold an alert to be sent. A [*MisuseError] is a mistake of the program that drives the machine, and changes nothing.
//
// # How it works
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
