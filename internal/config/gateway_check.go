package config

import (
	"fmt"
	"slices"
	"strings"
)

// check holds the parts against each other.
func (r *gatewayReader) check() error {
	switch {
	case len(r.g.Listeners) == 0:
		return fail(r.at("gateway.listeners"), "add listeners: [{address: 127.0.0.1:8443}]", "the gateway listens nowhere")
	case len(r.g.Sites) == 0:
		return fail(r.at("gateway.sites"), "add sites: {app: {target: 'http://127.0.0.1:3000'}}", "the gateway has no sites")
	}
	for i := range r.g.Sites {
		if err := r.checkSite(&r.g.Sites[i]); err != nil {
			return err
		}
	}
	if err := r.checkListeners(); err != nil {
		return err
	}
	reached := make(map[string][]Protocol)
	for _, p := range []Protocol{ProtocolPlain, ProtocolHTTPS, ProtocolTLS, ProtocolHTTP} {
		for i := range r.g.Listeners {
			if l := &r.g.Listeners[i]; l.Protocol == p {
				if err := r.reach(i, reached); err != nil {
					return err
				}
			}
		}
	}
	for i := range r.g.Sites {
		if err := r.checkReach(&r.g.Sites[i], reached[r.g.Sites[i].Name]); err != nil {
			return err
		}
	}
	return nil
}

// path is where a site stands.
func (s *Site) path(keys ...string) string {
	return strings.Join(append([]string{"gateway.sites." + s.Name}, keys...), ".")
}

// speaksHTTP reports whether a site takes requests. The echo alone does both.
func (s *Site) speaksHTTP() bool { return s.Target.isHTTP() || len(s.Routes) > 0 }

// checkSite refuses settings that have no effect on a site, wherever it is reached.
func (r *gatewayReader) checkSite(s *Site) error {
	t := &s.Target
	if t.URL == "" && t.Dir == "" && !t.Echo && !t.Welcome && t.Status == 0 {
		return fail(r.at(s.path()), "add target: http://127.0.0.1:3000, or target: 404 for what no route fits", "site %s has no target", s.Name)
	}
	if t.isStream() {
		for _, key := range []string{"routes", "headers", "page", "redirect", "early-data"} {
			if r.has(s.path(key)) {
				return fail(r.at(s.path(key)), "it is for HTTP; the target of this site takes any protocol", "site %s: %s has no effect on %s", s.Name, key, t.URL)
			}
		}
	}
	switch {
	case s.EarlyData > 0 && s.Clients != nil:
		return fail(r.at(s.path("early-data")), "leave one of them out", "site %s: early data comes before anybody has proven who they are, and this site asks for certificates", s.Name)
	case s.Page && s.Clients == nil:
		return fail(r.at(s.path("page")), "add clients, or leave it out", "site %s: nobody is refused here, and so nobody sees the page", s.Name)
	}
	if err := r.checkACME(s); err != nil {
		return err
	}
	return r.checkRoutes(s)
}

// checkACME refuses names that cannot be proven by the challenges that are answered here.
func (r *gatewayReader) checkACME(s *Site) error {
	if s.Certificate.ACME == nil {
		return nil
	}
	place := r.at(s.path("certificate", "acme"))
	if len(s.Hosts) == 0 {
		return fail(place, "add hosts: [app.example]", "site %s: a certificate of ACME needs the names that it is for", s.Name)
	}
	for i, h := range s.Hosts {
		if strings.HasPrefix(h, "*.") {
			return fail(r.at(fmt.Sprintf("%s[%d]", s.path("hosts"), i)), "name the hosts, or obtain it by a DNS challenge (tlswright acme obtain) and write certificate: {live: NAME}",
				"site %s: %s cannot be proven by http-01 or tls-alpn-01", s.Name, h)
		}
	}
	return nil
}

// checkRoutes refuses routes that nothing gets to, and rules that nobody can pass.
func (r *gatewayReader) checkRoutes(s *Site) error {
	type key struct{ path, method string }
	seen := make(map[key]bool)
	for i := range s.Routes {
		route := &s.Routes[i]
		path := fmt.Sprintf("%s[%d]", s.path("routes"), i)
		methods := route.Methods
		if len(methods) == 0 {
			methods = []string{""}
		}
		for _, m := range methods {
			k := key{route.Path, m}
			if seen[k] {
				return fail(r.at(path), "keep one of them, or tell them apart by methods", "%s: nothing gets here: a route before it has the same path%s", s.path("routes")+fmt.Sprintf("[%d]", i), ofMethod(m))
			}
			seen[k] = true
		}
		if route.Target != nil && !route.Target.isHTTP() && !route.Target.Echo {
			return fail(r.at(path+".target"), "write it as http://127.0.0.1:3000", "%s: a route is a part of an HTTP site, and %s is not HTTP", path, route.Target.URL)
		}
		if route.Policy == nil {
			continue
		}
		isOpen := route.Policy.LetsAnonymousIn()
		switch {
		case s.Clients == nil && (isOpen || len(route.Policy.Allow) > 0):
			return fail(r.at(path+".allow"), "add clients: {mode: request, ca: own, allow: anyone} to the site", "%s: site %s asks nobody for a certificate, and so cannot tell who comes", path, s.Name)
		case s.Clients != nil && isOpen && !s.Clients.Policy.LetsAnonymousIn():
			return fail(r.at(path+".allow"), "write mode: request and allow: anyone for the site, and its rules for a route with path: /", "%s lets anyone in, but the site does not: a route can only narrow", path)
		}
	}
	return nil
}

