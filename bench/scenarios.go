package main

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tlswright/tlswright/wire"
)

// scenarios makes all of them. missing says why OpenSSL is not among the sides; nil: it is.
func scenarios() (all []scenario, missing, err error) {
	c, err := newCertificates()
	if err != nil {
		return nil, nil, err
	}
	o, err := newOpenSSL(c)
	if err != nil {
		return nil, nil, err
	}
	defer o.close() // each side has read its files by then
	add := func(s scenario, err2 error) {
		all, err = append(all, s), errors.Join(err, err2)
	}
	for _, v := range []variant{
		{group: wire.GroupX25519}, {group: wire.GroupSecp256r1}, {group: wire.GroupX25519MLKEM768},
		{group: wire.GroupX25519, resume: true}, {group: wire.GroupX25519MLKEM768, resume: true},
		{group: wire.GroupX25519, mutual: true},
		{group: wire.GroupX25519, tls12: true}, {group: wire.GroupX25519, tls12: true, resume: true},
	} {
		add(memoryHandshake(c, o, v))
	}
	for _, v := range endVariants() {
		add(handshakeEnds(c, v))
	}
	for _, size := range []int{1 << 10, 16 << 10, 256 << 10} {
		add(memoryBulk(c, o, size))
	}
	for _, v := range []variant{{group: wire.GroupX25519}, {group: wire.GroupX25519MLKEM768}, {group: wire.GroupX25519, resume: true}} {
		add(loopbackHandshake(c, v))
	}
	for _, size := range []int{1 << 10, 16 << 10, 256 << 10} {
		add(loopbackBulk(c, size))
	}
	add(copyFile(c))
	return all, o.missing, err
}

// plainVariant is that of connections whose handshake does not matter.
var plainVariant = variant{group: wire.GroupX25519}

// name is that of a scenario: "handshake13_x25519_ecdsa_full".
func (v variant) name() string {
	version := "13"
	if v.tls12 {
		version = "12"
	}
	return fmt.Sprintf("handshake%s_%s_ecdsa_%s", version, strings.ToLower(v.group.String()), v.mode())
}

// memoryHandshake: client and server work together. An operation is a pair of them.
func memoryHandshake(c *certificates, o *openSSL, v variant) (scenario, error) {
	s := scenario{name: v.name() + "_memory", procs: 1}
	compared, err := stacks(c, v)
	if err != nil {
		return s, err
	}
	for _, st := range compared {
		run, err := pairs(st, v)
		if err != nil {
			return s, err
		}
		s.sides = append(s.sides, side{name: st.name, run: run})
	}
	if v == (variant{group: v.group}) {
		pair, err := newCorePair(c, v.group, benchSuite)
		if err != nil {
			return s, err
		}
		s.sides = append(s.sides, side{name: "tlscore", run: func(n int) error {
			for range n {
				if _, _, err := pair.handshake(); err != nil {
					return err
				}
			}
			return nil
		}})
	}
	if theirs, ok := o.side(v, v.mode(), 0); ok {
		s.sides = append(s.sides, theirs)
	}
	bound, err := primitives(c, v)
	if bound.run != nil {
		s.sides = append(s.sides, bound)
	}
	return s, err
}

// pairs makes handshakes of a stack in memory. Where sessions are resumed there is one for the first of them already.
func pairs(st stack, v variant) (func(n int) error, error) {
	buf := make([]byte, 4<<10)
	connect := func() (bool, error) {
		a, b := newPipe(flightBuffer)
		client, server, err := st.connect(a, b)
		if err == nil && v.resume {
			err = oneByte(client, server, buf)
		}
		return err == nil && wasResumed(client), err
	}
	run := func(n int) error {
		for range n {
			if resumed, err := connect(); err != nil {
				return err
			} else if resumed != v.resume {
				return fmt.Errorf("%s: resumed: %v", st.name, resumed)
			}
		}
		return nil
	}
	if v.resume {
		if _, err := connect(); err != nil {
			return nil, err
		}
	}
	return run, nil
}

// oneByte goes from the server to the client. The server's ticket comes with it, before or behind: there is room for both.
func oneByte(client, server secure, b []byte) error {
	if _, err := server.Write(b[:1]); err != nil {
		return err
	}
	_, err := client.Read(b)
	return err
}

