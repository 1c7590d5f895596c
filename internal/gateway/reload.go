package gateway

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"reflect"
	"slices"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/revoked"
)

// Change is one thing that a reload has changed.
type Change struct {
	What string `json:"what"` // "listener", "site", "gateway"
	Name string `json:"name"`
	How  string `json:"how"` // "added", "removed", "changed"
}

// Reload takes over another configuration: all of it, or, with an error, nothing. No connection is dropped that the new
// rules would let in: new connections and requests see the new configuration at once, connections with client
// certificates are judged by it, and those that it refuses are closed. Certificates, CAs and the access log are opened
// again even where the configuration is the same.
func (g *Gateway) Reload(c *config.Gateway) ([]Change, error) {
	g.o.Notify(Reloading())
	defer g.o.Notify(Ready)
	changes, err := g.reload(c)
	result := "done"
	if err != nil {
		result = "failed"
		g.warn("", "the configuration stays as it was: "+err.Error())
	} else {
		g.tell(slog.LevelInfo, Event{Kind: "reload", Text: fmt.Sprintf("the configuration was read again: %d changes", len(changes))})
	}
	g.metrics.reloads.WithLabelValues("configuration", result).Inc()
	return changes, err
}

func (g *Gateway) reload(c *config.Gateway) ([]Change, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopping {
		return nil, errors.New("gateway: it is stopping")
	}
	old := g.state.Load()
	if c.User != old.config.User {
		return nil, &ConfigError{Where: "user", Err: errors.New("changing it takes a restart")}
	}
	if c.Metrics != old.config.Metrics {
		return nil, &ConfigError{Where: "metrics", Err: errors.New("changing it takes a restart")}
	}
	if c.AllowPrivate != old.config.AllowPrivate {
		return nil, &ConfigError{Where: "allow-private", Err: errors.New("changing it takes a restart")}
	}
	if c.Tickets != old.config.Tickets {
		return nil, &ConfigError{Where: "tickets", Err: errors.New("changing the file takes a restart; its content is read again whenever it changes")}
	}
	st, err := g.build(context.Background(), c, old)
	if err != nil {
		return nil, err
	}
	if c.Tickets != "" {
		st.note(c.Tickets)
		if err := g.readTickets(c.Tickets); err != nil {
			st.discard(old)
			return nil, &ConfigError{Where: "tickets", Err: err}
		}
	}
	if len(g.listeners) > 0 {
		if err := g.rebind(c, st, old); err != nil {
			st.discard(old)
			return nil, err
		}
	} else {
		g.state.Store(st)
	}
	if err := g.access.reopen(c.AccessLog, g.o.Output); err != nil {
		g.warn("", err.Error())
	}
	if old.stop != nil {
		old.stop()
	}
	for key, u := range old.upstream {
		if st.upstream[key] != u {
			u.close()
		}
	}
	for _, s := range old.sites {
		s.close()
	}
	if g.serving != nil {
		g.attend(st)
		g.running.Go(func() {
			g.judgeAgain(g.serving)
			g.retainCheckers(g.serving)
		})
	}
	g.retainStaples()
	return changesOf(old.config, c), nil
}

// rebind binds the listeners that are new, takes over the state, and lets go of those that are gone.
func (g *Gateway) rebind(c *config.Gateway, st, old *state) error {
	var keep, gone []*listener
	for _, l := range g.listeners {
		if slices.ContainsFunc(c.Listeners, func(lc config.Listener) bool { return findListener([]*listener{l}, &lc) != nil }) {
			keep = append(keep, l)
		} else {
			gone = append(gone, l)
		}
	}
	before := g.listeners
	g.state.Store(st) // bind looks into it; a connection that comes now finds all of its site or is refused
	if err := g.bindAll(c, slices.Clone(keep)); err != nil {
		g.state.Store(old)
		g.listeners = before
		return err
	}
	for i := range c.Listeners {
		if l := findListener(keep, &c.Listeners[i]); l != nil {
			l.set(c, &c.Listeners[i])
			if l.tls != nil {
				if err := l.tls.SetConfig(l.base()); err != nil {
					g.warn("", fmt.Sprintf("listener %s: %v", l.name, err))
				}
			}
		}
	}
	g.noteAddresses()
	if g.serving != nil {
		for _, l := range g.listeners[len(keep):] {
			g.start(l)
		}
	}
	for _, l := range gone {
		l.leave() // now: the port may be wanted again at once
		g.running.Go(func() {
			patience, cancel := context.WithTimeout(context.Background(), g.o.Grace)
			defer cancel()
			l.shutdown(patience)
		})
	}
	return nil
}

// changesOf compares two configurations.
func changesOf(old, new *config.Gateway) []Change {
	var out []Change
	out = append(out, compare("listener", byName(old.Listeners, listenerName), byName(new.Listeners, listenerName))...)
	out = append(out, compare("site", byName(old.Sites, siteName), byName(new.Sites, siteName))...)
	a, b := *old, *new
	a.Listeners, b.Listeners, a.Sites, b.Sites = nil, nil, nil, nil
	if !reflect.DeepEqual(a, b) {
		out = append(out, Change{What: "gateway", How: "changed"})
	}
	return out
}

type entry[T any] struct {
	name string
	item T
}

func byName[T any](list []T, name func(*T) string) []entry[T] {
	var out []entry[T]
	for i := range list {
		out = append(out, entry[T]{name(&list[i]), list[i]})
	}
	return out
}

