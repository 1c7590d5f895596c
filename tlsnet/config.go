package tlsnet

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// Defaults of a [Config].
const (
	DefaultHandshakeTimeout = 10 * time.Second
	DefaultConnectTimeout   = 30 * time.Second // of a Dialer
	DefaultMaxHandshakes    = 4096
)

// Config is what connections may do, as plain data for both roles. The zero Config is a client that trusts the roots of
// the system and verifies chain and name; a server needs at least one Identity. It is checked and copied when it is
// used: later changes reach no connection.
type Config struct {
	// Core holds what is negotiated, and the limits on handshake messages and useless records. Its Identities must be
	// empty: they come from Identities below, with their keys.
	Core tlscore.Config

	// Identities are the certificates that we may present, in order of preference.
	Identities []Identity
	// ChooseIdentity, if set, picks the certificate instead of the order of preference: one of the candidates, or nil to
	// present none. The question says what the peer can take.
	ChooseIdentity func(ctx context.Context, q *tlscore.Question, candidates []*tlscore.Identity) (*tlscore.Identity, error)

	// Staples, if set, gives the OCSP responses for the certificates of q.Identity, leaf first, DER, in the place of those
	// that the identity has: called in handshakes whose peer asks for them, which ctx ends with. nil: none is sent. An error
	// ends the handshake with internal_error; who would rather go on without gives nil. It should have them at hand: the peer
	// waits.
	Staples func(ctx context.Context, q *tlscore.Question) ([][]byte, error)

	// LookUpPSK finds the external pre-shared key that an identity names, for a server that cannot list all of them in
	// Core.PSKs; nil: there is none. The key must be of tlscore.RoleServer. It is called for up to eight identities of a
	// client, tickets of other servers among them, and for the sessions that rest on such a key.
	LookUpPSK func(ctx context.Context, identity []byte) (*tlscore.PSK, error)

	// ForClient, if set, chooses the configuration of each connection to a server by its ClientHello: one that [Prepare]
	// made, or nil for this one. An error refuses the client with unrecognized_name (RFC 6066, Section 3), or with the alert
	// of a [RefusalError]. It is called on the connection's own goroutine, and must not wait. Where the choice can decrypt
	// another ClientHello inside of the first (Core.ECHKeys), it is called once more, for that one; the connection is for its
	// name if this choice can decrypt it, too, and takes it, and else for the public name.
	ForClient func(h *ClientHello) (*Prepared, error)

	// KernelTLS has the kernel protect the records of established connections, where it can: on Linux with the module tls,
	// over TCP, for AES-GCM, AES-CCM and ChaCha20-Poly1305. Otherwise all is as without; [Conn.KernelTLS] tells. Keys cannot be
	// changed then: a peer's KeyUpdate, or 380 GB under one AES key, ends the connection.
	KernelTLS bool

	// ServerName is the name a client asks for and verifies, a DNS name or an IP address (which is verified, but not
	// sent). Empty: the host that is dialed.
	ServerName string
	// Roots are the certificates a client trusts. With none of them the roots of the system are trusted.
	Roots []*x509.Certificate
	// SystemRoots trusts the roots of the system besides Roots.
	SystemRoots bool
	// Insecure accepts every certificate of the peer, and every name. Whoever is in the middle can then read and change
	// everything. What verification would have said is still in Peer.Problem.
	Insecure bool

	// Pins are keys and certificates of which a client insists on one: the leaf's, or that of a CA, in the chain that was
	// verified. They come on top of verification, also when a session is resumed. With Insecure they are what the server is
	// known by, and only its leaf counts. A single pin is refused for want of a backup, unless PinsAlone is set.
	Pins pki.PinSet
	// PinsAlone takes a single pin. When its key is lost or replaced, nothing but a new configuration connects again.
	PinsAlone bool

	// CertificateCompression are the algorithms that certificates may be compressed with, both ours and the peer's, in order
	// of preference (RFC 8879, TLS 1.3); none: no compression. What a peer declares is checked against
	// Core.MaxHandshakeMessage before anything is taken out. A chain shrinks by a third or so, at the price of some hundred
	// microseconds once for each of our identities, and some ten for each peer.
	CertificateCompression []wire.CompressionAlgorithm

	// RawKeys are the raw public keys (RFC 7250) that the peer may show in the place of a certificate, by the pins of their
	// SubjectPublicKeyInfo. With them and no Roots, or ClientRoots of a server, nothing else is taken; with both, either is,
	// raw keys first. Core.PeerCertificateTypes, if set, decides instead. A raw key says nothing of names, and none is
	// verified; it has no end of validity either.
	RawKeys pki.PinSet

	// ClientRoots are the certificates a server trusts for clients; needed as soon as Core.ClientAuth or
	// Core.PostHandshakeAuth asks for a certificate.
	ClientRoots []*x509.Certificate

	// ECHConfigList is what the server publishes in the DNS for Encrypted ClientHello (RFC 9849), and LookUpECH finds that of
	// a name, with nil for none; a client sets one of them at most. A [Dialer] connects once more where the server wants
	// another configuration used: see [Conn.ECHRejected].
	ECHConfigList []byte
	LookUpECH     func(ctx context.Context, name string) ([]byte, error)
	ECH           ECHMode // what to do without a configuration
	// AcceptECH, if set, says of a ClientHello that a server with Core.ECHKeys has decrypted whether it is used. Otherwise the
	// handshake goes on with the public name, and the client is told that there is no configuration for it.
	AcceptECH func(h *ClientHello) bool

	// VerifyPeer is a further check of a peer that was verified; an error refuses it with access_denied (RFC 8446,
	// Section 6.2), or with the alert of a [RefusalError]. It is not called for a client without a certificate, nor for a peer
	// that proves itself by a pre-shared key of Core.PSKs. It may take its time, and ask whom it likes, until the context
	// ends; of the session that is to be resumed, too, as Facts.Resumed says then.
	VerifyPeer func(ctx context.Context, p Peer, f tlscore.Facts) error

	// Sessions keeps what a client needs to resume connections (RFC 8446, Section 2.2). Nil: a [Dialer] keeps them in
	// memory, and [Client] keeps none. Core.NoTickets turns resumption off, at a server too. What a certificate is good for
	// is verified again whenever a session is resumed.
	Sessions SessionStore

	// TicketKeys are the keys of a server's tickets. Nil: a [Listener] makes its own, and [Server] hands out no tickets.
	TicketKeys *TicketKeys
	// ServerSessions keeps a server's sessions in the place of tickets that hold them. With it TLS 1.2 clients that know no
	// tickets resume too, by session id (RFC 5246, Section 7.4.1.3); Core.SessionIDs follows from it.
	ServerSessions ServerSessions
	// Tickets is how many tickets a server sends after a full TLS 1.3 handshake; 0: DefaultTickets, negative: none, at most
	// 16.
	Tickets int
	// TicketLifetime is how long a ticket may be used; 0: DefaultTicketLifetime, at most seven days. Core.MaxEarlyData
	// allows early data with them, which nobody gets who does not ask: see [Conn.ReadEarly].
	TicketLifetime time.Duration

	// DynamicRecords sends the first 14 KB after a second of silence in records that fit into one TCP segment each, so that
	// the peer can use the first bytes before all have come, and the rest in long records. It is for pages over slow lines; the
	// short records cost some 300 bytes and a few microseconds a burst.
	DynamicRecords bool
	// WriteDelay lets Writes of less than 16 KiB wait for those that follow, to travel in one record and one system call with
	// them: at most this long, and until a record is full, Read waits for the peer, or one of [Conn.Flush], CloseWrite, KeyUpdate,
	// Detach and Close is called. 0 or less: each Write sends at once. It is for programs that write much in small pieces and
	// cannot put a bufio.Writer in between; a millisecond is plenty. Protocols that flush buffers of their own, as HTTP does, gain
	// nothing, and wait where one goroutine reads while another writes.
	//
	// Write then tells of what had happened before it: of its own bytes the next Write, Flush or Close does. Where the write
	// deadline passes while bytes are held back, Write and Flush say so, and they leave once it is moved. What is held back when
	// the connection fails, or a Close breaks off a Write under way, or by Abort, is lost.
	WriteDelay time.Duration

	// SessionPolicy is what else of a server sessions are bound to, beside its names and which clients it admits: one is
	// resumed only where this is the same. Servers that decide by more than certificates put the rules in here.
	SessionPolicy string

	// HandshakeTimeout bounds the handshake; 0 is DefaultHandshakeTimeout, negative is no bound.
	HandshakeTimeout time.Duration
	// MaxHandshakes bounds how many handshakes of a listener are computed at the same time, waiting for its keys to sign
	// included. One that waits for its peer does not count, so that slow peers cannot keep others out; HandshakeTimeout ends
	// it. 0 is DefaultMaxHandshakes.
	MaxHandshakes int

	// Time returns the time by which certificates are judged; nil is time.Now.
	Time func() time.Time
	// KeyLog receives the secrets of every connection in the NSS key log format, one Write per line: whoever has them can
	// read the traffic. For debugging only; nil writes nothing.
	KeyLog io.Writer
	// Observer makes an observer for each connection; nil, or a nil observer, watches nothing.
	Observer func() tlscore.Observer
	// Secrets makes a receiver for the whole key schedule of each connection, for a tracer; nil keeps them inside.
	Secrets func() tlscore.Secrets
}