// memoryBulk: an operation is one Write of size bytes by the client and what it takes to read it all.
func memoryBulk(c *certificates, o *openSSL, size int) (scenario, error) {
	s := scenario{name: fmt.Sprintf("bulk13_%dk_memory", size>>10), bytes: size, procs: 1}
	compared, err := stacks(c, plainVariant)
	if err != nil {
		return s, err
	}
	for _, st := range compared {
		a, b := newPipe(flightBuffer)
		client, server, err := st.connect(a, b)
		if err != nil {
			return s, err
		}
		s.sides = append(s.sides, side{name: st.name, run: bulk(client, server, size)})
	}
	core, err := coreBulk(c, size)
	if err != nil {
		return s, err
	}
	alone, err := cipherAlone(size)
	s.sides = append(s.sides, core)
	if theirs, ok := o.side(plainVariant, "bulk", size); ok {
		s.sides = append(s.sides, theirs)
	}
	s.sides = append(s.sides, alone, besidesPipe(alone, size))
	return s, err
}

// besidesPipe is the cipher alone and what the pipe costs without a stack: what a stack can come up to here.
func besidesPipe(alone side, size int) side {
	a, b := newPipe(flightBuffer)
	plain := bulk(a, b, size)
	return side{name: alone.name + ", and the pipe", run: func(n int) error { return errors.Join(alone.run(n), plain(n)) }}
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
	return side{name: name, bound: true, run: func(n int) error {
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
	return side{name: "tlscore", run: func(n int) (err error) {
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
	data, into := make([]byte, size), make([]byte, 128<<10)
	return func(n int) error {
		done := make(chan error, 1)
		go func() {
			for range n {
				if _, err := from.Write(data); err != nil {
					done <- err
					return
				}
			}
			done <- flush(from)
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

// flush sends what a buffer still holds.
func flush(w io.Writer) error {
	if b, ok := w.(interface{ Flush() error }); ok {
		return b.Flush()
	}
	return nil
}

// loopbackBulk is memoryBulk over TCP; the last side is TCP without TLS. Small writes are measured once more behind a
// buffer that collects them, and where our connection does.
func loopbackBulk(c *certificates, size int) (scenario, error) {
	s := scenario{name: fmt.Sprintf("bulk13_%dk_tcp", size>>10), bytes: size, pieces: 6}
	if size < wire.MaxPlaintext {
		s.procs = 1 // with more the ends wake each other for each record now and then, and numbers say how often
	}
	connected, err := connectAll(c)
	if err != nil {
		return s, err
	}
	for _, h := range connected {
		s.sides = append(s.sides, side{name: h.name, run: bulk(h.client, h.server, size)})
		if size < wire.MaxPlaintext {
			collected := bufio.NewWriterSize(h.client, wire.MaxPlaintext)
			s.sides = append(s.sides, side{name: h.name + " behind bufio.Writer", run: bulk(collected, h.server, size)})
		}
	}
	if size < wire.MaxPlaintext {
		held, err := collectingBulk(c, size)
		if err != nil {
			return s, err
		}
		s.sides = append(s.sides, held)
	}
	return s, nil
}

// collectingBulk is loopbackBulk of a connection that collects small writes itself.
func collectingBulk(c *certificates, size int) (side, error) {
	v := plainVariant
	v.delay = time.Millisecond
	st, err := ourStack(c, v)
	if err != nil {
		return side{}, err
	}
	h, err := st.serve()
	if err != nil {
		return side{}, err
	}
	client, server, err := h.connect()
	return side{name: st.name + ", WriteDelay 1ms", run: bulk(client, server, size)}, err
}

// loopbackHandshake: connect, handshake, close; both ends in this process. The last side makes no handshake.
func loopbackHandshake(c *certificates, v variant) (scenario, error) {
	s := scenario{name: v.name() + "_tcp", pieces: 3}
	hosts, err := serveAll(c, v)
	if err != nil {
		return s, err
	}
	for _, h := range hosts {
		buf := make([]byte, 4<<10)
		s.sides = append(s.sides, side{name: h.name, run: func(n int) error {
			for range n {
				client, server, err := h.connect()
				if err != nil {
					return err
				}
				if v.resume {
					if err := oneByte(client, server, buf); err != nil {
						return err
					}
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
func serveAll(c *certificates, v variant) ([]*host, error) {
	compared, err := stacks(c, v)
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

// joined is a connection of one stack over loopback.
type joined struct {
	name           string
	client, server secure
}

// connectAll makes a connection of each stack, plain TCP last.
func connectAll(c *certificates) (all []joined, err error) {
	hosts, err := serveAll(c, plainVariant)
	if err != nil {
		return nil, err
	}
	for _, h := range hosts {
		j := joined{name: h.name}
		if j.client, j.server, err = h.connect(); err != nil {
			return nil, err
		}
		all = append(all, j)
	}
	return all, nil
}
