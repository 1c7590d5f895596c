// Package trace shows a TLS connection whole: each byte on the wire with its field and its meaning, the messages inside
// the encryption, each secret with what it was derived from, and each check computed anew from the bytes.
//
// # How to begin
//
// A [Recorder] watches a connection of packages tlsnet or tlscore; [Decode] takes apart what it kept:
//
//	recorder := trace.NewRecorder(trace.Client, trace.Endpoint{}, trace.Endpoint{Name: "www.example.org"}, time.Now)
//	conn, err := tlsnet.Dial(ctx, "tcp", "www.example.org:443", &tlsnet.Config{
//		Observer: func() tlscore.Observer { return recorder },
//		Secrets:  func() tlscore.Secrets { return recorder },
//	})
//	recorder.Fail(err) // if it failed, the trace tells why
//	recording, err := trace.Decode(recorder.Capture())
//	if err != nil {
//		return err
//	}
//	return trace.WriteText(os.Stdout, recording.WithoutSecrets(), trace.Options{})
//
// Connections of other programs come from a packet capture ([ReadPcap]) and a key log ([ReadKeyLog], to be put into
// Capture.KeyLog), or from a trace in the form of RFC 8448 ([ReadRFC8448]).
//
// # What matters
//
// A [Capture] is what was seen. A [Recording] is everything that can be said about it, always made the same way by
// Decode: nothing in a Recording is believed because somebody says so. [Write] and its kin render it as text, as HTML,
// as JSON, in the form of RFC 8448, as a key log or as a packet capture; [Explain] tells in sentences why a handshake
// failed, [Compare] what differs between two, [Recording.OnPath] what somebody in between learns.
//
// It knows how TLS 1.3 and TLS 1.2 look on the wire and how their keys are derived. It does NOT know how to make or
// accept a connection, and it decides nothing: a Recording of a connection that a peer refused is as good as any other.
//
// # What is safe, and what is not
//
// A Recording with secrets opens the connection for whoever reads it, application data included. Secrets stay inside
// unless they are asked for: [Write] leaves them out without Options.Secrets; [WriteText], [WriteHTML], [WriteRFC8448]
// and [Recording.JSON] write what the Recording has, so give them [Recording.WithoutSecrets]. Peers' strings are made
// harmless in every format. Sizes are bounded: a Recorder keeps [DefaultMaxRecorded] bytes, Decode reads [MaxCapture].
//
// # Errors
//
// Decode fails with [ErrTooLarge] alone; what it cannot explain is in the Recording, with a reason. Readers wrap
// [ErrPcap], [ErrKeyLog], [ErrRFC8448] or [ErrSchema] where the input is no such thing, and else return the reader's
// error. Write wraps [ErrNoFormat] or [ErrNoSecrets].
package trace
