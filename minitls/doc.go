// Package minitls is a simplified TLS to learn from: JSON lines over TCP instead of records, one cipher suite, one kind
// of certificate. NOT FOR PRODUCTION: it has no second suite to fall back on, hides no certificate and no length,
// renews no key, and nobody attacks it but its own tests. The real thing is package tlscore.
//
// # How to begin
//
// The fifteen steps of the lesson are two machines, [Client] and [Server]: a line goes in, lines come out.
//
//	client, hello, err := minitls.NewClient(minitls.ClientConfig{ServerName: "server.test", Root: root})
//	if err != nil {
//		return err
//	}
//	// send hello; then, for each line that comes:
//	result, err := client.Feed(line, time.Now())
//	// send result.Send; once result.Done: client.Seal
//
// The root and the server's key are of Ed25519, the server's name is the common name of its certificate; package pki
// makes both. Options.Steps is told of each step as it happens, secrets included: it is what a teacher prints.
//
// # What it does not do
//
// It does NOT know sockets, files or clocks; the time is an argument. There is no resumption, no client certificate, no
// chain longer than one, no revocation. docs/learn/minitls.md holds the protocol, with test vectors; every message of
// it is a type here.
//
// # Errors
//
// Whatever a peer does wrong is an [*Error], and final; its [Check] names the step that found out. Errors of
// [NewClient] and [NewServer] say what their configuration lacks.
package minitls
