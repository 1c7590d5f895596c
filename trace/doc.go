// Package trace shows a TLS connection whole: each byte on the wire with its field and its meaning, the messages inside
// the encryption, each secret with what it was derived from, and each check computed anew from the bytes.
//
// A [Recorder] watches a connection of package tlscore from both sides of its wall: as an Observer, and as a receiver of
// Secrets. What it keeps, or what a packet capture and a key log hold, is a [Capture]. [Decode] turns a Capture into a
// [Recording], always the same way: nothing in a Recording is believed because somebody says so. Renderers turn a
// Recording into text, HTML, JSON, the form of RFC 8448, a key log or a packet capture.
//
// It knows how TLS 1.3 and TLS 1.2 look on the wire and how their keys are derived. It does NOT know how to make or
// accept a connection, and it decides nothing: a Recording of a connection that a peer refused is as good as any other.
//
// Secrets stay inside unless they are asked for: see [Recording.WithoutSecrets].
package trace
