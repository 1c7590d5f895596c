package config

import (
	"net/netip"
	"strings"
)

// Dashboard says where a monitor's pages are, and who may change things there. The zero Dashboard is none.
type Dashboard struct {
	Listen      string   // address; "": none. One without a host is on loopback
	Token       string   // file with a token of 128 bits at least; "": nobody changes anything by a token
	Certificate string   // files for TLS; needed where others can reach the address
	Key         string   //
	ClientCA    string   // file of CAs: who shows a certificate of theirs may change things
	Names       []string // further names by which browsers call it
	NoRecords   bool     // handshakes are not recorded for it
	Place       Place
}

// IsLoopback reports whether an address can be reached from this machine only.
func IsLoopback(address string) bool {
	host := address
	if i := strings.LastIndex(address, ":"); i >= 0 {
		host = address[:i]
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// DashboardPort is the port where nothing else is said.
const DashboardPort = "9780"

// dashboard reads the section.
func (r *monitorReader) dashboard(n node) error {
	d := &r.m.Dashboard
	d.Place.Line, d.Place.Column = nodePlace(n.ast)
	if _, isText := n.text(); isText == nil { // the address alone
		if err := setLocal(n, &d.Listen); err != nil {
			return err
		}
		return d.check(n)
	}
	err := eachOf(n, map[string]func(node) error{
		"listen":      func(v node) error { return setLocal(v, &d.Listen) },
		"token-file":  setText(&d.Token),
		"certificate": setText(&d.Certificate),
		"key":         setText(&d.Key),
		"client-ca":   setText(&d.ClientCA),
		"names":       setHosts(&d.Names),
		"handshakes": func(v node) error {
			isWanted := true
			err := setTruth(&isWanted)(v)
			d.NoRecords = !isWanted
			return err
		},
	})
	if err != nil {
		return err
	}
	if d.Listen == "" {
		d.Listen = "127.0.0.1:" + DashboardPort
	}
	return d.check(n)
}

// check finds what does not go together.
func (d *Dashboard) check(n node) error {
	switch {
	case (d.Certificate == "") != (d.Key == ""):
		return fail(n.ast, "name both files", "%s: certificate and key go together", n.label())
	case d.Certificate == "" && d.ClientCA != "":
		return fail(n.ast, "add certificate: and key:", "%s: client certificates need TLS", n.label())
	case d.Certificate == "" && !IsLoopback(d.Listen):
		return fail(n.ast, "add certificate: and key:, or take an address on loopback, such as 127.0.0.1:"+DashboardPort, "%s: %s can be reached by others, and there is no TLS", n.label(), d.Listen)
	}
	return nil
}

// setHosts reads names under which something is called: DNS names and addresses, without star.
func setHosts(to *[]string) func(node) error {
	return func(n node) error {
		list, err := n.list()
		if err != nil {
			return fail(n.ast, "write it as [monitor.example.com]", "%s is not a list", n.label())
		}
		for _, e := range list {
			name, err := hostName(e)
			if err != nil {
				return err
			}
			if strings.HasPrefix(name, "*") {
				return fail(e.ast, "name each", "%s: a star stands for any name, which a page elsewhere could take for its own", e.label())
			}
			*to = append(*to, name)
		}
		return nil
	}
}
