// Package wire is the language of TLS: records, alerts, handshake messages, extensions and the registered numbers,
// as bytes and as Go values.
//
// It knows what bytes mean. It does not know what may be sent when, what is secure, or how anything is encrypted:
// a ClientHello that no server would accept is still a ClientHello here. Judgement lives in tlscore.
//
// # Lossless and ordered
//
// What parses re-encodes to the same bytes. Extensions stay a list of type and data in the order they were sent, with
// unknown ones and repeated ones kept; a typed view of one extension is taken from the list on request (Ext) and put
// into it by encoding (Add). The same extension in another message is another type where its syntax differs: KeyShares
// in a ClientHello, KeyShareHello in a ServerHello, KeyShareRetry in a HelloRetryRequest.
//
// # Borrowed memory
//
// Parsed values borrow: every []byte in a message or a view points into the bytes that were parsed and is valid as long
// as these are neither changed nor reused. Its capacity ends with its length, so appending to it copies. Lists of
// numbers (cipher suites, groups, …) and strings are copies.
//
// # One cursor
//
// All parsers read through one cursor that names each field as the RFC does. The names become the places in errors,
// "ClientHello.extensions[3] key_share.client_shares[0].key_exchange: truncated", and, when a Visitor is given, the
// path of every field with its offset and length: the reported leaves tile the input. Without a visitor and without an
// error the cursor does not allocate.
//
// # Encoding
//
// Encoders append to a slice and do not allocate unless it must grow. They trust their caller: a value that its length
// prefix cannot express (a 70,000-byte cookie) is a mistake in the program, and they panic with a *SizeError. Sizes that
// come from a configuration must be checked before they get here; for messages that hold a peer's bytes there is
// TryAppendMessage, which returns the error.
package wire
