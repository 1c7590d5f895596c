package tlscore

import "github.com/tlswright/tlswright/wire"

// Role says which end of the connection a machine is.
type Role uint8

// The two roles.
const (
	RoleClient Role = iota
	RoleServer
)

// String returns "client" or "server".
func (r Role) String() string {
	if r == RoleServer {
		return "server"
	}
	return "client"
}

// Facts is what a connection has settled so far. It is a snapshot; fields that are not settled yet are zero.
type Facts struct {
	Role              Role
	HandshakeComplete bool

	Version     wire.Version
	CipherSuite wire.CipherSuite
	Group       wire.Group // of the key exchange
	ALPN        string     // empty: none was negotiated
	ServerName  string     // what the client asked for in server_name; empty: nothing

	ExtendedMasterSecret bool // TLS 1.2 only: agreed on (RFC 7627)
	SecureRenegotiation  bool // TLS 1.2 only: the peer indicates it (RFC 5746)

	Resumed bool // by a session: no certificate was exchanged
	// PSKIdentity names the external PSK that the ends know each other by, of this connection or of the one that it
	// resumes, and PSKTag is its Tag; nil: by certificates, or not at all. A connection that was handed over has no Tag of a
	// key that was looked up.
	PSKIdentity []byte
	PSKTag      any
	EarlyData   EarlyData // what became of 0-RTT data

	HelloRetried bool // the server asked for a second ClientHello
	Compatible   bool // middlebox compatibility mode was on (RFC 8446, Appendix D.4)

	PeerChain  [][]byte             // the peer's certificates, DER, leaf first, shared and not to be changed; empty: it sent none
	PeerType   wire.CertificateType // raw public key: PeerChain holds its SubjectPublicKeyInfo (RFC 7250)
	PeerStaple []byte               // the OCSP response that came with the leaf, DER; not checked here
	PeerSCTs   [][]byte             // the SCTs that came in the handshake; not checked here
	PeerAbove  []Stapled            // what came with the certificates above the leaf, the one next to it first; nil: nothing
	PeerScheme wire.SignatureScheme // of the peer's CertificateVerify
	// The delegated credentials whose keys signed in the place of the certificates' (RFC 9345), the peer's also where a
	// session is resumed that rests on it; nil: none.
	PeerDelegation, OwnDelegation *Delegation
	OwnIdentity                   *Identity            // what we presented; nil: no certificate
	OwnScheme                     wire.SignatureScheme // of our CertificateVerify

	// What the Certificate messages were compressed with (RFC 8879); zero: nothing.
	PeerCompression, OwnCompression wire.CompressionAlgorithm

	PostHandshakeAuth    bool // the client may be asked for a certificate after the handshake (RFC 8446, Section 4.2.6)
	LateRequests         int  // how often it was, and has answered; PeerChain and its like, or OwnIdentity, are the latest
	CertificateRequested bool // the server asked the client for a certificate
	TicketsReceived      int  // NewSessionTicket messages that reached a client
	TakesTickets         bool // server: the client can resume with tickets of ours (RFC 8446, Section 4.2.9)

	// The longest plaintext of a protected record that we take and send, as agreed on, in bytes (RFC 8449, RFC 6066); 0: the
	// protocol's limit.
	RecordLimitRead, RecordLimitWrite int

	ECH ECHFacts // Encrypted ClientHello; ServerName and ClientRandom are those of the ClientHello that was used

	ClientRandom [32]byte
	ServerRandom [32]byte

	pskCheck []byte // see pskEntry
}

// Facts returns what is settled so far. It may be called between any two steps; after HandshakeDone also
// while other goroutines read and write.
func (m *Machine) Facts() Facts {
	f := m.late.now(&m.facts)
	if m.shown != nil {
		f = *m.shown
	}
	f.TicketsReceived = int(m.control.tickets.Load())
	return f
}
