package tlscore

import (
	"time"

	"github.com/tlswright/tlswright/wire"
)

// EventKind says what happened, or what the machine waits for.
type EventKind uint8

// The events of a connection. Those that start with Need carry a [Question] and suspend the machine until
// [Machine.Resume] answers it.
const (
	NoEvent       EventKind = iota
	HandshakeDone           // both Finished messages are verified; Seal may be called from now on
	Data                    // Event.Data holds application data
	NeedVerify              // is the peer's certificate chain acceptable?
	NeedSignature           // sign Question.Message with the key of Question.Identity
	NeedIdentity            // which certificate shall we present? (only with Config.AskIdentity)
	PeerClosed              // the peer sent close_notify: it will send no more data (RFC 8446, Section 6.1)

	// EarlyDataReceived: Event.Data holds 0-RTT data. An attacker can have sent it twice, so it is apart from Data.
	EarlyDataReceived
	TicketReceived // Event.Session may be kept for the next connection
	NeedSession    // which session do these names stand for? (only with Config.AskSession)
	NeedFresh      // was the early data of this ticket accepted before?
	NeedTicket     // TLS 1.2: a ticket for the session in Question.Resumed, before the handshake ends
	NeedPSK        // which external PSK does one of these identities name? (only with Config.AskPSK)
	NeedStaple     // which OCSP responses go with our certificates? (only with Config.AskStaple, where the peer wants them)

	// RequestAnswered: Event.Late says how a certificate request after the handshake was answered, by the client that has
	// seen it, or to the server that has made it. On a server Facts are those of the answer.
	RequestAnswered
	NeedInner // shall the ClientHello that was decrypted be used? (only with Config.AskECH)
)

var eventNames = [...]string{"none", "handshake_done", "data", "need_verify", "need_signature", "need_identity", "peer_closed",
	"early_data", "ticket", "need_session", "need_fresh", "need_ticket", "need_psk", "need_staple", "request_answered", "need_inner"}

// String returns the event's name in lower case with underscores.
func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return "unknown"
}

// Event is what one step of the machine has to say. The zero Event says nothing.
type Event struct {
	Kind     EventKind
	Data     []byte    // Data and EarlyDataReceived: aliases the caller's input buffer, valid until the caller reuses it
	Question *Question // the Need… kinds
	Session  *Session  // TicketReceived; HandshakeDone of TLS 1.2, if a ticket came with it
	Late     *Late     // RequestAnswered
}

// Step is the outcome of one call of [Machine.Feed] or [Machine.Resume].
type Step struct {
	N     int    // how many bytes of the input were consumed; they were overwritten
	Need  int    // when N is 0 and there is no event: how many more bytes the next step needs at least
	Out   []byte // the caller's slice with the bytes to send appended, at most 64 KiB of them
	Event Event

	now  time.Time
	room []byte // of FeedInto
}

