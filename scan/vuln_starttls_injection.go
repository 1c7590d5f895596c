package scan

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/starttls"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/wire"
)

// STARTTLS command injection (Venema, 2011; Poddebniak and others, "Why TLS is better without STARTTLS", USENIX Security 2021).
//
// Sent: with the command that begins TLS, in the same write, one more command that changes nothing (NOOP or its like); then the
// handshake, and inside TLS the command that ends the session. Concluded: a sound server forgets what came in plain text, and
// inside TLS answers one command. One with the flaw answers the injected one first, as if it had come through TLS: proof.

var startTLSInjection = attack{"starttls-injection", "STARTTLS injection", []string{"CVE-2011-0411", "CVE-2021-33515"}, "https://nostarttls.secvuln.info/"}

// injection is what to say in a protocol.
type injection struct {
	command string // that begins TLS, as it ends on the wire
	inject  string // behind it, in plain text
	quit    string // inside TLS
	// isInjected recognizes a line of the answer to inject, isQuit the last line of that to quit.
	isInjected, isQuit func(line string) bool
}

// injections are the protocols in which one line is one command.
func injections() map[string]injection {
	not := func(code string) func(string) bool {
		return func(line string) bool { return len(line) >= 3 && line[:3] != code }
	}
	is := func(word string) func(string) bool {
		return func(line string) bool { return strings.HasPrefix(strings.ToUpper(line), word) }
	}
	mail := injection{"STARTTLS\r\n", "NOOP\r\n", "QUIT\r\n", not("221"), is("221")}
	return map[string]injection{
		"smtp": mail,
		"lmtp": mail,
		"imap": {"STARTTLS\r\n", "x1 NOOP\r\n", "x2 LOGOUT\r\n", is("X1 "), is("X2 ")},
		"pop3": {"STLS\r\n", "NOOP\r\n", "QUIT\r\n", nil, nil}, // both answers look alike: they are counted
		"ftp":  {"AUTH TLS\r\n", "NOOP\r\n", "QUIT\r\n", not("221"), is("221")},
		"nntp": {"STARTTLS\r\n", "DATE\r\n", "QUIT\r\n", not("205"), is("205")},
		"sieve": {"STARTTLS\r\n", "NOOP \"x1\"\r\n", "LOGOUT\r\n",
			func(line string) bool { return strings.Contains(line, "x1") }, func(line string) bool { return is("OK \"LOGOUT")(line) || is("BYE")(line) }},
		"irc": {"STARTTLS\r\n", "PING x1\r\n", "QUIT\r\n",
			func(line string) bool { return strings.Contains(line, "PONG") && strings.Contains(line, "x1") }, is("ERROR")},
	}
}

func probeStartTLSInjection(ctx context.Context, h *host) {
	if h.target.StartTLS == "" {
		h.verdict(startTLSInjection.is(grade.NotApplicable, "TLS begins with the first byte."))
		return
	}
	how, ok := injections()[strings.ToLower(h.target.StartTLS)]
	if !ok {
		h.verdict(startTLSInjection.unknown("Not looked for in this protocol."))
		return
	}
	lines, err := h.inject(ctx, how)
	var refusal *injectionRefused
	switch {
	case errors.As(err, &refusal) && !h.control(ctx): // it may be tired of connections
		h.verdict(startTLSInjection.unknown("The server hung up: " + refusal.Error() + "."))
	case errors.As(err, &refusal):
		h.verdict(startTLSInjection.is(grade.NotVulnerable, "The server does not go over to TLS with something in the way: "+refusal.Error()+"."))
	case err != nil:
		h.gap("starttls-injection", err)
		h.verdict(startTLSInjection.unknown("The server could not be asked: " + reasonOf(err) + "."))
	case how.isVulnerable(lines):
		h.verdict(startTLSInjection.is(grade.Vulnerable, "A command that was sent in plain text was answered inside TLS: somebody in the middle can put words into a client's mouth.",
			append([]string{"sent in plain text: " + strings.TrimSpace(how.inject), "sent inside TLS: " + strings.TrimSpace(how.quit)}, quoted(lines)...)...))
	case len(lines) == 0:
		h.verdict(startTLSInjection.unknown("The server said nothing inside TLS."))
	default:
		h.verdict(startTLSInjection.is(grade.NotVulnerable, "What was sent in plain text behind the command that begins TLS is forgotten."))
	}
}