func ofMethod(m string) string {
	if m == "" {
		return ""
	}
	return " and method " + m
}

// checkListeners refuses names and addresses that are there twice, and sites that are not there.
func (r *gatewayReader) checkListeners() error {
	names, addresses := make(map[string]bool), make(map[string]bool)
	for i := range r.g.Listeners {
		l := &r.g.Listeners[i]
		path := fmt.Sprintf("gateway.listeners[%d]", i)
		name := l.Name
		if name == "" {
			name = l.Address
		}
		_, port, _ := strings.Cut(l.Address, ":")
		isFixed := !strings.HasSuffix(l.Address, ":0") || strings.HasPrefix(port, "/")
		switch {
		case names[name] && (isFixed || l.Name != ""):
			return fail(r.at(path), "give each a name of its own", "two listeners are called %s", name)
		case addresses[l.Address] && isFixed:
			return fail(r.at(path+".address"), "keep one of them; it may reach several sites", "two listeners have the address %s", l.Address)
		}
		names[name], addresses[l.Address] = true, true
		if err := r.checkECH(l, path); err != nil {
			return err
		}
		for _, s := range l.Sites {
			if !slices.ContainsFunc(r.g.Sites, func(site Site) bool { return site.Name == s }) {
				return fail(r.at(path+".sites"), nearest(s, r.siteNames()), "listener %s: there is no site %q", name, s)
			}
		}
	}
	return nil
}

// checkECH refuses keys for Encrypted ClientHello that decrypt nothing, or that no client is told of.
func (r *gatewayReader) checkECH(l *Listener, path string) error {
	switch {
	case len(l.ECHKeys) == 0:
		return nil
	case l.Protocol != ProtocolHTTPS && l.Protocol != ProtocolTLS:
		key := path + ".ech-keys"
		if !r.has(key) {
			key = path + ".ech-old-keys"
		}
		return fail(r.at(key), "leave it out: there are no ClientHellos", "listener %s: keys for Encrypted ClientHello have no effect with protocol: %s", l.title(), l.Protocol)
	case !r.has(path + ".ech-keys"):
		// RFC 9849, Section 7.1: a server MUST tell clients that come with others of one or more configurations.
		return fail(r.at(path+".ech-old-keys"), "name the key that is in use below ech-keys", "listener %s has old keys for Encrypted ClientHello, and none for clients to use", l.title())
	}
	return nil
}

func (r *gatewayReader) siteNames() []string {
	var names []string
	for _, s := range r.g.Sites {
		names = append(names, s.Name)
	}
	return names
}

// reach settles which sites a listener reaches, and notes it for the sites.
func (r *gatewayReader) reach(index int, reached map[string][]Protocol) error {
	l := &r.g.Listeners[index]
	path := fmt.Sprintf("gateway.listeners[%d]", index)
	if !r.named[index] {
		for i := range r.g.Sites {
			if s := &r.g.Sites[i]; l.fits(s, reached[s.Name]) == "" {
				l.Sites = append(l.Sites, s.Name)
			}
		}
	}
	hosts := make(map[string]string)
	for i := range r.g.Sites {
		s := &r.g.Sites[i]
		if !slices.Contains(l.Sites, s.Name) {
			continue
		}
		var taken []Protocol
		if l.Protocol == ProtocolHTTP {
			taken = reached[s.Name]
		}
		if problem := l.fits(s, taken); r.named[index] && problem != "" {
			return fail(r.at(path+".sites"), "", "listener %s cannot reach site %s: %s", l.title(), s.Name, problem)
		}
		reached[s.Name] = append(reached[s.Name], l.Protocol)
		if err := r.checkHosts(l, s, hosts); err != nil {
			return err
		}
	}
	switch {
	case len(l.Sites) == 0:
		hint := map[Protocol]string{
			ProtocolHTTPS: "it is for HTTP targets: http://, https://, unix+http:, {dir: FOLDER}, echo or a status",
			ProtocolTLS:   "it is for targets that take any protocol: tcp://, tls://, unix: or echo; for HTTP write protocol: https",
			ProtocolHTTP:  "it redirects to sites that a listener with protocol: https reaches: add one",
			ProtocolPlain: "it is for a site with the target tls://HOST:PORT, without hosts, certificate and clients",
		}[l.Protocol]
		return fail(r.at(path), hint, "listener %s reaches no site", l.title())
	case l.Protocol == ProtocolPlain && len(l.Sites) > 1:
		return fail(r.at(path), "add sites: [ONE]", "listener %s takes plain connections, which have no names to choose by, and reaches %s", l.title(), strings.Join(l.Sites, ", "))
	}
	return nil
}

