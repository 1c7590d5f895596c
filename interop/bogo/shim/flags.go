package main

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// settings are a test's flags.
type settings struct {
	isHandshakerSupported bool

	port   uint16
	ipv6   bool
	shimID *uint64 // nil: the runner is of the time before it told connections apart by a number
	server bool
	async  bool

	versions versionRange

	// what we present
	fallback                   credential // the flags before any -new-x509-credential
	credentials                []*credential
	askIdentity                bool
	failHello, failCertificate bool

	// what we ask of the peer
	verifyPeer, requirePeer bool
	verifyFail              bool
	customVerify            bool
	authorities             [][]byte

	// preferences
	groups      []wire.Group
	keyShares   []wire.Group
	verifyPrefs []wire.SignatureScheme
	serverName  string
	protocols   []string
	rejectALPN  bool
	maxMessage  int

	script script
	expect expectations
}

// script is what is to be done once the handshake is over.
type script struct {
	writesFirst         bool
	firstWrite          string
	firstWrites         int
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
}

// versionRange is which protocol versions a test allows.
type versionRange struct {
	min, max wire.Version // 0: no bound
	without  map[wire.Version]bool
}

// tls13 reports whether the test allows the version that tlswright speaks.
func (v versionRange) tls13() bool {
	return !v.without[wire.VersionTLS13] && (v.max == 0 || v.max >= wire.VersionTLS13) && v.min <= wire.VersionTLS13
}

// older reports whether the test allows a version that tlswright does not speak.
func (v versionRange) older() bool {
	for _, version := range []wire.Version{wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12} {
		if version >= v.min && (v.max == 0 || version <= v.max) && !v.without[version] {
			return true
		}
	}
	return false
}

// parseFlags reads the command line. Strictness is the point: a flag or a value that has no meaning here makes the
// test unimplemented.
func parseFlags(args []string) (*settings, error) {
	c := &settings{versions: versionRange{without: make(map[wire.Version]bool)}}
	c.script.firstWrite, c.script.firstWrites = "hello", 1
	for len(args) > 0 {
		flag := args[0]
		args = args[1:]
		name, ok := ours(flag)
		if !ok {
			return nil, unimplemented(flag)
		}
		if set, ok := switches[name]; ok {
			set(c)
			continue
		}
		set, ok := values[name]
		if !ok || len(args) == 0 {
			return nil, unimplemented(flag)
		}
		if !set(c, args[0]) {
			return nil, unimplemented(flag + " " + args[0])
		}
		args = args[1:]
	}
	if !c.versions.tls13() {
		return nil, unimplemented("versions below TLS 1.3")
	}
	return c, nil
}

// ours strips the prefixes that say which process and which connection a flag is for. Only the first connection exists:
// there is no resumption.
func ours(flag string) (name string, ok bool) {
	for _, prefix := range []string{"-on-shim-", "-on-initial-"} {
		if rest, found := strings.CutPrefix(flag, prefix); found {
			flag = "-" + rest
		}
	}
	for _, prefix := range []string{"-on-handshaker-", "-on-resume-", "-on-retry-"} {
		if strings.HasPrefix(flag, prefix) {
			return "", false
		}
	}
	return flag, true
}

