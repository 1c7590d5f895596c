package keys

import "crypto"

// ECHConfirmation gives the eight bytes by which a server says that it goes on from the inner ClientHello, which had that
// random (RFC 9849, Sections 7.2 and 7.2.1). th is the transcript hash up to the ServerHello, or the HelloRetryRequest,
// with zeros in their place.
func ECHConfirmation(h crypto.Hash, random [32]byte, retry bool, th []byte) (out [8]byte) {
	label := "ech accept confirmation"
	if retry {
		label = "hrr ech accept confirmation"
	}
	secret := extract(h, nil, random[:])
	expandLabelInto(h, out[:], secret, label, th)
	return out
}
