package scan

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/wire"
)

// SSL 2.0 has a format of its own: two bytes of length with the highest bit set, or three with padding, then a message
// that begins with its type. The CLIENT-HELLO offers cipher kinds, and the SERVER-HELLO lists those that the server has in
// common with it, all at once, together with its certificate. So one connection tells everything.

// Message types of SSL 2.0.
const (
	ssl2Error       = 0
	ssl2ClientHello = 1
	ssl2ServerHello = 4
)

// ssl2Kinds are the cipher kinds that are asked about.
func ssl2Kinds() []wire.SSL2CipherKind {
	return []wire.SSL2CipherKind{
		wire.SSL_CK_RC4_128_WITH_MD5, wire.SSL_CK_RC4_128_EXPORT40_WITH_MD5, wire.SSL_CK_RC2_128_CBC_WITH_MD5,
		wire.SSL_CK_RC2_128_CBC_EXPORT40_WITH_MD5, wire.SSL_CK_IDEA_128_CBC_WITH_MD5, wire.SSL_CK_DES_64_CBC_WITH_MD5,
		wire.SSL_CK_DES_64_CBC_WITH_SHA, wire.SSL_CK_DES_192_EDE3_CBC_WITH_MD5, wire.SSL_CK_DES_192_EDE3_CBC_WITH_SHA,
		wire.SSL_CK_RC4_64_WITH_MD5, wire.SSL_CK_DES_64_CFB64_WITH_MD5_1, wire.SSL_CK_NULL_WITH_MD5, wire.SSL_CK_NULL,
	}
}

// ssl2Hello makes the record with a CLIENT-HELLO.
func ssl2Hello(kinds []wire.SSL2CipherKind, challenge [16]byte) []byte {
	body := []byte{ssl2ClientHello, 0x00, 0x02, byte(3 * len(kinds) >> 8), byte(3 * len(kinds)), 0, 0, 0, byte(len(challenge))}
	for _, k := range kinds {
		body = append(body, byte(k>>16), byte(k>>8), byte(k))
	}
	body = append(body, challenge[:]...)
	return append([]byte{0x80 | byte(len(body)>>8), byte(len(body))}, body...)
}

// serverHello2 is a SERVER-HELLO of SSL 2.0.
type serverHello2 struct {
	SessionHit   bool
	CertType     uint8
	Version      wire.Version
	Certificate  []byte
	Kinds        []wire.SSL2CipherKind
	ConnectionID []byte
}

var errSSL2 = errors.New("no SERVER-HELLO of SSL 2.0")

// parseServerHello2 reads a SERVER-HELLO without its record header. The slices borrow from b.
func parseServerHello2(b []byte) (*serverHello2, error) {
	r := reader{rest: b}
	if r.uint8() != ssl2ServerHello {
		return nil, errSSL2
	}
	m := &serverHello2{SessionHit: r.uint8() != 0, CertType: r.uint8(), Version: wire.Version(r.uint16())}
	certificate, kinds, id := int(r.uint16()), int(r.uint16()), int(r.uint16())
	m.Certificate = r.take(certificate)
	list := reader{rest: r.take(kinds)}
	m.ConnectionID = r.take(id)
	if r.bad || len(r.rest) > 0 || kinds%3 != 0 {
		return nil, errSSL2
	}
	for len(list.rest) > 0 {
		k := list.take(3)
		m.Kinds = append(m.Kinds, wire.SSL2CipherKind(k[0])<<16|wire.SSL2CipherKind(k[1])<<8|wire.SSL2CipherKind(k[2]))
	}
	return m, nil
}

// readRecord2 takes the next record of SSL 2.0. The error is errSSL2 where the bytes are none.
func (l *link) readRecord2() ([]byte, error) {
	if err := l.fill(2); err != nil {
		return nil, err
	}
	b := l.waiting()
	header, n, padding := 2, int(b[0]&0x7f)<<8|int(b[1]), 0
	if b[0]&0x80 == 0 {
		if err := l.fill(3); err != nil {
			return nil, err
		}
		b = l.waiting()
		header, n, padding = 3, int(b[0]&0x3f)<<8|int(b[1]), int(b[2])
	}
	if n < 1 || padding >= n || b[0] == byte(wire.ContentAlert) && b[1] == 3 || b[0] == byte(wire.ContentHandshake) && b[1] == 3 {
		return nil, errSSL2
	}
	if err := l.fill(header + n); err != nil {
		return nil, err
	}
	return l.skip(header + n)[header : header+n-padding], nil
}

// ssl2Result is what became of asking for SSL 2.0.
type ssl2Result struct {
	offered grade.Answer
	kinds   []grade.Numbered
	err     error
}

// askSSL2 asks for SSL 2.0. To close or reset the connection is how software without it takes leave of what it cannot read.
func (h *host) askSSL2(ctx context.Context) *ssl2Result {
	r := &ssl2Result{offered: grade.Unknown}
	var hello *serverHello2
	a, err := h.insist(ctx, func() (*answer, error) {
		l, err := h.dial(ctx)
		if err != nil {
			return nil, err
		}
		defer l.Close()
		var what outcome
		what, hello, _ = l.exchange2()
		if what == notTLS {
			what = alerted // by an alert of TLS mostly: whatever it is, it is no SERVER-HELLO
		}
		return &answer{Outcome: what}, nil
	})
	switch {
	case err != nil:
		r.err = err
	case hello != nil:
		h.seen.answered()
		h.foundSSL2(r, hello)
	case a.refused():
		r.offered = grade.No
	}
	return r
}

// exchange2 sends a CLIENT-HELLO and reads the SERVER-HELLO.
func (l *link) exchange2() (outcome, *serverHello2, error) {
	var challenge [16]byte
	if _, err := rand.Read(challenge[:]); err != nil {
		return 0, nil, err
	}
	if err := l.step(); err != nil {
		return 0, nil, err
	}
	if _, err := l.Write(ssl2Hello(ssl2Kinds(), challenge)); err != nil {
		a := new(answer).failed(err)
		return a.Outcome, nil, err
	}
	raw, err := l.readRecord2()
	switch {
	case errors.Is(err, errSSL2):
		return notTLS, nil, err // an alert of TLS mostly
	case err != nil:
		a := new(answer).failed(err)
		return a.Outcome, nil, err
	case raw[0] == ssl2Error:
		return alerted, nil, errSSL2
	}
	m, err := parseServerHello2(raw)
	if err != nil {
		return notTLS, nil, err
	}
	return accepted, m, nil
}

// foundSSL2 notes what a server with SSL 2.0 has.
func (h *host) foundSSL2(r *ssl2Result, m *serverHello2) {
	r.offered = grade.Yes
	for _, k := range m.Kinds {
		r.kinds = append(r.kinds, grade.Numbered{ID: uint32(k), Name: k.String()})
	}
	if len(m.Certificate) == 0 {
		return
	}
	chain := [][]byte{bytes.Clone(m.Certificate)}
	keyType := keyTypeOf(chain[0])
	h.mu.Lock()
	defer h.mu.Unlock()
	h.learnChain(&answer{Version: grade.VersionSSL20, Chain: chain}, keyType)
}
