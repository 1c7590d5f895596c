package main

import (
	"strings"
	"time"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// plan is a test's flags, sorted by the connection that they are for.
type plan struct {
	initial *settings // the first connection
	resumed *settings // those that resume it
	retried *settings // the rest of a connection whose early data the server rejected
}

// settings are the flags for one connection.
type settings struct {
	isHandshakerSupported bool

	port        uint16
	ipv6        bool
	shimID      *uint64 // nil: the runner is of the time before it told connections apart by a number
	server      bool
	async       bool
	resumptions int           // connections after the first
	delay       time.Duration // after this connection

	versions versionRange

	// what we present
	fallback                   credential // the flags before any -new-x509-credential
	credentials                []*credential
	askIdentity                bool
	failHello, failCertificate bool
	ocsp                       ocsp
	asksSCTs                   bool

	// what we ask of the peer
	verifyPeer, requirePeer bool
	verifyFail, reverify    bool
	customVerify            bool
	authorities             [][]byte
	compressAll             bool
	compressWith            wire.CompressionAlgorithm // 0: no single one
	peerTypes, ownTypes     []wire.CertificateType

	// preferences
	suites12    []wire.CipherSuite // nil: ours
	groups      []wire.Group
	keyShares   []wire.Group
	verifyPrefs []wire.SignatureScheme
	serverName  string
	protocols   []string
	rejectALPN  bool
	maxMessage  int
	maxRecord   int
	grease      bool
	renew       bool
	insistsRI   bool
	permute     bool

	// sessions
	noTicket, skipTicket bool
	earlyData            bool

	ech    encrypted
	script script
	expect expectations
}

// ocsp is how the application's callback for OCSP responses behaves.
type ocsp struct{ callback, decline, fail, asks bool }

// script is what is to be done once the handshake is over.
type script struct {
	writesFirst         bool
	firstWrite          string
	firstWrites         int
	writeAfter          wire.HandshakeType // hold the first writes as early data until this message came; 0: do not
	unfinishedWrite     bool
	shutsDown           bool
	checkCloseNotify    bool
	keyUpdate           bool
	keyUpdateBeforeRead bool
	sendAlert           bool
	exportBetweenReads  bool
	exportTraffic       bool
	exportLength        int
	exportLabel         string
	exportContext       string
	exportWithContext   bool
}

// versionRange is which protocol versions a test allows.
type versionRange struct {
	min, max wire.Version // 0: no bound
	without  map[wire.Version]bool
}

// allows reports whether a test allows a version.
func (v versionRange) allows(version wire.Version) bool {
	return version >= v.min && (v.max == 0 || version <= v.max) && !v.without[version]
}

// ours is the part of the range that tlswright speaks; zeros if it is empty.
func (v versionRange) ours() (lowest, highest wire.Version) {
	for version := wire.VersionTLS12; version <= wire.VersionTLS13; version++ {
		if v.allows(version) {
			highest = version
			if lowest == 0 {
				lowest = version
			}
		}
	}
	return lowest, highest
}

// parseFlags reads the command line. Strictness is the point: a flag or a value that has no meaning here makes the
// test unimplemented.
func parseFlags(args []string) (*plan, error) {
	p := &plan{newSettings(), newSettings(), newSettings()}
	for len(args) > 0 {
		flag := args[0]
		args = args[1:]
		name, targets, ok := p.addressed(flag)
		if !ok {
			return nil, unimplemented(flag)
		}
		if set, ok := switches[name]; ok {
			for _, c := range targets {
				set(c)
			}
			continue
		}
		set, ok := values[name]
		if !ok || len(args) == 0 {
			return nil, unimplemented(flag)
		}
		for _, c := range targets {
			if !set(c, args[0]) {
				return nil, unimplemented(flag + " " + args[0])
			}
		}
		args = args[1:]
	}
	for _, c := range []*settings{p.initial, p.resumed} {
		if lowest, _ := c.versions.ours(); lowest == 0 {
			return nil, unimplemented("versions below TLS 1.2")
		}
	}
	return p, nil
}

func newSettings() *settings {
	c := &settings{versions: versionRange{without: make(map[wire.Version]bool)}}
	c.script.firstWrite, c.script.firstWrites = "hello", 1
	return c
}

// addressed strips the prefixes that say which process and which connection a flag is for. There is no second process.
func (p *plan) addressed(flag string) (name string, targets []*settings, ok bool) {
	if strings.HasPrefix(flag, "-on-handshaker-") {
		return "", nil, false
	}
	if rest, found := strings.CutPrefix(flag, "-on-shim-"); found {
		flag = "-" + rest
	}
	for prefix, c := range map[string]*settings{"-on-initial-": p.initial, "-on-resume-": p.resumed, "-on-retry-": p.retried} {
		if rest, found := strings.CutPrefix(flag, prefix); found {
			return "-" + rest, []*settings{c}, true
		}
	}
	return flag, []*settings{p.initial, p.resumed, p.retried}, true
}

// key returns the pre-shared key that flags speak of now.
func (c *settings) key() *tlscore.PSK {
	if cred := c.credential(); cred.psk != nil {
		return cred.psk
	}
	return &tlscore.PSK{}
}

// credential returns the credential that flags speak of now.
func (c *settings) credential() *credential {
	if n := len(c.credentials); n > 0 {
		return c.credentials[n-1]
	}
	return &c.fallback
}
