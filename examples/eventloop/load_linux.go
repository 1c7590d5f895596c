package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

const (
	atOnce   = 128   // handshakes of the client under way
	perLocal = 20000 // connections from each address of our own, 127.0.0.1 and on: the ports of one are too few
)

// ping is what a connection says and expects to hear.
const ping = "are you there?"

// loader opens connections.
type loader struct {
	*loop
	to     netip.AddrPort
	params *tlscore.Params
	pin    []byte
	total  int

	opened, connecting, heard int
	failed                    error
}

// load opens connections, has each say something, and once all are open has all of them say it again.
func load(l *loop, to netip.AddrPort, pin string, total int, hold bool) error {
	params, err := tlscore.Compile(tlscore.Config{Groups: []wire.Group{wire.GroupX25519}})
	if err != nil {
		return err
	}
	d := &loader{loop: l, to: to, params: params, total: total}
	if d.pin, err = hex.DecodeString(pin); err != nil || len(d.pin) != sha256.Size {
		return errors.New("-pin: want the SHA-256 of a certificate, in hex")
	}
	begin := time.Now()
	if err := d.open(); err != nil {
		return err
	}
	fmt.Fprintf(l.out, "open connections=%d seconds=%.1f\n", l.count, time.Since(begin).Seconds())
	for {
		begin = time.Now()
		if err := d.again(); err != nil {
			return err
		}
		fmt.Fprintf(l.out, "alive connections=%d seconds=%.1f\n", l.count, time.Since(begin).Seconds())
		l.report()
		var b [1]byte
		if !hold {
			return nil
		}
		if _, err := os.Stdin.Read(b[:]); err != nil {
			return nil
		}
	}
}

// open opens the connections, and hears each.
func (d *loader) open() error {
	d.handlers = handlers{
		answer: d.judge,
		ready:  func(c *conn) error { return c.write(d.loop, []byte(ping)) },
		data:   d.echoed,
		gone:   func(_ *conn, err error) { d.failed = errors.Join(errors.New("a connection was lost"), err) },
	}
	if err := d.fill(); err != nil {
		return err
	}
	err := d.run(func() bool { return d.failed != nil || d.heard == d.total })
	return errors.Join(err, d.failed)
}

// again has all connections say something, and hears all of them.
func (d *loader) again() error {
	d.heard = 0
	for i, c := range d.conns {
		if c == nil {
			continue
		}
		if err := c.write(d.loop, []byte(ping)); err != nil {
			return err
		}
		if i%atOnce != 0 {
			continue
		}
		sent := i
		if err := d.run(func() bool { return d.failed != nil || d.heard >= sent-atOnce }); err != nil {
			return err
		}
	}
	err := d.run(func() bool { return d.failed != nil || d.heard == d.total })
	return errors.Join(err, d.failed)
}

// judge takes the one certificate that the client was told, and no other.
func (d *loader) judge(_ *conn, q *question) answer {
	if sum := sha256.Sum256(q.Chain[0]); !bytes.Equal(sum[:], d.pin) {
		return tlscore.Verified{Err: errors.New("another certificate than the one of -pin")}
	}
	return tlscore.Verified{}
}

// echoed hears the echo, and opens the next connection in the place of one that is ready.
func (d *loader) echoed(_ *conn, data []byte) error {
	if string(data) != ping {
		return fmt.Errorf("the echo is %q", data)
	}
	d.heard++
	if d.opened < d.total || d.connecting > 0 {
		d.connecting--
		return d.fill()
	}
	return nil
}

// fill begins connections until enough are under way.
func (d *loader) fill() error {
	for d.connecting < atOnce && d.opened < d.total {
		if err := d.dial(); err != nil {
			return err
		}
		d.opened++
		d.connecting++
	}
	return nil
}

// dial begins one connection.
func (d *loader) dial() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	const bindNoPort = 24 // IP_BIND_ADDRESS_NO_PORT: choose the port when the whole four are known
	if d.to.Addr().IsLoopback() {
		err = syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, bindNoPort, 1)
		if err == nil {
			err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(1 + d.opened/perLocal)}})
		}
	}
	if err == nil {
		err = syscall.Connect(fd, &syscall.SockaddrInet4{Port: int(d.to.Port()), Addr: d.to.Addr().As4()})
	}
	c := &conn{machine: tlscore.NewClient(d.params, tlscore.Options{ServerName: "localhost"}), fd: fd}
	if err == nil || err == syscall.EINPROGRESS {
		// It can be written to once it is connected; what it sends first it has not got then.
		err = d.add(c, syscall.EPOLLOUT)
	}
	if err != nil {
		syscall.Close(fd)
		return os.NewSyscallError("connect", err)
	}
	return nil
}
