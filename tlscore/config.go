package tlscore

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tlswright/tlswright/internal/ech"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// ClientAuth is a server's policy towards client certificates (RFC 8446, Section 4.3.2).
type ClientAuth uint8

// The policies, from none to strict.
const (
	NoClientCert      ClientAuth = iota // do not ask
	RequestClientCert                   // ask; a client without one is served
	RequireClientCert                   // ask; a client without one gets certificate_required
)

// Limits on what a configuration may ask for and a peer may send.
const (
	DefaultMaxHandshakeMessage = 64 << 10 // bytes of one handshake message's body
	DefaultMaxPeerChain        = 10       // certificates
	DefaultMaxUselessRecords   = 32       // records in a row that carry nothing
	maxOwnChain                = 48 << 10 // bytes; keeps a flight below the 64 KiB that one step may append
	maxOwnList                 = 8 << 10  // bytes of names that we send in one extension
	maxCookie                  = 32 << 10 // bytes; it comes back in a ClientHello beside everything else
	maxWarnings                = 4        // user_canceled alerts in a row
)

// Config is what a connection may do, as plain data for both roles. The zero Config is a sound client; a server
// needs at least one Identity. [Compile] checks it once.
type Config struct {
	// MinVersion and MaxVersion bound the protocol version. Zero: TLS 1.2 and TLS 1.3, or the one that CipherSuites has
	// suites of. There is nothing below or above.
	MinVersion, MaxVersion wire.Version

	// Preferences; empty means our defaults. The order is kept. Unknown values are an error.
	CipherSuites []wire.CipherSuite
	Groups       []wire.Group
	Schemes      []wire.SignatureScheme // that we accept from the peer; those below TLS 1.3 speak for certificates only
	ALPN         []string               // application protocols; a server without any ignores the client's

	// KeyShares are the groups a client sends shares for at once. Empty: the first of Groups, and where that is a hybrid
	// also the elliptic-curve group inside it, which costs no further key. A non-nil empty list provokes HelloRetryRequest.
	KeyShares []wire.Group

	Identities  []Identity // certificates that we may present, in order of preference
	AskStaple   bool       // leave OCSP responses to the caller: a NeedStaple question where the peer wants them
	AskIdentity bool       // leave the choice to the caller: a NeedIdentity question instead of our own rule

	// PeerCertificateTypes are the types that we take from the peer, in order of preference: X.509 certificates and raw
	// public keys (RFC 7250). Empty: X.509 alone. What a key is worth is asked with NeedVerify, as for a certificate.
	//
	// RFC 7250, Section 4.2: a server that asks for a certificate and has no type in common with its client ends the session
	// with unsupported_certificate. That holds for RequestClientCert, too, and for clients that do not say what they have:
	// X.509 in the list behind raw keys lets those go on without.
	PeerCertificateTypes []wire.CertificateType
	// OwnCertificateTypes are those that a client says it can show, in order of preference; empty: those of its Identities,
	// and without any X.509.
	OwnCertificateTypes []wire.CertificateType

	NoOCSP bool // ask for no OCSP responses to go with the peer's certificates (RFC 8446, Section 4.4.2.1)
	NoSCTs bool // client: ask for no signed certificate timestamps (RFC 6962, Section 3.3)

	// DelegatedSchemes are those that we take the peer's delegated credentials of (RFC 9345, TLS 1.3 only), such as
	// [DelegatedSchemes]; nil: none is taken. Whoever has a credential's key is the peer until it is over, in at most seven days.
	DelegatedSchemes []wire.SignatureScheme

	// CertificateCompression are the algorithms that Certificate messages may be compressed with, in order of preference, in
	// either direction (RFC 8879); none: no compression.
	CertificateCompression []CertificateCompression

	// Server.
	ClientAuth             ClientAuth
	CertificateAuthorities [][]byte // DER names of the CAs we accept, sent as a hint (RFC 8446, Section 4.2.4)
	PreferClient           bool     // take the client's order of cipher suites instead of ours
	StrictServerName       bool     // no identity for the client's name is unrecognized_name, not the first identity
	RetryAlways            bool     // answer every first ClientHello with HelloRetryRequest and a cookie (RFC 8446, Section 4.2.2)

	// PostHandshakeAuth is about certificates that are asked for after a TLS 1.3 handshake (RFC 8446, Section 4.2.6). A client
	// offers to be asked, and answers from its Identities; a server keeps of the handshake what it takes to ask later those
	// that offer it: see [Machine.RequestCertificate].
	PostHandshakeAuth bool

	// Client.
	NoCompatibilityMode bool // send no legacy_session_id and no change_cipher_spec (RFC 8446, Appendix D.4)

	// Resumption (RFC 8446, Section 2.2).
	NoTickets             bool   // client: offer no resumption and want no tickets; server: neither take tickets nor announce any
	AskSession            bool   // server: ask NeedSession for the tickets that clients offer; otherwise none is resumed
	SessionIDs            bool   // server with AskSession: remember TLS 1.2 sessions by id where tickets are not used
	MaxEarlyData          uint32 // server: bytes of 0-RTT data to take with a ticket; 0: none
	InsecurePSKWithoutDHE bool   // allow psk_ke: a stolen ticket key, or PSK, then opens recorded connections

	// PSKs are external pre-shared keys, in order of preference, of TLS 1.3 only. A server with PSKs and Identities takes a
	// PSK where the client offers one, and asks nobody for a certificate who has one.
	PSKs []PSK
	// PSKOptional lets a client with PSKs also take a server that proves itself by a certificate. Without it a client with
	// PSKs insists on them.
	PSKOptional bool
	// PreferCertificate lets a server take a PSK only where none of its Identities goes with the client. Not with AskIdentity.
	PreferCertificate bool
	// AskPSK lets a server that finds none of its own PSKs in an offer ask for one: a NeedPSK question. The caller then sees
	// to it that a session that rests on a PSK outlives neither it nor its context: see [Session.RestsOn].
	AskPSK bool

	// ECHKeys are a server's keys for Encrypted ClientHello (RFC 9849), those that clients may still know among them; each
	// costs such a client's hello one decryption if its config_id is the same. At least one is marked Retry.
	ECHKeys []ECHKey
	// AskECH leaves the choice between a decrypted ClientHello and the one around it to the caller: a NeedInner question.
	AskECH bool
	// ECHBackend makes a server take inner ClientHellos, which another server in front of it has decrypted (RFC 9849,
	// Section 7.2). Clients must not reach it but through that one: to them it says more than it should.
	ECHBackend bool
	// ECHGrease makes a client without a configuration look like one that has one (RFC 9849, Section 6.2).
	ECHGrease bool

	// RequireSecureRenegotiation refuses a peer of TLS 1.2 that does not indicate RFC 5746. We never renegotiate; but another
	// could renegotiate with such a peer in our name, by putting his words before ours.
	RequireSecureRenegotiation bool

	// InsecureKeyUsage takes a peer's certificate although its key usage leaves out digitalSignature. For callers that trust
	// no certificate anyway and look at what is in it, as ACME's tls-alpn-01 does: clients make such ones.
	InsecureKeyUsage bool

	MaxHandshakeMessage int // bytes; 0: DefaultMaxHandshakeMessage
	MaxPeerChain        int // certificates that a peer may send; 0: DefaultMaxPeerChain
	MaxUselessRecords   int // empty records, and key updates and tickets without data, in a row; 0: DefaultMaxUselessRecords
	// RecordSizeLimit is the longest plaintext of a protected record that we take, 64 to 16385 bytes; in TLS 1.3 the content
	// type and the padding count. 0: the protocol's limit, which a client does not speak of; a server answers a client that
	// does, and keeps to its limit in any case (RFC 8449).
	RecordSizeLimit int
	// MaxFragmentLength asks a server for records of at most 512, 1024, 2048 or 4096 bytes in both directions, as clients
	// before record_size_limit do; 0: none (RFC 6066, Section 4).
	MaxFragmentLength int
	// Grease puts reserved values that mean nothing into what we send, so that peers do not forget to ignore what they do not
	// know: those of a client into its ClientHello, those of a server into CertificateRequest and NewSessionTicket (RFC 8701).
	// Whether on or off, a peer that selects such a value is refused. [Config.ECHGrease] is another thing.
	Grease bool
	// PermuteExtensions sends the extensions of a ClientHello in an order of chance, so that servers do not come to rely on
	// ours.
	PermuteExtensions bool

	// MaxRecord is the most content of a record that we send, 64 to 16384 bytes; 0: the protocol's limit. Short records can be
	// used by a slow peer before all has come, and cost 22 bytes each. It counts for the ClientHello, too, which some servers
	// cannot read in pieces.
	MaxRecord int
	// Padding hides how long things are that we send in TLS 1.3 (RFC 8446, Section 5.4).
	Padding Padding
}