// Identity is a certificate chain with its private key. The key may live in a token: it is asked to sign during the
// handshake only, and one that implements [ContextSigner] is told when nobody waits any longer.
type Identity struct {
	Chain [][]byte // DER, leaf first
	Key   crypto.Signer
	Raw   bool     // show the public key of Key alone, in the place of Chain (RFC 7250)
	Names []string // DNS names it serves, "*.example.com" too; empty: those of the leaf

	// Staple is an OCSP response for the leaf, DER, and SCTs are signed certificate timestamps for it: sent to peers that
	// ask, and not looked at (RFC 6066, Section 8, and RFC 6962, Section 3.3). Nil: none.
	Staple []byte
	SCTs   [][]byte
	// Above is the same for the certificates above the leaf, the one next to it first. TLS 1.2 has no room for it, but for the
	// obsolete status_request_v2 of RFC 6961, which is not spoken here.
	Above []tlscore.Stapled

	// Delegated is a delegated credential that goes before Key (RFC 9345, TLS 1.3): see [Delegated]. With it Key may be nil: peers
	// that take no such credential are then not served. When its time is over, Key signs again; a new one comes with
	// [Listener.SetConfig].
	Delegated *Delegated
}

// ContextSigner is a crypto.Signer whose signing can be abandoned, such as a network HSM. The arguments after the
// context are those of crypto.Signer.Sign.
type ContextSigner interface {
	crypto.Signer
	SignContext(ctx context.Context, rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error)
}

