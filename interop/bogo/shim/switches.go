package main

import (
	"crypto"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

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
	"-install-cert-compression-algs":  func(c *settings) { c.compressAll = true },
	"-new-delegated-credential":       func(c *settings) { c.credentials = append(c.credentials, &credential{delegates: true}) },
	"-new-rpk-credential":             func(c *settings) { c.credentials = append(c.credentials, &credential{raw: true}) },
	"-new-psk-credential":             func(c *settings) { c.credentials = append(c.credentials, &credential{psk: &tlscore.PSK{}}) },
	"-psk-importer-sha256":            func(c *settings) { c.key().Hash = crypto.SHA256 },
	"-psk-importer-sha384":            func(c *settings) { c.key().Hash = crypto.SHA384 },
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

	"-enable-grease":                 func(c *settings) { c.grease = true },
	"-permute-extensions":            func(c *settings) { c.permute = true },
	"-renew-ticket":                  func(c *settings) { c.renew = true },
	"-no-legacy-server-connect":      func(c *settings) { c.insistsRI = true },
	"-no-ticket":                     func(c *settings) { c.noTicket = true },
	"-use-ticket-callback":           ignore, // the tickets are the shim's own in any case
	"-use-ticket-aead-callback":      ignore,
	"-skip-ticket":                   func(c *settings) { c.skipTicket = true },
	"-enable-early-data":             func(c *settings) { c.earlyData = true },
	"-reverify-on-resume":            func(c *settings) { c.reverify = true },
	"-enable-ocsp-stapling":          func(c *settings) { c.ocsp.asks = true },
	"-use-ocsp-callback":             func(c *settings) { c.ocsp.callback = true },
	"-set-ocsp-in-callback":          ignore, // the answer to NeedStaple
	"-decline-ocsp-callback":         func(c *settings) { c.ocsp.decline = true },
	"-fail-ocsp-callback":            func(c *settings) { c.ocsp.fail = true },
	"-enable-signed-cert-timestamps": func(c *settings) { c.asksSCTs = true },

	"-enable-ech-grease":              func(c *settings) { c.ech.grease = true },
	"-fail-early-callback-ech-rewind": func(c *settings) { c.ech.rewinds = true },
	"-reject-unusable-ech-config":     func(c *settings) { c.ech.rejectsUnused = true },
	"-expect-ech-accept":              func(c *settings) { c.ech.expectAccept = true },
	"-expect-no-ech-name-override":    func(c *settings) { c.ech.noNameOverride = true },
	"-expect-no-ech-retry-configs":    func(c *settings) { c.ech.noRetryConfigs = true },

	"-shim-writes-first":          func(c *settings) { c.script.writesFirst = true },
	"-read-with-unfinished-write": func(c *settings) { c.script.unfinishedWrite = true },
	"-shim-shuts-down":            func(c *settings) { c.script.shutsDown = true },
	"-check-close-notify":         func(c *settings) { c.script.checkCloseNotify = true },
	"-key-update":                 func(c *settings) { c.script.keyUpdate = true },
	"-key-update-before-read":     func(c *settings) { c.script.keyUpdateBeforeRead = true },
	"-send-alert":                 func(c *settings) { c.script.sendAlert = true },
	"-use-exporter-between-reads": func(c *settings) { c.script.exportBetweenReads = true },
	"-export-traffic-secrets":     func(c *settings) { c.script.exportTraffic = true },

	"-expect-hrr":                        func(c *settings) { c.expect.retry = true },
	"-expect-no-hrr":                     func(c *settings) { c.expect.noRetry = true },
	"-expect-no-peer-cert":               func(c *settings) { c.expect.noPeerCertificate = true },
	"-expect-no-server-name":             func(c *settings) { c.expect.noServerName = true },
	"-expect-verify-result":              func(c *settings) { c.expect.verified = true },
	"-expect-session-miss":               func(c *settings) { c.expect.sessionMiss = true },
	"-expect-no-session":                 func(c *settings) { c.expect.noSession = true },
	"-expect-session-id":                 func(c *settings) { c.expect.sessionID = true },
	"-expect-no-session-id":              func(c *settings) { c.expect.noSessionID = true },
	"-expect-ticket-renewal":             func(c *settings) { c.expect.renewal = true },
	"-expect-ticket-supports-early-data": func(c *settings) { c.expect.earlyTicket = true },
	"-expect-accept-early-data":          func(c *settings) { c.expect.earlyAccepted = true },
	"-expect-reject-early-data":          func(c *settings) { c.expect.earlyRejected = true },
	"-expect-no-offer-early-data":        func(c *settings) { c.expect.noEarlyOffer = true },
	"-expect-extended-master-secret":     func(c *settings) { c.expect.extendedMaster = true },
	"-expect-secure-renegotiation":       func(c *settings) { c.expect.renegotiation = secure },
	"-expect-no-secure-renegotiation":    func(c *settings) { c.expect.renegotiation = insecure },
	"-handshake-never-done":              func(c *settings) { c.expect.neverDone = true },

	"-use-export-context": func(c *settings) { c.script.exportWithContext = true },
	// The machine has no call that does a handshake: it is fed, and the handshake happens.
	"-implicit-handshake":    ignore,
	"-handshake-twice":       ignore,
	"-no-op-extra-handshake": ignore,
	// A server goes by its own preferences.
	"-server-preference": ignore,
	// These speak of what an implementation may or may not allow; ours never does, and is silent about it.
	"-renegotiate-freely":                   ignore,
	"-renegotiate-ignore":                   ignore,
	"-renegotiate-once":                     ignore,
	"-forbid-renegotiation-after-handshake": ignore,
}

// ignore is for flags that ask for what is always so.
func ignore(*settings) {}
