package grade

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// fixKind names a set of snippets: the same change for each kind of server.
type fixKind string

const (
	fixNone            fixKind = ""
	fixProtocols       fixKind = "protocols"
	fixTLS13           fixKind = "tls13"
	fixSuites          fixKind = "suites"
	fixGroups          fixKind = "groups"
	fixDH              fixKind = "dh"
	fixCompression     fixKind = "compression"
	fixRenegotiation   fixKind = "renegotiation"
	fixChain           fixKind = "chain"
	fixRenew           fixKind = "renew"
	fixKey             fixKind = "key"
	fixStaple          fixKind = "staple"
	fixHSTS            fixKind = "hsts"
	fixRedirect        fixKind = "redirect"
	fixHeaders         fixKind = "headers"
	fixCookies         fixKind = "cookies"
	fixVersion         fixKind = "version"
	fixHTTPCompression fixKind = "http-compression"
	fixHTTP2           fixKind = "http2"
	fixEarlyData       fixKind = "early-data"
	fixResumption      fixKind = "resumption"
	fixStrict          fixKind = "strict"
	fixUpdate          fixKind = "update"
	fixCAA             fixKind = "caa"
	fixTLSA            fixKind = "tlsa"
)

// The kinds of servers that snippets are for.
const (
	nginx   = "nginx"
	apache  = "Apache"
	haproxy = "HAProxy"
	caddy   = "Caddy"
	goLang  = "Go"
	java    = "Java"
	openSSL = "OpenSSL"
	postfix = "Postfix"
	dovecot = "Dovecot"
	zone    = "DNS"
)

// ServerKinds are the names that Options.ServerKind knows.
func ServerKinds() []string {
	return []string{nginx, apache, haproxy, caddy, goLang, java, openSSL, postfix, dovecot}
}

// hostMark stands for the server's name in the texts of snippets.
const hostMark = "HOST"

// snippets are the pieces of configuration for a fix, those for the detected or named server first.
func (s *subject) snippets(k fixKind) []Snippet {
	if k == fixNone || s.options.NoSnippets {
		return nil
	}
	switch k {
	case fixCAA:
		return []Snippet{s.caaSnippet()}
	case fixTLSA:
		return s.tlsaSnippets()
	}
	first := s.serverKind()
	host := s.hostName()
	isMail := s.f.StartTLS != "" || !s.isWeb()
	var list []Snippet
	for _, table := range []map[fixKind][]Snippet{tlsSnippets, certificateSnippets, webSnippets} {
		for _, row := range table[k] {
			if row.Server != first && !suits(row.Server, isMail) {
				continue
			}
			row.File = strings.ReplaceAll(row.File, hostMark, host)
			row.Text = strings.ReplaceAll(row.Text, hostMark, host)
			list = append(list, row)
		}
	}
	slices.SortStableFunc(list, func(a, b Snippet) int { return boolInt(b.Server == first) - boolInt(a.Server == first) })
	return list
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// suits reports whether a kind of server may be behind a service: web servers are no mail servers and the other way round;
// proxies and libraries may be either.
func suits(server string, isMail bool) bool {
	switch server {
	case postfix, dovecot:
		return isMail
	case nginx, apache, caddy:
		return !isMail
	}
	return true
}

// serverKind is the kind of server that was named, or that the server's own words tell; "" if neither.
func (s *subject) serverKind() string {
	for _, kind := range ServerKinds() {
		if strings.EqualFold(kind, s.options.ServerKind) {
			return kind
		}
	}
	words := s.f.Software
	if s.f.HTTP != nil {
		words += " " + s.f.HTTP.Server
	}
	return kindOf(words)
}

// kindOf guesses the kind of server from how it calls itself.
func kindOf(words string) string {
	words = strings.ToLower(words)
	for _, known := range []struct{ word, kind string }{
		{"nginx", nginx}, {"openresty", nginx}, {"tengine", nginx}, {"coyote", java}, {"tomcat", java}, {"jetty", java}, {"undertow", java},
		{"java", java}, {"apache", apache}, {"httpd", apache}, {"haproxy", haproxy}, {"caddy", caddy}, {"golang", goLang}, {"tlswright", goLang},
		{"traefik", goLang}, {"postfix", postfix}, {"dovecot", dovecot}, {"openssl", openSSL},
	} {
		if strings.Contains(words, known.word) {
			return known.kind
		}
	}
	return ""
}

// hostName is the name to write into snippets: the server's, if it is a plain DNS name.
func (s *subject) hostName() string {
	name := strings.TrimSuffix(s.name(), ".")
	if name == "" || len(name) > 253 || !strings.Contains(name, ".") || strings.Trim(name, "0123456789.") == "" {
		return "www.example.org"
	}
	for _, c := range name {
		if c != '.' && c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return "www.example.org"
		}
	}
	return name
}

// caaNames are the names by which CAA records know public CAs, by a word of the issuer's name.
var caaNames = [...]struct{ word, name string }{
	{"let's encrypt", "letsencrypt.org"}, {"digicert", "digicert.com"}, {"geotrust", "digicert.com"}, {"thawte", "digicert.com"},
	{"rapidssl", "digicert.com"}, {"sectigo", "sectigo.com"}, {"comodo", "sectigo.com"}, {"zerossl", "sectigo.com"},
	{"google trust services", "pki.goog"}, {"globalsign", "globalsign.com"}, {"amazon", "amazon.com"}, {"godaddy", "godaddy.com"},
	{"buypass", "buypass.com"}, {"entrust", "entrust.net"}, {"ssl.com", "ssl.com"}, {"actalis", "actalis.it"}, {"harica", "harica.gr"},
}

// caaSnippet is the record that allows the CA of the certificate alone.
func (s *subject) caaSnippet() Snippet {
	ca := "ca.example.net"
	s.leaves(func(_ *Chain, leaf *Certificate) {
		issuer := strings.ToLower(leaf.Issuer)
		for _, known := range caaNames {
			if strings.Contains(issuer, known.word) {
				ca = known.name
			}
		}
	})
	text := fmt.Sprintf("%s. IN CAA 0 issue \"%s\"\n", s.hostName(), ca)
	if ca == "ca.example.net" {
		text = "; instead of " + ca + " the name that your CA documents for CAA\n" + text
	}
	return Snippet{Server: zone, File: "the zone of " + s.hostName(), Text: text}
}

// tlsaSnippets are the records for the keys that are served: usage 3 (the server's own), selector 1 (the public key),
// SHA-256.
func (s *subject) tlsaSnippets() []Snippet {
	var list []Snippet
	s.leaves(func(c *Chain, leaf *Certificate) {
		pin, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(leaf.SPKI, "sha256/"))
		if err != nil || len(pin) != 32 {
			return
		}
		list = append(list, Snippet{
			Server: zone, File: "the zone of " + s.hostName() + ", signed by DNSSEC",
			Text: fmt.Sprintf("_%d._tcp.%s. IN TLSA 3 1 1 %s\n", s.f.Port, s.hostName(), hex.EncodeToString(pin)),
		})
	})
	return list
}
