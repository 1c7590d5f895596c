// Package pki holds the rules of keys and certificates: which keys are made and how they are written, what a
// certificate of each profile contains, what is refused and why, and whether a peer's chain is trusted.
//
// # How to begin
//
// A root signs itself, and then others. Keys are crypto.Signers and stay with the caller:
//
//	rootKey, err := pki.GenerateKey(pki.P256)
//	root, err := pki.SelfSign(pki.Request{Profile: pki.ProfileRoot, CommonName: "My Root"}, rootKey, time.Now())
//	ca := pki.Issuer{Certificate: root, Key: rootKey}
//
//	key, err := pki.GenerateKey(pki.P256)
//	leaf, err := ca.Issue(pki.Request{Profile: pki.ProfileServer, Key: key.Public(), SANs: []string{"www.example.org"}}, time.Now())
//
// and whether a chain is trusted is one question, with everything that it depends on in it:
//
//	chain, err := pki.Verify(leaf.Raw, pki.VerifyOptions{Roots: roots, Intermediates: others, Time: time.Now(), ServerName: name})
//
// # What matters
//
// A [Request] says what a certificate shall contain. What it leaves out comes from its [Profile]: lifetime (a leaf 90
// days), key usage, path length, a random serial number. An [Issuer] signs what is sound and refuses the rest; a
// [Draft] is the same in two steps, to be examined in between (package lint). [ParseCSR] and [RequestFromCSR] turn a
// request of somebody else into one.
//
// [Verify] decides. [Explain] gives the same verdict with every path, every check and every source of revocation that
// led to it. Trust itself is decided by crypto/x509, always with the roots and the time it is given; Verify only
// explains that verdict and adds limits. Explain validates every path by RFC 5280, Section 6 besides, and both must
// agree; where the library differs from the RFC by design, it is asked about the rest.
//
// Around these: keys and certificates as PEM and DER ([ParsePrivateKeyPEMWith], [ParseCertificatesPEM]), chains put in
// order ([Arrange]), pins with their backup ([PinSet]), fingerprints, and [Printable], which makes a peer's string safe
// to show.
//
// # What it does not do
//
// It does NOT know files, sockets, clocks or the machine's root store: the time is an argument, system roots are handed
// in, nothing is fetched. It keeps no records: that serial numbers are not used twice, and what was issued, is for its
// caller to see to. It does not know TLS either: which alert a refused chain deserves is decided elsewhere.
//
// # What is safe, and what is not
//
// Verify with no Roots trusts nobody; without a ServerName no name is checked; without VerifyOptions.Revocation (of
// Explain) nobody asks whether a certificate was revoked. An [Issuer] refuses keys below [MinRSABits], MD5, SHA-1
// and certificates without the names that clients look for. [MarshalPrivateKeyPEM] writes a key in the clear: give the file mode
// 0600, or use [MarshalEncryptedPrivateKeyPEM]. Names in a [CSR] are the sender's wish: [Issuer.Issue] checks their
// form, not whose they are.
//
// # Errors
//
// What is not fulfilled as it stands is a [*RefusedError], with a hint what to ask for instead. A chain that is not
// trusted is a [*VerifyError]: its [Reason] is for programs, its Text and Hint for people, and it names the certificate
// at fault. [ErrEncryptedKey] and [ErrWrongPassphrase] are about passphrases. Hints name a flag of the program where
// it has one: --san stands for Request.SANs, --ca for VerifyOptions.Roots, --servername for its ServerName.
package pki
