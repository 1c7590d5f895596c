package config

import (
	"fmt"
	"maps"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tlswright/tlswright/pki"
)

// maxText bounds a plain value of the gateway, in bytes.
const maxText = 4096

// plainText reads a value that is not empty, and can be seen.
func plainText(n node) (string, error) {
	text, err := n.text()
	switch {
	case err != nil:
		return "", err
	case text == "":
		return "", fail(n.ast, "leave the key out, or give it a value", "%s is empty", n.label())
	case len(text) > maxText:
		return "", fail(n.ast, "", "%s has %d bytes, more than %d", n.label(), len(text), maxText)
	case pki.Printable(text) != text:
		return "", fail(n.ast, "", "%s: a character in %q cannot be seen", n.label(), text)
	}
	return text, nil
}

func setText(to *string) func(node) error {
	return func(n node) (err error) { *to, err = plainText(n); return err }
}

func setTruth(to *bool) func(node) error {
	return func(n node) (err error) { *to, err = n.truth(); return err }
}

// setTexts reads a list of values, each once.
func setTexts(to *[]string) func(node) error {
	return func(n node) error {
		return n.eachText(func(e node, text string) error {
			if slices.Contains(*to, text) {
				return fail(e.ast, "name it once", "%s: %q is listed twice", e.path, text)
			}
			*to = append(*to, text)
			return nil
		})
	}
}

// eachText reads a list of values, of which there is one at least.
func (n node) eachText(take func(e node, text string) error) error {
	list, err := n.list()
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fail(n.ast, "name at least one, or leave the key out", "%s is empty", n.label())
	}
	for _, e := range list {
		text, err := plainText(e)
		if err != nil {
			return err
		}
		if err := take(e, text); err != nil {
			return err
		}
	}
	return nil
}

func setWord[T any](to *T, words map[string]T) func(node) error {
	return func(n node) error {
		text, err := plainText(n)
		if err != nil {
			return err
		}
		v, ok := words[text]
		if !ok {
			return fail(n.ast, nearest(text, slices.Sorted(maps.Keys(words))), "%s: %q is not known", n.label(), text)
		}
		*to = v
		return nil
	}
}

func setName(n node, to *string) error {
	text, err := plainText(n)
	if err == nil && !siteName.MatchString(text) {
		return fail(n.ast, "take letters, digits, dots, hyphens and underscores", "%q is no name", text)
	}
	*to = text
	return err
}

// setCount reads a number above 0, or none, which is -1.
func setCount(to *int) func(node) error { return setCountOr(to, "none", 31, "1000") }

// setCountOr reads a number of so many bits, or a word, which is -1. like is an example.
func setCountOr[T int | int64](to *T, word string, bits int, like string) func(node) error {
	return func(n node) error {
		text, err := plainText(n)
		if err != nil {
			return err
		}
		if text == word {
			*to = -1
			return nil
		}
		count, err := strconv.ParseUint(text, 10, bits)
		if err != nil || count == 0 {
			return fail(n.ast, "write a number such as "+like+", or "+word, "%s is %q", n.label(), text)
		}
		*to = T(count)
		return nil
	}
}

// setSpan reads a time such as 30s, 5m or 1h, or none, which is -1.
func setSpan(to *time.Duration) func(node) error {
	return func(n node) error {
		text, err := plainText(n)
		if err != nil {
			return err
		}
		if text == "none" {
			*to = -1
			return nil
		}
		*to, err = span(n, text)
		return err
	}
}

// span reads a whole number and its unit.
func span(n node, text string) (time.Duration, error) {
	digits := strings.TrimRight(text, "smhdy")
	unit, ok := map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "y": 365 * 24 * time.Hour}[text[len(digits):]]
	count, err := strconv.ParseUint(digits, 10, 32)
	if !ok || err != nil || count == 0 || time.Duration(count) > 100*365*24*time.Hour/unit {
		return 0, fail(n.ast, "write it as 10s, 5m, 1h or 365d", "%s: %q is no time", n.label(), text)
	}
	return time.Duration(count) * unit, nil
}

