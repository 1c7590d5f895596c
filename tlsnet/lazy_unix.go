//go:build unix

package tlsnet

import "syscall"

// canReadLazily says that readiness can be waited for without a buffer here.
const canReadLazily = true

// readDescriptor reads once without waiting. again says that nothing is there yet.
func readDescriptor(fd uintptr, b []byte) (n int, again bool, err error) {
	for {
		n, err = syscall.Read(int(fd), b)
		switch err {
		case nil:
			return n, false, nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, true, nil
		default:
			return 0, false, err
		}
	}
}
