package acmeclient

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"

	"github.com/tlswright/tlswright/pki"
)

// The ways to answer a challenge.
const (
	Standalone = "standalone" // http-01 by a web server of our own
	TLSALPN    = "tls-alpn"   // tls-alpn-01 by a TLS server of our own
	Webroot    = "webroot"    // http-01 by a file in the folder of a running web server
	DNSHook    = "dns-hook"   // dns-01 by a program
	RFC2136    = "rfc2136"    // dns-01 by dynamic update
	Manual     = "manual"     // dns-01 by a person
)

// Ways lists the ways to answer a challenge, as [Challenge].Way takes them.
func Ways() []string { return []string{Standalone, TLSALPN, Webroot, DNSHook, RFC2136, Manual} }

// Challenge says how control of the names is proven. It is kept for renewals, so it holds no secret: the key of RFC 2136
// is in a file of its own.
type Challenge struct {
	Way     string `json:"way"`                // one of [Ways]
	Listen  string `json:"listen,omitempty"`   // standalone and tls-alpn: address to listen on; "": port 80 or 443
	Webroot string `json:"webroot,omitempty"`  // webroot: the folder
	Hook    string `json:"hook,omitempty"`     // dns-hook: the program
	Server  string `json:"server,omitempty"`   // rfc2136: primary name server, host:port
	Zone    string `json:"zone,omitempty"`     // rfc2136: "": found by asking
	KeyFile string `json:"key_file,omitempty"` // rfc2136: TSIG key as BIND writes it; "": none
	// Resolver is asked until it has the record, before the CA is told; "": the CA is told at once.
	Resolver string `json:"resolver,omitempty"`
}

// solvers makes what answers the challenges of an order.
func (ch Challenge) solvers(c *Client, account *acme.Account, ask func(context.Context, string) error) (map[string]acmez.Solver, error) {
	switch ch.Way {
	case Standalone, "":
		return map[string]acmez.Solver{acme.ChallengeTypeHTTP01: &webSolver{listen: orDefault(ch.Listen, ":80"), say: c.o.Say}}, nil
	case TLSALPN:
		return map[string]acmez.Solver{acme.ChallengeTypeTLSALPN01: &tlsSolver{listen: orDefault(ch.Listen, ":443"), now: c.o.Now}}, nil
	case Webroot:
		if ch.Webroot == "" {
			return nil, errors.New("webroot: which folder?")
		}
		return map[string]acmez.Solver{acme.ChallengeTypeHTTP01: &fileSolver{root: ch.Webroot}}, nil
	case DNSHook:
		if ch.Hook == "" {
			return nil, errors.New("dns-hook: which program?")
		}
		return dnsOnly(ch, &hookSolver{program: ch.Hook})
	case RFC2136:
		u, err := newUpdater(ch)
		if err != nil {
			return nil, err
		}
		return dnsOnly(ch, u)
	case Running:
		return c.running()
	case Manual:
		if ask == nil {
			return nil, errors.New("manual: there is nobody to ask; use a hook for what runs by itself")
		}
		return dnsOnly(ch, &askSolver{ask: ask})
	}
	return nil, fmt.Errorf("%q is no way to answer a challenge; there are %s", pki.Printable(ch.Way), strings.Join(Ways(), ", "))
}

func dnsOnly(ch Challenge, s acmez.Solver) (map[string]acmez.Solver, error) {
	if ch.Resolver != "" {
		s = &patient{Solver: s, resolver: ch.Resolver}
	}
	return map[string]acmez.Solver{acme.ChallengeTypeDNS01: s}, nil
}

func orDefault(s, usual string) string {
	if s == "" {
		return usual
	}
	return s
}

// fileSolver puts proofs into the folder of a web server.
type fileSolver struct{ root string }

func (s *fileSolver) path(ch acme.Challenge) (string, error) {
	if ch.Token == "" || strings.Trim(ch.Token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return "", fmt.Errorf("the server's token %q is no file name", pki.Printable(ch.Token))
	}
	return filepath.Join(s.root, ".well-known", "acme-challenge", ch.Token), nil
}

// Present writes the file, readable for the web server.
func (s *fileSolver) Present(_ context.Context, ch acme.Challenge) error {
	path, err := s.path(ch)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(ch.KeyAuthorization), 0o644)
}

// CleanUp removes the file, and the folders if they are empty.
func (s *fileSolver) CleanUp(_ context.Context, ch acme.Challenge) error {
	path, err := s.path(ch)
	if err != nil {
		return err
	}
	err = os.Remove(path)
	for _, d := range []string{filepath.Dir(path), filepath.Dir(filepath.Dir(path))} {
		_ = os.Remove(d) // goes only if nothing else is in it
	}
	return err
}

// hookSolver runs a program as "PROGRAM add NAME RECORD VALUE" and "PROGRAM remove …". What certbot's hooks look for is in
// the environment.
type hookSolver struct{ program string }

func (s *hookSolver) run(ctx context.Context, act string, ch acme.Challenge) error {
	value := ch.DNS01KeyAuthorization()
	cmd := exec.CommandContext(ctx, s.program, act, ch.Identifier.Value, ch.DNS01TXTRecordName(), value)
	cmd.Env = append(os.Environ(), "CERTBOT_DOMAIN="+ch.Identifier.Value, "CERTBOT_VALIDATION="+value)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", s.program, act, err, pki.Printable(lastLine(out)))
	}
	return nil
}

// Present makes the record.
func (s *hookSolver) Present(ctx context.Context, ch acme.Challenge) error {
	return s.run(ctx, "add", ch)
}

// CleanUp removes the record.
func (s *hookSolver) CleanUp(ctx context.Context, ch acme.Challenge) error {
	return s.run(ctx, "remove", ch)
}

func lastLine(out []byte) string {
	text := strings.TrimSpace(string(out))
	if i := strings.LastIndexByte(text, '\n'); i >= 0 {
		text = text[i+1:]
	}
	return text[:min(len(text), 300)]
}

// askSolver has a person make the record.
type askSolver struct {
	ask func(context.Context, string) error
}

// Present asks.
func (s *askSolver) Present(ctx context.Context, ch acme.Challenge) error {
	return s.ask(ctx, fmt.Sprintf("make this record:\n\n  %s. IN TXT \"%s\"\n", ch.DNS01TXTRecordName(), ch.DNS01KeyAuthorization()))
}

// CleanUp leaves the record to the person.
func (s *askSolver) CleanUp(context.Context, acme.Challenge) error { return nil }
