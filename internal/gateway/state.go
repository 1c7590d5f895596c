package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/tlswright/tlswright/internal/config"
)

// state is a configuration that was checked and loaded: what Reload replaces as a whole.
type state struct {
	config   *config.Gateway
	sites    []*site
	reach    map[string]*reach // by listener's name
	upstream map[string]*upstream
	stamps   map[string]stamp   // of files, from before they were read: what changed since is read again
	stop     context.CancelFunc // of those who watch its certificates
}

// reach is which sites a listener leads to, by name.
type reach struct {
	listener *config.Listener
	exact    map[string]*door // lower case, without a final dot; addresses in their usual form
	wildcard map[string]*door // by what follows "*."
	other    *door            // of names that no site has; nil: they are refused
	doors    []*door
	hidden   hidden
}

// find returns the door for a name, or nil. A wildcard stands for one label (RFC 9525, Section 6.3).
func (r *reach) find(name string) *door {
	if d := r.exact[name]; d != nil {
		return d
	}
	if _, rest, ok := strings.Cut(name, "."); ok {
		if d := r.wildcard[rest]; d != nil {
			return d
		}
	}
	return r.other
}

// names lists what is served, for people; it ends at a few.
func (r *reach) names() string {
	var out []string
	for _, d := range r.doors {
		out = append(out, d.site.c.Hosts...)
	}
	if len(out) > 6 {
		out = append(out[:6], "…")
	}
	return strings.Join(out, ", ")
}

// build checks and loads a configuration. Upstreams of the old state that are in it again are taken over with their
// connections.
func (g *Gateway) build(ctx context.Context, c *config.Gateway, old *state) (*state, error) {
	if len(c.Listeners) == 0 {
		return nil, &ConfigError{Where: "gateway", Err: errors.New("there is no listener")}
	}
	g.building = c
	st := &state{config: c, reach: make(map[string]*reach), upstream: make(map[string]*upstream), stamps: make(map[string]stamp)}
	byName := make(map[string]*site)
	for i := range c.Sites {
		s, err := g.newSite(ctx, st, old, &c.Sites[i])
		if err != nil {
			st.discard(old)
			return nil, &ConfigError{Place: c.Sites[i].Place, Where: "site " + siteName(&c.Sites[i]), Err: err}
		}
		if byName[s.name] != nil {
			st.discard(old)
			return nil, &ConfigError{Place: c.Sites[i].Place, Where: "site " + s.name, Err: errors.New("another site has the same name")}
		}
		byName[s.name] = s
		st.sites = append(st.sites, s)
	}
	if err := g.link(st, byName); err != nil {
		st.discard(old)
		return nil, err
	}
	return st, nil
}

// link settles which listener leads to which site.
func (g *Gateway) link(st *state, byName map[string]*site) error {
	reached := make(map[*site]bool)
	for i := range st.config.Listeners {
		l := &st.config.Listeners[i]
		wrong := func(err error) error {
			return &ConfigError{Place: l.Place, Where: "listener " + listenerName(l), Err: err}
		}
		if st.reach[listenerName(l)] != nil {
			return wrong(errors.New("another listener has the same name"))
		}
		r := &reach{listener: l, exact: make(map[string]*door), wildcard: make(map[string]*door)}
		r.hidden.files = l.ECHKeys
		st.reach[listenerName(l)] = r
		sites, err := sitesOf(l, st.sites, byName)
		if err != nil {
			return wrong(err)
		}
		for _, s := range sites {
			d := &door{g: g, listener: listenerName(l), protocol: l.Protocol, site: s, hidden: &r.hidden}
			if err := r.add(d); err != nil {
				return wrong(err)
			}
			reached[s] = reached[s] || l.Protocol != config.ProtocolHTTP
			s.doors = append(s.doors, d)
		}
		if err := st.openDoors(r); err != nil {
			return err
		}
	}
	for _, s := range st.sites {
		if !reached[s] {
			return &ConfigError{Place: s.c.Place, Where: "site " + s.name, Err: errors.New("no listener leads to it, so nothing of it would be in force")}
		}
	}
	return nil
}

