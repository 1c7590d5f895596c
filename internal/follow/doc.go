// Package follow reads logs of Certificate Transparency as they grow, and finds the certificates for some domains in them.
//
//	Position (how far a log was read, and what proves it) ──▶ Log.Read ──▶ Look at each entry, Keep the next Position
//	entry ──▶ Domains.Find ──▶ Found
//
// Nothing is believed: each tree head must be signed by the log and proven to have grown from the one before, and all
// entries that were read must add up to its root. What does not is a [*Trouble] with both heads, which anybody can check.
//
// The package knows what has to be proven and where a name stands in a certificate. It does NOT know where positions are
// kept, whom to tell, or what to think of a certificate.
package follow
