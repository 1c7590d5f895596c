package interop

import (
	"context"
	"net"
	"os"
	"strings"

	"github.com/tlswright/tlswright/wire"
)

var gnutlsGroups = map[wire.Group]string{
	wire.GroupX25519: "GROUP-X25519", wire.GroupSecp256r1: "GROUP-SECP256R1", wire.GroupSecp384r1: "GROUP-SECP384R1",
	wire.GroupSecp521r1: "GROUP-SECP521R1",
}

var gnutlsSuites = map[wire.CipherSuite]string{
	wire.TLS_AES_128_GCM_SHA256: "AES-128-GCM", wire.TLS_AES_256_GCM_SHA384: "AES-256-GCM",
	wire.TLS_CHACHA20_POLY1305_SHA256: "CHACHA20-POLY1305",
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
		serve:  gnutlsServe,
		dial:   gnutlsDial,
		alertText: map[wire.AlertCode]string{
			wire.AlertBadCertificate:        "certificate is bad",
			wire.AlertUnknownCA:             "ca is unknown",
			wire.AlertCertificateRequired:   "certificate is required",
			wire.AlertCertificateUnknown:    "unknown certificate",
			wire.AlertNoApplicationProtocol: "no supported application protocol could be negotiated",
		},
		needsRetryGroup: true,
		note: "`gnutls-serv --echo`, which sends our text back to us, and `gnutls-cli`, the payloads through its stdin and stdout; " +
			"gnutls-serv cannot be told an address and listens on all of them",
	}
}

// gnutlsPriority is GnuTLS's own language for what to negotiate.
func gnutlsPriority(a asks) string {
	s := []string{"NORMAL", "-VERS-ALL", "+VERS-TLS1.3"}
	if a.suites != nil {
		s = append(s, "-CIPHER-ALL")
		for _, c := range a.suites {
			s = append(s, "+"+gnutlsSuites[c])
		}
	}
	if a.groups != nil {
		s = append(s, "-GROUP-ALL")
		for _, g := range a.groups {
			s = append(s, "+"+gnutlsGroups[g])
		}
	}
	return strings.Join(s, ":")
}

func gnutlsTerms(a asks) []string {
	args := []string{"--priority", gnutlsPriority(a)}
	for _, proto := range a.alpn {
		args = append(args, "--alpn", proto)
	}
	if a.identity != nil {
		args = append(args, "--x509certfile", a.identity.certFile, "--x509keyfile", a.identity.keyFile)
	}
	return args
}

type gnutlsServer struct {
	*program
	address string
}

func gnutlsServe(ctx context.Context, p *pki, a asks) (peerServer, error) {
	args := append([]string{"--echo", "--crlf", "--quiet"}, gnutlsTerms(a)...)
	if a.alpn != nil {
		args = append(args, "--alpn-fatal")
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
	return &gnutlsServer{prog, addr}, nil
}

func (s *gnutlsServer) addr() string { return s.address }
func (s *gnutlsServer) log() string  { return s.program.log.String() }

// mentions takes what gnutls-serv has to say: that there was an alert, not which.
func (s *gnutlsServer) mentions(ctx context.Context, _ string) error {
	return s.program.mentions(ctx, "fatal alert has been received")
}

func (s *gnutlsServer) exchange(c net.Conn) error {
	return pump(c, textPayload(), textPayload(), "us to server and back")
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
	got := runClient(ctx, a.pumper(), "gnutls-cli", args)
	printed, _ := os.ReadFile(report.Name())
	got.log += string(printed)
	return got
}
