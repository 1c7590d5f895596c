// Package ct reads and judges what Certificate Transparency (RFC 6962) leaves
// behind: signed certificate timestamps embedded in certificates, sent in the TLS
// extension or in OCSP responses, lists of logs, signed tree heads, and Merkle
// proofs of inclusion and consistency.
//
// It knows what exactly a log signs, how to reconstruct a precertificate from the
// certificate that was issued, which logs a log list (JSON schema, version 3)
// describes and in what state they are, and the rule by which browsers count
// timestamps.
//
// It does NOT know the network: it asks no log for anything. It does not know
// whether a certificate is trusted; a timestamp says that a log has seen it, no
// more. Names in log lists are the list's: make them printable before they are
// shown.
package ct
