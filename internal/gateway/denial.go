package gateway

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/access"
	"github.com/tlswright/tlswright/pki"
)

// Denial is one refusal, with everything that is known about it. All strings can be shown as they are.
type Denial struct {
	ID         string       `json:"id"`
	Time       time.Time    `json:"time"`
	Listener   string       `json:"listener,omitempty"`
	Site       string       `json:"site,omitempty"`
	Route      string       `json:"route,omitempty"`
	Layer      string       `json:"layer"`            // "tls" or "http"
	Remote     string       `json:"remote,omitempty"` // address and port of the client
	ServerName string       `json:"server_name,omitempty"`
	Host       string       `json:"host,omitempty"`
	Method     string       `json:"method,omitempty"`
	Path       string       `json:"path,omitempty"`
	Reason     string       `json:"reason"` // a stable word: see Reasons
	Text       string       `json:"text"`   // what was wrong, one sentence
	Fix        string       `json:"fix,omitempty"`
	Rule       string       `json:"rule,omitempty"`    // the rule that decided, "default" where none fits
	Nearest    string       `json:"nearest,omitempty"` // what would have been allowed
	Alert      string       `json:"alert,omitempty"`   // that the client was sent, or that it sent
	Status     int          `json:"status,omitempty"`  // of HTTP
	Resumed    bool         `json:"resumed,omitempty"`
	Cert       *Certificate `json:"certificate,omitempty"`
}

