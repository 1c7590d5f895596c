package relics

import (
	"math/big"
	"net"
	"slices"
	"testing"

	"github.com/tlswright/tlswright/internal/ciphers"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/wire"
)

// Script is what a server of SSL 3.0 to TLS 1.2 says up to its ServerHelloDone, and what it does when something comes
// behind. The zero value offers nothing; [Sound] is where most scripts begin.
type Script struct {
	Versions []wire.Version     // that are offered
	Suites   []wire.CipherSuite // in the server's order
	// Only are the suites of a version in the place of Suites.
	Only        map[wire.Version][]wire.CipherSuite
	ClientOrder bool                  // the client's order of suites counts
	SSL2        []wire.SSL2CipherKind // with at least one of them SSL 2.0 is spoken, too
	// SSL2Unlisted takes a kind of 40 bits that was not listed (CVE-2015-3197), SSL2ExtraClear bytes in the clear in the place of
	// encrypted ones (CVE-2016-0703).
	SSL2Unlisted, SSL2ExtraClear bool
	Compression                  []byte       // methods that are taken beside null
	Groups                       []wire.Group // for ECDHE, in the server's order
	// Prime and Generator of DHE; nil: those of RFC 3526, group 14.
	Prime, Generator *big.Int
	// ExportPrime is that of export suites; nil: one of 512 bits.
	ExportPrime *big.Int
	FixedDH     bool // the same public value on all connections

	Heartbeat      bool     // the extension is answered (RFC 6520)
	NoSCSV         bool     // TLS_FALLBACK_SCSV is passed over
	NoSecureRenego bool     // renegotiation_info is not answered (RFC 5746)
	NoEMS          bool     // extended_master_secret is not answered (RFC 7627)
	ALPN           []string // protocols that are known; none: the extension is passed over
	LaxALPN        bool     // an unknown protocol is passed over instead of refused
	Names          []string // server names that are known; none: every name will do
	Heartbleed     bool     // a heartbeat is answered with as many bytes as it claims to have (CVE-2014-0160)
	EarlyCCS       bool     // change_cipher_spec is taken at any time (CVE-2014-0224)
	ECDSA          bool     // a certificate with an ECDSA key is there as well
	OnlyECDSA      bool     // and none with an RSA key

	// Refuse sees every hello before it is answered; true: it has been dealt with, the connection ends.
	Refuse func(c *Talk) bool
	// Behind plays what comes after ServerHelloDone; nil: what a sound server does.
	Behind func(c *Talk)

	chains map[string]identity
}

// Talk is one connection of a scripted server, after the first hello was read.
type Talk struct {
	net.Conn
	Script  *Script
	Hello   wire.ClientHello
	Raw     []byte       // the ClientHello as it came, header included
	Records int          // in how many records it came
	Record  wire.Version // of the first record
	Version wire.Version // that was chosen
	Suite   wire.CipherSuite
	Parts   ciphers.Parts

	ServerRandom [32]byte
	flight       []byte // that was sent
	heartbeat    bool
}

// Sound is a server of TLS 1.0 to 1.2 as it was good in its time: AES with ECDHE, DHE and RSA, its own order, 2048 bits.
func Sound() *Script {
	return &Script{
		Versions: []wire.Version{wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12},
		Suites: []wire.CipherSuite{
			wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			wire.TLS_DHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_DHE_RSA_WITH_AES_256_GCM_SHA384,
			wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, wire.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
			wire.TLS_DHE_RSA_WITH_AES_128_CBC_SHA, wire.TLS_DHE_RSA_WITH_AES_256_CBC_SHA,
			wire.TLS_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_RSA_WITH_AES_128_CBC_SHA, wire.TLS_RSA_WITH_AES_256_CBC_SHA,
		},
		Groups: []wire.Group{wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1},
		ALPN:   []string{"h2", "http/1.1"},
	}
}

// Start starts the script. The server's name is localhost, its root is one of pkitest's.
func (s *Script) Start(t testing.TB) *Server {
	t.Helper()
	s.chains = make(map[string]identity)
	if !s.OnlyECDSA {
		leaf := pkitest.New(t, pkitest.RSA2048).Server(pkitest.RSA2048)
		s.chains["RSA"] = identity{leaf.Chain, leaf.Key}
	}
	if s.ECDSA || s.OnlyECDSA {
		leaf := pkitest.New(t, pkitest.P256).Server(pkitest.P256)
		s.chains["ECDSA"] = identity{leaf.Chain, leaf.Key}
	}
	return Start(t, func(nc net.Conn) { s.Serve(nc) })
}

