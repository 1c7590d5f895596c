//go:build unix

package gateway

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// inherited is the socket that systemd opened under a name (FileDescriptorName= in the .socket file), or, where the name
// is a number, that socket in order, from 0.
func inherited(name string) (net.Listener, error) {
	fd, err := inheritedNumber(name, os.Getpid(), os.Getenv)
	if err != nil {
		return nil, err
	}
	syscall.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), "systemd:"+name)
	if f == nil {
		return nil, fmt.Errorf("systemd:%s: the descriptor %d is not open", name, fd)
	}
	l, err := net.FileListener(f) // of a copy
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("systemd:%s: %w", name, err)
	}
	return l, nil
}
