package config

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/tlswright/tlswright/pki"
)

// target reads where requests or connections go: a URL, one of the words echo and welcome, a status, or a mapping that says more.
func (r *gatewayReader) target(n node, t *Target) error {
	t.Place.Line, t.Place.Column = nodePlace(n.ast)
	if text, err := n.text(); err == nil {
		switch {
		case text == "echo", text == "welcome":
			t.Echo, t.Welcome = text == "echo", text == "welcome"
			return nil
		case len(text) == 3 && strings.Trim(text, "0123456789") == "":
			return setStatus(n, &t.Status)
		}
		return setTargetURL(n, &t.URL)
	}
	err := r.each(n, map[string]func(node) error{
		"url":            func(n node) error { return setTargetURL(n, &t.URL) },
		"dir":            setText(&t.Dir),
		"echo":           setTruth(&t.Echo),
		"welcome":        setTruth(&t.Welcome),
		"status":         func(n node) error { return setStatus(n, &t.Status) },
		"ca":             setText(&t.CA),
		"cert":           setText(&t.Cert),
		"key":            setText(&t.Key),
		"server-name":    func(n node) (err error) { t.ServerName, err = hostName(n); return err },
		"pins":           func(n node) error { return setPins(n, &t.Pins) },
		"pins-alone":     setTruth(&t.PinsAlone),
		"proxy-protocol": setTruth(&t.ProxyProtocol),
	})
	if err != nil {
		return err
	}
	kinds := 0
	for _, isSet := range []bool{t.URL != "", t.Dir != "", t.Echo, t.Welcome, t.Status != 0} {
		if isSet {
			kinds++
		}
	}
	if kinds != 1 {
		return fail(n.ast, "write one of url, dir, echo: true, welcome: true, status", "%s has %d targets in the place of one", n.path, kinds)
	}
	return r.checkTarget(n, t)
}

// checkTarget refuses what has no effect on the target that it stands with.
func (r *gatewayReader) checkTarget(n node, t *Target) error {
	scheme, _, _ := strings.Cut(t.URL, ":")
	if scheme != "https" && scheme != "tls" {
		for _, key := range []string{"ca", "cert", "key", "server-name", "pins", "pins-alone"} {
			if r.has(n.path + "." + key) {
				return fail(r.at(n.path+"."+key), "it is for https:// and tls:// targets", "%s has no effect: this target does not speak TLS", n.path+"."+key)
			}
		}
	}
	switch {
	case t.ProxyProtocol && !t.isStream():
		return fail(r.at(n.path+".proxy-protocol"), "HTTP targets get Client-Cert and X-Forwarded-For", "%s is for tcp:, tls: and unix: targets", n.path+".proxy-protocol")
	case t.Key != "" && t.Cert == "":
		return fail(r.at(n.path+".key"), "add cert: FILE", "%s has a key and no certificate", n.path)
	case t.Cert != "" && t.Key == "":
		return fail(r.at(n.path+".cert"), "add key: FILE; it may be the same file", "%s has a certificate and no key", n.path)
	case t.PinsAlone && len(t.Pins) != 1:
		return fail(r.at(n.path+".pins-alone"), "leave it out", "%s is for a single pin", n.path+".pins-alone")
	case len(t.Pins) == 1 && !t.PinsAlone:
		return fail(r.at(n.path+".pins"), "add the pin of a spare key (tlswright cert pin makes one), or pins-alone: true", "%s has no backup: when that key is lost, nothing gets through", n.path+".pins")
	}
	return nil
}

// isStream reports whether the target takes connections of any protocol.
func (t *Target) isStream() bool {
	scheme, _, _ := strings.Cut(t.URL, ":")
	return scheme == "tcp" || scheme == "tls" || scheme == "unix"
}

// isHTTP reports whether the target takes requests only.
func (t *Target) isHTTP() bool { return !t.Echo && !t.isStream() }

