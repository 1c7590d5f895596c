package scan

import (
	"crypto/rand"
	"slices"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// offer is a ClientHello to be sent, and how far to read the answer. The zero value of a field leaves its extension out.
type offer struct {
	Version    wire.Version // highest: VersionSSL30 to VersionTLS13
	MinVersion wire.Version // lowest in supported_versions; 0: Version alone. Only for TLS 1.3
	// RecordVersion stands in the header of the record; 0: 0x0301, in SSL 3.0 0x0300.
	RecordVersion wire.Version
	Suites        []wire.CipherSuite
	Groups        []wire.Group // nil: no supported_groups
	// Shares are the groups of key_share (TLS 1.3). Empty, not nil: a list without entries, which asks for a HelloRetryRequest;
	// nil: the first of Groups that is ours.
	Shares   []wire.Group
	Schemes  []wire.SignatureScheme // nil: no signature_algorithms
	NoSNI    bool
	Server   string // the name in SNI where it is not the target's
	SignedBy []wire.SignatureScheme

	Compression []byte // nil: none but 0
	SessionID   []byte // nil: in TLS 1.3 a random one, for middleboxes; else none
	Ticket      []byte // for session_ticket; implies Tickets
	ALPN        []string

	Status, SCT, EMS, Tickets, Heartbeat bool
	RenegotiationInfo                    bool // the extension; the signalling suite is for the caller to put into Suites
	EncryptThenMAC, TruncatedHMAC, NPN   bool
	PointFormats                         []byte // nil: none; {0} is uncompressed
	MaxFragment                          uint8  // 1 to 4 (RFC 6066, Section 4)
	RecordLimit                          uint16
	CertCompression                      []wire.CompressionAlgorithm
	RawPublicKeys                        bool
	PSKModes                             bool // psk_key_exchange_modes: without it no tickets in TLS 1.3

	Resume13  *ticket13 // a ticket of TLS 1.3 to offer
	EarlyData []byte    // sent as 0-RTT data with Resume13; empty, not nil: the extension alone

	Extra []wire.Extension     // put behind the others
	Drop  []wire.ExtensionType // left out although a field above asks for them
	Raw   []byte               // send exactly this as the ClientHello's body instead; the rest is for reading the answer
	// Legacy overrides legacy_version, and Versions the list of supported_versions.
	Legacy   wire.Version
	Versions []wire.Version
	// Split cuts the hello into records of so many bytes; 0: one record.
	Split int
	Until stage
	// Verify checks the signature of the ServerKeyExchange or CertificateVerify, which costs time.
	Verify bool

	random []byte // nil: drawn anew
	before []byte // the transcript before this hello, for the binder
	padTo  int    // length of the message that a padding extension brings it to; 0: no padding
}

// stage is how far an answer is read.
type stage uint8

const (
	// untilHello reads up to the ServerHello, a HelloRetryRequest included, or a refusal.
	untilHello stage = iota
	// untilFlight reads the whole flight: to the ServerHelloDone, and in TLS 1.3 to the server's Finished, a HelloRetryRequest
	// answered where the group is one of ours.
	untilFlight
)

// clone copies an offer, so that its lists can be changed.
func (o *offer) clone() *offer {
	c := *o
	c.Suites = slices.Clone(o.Suites)
	c.Groups = slices.Clone(o.Groups)
	c.Shares = slices.Clone(o.Shares)
	c.Schemes = slices.Clone(o.Schemes)
	c.Extra = slices.Clone(o.Extra)
	c.Drop = slices.Clone(o.Drop)
	c.Versions = slices.Clone(o.Versions)
	return &c
}

// sentHello is a ClientHello that went out.
type sentHello struct {
	Raw    []byte // the message, header included
	Random [32]byte
	Shares []suite.KeyShare // of key_share
	Name   string           // of SNI; "": none
}

// hello makes the message.
func (h *host) hello(o *offer) (*sentHello, error) {
	sent := new(sentHello)
	if _, err := rand.Read(sent.Random[:]); err != nil {
		return nil, err
	}
	if o.Raw != nil {
		return sent.raw(o.Raw), nil
	}
	copy(sent.Random[:], o.random)
	m := wire.ClientHello{LegacyVersion: min(o.Version, wire.VersionTLS12), Random: sent.Random, SessionID: o.SessionID,
		CipherSuites: o.Suites, CompressionMethods: o.Compression}
	if o.Legacy != 0 {
		m.LegacyVersion = o.Legacy
	}
	if m.CompressionMethods == nil {
		m.CompressionMethods = []byte{0}
	}
	if m.SessionID == nil && o.Version >= wire.VersionTLS13 {
		// RFC 8446, Appendix D.4: a non-empty session id makes the handshake look like one of TLS 1.2.
		m.SessionID = make([]byte, 32)
		if _, err := rand.Read(m.SessionID); err != nil {
			return nil, err
		}
	}
	m.Extensions = h.extensions(o, sent)
	raw, err := wire.TryAppendMessage(nil, &m)
	if err != nil {
		return nil, err
	}
	const header = 4
	if n := o.paddedTo(len(raw)) - len(raw) - header; n >= 0 {
		m.Extensions = append(m.Extensions, wire.Extension{Type: wire.ExtPadding, Data: make([]byte, n)})
		if raw, err = wire.TryAppendMessage(nil, &m); err != nil {
			return nil, err
		}
	}
	sent.Raw = raw
	if o.Resume13 != nil {
		sent.setBinder(o.Resume13, o.before)
	}
	return sent, nil
}

// paddedTo is the length that a hello is brought to by padding; 0: it stays as it is. Without a wish it is brought past the
// lengths from 256 to 511 bytes, as browsers do, because there are servers that hang on these (RFC 7685, Section 1).
func (o *offer) paddedTo(length int) int {
	const from, to = 256, 512
	switch {
	case o.Resume13 != nil || o.Version <= wire.VersionSSL30 || slices.Contains(o.Drop, wire.ExtPadding):
		return 0 // the pre_shared_key must stay last
	case o.padTo > 0:
		return o.padTo
	case length >= from && length < to:
		return max(to, length+4)
	}
	return 0
}

// raw takes a body that was given as it is. Its random is where it stands in every hello.
func (s *sentHello) raw(body []byte) *sentHello {
	const randomAt = 2
	if len(body) >= randomAt+len(s.Random) {
		copy(s.Random[:], body[randomAt:])
	}
	n := len(body)
	s.Raw = append([]byte{byte(wire.TypeClientHello), byte(n >> 16), byte(n >> 8), byte(n)}, body...)
	return s
}

// extensions makes the extensions of a hello; nil: no block at all.
func (h *host) extensions(o *offer, sent *sentHello) wire.Extensions {
	var es wire.Extensions
	if name := h.serverName(o); name != "" {
		sent.Name = name
		es.Add(&wire.ServerNames{Names: []wire.ServerName{{Name: []byte(name)}}})
	}
	if o.RenegotiationInfo {
		es = append(es, wire.Extension{Type: wire.ExtRenegotiationInfo, Data: []byte{0}})
	}
	if o.EMS {
		es.Add(&wire.ExtendedMasterSecret{})
	}
	if o.Groups != nil {
		es.Add(&wire.SupportedGroups{Groups: o.Groups})
	}
	if o.PointFormats != nil {
		es = append(es, wire.Extension{Type: wire.ExtECPointFormats, Data: append([]byte{byte(len(o.PointFormats))}, o.PointFormats...)})
	}
	if o.Tickets || o.Ticket != nil {
		es.Add(&wire.SessionTicket{Ticket: o.Ticket})
	}
	if len(o.ALPN) > 0 {
		es.Add(&wire.ALPN{Protocols: o.ALPN})
	}
	if o.Status {
		es.Add(&wire.StatusRequest{Type: wire.StatusTypeOCSP})
	}
	if o.Schemes != nil {
		es.Add(&wire.SignatureAlgorithms{Schemes: o.Schemes})
	}
	if o.SignedBy != nil {
		es.Add(&wire.SignatureAlgorithmsCert{Schemes: o.SignedBy})
	}
	if o.SCT {
		es.Add(&wire.EmptySCT{})
	}
	es = o.smallExtensions(es)
	if o.Version >= wire.VersionTLS13 {
		es = h.extensions13(o, sent, es)
	}
	es = append(es, o.Extra...)
	if len(o.Drop) > 0 {
		es = slices.DeleteFunc(es, func(e wire.Extension) bool { return slices.Contains(o.Drop, e.Type) })
	}
	if o.Resume13 != nil {
		es = append(es, h.preSharedKey(o)) // RFC 8446, Section 4.2.11: it MUST be the last one
	}
	return es
}

// smallExtensions adds those that are hardly ever asked for.
func (o *offer) smallExtensions(es wire.Extensions) wire.Extensions {
	if o.Heartbeat {
		es = append(es, wire.Extension{Type: wire.ExtHeartbeat, Data: []byte{1}})
	}
	if o.EncryptThenMAC {
		es = append(es, wire.Extension{Type: wire.ExtEncryptThenMAC})
	}
	if o.TruncatedHMAC {
		es = append(es, wire.Extension{Type: wire.ExtTruncatedHMAC})
	}
	if o.NPN {
		es = append(es, wire.Extension{Type: wire.ExtNextProtocolNegotiation})
	}
	if o.MaxFragment != 0 {
		es = append(es, wire.Extension{Type: wire.ExtMaxFragmentLength, Data: []byte{o.MaxFragment}})
	}
	if o.RecordLimit != 0 {
		es = append(es, wire.Extension{Type: wire.ExtRecordSizeLimit, Data: []byte{byte(o.RecordLimit >> 8), byte(o.RecordLimit)}})
	}
	if len(o.CertCompression) > 0 {
		es.Add(&wire.CompressCertificate{Algorithms: o.CertCompression})
	}
	if o.RawPublicKeys {
		es = append(es, wire.Extension{Type: wire.ExtServerCertificateType, Data: []byte{2, byte(wire.CertificateTypeRawPublicKey), byte(wire.CertificateTypeX509)}})
	}
	return es
}

// serverName is what goes into SNI; "": nothing.
func (h *host) serverName(o *offer) string {
	switch {
	case o.NoSNI || o.Version <= wire.VersionSSL30 && o.Server == "":
		return ""
	case o.Server != "":
		return o.Server
	}
	return h.target.name()
}

// extensions13 adds what only TLS 1.3 has.
func (h *host) extensions13(o *offer, sent *sentHello, es wire.Extensions) wire.Extensions {
	versions := o.Versions
	if versions == nil {
		versions = []wire.Version{o.Version}
		for v := o.Version - 1; o.MinVersion != 0 && v >= o.MinVersion; v-- {
			versions = append(versions, v)
		}
	}
	es.Add(&wire.SupportedVersions{Versions: versions})
	if o.PSKModes || o.Resume13 != nil {
		es = append(es, wire.Extension{Type: wire.ExtPSKKeyExchangeModes, Data: []byte{1, 1}})
	}
	if o.EarlyData != nil && o.Resume13 != nil {
		es = append(es, wire.Extension{Type: wire.ExtEarlyData})
	}
	shares := o.Shares
	if shares == nil {
		for _, g := range o.Groups {
			if h.scanner.share(g) != nil {
				shares = []wire.Group{g}
				break
			}
		}
	}
	var entries wire.KeyShares
	for _, g := range shares {
		if k := h.scanner.share(g); k != nil {
			sent.Shares = append(sent.Shares, k)
			entries.Entries = append(entries.Entries, wire.KeyShareEntry{Group: g, KeyExchange: k.Public()})
		}
	}
	es.Add(&entries)
	return es
}
