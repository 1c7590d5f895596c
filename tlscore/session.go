package tlscore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
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
	PeerType   wire.CertificateType // raw public key: PeerChain holds its SubjectPublicKeyInfo
	OwnType    wire.CertificateType // of what this end presented
	PeerScheme wire.SignatureScheme // of the peer's CertificateVerify back then

	// DelegatedUntil is the end of the delegated credential that the peer showed; zero: none. The session is not resumed later.
	DelegatedUntil time.Time

	// PSKIdentity names the external PSK that the first connection rested on; nil: none. The session is good for nothing at
	// an end that does not have that key any more.
	PSKIdentity []byte
	pskCheck    []byte // see pskEntry

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
	case !s.DelegatedUntil.IsZero() && now.After(s.DelegatedUntil):
		// RFC 9345, Section 8.4: failing to re-validate may result in resuming connections for which the delegated credential
		// has expired.
		return errors.New("the delegated credential that it rests on is over")
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
const sessionFormat = 4

// AppendBinary appends an encoding of the session, for a ticket or a file. It holds the secret in the clear: seal it.
func (s *Session) AppendBinary(out []byte) ([]byte, error) {
	chain := 0
	for _, der := range s.PeerChain {
		chain += 3 + len(der)
	}
	fields := [...][]byte{s.Ticket, s.SessionID, s.Binding, s.PSKIdentity, s.pskCheck}
	size := 64 + len(s.Secret) + 2*2 + len(s.ServerName) + len(s.ALPN) + chain
	tooLong := len(s.Secret) > 1<<8-1 || len(s.ServerName) > 1<<16-1 || len(s.ALPN) > 1<<16-1 || chain > 1<<24-1
	for _, field := range fields {
		size += 2 + len(field)
		tooLong = tooLong || len(field) > 1<<16-1
	}
	if tooLong {
		return out, errors.New("tlscore: a session of this size cannot be encoded")
	}
	b := slices.Grow(out, size) // at once, so that no copy of the secret is left behind
	b = append(b, sessionFormat)
	b = binary.BigEndian.AppendUint16(b, uint16(s.Version))
	b = binary.BigEndian.AppendUint16(b, uint16(s.CipherSuite))
	b = append(append(b, byte(len(s.Secret))), s.Secret...)
	b = binary.BigEndian.AppendUint64(b, uint64(s.Issued.UnixMilli()))
	b = binary.BigEndian.AppendUint64(b, uint64(s.Lifetime/time.Millisecond))
	b = binary.BigEndian.AppendUint64(b, uint64(s.Authenticated.UnixMilli()))
	b = binary.BigEndian.AppendUint64(b, unixMilli(s.DelegatedUntil))
	b = binary.BigEndian.AppendUint32(b, s.AgeAdd)
	b = binary.BigEndian.AppendUint32(b, s.MaxEarlyData)
	b = binary.BigEndian.AppendUint16(b, uint16(s.PeerScheme))
	ems := byte(0)
	if s.ExtendedMasterSecret {
		ems = 1
	}
	b = append(b, ems, byte(s.PeerType), byte(s.OwnType))
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(s.ServerName))), s.ServerName...)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(s.ALPN))), s.ALPN...)
	for _, field := range fields {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(field))), field...)
	}
	b = appendLength24(b, chain)
	for _, der := range s.PeerChain {
		b = append(appendLength24(b, len(der)), der...)
	}
	return b, nil
}

func appendLength24(b []byte, n int) []byte { return append(b, byte(n>>16), byte(n>>8), byte(n)) }

func errNotSession() error { return errors.New("tlscore: not an encoded session") }

// ParseSession reads what AppendBinary made. The error says that the bytes are not a session of this version.
func ParseSession(data []byte) (*Session, error) {
	in := cryptobyte.String(append([]byte(nil), data...))
	var s Session
	var format, ems, peerType, ownType uint8
	var version, cipher, scheme uint16
	var issued, lifetime, authenticated, delegated uint64
	var secret, name, alpn, ticket, id, binding, psk, check, chain cryptobyte.String
	ok := in.ReadUint8(&format) && format == sessionFormat &&
		in.ReadUint16(&version) && in.ReadUint16(&cipher) && in.ReadUint8LengthPrefixed(&secret) &&
		in.ReadUint64(&issued) && in.ReadUint64(&lifetime) && in.ReadUint64(&authenticated) && in.ReadUint64(&delegated) &&
		in.ReadUint32(&s.AgeAdd) && in.ReadUint32(&s.MaxEarlyData) && in.ReadUint16(&scheme) && in.ReadUint8(&ems) && ems <= 1 && in.ReadUint8(&peerType) && in.ReadUint8(&ownType) &&
		in.ReadUint16LengthPrefixed(&name) && in.ReadUint16LengthPrefixed(&alpn) &&
		in.ReadUint16LengthPrefixed(&ticket) &&
		in.ReadUint16LengthPrefixed(&id) && in.ReadUint16LengthPrefixed(&binding) &&
		in.ReadUint16LengthPrefixed(&psk) && in.ReadUint16LengthPrefixed(&check) &&
		in.ReadUint24LengthPrefixed(&chain) && in.Empty()
	if !ok || lifetime > uint64(MaxTicketLifetime/time.Millisecond) || len(id) > maxSessionID || len(psk) == 0 && len(check) > 0 {
		return nil, errNotSession()
	}
	for !chain.Empty() {
		var der cryptobyte.String
		if !chain.ReadUint24LengthPrefixed(&der) || len(s.PeerChain) == maxSessionChain {
			return nil, errNotSession()
		}
		s.PeerChain = append(s.PeerChain, der)
	}
	s.Version, s.CipherSuite, s.PeerScheme = wire.Version(version), wire.CipherSuite(cipher), wire.SignatureScheme(scheme)
	s.Secret, s.Ticket, s.SessionID, s.Binding = secret, ticket, id, binding
	s.ExtendedMasterSecret, s.PeerType, s.OwnType = ems == 1, wire.CertificateType(peerType), wire.CertificateType(ownType)
	if len(psk) > 0 {
		s.PSKIdentity, s.pskCheck = psk, check
	}
	s.ServerName, s.ALPN = string(name), string(alpn)
	s.Issued, s.Authenticated = time.UnixMilli(int64(issued)), time.UnixMilli(int64(authenticated))
	s.Lifetime = time.Duration(lifetime) * time.Millisecond
	if delegated != 0 {
		if s.DelegatedUntil = time.UnixMilli(int64(delegated)); s.DelegatedUntil.IsZero() {
			return nil, errNotSession() // of which there is another form
		}
	}
	return &s, nil
}

// unixMilli is a time for an encoded session, 0 for none.
func unixMilli(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.UnixMilli())
}