func setStatus(n node, to *int) error {
	text, err := plainText(n)
	if err != nil {
		return err
	}
	status, err := strconv.ParseUint(text, 10, 16)
	if err != nil || status < 200 || status > 599 || status/100 == 3 {
		return fail(n.ast, "write 404, 403, 204 or another of the 2xx, 4xx and 5xx", "%s: %q is no status to answer with", n.label(), text)
	}
	*to = int(status)
	return nil
}

// setTargetURL reads the address of an upstream.
func setTargetURL(n node, to *string) error {
	text, err := plainText(n)
	if err != nil {
		return err
	}
	const hint = "write it as http://127.0.0.1:3000, https://HOST, tcp://HOST:PORT, tls://HOST:PORT, unix:/PATH or unix+http:/PATH; or {dir: FOLDER}, echo, 404"
	scheme, rest, ok := strings.Cut(text, ":")
	switch {
	case !ok:
		return fail(n.ast, hint, "%s: %q is no target", n.label(), text)
	case scheme == "unix" || scheme == "unix+http":
		if rest == "" || strings.HasPrefix(rest, "//") {
			return fail(n.ast, "write it as "+scheme+":/run/app.sock", "%s: %q names no socket", n.label(), text)
		}
		*to = text
		return nil
	case !strings.HasPrefix(rest, "//"):
		return fail(n.ast, "write the scheme: http://"+text+" or tcp://"+text, "%s: %q has no scheme that is known", n.label(), text)
	case !slices.Contains([]string{"http", "https", "tcp", "tls"}, scheme):
		return fail(n.ast, hint, "%s: the scheme %q is not known", n.label(), scheme)
	}
	if err := setURL(n, to, scheme); err != nil {
		return err
	}
	u, err := url.Parse(text)
	if err != nil {
		return fail(n.ast, hint, "%s: %q is no URL", n.label(), text)
	}
	if u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		return fail(n.ast, "leave it out", "%s: what follows the path in %q would be lost", n.label(), text)
	}
	if scheme == "tcp" || scheme == "tls" {
		if _, _, err := net.SplitHostPort(u.Host); err != nil || u.Port() == "" {
			return fail(n.ast, "add the port: "+scheme+"://"+u.Host+":5432", "%s: %q has no port", n.label(), text)
		}
		if strings.Trim(u.Path, "/") != "" {
			return fail(n.ast, "leave it out", "%s: %s has no paths", n.label(), scheme)
		}
	}
	return nil
}

// setURL reads a URL with one of the schemes.
func setURL(n node, to *string, schemes ...string) error {
	text, err := plainText(n)
	if err != nil {
		return err
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme):
		return fail(n.ast, "write it as "+schemes[0]+"://host:port", "%s: %q is no %s URL", n.label(), text, strings.Join(schemes, " or "))
	case u.User != nil:
		return fail(n.ast, "leave the name and password out", "%s: a URL with a password would stand in logs", n.label())
	case strings.HasPrefix(u.Host, "*"), strings.ContainsAny(u.Host, "{}$"):
		return fail(n.ast, "name one server: the request has no say in where it goes", "%s: %q is not one host", n.label(), u.Host)
	}
	if p := u.Port(); p != "" {
		if number, err := strconv.ParseUint(p, 10, 16); err != nil || number == 0 {
			return fail(n.ast, "", "%s: %q is no port", n.label(), p)
		}
	}
	*to = text
	return nil
}

// setPins reads pins in any of the forms in use.
func setPins(n node, to *[]string) error {
	list, err := n.list()
	if err != nil {
		return err
	}
	for _, e := range list {
		text, err := plainText(e)
		if err != nil {
			return err
		}
		if _, err := pki.ParsePin(text); err != nil {
			return fail(e.ast, "print one with: tlswright cert pin HOST", "%s: %v", e.path, err)
		}
		if slices.Contains(*to, text) {
			return fail(e.ast, "name it once", "%s is listed twice", e.path)
		}
		*to = append(*to, text)
	}
	if len(*to) == 0 {
		return fail(n.ast, "leave the key out", "%s is empty", n.path)
	}
	return nil
}
