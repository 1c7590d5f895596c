package scan

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/pki"
)

// Opossum (Merget and others, 2025).
//
// Sent: on the plain HTTP port, "OPTIONS *" with "Upgrade: TLS/1.0" (RFC 2817, Section 3.2). Concluded: a server that answers
// 101 speaks HTTP inside TLS on that port, too, and somebody in the middle can join a client of https to it, so that the two
// disagree on who asked what: the switch is the proof. RFC 2817 for other protocols than HTTP is not looked for.

var opossum = attack{"opossum", "Opossum", []string{"CVE-2025-49812"}, "https://opossum-attack.com/"}

const maxUpgradeAnswer = 8 << 10 // bytes of the head of the answer

func probeOpossum(ctx context.Context, h *host) {
	f := h.facts()
	switch {
	case h.o.Offline:
		h.verdict(opossum.unknown("The plain HTTP port was not asked."))
		return
	case f.HTTP == nil || f.StartTLS != "":
		h.verdict(opossum.is(grade.NotApplicable, "This is no web server."))
		return
	case f.HTTP.PlainHTTP == grade.No:
		h.verdict(opossum.is(grade.NotApplicable, "The plain HTTP port is closed."))
		return
	}
	status, upgrade, err := h.askUpgrade(ctx)
	switch {
	case err != nil:
		if f.HTTP.PlainHTTP == grade.Yes {
			h.gap("opossum", err)
		}
		h.verdict(opossum.unknown("The plain HTTP port gave no answer: " + reasonOf(err) + "."))
	case status == 101:
		h.verdict(opossum.is(grade.Vulnerable, "The plain HTTP port goes over to TLS when it is asked to: somebody in the middle can join an https client to it and shift its answers.",
			fmt.Sprintf("port %d: OPTIONS * with Upgrade: TLS/1.0", h.o.HTTPPort), "HTTP 101, Upgrade: "+pki.Printable(upgrade)))
	default:
		h.verdict(opossum.is(grade.NotVulnerable, fmt.Sprintf("The plain HTTP port does not go over to TLS: it answers %d.", status)))
	}
}

// askUpgrade asks the plain port to go over to TLS.
func (h *host) askUpgrade(ctx context.Context) (status int, upgrade string, err error) {
	if err := h.door.enter(ctx); err != nil {
		return 0, "", err
	}
	defer h.door.leave()
	dialing, cancel := context.WithTimeout(ctx, h.o.Timeout)
	defer cancel()
	nc, err := h.o.Dial(dialing, "tcp", netip.AddrPortFrom(h.addr, uint16(h.o.HTTPPort)).String())
	if err != nil {
		return 0, "", err
	}
	defer nc.Close()
	defer context.AfterFunc(ctx, func() { nc.Close() })()
	if err := nc.SetDeadline(time.Now().Add(h.o.Timeout)); err != nil {
		return 0, "", err
	}
	name := h.target.name()
	if name == "" {
		name = h.addr.String()
	}
	if _, err := fmt.Fprintf(nc, "OPTIONS * HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: TLS/1.0\r\n\r\n", name); err != nil {
		return 0, "", err
	}
	return readUpgrade(io.LimitReader(nc, maxUpgradeAnswer))
}

// readUpgrade reads the head of an answer. A 101 that does not name TLS counts as 100: it has gone over to something else.
func readUpgrade(r io.Reader) (status int, upgrade string, err error) {
	in := bufio.NewReader(r)
	line, err := in.ReadString('\n')
	if err != nil {
		return 0, "", err
	}
	var minor int
	if n, err := fmt.Sscanf(line, "HTTP/1.%d %d", &minor, &status); n != 2 || err != nil || status < 100 || status > 999 {
		return 0, "", fmt.Errorf("what came is not HTTP: %q", pki.Printable(line[:min(len(line), 40)]))
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil || strings.TrimSpace(line) == "" {
			break
		}
		if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimSpace(name), "Upgrade") {
			upgrade = strings.TrimSpace(value)
		}
	}
	if status == 101 && !strings.Contains(strings.ToUpper(upgrade), "TLS/") {
		status = 100
	}
	return status, upgrade, nil
}
