package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"github.com/tlswright/tlswright/acme"
)

// proofs is what a server looks at when it validates: every token at one address, and a DNS in which all names lead there.
// Both are no more than what is needed, so that as little as possible of the machine goes into them.
type proofs struct {
	byPath sync.Map
	web    net.Listener
	names  net.PacketConn
}

func openProofs(web, names string) (*proofs, error) {
	p := &proofs{}
	var err error
	if p.web, err = net.Listen("tcp", web); err != nil {
		return nil, err
	}
	if p.names, err = net.ListenPacket("udp", names); err != nil {
		return nil, errors.Join(err, p.web.Close())
	}
	go p.serveWeb()
	go p.serveNames()
	return p, nil
}

func (p *proofs) close() {
	_ = p.web.Close()
	_ = p.names.Close()
}

// show puts a proof up.
func (p *proofs) show(token string, thumbprint []byte) {
	p.byPath.Store(acme.HTTP01Path+token, acme.KeyAuthorization(token, thumbprint))
}

func (p *proofs) remove(token string) { p.byPath.Delete(acme.HTTP01Path + token) }

func (p *proofs) serveWeb() {
	for {
		c, err := p.web.Accept()
		if err != nil {
			return
		}
		go p.serveOne(c)
	}
}

// serveOne answers one request and closes.
func (p *proofs) serveOne(c net.Conn) {
	defer func() { _ = c.Close() }()
	r := bufio.NewReaderSize(c, 2048)
	line, err := r.ReadString('\n')
	if err != nil {
		return
	}
	for {
		more, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		if len(more) <= 2 {
			break
		}
	}
	_, rest, _ := strings.Cut(line, " ")
	path, _, _ := strings.Cut(rest, " ")
	status, body := "404 Not Found", ""
	if v, ok := p.byPath.Load(path); ok {
		status, body = "200 OK", v.(string)
	}
	_, _ = fmt.Fprintf(c, "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, len(body), body)
	_, _ = io.Copy(io.Discard, io.LimitReader(r, 1))
}

// serveNames answers every question for an IPv4 address with loopback, and all others with nothing (RFC 1035, Section 4.1).
func (p *proofs) serveNames() {
	const headerSize, typeA = 12, 1
	buf := make([]byte, 1500)
	for {
		n, from, err := p.names.ReadFrom(buf)
		if err != nil {
			return
		}
		end := headerSize
		for end < n && buf[end] != 0 {
			end += 1 + int(buf[end])
		}
		end += 5 // the root label, type and class
		if end > n {
			continue
		}
		answer := append([]byte(nil), buf[:end]...)
		answer[2], answer[3] = 0x84|buf[2]&1, 0x80 // an authoritative answer, recursion as asked for
		copy(answer[4:], []byte{0, 1, 0, 0, 0, 0, 0, 0})
		if binary.BigEndian.Uint16(buf[end-4:]) == typeA {
			answer[7] = 1
			answer = append(answer, 0xc0, headerSize, 0, typeA, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1)
		}
		_, _ = p.names.WriteTo(answer, from)
	}
}