// switches are the flags without a value.
var switches = map[string]func(*settings){
	"-is-handshaker-supported": func(c *settings) { c.isHandshakerSupported = true },

	"-ipv6":   func(c *settings) { c.ipv6 = true },
	"-server": func(c *settings) { c.server = true },
	"-async":  func(c *settings) { c.async = true },

	"-no-tls1":  func(c *settings) { c.versions.without[wire.VersionTLS10] = true },
	"-no-tls11": func(c *settings) { c.versions.without[wire.VersionTLS11] = true },
	"-no-tls12": func(c *settings) { c.versions.without[wire.VersionTLS12] = true },
	"-no-tls13": func(c *settings) { c.versions.without[wire.VersionTLS13] = true },

	"-new-x509-credential":            func(c *settings) { c.credentials = append(c.credentials, &credential{}) },
	"-must-match-issuer":              func(c *settings) { c.credential().mustMatchIssuer = true },
	"-use-early-callback":             func(c *settings) { c.askIdentity = true },
	"-use-old-client-cert-callback":   func(c *settings) { c.askIdentity = true },
	"-fail-early-callback":            func(c *settings) { c.askIdentity, c.failHello = true, true },
	"-fail-cert-callback":             func(c *settings) { c.askIdentity, c.failCertificate = true, true },
	"-verify-peer":                    func(c *settings) { c.verifyPeer = true },
	"-require-any-client-certificate": func(c *settings) { c.requirePeer = true },
	"-verify-fail":                    func(c *settings) { c.verifyFail = true },
	"-use-custom-verify-callback":     func(c *settings) { c.customVerify = true },
	"-no-key-shares":                  func(c *settings) { c.keyShares = []wire.Group{} },
	"-decline-alpn":                   func(c *settings) { c.protocols = nil },
	"-reject-alpn":                    func(c *settings) { c.rejectALPN = true },

	"-shim-writes-first":          func(c *settings) { c.script.writesFirst = true },
	"-read-with-unfinished-write": func(c *settings) { c.script.unfinishedWrite = true },
	"-shim-shuts-down":            func(c *settings) { c.script.shutsDown = true },
	"-check-close-notify":         func(c *settings) { c.script.checkCloseNotify = true },
	"-key-update":                 func(c *settings) { c.script.keyUpdate = true },
	"-key-update-before-read":     func(c *settings) { c.script.keyUpdateBeforeRead = true },
	"-send-alert":                 func(c *settings) { c.script.sendAlert = true },
	"-use-exporter-between-reads": func(c *settings) { c.script.exportBetweenReads = true },
	"-export-traffic-secrets":     func(c *settings) { c.script.exportTraffic = true },

	"-expect-hrr":            func(c *settings) { c.expect.retry = true },
	"-expect-no-hrr":         func(c *settings) { c.expect.noRetry = true },
	"-expect-no-peer-cert":   func(c *settings) { c.expect.noPeerCertificate = true },
	"-expect-no-server-name": func(c *settings) { c.expect.noServerName = true },
	"-expect-verify-result":  func(c *settings) { c.expect.verified = true },
	"-handshake-never-done":  func(c *settings) { c.expect.neverDone = true },

	// An export always takes a context in TLS 1.3, and no context is the empty one (RFC 8446, Section 7.5).
	"-use-export-context": ignore,
	// The machine has no call that does a handshake: it is fed, and the handshake happens.
	"-implicit-handshake":    ignore,
	"-handshake-twice":       ignore,
	"-no-op-extra-handshake": ignore,
	// A server goes by its own preferences.
	"-server-preference": ignore,
	// Without resumption no session is kept and no ticket sent, at either end.
	"-no-ticket":            ignore,
	"-expect-no-session":    ignore,
	"-expect-no-session-id": ignore,
	// These speak of mechanisms that TLS 1.3 has done away with, and are silent about it.
	"-expect-extended-master-secret":        ignore,
	"-expect-secure-renegotiation":          ignore,
	"-renegotiate-freely":                   ignore,
	"-renegotiate-ignore":                   ignore,
	"-renegotiate-once":                     ignore,
	"-forbid-renegotiation-after-handshake": ignore,
	"-no-legacy-server-connect":             ignore,
}

// ignore is for flags that ask for what is always so.
func ignore(*settings) {}

