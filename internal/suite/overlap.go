package suite

import (
	"slices"
	"unsafe"
)

// appendRoom appends n bytes to dst for the caller to fill: ret is the whole, out the new part.
func appendRoom(dst []byte, n int) (ret, out []byte) {
	ret = slices.Grow(dst, n)[:len(dst)+n]
	return ret, ret[len(dst):]
}

// checkBuffers panics where the rules of cipher.AEAD are broken: the nonce has its size, the output overlaps the input
// exactly or not at all, and the additional data not at all.
func checkBuffers(nonce, out, in, additionalData []byte) {
	if len(nonce) != ccmNonceLen {
		panic("suite: nonce of the wrong size for CCM")
	}
	if overlap(out, in) && &out[0] != &in[0] {
		panic("suite: output overlaps input inexactly")
	}
	if overlap(out, additionalData) {
		panic("suite: output overlaps additional data")
	}
}

// overlap reports whether two slices share memory. Only addresses are compared, nothing is read through them.
func overlap(x, y []byte) bool {
	return len(x) > 0 && len(y) > 0 &&
		uintptr(unsafe.Pointer(&x[0])) <= uintptr(unsafe.Pointer(&y[len(y)-1])) &&
		uintptr(unsafe.Pointer(&y[0])) <= uintptr(unsafe.Pointer(&x[len(x)-1]))
}
