package trace

import (
	"time"

	"github.com/tlswright/tlswright/pki"
)

// Schema names the form of a Recording in JSON. Fields may be added under the same name; none changes its meaning.
const Schema = "tlswright-trace/1"

// Side is who sent something.
type Side string

// The two sides.
const (
	Client Side = "client"
	Server Side = "server"
)

// Capture is what was seen of one connection, before anything is made of it.
type Capture struct {
	Started  time.Time
	Observed Side // which side was watched from within; "": from the wire alone
	Client   Endpoint
	Server   Endpoint
	Segments []Segment // in the order of time
	KeyLog   []KeyLogLine
	// Derivations and Happenings are known only from within.
	Derivations []Derivation
	Happenings  []Happening
	// Failure is how the connection ended for the side that was watched; "" if it did not fail. FailureCode is the name
	// of a tlscore.Code, as "bad_finished", where there is one.
	Failure     string
	FailureCode string
	// Cut says why the capture is not whole, as for one that was stopped; "" if it is.
	Cut string
	// Trust is what certificates are judged by; nil: their links are checked, but nobody is trusted. Only the roots, the
	// time and the policies of it are looked at. A zero time is that of Started.
	Trust *pki.VerifyOptions
}

// Endpoint is an address and what it was called.
type Endpoint struct {
	Name    string `json:"name,omitempty"`    // host name, as asked for
	Address string `json:"address,omitempty"` // "192.0.2.1:443"
}

// Segment is a piece of one side's stream. Live it is one record.
type Segment struct {
	From   Side
	At     time.Duration // since Started
	Offset uint64        // of its first byte in that side's stream
	Data   []byte
}

// KeyLogLine is one line of a key log (RFC 9850).
type KeyLogLine struct {
	Label        string
	ClientRandom []byte
	Secret       []byte
}

// Happening is something that the watched side did inside.
type Happening struct {
	At   time.Duration `json:"at_ns"`
	Kind string        `json:"kind"` // "state", "question", "keys"
	From string        `json:"from,omitempty"`
	To   string        `json:"to,omitempty"`
	Text string        `json:"text"`
}

// Recording is everything that can be said about one connection. All offsets are in bytes from 0, all times in
// nanoseconds from Started. Hex values are lower case.
type Recording struct {
	Schema   string    `json:"schema"`
	Started  time.Time `json:"started,omitzero"`
	Observed Side      `json:"observed,omitempty"`
	Client   Endpoint  `json:"client"`
	Server   Endpoint  `json:"server"`
	Summary  Summary   `json:"summary"`
	// Records are in the order of time; each byte of both streams is in one of them, or in Rest.
	Records  []Record  `json:"records"`
	Messages []Message `json:"messages"`
	Rest     []Rest    `json:"rest,omitempty"`
	// Keys are the key schedule, as a graph: each names what it was derived from.
	Keys       []Derivation `json:"keys"`
	Checks     []Check      `json:"checks"`
	Happenings []Happening  `json:"happenings,omitempty"`
	Failure    *Failure     `json:"failure,omitempty"`
	HasSecrets bool         `json:"has_secrets"`
	// Cut says why the recording is not whole; "" if it is.
	Cut string `json:"cut,omitempty"`
}

// Summary is what was agreed on.
type Summary struct {
	Version        string        `json:"version"` // "TLS 1.3"
	CipherSuite    string        `json:"cipher_suite"`
	Group          string        `json:"group,omitempty"`
	Signature      string        `json:"signature_scheme,omitempty"`
	ALPN           string        `json:"alpn,omitempty"`
	ServerName     string        `json:"sni,omitempty"`
	HelloRetry     bool          `json:"hello_retry,omitempty"`
	Resumed        bool          `json:"resumed,omitempty"`
	PSK            string        `json:"psk,omitempty"`        // identity of the external pre-shared key
	EarlyData      string        `json:"early_data,omitempty"` // "accepted", "rejected"
	RecordLimits   *RecordLimits `json:"record_limits,omitempty"`
	ClientAuth     bool          `json:"client_auth,omitempty"`
	Complete       bool          `json:"complete"` // both Finished were seen
	Duration       time.Duration `json:"duration_ns"`
	HandshakeTime  time.Duration `json:"handshake_ns"`
	ClientBytes    uint64        `json:"client_bytes"`
	ServerBytes    uint64        `json:"server_bytes"`
	AnnotatedBytes uint64        `json:"annotated_bytes"` // of both streams; all, or something is wrong
	ClientRandom   Hex           `json:"client_random"`
}

// Record is one record on the wire (RFC 8446, Section 5).
type Record struct {
	ID       int           `json:"id"`
	From     Side          `json:"from"`
	At       time.Duration `json:"at_ns"`
	Offset   uint64        `json:"offset"` // in that side's stream
	Raw      Hex           `json:"raw"`
	Epoch    string        `json:"epoch"`              // "plaintext", "early data", "handshake", "application", "application+1" …
	Sequence uint64        `json:"sequence,omitempty"` // under the keys of the epoch
	Type     string        `json:"type"`               // as the header says
	Inner    string        `json:"inner_type,omitempty"`
	// Content is what is inside, decrypted. Application data is in it only with secrets; ContentLength is always there.
	Content       Hex `json:"content,omitempty"`
	ContentLength int `json:"content_length"`
	Padding       int `json:"padding,omitempty"` // zeros before the end of a TLS 1.3 record
	// Opened says that it was protected and the keys fit: the tag is right. Problem is why it could not be opened, or
	// what is wrong with what was in it.
	Opened  bool    `json:"opened"`
	Problem string  `json:"problem,omitempty"`
	Nonce   Hex     `json:"nonce,omitempty"`
	Fields  []Field `json:"fields"`           // of Raw, offsets from its start
	Inside  []Field `json:"inside,omitempty"` // of Content, for what is no handshake message: alerts, change_cipher_spec
	// Messages are the IDs of the handshake messages that lie in it, whole or in part.
	Messages []int `json:"messages,omitempty"`
}