// setSize reads a number of bytes, with KiB, MiB, GiB (1024) or kB, MB, GB (1000) behind it, or none, which is -1.
func setSize[T int | int64 | uint32](to *T) func(node) error {
	return func(n node) error {
		text, err := plainText(n)
		if err != nil {
			return err
		}
		var zero T
		if text == "none" && zero-1 < 0 {
			*to = zero - 1
			return nil
		}
		digits := strings.TrimRight(text, "BKMGTik ")
		unit, ok := map[string]uint64{"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "kB": 1e3, "MB": 1e6, "GB": 1e9}[strings.TrimLeft(text[len(digits):], " ")]
		count, err := strconv.ParseUint(digits, 10, 64)
		most := uint64(math.MaxInt64)
		switch any(zero).(type) {
		case int:
			most = math.MaxInt32
		case uint32:
			most = math.MaxUint32
		}
		if !ok || err != nil || count == 0 || count > most/unit {
			return fail(n.ast, "write it as 64KiB, 10MiB, or a number of bytes", "%s: %q is no size", n.label(), text)
		}
		*to = T(count * unit)
		return nil
	}
}

// setAddress reads what can be listened on.
func setAddress(n node, to *string) error {
	text, err := plainText(n)
	if err != nil {
		return err
	}
	*to = text
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		if path == "" {
			return fail(n.ast, "write it as unix:/run/gateway.sock", "%s names no socket", n.label())
		}
		return nil
	}
	if name, ok := strings.CutPrefix(text, "systemd:"); ok {
		if !siteName.MatchString(name) {
			return fail(n.ast, "write the FileDescriptorName of the .socket unit: systemd:https", "%s names no socket of systemd", n.label())
		}
		return nil
	}
	_, err = hostPort(n, text)
	return err
}

// hostPort checks an address of TCP that is listened on. A name might mean several addresses, or another one tomorrow.
func hostPort(n node, text string) (host string, err error) {
	const hint = "write it as 127.0.0.1:8443, [::1]:8443, or :8443 for every address of this machine"
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return "", fail(n.ast, hint, "%s: %q is not an address with a port", n.label(), text)
	}
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(number, 10) != port {
		return "", fail(n.ast, hint, "%s: %q is no port", n.label(), port)
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && host != "localhost" {
		return "", fail(n.ast, hint, "%s: %q is not an address of this machine", n.label(), host)
	}
	return host, nil
}

// setMetrics reads the operator's address, which the world must not reach.
func setMetrics(n node, to *string) error {
	text, err := plainText(n)
	if err != nil {
		return err
	}
	host, err := hostPort(n, text)
	if err != nil {
		return err
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return fail(n.ast, "write it as 127.0.0.1:9443; to reach it from elsewhere, make a site of it with rules", "%s: %s can be reached by others", n.label(), text)
	}
	*to = text
	return nil
}

// hostName reads a name under which a site is reached: a DNS name, one with a star for its first label, an address.
func hostName(n node) (string, error) {
	text, err := plainText(n)
	if err != nil {
		return "", err
	}
	if ip, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil && ip.Zone() == "" {
		return ip.Unmap().String(), nil
	}
	name := strings.ToLower(text)
	if problem := nameProblem(strings.TrimPrefix(name, "*.")); problem != "" {
		hint := "write it as app.example, *.app.example or 192.0.2.1"
		if strings.Contains(text, "://") || strings.ContainsAny(text, "/:") {
			hint = "write the name alone, without scheme, port and path"
		}
		return "", fail(n.ast, hint, "%s: %q is no host: %s", n.label(), text, problem)
	}
	return name, nil
}

// nameProblem says what keeps a text from being a DNS name; "": nothing does.
func nameProblem(name string) string {
	if len(name) > 253 {
		return "it is longer than 253 bytes"
	}
	for label := range strings.SplitSeq(name, ".") {
		switch {
		case label == "":
			return "a label is empty"
		case len(label) > 63:
			return "a label is longer than 63 bytes"
		case label[0] == '-' || label[len(label)-1] == '-':
			return "a label begins or ends with a hyphen"
		}
		for _, c := range label {
			if c > 0x7f {
				return "letters of other scripts are written as they go over the wire (xn--)"
			}
			if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
				return fmt.Sprintf("%q does not belong into a name", c)
			}
		}
	}
	return ""
}
