// Package wire is the language of TLS: records, alerts, handshake messages, extensions and the registered numbers, as
// bytes and as Go values. It is for programs that look at TLS without speaking it - proxies that route by name, tools
// over captures, fingerprints, tests that send what no client would.
//
// It knows what bytes mean. It does not know what may be sent when, what is secure, or how anything is encrypted: a
// ClientHello that no server would accept is still a ClientHello here. Judgement lives in tlscore.
//
// # How to begin
//
// A record is found in a stream, a message in its records, and an extension in the message:
//
//	record, need, err := wire.Deframe(stream, 1<<14) // record nil: need more bytes
//	if err != nil || record == nil {
//		return err
//	}
//	var hello wire.ClientHello
//	if err := hello.Parse(record[wire.RecordHeaderLen:]); err != nil {
//		return err
//	}
//	var names wire.ServerNames
//	present, err := hello.Ext(&names)
//
// A message may span records, and a record hold several: [Joiner] puts them together. [ParseMessage] reads one of any
// type.
//
// # Lossless and ordered
//
// What parses re-encodes to the same bytes. Extensions stay a list of type and data in the order they were sent, with
// unknown ones and repeated ones kept; a typed view of one extension is taken from the list on request (Ext) and put
// into it by encoding (Add). The same extension in another message is another type where its syntax differs:
// [KeyShares] in a ClientHello, [KeyShareHello] in a ServerHello, [KeyShareRetry] in a HelloRetryRequest.
//
// # Borrowed memory
//
// Parsed values borrow: every []byte in a message or a view points into the bytes that were parsed and is valid as long
// as these are neither changed nor reused. Its capacity ends with its length, so appending to it copies. Lists of
// numbers (cipher suites, groups, …) and strings are copies.
//
// # Errors
//
// All parsers read through one cursor that names each field as the RFC does. A [*ParseError] names the place,
// "ClientHello.extensions[3] key_share.client_shares[0].key_exchange: truncated", and the byte. A [*RecordError] says
// that the stream is no TLS. Names and values in messages are the peer's and may hold anything: make them printable
// before they are shown. Given a [Visitor], [WalkMessage] and its kin report the path of every field with its offset
// and length: the leaves tile the input, malformed or not.
//
// # Encoding
//
// Encoders append to a slice and do not allocate unless it must grow. They trust their caller: a value that its length
// prefix cannot express (a 70,000-byte cookie) is a mistake in the program, and they panic with a [*SizeError]. Sizes
// that come from a configuration must be checked before they get here; for messages that hold a peer's bytes there is
// [TryAppendMessage], which returns the error.
package wire