// Params is a checked [Config]: immutable, to be shared by any number of machines.
type Params struct {
	c          Config
	identities []*identity
	lasting    wire.Extensions      // of every ClientHello
	selected13 wire.Extension       // supported_versions of every ServerHello of TLS 1.3
	insists    bool                 // a client takes no certificate
	offers     []*pskEntry          // of a client
	accepts    map[string]*pskEntry // of a server, by the identity on the wire
	echKeys    []*ech.Key
	echRetry   []byte // the encoded ECHConfigList of those to retry with
	scratches  *scratches
	leaves     *leaves
}

// Compile checks a Config and returns its immutable form. The error names the field.
func Compile(c Config) (*Params, error) {
	c.applyDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	p := &Params{c: c.clone(), insists: c.insistsOnPSK(), scratches: new(scratches), leaves: new(leaves)}
	for i := range c.Identities {
		id, err := compileIdentity(&c.Identities[i])
		if err != nil {
			return nil, fmt.Errorf("identities[%d]: %w", i, err)
		}
		p.identities = append(p.identities, id)
	}
	if err := p.compilePSKs(c.PSKs); err != nil {
		return nil, err
	}
	if err := p.compileECH(c.ECHKeys); err != nil {
		return nil, err
	}
	p.lasting = p.lastingExtensions()
	p.selected13 = wire.Extension{Type: wire.ExtSupportedVersions, Data: (&wire.SelectedVersion{Version: wire.VersionTLS13}).AppendBody(nil)}
	return p, nil
}

