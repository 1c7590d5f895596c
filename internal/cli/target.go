package cli

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/net/idna"
)

// target is a host to connect to, as named on the command line.
type target struct {
	host string // DNS name in ASCII form, or an IP address without brackets
	port string
}

func (t target) String() string { return net.JoinHostPort(t.host, t.port) }

// name is what the certificate must be valid for. The dot that makes a DNS name absolute is not part of it, nor is the
// zone of a link-local address.
func (t target) name() string {
	if addr, err := netip.ParseAddr(t.host); err == nil {
		return addr.WithZone("").String()
	}
	return strings.TrimSuffix(t.host, ".")
}

// parseTarget reads HOST, HOST:PORT, an IPv6 address with or without brackets, or the beginning of a https URL, which
// is what people have in their clipboard. Without a port it is the one given, or that of https.
func parseTarget(cmd *cobra.Command, text, port string) (target, error) {
	t := target{port: port}
	if port == "" {
		t.port = "443"
	}
	rest := text
	if after, ok := strings.CutPrefix(rest, "https://"); ok {
		rest, _, _ = strings.Cut(after, "/")
	}
	if strings.Contains(rest, "://") || strings.ContainsAny(rest, "/ @") {
		f := usagef(cmd, "%q is no HOST or HOST:PORT", text)
		f.hint = "write it like example.com, example.com:8443 or [::1]:8443"
		return t, f
	}
	switch {
	case isAddress(unbracketed(rest)):
		t.host = unbracketed(rest)
	case strings.Contains(rest, ":"):
		var err error
		if t.host, t.port, err = net.SplitHostPort(rest); err != nil {
			return t, usagef(cmd, "%q is no HOST:PORT", text)
		}
	default:
		t.host = rest
	}
	if n, err := strconv.ParseUint(t.port, 10, 16); err != nil || n == 0 {
		return t, usagef(cmd, "%q: %q is no port (1 to 65535)", text, t.port)
	}
	if t.host == "" {
		return t, usagef(cmd, "%q names no host", text)
	}
	if isAddress(t.host) {
		return t, nil
	}
	ascii, err := asciiName(t.host)
	if err != nil || strings.ContainsFunc(ascii, isNoHostRune) {
		return t, usagef(cmd, "%q is no host name", t.host)
	}
	t.host = ascii
	return t, nil
}

// unbracketed takes an IPv6 address out of its brackets.
func unbracketed(s string) string {
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		return s[1 : len(s)-1]
	}
	return s
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// isNoHostRune knows what no resolver takes as part of a name.
func isNoHostRune(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune("[]:%\"'\\", r) }

// asciiName gives the ASCII form of an internationalized name, and leaves others as they are: names with underscores
// and the like exist, and whether one has an address is for DNS to say.
func asciiName(name string) (string, error) {
	for i := range len(name) {
		if name[i] >= 0x80 {
			return idna.Lookup.ToASCII(name)
		}
	}
	return name, nil
}

// unicodeName gives the Unicode form of an internationalized name, or "" where it has none that leads back to it. Names
// that look alike are no reason to hide it, for it is shown beside the ASCII form, never in its place.
func unicodeName(name string) string {
	if !strings.Contains(strings.ToLower(name), "xn--") {
		return ""
	}
	readable, err := idna.Display.ToUnicode(name)
	if err != nil || readable == name {
		return ""
	}
	if ascii, err := idna.Lookup.ToASCII(readable); err != nil || !strings.EqualFold(ascii, name) {
		return ""
	}
	return readable
}

// withUnicode puts the Unicode form of a name behind it.
func withUnicode(name string) string {
	if readable := unicodeName(name); readable != "" {
		return name + " (" + readable + ")"
	}
	return name
}
