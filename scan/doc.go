// Package scan finds out what a TLS server does, down to SSL 2.0, by asking it: each probe is a connection with a hello
// of its own and a look at what comes back. What is found goes into grade.Facts.
//
// It knows how to ask: which hello tells what, how to tell a refusal from silence, how to be gentle with a server that
// pushes back, and how to finish handshakes that no other part of this program would touch. It does NOT know what the
// facts are worth (that is package grade), nor how they are shown, and it never uses the TLS machine of package tlscore,
// which would refuse to speak most of what is asked about here.
//
// A "no" stands only where the server answered in a way that means no. Where it did not answer, the fact is unknown and
// the question is listed among the gaps.
package scan
