package tlscore

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// MaxTicketLifetime is the longest a ticket may be used.
//
// RFC 8446, Section 4.6.1: servers MUST NOT use any value greater than 604800 seconds (7 days).
const MaxTicketLifetime = 7 * 24 * time.Hour

// Session is what both ends remember of a connection in order to resume it (RFC 8446, Section 2.2). It holds a secret:
// whoever has it can resume as either end. A Session is not changed once made.
type Session struct {
	Version     wire.Version
	CipherSuite wire.CipherSuite
	Secret      []byte // the PSK that belongs to the ticket; in TLS 1.2 the master secret

	Issued        time.Time     // when the ticket was sent (server) or received (client), by the own clock
	Lifetime      time.Duration // how long from Issued it may be used; at most MaxTicketLifetime
	Authenticated time.Time     // when the certificates were last exchanged and verified
	AgeAdd        uint32        // ticket_age_add, hides the age on the wire
	MaxEarlyData  uint32        // bytes of 0-RTT data that may come with it; 0: none

	ServerName string
	ALPN       string
	PeerChain  [][]byte             // the peer's certificates, DER, leaf first, to be verified again; empty: it had none
	PeerScheme wire.SignatureScheme // of the peer's CertificateVerify back then

	ExtendedMasterSecret bool // TLS 1.2 (RFC 7627)

	Ticket []byte // client: what to present
	// SessionID names a TLS 1.2 session that the server remembers (RFC 5246, Appendix F.1.4); Ticket is empty then.
	SessionID []byte
	Binding   []byte // the caller's, opaque: what the ticket is bound to beyond the above

	nonce []byte // ticket_nonce, between NewSession and SendTicket
}

// usable says why a session cannot be resumed at a time, or nil.
func (s *Session) usable(now time.Time) error {
	age := now.Sub(s.Issued)
	switch {
	case s.suite() == nil || len(s.Secret) == 0:
		return errors.New("it is incomplete")
	case age < 0:
		return errors.New("it was issued in the future")
	case age > s.Lifetime || age > MaxTicketLifetime:
		return fmt.Errorf("its lifetime of %v is over", s.Lifetime)
	}
	return nil
}

// Offer sets the session that a client offers, and whether early data comes with it, in place of what Options said. It is
// called before Start, when the time has come to choose one.
func (m *Machine) Offer(s *Session, earlyData bool) error {
	if m.started || m.role != RoleClient {
		return misuse("Offer other than on a client before Start")
	}
	m.options.Session, m.options.EarlyData = s, earlyData
	return nil
}

// maxSessionChain is how many certificates of a peer a session holds at most.
const maxSessionChain = 100

// suite returns the session's cipher suite, nil if its version has none of that number.
func (s *Session) suite() *suite.Suite {
	if s.Version == wire.VersionTLS12 {
		return suite.ByID12(s.CipherSuite)
	}
	return suite.ByID(s.CipherSuite)
}

// maxSessionID is the longest session_id (RFC 5246, Section 7.4.1.2).
const maxSessionID = 32

// sessionFormat is the first byte of an encoded Session; another layout gets another number.
const sessionFormat = 2

// AppendBinary appends an encoding of the session, for a ticket or a file. It holds the secret in the clear: seal it.
func (s *Session) AppendBinary(out []byte) ([]byte, error) {
	b := cryptobyte.NewBuilder(out)
	b.AddUint8(sessionFormat)
	b.AddUint16(uint16(s.Version))
	b.AddUint16(uint16(s.CipherSuite))
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(s.Secret) })
	b.AddUint64(uint64(s.Issued.UnixMilli()))
	b.AddUint64(uint64(s.Lifetime / time.Millisecond))
	b.AddUint64(uint64(s.Authenticated.UnixMilli()))
	b.AddUint32(s.AgeAdd)
	b.AddUint32(s.MaxEarlyData)
	b.AddUint16(uint16(s.PeerScheme))
	b.AddUint8(map[bool]uint8{true: 1}[s.ExtendedMasterSecret])
	for _, field := range [][]byte{[]byte(s.ServerName), []byte(s.ALPN), s.Ticket, s.SessionID, s.Binding} {
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(field) })
	}
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
		for _, der := range s.PeerChain {
			b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(der) })
		}
	})
	return b.Bytes()
}

// ParseSession reads what AppendBinary made. The error says that the bytes are not a session of this version.
func ParseSession(data []byte) (*Session, error) {
	bad := errors.New("tlscore: not an encoded session")
	in := cryptobyte.String(append([]byte(nil), data...))
	var s Session
	var format, ems uint8
	var version, cipher, scheme uint16
	var issued, lifetime, authenticated uint64
	var secret, name, alpn, ticket, id, binding, chain cryptobyte.String
	ok := in.ReadUint8(&format) && format == sessionFormat &&
		in.ReadUint16(&version) && in.ReadUint16(&cipher) && in.ReadUint8LengthPrefixed(&secret) &&
		in.ReadUint64(&issued) && in.ReadUint64(&lifetime) && in.ReadUint64(&authenticated) &&
		in.ReadUint32(&s.AgeAdd) && in.ReadUint32(&s.MaxEarlyData) && in.ReadUint16(&scheme) && in.ReadUint8(&ems) && ems <= 1 &&
		in.ReadUint16LengthPrefixed(&name) && in.ReadUint16LengthPrefixed(&alpn) &&
		in.ReadUint16LengthPrefixed(&ticket) &&
		in.ReadUint16LengthPrefixed(&id) && in.ReadUint16LengthPrefixed(&binding) &&
		in.ReadUint24LengthPrefixed(&chain) && in.Empty()
	if !ok || lifetime > uint64(MaxTicketLifetime/time.Millisecond) || len(id) > maxSessionID {
		return nil, bad
	}
	for !chain.Empty() {
		var der cryptobyte.String
		if !chain.ReadUint24LengthPrefixed(&der) || len(s.PeerChain) == maxSessionChain {
			return nil, bad
		}
		s.PeerChain = append(s.PeerChain, der)
	}
	s.Version, s.CipherSuite, s.PeerScheme = wire.Version(version), wire.CipherSuite(cipher), wire.SignatureScheme(scheme)
	s.Secret, s.Ticket, s.SessionID, s.Binding = secret, ticket, id, binding
	s.ExtendedMasterSecret = ems == 1
	s.ServerName, s.ALPN = string(name), string(alpn)
	s.Issued, s.Authenticated = time.UnixMilli(int64(issued)), time.UnixMilli(int64(authenticated))
	s.Lifetime = time.Duration(lifetime) * time.Millisecond
	return &s, nil
}
