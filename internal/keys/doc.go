// Package keys turns shared secrets and transcripts into keys: the transcript hash, the TLS 1.3 key schedule, and the
// PRF of TLS 1.2.
//
// The schedule of TLS 1.3 is a chain of types, one per stage of RFC 8446, Section 7.1, and the only way into a stage is a
// method of the one before it:
//
//	Early ──Handshake(shared)──▶ Handshake ──Main()──▶ Main
//	  │                            │                     │
//	  ├ Binder                     ├ ClientTraffic       ├ ClientTraffic, ServerTraffic ──Next──▶ Traffic …
//	  ├ ClientEarlyTraffic         └ ServerTraffic       ├ Exporter
//	  └ Exporter                                         └ Resumption ──PSK(nonce)
//
// TLS 1.2 has fewer stages (RFC 5246, Section 8.1, RFC 7627), in the files tls12_*.go:
//
//	Premaster12 ──Extended(th), Plain(randoms)──▶ Master12
//	                                                ├ KeyBlock(randoms)
//	                                                ├ ClientFinished, ServerFinished
//	                                                └ Exporter(randoms)
//
// So a program that derives application keys from the wrong secret does not compile.
//
// Every stage is a value without locks or shared working memory: two goroutines may use two of them, or one, at the
// same time. Each stage holds its secret in one heap slice, which Wipe overwrites; what Go itself copied (registers,
// stacks that moved, the insides of an AEAD) is out of reach.
//
// The package does not know messages, records, cipher suites or which transcript belongs to which secret: the caller
// hands over transcript hashes, named th throughout, and takes care that they end at the right message.
package keys