func compare[T any](what string, old, new []entry[T]) (out []Change) {
	find := func(list []entry[T], name string) *entry[T] {
		for i := range list {
			if list[i].name == name {
				return &list[i]
			}
		}
		return nil
	}
	for _, n := range new {
		switch o := find(old, n.name); {
		case o == nil:
			out = append(out, Change{what, n.name, "added"})
		case !reflect.DeepEqual(withoutPlace(o.item), withoutPlace(n.item)):
			out = append(out, Change{what, n.name, "changed"})
		}
	}
	for _, o := range old {
		if find(new, o.name) == nil {
			out = append(out, Change{what, o.name, "removed"})
		}
	}
	return out
}

// withoutPlace forgets where something stands in the file: moving it changes nothing.
func withoutPlace(v any) any {
	switch v := v.(type) {
	case config.Listener:
		v.Place = config.Place{}
		v.ECHKeys = slices.Clone(v.ECHKeys)
		for i := range v.ECHKeys {
			v.ECHKeys[i].Place = config.Place{}
		}
		return v
	case config.Site:
		v.Place, v.Target.Place = config.Place{}, config.Place{}
		v.Routes = slices.Clone(v.Routes)
		for i := range v.Routes {
			v.Routes[i].Place = config.Place{}
			if t := v.Routes[i].Target; t != nil {
				moved := *t
				moved.Place = config.Place{}
				v.Routes[i].Target = &moved
			}
		}
		return v
	}
	return v
}

// watch follows whether the client's certificate is revoked, for as long as the connection is open.
func (c *conn) watch(s *settled, cl *clients, chain []*x509.Certificate) {
	err := c.watchBy(s, cl, chain)
	var e *revoked.Error
	switch {
	case err == nil:
	case errors.As(err, &e) && e.Revoked():
		c.wasRevoked(err) // between the end of the former watch and this one, or before this site's settings asked
	default:
		c.revoked.Store(&err)
	}
}

// watchBy goes over to the checker of these settings. The error is its verdict on the chain.
func (c *conn) watchBy(s *settled, cl *clients, chain []*x509.Certificate) error {
	s.watching.Lock()
	defer s.watching.Unlock()
	if s.checker == cl.revocation || c.isClosed.Load() {
		return nil
	}
	if s.unwatch != nil {
		s.unwatch()
		s.unwatch = nil
	}
	if s.checker = cl.revocation; s.checker == nil {
		return nil
	}
	var err error
	if s.unwatch, err = s.checker.Watch(context.Background(), chain, c.wasRevoked); err != nil {
		s.unwatch = nil
	}
	return err
}

// wasRevoked ends what a revoked client may do: its requests are refused from now on, and its connection is closed
// where the site wants that, or where there are no requests to refuse.
func (c *conn) wasRevoked(why error) {
	c.revoked.Store(&why)
	s := c.settled.Load()
	if s == nil || s.door == nil {
		return // the handshake has just ended: who goes on with it looks
	}
	if cl := s.door.site.clients.Load(); cl.c == nil || !cl.c.CloseOnRevoke {
		return
	}
	d := c.g.denyRevoked(&request{g: c.g, l: c.l, c: c, s: s, door: s.door}, why)
	d.Layer, d.Status = "tls", 0
	d.Text += "; the open connection was closed"
	c.g.deny(d)
	c.cut()
}

// cut ends a connection at once.
func (c *conn) cut() {
	if s := c.settled.Load(); s != nil {
		_ = s.tls.Close()
	}
	_ = c.Close()
}

// judgeAgain judges the clients of open connections by the rules as they are now. Requests are judged one by one as they
// come; connections without requests, which the rules would not let in any more, are closed.
func (g *Gateway) judgeAgain(ctx context.Context) {
	st := g.state.Load()
	for _, c := range g.conns.all() {
		if ctx.Err() != nil {
			return
		}
		s := c.settled.Load()
		if s == nil || s.door == nil || !s.subject.Present {
			continue
		}
		d := st.doorOf(c.l.name, s.door.site.name)
		if d == nil {
			continue // a site that is gone lets its connections finish
		}
		cl := d.site.clients.Load()
		c.watch(s, cl, s.chain())
		if d.protocol == config.ProtocolTLS && cl.c != nil && cl.key != s.key {
			g.judgeStream(ctx, c, s, d)
		}
	}
}

// judgeStream closes a connection whose client would not be let in any more.
func (g *Gateway) judgeStream(ctx context.Context, c *conn, s *settled, d *door) {
	q := &request{g: g, l: c.l, c: c, s: s, door: d}
	refusal := q.denial("", "")
	refusal.Layer, refusal.Status = "tls", 0
	if err := g.verifyAgain(ctx, d.site.clients.Load(), s.tls.Peer()); err != nil {
		refusal.explain(err)
	} else if decision := d.site.own.Decide(s.subject); !decision.Allowed {
		refusal.decided(decision)
	} else {
		return
	}
	refusal.Alert = ""
	refusal.Text += "; the rules have changed, and the open connection was closed"
	g.deny(refusal)
	c.cut()
}

// noteAddresses keeps the bound addresses for those who must not wait.
func (g *Gateway) noteAddresses() {
	all := make(map[string]net.Addr)
	for _, l := range g.listeners {
		all[l.name] = l.nl.Addr()
	}
	g.addresses.Store(&all)
}
