package config

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Bounds on one gateway.
const (
	maxListeners = 100
	maxSites     = 1000
	maxRoutes    = 1000 // of one site
	maxECHFiles  = 16   // of one listener: a ClientHello that claims to be for them is tried with each
)

// sections are the parts of a file that others than the reader of one of them know.
func sections() []string { return []string{"acme", "ca", "dashboard", "gateway", "monitor"} }

// siteName is what a site or a listener may be called: it appears in logs, metrics and errors.
var siteName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// gatewayReader reads one section, and keeps where each key stands for what is checked at the end.
type gatewayReader struct {
	g       *Gateway
	section ast.Node
	keys    map[string]ast.Node // by path: "gateway.sites.app.page"
	named   map[int]bool        // listeners, by index, that name their sites themselves
}

// ReadGateway reads the section "gateway" of a file, and checks it as a whole: what names nothing that there is, or has
// no effect where it stands, is an error, for whoever wrote it believes that it does. Other sections are not looked at.
// File names are as they were written: see [Gateway.RelativeTo]. Each listener comes back with the names of its sites.
// What is wrong is an [*Error] with line and column.
func ReadGateway(text []byte) (*Gateway, error) {
	root, ok, err := parse(text)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &Error{Text: "the file is empty", Hint: "begin with gateway:"}
	}
	top, err := root.fields(sections())
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(top, func(f field) bool { return f.name == "gateway" })
	if i < 0 {
		return nil, fail(root.ast, "begin with gateway:", "there is no section gateway in the file")
	}
	return readGateway(top[i])
}

// readGateway reads the section, and checks it.
func readGateway(section field) (*Gateway, error) {
	r := &gatewayReader{g: &Gateway{}, section: section.key, keys: make(map[string]ast.Node), named: make(map[int]bool)}
	if err := r.gateway(section.value); err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	return r.g, nil
}

// each reads a mapping: what is written under a key goes to its reader, in the order of the file.
func (r *gatewayReader) each(n node, readers map[string]func(node) error) error {
	list, err := n.fields(slices.Sorted(maps.Keys(readers)))
	if err != nil {
		return err
	}
	for _, f := range list {
		r.keys[f.value.path] = f.key
		if err := readers[f.name](f.value); err != nil {
			return err
		}
	}
	return nil
}

// at is where a key stands, or the next mapping around it that was written.
func (r *gatewayReader) at(path string) ast.Node {
	for {
		if n := r.keys[path]; n != nil {
			return n
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			return r.section
		}
		path = path[:i]
	}
}

// has reports whether a key was written.
func (r *gatewayReader) has(path string) bool { return r.keys[path] != nil }

func (r *gatewayReader) gateway(n node) error {
	g := r.g
	return r.each(n, map[string]func(node) error{
		"listeners":  r.listeners,
		"sites":      r.sites,
		"limits":     func(n node) error { return r.limits(n, &g.Limits) },
		"access-log": setText(&g.AccessLog),
		"metrics":    func(n node) error { return setMetrics(n, &g.Metrics) },
		"user":       setText(&g.User),
		"tickets":    setText(&g.Tickets),
		// What certificates name is fetched from addresses of the world only, unless told otherwise.
		"allow-private": setTruth(&g.AllowPrivate),
	})
}

func (r *gatewayReader) listeners(n node) error {
	list, err := n.list()
	if err != nil {
		return fail(n.ast, "write each as - address: 127.0.0.1:8443", "%s is not a list", n.label())
	}
	if len(list) > maxListeners {
		return fail(n.ast, "", "%d listeners, more than %d", len(list), maxListeners)
	}
	for _, e := range list {
		if err := r.listener(e); err != nil {
			return err
		}
	}
	return nil
}

