// Package relics holds scripted servers for tests: they answer as servers did that nobody can install any more, or that
// nobody should run - SSL 2.0, export suites, the bugs with names -, and as servers that mean harm. Each has a healthy
// twin, which differs in nothing but the flaw, so that a test can show both: the flaw is found, and nothing is found
// where there is none.
//
// It knows the bytes that such a server sends. It does NOT know how they are probed for (package scan), and it protects
// nothing: keys are fixed, answers are canned, and most scripts end where a real handshake would begin to be secret.
// Nothing but tests may import it.
package relics
