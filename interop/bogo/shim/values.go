package main

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// values are the flags with a value. A setter returns false for a value it can do nothing with.
var values = map[string]func(*settings, string) bool{
	"-port":             func(c *settings, v string) bool { return number(&c.port, v) },
	"-shim-id":          func(c *settings, v string) bool { c.shimID = new(uint64); return number(c.shimID, v) },
	"-resume-count":     func(c *settings, v string) bool { return number(&c.resumptions, v) && c.resumptions >= 0 },
	"-resumption-delay": func(c *settings, v string) bool { return seconds(&c.delay, v) },

	"-cipher": func(c *settings, v string) bool { return cipherList(&c.suites12, v) },

	"-min-version": func(c *settings, v string) bool { return number(&c.versions.min, v) },
	"-max-version": func(c *settings, v string) bool { return number(&c.versions.max, v) },

	"-cert-file":            func(c *settings, v string) bool { c.credential().chainFile = v; return true },
	"-key-file":             func(c *settings, v string) bool { c.credential().keyFile = v; return true },
	"-delegated-credential": func(c *settings, v string) bool { return base64Bytes(&c.credential().delegated, v) },
	"-signing-prefs":        func(c *settings, v string) bool { return c.credential().signsWith(v) },
	// Who is to be trusted is a question to the caller, and -verify-fail says how it is answered.
	"-trust-cert":                       func(*settings, string) bool { return true },
	"-ocsp-response":                    func(c *settings, v string) bool { return base64Bytes(&c.credential().staple, v) },
	"-signed-cert-timestamps":           func(c *settings, v string) bool { return timestamps(&c.credential().scts, v) },
	"-install-one-cert-compression-alg": func(c *settings, v string) bool { return number(&c.compressWith, v) },
	"-accepted-peer-cert-types":         func(c *settings, v string) bool { return number(added(&c.peerTypes), v) },
	"-available-client-cert-types":      func(c *settings, v string) bool { return number(added(&c.ownTypes), v) },
	"-expect-peer-certificate-type": func(c *settings, v string) bool {
		c.expect.peerType = new(wire.CertificateType)
		return number(c.expect.peerType, v)
	},
	"-expect-peer-rpk-sha256": func(c *settings, v string) bool { return base64Bytes(&c.expect.peerKey, v) },
	"-psk-importer-key":       func(c *settings, v string) bool { return base64Bytes(&c.key().Key, v) },
	"-psk-importer-identity":  func(c *settings, v string) bool { return base64Bytes(&c.key().Identity, v) },
	"-psk-importer-context":   func(c *settings, v string) bool { return base64Bytes(&c.key().Context, v) },
	"-use-client-ca-list":     func(c *settings, v string) bool { return names(&c.authorities, v) },

	"-ech-config-list":          func(c *settings, v string) bool { return base64Bytes(&c.ech.list, v) },
	"-ech-server-config":        func(c *settings, v string) bool { return base64Bytes(added(&c.ech.configs), v) },
	"-ech-server-key":           func(c *settings, v string) bool { return base64Bytes(added(&c.ech.keys), v) },
	"-ech-is-retry-config":      func(c *settings, v string) bool { return number(added(&c.ech.retry), v) },
	"-expect-ech-name-override": func(c *settings, v string) bool { c.ech.nameOverride = v; return true },
	"-expect-ech-retry-configs": func(c *settings, v string) bool { return base64Bytes(&c.ech.retryConfigs, v) },

	"-curves":         func(c *settings, v string) bool { return group(&c.groups, v) },
	"-key-shares":     func(c *settings, v string) bool { return group(&c.keyShares, v) },
	"-verify-prefs":   func(c *settings, v string) bool { return scheme(&c.verifyPrefs, v) },
	"-host-name":      func(c *settings, v string) bool { c.serverName = v; return true },
	"-advertise-alpn": func(c *settings, v string) bool { return protocols(&c.protocols, v) },
	"-select-alpn": func(c *settings, v string) bool {
		c.protocols = nil // an empty one selects none
		if v != "" {
			c.protocols = []string{v}
		}
		return true
	},
	"-max-cert-list": func(c *settings, v string) bool { return number(&c.maxMessage, v) },

	"-max-send-fragment": func(c *settings, v string) bool { return number(&c.maxRecord, v) },

	"-shim-initial-write":        func(c *settings, v string) bool { c.script.firstWrite = v; return true },
	"-repeat-shim-initial-write": func(c *settings, v string) bool { return number(&c.script.firstWrites, v) },
	"-export-keying-material":    func(c *settings, v string) bool { return number(&c.script.exportLength, v) },
	"-export-label":              func(c *settings, v string) bool { c.script.exportLabel = v; return true },
	"-export-context":            func(c *settings, v string) bool { c.script.exportContext = v; return true },

	"-expect-ocsp-response":          func(c *settings, v string) bool { return base64Bytes(&c.expect.staple, v) },
	"-expect-signed-cert-timestamps": func(c *settings, v string) bool { return timestamps(&c.expect.scts, v) },
	"-expect-certificate-types":      func(c *settings, v string) bool { return base64Bytes(&c.expect.certificateTypes, v) },
	"-expect-ticket-age-skew":        func(c *settings, v string) bool { return seconds(&c.expect.skew, v) },
	"-expect-early-data-reason":      func(c *settings, v string) bool { c.expect.earlyReason = v; return true },
	"-early-write-after-message":     func(c *settings, v string) bool { return number(&c.script.writeAfter, v) },
	"-read-size":                     func(c *settings, v string) bool { return true }, // data comes in records
	"-expect-version":                func(c *settings, v string) bool { return number(&c.expect.version, v) },
	"-expect-cipher":                 func(c *settings, v string) bool { return number(&c.expect.suite, v) },
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

// number reads a decimal number that fits.
func number[T ~int | ~uint8 | ~uint16 | ~uint64](to *T, v string) bool {
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

// seconds reads a number of seconds.
func seconds(to *time.Duration, v string) bool {
	var n int
	ok := number(&n, v)
	*to = time.Duration(n) * time.Second
	return ok
}

func base64Bytes(to *[]byte, v string) (ok bool) {
	data, err := base64.StdEncoding.DecodeString(v)
	*to = data
	return err == nil
}

// timestamps reads a SignedCertificateTimestampList as it stands on the wire (RFC 6962, Section 3.3). What is none becomes
// one empty timestamp, which the machine does not take either.
func timestamps(to *[][]byte, v string) bool {
	var list []byte
	if !base64Bytes(&list, v) {
		return false
	}
	msg := wire.CertificateEntry{Extensions: wire.Extensions{{Type: wire.ExtSignedCertificateTimestamp, Data: list}}}
	var scts wire.SCTs
	if _, err := msg.Ext(&scts); err != nil {
		scts.List = [][]byte{nil}
	}
	*to = scts.List
	return true
}
