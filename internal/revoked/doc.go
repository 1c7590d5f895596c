// Package revoked finds out whether a certificate whose chain was verified is still good: from the CA's own records as they
// change, from CRLs and from OCSP responders. It keeps what it has heard, in memory and on disk, fetches what comes next
// before it is needed, and tells when a certificate that is in use is revoked.
//
// It knows where such statements come from, how long they may be relied on, and that of two of them the newer counts. It
// does NOT know what makes one valid (package pki judges that), how to go out (internal/fetch), nor what follows from a
// refusal: whoever asks ends the connection. It must be asked about verified chains only: nothing is fetched for others.
package revoked