// Certificate is the certificate that a refusal is about.
type Certificate struct {
	Subject   string    `json:"subject"`
	SANs      []string  `json:"sans,omitempty"`
	Serial    string    `json:"serial"` // hexadecimal
	SHA256    string    `json:"sha256"` // of the certificate, hexadecimal
	Pin       string    `json:"pin"`    // sha256/BASE64 of its public key
	Issuer    string    `json:"issuer"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
}

// certificateOf describes a certificate; nil: there is none.
func certificateOf(c *x509.Certificate) *Certificate {
	if c == nil {
		return nil
	}
	sum := sha256.Sum256(c.Raw)
	out := &Certificate{Subject: pki.Name(c.Subject), Serial: fmt.Sprintf("%x", c.SerialNumber), SHA256: hex.EncodeToString(sum[:]),
		Pin: pki.PinSPKI(c).String(), Issuer: pki.Name(c.Issuer), NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC()}
	add := func(kind, value string) {
		if len(out.SANs) < maxSANs {
			out.SANs = append(out.SANs, kind+":"+clip(pki.Printable(value), 256))
		}
	}
	for _, n := range c.DNSNames {
		add("DNS", n)
	}
	for _, ip := range c.IPAddresses {
		add("IP", ip.String())
	}
	for _, m := range c.EmailAddresses {
		add("email", m)
	}
	for _, u := range c.URIs {
		add("URI", u.String())
	}
	out.Subject, out.Issuer = clip(out.Subject, 512), clip(out.Issuer, 512)
	return out
}

const maxSANs = 32

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 { // not within a character
		n--
	}
	return s[:n] + "…"
}

func fingerprint(der []byte) [32]byte { return sha256.Sum256(der) }

// newID is a name for a refusal that can be read out on the telephone.
func newID() string {
	var b [7]byte
	rand.Read(b[:])
	return strings.ToLower(base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding).EncodeToString(b[:]))[:10]
}

// denial begins a refusal of a request.
func (q *request) denial(reason, text string) *Denial {
	d := &Denial{ID: newID(), Time: q.g.o.Now().UTC(), Listener: q.l.name, Layer: "http", Remote: q.c.who(), Reason: reason, Text: text, Fix: fixOf(reason)}
	switch reason {
	case reasonMisdirected:
		d.Status = http.StatusMisdirectedRequest
	case reasonAmbiguousPath, reasonMalformed:
		d.Status = http.StatusBadRequest
	default:
		d.Status = http.StatusForbidden
	}
	d.Host = clip(pki.Printable(q.host), 256)
	if q.door != nil {
		d.Site = q.door.site.name
	}
	if q.route != nil {
		d.Route = q.route.name
	}
	if q.s != nil {
		f := q.s.tls.Facts()
		d.Resumed, d.ServerName = f.Resumed, clip(pki.Printable(f.ServerName), 256)
		d.Cert = certificateOf(q.s.tls.Peer().Leaf)
	}
	return d
}

// decided takes over what rules say.
func (d *Denial) decided(a access.Decision) {
	d.Reason, d.Text, d.Fix, d.Rule, d.Nearest = string(a.Reason), a.Text, a.Fix, a.Rule, a.Nearest
	if d.Rule == "" {
		d.Rule = ruleDefault
	}
	if d.Fix == "" {
		d.Fix = fixOf(d.Reason)
	}
}

// ruleDefault stands where no rule fits.
const ruleDefault = "default: deny"

// refuse answers a request that is refused, and tells it.
func (q *request) refuse(w http.ResponseWriter, r *http.Request, status int) {
	d := q.deny
	d.Status = status
	d.Method, d.Path = clip(pki.Printable(r.Method), 32), clip(pki.Printable(r.URL.Path), 512)
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if status == http.StatusMisdirectedRequest || status == http.StatusBadRequest {
		if r.ProtoMajor == 1 {
			h.Set("Connection", "close")
		}
	}
	q.g.deny(d)
	if q.door != nil && q.door.site.c.Page && status == http.StatusForbidden {
		writePage(w, r, d)
		return
	}
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		fmt.Fprintf(w, "%s\nid: %s\n", strings.ToLower(http.StatusText(status)), d.ID)
	}
}

// deny tells a refusal: one line in the log, one event, one record on disk, one more in the metrics.
func (g *Gateway) deny(d *Denial) {
	if g.o.IsOurs != nil && d.Layer == "tls" && g.o.IsOurs(d.Remote) {
		return
	}
	g.metrics.denied(d)
	if !g.denials.mayTell(g.o.Now()) {
		g.metrics.untold.Inc()
		return
	}
	g.log.LogAttrs(context.Background(), slog.LevelWarn, "denied", d.attrs()...)
	if err := g.denials.add(d); err != nil && g.denials.firstProblem() {
		g.warn(d.Site, "refusals cannot be kept: "+pki.Printable(err.Error()))
	}
	g.o.Events(Event{Kind: "denied", Time: d.Time, Listener: d.Listener, Site: d.Site, Address: d.Remote, Text: d.String(), Denial: d})
}

// attrs are the fields of the log line.
func (d *Denial) attrs() []slog.Attr {
	var out []slog.Attr
	add := func(key, value string) {
		if value != "" {
			out = append(out, slog.String(key, value))
		}
	}
	add("id", d.ID)
	add("reason", d.Reason)
	add("text", d.Text)
	add("remote", d.Remote)
	add("listener", d.Listener)
	add("site", d.Site)
	add("route", d.Route)
	add("layer", d.Layer)
	add("server_name", d.ServerName)
	add("host", d.Host)
	add("method", d.Method)
	add("path", d.Path)
	add("alert", d.Alert)
	if d.Status != 0 {
		out = append(out, slog.Int("status", d.Status))
	}
	if c := d.Cert; c != nil {
		add("subject", c.Subject)
		add("sans", strings.Join(c.SANs, " "))
		add("serial", c.Serial)
		add("sha256", c.SHA256)
		add("issuer", c.Issuer)
		add("not_before", c.NotBefore.Format(time.RFC3339))
		add("not_after", c.NotAfter.Format(time.RFC3339))
	}
	add("rule", d.Rule)
	add("nearest", d.Nearest)
	add("fix", d.Fix)
	return out
}

// String is the refusal in one line.
func (d *Denial) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "refused %s", d.Remote)
	if d.Site != "" {
		fmt.Fprintf(&b, " at %s", d.Site)
	}
	if d.Method != "" {
		fmt.Fprintf(&b, ", %s %s", d.Method, d.Path)
	}
	fmt.Fprintf(&b, ": %s", d.Text)
	if c := d.Cert; c != nil {
		fmt.Fprintf(&b, " [%s, issuer %s, serial %s, until %s, sha256 %s]", c.Subject, c.Issuer, c.Serial, c.NotAfter.Format(time.DateOnly), c.SHA256[:16])
	}
	if d.Rule != "" {
		fmt.Fprintf(&b, "; rule: %s", d.Rule)
	}
	if d.Nearest != "" {
		fmt.Fprintf(&b, "; %s", d.Nearest)
	}
	if d.Fix != "" {
		fmt.Fprintf(&b, "; to fix: %s", d.Fix)
	}
	switch {
	case d.Alert != "":
		fmt.Fprintf(&b, " (alert %s", d.Alert)
	default:
		fmt.Fprintf(&b, " (%d", d.Status)
	}
	fmt.Fprintf(&b, ", id %s)", d.ID)
	return b.String()
}
