package tlscore

import "github.com/tlswright/tlswright/wire"

// Observer watches a connection. It cannot change or fail anything, and no secret passes through it: a recording can be
// shared. Slices are valid during the call only. After HandshakeDone the read half and the write half observe from the
// goroutines that drive them, so an Observer must then stand two concurrent calls.
type Observer interface {
	Observe(Observation)
}

// Observation is one of [RecordObserved], [MessageObserved], [StateChanged], [KeyChanged], [AlertObserved],
// [QuestionAsked].
type Observation interface{ observation() }

// Direction is seen from the machine that observes.
type Direction uint8

// The two directions.
const (
	Received Direction = iota
	Sent
)

// String returns "received" or "sent".
func (d Direction) String() string {
	if d == Sent {
		return "sent"
	}
	return "received"
}

// Epoch says which keys protect a record, numbered as in DTLS (RFC 9147, Section 6.1).
type Epoch uint8

// The epochs of TLS 1.3; each KeyUpdate stays in EpochApplication.
const (
	EpochPlaintext   Epoch = 0
	EpochEarlyData   Epoch = 1
	EpochHandshake   Epoch = 2
	EpochApplication Epoch = 3
)

// String returns "plaintext", "early data", "handshake" or "application".
func (e Epoch) String() string {
	switch e {
	case EpochPlaintext:
		return "plaintext"
	case EpochEarlyData:
		return "early data"
	case EpochHandshake:
		return "handshake"
	}
	return "application"
}

// RecordObserved is one record on the wire. A received record is seen before it is opened in place.
type RecordObserved struct {
	Direction Direction
	Epoch     Epoch
	Sequence  uint64 // of the keys in use; 0 in plaintext
	Offset    uint64 // of the record's first byte in this direction's stream
	Raw       []byte // header and fragment
}

// MessageObserved is one whole handshake message, joined and decrypted, with its four-byte header.
// wire.ParseMessage makes it readable.
type MessageObserved struct {
	Direction Direction
	Epoch     Epoch
	Raw       []byte
}

// StateChanged is a step of the state machine, with the names of RFC 8446, Appendix A where it has them.
type StateChanged struct{ From, To string }

// KeyChanged says that a direction uses new keys from here on.
type KeyChanged struct {
	Direction   Direction
	Epoch       Epoch
	CipherSuite wire.CipherSuite
	Update      bool // by KeyUpdate, within EpochApplication
}

// AlertObserved is an alert, decrypted.
type AlertObserved struct {
	Direction Direction
	Alert     wire.Alert
}

// QuestionAsked says that the machine waits for an answer.
type QuestionAsked struct{ Kind EventKind }

func (RecordObserved) observation()  {}
func (MessageObserved) observation() {}
func (StateChanged) observation()    {}
func (KeyChanged) observation()      {}
func (AlertObserved) observation()   {}
func (QuestionAsked) observation()   {}

// Secrets receives every step of the key schedule, secrets included (RFC 8446, Section 7.1). It is apart from [Observer]
// so that nobody leaks keys by watching. Slices are valid during the call only.
type Secrets interface {
	Derived(Derivation)
}

// Derivation is one output of the key schedule.
type Derivation struct {
	ClientRandom [32]byte // names the connection, as in a key log
	Role         Role     // whose derivation this is
	Name         string   // what the output is: "client_handshake_traffic_secret", "shared_secret", "key", …
	Label        string   // HKDF-Expand-Label's label without the "tls13 " prefix; empty for HKDF-Extract and shared secrets
	Context      []byte   // transcript hash or other context
	Input        []byte   // what it was derived from
	Output       []byte
}
