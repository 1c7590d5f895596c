package interop

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/tlswright/tlswright/wire"
)

// opensslGroups are OpenSSL's names; the hybrids exist from 3.5 on.
var opensslGroups = map[wire.Group]string{
	wire.GroupX25519: "X25519", wire.GroupSecp256r1: "P-256", wire.GroupSecp384r1: "P-384", wire.GroupSecp521r1: "P-521",
	wire.GroupX25519MLKEM768: "X25519MLKEM768", wire.GroupSecp256r1MLKEM768: "SecP256r1MLKEM768",
	wire.GroupSecp384r1MLKEM1024: "SecP384r1MLKEM1024",
}

func opensslPeer() peer {
	return peer{
		name:      "OpenSSL",
		version:   func() (string, error) { return shortVersion("openssl", "version") },
		groups:    func() []wire.Group { return opensslCan("openssl", "version") },
		kinds:     allKinds,
		serve:     opensslServe,
		dial:      opensslDial,
		alertText: alertTextOpenSSL(),
		note:      "`openssl s_server -quiet` and `openssl s_client -ign_eof`, the payloads through their stdin and stdout",
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
	var args []string
	if a.suites != nil {
		args = append(args, "-ciphersuites", joinNames(a.suites, ":"))
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
	if a.identity != nil {
		args = append(args, "-cert", a.identity.certFile, "-cert_chain", a.identity.certFile, "-key", a.identity.keyFile)
	}
	return args
}

func joinNames[T fmt.Stringer](list []T, sep string) string {
	names := make([]string, len(list))
	for i, v := range list {
		names[i] = v.String()
	}
	return strings.Join(names, sep)
}

type opensslServer struct {
	*program
	address string
	pump    pumper
}

func opensslServe(ctx context.Context, p *pki, a asks) (peerServer, error) {
	args := append([]string{"s_server", "-quiet", "-tls1_3"}, opensslTerms(a)...)
	if a.requireClient {
		args = append(args, "-Verify", "3", "-verify_return_error", "-CAfile", p.rootFile)
	}
	prog, addr, err := startServer(ctx, true, "openssl", func(port string) []string {
		return append(args, "-accept", "127.0.0.1:"+port)
	})
	if err != nil {
		return nil, err
	}
	return &opensslServer{prog, addr, a.pumper()}, nil
}

func (s *opensslServer) addr() string { return s.address }
func (s *opensslServer) log() string  { return s.program.log.String() }
func (s *opensslServer) exchange(c net.Conn) error {
	return bothEnds(c, stream{in: s.stdin, out: s.stdout}, s.pump)
}

// opensslDial runs s_client: with -quiet's silence, but without its commands, and a summary of the connection on stderr.
func opensslDial(ctx context.Context, p *pki, addr string, a asks) told {
	args := append([]string{"s_client", "-brief", "-ign_eof", "-nocommands", "-tls1_3", "-connect", addr,
		"-CAfile", p.rootFile, "-verify_return_error"}, opensslTerms(a)...)
	if a.name != "" {
		args = append(args, "-servername", a.name, "-verify_hostname", a.name)
	} else {
		args = append(args, "-noservername", "-verify_ip", "127.0.0.1")
	}
	return runClient(ctx, a.pumper(), "openssl", args)
}

// runClient runs a client program that passes stdin to us and what we send to stdout, until we close.
func runClient(ctx context.Context, pump pumper, name string, args []string) told {
	prog, err := start(ctx, true, name, args...)
	if err != nil {
		return told{err: err}
	}
	defer prog.stop()
	err = pump(stream{in: prog.stdin, out: prog.stdout}, upPayload(), downPayload(), "us to client")
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
