package config

import (
	"slices"
	"strings"
	"time"
)

// maxHeaders bounds the fields that a site adds.
const maxHeaders = 100

// headers reads what is added to the answers of a site.
func (r *gatewayReader) headers(n node, h *Headers) error {
	if text, err := n.text(); err == nil {
		if text != "off" {
			return fail(n.ast, "write off, or a mapping with hsts, csp, frame, set", "%s: %q is not known", n.label(), text)
		}
		h.Off = true
		return nil
	}
	err := r.each(n, map[string]func(node) error{
		"defaults":        func(n node) error { with, err := n.truth(); h.Off = !with; return err },
		"hsts":            func(n node) error { return setHSTS(n, &h.HSTS) },
		"hsts-subdomains": setTruth(&h.HSTSSubdomains),
		"hsts-preload":    setTruth(&h.HSTSPreload),
		"csp":             setText(&h.CSP),
		"frame":           setWord(&h.Frame, map[string]string{"deny": "DENY", "sameorigin": "SAMEORIGIN", "DENY": "DENY", "SAMEORIGIN": "SAMEORIGIN"}),
		"set":             func(n node) error { return r.extra(n, h) },
	})
	const year = 365 * 24 * time.Hour
	switch {
	case err != nil:
		return err
	case h.HSTS < 0 && (h.HSTSSubdomains || h.HSTSPreload):
		return fail(r.at(n.path+".hsts"), "leave out hsts: off, or the rest of it", "%s is off, and yet more is asked of it", n.path+".hsts")
	case h.Off && h.HSTS <= 0 && (h.HSTSSubdomains || h.HSTSPreload):
		return fail(n.ast, "add hsts: 365d", "%s: there is no hsts: the defaults are off", n.path)
	case h.HSTSPreload && (!h.HSTSSubdomains || h.HSTS > 0 && h.HSTS < year):
		return fail(r.at(n.path+".hsts-preload"), "add hsts-subdomains: true, and hsts: 365d or more", "%s: browsers' lists take hosts with all their subdomains, for a year or longer", n.path+".hsts-preload")
	}
	return nil
}

// setHSTS reads for how long browsers remember that a host speaks TLS; off is -1.
func setHSTS(n node, to *time.Duration) error {
	text, err := plainText(n)
	if err != nil {
		return err
	}
	if text == "off" || text == "none" {
		*to = -1
		return nil
	}
	*to, err = span(n, text)
	return err
}

// extra reads fields by name; an empty value removes one.
func (r *gatewayReader) extra(n node, h *Headers) error {
	list, err := n.fields(nil)
	if err != nil {
		return err
	}
	if len(list) > maxHeaders {
		return fail(n.ast, "", "%d fields, more than %d", len(list), maxHeaders)
	}
	h.Extra = make(map[string]string, len(list))
	for _, f := range list {
		value, err := f.value.text()
		if err != nil {
			return err
		}
		lower := strings.ToLower(f.name)
		switch {
		case f.name == "" || len(f.name) > 256 || strings.Trim(lower, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "":
			return fail(f.key, "write it as X-Robots-Tag", "%q is no name of a header field", f.name)
		case slices.Contains([]string{"connection", "content-length", "date", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}, lower):
			return fail(f.key, "", "%s belongs to the connection, and is not set by hand", f.name)
		case lower == "strict-transport-security":
			return fail(f.key, "write hsts: 365d", "%s is set by hsts", f.name)
		case len(value) > maxText || strings.ContainsFunc(value, func(c rune) bool { return c < 0x20 && c != '\t' || c == 0x7f || c > 0x7e }):
			return fail(f.value.ast, "visible letters of ASCII, and blanks", "%s: not a value for a header field", f.value.path)
		}
		for other := range h.Extra {
			if strings.EqualFold(other, f.name) {
				return fail(f.key, "keep one of them", "%s is written twice, in two spellings", f.name)
			}
		}
		h.Extra[f.name] = value
	}
	return nil
}
