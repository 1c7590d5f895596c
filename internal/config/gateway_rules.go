package config

import (
	"fmt"
	"strings"

	"github.com/tlswright/tlswright/internal/access"
)

// maxRules bounds one policy, after lists have been written out.
const maxRules = 1000

// clients reads whom a site asks for certificates, and who may come in with one.
func (r *gatewayReader) clients(n node, c *Clients) error {
	name := strings.TrimPrefix(n.path, "gateway.")
	policy := &access.Policy{Name: name}
	err := r.each(n, map[string]func(node) error{
		"mode":            setWord(&c.Mode, map[string]ClientMode{"require": ClientsRequire, "request": ClientsRequest}),
		"ca":              func(n node) error { return r.authorities(n, c) },
		"allow":           func(n node) error { return r.allow(n, policy) },
		"deny":            func(n node) error { return r.deny(n, policy) },
		"crl":             func(n node) error { return r.lists(n, c) },
		"revocation":      setWord(&c.Revocation, map[string]RevocationMode{"hard": RevocationHard, "soft": RevocationSoft, "off": RevocationOff}),
		"close-on-revoke": setTruth(&c.CloseOnRevoke),
	})
	if err != nil {
		return err
	}
	c.Policy = policy
	switch {
	case len(c.CA) == 0 && !c.OwnCA:
		return fail(r.at(n.path), "add ca: own, or ca: [FILE]", "%s does not say whose certificates count", n.path)
	case !r.has(n.path + ".allow"):
		return fail(r.at(n.path), "add allow: [{cn: alice}], or allow: verified for whoever has a certificate of the CA",
			"%s does not say who may come in: that a CA certified somebody does not mean that they are welcome here", n.path)
	case c.Mode == ClientsRequire && policy.LetsAnonymousIn():
		return fail(r.at(n.path+".allow"), "write allow: verified, or mode: request", "%s lets anyone in, and yet a certificate is required", n.path)
	case c.Revocation == RevocationOff && len(c.CRL) > 0:
		return fail(r.at(n.path+".crl"), "leave out revocation: off, or the list", "%s would not be looked at: revocation is off", n.path+".crl")
	case c.Revocation == RevocationOff && c.CloseOnRevoke:
		return fail(r.at(n.path+".close-on-revoke"), "leave out revocation: off, or this", "%s has no effect: revocation is off", n.path+".close-on-revoke")
	}
	return nil
}

// authorities reads files of roots; the word own is the estate's CA.
func (r *gatewayReader) authorities(n node, c *Clients) error {
	var files []string
	if err := setTexts(&files)(n); err != nil {
		return err
	}
	for _, f := range files {
		if f == "own" {
			c.OwnCA = true
			continue
		}
		c.CA = append(c.CA, f)
	}
	return nil
}

// lists reads where more revocation lists come from.
func (r *gatewayReader) lists(n node, c *Clients) error {
	if err := setTexts(&c.CRL)(n); err != nil {
		return err
	}
	for _, l := range c.CRL {
		if scheme, _, ok := strings.Cut(l, "://"); ok && scheme != "http" && scheme != "https" {
			return fail(n.ast, "write a file name, or http://host/path", "%s: %q is neither a file nor an http URL", n.path, l)
		}
	}
	return nil
}

// allow reads who is let in: a list of rules, or one of the words verified, anyone and nobody.
func (r *gatewayReader) allow(n node, p *access.Policy) error {
	if text, err := n.text(); err == nil {
		switch text {
		case "nobody":
			return nil
		case "verified", "anyone":
			p.Allow = []access.Rule{{Name: ruleName(n), Anyone: text == "anyone"}}
			return nil
		}
		return fail(n.ast, "write verified, anyone, nobody, or rules: [{cn: alice}, {dns: '*.corp.example'}]", "%s: %q is not known", n.label(), text)
	}
	return r.rules(n, &p.Allow)
}

// deny reads who is refused, whatever allow says.
func (r *gatewayReader) deny(n node, p *access.Policy) error {
	if text, err := n.text(); err == nil {
		return fail(n.ast, "write rules: [{serial: 1A2B}]; to refuse everybody, write allow: nobody", "%s: %q is no rule", n.label(), text)
	}
	return r.rules(n, &p.Deny)
}

// ruleName is what people know a rule by: where it stands, without the section.
func ruleName(n node) string { return strings.TrimPrefix(n.path, "gateway.") }

// rules reads a list of rules, or a single one.
func (r *gatewayReader) rules(n node, to *[]access.Rule) error {
	entries := []node{{ast: n.ast, path: n.path}}
	if list, err := n.list(); err == nil {
		entries = list
	}
	if len(entries) == 0 {
		return fail(n.ast, "add {cn: alice}, or write nobody", "%s is empty", n.path)
	}
	for _, e := range entries {
		list, err := r.rule(e)
		if err != nil {
			return err
		}
		if len(*to)+len(list) > maxRules {
			return fail(e.ast, "", "%s has more than %d rules, lists of values written out", n.path, maxRules)
		}
		*to = append(*to, list...)
	}
	return nil
}

