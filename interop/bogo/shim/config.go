package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// maxPeerChain is how many certificates the runner takes for granted; the size of the message is the limit that it tests.
const maxPeerChain = 100

// maxEarlyData is how many bytes of early data the runner takes for granted.
const maxEarlyData = 14336

// noSuchProtocol is what it takes to refuse every application protocol: one that nobody offers.
const noSuchProtocol = "tlswright-refuses-all"

// compile makes the machine's configuration. What the machine cannot be configured for is unimplemented.
func (c *settings) compile() (*tlscore.Params, error) {
	identities, err := c.identities()
	if err != nil {
		return nil, err
	}
	lowest, highest := c.versions.ours()
	config := tlscore.Config{
		MinVersion: lowest, MaxVersion: highest, CipherSuites: append(defaultSuites(), c.suites()...),
		Groups: c.groups, KeyShares: c.shares(), Schemes: c.verifyPrefs, ALPN: c.protocols,
		Identities: identities, AskIdentity: c.chooses(),
		CertificateAuthorities: c.authorities,
		NoTickets:              c.noTicket, AskSession: c.server, SessionIDs: c.server,
		MaxHandshakeMessage: c.maxMessage, MaxPeerChain: maxPeerChain, MaxRecord: c.maxRecord,
	}
	config.Grease, config.PermuteExtensions = c.grease || c.server, c.permute // BoringSSL's servers always do
	config.RequireSecureRenegotiation = c.insistsRI
	config.CertificateCompression = c.compression()
	// The runner takes a server that asks clients for OCSP responses for none that there is.
	config.NoOCSP, config.NoSCTs, config.AskStaple = c.server || !c.ocsp.asks, !c.asksSCTs, c.server && c.ocsp.callback
	config.AskECH = c.ech.rewinds
	config.ECHGrease, config.ECHBackend = c.ech.grease, c.server && len(c.ech.keys) == 0
	if config.ECHKeys, err = c.ech.echKeys(); err != nil {
		return nil, err
	}
	config.PeerCertificateTypes, config.OwnCertificateTypes = c.peerTypes, c.ownTypes
	config.PSKs, config.PSKOptional = c.psks(), c.verifyPeer
	config.PreferCertificate = len(c.credentials) > 0 && c.credentials[0].psk == nil && !config.AskIdentity
	if !c.server && len(config.PSKs) > 0 && !c.verifyPeer {
		config.MinVersion = wire.VersionTLS13
	}
	if c.server && c.async {
		config.PSKs, config.AskPSK = nil, len(config.PSKs) > 0
	}
	switch {
	case len(config.Schemes) == 0:
		config.Schemes = defaultVerifyPrefs()
	case !slices.ContainsFunc(config.Schemes, func(id wire.SignatureScheme) bool { return suite.SchemeByID(id).TLS13 }):
		// Tests of what may not sign in TLS 1.3 name nothing else, and the machine wants one that may: none of them uses this.
		config.Schemes = append(config.Schemes, wire.SchemeEd25519)
	}
	if c.earlyData {
		config.MaxEarlyData = maxEarlyData
	}
	if c.rejectALPN {
		config.ALPN = []string{noSuchProtocol}
	}
	switch {
	case !c.server:
	case c.requirePeer:
		config.ClientAuth = tlscore.RequireClientCert
	case c.verifyPeer:
		config.ClientAuth = tlscore.RequestClientCert
	}
	params, err := tlscore.Compile(config)
	if err != nil && strings.Contains(err.Error(), "invalid delegated credential") {
		return nil, fmt.Errorf(":INVALID_SIGNATURE_ALGORITHM: %w", err)
	}
	if err != nil && slices.ContainsFunc(identities, hasEmptySCT) {
		return nil, fmt.Errorf(":INVALID_SCT_LIST: %w", err)
	}
	if err != nil {
		return nil, unimplemented(err.Error())
	}
	return params, nil
}

// defaultSuites are the cipher suites of TLS 1.3 in the order that the runner takes for granted.
func defaultSuites() []wire.CipherSuite {
	return []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256}
}

// defaultVerifyPrefs are the schemes that the runner takes for granted where no flag speaks of them: fewer than ours.
func defaultVerifyPrefs() []wire.SignatureScheme {
	return []wire.SignatureScheme{
		wire.SchemeECDSASecp256r1SHA256, wire.SchemeRSAPSSRSAESHA256, wire.SchemeRSAPKCS1SHA256,
		wire.SchemeECDSASecp384r1SHA384, wire.SchemeRSAPSSRSAESHA384, wire.SchemeRSAPKCS1SHA384,
		wire.SchemeRSAPSSRSAESHA512, wire.SchemeRSAPKCS1SHA512,
	}
}

// shares are the groups to send shares for at once: where only -curves speaks, what the runner takes for granted, which
// is the first group and the first of the other kind, post-quantum or not.
func (c *settings) shares() []wire.Group {
	if c.keyShares != nil || len(c.groups) == 0 {
		return c.keyShares
	}
	hybrid := suite.GroupByID(c.groups[0]).PostQuantum
	shares := c.groups[:1:1]
	if i := slices.IndexFunc(c.groups, func(g wire.Group) bool { return suite.GroupByID(g).PostQuantum != hybrid }); i > 0 {
		shares = append(shares, c.groups[i])
	}
	return shares
}

// suites are those of TLS 1.2.
func (c *settings) suites() []wire.CipherSuite {
	if c.suites12 != nil {
		return c.suites12
	}
	return suite.Defaults12()
}

func hasEmptySCT(id tlscore.Identity) bool {
	return slices.ContainsFunc(id.SCTs, func(sct []byte) bool { return len(sct) == 0 })
}
