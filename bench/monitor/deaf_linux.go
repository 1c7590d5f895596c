package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// deaf is a socket that listens and takes no connection: its queue is full, and Linux drops what else comes, as a host behind a
// firewall does.
func deaf(host string) (address string, c io.Closer, err error) {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return "", nil, err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", nil, err
	}
	d := &deafSocket{fd: fd}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: ip.As4()}); err != nil {
		return "", nil, errors.Join(err, d.Close())
	}
	if err := syscall.Listen(fd, 0); err != nil {
		return "", nil, errors.Join(err, d.Close())
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return "", nil, errors.Join(err, d.Close())
	}
	address = fmt.Sprintf("%s:%d", host, name.(*syscall.SockaddrInet4).Port)
	for range 8 {
		held, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
		if err != nil {
			return address, d, nil // it is full
		}
		d.held = append(d.held, held)
	}
	return "", nil, errors.Join(errors.New("its queue does not become full"), d.Close())
}

type deafSocket struct {
	fd   int
	held []net.Conn
}

// Close implements io.Closer.
func (d *deafSocket) Close() error {
	for _, c := range d.held {
		c.Close()
	}
	return syscall.Close(d.fd)
}