// quoted makes lines of the server fit to print.
func quoted(lines []string) []string {
	q := make([]string, len(lines))
	for i, line := range lines {
		q[i] = "received inside TLS: " + pki.Printable(line)
	}
	return q
}

func (i injection) isVulnerable(lines []string) bool {
	if i.isInjected == nil {
		return len(lines) > 1
	}
	return slices.ContainsFunc(lines, i.isInjected)
}

// injectionRefused is a server that ends the connection because of what was injected.
type injectionRefused struct{ err error }

func (e *injectionRefused) Error() string { return reasonOf(e.err) }

// injector puts a command behind the one that begins TLS, in the same write.
type injector struct {
	net.Conn
	command, inject string
}

// Write looks for the command at the end of what is written.
func (c *injector) Write(p []byte) (int, error) {
	if !strings.HasSuffix(strings.ToUpper(string(p)), c.command) {
		return c.Conn.Write(p)
	}
	n, err := c.Conn.Write(append(slices.Clone(p), c.inject...))
	return min(n, len(p)), err
}

// inject gives the lines that the server says inside TLS.
func (h *host) inject(ctx context.Context, how injection) ([]string, error) {
	versions := h.versions()
	if len(versions) == 0 {
		return nil, errNoOffer
	}
	o := h.working(versions[len(versions)-1])
	if o == nil {
		return nil, errNoOffer
	}
	o.Until = untilFlight
	l, err := h.dialInjecting(ctx, how)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	a := l.exchange(o)
	if a.Outcome != accepted || a.Err != nil {
		if a.Outcome == timedOut {
			return nil, &refusedError{a}
		}
		return nil, &injectionRefused{&refusedError{a}}
	}
	var s session
	if a.Version >= wire.VersionTLS13 {
		s, err = continue13(l, o, a)
	} else {
		s, err = continue12(l, o, a)
	}
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if _, err := io.WriteString(s, how.quit); err != nil {
		return nil, err
	}
	return how.readLines(s), nil
}

// readLines reads up to the last line of the last answer, or the end.
func (i injection) readLines(r io.Reader) []string {
	const (
		maxLines = 64
		maxBytes = 16 << 10
	)
	in := bufio.NewScanner(io.LimitReader(r, maxBytes))
	var lines []string
	for len(lines) < maxLines && in.Scan() {
		lines = append(lines, in.Text())
		if i.isQuit != nil && i.isQuit(in.Text()) {
			break
		}
	}
	return lines
}

// dialInjecting goes over to TLS with the command injected. The answers in plain text are read as always: a server that
// answers the injected command there is a sound one, and says more than it should.
func (h *host) dialInjecting(ctx context.Context, how injection) (*link, error) {
	p, ok := starttls.Parse(h.target.StartTLS)
	if !ok {
		return nil, fmt.Errorf("%q is no protocol that can go over to TLS", h.target.StartTLS)
	}
	if err := h.door.enter(ctx); err != nil {
		return nil, err
	}
	dialing, cancel := context.WithTimeout(ctx, h.o.Timeout)
	nc, err := h.o.Dial(dialing, "tcp", netip.AddrPortFrom(h.addr, uint16(h.target.Port)).String())
	cancel()
	if err != nil {
		h.door.leave()
		return nil, err
	}
	l := &link{Conn: nc, host: h, left: maxConnection, joiner: wire.Joiner{Max: maxMessage}}
	l.end = time.Now().Add(lifetimeFactor * h.o.Timeout)
	l.stop = context.AfterFunc(ctx, func() { nc.Close() })
	if err := l.step(); err != nil {
		l.Close()
		return nil, err
	}
	if l.greeting, err = starttls.NegotiateFor(&injector{nc, how.command, how.inject}, p, ownName(nc), h.target.name()); err != nil {
		l.Close()
		var upgrade *starttls.Error
		if errors.As(err, &upgrade) && upgrade.Kind != starttls.Broken {
			return nil, &injectionRefused{err}
		}
		return nil, err
	}
	return l, nil
}
