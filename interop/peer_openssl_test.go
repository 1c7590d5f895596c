package interop

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// opensslGroups are OpenSSL's names; the hybrids exist from 3.5 on.
var opensslGroups = map[wire.Group]string{
	wire.GroupX25519: "X25519", wire.GroupSecp256r1: "P-256", wire.GroupSecp384r1: "P-384", wire.GroupSecp521r1: "P-521",
	wire.GroupX25519MLKEM768: "X25519MLKEM768", wire.GroupSecp256r1MLKEM768: "SecP256r1MLKEM768",
	wire.GroupSecp384r1MLKEM1024: "SecP384r1MLKEM1024",
}

var opensslVersions = map[wire.Version]string{
	wire.VersionTLS10: "TLSv1", wire.VersionTLS11: "TLSv1.1", wire.VersionTLS12: "TLSv1.2", wire.VersionTLS13: "TLSv1.3",
}

var opensslSuites12 = map[wire.CipherSuite]string{
	wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256:       "ECDHE-ECDSA-AES128-GCM-SHA256",
	wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:         "ECDHE-RSA-AES128-GCM-SHA256",
	wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384:       "ECDHE-ECDSA-AES256-GCM-SHA384",
	wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384:         "ECDHE-RSA-AES256-GCM-SHA384",
	wire.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-ECDSA-CHACHA20-POLY1305",
	wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256:   "ECDHE-RSA-CHACHA20-POLY1305",
	wire.TLS_ECDHE_ECDSA_WITH_AES_128_CCM:              "ECDHE-ECDSA-AES128-CCM",
	wire.TLS_ECDHE_ECDSA_WITH_AES_256_CCM:              "ECDHE-ECDSA-AES256-CCM",
	wire.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8:            "ECDHE-ECDSA-AES128-CCM8",
	wire.TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8:            "ECDHE-ECDSA-AES256-CCM8",
}

func opensslPeer() peer {
	return peer{
		name:           "OpenSSL",
		version:        func() (string, error) { return shortVersion("openssl", "version") },
		groups:         func() []wire.Group { return opensslCan("openssl", "version") },
		kinds:          allKinds,
		suites:         slices.Concat(allSuites, allSuites12),
		serve:          opensslServe,
		dial:           opensslDial,
		alertText:      alertTextOpenSSL(),
		fallsBack:      func(a asks) asks { a.extra = one("-fallback_scsv"); return a },
		redials:        opensslRedials,
		withoutTickets: one("-no_ticket"),
		returns: func(ctx context.Context, p *pki, addr string, a asks) told {
			return opensslReturns(ctx, p, addr, a, 1)
		},
		takesEarly: opensslTakesEarly,
		earlyData:  earlyLine,
		singleUse:  true,
		sendsEarly: func(ctx context.Context, p *pki, addr string, a asks, file string, times int) told {
			return opensslReturns(ctx, p, addr, a, times, "-early_data", file)
		},
		replays: true,
		readsOCSP: func(ctx context.Context, p *pki, addr string, a asks) told {
			return glance(ctx, "openssl", append(opensslClient(p, addr, a), "-status"), "ocsp response status: successful", "cert status: good")
		},
		readsSCT: func(ctx context.Context, p *pki, addr string, a asks) told {
			logs, err := p.keep("logs-*.cnf", []byte("enabled_logs =\n"))
			if err != nil {
				return told{err: err}
			}
			return glance(ctx, "openssl", append(opensslClient(p, addr, a), "-ct", "-ctlogfile", logs), "scts present (1)")
		},
		sendsSCT: true,
		renegotiate: func(s peerServer, _ net.Conn) error {
			_, err := io.WriteString(s.(*opensslServer).stdin, "r\n")
			return err
		},
		note: "`openssl s_server -quiet` and `openssl s_client -ign_eof`, the payloads through their stdin and stdout",
	}
}

// opensslCan says which groups a program built on OpenSSL has, by the version of OpenSSL that it names.
func opensslCan(name string, args ...string) []wire.Group {
	line, err := firstLine(name, args...)
	if err != nil {
		return nil
	}
	_, after, _ := strings.Cut(line, "OpenSSL")
	var major, minor int
	fmt.Sscanf(strings.TrimLeft(after, " /"), "%d.%d", &major, &minor)
	if major > 3 || major == 3 && minor >= 5 {
		return allGroups
	}
	return ecGroups
}

// shortVersion is the first two words of a program's version line: a name and a number.
func shortVersion(name string, args ...string) (string, error) {
	line, err := firstLine(name, args...)
	words := strings.Fields(line)
	return strings.Join(words[:min(2, len(words))], " "), err
}

func opensslTerms(a asks) []string {
	args := []string{"-min_protocol", opensslVersions[a.oldest()], "-max_protocol", opensslVersions[a.newest()]}
	if old, new := opensslCiphers(a); old != "" {
		args = append(args, "-cipher", old)
		if new != "" {
			args = append(args, "-ciphersuites", new)
		}
	}
	if a.groups != nil {
		names := make([]string, len(a.groups))
		for i, g := range a.groups {
			names[i] = opensslGroups[g]
		}
		args = append(args, "-groups", strings.Join(names, ":"))
	}
	if a.alpn != nil {
		args = append(args, "-alpn", strings.Join(a.alpn, ","))
	}
	if a.identity != nil && a.ocsp != nil {
		args = append(args, "-status_file", a.ocsp.file)
	}
	if a.identity != nil && a.sct != nil {
		args = append(args, "-serverinfo", a.sct.file)
	}
	if a.identity != nil {
		args = append(args, "-cert", a.identity.certFile, "-cert_chain", a.identity.certFile, "-key", a.identity.keyFile)
	}
	return append(args, a.extra...)
}

