// Package pki holds the rules of keys and certificates: which keys are made and
// how they are written, what a certificate of each profile contains, what is
// refused and why, and whether a peer's chain is trusted.
//
// It knows X.509 (RFC 5280), PEM, PKCS #1, PKCS #8 and SEC 1, and how to say each
// verdict to a person. Trust itself is decided by crypto/x509, always with the
// roots and the time it is given; Verify only explains that verdict and adds limits.
// Explain validates every path by RFC 5280, Section 6 besides, and both must agree;
// where the library differs from the RFC by design, it is asked about the rest.
//
// It does NOT know files, sockets, clocks or the machine's root store: the time is
// an argument and system roots are handed in. It does not know TLS either: which
// alert a refused chain deserves is decided elsewhere.
package pki
