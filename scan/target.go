package scan

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/tlswright/tlswright/internal/starttls"
)

// Target is a server to scan.
type Target struct {
	Host       string // name or address, without brackets
	Port       int
	ServerName string // for SNI and the name check; "": Host, unless that is an address
	StartTLS   string // protocol of the upgrade, as "smtp"; "": TLS from the first byte
	InBlock    bool   // one of a block of addresses, where it is no failure if nobody answers
}

// ErrTarget is what errors.Is finds in every error of ParseTarget.
var ErrTarget = errors.New("not a target")

// ParseTarget reads "host", "host:port", "[v6]:port", "v6", "https://host:port/path", "smtp://host" and "host:25/smtp".
// Without a port it is 443, or that of the STARTTLS protocol; on the well-known ports of these protocols TLS is asked for by
// STARTTLS also when that is not said. The error wraps ErrTarget.
func ParseTarget(s string) (Target, error) {
	rest := strings.TrimSpace(s)
	protocol := ""
	if scheme, after, ok := strings.Cut(rest, "://"); ok {
		protocol, rest = strings.ToLower(scheme), after
		rest, _, _ = strings.Cut(rest, "/")
		rest, _, _ = strings.Cut(rest, "?")
	} else if before, after, ok := strings.Cut(rest, "/"); ok {
		rest, protocol = before, strings.ToLower(after)
	}
	var t Target
	if err := t.setProtocol(protocol); err != nil {
		return Target{}, fmt.Errorf("%w: %q: %w", ErrTarget, s, err)
	}
	if err := t.setHostPort(rest); err != nil {
		return Target{}, fmt.Errorf("%w: %q: %w", ErrTarget, s, err)
	}
	return t, nil
}

// setProtocol takes the scheme of a URL, or what stands behind the slash.
func (t *Target) setProtocol(name string) error {
	switch name {
	case "", "tls", "ssl":
		t.Port = 443
		return nil
	case "https":
		t.Port = 443
		return nil
	}
	if p, ok := starttls.Parse(name); ok {
		t.StartTLS = p.String()
		t.Port, _ = strconv.Atoi(p.Port())
		return nil
	}
	// "imaps" is IMAP on the port where TLS begins at once.
	if base, isDirect := strings.CutSuffix(name, "s"); isDirect {
		if p, ok := starttls.Parse(base); ok {
			if port := directPort(p); port != 0 {
				t.Port = port
				return nil
			}
		}
	}
	return fmt.Errorf("%q is no protocol that is known here", name)
}

// directPort finds the port on which a protocol speaks TLS from the first byte; 0: none.
func directPort(p starttls.Protocol) int {
	for _, port := range []int{465, 563, 636, 853, 989, 990, 992, 993, 994, 995, 5223, 5270, 6697} {
		if found, ok := starttls.ByTLSPort(strconv.Itoa(port)); ok && found == p {
			return port
		}
	}
	return 0
}

// setHostPort takes host and port apart.
func (t *Target) setHostPort(s string) error {
	host, port := s, ""
	if addr, err := netip.ParseAddr(s); err == nil {
		return t.setAddress(addr)
	}
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		host = s[1 : len(s)-1]
	} else if strings.Contains(s, ":") {
		var err error
		if host, port, err = net.SplitHostPort(s); err != nil {
			return errors.New("host and port cannot be told apart")
		}
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if err := t.setAddress(addr); err != nil {
			return err
		}
	} else if err := checkHost(strings.TrimSuffix(host, ".")); err != nil {
		return err
	} else {
		t.Host = strings.TrimSuffix(strings.ToLower(host), ".")
	}
	if port == "" {
		return nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return fmt.Errorf("%q is no port", port)
	}
	t.Port = int(n)
	if t.StartTLS == "" {
		t.StartTLS = protocolOf(t.Port)
	}
	return nil
}

// setAddress takes an address. A zone keeps its case: it is the name of an interface.
func (t *Target) setAddress(addr netip.Addr) error {
	if zone := addr.Zone(); zone != "" && checkHost(zone) != nil {
		return errors.New("the zone of the address is no name of an interface")
	}
	t.Host = addr.String()
	return nil
}

// checkHost refuses what cannot be a host name.
func checkHost(host string) error {
	if host == "" {
		return errors.New("no host")
	}
	if len(host) > 253 {
		return errors.New("host name too long")
	}
	if strings.HasPrefix(host, ".") || strings.HasSuffix(host, ".") || strings.Contains(host, "..") {
		return errors.New("an empty label in a host name")
	}
	for _, r := range host {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '.', r == '_':
		default:
			return fmt.Errorf("%q does not belong in a host name; write other scripts in their xn-- form", r)
		}
	}
	return nil
}

// protocolOf finds the protocol that begins in plain text on a well-known port; "": none.
func protocolOf(port int) string {
	digits := strconv.Itoa(port)
	if digits == "587" {
		return starttls.SMTP.String()
	}
	for _, p := range starttls.Protocols() {
		if p.Port() == digits {
			return p.String()
		}
	}
	return ""
}

// name is what goes into SNI; "" for an address.
func (t Target) name() string {
	if t.ServerName != "" {
		return t.ServerName
	}
	if _, err := netip.ParseAddr(t.Host); err == nil {
		return ""
	}
	return t.Host
}

// String gives "host:port", and the protocol behind a slash where TLS comes by STARTTLS.
func (t Target) String() string {
	s := net.JoinHostPort(t.Host, strconv.Itoa(t.Port))
	if t.StartTLS != "" {
		s += "/" + t.StartTLS
	}
	return s
}
