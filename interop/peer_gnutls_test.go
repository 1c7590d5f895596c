package interop

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

var gnutlsGroups = map[wire.Group]string{
	wire.GroupX25519: "GROUP-X25519", wire.GroupSecp256r1: "GROUP-SECP256R1", wire.GroupSecp384r1: "GROUP-SECP384R1",
	wire.GroupSecp521r1: "GROUP-SECP521R1",
}

var gnutlsSuites = map[wire.CipherSuite]string{
	wire.TLS_AES_128_GCM_SHA256: "AES-128-GCM", wire.TLS_AES_256_GCM_SHA384: "AES-256-GCM",
	wire.TLS_CHACHA20_POLY1305_SHA256: "CHACHA20-POLY1305",
	wire.TLS_AES_128_CCM_SHA256:       "AES-128-CCM", wire.TLS_AES_128_CCM_8_SHA256: "AES-128-CCM-8",
	wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: "AES-128-GCM", wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: "AES-128-GCM",
	wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: "AES-256-GCM", wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: "AES-256-GCM",
	wire.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: "CHACHA20-POLY1305",
	wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256:   "CHACHA20-POLY1305",
	wire.TLS_ECDHE_ECDSA_WITH_AES_128_CCM:              "AES-128-CCM", wire.TLS_ECDHE_ECDSA_WITH_AES_256_CCM: "AES-256-CCM",
	wire.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8: "AES-128-CCM-8", wire.TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8: "AES-256-CCM-8",
}

var gnutlsVersions = map[wire.Version]string{
	wire.VersionTLS10: "+VERS-TLS1.0", wire.VersionTLS11: "+VERS-TLS1.1", wire.VersionTLS12: "+VERS-TLS1.2", wire.VersionTLS13: "+VERS-TLS1.3",
}

func gnutlsPeer() peer {
	return peer{
		name: "GnuTLS",
		version: func() (string, error) {
			if _, err := findProgram("gnutls-serv"); err != nil {
				return "", err
			}
			return shortVersion("gnutls-cli", "--version")
		},
		groups: func() []wire.Group { return ecGroups },
		kinds:  allKinds,
		suites: slices.Concat(allSuites, allSuites12),
		serve:  gnutlsServe,
		dial:   gnutlsDial,
		alertText: map[wire.AlertCode]string{
			wire.AlertBadCertificate:        "certificate is bad",
			wire.AlertUnknownCA:             "ca is unknown",
			wire.AlertCertificateRequired:   "certificate is required",
			wire.AlertCertificateUnknown:    "unknown certificate",
			wire.AlertNoApplicationProtocol: "no supported application protocol could be negotiated",
			wire.AlertHandshakeFailure:      "handshake failed",
			wire.AlertProtocolVersion:       "error in protocol version",
			wire.AlertInappropriateFallback: "inappropriate fallback",
			wire.AlertNoRenegotiation:       "no renegotiation is allowed",
		},
		needsRetryGroup: true,
		slow:            true,
		ownAlert: map[wire.AlertCode]wire.AlertCode{
			wire.AlertHandshakeFailure: wire.AlertDecodeError,      // a client without a certificate
			wire.AlertProtocolVersion:  wire.AlertHandshakeFailure, // it goes by the version first, and finds no suite then
		},
		readsOCSP: gnutlsReadsOCSP,
		returns: func(ctx context.Context, p *pki, addr string, a asks) told {
			a.extra = gnutlsResumes(a)
			return gnutlsDial(ctx, p, addr, a)
		},
		silentFirst:    true,
		withoutTickets: one("--noticket"),
		noRetryEarly:   true,
		takesEarly:     func(_ context.Context, s peerServer, c *tlsnet.Conn, _ bool) error { return s.exchange(c) },
		earlyData:      earlyLine,
		sendsEarly: func(ctx context.Context, p *pki, addr string, a asks, file string, _ int) told {
			a.extra = append(gnutlsResumes(a), "--earlydata", file)
			return gnutlsDial(ctx, p, addr, a)
		},
		mindsDemand: true,
		withoutEMS:  func(a asks) asks { a.priority = one("%NO_SESSION_HASH"); return a },
		fallsBack:   func(a asks) asks { a.priority = one("%FALLBACK_SCSV"); return a },
		redials: func(ctx context.Context, p *pki, addr string, a asks) told {
			a.extra = one("--rehandshake")
			return gnutlsDial(ctx, p, addr, a)
		},
		renegotiate: func(_ peerServer, c net.Conn) error {
			_, err := c.Write([]byte("**REHANDSHAKE**\n"))
			return err
		},
		note: "`gnutls-serv --echo`, which sends our text back to us, and `gnutls-cli`, the payloads through its stdin and stdout; " +
			"gnutls-serv cannot be told an address and listens on all of them; gnutls-cli writes byte by byte, so that with TLS 1.2 and with sessions 66 KB travel each way",
	}
}