// rule reads one entry. Where a pattern is a list one of the values must fit, and so an entry may be several rules.
func (r *gatewayReader) rule(n node) ([]access.Rule, error) {
	if text, err := n.text(); err == nil {
		return nil, fail(n.ast, "write {cn: "+text+"}, {dns: ...}, {uri: ...}; the words verified, anyone and nobody stand alone, without a list", "%s is no rule", n.label())
	}
	rules := []access.Rule{{Name: ruleName(n)}}
	times := func(set func(*access.Rule, string)) func(node) error {
		return func(n node) error {
			var values []string
			if err := setTexts(&values)(n); err != nil {
				return err
			}
			if len(values)*len(rules) > maxRules {
				return fail(n.ast, "", "%s: more than %d combinations", n.path, maxRules)
			}
			before := rules
			rules = nil
			for _, one := range before {
				for _, v := range values {
					with := one
					set(&with, v)
					if err := with.Validate(); err != nil {
						return fail(n.ast, "", "%s: %v", n.path, err)
					}
					rules = append(rules, with)
				}
			}
			return nil
		}
	}
	err := r.each(n, map[string]func(node) error{
		"cn":     times(func(r *access.Rule, v string) { r.CN = v }),
		"ou":     times(func(r *access.Rule, v string) { r.OU = v }),
		"dns":    times(func(r *access.Rule, v string) { r.DNS = v }),
		"ip":     times(func(r *access.Rule, v string) { r.IP = v }),
		"email":  times(func(r *access.Rule, v string) { r.Email = v }),
		"uri":    times(func(r *access.Rule, v string) { r.URI = v }),
		"pin":    times(func(r *access.Rule, v string) { r.Pin = v }),
		"serial": times(func(r *access.Rule, v string) { r.Serial = v }),
	})
	if err != nil {
		return nil, err
	}
	if rules[0].IsEmpty() {
		return nil, fail(n.ast, "write {cn: alice}; for every verified certificate write verified in the place of the list", "%s asks for nothing", n.path)
	}
	return rules, nil
}

// routes reads the parts of a site.
func (r *gatewayReader) routes(n node, s *Site) error {
	list, err := n.list()
	if err != nil {
		return fail(n.ast, "write each as - path: /admin", "%s is not a list", n.label())
	}
	if len(list) == 0 || len(list) > maxRoutes {
		return fail(n.ast, "", "%s has %d entries, not between 1 and %d", n.path, len(list), maxRoutes)
	}
	for _, e := range list {
		if err := r.route(e, s); err != nil {
			return err
		}
	}
	return nil
}

func (r *gatewayReader) route(n node, s *Site) error {
	route := Route{}
	route.Place.Line, route.Place.Column = nodePlace(n.ast)
	r.keys[n.path] = n.ast
	policy := &access.Policy{}
	err := r.each(n, map[string]func(node) error{
		"path":    func(n node) error { return setPath(n, &route.Path) },
		"methods": func(n node) error { return setMethods(n, &route.Methods) },
		"allow":   func(n node) error { route.Policy = policy; return r.allow(n, policy) },
		"deny":    func(n node) error { route.Policy = policy; return r.deny(n, policy) },
		"target":  func(n node) error { route.Target = &Target{}; return r.target(n, route.Target) },
	})
	switch {
	case err != nil:
		return err
	case route.Path == "":
		return fail(n.ast, "add path: /admin", "%s has no path", n.path)
	case route.Policy == nil && route.Target == nil:
		return fail(n.ast, "add allow, deny or target", "%s changes nothing", n.path)
	case route.Policy != nil && !r.has(n.path+".allow"):
		return fail(r.at(n.path+".deny"), "add allow: verified, or rules", "%s denies some, and does not say who may come in", n.path)
	}
	r.renameRules(n, s, &route)
	s.Routes = append(s.Routes, route)
	return nil
}

// renameRules calls the rules of a route by its path, which says more than its number.
func (r *gatewayReader) renameRules(n node, s *Site, route *Route) {
	if route.Policy == nil {
		return
	}
	label := route.Path
	if len(route.Methods) > 0 {
		label = strings.Join(route.Methods, ",") + " " + label
	}
	name := fmt.Sprintf("sites.%s.routes[%s]", s.Name, label)
	route.Policy.Name = name
	for _, list := range [][]access.Rule{route.Policy.Allow, route.Policy.Deny} {
		for i := range list {
			list[i].Name = name + strings.TrimPrefix(list[i].Name, ruleName(n))
		}
	}
}

// setPath reads a path as routes are compared by: decoded, without a slash at its end.
func setPath(n node, to *string) error {
	text, err := plainText(n)
	if err != nil {
		return err
	}
	path := strings.TrimPrefix(text, "=")
	switch {
	case !strings.HasPrefix(path, "/"):
		return fail(n.ast, "write it as /admin for this path and all below it, or =/admin for this one alone", "%s: %q is no path", n.label(), text)
	case strings.ContainsAny(path, "*"):
		return fail(n.ast, "leave the star out: /admin is this path and all below it", "%s: %q: paths have no patterns", n.label(), text)
	case strings.ContainsAny(path, "%?#\\;"):
		return fail(n.ast, "write the path decoded, and without a query", "%s: %q is no plain path", n.label(), text)
	}
	if path != "/" {
		if text == path {
			path = strings.TrimSuffix(path, "/")
		}
		for _, s := range strings.Split(strings.TrimSuffix(path[1:], "/"), "/") {
			if s == "" || s == "." || s == ".." {
				return fail(n.ast, "requests are compared after //, . and .. have been resolved", "%s: no request has the path %q", n.label(), text)
			}
		}
	}
	*to = text[:len(text)-len(strings.TrimPrefix(text, "="))] + path
	return nil
}

// setMethods reads HTTP methods.
func setMethods(n node, to *[]string) error {
	if err := setTexts(to)(n); err != nil {
		return err
	}
	for _, m := range *to {
		if strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_") != "" {
			return fail(n.ast, "write it as GET or POST", "%s: %q is no method", n.path, m)
		}
	}
	return nil
}