// settings is a checked Config for one role: immutable, shared by connections.
type settings struct {
	role       tlscore.Role
	params     *tlscore.Params
	buffers    *buffers
	roots      []*x509.Certificate
	system     *x509.CertPool
	serverName string
	insecure   bool
	keyed      bool // client: insists on an external PSK
	unnamed    bool // takes no certificates, only raw public keys, which say nothing of names
	pins       pki.PinSet
	rawKeys    pki.PinSet
	timeout    time.Duration
	now        func() time.Time
	keyLog     *keyLog
	kernelTLS  bool
	verifyPeer func(context.Context, Peer, tlscore.Facts) error
	lookUp     func(context.Context, []byte) (*tlscore.PSK, error)
	staples    func(context.Context, *tlscore.Question) ([][]byte, error)
	noOCSP     bool
	choose     func(context.Context, *tlscore.Question, []*tlscore.Identity) (*tlscore.Identity, error)
	observer   func() tlscore.Observer
	secrets    func() tlscore.Secrets
	maxShakes  int
	noTickets  bool
	dynamic    bool                                  // sizes of records
	delay      time.Duration                         // of small writes; 0: none
	maxEarly   uint32                                // server: bytes of early data
	issuer     issuer                                // server
	sessions   SessionStore                          // client; nil: none
	digest     string                                // client: see trustDigest
	forClient  func(*ClientHello) (*Prepared, error) // server; nil: this is for all
	tag        any                                   // of Prepare
	ech        echSettings
	memo       *chainMemo // chains that were verified; nil: the system's roots decide
}