// gnutlsPriority is GnuTLS's own language for what to negotiate.
func gnutlsPriority(a asks) string {
	s := []string{"NORMAL", "-VERS-ALL"}
	for v := a.newest(); v >= a.oldest(); v-- {
		s = append(s, gnutlsVersions[v])
	}
	if a.suites != nil {
		s = append(s, "-CIPHER-ALL", "-KX-ALL")
		for _, c := range a.suites {
			s = append(s, "+"+gnutlsSuites[c])
			s = append(s, gnutlsExchanges(c)...)
		}
	}
	if a.groups != nil {
		s = append(s, "-GROUP-ALL")
		for _, g := range a.groups {
			s = append(s, "+"+gnutlsGroups[g])
		}
	}
	return strings.Join(append(s, a.priority...), ":")
}

// gnutlsExchanges is what a suite of TLS 1.2 has in its name besides the cipher. All of TLS 1.3 goes with any.
func gnutlsExchanges(c wire.CipherSuite) []string {
	switch {
	case slices.Contains(allSuites, c):
		return []string{"+ECDHE-ECDSA", "+ECDHE-RSA"}
	case isRSASuite(c):
		return []string{"+ECDHE-RSA"}
	}
	return []string{"+ECDHE-ECDSA"}
}

func gnutlsTerms(a asks) []string {
	args := []string{"--priority", gnutlsPriority(a)}
	for _, proto := range a.alpn {
		args = append(args, "--alpn", proto)
	}
	if a.identity != nil {
		args = append(args, "--x509certfile", a.identity.certFile, "--x509keyfile", a.identity.keyFile)
	}
	return append(args, a.extra...)
}

type gnutlsServer struct {
	*program
	address string
	asks    asks
}

func gnutlsServe(ctx context.Context, p *pki, a asks) (peerServer, error) {
	args := append([]string{"--echo", "--crlf", "--quiet"}, gnutlsTerms(a)...)
	if a.alpn != nil {
		args = append(args, "--alpn-fatal")
	}
	if a.ocsp != nil {
		args = append(args, "--ocsp-response", a.ocsp.file, "--ignore-ocsp-response-errors")
	}
	if a.early {
		args = append(args, "--earlydata", "--maxearlydata", strconv.Itoa(maxEarly))
	}
	if a.requireClient {
		args = append(args, "--require-client-cert", "--verify-client-cert", "--x509cafile", p.rootFile)
	} else {
		args = append(args, "--disable-client-cert")
	}
	prog, addr, err := startServer(ctx, false, "gnutls-serv", func(port string) []string {
		return append(args, "--port", port)
	})
	if err != nil {
		return nil, err
	}
	return &gnutlsServer{prog, addr, a}, nil
}

func (s *gnutlsServer) addr() string { return s.address }
func (s *gnutlsServer) log() string  { return s.program.log.String() }

// mentions takes what gnutls-serv has to say: that there was an alert, not which.
func (s *gnutlsServer) mentions(ctx context.Context, _ string) error {
	return s.program.mentions(ctx, "fatal alert has been received")
}

func (s *gnutlsServer) exchange(c net.Conn) error {
	return pump(c, s.asks.text(), s.asks.text(), "us to server and back")
}

func gnutlsResumes(a asks) []string {
	if a.newest() == wire.VersionTLS13 {
		return []string{"--resume", "--waitresumption"}
	}
	return one("--resume")
}

// gnutlsReadsOCSP compares the OCSP response that gnutls-cli saves.
func gnutlsReadsOCSP(ctx context.Context, p *pki, addr string, a asks) told {
	file, err := p.keep("saved-*.der", nil)
	if err != nil {
		return told{err: err}
	}
	_, port, _ := strings.Cut(addr, ":")
	args := append([]string{"127.0.0.1", "--port", port, "--x509cafile", p.rootFile, "--save-ocsp", file,
		"--sni-hostname", a.name, "--verify-hostname", a.name}, gnutlsTerms(a)...)
	got := glance(ctx, "gnutls-cli", args)
	if got.err == nil {
		var saved []byte
		if saved, got.err = os.ReadFile(file); got.err == nil && !bytes.Equal(saved, a.ocsp.der) {
			got.err = errors.New("it saved another OCSP response")
		}
	}
	return got
}

// gnutlsDial runs gnutls-cli; its report goes to a file, so that stdout carries nothing but what we sent.
func gnutlsDial(ctx context.Context, p *pki, addr string, a asks) told {
	_, port, _ := strings.Cut(addr, ":")
	report, err := os.CreateTemp(p.dir, "gnutls-cli-*.log")
	if err != nil {
		return told{err: err}
	}
	report.Close()
	defer os.Remove(report.Name())
	args := append([]string{"127.0.0.1", "--port", port, "--logfile", report.Name(), "--x509cafile", p.rootFile}, gnutlsTerms(a)...)
	if a.name != "" {
		args = append(args, "--sni-hostname", a.name, "--verify-hostname", a.name)
	} else {
		args = append(args, "--disable-sni")
	}
	if a.shares != nil {
		args = append(args, "--single-key-share")
	}
	got := runClient(ctx, a, "gnutls-cli", args)
	printed, _ := os.ReadFile(report.Name())
	got.log += string(printed)
	return got
}
