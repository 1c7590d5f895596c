package acmeclient

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
)

// sensibleCiphers are suites of TLS 1.2 with forward secrecy and authenticated encryption.
const sensibleCiphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" +
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

// nginxWish is what is to be installed.
type nginxWish struct {
	names     []string // of the certificate
	leaf      *x509.Certificate
	cert, key string // files
	port      string // of HTTPS where there is none yet
	redirect  bool   // send plain HTTP to HTTPS
}

// nginxEdit replaces a piece of a file.
type nginxEdit struct {
	from, to int
	text     string
}

// nginxPlan is what is to be changed.
type nginxPlan struct {
	wish   nginxWish
	conf   *nginxConf
	edits  map[*nginxFile][]nginxEdit
	chosen []*nginxServer
	checks []nginxCheck
	notes  []string
}

// nginxCheck is an address at which the certificate must be seen.
type nginxCheck struct {
	listen nginxListen
	name   string
}

// ErrNoServer is returned, wrapped, where no server block of nginx is for a name of the certificate.
var ErrNoServer = errors.New("no server block is for these names")

// planNginx finds the server blocks and what must be changed in them.
func planNginx(c *nginxConf, wish nginxWish) (*nginxPlan, error) {
	p := &nginxPlan{wish: wish, conf: c, edits: make(map[*nginxFile][]nginxEdit)}
	servers := c.servers()
	var converts []*nginxServer
	for _, name := range wish.names {
		found := serving(servers, name)
		if len(found) == 0 {
			p.note("no server block is for %s", pki.Printable(name))
			continue
		}
		byTLS := slices.DeleteFunc(slices.Clone(found), func(s *nginxServer) bool { return !s.tls() })
		for _, s := range byTLS {
			p.choose(s)
		}
		if len(byTLS) > 0 {
			continue
		}
		plain := slices.DeleteFunc(found, func(s *nginxServer) bool { return onlyRedirects(s.all) })
		if len(plain) == 0 {
			p.note("what serves %s only sends visitors to HTTPS, and no block is there for them", pki.Printable(name))
		}
		for _, s := range plain {
			if p.choose(s) {
				converts = append(converts, s)
			}
		}
	}
	if len(p.chosen) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrNoServer, listOf(wish.names))
	}
	for _, s := range p.chosen {
		if err := p.serve(s, slices.Contains(converts, s)); err != nil {
			return nil, err
		}
	}
	p.tellOfDefaults(servers, converts)
	return p, nil
}

func (p *nginxPlan) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(p.notes, text) {
		p.notes = append(p.notes, text)
	}
}

// choose adds a block, once.
func (p *nginxPlan) choose(s *nginxServer) bool {
	if slices.Contains(p.chosen, s) {
		return false
	}
	p.chosen = append(p.chosen, s)
	return true
}

// edit notes a change.
func (p *nginxPlan) edit(f *nginxFile, from, to int, text string) {
	e := nginxEdit{from, to, text}
	if !slices.Contains(p.edits[f], e) {
		p.edits[f] = append(p.edits[f], e)
	}
}

// serve has a block serve the certificate.
func (p *nginxPlan) serve(s *nginxServer, converts bool) error {
	err := p.spare(s)
	if err != nil {
		return err
	}
	var lines []string
	if converts {
		if lines, err = p.listenByTLS(s); err != nil {
			return err
		}
	}
	for _, l := range s.listens {
		if l.isTLS && !l.isQUIC {
			p.check(s, l)
		}
	}
	pair, err := p.certificate(s)
	if err != nil {
		return err
	}
	lines = append(append(lines, pair...), p.settings(s)...)
	if len(lines) > 0 {
		p.insert(s, lines, converts && p.wish.redirect)
	}
	return nil
}

func (p *nginxPlan) check(s *nginxServer, l nginxListen) {
	if name := s.asked(p.wish.names); name != "" {
		p.checks = append(p.checks, nginxCheck{listen: l, name: name})
	}
}

// spare refuses to take a certificate away from names that ours is not for.
func (p *nginxPlan) spare(s *nginxServer) error {
	var old []*x509.Certificate
	for _, d := range s.find("ssl_certificate") {
		if chain, err := readNginxCertificate(p.conf, d); err == nil {
			old = append(old, chain[0])
		}
	}
	for _, n := range s.names {
		if n == "" || n == "_" || strings.ContainsAny(n, "~") || coveredBy(strings.TrimPrefix(n, "."), p.wish.names) {
			continue
		}
		for _, c := range old {
			if c.VerifyHostname(strings.Replace(strings.TrimPrefix(n, "."), "*", "x", 1)) == nil {
				return fmt.Errorf("%s also serves %s, by a certificate that is for it: get one for both, or part the block", s.place(), pki.Printable(n))
			}
		}
		p.note("%s also serves %s, which the certificate is not for", s.place(), pki.Printable(n))
	}
	return nil
}