// opensslCiphers says what -cipher and -ciphersuites are to be; both empty: the defaults. OpenSSL has CCM_8 and what is
// older than TLS 1.2 at its security level 0 only.
func opensslCiphers(a asks) (old, new string) {
	var old12, new13 []string
	for _, id := range a.suites {
		if name, ok := opensslSuites12[id]; ok {
			old12 = append(old12, name)
		} else {
			new13 = append(new13, id.String())
		}
	}
	if a.suites == nil && a.oldest() >= wire.VersionTLS12 {
		return "", ""
	}
	if old12 == nil {
		old12 = []string{"DEFAULT"}
	}
	return strings.Join(append(old12, "@SECLEVEL=0"), ":"), strings.Join(new13, ":")
}

type opensslServer struct {
	*program
	address string
	asks    asks
}

func opensslServe(ctx context.Context, p *pki, a asks) (peerServer, error) {
	args := append([]string{"s_server"}, opensslTerms(a)...)
	if a.early {
		args, a.chatty = append(args, "-early_data", "-max_early_data", strconv.Itoa(maxEarly)), true
	}
	if !a.chatty {
		args = append(args, "-quiet")
	}
	if a.requireClient {
		args = append(args, "-Verify", "3", "-verify_return_error", "-CAfile", p.rootFile)
	}
	prog, addr, err := startServer(ctx, !a.chatty, "openssl", func(port string) []string {
		return append(args, "-accept", "127.0.0.1:"+port)
	})
	if err != nil {
		return nil, err
	}
	return &opensslServer{prog, addr, a}, nil
}

func (s *opensslServer) addr() string { return s.address }
func (s *opensslServer) log() string  { return s.program.log.String() }
func (s *opensslServer) exchange(c net.Conn) error {
	return bothEnds(c, stream{in: s.stdin, out: s.stdout}, s.asks)
}

// opensslDial runs s_client: with -quiet's silence, but without its commands, and a summary of the connection on stderr.
func opensslDial(ctx context.Context, p *pki, addr string, a asks) told {
	return runClient(ctx, a, "openssl", append(opensslClient(p, addr, a), "-brief", "-ign_eof", "-nocommands"))
}

// opensslReturns makes a connection for a session, and then so many that resume it.
func opensslReturns(ctx context.Context, p *pki, addr string, a asks, times int, then ...string) told {
	file, err := p.keep("session-*.pem", nil)
	if err != nil {
		return told{err: err}
	}
	a.extra = []string{"-sess_out", file}
	got := opensslDial(ctx, p, addr, a)
	for n := 0; n < times && got.err == nil; n++ {
		a.extra = append([]string{"-sess_in", file}, then...)
		got = opensslDial(ctx, p, addr, a)
	}
	return got
}

// opensslTakesEarly talks to a chatty s_server, which prints what it gets, and sends its stdin.
func opensslTakesEarly(ctx context.Context, peer peerServer, c *tlsnet.Conn, early bool) error {
	s := peer.(*opensslServer)
	if early {
		if err := s.mentions(ctx, strings.TrimSpace(earlyLine)); err != nil {
			return err
		}
	}
	if _, err := c.Write([]byte("heard in time\n")); err != nil {
		return err
	}
	if err := s.mentions(ctx, "heard in time"); err != nil {
		return err
	}
	const answer = "here is an answer\n"
	if _, err := io.WriteString(s.stdin, answer); err != nil {
		return err
	}
	got := make([]byte, len(answer))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != answer {
		return fmt.Errorf("%q came back: %w", got, err)
	}
	return nil
}

// opensslRedials lets s_client renegotiate, which is a command, and then wait for its end.
func opensslRedials(ctx context.Context, p *pki, addr string, a asks) told {
	prog, err := start(ctx, false, "openssl", opensslClient(p, addr, a)...)
	if err != nil {
		return told{err: err}
	}
	defer prog.stop()
	if _, err := io.WriteString(prog.stdin, "R\n"); err != nil {
		return told{err: err}
	}
	<-prog.done
	return told{err: prog.err, log: prog.log.String()}
}

func opensslClient(p *pki, addr string, a asks) []string {
	args := append([]string{"s_client", "-connect", addr, "-CAfile", p.rootFile, "-verify_return_error"}, opensslTerms(a)...)
	if a.name != "" {
		args = append(args, "-servername", a.name, "-verify_hostname", a.name)
	} else {
		args = append(args, "-noservername", "-verify_ip", "127.0.0.1")
	}
	return args
}

// runClient runs a client program that passes stdin to us and what we send to stdout, until we close.
func runClient(ctx context.Context, a asks, name string, args []string) told {
	prog, err := start(ctx, true, name, args...)
	if err != nil {
		return told{err: err}
	}
	defer prog.stop()
	err = a.pumper()(stream{in: prog.stdin, out: prog.stdout}, a.up(), a.down(), "us to client")
	if err != nil {
		prog.stdin.Close()
	}
	select {
	case <-prog.done:
		if err == nil {
			err = prog.err
		}
	case <-ctx.Done():
		err = fmt.Errorf("it did not end: %w", ctx.Err())
	}
	return told{err: err, log: prog.log.String()}
}