// checkHosts refuses a name that would lead to two sites.
func (r *gatewayReader) checkHosts(l *Listener, s *Site, hosts map[string]string) error {
	if l.Protocol == ProtocolPlain || l.Protocol == ProtocolHTTP {
		return nil
	}
	if len(s.Hosts) == 0 {
		if other := hosts[""]; other != "" {
			return fail(r.at(s.path()), "give one of them hosts: only one site can be for every other name", "sites %s and %s of listener %s have no hosts both", other, s.Name, l.title())
		}
		hosts[""] = s.Name
	}
	for i, h := range s.Hosts {
		if other := hosts[h]; other != "" {
			return fail(r.at(fmt.Sprintf("%s[%d]", s.path("hosts"), i)), "keep it at one of them", "%s leads to the sites %s and %s of listener %s", h, other, s.Name, l.title())
		}
		hosts[h] = s.Name
	}
	return nil
}

// title names a listener for people.
func (l *Listener) title() string {
	if l.Name != "" {
		return l.Name
	}
	return l.Address
}

// fits says why a site cannot be reached by a listener; "": it can. taken are the protocols that reach it already.
func (l *Listener) fits(s *Site, taken []Protocol) string {
	scheme, _, _ := strings.Cut(s.Target.URL, ":")
	switch l.Protocol {
	case ProtocolHTTPS:
		if s.Target.isStream() {
			return "its target " + s.Target.URL + " is not HTTP; a listener with protocol: tls hands connections on"
		}
	case ProtocolTLS:
		switch {
		case s.speaksHTTP():
			return "it is a site of HTTP; write protocol: https"
		case slices.Contains(taken, ProtocolPlain):
			return "a plain listener reaches it"
		}
	case ProtocolPlain:
		switch {
		case scheme != "tls":
			return "the target of a plain listener is tls://HOST:PORT"
		case s.Clients != nil || s.Certificate.isSet() || len(s.Hosts) > 0:
			return "a plain listener shows no certificate, asks for none, and knows no hosts"
		}
	case ProtocolHTTP:
		if !slices.Contains(taken, ProtocolHTTPS) && s.Certificate.ACME == nil {
			return "no listener with protocol: https reaches it, and so there is nothing to redirect to"
		}
	}
	return ""
}

func (c *Certificates) isSet() bool {
	return len(c.Files) > 0 || c.Live != "" || c.Own || c.ACME != nil || c.OCSP != StapleAuto
}

// checkReach refuses a site that nothing reaches, and settings for a way in that it does not have.
func (r *gatewayReader) checkReach(s *Site, by []Protocol) error {
	isServed := slices.ContainsFunc(by, func(p Protocol) bool { return p != ProtocolHTTP })
	switch {
	case !isServed:
		hint := "add it to the sites of a listener"
		if !slices.ContainsFunc(r.g.Listeners, func(l Listener) bool { return l.fits(s, nil) == "" && l.Protocol != ProtocolHTTP }) {
			hint = "add a listener with protocol: https"
			if s.Target.isStream() {
				hint = "add a listener with protocol: tls"
			}
		}
		return fail(r.at(s.path()), hint, "no listener reaches site %s", s.Name)
	case r.has(s.path("redirect")) && !slices.Contains(by, ProtocolHTTP):
		return fail(r.at(s.path("redirect")), "add a listener {address: ':80', protocol: http}, or leave it out", "site %s: nothing is redirected: no listener with protocol: http reaches it", s.Name)
	case s.Target.Echo && !slices.Contains(by, ProtocolHTTPS):
		for _, key := range []string{"headers", "page", "redirect"} {
			if r.has(s.path(key)) {
				return fail(r.at(s.path(key)), "write protocol: https for the listener, or leave it out", "site %s: %s has no effect: no listener reaches it by HTTP", s.Name, key)
			}
		}
	}
	if a := s.Certificate.ACME; a != nil && a.Challenge == "http-01" && !slices.Contains(by, ProtocolHTTP) {
		return fail(r.at(s.path("certificate", "acme", "challenge")), "add a listener {address: ':80', protocol: http}, or leave the challenge out", "site %s: nothing answers http-01", s.Name)
	}
	return nil
}