func readNginxCertificate(c *nginxConf, d *directive) ([]*x509.Certificate, error) {
	args := d.args()
	if len(args) != 1 || strings.ContainsRune(args[0], '$') {
		return nil, errors.New("not one file")
	}
	path := args[0]
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(c.main.path), path)
	}
	chain, err := keystore.ReadCertificates(path)
	if err == nil && len(chain) == 0 {
		err = os.ErrNotExist
	}
	return chain, err
}

// listenByTLS lists the statements by which a block of plain HTTP is reached by HTTPS, too. With redirect it is reached by
// nothing else, and a block before it sends visitors there.
func (p *nginxPlan) listenByTLS(s *nginxServer) ([]string, error) {
	plain := s.listens
	var lines []string
	if len(plain) == 0 {
		plain = []nginxListen{{port: "80"}} // what nginx does without the statement, and no more with it
		if !p.wish.redirect {
			lines = append(lines, "listen 80;")
		}
	}
	for _, l := range plain {
		if l.isUnix || l.isQUIC {
			continue
		}
		text, proxied := p.wish.port, ""
		if l.host != "" {
			text = l.host + ":" + p.wish.port
		}
		if l.isProxy {
			proxied = " proxy_protocol"
		}
		if line := "listen " + text + " ssl" + proxied + ";"; !slices.Contains(lines, line) {
			lines = append(lines, line)
			p.check(s, nginxListen{host: l.host, port: p.wish.port, isProxy: l.isProxy, isTLS: true})
		}
	}
	if p.wish.redirect {
		return lines, p.redirectTo(s)
	}
	return lines, nil
}

// redirectTo moves the plain addresses of a block into one that sends visitors on.
func (p *nginxPlan) redirectTo(s *nginxServer) error {
	indent := indentOf(s.at.file.text, s.at.start)
	inner := indent + step(s)
	text := "server {\n"
	for _, l := range s.listens {
		if l.isQUIC {
			continue
		}
		if l.at.file != s.at.file {
			return fmt.Errorf("%s listens by a statement in %s: it cannot be moved into a block that redirects", s.place(), l.at.file.path)
		}
		text += inner + string(l.at.file.text[l.at.start:l.at.end]) + "\n"
		from, to := wholeLine(l.at.file.text, l.at.start, l.at.end)
		p.edit(l.at.file, from, to, "")
	}
	for _, d := range s.find("server_name") {
		text += inner + string(d.file.text[d.start:d.end]) + "\n"
	}
	port := ""
	if p.wish.port != "443" {
		port = ":" + p.wish.port
	}
	text += inner + "return 301 https://$host" + port + "$request_uri;\n" + indent + "}\n" + indent
	p.edit(s.at.file, s.at.start, s.at.start, text)
	return nil
}

// certificate puts our files into the place of those that are named, and returns the statements to add where there are
// none. Of several certificates, the one with a key of our kind is replaced.
func (p *nginxPlan) certificate(s *nginxServer) ([]string, error) {
	certs, keys := s.find("ssl_certificate"), s.find("ssl_certificate_key")
	add := []string{"ssl_certificate " + nginxQuote(p.wish.cert) + ";", "ssl_certificate_key " + nginxQuote(p.wish.key) + ";"}
	if len(certs) != len(keys) {
		return nil, fmt.Errorf("%s has %d certificates and %d keys", s.place(), len(certs), len(keys))
	}
	if len(certs) == 0 {
		return add, nil
	}
	replaced := 0
	for i, d := range certs {
		if len(certs) > 1 {
			old, err := readNginxCertificate(p.conf, d)
			if args := d.args(); (err != nil || old[0].PublicKeyAlgorithm != p.wish.leaf.PublicKeyAlgorithm) && (len(args) != 1 || args[0] != p.wish.cert) {
				continue
			}
		}
		replaced++
		for _, c := range []struct {
			d    *directive
			path string
		}{{d, p.wish.cert}, {keys[i], p.wish.key}} {
			if err := p.value(s, c.d, c.path); err != nil {
				return nil, err
			}
		}
	}
	if replaced == 0 {
		return add, nil
	}
	return nil, nil
}

// value sets the one value of a statement. Where that stands in a file that others include, too, it is not ours to change.
func (p *nginxPlan) value(s *nginxServer, d *directive, value string) error {
	if args := d.args(); len(args) == 1 && args[0] == value {
		return nil
	}
	if len(d.words) != 2 {
		return fmt.Errorf("%s:%d is not understood", d.file.path, d.file.line(d.start))
	}
	for _, other := range p.conf.servers() {
		if !slices.ContainsFunc(p.chosen, func(c *nginxServer) bool { return c.at == other.at }) && slices.Contains(other.all, d) {
			return fmt.Errorf("the certificate of %s is named in %s:%d, which %s uses, too: name it in each block", s.place(), d.file.path, d.file.line(d.start), other.place())
		}
	}
	p.edit(d.file, d.words[1].start, d.words[1].end, nginxQuote(value))
	return nil
}

