package config

import (
	"path/filepath"
	"strings"
)

// RelativeTo makes every file name absolute: names that are not are below dir, which is the folder of the file they
// stand in, wherever the program was started. Keys in tokens have no file name, but a URI (RFC 7512), which stays.
func (g *Gateway) RelativeTo(dir string) {
	fix := func(names ...*string) {
		for _, n := range names {
			if scheme, _, _ := strings.Cut(*n, ":"); *n != "" && *n != "-" && !filepath.IsAbs(*n) && !strings.EqualFold(scheme, "pkcs11") {
				*n = filepath.Join(dir, *n)
			}
		}
	}
	fix(&g.AccessLog, &g.Tickets)
	for i := range g.Listeners {
		fixSocket(&g.Listeners[i].Address, fix)
		for j := range g.Listeners[i].ECHKeys {
			fix(&g.Listeners[i].ECHKeys[j].File)
		}
	}
	for i := range g.Sites {
		s := &g.Sites[i]
		for j := range s.Certificate.Files {
			fix(&s.Certificate.Files[j].Chain, &s.Certificate.Files[j].Key, &s.Certificate.Files[j].SCTs)
		}
		if a := s.Certificate.ACME; a != nil {
			fix(&a.CA, &a.Binding)
		}
		if c := s.Clients; c != nil {
			for j := range c.CA {
				fix(&c.CA[j])
			}
			for j := range c.CRL {
				if !strings.Contains(c.CRL[j], "://") {
					fix(&c.CRL[j])
				}
			}
		}
		targets := []*Target{&s.Target}
		for j := range s.Routes {
			if s.Routes[j].Target != nil {
				targets = append(targets, s.Routes[j].Target)
			}
		}
		for _, t := range targets {
			fix(&t.Dir, &t.CA, &t.Cert, &t.Key)
			fixSocket(&t.URL, fix)
		}
	}
}

// fixSocket does the same to unix:PATH and unix+http:PATH.
func fixSocket(address *string, fix func(...*string)) {
	scheme, path, _ := strings.Cut(*address, ":")
	if scheme == "unix" || scheme == "unix+http" {
		fix(&path)
		*address = scheme + ":" + path
	}
}