// listener reads one, which may be an address alone.
func (r *gatewayReader) listener(n node) error {
	l := Listener{Protocol: ProtocolHTTPS}
	l.Place.Line, l.Place.Column = nodePlace(n.ast)
	index := len(r.g.Listeners)
	r.keys[n.path] = n.ast
	var err error
	if _, isText := n.text(); isText == nil {
		err = setAddress(n, &l.Address)
	} else {
		err = r.each(n, map[string]func(node) error{
			"name":    func(n node) error { return setName(n, &l.Name) },
			"address": func(n node) error { return setAddress(n, &l.Address) },
			"protocol": setWord(&l.Protocol, map[string]Protocol{
				"https": ProtocolHTTPS, "tls": ProtocolTLS, "http": ProtocolHTTP, "plain": ProtocolPlain}),
			"sites": func(n node) (err error) {
				r.named[index] = true
				if l.Sites, err = texts(n); err == nil && len(l.Sites) == 0 {
					return fail(n.ast, "leave the key out: all sites are reached then", "%s is empty", n.path)
				}
				return err
			},
			"proxies":      func(n node) (err error) { l.Trusted, err = proxies(n); return err },
			"ech-keys":     func(n node) error { return l.addECHKeys(n, false) },
			"ech-old-keys": func(n node) error { return l.addECHKeys(n, true) },
			"limits":       func(n node) error { return r.limits(n, &l.Limits) },
		})
	}
	if err != nil {
		return err
	}
	if l.Address == "" {
		return fail(n.ast, "add address: 127.0.0.1:8443", "%s has no address", n.path)
	}
	r.g.Listeners = append(r.g.Listeners, l)
	return nil
}

// addECHKeys reads names of files with keys for Encrypted ClientHello.
func (l *Listener) addECHKeys(n node, old bool) error {
	return n.eachText(func(e node, text string) error {
		switch {
		case slices.ContainsFunc(l.ECHKeys, func(k ECHKeyFile) bool { return k.File == text }):
			return fail(e.ast, "name it once: below ech-old-keys when clients are no longer to be told of it", "%s: %q is listed twice", e.path, text)
		case len(l.ECHKeys) == maxECHFiles:
			return fail(e.ast, "drop those that the DNS has no longer told of for days", "%s: more than %d keys for Encrypted ClientHello", e.path, maxECHFiles)
		}
		k := ECHKeyFile{File: text, Old: old}
		k.Place.Line, k.Place.Column = nodePlace(e.ast)
		l.ECHKeys = append(l.ECHKeys, k)
		return nil
	})
}

// limits reads bounds; those of a listener are within those of the gateway.
func (r *gatewayReader) limits(n node, l *Limits) error {
	return r.each(n, map[string]func(node) error{
		"connections":  setCount(&l.Connections),
		"per-address":  setCount(&l.PerAddress),
		"handshake":    setSpan(&l.Handshake),
		"header-time":  setSpan(&l.HeaderTime),
		"body-time":    setSpan(&l.BodyTime),
		"idle":         setSpan(&l.Idle),
		"header-bytes": setSize(&l.HeaderBytes),
		"body-bytes":   setSize(&l.BodyBytes),
	})
}

// nodePlace is where a value begins.
func nodePlace(n ast.Node) (line, column int) {
	switch v := n.(type) {
	case *ast.MappingNode:
		if len(v.Values) > 0 && !v.IsFlowStyle {
			n = v.Values[0].Key
		}
	case *ast.MappingValueNode:
		n = v.Key
	}
	if n == nil {
		return 0, 0
	}
	return place(n.GetToken())
}

// proxies reads the addresses and networks of those who may say whom they speak for.
func proxies(n node) ([]netip.Prefix, error) {
	list, err := n.list()
	if err != nil {
		return nil, err
	}
	var networks []netip.Prefix
	for _, e := range list {
		text, err := e.text()
		if err != nil {
			return nil, err
		}
		p, err := netip.ParsePrefix(text)
		if ip, ipErr := netip.ParseAddr(text); ipErr == nil && ip.Zone() == "" {
			p, err = ip.Unmap().Prefix(ip.Unmap().BitLen())
		}
		switch {
		case err != nil:
			return nil, fail(e.ast, "write it as 10.0.0.0/8 or 10.1.2.3", "%s: %q is neither an address nor a network", e.path, text)
		case p.Masked() != p:
			return nil, fail(e.ast, fmt.Sprintf("write %v, or %v alone", p.Masked(), p.Addr()), "%s: %s has bits beyond its length", e.path, text)
		case p.Bits() == 0:
			return nil, fail(e.ast, "name the proxies in front of this gateway", "%s: %s would let everybody say who they are", e.path, text)
		case slices.Contains(networks, p):
			return nil, fail(e.ast, "name it once", "%s: %s is listed twice", e.path, text)
		}
		networks = append(networks, p)
	}
	return networks, nil
}
