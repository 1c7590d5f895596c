// Package ct reads and judges what Certificate Transparency (RFC 6962) leaves behind: signed certificate timestamps
// embedded in certificates, sent in the TLS extension or in OCSP responses, lists of logs, signed tree heads, and
// Merkle proofs of inclusion and consistency.
//
// # How to begin
//
//	list, err := ct.ParseLogList(text) // log_list.json; CheckLogList checks who signed it
//	if err != nil {
//		return err
//	}
//	timestamps, err := ct.FromCertificate(chain[0])
//	var verdicts []ct.Verdict
//	for _, t := range timestamps {
//		verdict, err := ct.VerifySCT(t, chain, list, time.Now())
//		if err != nil {
//			return err
//		}
//		verdicts = append(verdicts, verdict)
//	}
//	ok, reason := ct.Complies(chain[0], verdicts) // as browsers count
//
// # What matters
//
// An [SCT] is a log's promise, a [Log] who made it, a [Verdict] what it is worth. An [Entry] is what exactly a log
// signs: the package knows how to reconstruct a precertificate from the certificate that was issued. [TreeHead],
// [CheckInclusion], [CheckConsistency] and [Frontier] are for those who hold logs to their promises, of RFC 6962 and of
// the static API; [Sign] and its kin for logs of one's own.
//
// # What it does not do
//
// It does NOT know the network: it asks no log for anything. It does not know whether a certificate is trusted; a
// timestamp says that a log has seen it, no more. Names in log lists are the list's: make them printable before they
// are shown.
//
// # Errors
//
// An error of [VerifySCT] says that nothing could be checked; what was checked and found wanting is a Verdict with
// another Status than [Valid]. [ErrSignature] is a log's signature that does not fit, [ErrProof] a proof that does not
// prove.
package ct