// compile checks c for one role.
func (c *Config) compile(role tlscore.Role) (*settings, error) {
	if c == nil {
		c = &Config{}
	}
	s := &settings{
		role:       role,
		buffers:    new(buffers),
		roots:      slices.Clone(c.Roots),
		serverName: c.ServerName,
		insecure:   c.Insecure,
		pins:       slices.Clone(c.Pins),
		rawKeys:    slices.Clone(c.RawKeys),
		timeout:    c.HandshakeTimeout,
		now:        c.Time,
		verifyPeer: c.VerifyPeer,
		choose:     c.ChooseIdentity,
		lookUp:     c.LookUpPSK,
		staples:    c.Staples,
		noOCSP:     c.Core.NoOCSP,
		keyed:      c.insistsOnPSK(),
		observer:   c.Observer,
		secrets:    c.Secrets,
		maxShakes:  c.MaxHandshakes,
		noTickets:  c.Core.NoTickets,
		dynamic:    c.DynamicRecords,
		delay:      c.WriteDelay,
		maxEarly:   c.Core.MaxEarlyData,
		sessions:   c.Sessions,
		forClient:  c.ForClient,
		ech:        echSettings{slices.Clone(c.ECHConfigList), c.LookUpECH, c.ECH, c.AcceptECH},
		kernelTLS:  c.KernelTLS,
	}
	if role == tlscore.RoleServer {
		s.issuer = newIssuer(c)
	} else {
		s.digest = trustDigest(c)
	}
	if s.timeout == 0 {
		s.timeout = DefaultHandshakeTimeout
	}
	if s.maxShakes <= 0 {
		s.maxShakes = DefaultMaxHandshakes
	}
	if s.now == nil {
		s.now = time.Now
	}
	if c.KeyLog != nil {
		s.keyLog = &keyLog{w: c.KeyLog}
	}
	if err := errors.Join(c.checkPinning(role), c.checkPSKs(role), c.checkRawKeys(), c.checkECH(role), s.trust(c)); err != nil {
		return nil, fmt.Errorf("tlsnet: %w", err)
	}
	if role == tlscore.RoleServer || s.system == nil {
		s.memo = new(chainMemo)
	}
	core, err := c.core(role)
	if err != nil {
		return nil, fmt.Errorf("tlsnet: %w", err)
	}
	s.unnamed = len(core.PeerCertificateTypes) > 0 && !slices.Contains(core.PeerCertificateTypes, wire.CertificateTypeX509)
	if s.params, err = tlscore.Compile(core); err != nil {
		return nil, fmt.Errorf("tlsnet: %w", err)
	}
	return s, nil
}

// trust settles whom the role trusts.
func (s *settings) trust(c *Config) error {
	if s.role == tlscore.RoleServer {
		s.roots = slices.Clone(c.ClientRoots)
		if (c.Core.ClientAuth != tlscore.NoClientCert || c.Core.PostHandshakeAuth) && len(s.roots) == 0 && !c.Insecure && len(c.RawKeys) == 0 {
			return errors.New("client certificates are asked for, but there are no client roots to verify them with")
		}
		return nil
	}
	if (c.Insecure || c.insistsOnPSK() || len(c.RawKeys) > 0 && !c.SystemRoots) && len(c.Roots) == 0 || len(c.Roots) != 0 && !c.SystemRoots {
		return nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return fmt.Errorf("system roots: %w", err)
	}
	s.system = pool
	return nil
}

// core returns the machine's configuration with the identities in it.
func (c *Config) core(role tlscore.Role) (tlscore.Config, error) {
	core := c.Core
	if len(core.Identities) != 0 {
		return core, errors.New("identities belong into Config.Identities, with their keys, not into Config.Core")
	}
	if role == tlscore.RoleServer && len(c.Identities) == 0 && len(core.PSKs) == 0 && c.LookUpPSK == nil {
		return core, errors.New("a server needs a certificate, or a pre-shared key: Config.Identities is empty")
	}
	for i, id := range c.Identities {
		if id.Key == nil && (id.Delegated == nil || id.Raw) {
			return core, fmt.Errorf("identities[%d]: has no key", i)
		}
		if id.Raw {
			raw, err := rawIdentity(id)
			if err != nil {
				return core, fmt.Errorf("identities[%d]: %w", i, err)
			}
			core.Identities = append(core.Identities, raw)
			continue
		}
		certified, err := id.certified(role)
		if err != nil {
			return core, fmt.Errorf("identities[%d]: %w", i, err)
		}
		core.Identities = append(core.Identities, certified)
	}
	if len(c.CertificateCompression) > 0 {
		var err error
		if core.CertificateCompression, err = compressions(c.CertificateCompression); err != nil {
			return core, err
		}
	}
	if len(core.PeerCertificateTypes) == 0 {
		core.PeerCertificateTypes = c.peerTypes(role)
	}
	core.AskECH = len(core.ECHKeys) > 0
	core.AskIdentity, core.AskPSK, core.AskStaple = c.ChooseIdentity != nil, c.LookUpPSK != nil, c.Staples != nil
	core.AskSession = role == tlscore.RoleServer && !core.NoTickets
	core.SessionIDs = core.AskSession && c.ServerSessions != nil
	return core, nil
}

// keyFits refuses a key that is not the leaf's, which no peer could make sense of. A leaf that x509 cannot read is
// left to tlscore.
func keyFits(id Identity) error {
	if len(id.Chain) == 0 {
		return errors.New("chain is empty")
	}
	leaf, err := cert.ParseX509(id.Chain[0])
	if err != nil {
		return nil
	}
	if id.Key == nil {
		return nil
	}
	own, ok := id.Key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if leaf.PublicKey != nil && ok && !own.Equal(leaf.PublicKey) {
		return errors.New("the private key is not the one of the certificate")
	}
	return nil
}