// openDoors makes the TLS configurations of a listener's doors, once all that it leads to is known.
func (st *state) openDoors(r *reach) error {
	st.note(r.hidden.names()...)
	keys, err := r.readHidden()
	if err != nil {
		return err
	}
	r.hidden.now.Store(keys)
	for _, d := range r.doors {
		if !d.takesTLS() {
			continue
		}
		if err := d.refresh(); err != nil {
			return &ConfigError{Place: r.listener.Place, Where: "listener " + d.listener, Err: fmt.Errorf("site %s: %w", d.site.name, err)}
		}
	}
	return nil
}

// sitesOf are the sites that a listener leads to: those it names, or all that fit.
func sitesOf(l *config.Listener, all []*site, byName map[string]*site) ([]*site, error) {
	var out []*site
	for _, name := range l.Sites {
		s := byName[name]
		if s == nil {
			return nil, fmt.Errorf("there is no site %q", name)
		}
		if err := s.fits(l.Protocol); err != nil {
			return nil, fmt.Errorf("site %s: %w", name, err)
		}
		out = append(out, s)
	}
	if len(l.Sites) == 0 {
		for _, s := range all {
			if s.fits(l.Protocol) == nil {
				out = append(out, s)
			}
		}
	}
	switch {
	case len(out) == 0 && l.Protocol != config.ProtocolHTTP:
		return nil, errors.New("it leads to no site")
	case l.Protocol == config.ProtocolPlain && len(out) != 1:
		return nil, fmt.Errorf("a plain listener leads to one site, for nothing tells them apart; this one leads to %d", len(out))
	}
	return out, nil
}

// add enters a door under its site's names.
func (r *reach) add(d *door) error {
	r.doors = append(r.doors, d)
	if len(d.site.c.Hosts) == 0 {
		if r.other != nil && d.protocol != config.ProtocolHTTP {
			return fmt.Errorf("the sites %s and %s are both for all names", r.other.site.name, d.site.name)
		}
		r.other = d
		return nil
	}
	for _, h := range d.site.c.Hosts {
		table, name := r.exact, canonicalHost(h)
		if rest, ok := strings.CutPrefix(name, "*."); ok {
			table, name = r.wildcard, rest
		}
		if other := table[name]; other != nil {
			return fmt.Errorf("the sites %s and %s both have the name %s", other.site.name, d.site.name, h)
		}
		table[name] = d
	}
	return nil
}

// discard closes what was made for a state that is not used after all.
func (st *state) discard(old *state) {
	for key, u := range st.upstream {
		if old == nil || old.upstream[key] != u {
			u.close()
		}
	}
	for _, s := range st.sites {
		s.close()
	}
}

func siteName(c *config.Site) string {
	switch {
	case c.Name != "":
		return c.Name
	case len(c.Hosts) > 0:
		return c.Hosts[0]
	}
	return "default"
}

func listenerName(l *config.Listener) string {
	if l.Name != "" {
		return l.Name
	}
	return l.Address
}

// canonicalHost is a name in the form in which it is looked up: lower case, without a final dot; addresses as netip
// writes them, without brackets.
func canonicalHost(h string) string {
	h = strings.TrimSuffix(strings.ToLower(h), ".")
	if ip, err := netip.ParseAddr(strings.Trim(h, "[]")); err == nil {
		return ip.Unmap().WithZone("").String()
	}
	return h
}

// hostOf is the name in a Host header or an :authority, without its port. ok is false where it is none.
func hostOf(authority string) (host string, ok bool) {
	if strings.HasPrefix(authority, "[") || strings.Contains(authority, ":") {
		h, _, err := net.SplitHostPort(authority)
		if err != nil {
			if !strings.HasPrefix(authority, "[") || !strings.HasSuffix(authority, "]") {
				return "", false
			}
			h = authority[1 : len(authority)-1]
		}
		// RFC 3986, Section 3.2.2: brackets are around addresses of IPv6, and nowhere else.
		if a, err := netip.ParseAddr(h); strings.HasPrefix(authority, "[") && (err != nil || !a.Is6()) {
			return "", false
		}
		authority = h
	}
	for i := range len(authority) {
		if c := authority[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`/\?#@%<>"[]`, c) >= 0 {
			return "", false
		}
	}
	host = canonicalHost(authority)
	return host, host != "" && !strings.HasSuffix(host, ".") // the root alone, or a name with an empty label
}