// settings lists the statements that are missing for good TLS. What the block says itself is left to its owner; what stands
// around it is overruled only if it lets old versions in, as Debian's does.
func (p *nginxPlan) settings(s *nginxServer) []string {
	var lines []string
	isOld := func(versions []string) bool {
		return slices.ContainsFunc(versions, func(v string) bool { return v != "TLSv1.2" && v != "TLSv1.3" })
	}
	switch versions, isOwn := s.effective("ssl_protocols"); {
	case len(versions) == 0, isOld(versions) && !isOwn:
		lines = append(lines, "ssl_protocols TLSv1.2 TLSv1.3;")
	case isOld(versions):
		p.note("%s lets old versions in (%s): left as it is", s.place(), pki.Printable(strings.Join(versions, " ")))
	}
	if suites, _ := s.effective("ssl_ciphers"); len(suites) == 0 {
		lines = append(lines, "ssl_ciphers "+sensibleCiphers+";")
		if _, isOwn := s.effective("ssl_prefer_server_ciphers"); !isOwn {
			lines = append(lines, "ssl_prefer_server_ciphers off;")
		}
	}
	if cache, _ := s.effective("ssl_session_cache"); len(cache) == 0 {
		lines = append(lines, "ssl_session_cache shared:tlswright:10m;")
	}
	if tickets, _ := s.effective("ssl_session_tickets"); len(tickets) == 0 {
		lines = append(lines, "ssl_session_tickets off;")
	}
	return lines
}

// insert adds statements to a block, behind the last of those that say whom it serves, but those that move elsewhere.
func (p *nginxPlan) insert(s *nginxServer, lines []string, moved bool) {
	text := s.at.file.text
	at, indent := s.at.inner, indentOf(text, s.at.start)+step(s)
	for _, d := range s.at.block {
		if n := d.name(); n == "listen" && !moved || n == "server_name" || strings.HasPrefix(n, "ssl_certificate") {
			at = d.end
		}
	}
	if end, isAlone := restOfLine(text, at); isAlone {
		at = end
	}
	added := ""
	for _, l := range lines {
		added += "\n" + indent + l
	}
	if end, isAlone := restOfLine(text, at); !isAlone && end > at {
		added += "\n" + indentOf(text, s.at.start) // a block on one line
	}
	p.edit(s.at.file, at, at, added)
}

// tellOfDefaults notes where a block becomes the one for clients that name no server, by standing first.
func (p *nginxPlan) tellOfDefaults(servers, converts []*nginxServer) {
	for _, s := range converts {
		for _, l := range s.listens {
			l.port = p.wish.port
			for _, other := range servers {
				if slices.Contains(converts, other) || slices.Index(servers, other) < slices.Index(servers, s) {
					continue
				}
				if slices.ContainsFunc(other.listens, func(o nginxListen) bool { return o.isTLS && o.key() == l.key() && !o.isListed }) {
					p.note("%s now stands before %s on port %s: say default_server where clients that name no server are to go", s.place(), other.place(), l.port)
				}
			}
		}
	}
}

// result is the text of a file with all edits made.
func (p *nginxPlan) result(f *nginxFile) []byte {
	edits := slices.Clone(p.edits[f])
	slices.SortStableFunc(edits, func(a, b nginxEdit) int { return cmp.Compare(a.from, b.from) })
	var out bytes.Buffer
	at := 0
	for _, e := range edits {
		if e.from < at {
			continue // cannot be: no two edits touch
		}
		out.Write(f.text[at:e.from])
		out.WriteString(e.text)
		at = e.to
	}
	out.Write(f.text[at:])
	return out.Bytes()
}

// nginxQuote writes a path as one word.
func nginxQuote(path string) string {
	if strings.ContainsAny(path, " \t;{}\"'\\#") {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(path) + `"`
	}
	return path
}

// indentOf is the white space that the line of an offset begins with.
func indentOf(text []byte, at int) string {
	line := text[bytes.LastIndexByte(text[:at], '\n')+1:]
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
}

// step is how much further in a block's statements stand.
func step(s *nginxServer) string {
	text := s.at.file.text
	for _, d := range s.at.block {
		outer, inner := indentOf(text, s.at.start), indentOf(text, d.start)
		if deeper, ok := strings.CutPrefix(inner, outer); ok && deeper != "" {
			return deeper
		}
	}
	return "    "
}

// restOfLine is the end of the line, and whether nothing but a comment stands before it.
func restOfLine(text []byte, at int) (end int, isAlone bool) {
	end = len(text)
	if i := bytes.IndexByte(text[at:], '\n'); i >= 0 {
		end = at + i
	}
	rest := bytes.TrimSpace(text[at:end])
	return end, len(rest) == 0 || rest[0] == '#'
}

// wholeLine widens a piece to its line with the line end, if nothing else stands there.
func wholeLine(text []byte, from, to int) (int, int) {
	start := bytes.LastIndexByte(text[:from], '\n') + 1
	if end, isAlone := restOfLine(text, to); isAlone && len(bytes.TrimSpace(text[start:from])) == 0 && end < len(text) && len(bytes.TrimSpace(text[to:end])) == 0 {
		return start, end + 1
	}
	return from, to
}
