package main

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tlswright/tlswright/wire"
)

func scenarios() ([]scenario, error) {
	c, err := newCertificates()
	if err != nil {
		return nil, err
	}
	var all []scenario
	add := func(s scenario, err2 error) {
		all, err = append(all, s), errors.Join(err, err2)
	}
	for _, g := range []wire.Group{wire.GroupX25519, wire.GroupSecp256r1, wire.GroupX25519MLKEM768} {
		add(memoryHandshake(c, g))
	}
	for _, size := range []int{16 << 10, 256 << 10} {
		add(memoryBulk(c, size))
	}
	for _, g := range []wire.Group{wire.GroupX25519, wire.GroupX25519MLKEM768} {
		add(loopbackHandshake(c, g))
	}
	for _, size := range []int{1 << 10, 16 << 10, 256 << 10} {
		add(loopbackBulk(c, size))
	}
	return all, err
}

// memoryHandshake: a full handshake, client and server work together. An operation is a pair.
func memoryHandshake(c *certificates, g wire.Group) (scenario, error) {
	s := scenario{name: fmt.Sprintf("handshake %v, memory", g), procs: 1}
	compared, err := stacks(c, g)
	if err != nil {
		return s, err
	}
	for _, st := range compared {
		s.sides = append(s.sides, side{st.name, func(n int) error {
			for range n {
				a, b := newPipe()
				if _, _, err := st.connect(a, b); err != nil {
					return err
				}
			}
			return nil
		}})
	}
	pair, err := newCorePair(c, g, benchSuite)
	s.sides = append(s.sides, side{"tlscore", func(n int) error {
		for range n {
			if _, _, err := pair.handshake(); err != nil {
				return err
			}
		}
		return nil
	}})
	return s, err
}

// memoryBulk: an operation is one Write of size bytes by the client and what it takes to read it all.
func memoryBulk(c *certificates, size int) (scenario, error) {
	s := scenario{name: fmt.Sprintf("bulk %d KB writes, memory", size>>10), bytes: size, procs: 1}
	compared, err := stacks(c, wire.GroupX25519)
	if err != nil {
		return s, err
	}
	for _, st := range compared {
		a, b := newPipe()
		client, server, err := st.connect(a, b)
		if err != nil {
			return s, err
		}
		s.sides = append(s.sides, side{st.name, bulk(client, server, size)})
	}
	core, err := coreBulk(c, size)
	if err != nil {
		return s, err
	}
	alone, err := cipherAlone(size)
	s.sides = append(s.sides, core, alone)
	return s, err
}

// cipherAlone seals and opens as many bytes in records of 16 KB: what no record layer can go below.
func cipherAlone(size int) (side, error) {
	const name = "AES-128-GCM alone"
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		return side{}, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return side{}, err
	}
	record := make([]byte, min(size, wire.MaxPlaintext), wire.MaxPlaintext+aead.Overhead())
	nonce := make([]byte, aead.NonceSize())
	return side{name, func(n int) error {
		for range n * size / len(record) {
			sealed := aead.Seal(record[:0], nonce, record, nil)
			if _, err := aead.Open(sealed[:0], nonce, sealed, nil); err != nil {
				return err
			}
		}
		return nil
	}}, nil
}

func coreBulk(c *certificates, size int) (side, error) {
	pair, err := newCorePair(c, wire.GroupX25519, benchSuite)
	if err != nil {
		return side{}, err
	}
	client, server, err := pair.handshake()
	data, buf := make([]byte, size), []byte(nil)
	return side{"tlscore", func(n int) (err error) {
		now := time.Now()
		for range n {
			if buf, err = move(client, server, now, data, buf); err != nil {
				return err
			}
		}
		return nil
	}}, err
}

// bulk writes on one end and reads on the other, both at once.
func bulk(from io.Writer, to io.Reader, size int) func(n int) error {
	data, into := make([]byte, size), make([]byte, 64<<10)
	return func(n int) error {
		done := make(chan error, 1)
		go func() {
			for range n {
				if _, err := from.Write(data); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		for left := n * size; left > 0; {
			k, err := to.Read(into[:min(left, len(into))])
			if err != nil {
				return errors.Join(err, <-done)
			}
			left -= k
		}
		return <-done
	}
}

// loopbackBulk is memoryBulk over TCP; the last side is TCP without TLS.
func loopbackBulk(c *certificates, size int) (scenario, error) {
	s := scenario{name: fmt.Sprintf("bulk %d KB writes, loopback TCP", size>>10), bytes: size}
	hosts, err := serveAll(c, wire.GroupX25519)
	if err != nil {
		return s, err
	}
	for _, h := range hosts {
		client, server, err := h.connect()
		if err != nil {
			return s, err
		}
		s.sides = append(s.sides, side{h.name, bulk(client, server, size)})
	}
	return s, nil
}

// loopbackHandshake: connect, handshake, close; both ends in this process. The last side makes no handshake.
func loopbackHandshake(c *certificates, g wire.Group) (scenario, error) {
	s := scenario{name: fmt.Sprintf("connect, handshake %v, close, loopback TCP", g)}
	hosts, err := serveAll(c, g)
	if err != nil {
		return s, err
	}
	for _, h := range hosts {
		s.sides = append(s.sides, side{h.name, func(n int) error {
			for range n {
				client, server, err := h.connect()
				if err != nil {
					return err
				}
				client.Close()
				server.Close()
			}
			return nil
		}})
	}
	return s, nil
}

// serveAll makes a listener of each stack, plain TCP last.
func serveAll(c *certificates, g wire.Group) ([]*host, error) {
	compared, err := stacks(c, g)
	if err != nil {
		return nil, err
	}
	var hosts []*host
	for _, st := range append(compared, noTLS()) {
		h, err := st.serve()
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, h)
	}
	return hosts, nil
}