// Message is one handshake message, joined from records and decrypted.
type Message struct {
	ID     int           `json:"id"`
	From   Side          `json:"from"`
	At     time.Duration `json:"at_ns"` // when its last byte was seen
	Epoch  string        `json:"epoch"`
	Type   string        `json:"type"` // "ClientHello"
	Raw    Hex           `json:"raw"`  // with its header of four bytes
	Spans  []Span        `json:"spans"`
	Fields []Field       `json:"fields"` // offsets from the start of Raw; the leaves tile it
	// Inner is what Encrypted ClientHello has hidden in it, an EncodedClientHelloInner, as far as secrets tell (RFC 9849).
	Inner       Hex     `json:"inner,omitempty"`
	InnerFields []Field `json:"inner_fields,omitempty"` // offsets from the start of Inner; the leaves tile it
	// Transcript is the hash over all messages up to this one, in the hash of the connection.
	Transcript Hex    `json:"transcript,omitempty"`
	Section    string `json:"section"` // where the message is specified
	Meaning    string `json:"meaning"` // one sentence
}

// Span is where a part of a message lies: Length bytes from Offset on in the content of a record.
type Span struct {
	Record int `json:"record"`
	Offset int `json:"offset"`
	Length int `json:"length"`
}

// Field is one leaf: bytes with a name.
type Field struct {
	Path    string `json:"path"` // "extensions[2].supported_groups.named_group_list[0]"
	Offset  int    `json:"offset"`
	Length  int    `json:"length"`
	Kind    string `json:"kind"`
	Value   string `json:"value,omitempty"`   // "x25519", "1301", "example.org"
	Meaning string `json:"meaning,omitempty"` // one sentence, for fields that deserve one
	Section string `json:"section,omitempty"`
}

// Rest is what no record explains: bytes after the last whole record.
type Rest struct {
	From   Side   `json:"from"`
	Offset uint64 `json:"offset"`
	Raw    Hex    `json:"raw"`
	Why    string `json:"why"`
}

// Derivation is one step of the key schedule. Input and Output are secrets, and Context may be the salt of an HKDF-Extract,
// which is one too.
type Derivation struct {
	ID      int    `json:"id"`
	Name    string `json:"name"`            // "client_handshake_traffic_secret"
	How     string `json:"how"`             // "HKDF-Extract", "HKDF-Expand-Label", "Derive-Secret", "PRF", "ECDH", "part", "given"
	Label   string `json:"label,omitempty"` // without its "tls13 " prefix
	From    []int  `json:"from"`            // IDs of what went in
	Side    Side   `json:"side,omitempty"`  // whose keys, if one side's
	Epoch   string `json:"epoch,omitempty"`
	Context Hex    `json:"context,omitempty"` // a transcript hash
	// UpTo is the ID of the last message in that transcript hash; -1: none.
	UpTo   int `json:"up_to"`
	Length int `json:"length"` // of Output, bytes
	Input  Hex `json:"input,omitempty"`
	Output Hex `json:"output,omitempty"`
	// Agrees: computed anew from its inputs, it comes out the same; of what was given, and of what was derived from that
	// here, that a record or a Finished has proved it.
	Agrees bool `json:"agrees"`
	// Fed are the fields of messages that went in: key shares, randoms, the nonce of a ticket.
	Fed []FieldRef `json:"fed,omitempty"`
	// Section is where the step is specified.
	Section string `json:"section"`
}

// FieldRef names a field of a message.
type FieldRef struct {
	Message int    `json:"message"`
	Path    string `json:"path"`
}

// Check is something that a side had to check, computed anew.
type Check struct {
	ID       int    `json:"id"`
	Name     string `json:"name"`   // "server Finished", "CertificateVerify", "downgrade sentinel", "record tags", …
	Result   string `json:"result"` // "right", "wrong", "not possible"
	Text     string `json:"text"`   // what was compared, in a sentence
	Expected Hex    `json:"expected,omitempty"`
	Got      Hex    `json:"got,omitempty"`
	Message  int    `json:"message"`           // the ID of the message it is about; -1: none
	Records  []int  `json:"records,omitempty"` // the IDs of the records it is about
	Keys     []int  `json:"keys,omitempty"`
	Section  string `json:"section"`
}

// Failure is how a connection ended that did not end well.
type Failure struct {
	By      Side   `json:"by,omitempty"` // who stopped
	After   int    `json:"after"`        // the ID of the last message before; -1: none
	Alert   string `json:"alert,omitempty"`
	Check   string `json:"check,omitempty"` // which check refused, as "certificate" or "bad_finished"
	Code    string `json:"code,omitempty"`  // of tlscore, as "bad_finished", as the side that was watched saw it
	Said    string `json:"said,omitempty"`  // the error of the side that was watched
	Text    string `json:"text"`
	Change  string `json:"change,omitempty"` // what to change
	Section string `json:"section,omitempty"`
}