func (c *Config) applyDefaults() {
	if len(c.CipherSuites) == 0 {
		c.CipherSuites = append(suite.Defaults(), suite.Defaults12()...)
	}
	if c.MinVersion == 0 {
		c.MinVersion = wire.VersionTLS12
		if (!c.hasSuites(wire.VersionTLS12) || c.insistsOnPSK()) && c.MaxVersion != wire.VersionTLS12 {
			c.MinVersion = wire.VersionTLS13
		}
	}
	if c.MaxVersion == 0 {
		c.MaxVersion = wire.VersionTLS13
		if !c.hasSuites(wire.VersionTLS13) && c.MinVersion != wire.VersionTLS13 {
			c.MaxVersion = wire.VersionTLS12
		}
	}
	if len(c.Groups) == 0 {
		c.Groups = suite.DefaultGroups()
	}
	if len(c.PeerCertificateTypes) == 0 {
		c.PeerCertificateTypes = []wire.CertificateType{wire.CertificateTypeX509}
	}
	if len(c.OwnCertificateTypes) == 0 {
		c.OwnCertificateTypes = ownTypes(c.Identities)
	}
	if len(c.Schemes) == 0 {
		c.Schemes = suite.DefaultSchemes()
	}
	if c.KeyShares == nil {
		c.KeyShares = defaultShares(c.Groups)
	}
	if c.MaxHandshakeMessage == 0 {
		c.MaxHandshakeMessage = DefaultMaxHandshakeMessage
	}
	if c.MaxPeerChain == 0 {
		c.MaxPeerChain = DefaultMaxPeerChain
	}
	if c.MaxUselessRecords == 0 {
		c.MaxUselessRecords = DefaultMaxUselessRecords
	}
}

// defaultShares offers the preferred group, and beside a hybrid the plain group that servers without ML-KEM know.
func defaultShares(groups []wire.Group) []wire.Group {
	shares := groups[:1:1]
	if g := suite.GroupByID(groups[0]); g == nil || !g.PostQuantum {
		return shares
	}
	for _, id := range groups[1:] {
		if g := suite.GroupByID(id); g != nil && !g.PostQuantum {
			return append(shares, id)
		}
	}
	return shares
}

// hasSuites reports whether some cipher suite is of a version.
func (c *Config) hasSuites(v wire.Version) bool {
	return slices.ContainsFunc(c.CipherSuites, func(id wire.CipherSuite) bool { return suiteOf(v, id) != nil })
}

// suiteOf returns the cipher suite of a number if it belongs to the version, or nil.
func suiteOf(v wire.Version, id wire.CipherSuite) *suite.Suite {
	if v == wire.VersionTLS12 {
		return suite.ByID12(id)
	}
	return suite.ByID(id)
}

// allows reports whether the configuration speaks a version.
func (p *Params) allows(v wire.Version) bool { return p.c.MinVersion <= v && v <= p.c.MaxVersion }

// versions lists what we speak, best first.
func (p *Params) versions() []wire.Version {
	var out []wire.Version
	for v := p.c.MaxVersion; v >= p.c.MinVersion; v-- {
		out = append(out, v)
	}
	return out
}

// groups lists those that a client offers. The hybrids are of TLS 1.3 only.
func (p *Params) groups() []wire.Group {
	if p.allows(wire.VersionTLS13) {
		return p.c.Groups
	}
	return slices.DeleteFunc(slices.Clone(p.c.Groups), func(id wire.Group) bool { return suite.GroupByID(id).PostQuantum })
}