// Serve plays the script on one connection; [Script.Start] calls it for each. It returns when the play is over.
func (s *Script) Serve(nc net.Conn) {
	c := &Talk{Conn: nc, Script: s}
	first := make([]byte, 5)
	if !c.fill(first) {
		return
	}
	if first[0]&0x80 != 0 && first[2] == 1 {
		c.answerSSL2(first)
		return
	}
	if len(s.Versions) == 0 || !c.readHello(first) {
		return
	}
	if s.Refuse != nil && s.Refuse(c) {
		return
	}
	if code, ok := c.choose(); !ok {
		c.Alert(wire.AlertLevelFatal, code)
		return
	}
	c.sendFlight()
	if s.Behind != nil {
		s.Behind(c)
		return
	}
	c.Sound()
}

// choose settles version and suite; false: code says why not.
func (c *Talk) choose() (code wire.AlertCode, ok bool) {
	s := c.Script
	best := wire.Version(0)
	for _, v := range s.Versions {
		if v <= c.Hello.LegacyVersion && v > best {
			best = v
		}
	}
	if best == 0 {
		c.Version = slices.Min(s.Versions)
		return wire.AlertProtocolVersion, false
	}
	c.Version = best
	isFallback := slices.Contains(c.Hello.CipherSuites, wire.TLS_FALLBACK_SCSV)
	if isFallback && !s.NoSCSV && best < slices.Max(s.Versions) && c.Hello.LegacyVersion < slices.Max(s.Versions) {
		return wire.AlertInappropriateFallback, false
	}
	if code, ok := c.checkNames(); !ok {
		return code, false
	}
	if c.Suite, ok = c.chooseSuite(); !ok {
		return wire.AlertHandshakeFailure, false
	}
	c.Parts, _ = ciphers.Apart(c.Suite)
	return 0, true
}

// checkNames looks at server_name and ALPN.
func (c *Talk) checkNames() (wire.AlertCode, bool) {
	s := c.Script
	var names wire.ServerNames
	if has, err := c.Hello.Ext(&names); err != nil {
		return wire.AlertDecodeError, false
	} else if has && len(s.Names) > 0 {
		if host, _ := names.HostName(); !slices.Contains(s.Names, host) {
			return wire.AlertUnrecognizedName, false
		}
	}
	var alpn wire.ALPN
	has, err := c.Hello.Ext(&alpn)
	if err != nil {
		return wire.AlertDecodeError, false
	}
	isKnown := slices.ContainsFunc(alpn.Protocols, func(p string) bool { return slices.Contains(s.ALPN, p) })
	if has && len(s.ALPN) > 0 && !s.LaxALPN && !isKnown {
		return wire.AlertNoApplicationProtocol, false
	}
	return 0, true
}

// chooseSuite finds the first suite of the order that counts that both have and that can be served.
func (c *Talk) chooseSuite() (wire.CipherSuite, bool) {
	ours, ok := c.Script.Only[c.Version]
	if !ok {
		ours = c.Script.Suites
	}
	order, other := ours, c.Hello.CipherSuites
	if c.Script.ClientOrder {
		order, other = other, order
	}
	for _, id := range order {
		if slices.Contains(other, id) && c.canServe(id) {
			return id, true
		}
	}
	return 0, false
}

func (c *Talk) canServe(id wire.CipherSuite) bool {
	p, ok := ciphers.Apart(id)
	if !ok || p.Since > c.Version || p.Since == wire.VersionTLS13 {
		return false
	}
	if _, has := c.Script.chains[p.Authentication]; !has && p.Authentication != "none" {
		return false
	}
	if p.KeyExchange == "ECDHE" || p.KeyExchange == "ECDH" {
		_, ok := c.chooseGroup()
		return ok
	}
	return true
}

// chooseGroup finds the first of our groups that the client has; a client that names none has P-256.
func (c *Talk) chooseGroup() (wire.Group, bool) {
	var theirs wire.SupportedGroups
	if has, err := c.Hello.Ext(&theirs); err != nil {
		return 0, false
	} else if !has {
		theirs.Groups = []wire.Group{wire.GroupSecp256r1}
	}
	for _, g := range c.Script.Groups {
		if slices.Contains(theirs.Groups, g) {
			return g, true
		}
	}
	return 0, false
}
