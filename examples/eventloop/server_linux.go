package main

import (
	"crypto"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
)

// serve echoes what comes, for ever.
func serve(l *loop, addr netip.AddrPort) error {
	params, pin, err := newIdentity()
	if err != nil {
		return err
	}
	l.handlers = handlers{
		answer: func(_ *conn, q *question) answer { // a server without client certificates is asked for nothing else
			signature, err := tlscore.SignWith(q.Identity.Tag.(crypto.Signer), q)
			return tlscore.Signed{Signature: signature, Err: err}
		},
		ready: func(*conn) error { return nil },
		data:  func(c *conn, data []byte) error { return c.write(l, data) },
		gone:  func(*conn, error) {},
	}
	port, err := listen(l, addr, params)
	if err != nil {
		return err
	}
	fmt.Fprintf(l.out, "listening address=%v:%d pin=%x\n", addr.Addr(), port, pin)
	return l.run(func() bool { return false })
}

// newIdentity makes a key and a certificate that is its own root.
func newIdentity() (*tlscore.Params, [32]byte, error) {
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		return nil, [32]byte{}, err
	}
	certificate, err := pki.SelfSign(pki.Request{Profile: pki.ProfileServer, SANs: []string{"localhost"}}, key, time.Now())
	if err != nil {
		return nil, [32]byte{}, err
	}
	params, err := tlscore.Compile(tlscore.Config{Identities: []tlscore.Identity{{Chain: [][]byte{certificate.Raw}, Tag: key}}})
	return params, sha256.Sum256(certificate.Raw), err
}

// listen opens a port, and returns its number.
func listen(l *loop, addr netip.AddrPort, params *tlscore.Params) (port int, err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	l.special[fd] = func() error { return accept(l, fd, params) }
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return 0, os.NewSyscallError("setsockopt", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}); err != nil {
		return 0, os.NewSyscallError("bind", err)
	}
	if err := syscall.Listen(fd, syscall.SOMAXCONN); err != nil {
		return 0, os.NewSyscallError("listen", err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, os.NewSyscallError("getsockname", err)
	}
	return bound.(*syscall.SockaddrInet4).Port, l.watch(syscall.EPOLL_CTL_ADD, fd, syscall.EPOLLIN)
}

// accept takes in whoever waits.
func accept(l *loop, listener int, params *tlscore.Params) error {
	for {
		fd, _, err := syscall.Accept4(listener, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		switch err {
		case nil:
		case syscall.EAGAIN, syscall.EINTR, syscall.ECONNABORTED:
			return nil
		default: // EMFILE: a server for strangers closes idle connections here
			return os.NewSyscallError("accept4", err)
		}
		if err := l.add(&conn{machine: tlscore.NewServer(params, tlscore.Options{}), fd: fd}, syscall.EPOLLIN); err != nil {
			syscall.Close(fd)
			return err
		}
	}
}