// Question is what the machine waits for. Its slices are the machine's: do not modify them.
type Question struct {
	ID   uint64 // names the question; Resume refuses every other
	Kind EventKind

	// NeedVerify: the peer's certificates, DER, leaf first, as sent; not to be changed. The possession of the leaf's key is proven already.
	Chain [][]byte
	// Type tells a certificate from a raw public key, whose SubjectPublicKeyInfo is all there is in Chain (RFC 7250).
	Type   wire.CertificateType
	Staple []byte    // the OCSP response that came with the leaf, DER; nil: none (RFC 8446, Section 4.4.2.1)
	SCTs   [][]byte  // that came in the handshake (RFC 6962, Section 3.3)
	Above  []Stapled // what came with the certificates above the leaf, the one next to it first; nil: nothing with any
	// Late: NeedVerify, NeedIdentity, NeedSignature and NeedStaple are about a certificate that is asked for after the
	// handshake. They hold up the read half alone.
	Late bool
	// LateFacts are, with a late NeedVerify, those that hold once the answer is whole and the certificate accepted.
	LateFacts *Facts
	// Delegation is the delegated credential whose key it is that possession was proven of; nil: the leaf's own (RFC 9345).
	Delegation *Delegation
	// NeedVerify when a session is resumed: the chain is the one of that session, and no possession was proven anew.
	Resumed *Session

	// NeedVerify on a client, NeedIdentity on a server: the name the connection is for; empty when none was given.
	ServerName string
	ALPN       string // NeedSession: the protocol that is agreed on; empty: none

	// NeedIdentity: what the peer can take.
	Schemes     []wire.SignatureScheme // from signature_algorithms (RFC 8446, Section 4.2.3)
	Authorities [][]byte               // from certificate_authorities, DER names (RFC 8446, Section 4.2.4); often empty
	Types       []wire.CertificateType // X.509 certificates or raw public keys (RFC 7250); nil: X.509
	Hello       *wire.ClientHello      // on a server: the whole ClientHello

	// NeedSession: the tickets that the client offers, in its order. NeedPSK: all identities that it offers, which may be
	// tickets, too, or a wire.ImportedIdentity each (RFC 9258, Section 5.1). NeedFresh: the one that was chosen, its session in
	// Resumed, its age by our clock since it was issued, and the age that the client reports.
	Tickets      [][]byte
	Age, ToldAge time.Duration
	// ByID says that the only element of Tickets is no ticket but a session_id, up to 32 bytes, which only a session of
	// TLS 1.2 with that SessionID can be the answer to (RFC 5246, Section 7.4.1.2). It may well name nothing: in the hello
	// of a client that would speak TLS 1.3, too, it is random (RFC 8446, Appendix D.4).
	ByID bool

	// NeedIdentity on a TLS 1.2 client: certificate_types of the request; an identity whose key is of no such kind is
	// refused (RFC 5246, Section 7.4.4).
	KeyTypes []wire.ClientCertificateType

	// NeedStaple: the identity whose certificates are shown. NeedSignature: the signature asked for; see [SignWith].
	Identity *Identity
	// Delegated is the delegated credential whose key is to sign in the place of the identity's; nil: that one signs.
	Delegated *Delegated
	Scheme    wire.SignatureScheme
	Version   wire.Version // also of NeedIdentity: TLS 1.2 binds no curve to a scheme; zero: TLS 1.3
	Message   []byte       // to be signed as it is, unhashed (RFC 8446, Section 4.4.3)
}

// Answer is one of [Verified], [Signed], [Chosen], [Found], [Fresh], [Issued],
// [Stapling], [Inner] or [Keyed].
type Answer interface{ answers() EventKind }

// Verified answers NeedVerify. A nil Err accepts the chain. Otherwise the handshake fails, and Alert is sent; the zero
// Alert (close_notify makes no sense there) stands for bad_certificate (RFC 8446, Section 6.2).
type Verified struct {
	Err   error
	Alert wire.AlertCode
}

// Signed answers NeedSignature. A non-nil Err ends the handshake with internal_error.
type Signed struct {
	Signature []byte
	Err       error
}

// Chosen answers NeedIdentity. A nil Identity presents no certificate: a client then sends an empty Certificate
// message, a server ends the handshake. A non-nil Err ends the handshake with Alert; the zero Alert stands for
// unrecognized_name.
type Chosen struct {
	Identity *Identity
	Err      error
	Alert    wire.AlertCode
}

// Found answers NeedSession: ticket number Index stands for Session. A nil Session means that none of them is known,
// and leads to a full handshake.
type Found struct {
	Index   int
	Session *Session
	// Renew gives a client of TLS 1.2 another ticket for the session, as NeedTicket asks for one, because the keys of its own
	// will be gone soon. In TLS 1.3 tickets go out at any time.
	Renew bool
	// PSK is the external PSK that Session rests on, where the configuration asks for keys by NeedPSK: it goes into Facts. Nil
	// leaves PSKTag out of them; another key than that of the session leads to a full handshake.
	PSK *PSK
}

// Fresh answers NeedFresh. True lets the early data in: it must then be false for the same ticket ever after.
type Fresh bool

// Issued answers NeedTicket: the name of the session for the client to present, and for how long. An empty Ticket gives
// none. Where Question.Resumed has a SessionID, that is the name, and Ticket is not looked at: the session is to be kept
// under it, or forgotten.
type Issued struct {
	Ticket   []byte
	Lifetime time.Duration
}

// Keyed answers NeedPSK with a key of RoleServer, looked up by the identities. A nil PSK: none is known.
type Keyed struct{ PSK *PSK }

func (Keyed) answers() EventKind    { return NeedPSK }
func (Issued) answers() EventKind   { return NeedTicket }
func (Found) answers() EventKind    { return NeedSession }
func (Fresh) answers() EventKind    { return NeedFresh }
func (Verified) answers() EventKind { return NeedVerify }
func (Signed) answers() EventKind   { return NeedSignature }
func (Chosen) answers() EventKind   { return NeedIdentity }