func (c *Config) check() error {
	for i, id := range c.CipherSuites {
		if suite.ByID(id) == nil && suite.ByID12(id) == nil {
			return fmt.Errorf("cipher suites[%d]: %v is not supported", i, id)
		}
	}
	if c.MinVersion < wire.VersionTLS12 || c.MaxVersion > wire.VersionTLS13 || c.MinVersion > c.MaxVersion {
		return fmt.Errorf("versions: %v to %v, want a range within TLS 1.2 to TLS 1.3", c.MinVersion, c.MaxVersion)
	}
	for v := c.MinVersion; v <= c.MaxVersion; v++ {
		if !c.hasSuites(v) {
			return fmt.Errorf("cipher suites: none for %v; raise MinVersion or lower MaxVersion", v)
		}
	}
	for i, id := range c.Groups {
		if suite.GroupByID(id) == nil {
			return fmt.Errorf("groups[%d]: %v is not supported", i, id)
		}
	}
	for i, id := range c.KeyShares {
		if !slices.Contains(c.Groups, id) {
			return fmt.Errorf("key shares[%d]: %v is not among the groups", i, id)
		}
		if slices.Contains(c.KeyShares[:i], id) {
			return fmt.Errorf("key shares[%d]: %v appears twice", i, id)
		}
	}
	for i, id := range c.Schemes {
		if suite.SchemeByID(id) == nil {
			return fmt.Errorf("signature schemes[%d]: %v is not supported", i, id)
		}
	}
	if !slices.ContainsFunc(c.Schemes, func(id wire.SignatureScheme) bool { return suite.SchemeByID(id).TLS13 }) {
		return errors.New("signature schemes: none can sign a TLS 1.3 handshake")
	}
	for i, p := range c.ALPN {
		if len(p) == 0 || len(p) > 255 {
			return fmt.Errorf("alpn[%d]: a protocol name has 1 to 255 bytes (RFC 7301, Section 3.1)", i)
		}
	}
	if n := total(c.ALPN); n > maxOwnList {
		return fmt.Errorf("alpn: %d bytes of names, more than %d", n, maxOwnList)
	}
	if n := total(c.CertificateAuthorities); n > maxOwnList {
		return fmt.Errorf("certificate authorities: %d bytes of names, more than %d", n, maxOwnList)
	}
	if err := c.checkAuthentication(); err != nil {
		return err
	}
	if err := c.Padding.check(); err != nil {
		return err
	}
	if c.MaxHandshakeMessage < 1<<10 || c.MaxHandshakeMessage > 1<<24-1 {
		return errors.New("max handshake message: must be 1024 to 16777215 bytes")
	}
	if c.MaxPeerChain < 0 {
		return errors.New("max peer chain: must not be negative")
	}
	if c.MaxUselessRecords < 0 {
		return errors.New("max useless records: must not be negative")
	}
	return nil
}

// checkAuthentication checks what is about how the ends prove who they are.
func (c *Config) checkAuthentication() error {
	if err := c.checkLimits(); err != nil {
		return err
	}
	if err := c.checkDelegated(); err != nil {
		return err
	}
	if err := c.checkCompression(); err != nil {
		return err
	}
	for _, types := range [][]wire.CertificateType{c.PeerCertificateTypes, c.OwnCertificateTypes} {
		for i, ct := range types {
			if ct != wire.CertificateTypeX509 && ct != wire.CertificateTypeRawPublicKey || slices.Contains(types[:i], ct) {
				return fmt.Errorf("certificate types: %v is not supported, or appears twice", ct)
			}
		}
	}
	if c.insistsOnPSK() && c.MinVersion != wire.VersionTLS13 {
		return errors.New("psks: a client that insists on them speaks TLS 1.3 only; raise MinVersion, or set PSKOptional")
	}
	if c.PreferCertificate && c.AskIdentity {
		return errors.New("prefer certificate: only the caller knows, with AskIdentity")
	}
	return nil
}

// total is how many bytes a list of names takes, with generous room for the length of each.
func total[T string | []byte](names []T) int {
	n := 0
	for _, name := range names {
		n += len(name) + 2
	}
	return n
}

// clone copies the lists, so that the caller's later changes reach no connection.
func (c *Config) clone() Config {
	d := *c
	d.CipherSuites = slices.Clone(c.CipherSuites)
	d.Groups = slices.Clone(c.Groups)
	d.Schemes = slices.Clone(c.Schemes)
	d.ALPN = slices.Clone(c.ALPN)
	d.KeyShares = slices.Clone(c.KeyShares)
	d.DelegatedSchemes = slices.Clone(c.DelegatedSchemes)
	d.CertificateCompression = slices.Clone(c.CertificateCompression)
	d.PeerCertificateTypes, d.OwnCertificateTypes = slices.Clone(c.PeerCertificateTypes), slices.Clone(c.OwnCertificateTypes)
	d.CertificateAuthorities = slices.Clone(c.CertificateAuthorities)
	d.Identities, d.PSKs, d.ECHKeys = nil, nil, nil // kept compiled
	return d
}
