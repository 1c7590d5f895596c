package config

import (
	"fmt"
	"slices"
	"strings"
)

// sites reads them by their names.
func (r *gatewayReader) sites(n node) error {
	list, err := n.fields(nil)
	if err != nil {
		return err
	}
	if len(list) > maxSites {
		return fail(n.ast, "", "%d sites, more than %d", len(list), maxSites)
	}
	for _, f := range list {
		if !siteName.MatchString(f.name) {
			return fail(f.key, "take letters, digits, dots, hyphens and underscores; host names stand in hosts", "%q is no name for a site", f.name)
		}
		r.keys[f.value.path] = f.key
		s := Site{Name: f.name}
		s.Place.Line, s.Place.Column = nodePlace(f.key)
		if err := r.site(f.value, &s); err != nil {
			return err
		}
		r.g.Sites = append(r.g.Sites, s)
	}
	return nil
}

func (r *gatewayReader) site(n node, s *Site) error {
	return r.each(n, map[string]func(node) error{
		"hosts":       func(n node) error { return r.hosts(n, s) },
		"certificate": func(n node) error { return r.certificate(n, &s.Certificate) },
		"profile":     setWord(&s.Profile, map[string]string{"modern": "modern", "intermediate": "intermediate", "old-but-sound": "old-but-sound"}),
		"clients":     func(n node) error { s.Clients = &Clients{Mode: ClientsRequire}; return r.clients(n, s.Clients) },
		"early-data":  setSize(&s.EarlyData),
		"headers":     func(n node) error { return r.headers(n, &s.Headers) },
		"target":      func(n node) error { return r.target(n, &s.Target) },
		"routes":      func(n node) error { return r.routes(n, s) },
		"page":        setTruth(&s.Page),
		"redirect":    func(n node) error { redirect, err := n.truth(); s.NoRedirect = !redirect; return err },
	})
}

func (r *gatewayReader) hosts(n node, s *Site) error {
	list, err := n.list()
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fail(n.ast, "leave the key out for the site of every other name", "%s is empty", n.path)
	}
	for _, e := range list {
		name, err := hostName(e)
		if err != nil {
			return err
		}
		if slices.Contains(s.Hosts, name) {
			return fail(e.ast, "name it once", "%s: %s is listed twice", e.path, name)
		}
		r.keys[fmt.Sprintf("%s[%d]", n.path, len(s.Hosts))] = e.ast
		s.Hosts = append(s.Hosts, name)
	}
	return nil
}

// certificate reads where certificates come from: the word own, or one of the sources.
func (r *gatewayReader) certificate(n node, c *Certificates) error {
	if text, err := n.text(); err == nil {
		if text != "own" {
			return fail(n.ast, "write own, or {chain: FILE, key: FILE}, {live: NAME} or {acme: {directory: URL}}", "%s: %q is not known", n.label(), text)
		}
		c.Own = true
		return nil
	}
	var pair CertificateFiles
	var sources []string
	is := func(source string, read func(node) error) func(node) error {
		return func(n node) error {
			if !slices.Contains(sources, source) {
				sources = append(sources, source)
			}
			return read(n)
		}
	}
	err := r.each(n, map[string]func(node) error{
		"chain": is("chain and key", setText(&pair.Chain)),
		"key":   is("chain and key", setText(&pair.Key)),
		"scts":  is("chain and key", setText(&pair.SCTs)),
		"files": is("files", func(n node) error { return r.pairs(n, c) }),
		"live":  is("live", setText(&c.Live)),
		"own":   is("own", setTruth(&c.Own)),
		"acme": is("acme", func(n node) error {
			c.ACME = &ACME{}
			return r.acme(n, c.ACME)
		}),
		"staple": setWord(&c.OCSP, map[string]Staple{"auto": StapleAuto, "off": StapleOff}),
	})
	if err != nil {
		return err
	}
	switch {
	case len(sources) > 1:
		return fail(n.ast, "keep one of them; several key types side by side are written as files: [{chain: ..., key: ...}, ...]", "%s has several sources: %s", n.path, strings.Join(sources, " and "))
	case len(sources) == 0:
		return fail(n.ast, "add own: true, chain and key, live, or acme", "%s does not say where certificates come from", n.path)
	case sources[0] == "own" && !c.Own:
		return fail(r.at(n.path+".own"), "write own: true, or another source", "%s comes from nowhere", n.path)
	case sources[0] == "chain and key":
		c.Files = []CertificateFiles{pair}
		return checkPair(n, pair)
	}
	return nil
}

// checkPair demands both halves of a pair.
func checkPair(n node, pair CertificateFiles) error {
	switch {
	case pair.Chain == "":
		return fail(n.ast, "add chain: FILE, the certificate and those of its issuers", "%s has a key and no chain", n.path)
	case pair.Key == "":
		return fail(n.ast, "add key: FILE; it may be the same file as the chain", "%s has a chain and no key", n.path)
	}
	return nil
}

// pairs reads a list of chains and keys.
func (r *gatewayReader) pairs(n node, c *Certificates) error {
	list, err := n.list()
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fail(n.ast, "add {chain: FILE, key: FILE}", "%s is empty", n.path)
	}
	for _, e := range list {
		var pair CertificateFiles
		if err := r.each(e, map[string]func(node) error{"chain": setText(&pair.Chain), "key": setText(&pair.Key), "scts": setText(&pair.SCTs)}); err != nil {
			return err
		}
		if err := checkPair(e, pair); err != nil {
			return err
		}
		if slices.Contains(c.Files, pair) {
			return fail(e.ast, "name it once", "%s is listed twice", e.path)
		}
		c.Files = append(c.Files, pair)
	}
	return nil
}

func (r *gatewayReader) acme(n node, a *ACME) error {
	if text, err := n.text(); err == nil && text == OwnDirectory {
		a.Directory = OwnDirectory
		return nil
	}
	err := r.each(n, map[string]func(node) error{
		"directory": func(n node) error {
			if text, err := n.text(); err == nil && text == OwnDirectory {
				a.Directory = text
				return nil
			}
			return setURL(n, &a.Directory, "https")
		},
		"email":     setText(&a.Email),
		"ca":        setText(&a.CA),
		"profile":   setText(&a.Profile),
		"binding":   setText(&a.Binding),
		"challenge": setWord(&a.Challenge, map[string]string{"tls-alpn-01": "tls-alpn-01", "http-01": "http-01"}),
	})
	if err != nil {
		return err
	}
	if a.Directory == "" {
		return fail(n.ast, "add directory: https://acme.example/directory", "%s does not say which server", n.path)
	}
	if a.Email != "" && !strings.Contains(a.Email, "@") {
		return fail(r.at(n.path+".email"), "write it as ops@corp.example", "%s: %q is no e-mail address", n.path+".email", a.Email)
	}
	return nil
}
