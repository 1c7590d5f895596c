//go:build !unix

package tlsnet

import "errors"

// canReadLazily is false where reads complete instead of becoming ready.
const canReadLazily = false

// readDescriptor is never called here.
func readDescriptor(uintptr, []byte) (n int, again bool, err error) {
	return 0, false, errors.ErrUnsupported
}
