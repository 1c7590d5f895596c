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

	Resumed   bool      // by a session: no certificate was exchanged
	EarlyData EarlyData // what became of 0-RTT data

	HelloRetried bool // the server asked for a second ClientHello
	Compatible   bool // middlebox compatibility mode was on (RFC 8446, Appendix D.4)

	PeerChain   [][]byte             // the peer's certificates, DER, leaf first; empty: it sent none
	PeerStaple  []byte               // the OCSP response that came with the leaf, DER; not checked here
	PeerSCTs    [][]byte             // the SCTs that came in the handshake; not checked here
	PeerScheme  wire.SignatureScheme // of the peer's CertificateVerify
	OwnIdentity *Identity            // what we presented; nil: no certificate
	OwnScheme   wire.SignatureScheme // of our CertificateVerify

	CertificateRequested bool // the server asked the client for a certificate
	TicketsReceived      int  // NewSessionTicket messages that reached a client
	TakesTickets         bool // server: the client can resume with tickets of ours (RFC 8446, Section 4.2.9)

	ClientRandom [32]byte
	ServerRandom [32]byte
}

// Facts returns what is settled so far. It may be called between any two steps; after HandshakeDone also
// while other goroutines read and write.
func (m *Machine) Facts() Facts {
	f := m.facts
	f.TicketsReceived = int(m.control.tickets.Load())
	return f
}
