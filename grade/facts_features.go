package grade

import "github.com/tlswright/tlswright/wire"

// Features are the answers to single questions about the protocol.
type Features struct {
	ExtendedMasterSecret Answer `json:"extendedMasterSecret,omitempty"` // RFC 7627
	EncryptThenMAC       Answer `json:"encryptThenMAC,omitempty"`       // RFC 7366
	SecureRenegotiation  Answer `json:"secureRenegotiation,omitempty"`  // renegotiation_info is answered (RFC 5746)
	// ClientRenegotiation: the server lets the client begin another handshake, protected by RFC 5746.
	ClientRenegotiation Answer `json:"clientRenegotiation,omitempty"`
	// InsecureRenegotiation: it does so without that protection.
	InsecureRenegotiation Answer `json:"insecureRenegotiation,omitempty"`
	Compression           Answer `json:"compression,omitempty"` // TLS compression, any method
	CompressionMethods    []int  `json:"compressionMethods,omitempty"`
	Heartbeat             Answer `json:"heartbeat,omitempty"` // the extension is answered (RFC 6520)
	FallbackSCSV          Answer `json:"fallbackSCSV,omitempty"`
	MaxFragmentLength     Answer `json:"maxFragmentLength,omitempty"`
	RecordSizeLimit       Answer `json:"recordSizeLimit,omitempty"`
	TruncatedHMAC         Answer `json:"truncatedHMAC,omitempty"`
	NextProtocol          Answer `json:"nextProtocol,omitempty"` // NPN, the predecessor of ALPN

	ALPN       []string `json:"alpn,omitempty"`       // protocols that the server takes
	StrictALPN Answer   `json:"strictALPN,omitempty"` // an unknown protocol is refused with no_application_protocol
	StrictSNI  Answer   `json:"strictSNI,omitempty"`  // an unknown name is refused
	SNISplits  Answer   `json:"sniSplits,omitempty"`  // without SNI another certificate, or none, is served

	SessionIDs        Answer `json:"sessionIDs,omitempty"` // a session was resumed by its id
	SessionTickets    Answer `json:"sessionTickets,omitempty"`
	TicketLifetime    int64  `json:"ticketLifetime,omitempty"`    // hint in seconds
	Resumption13      Answer `json:"resumption13,omitempty"`      // TLS 1.3
	TicketLifetime13  int64  `json:"ticketLifetime13,omitempty"`  // in seconds
	EarlyData         Answer `json:"earlyData,omitempty"`         // tickets allow 0-RTT data
	EarlyDataSize     int64  `json:"earlyDataSize,omitempty"`     // in bytes
	EarlyDataAccepted Answer `json:"earlyDataAccepted,omitempty"` // 0-RTT data was really taken

	Staple           Answer `json:"staple,omitempty"` // OCSP response in the handshake
	ClientAuth       Answer `json:"clientAuth,omitempty"`
	ClientAuthMust   Answer `json:"clientAuthMust,omitempty"`   // and refuses who has no certificate
	CertCompression  []int  `json:"certCompression,omitempty"`  // algorithms the server used (RFC 8879)
	RawPublicKeys    Answer `json:"rawPublicKeys,omitempty"`    // RFC 7250
	ECH              Answer `json:"ech,omitempty"`              // DNS gives a configuration (RFC 9849)
	DowngradeSignals Answer `json:"downgradeSignals,omitempty"` // the random tells of a downgrade (RFC 8446, Section 4.1.3)

	ECDHReuse  Answer `json:"ecdhReuse,omitempty"` // the same ephemeral key on two connections
	PointKinds []int  `json:"pointKinds,omitempty"`

	Tolerance []Tolerance `json:"tolerance,omitempty"`
	ServerIDs []Numbered  `json:"serverExtensions,omitempty"` // extensions that were answered at all
}

// Tolerance is what the server does with something it need not understand.
type Tolerance struct {
	Probe    string       `json:"probe"` // "unknown extension", "TLS 1.4", "record split", "long hello"
	OK       Answer       `json:"ok"`
	Text     string       `json:"text,omitempty"`
	Version  wire.Version `json:"version,omitempty"`
	Required string       `json:"required,omitempty"` // "RFC 8446, Section 4.2.1"
}
