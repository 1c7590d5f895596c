//go:build unix

package relay

import "syscall"

// look notes whether nothing is there to be read, neither bytes nor the connection's end. It is for RawConn.Control.
func (l *link) look(fd uintptr) {
	var b [1]byte
	n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	l.silent = n < 0 && (err == syscall.EAGAIN || err == syscall.EWOULDBLOCK)
}