// values are the flags with a value. A setter returns false for a value it can do nothing with.
var values = map[string]func(*settings, string) bool{
	"-port":    func(c *settings, v string) bool { return number(&c.port, v) },
	"-shim-id": func(c *settings, v string) bool { c.shimID = new(uint64); return number(c.shimID, v) },
	// Only a first connection is there, so only tests without a second.
	"-resume-count": func(_ *settings, v string) bool { return v == "0" },

	// The list is of the cipher suites of TLS 1.2.
	"-cipher": func(*settings, string) bool { return true },

	"-min-version": func(c *settings, v string) bool { return number(&c.versions.min, v) },
	"-max-version": func(c *settings, v string) bool { return number(&c.versions.max, v) },

	"-cert-file":     func(c *settings, v string) bool { c.credential().chainFile = v; return true },
	"-key-file":      func(c *settings, v string) bool { c.credential().keyFile = v; return true },
	"-signing-prefs": func(c *settings, v string) bool { return scheme(&c.credential().schemes, v) },
	// Who is to be trusted is a question to the caller, and -verify-fail says how it is answered.
	"-trust-cert":         func(*settings, string) bool { return true },
	"-use-client-ca-list": func(c *settings, v string) bool { return names(&c.authorities, v) },

	"-curves":         func(c *settings, v string) bool { return group(&c.groups, v) },
	"-key-shares":     func(c *settings, v string) bool { return group(&c.keyShares, v) },
	"-verify-prefs":   func(c *settings, v string) bool { return scheme(&c.verifyPrefs, v) },
	"-host-name":      func(c *settings, v string) bool { c.serverName = v; return true },
	"-advertise-alpn": func(c *settings, v string) bool { return protocols(&c.protocols, v) },
	"-select-alpn":    func(c *settings, v string) bool { c.protocols = []string{v}; return true },
	"-max-cert-list":  func(c *settings, v string) bool { return number(&c.maxMessage, v) },

	"-shim-initial-write":        func(c *settings, v string) bool { c.script.firstWrite = v; return true },
	"-repeat-shim-initial-write": func(c *settings, v string) bool { return number(&c.script.firstWrites, v) },
	"-export-keying-material":    func(c *settings, v string) bool { return number(&c.script.exportLength, v) },
	"-export-label":              func(c *settings, v string) bool { c.script.exportLabel = v; return true },
	"-export-context":            func(c *settings, v string) bool { c.script.exportContext = v; return true },

	"-expect-version": func(c *settings, v string) bool { return number(&c.expect.version, v) },
	"-expect-cipher":  func(c *settings, v string) bool { return number(&c.expect.suite, v) },
	// Our preferences do not depend on the hardware: they are those of one that has AES.
	"-expect-cipher-aes":               func(c *settings, v string) bool { return number(&c.expect.suite, v) },
	"-expect-cipher-no-aes":            func(c *settings, v string) bool { return true },
	"-expect-curve-id":                 func(c *settings, v string) bool { return number(&c.expect.group, v) },
	"-expect-peer-signature-algorithm": func(c *settings, v string) bool { return number(&c.expect.peerScheme, v) },
	"-expect-peer-verify-pref":         func(c *settings, v string) bool { return number(added(&c.expect.peerSchemes), v) },
	"-expect-peer-cert-file":           func(c *settings, v string) bool { c.expect.peerChainFile = v; return true },
	"-expect-selected-credential": func(c *settings, v string) bool {
		c.expect.credential = new(int)
		return number(c.expect.credential, v)
	},
	"-expect-server-name":          func(c *settings, v string) bool { c.expect.serverName = v; return true },
	"-expect-alpn":                 func(c *settings, v string) bool { c.expect.protocol = &v; return true },
	"-expect-advertised-alpn":      func(c *settings, v string) bool { return protocols(&c.expect.advertised, v) },
	"-expect-client-ca-list":       func(c *settings, v string) bool { return names(&c.expect.authorities, v) },
	"-expect-msg-callback":         func(c *settings, v string) bool { c.expect.messages = v; return true },
	"-expect-total-renegotiations": func(_ *settings, v string) bool { return v == "0" },
}

// credential returns the credential that flags speak of now.
func (c *settings) credential() *credential {
	if n := len(c.credentials); n > 0 {
		return c.credentials[n-1]
	}
	return &c.fallback
}

// number reads a decimal number that fits.
func number[T ~int | ~uint16 | ~uint64](to *T, v string) bool {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		u, err := strconv.ParseUint(v, 10, 64)
		*to = T(u)
		return err == nil && uint64(*to) == u
	}
	*to = T(n)
	return int64(*to) == n
}

// added appends a zero to a list and returns its place.
func added[T any](to *[]T) *T {
	*to = append(*to, *new(T))
	return &(*to)[len(*to)-1]
}

func group(to *[]wire.Group, v string) bool {
	id := added(to)
	return number(id, v) && suite.GroupByID(*id) != nil
}

func scheme(to *[]wire.SignatureScheme, v string) bool {
	id := added(to)
	return number(id, v) && suite.SchemeByID(*id) != nil
}

// protocols reads application protocols as they stand in the extension: each with its length before it.
func protocols(to *[]string, v string) bool {
	for len(v) > 0 {
		n := int(v[0])
		if n == 0 || len(v) <= n {
			return false
		}
		*to = append(*to, v[1:1+n])
		v = v[1+n:]
	}
	return true
}

// names reads distinguished names: DER in hexadecimal, separated by commas. The two words stand for no list.
func names(to *[][]byte, v string) bool {
	if v == "<NULL>" || v == "<EMPTY>" {
		return true
	}
	for part := range strings.SplitSeq(v, ",") {
		der, err := hex.DecodeString(part)
		if err != nil {
			return false
		}
		*to = append(*to, der)
	}
	return true
}
