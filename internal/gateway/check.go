package gateway

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"

	"github.com/tlswright/tlswright/internal/access"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
)

// Question is a connection or a request to think through.
type Question struct {
	Listener string // "": the first with TLS that leads to the host
	Host     string // server name and Host; "": none is given
	Method   string // "": GET, where there is a path
	Path     string // "": the handshake alone
}

// Verdict is what would happen, step by step, and which rule decides.
type Verdict struct {
	Allowed  bool         `json:"allowed"`
	Layer    string       `json:"layer"`            // where it is decided: "tls" or "http"
	Alert    string       `json:"alert,omitempty"`  // of a refusal in the handshake
	Status   int          `json:"status,omitempty"` // of a refused request
	Listener string       `json:"listener,omitempty"`
	Site     string       `json:"site,omitempty"`
	Route    string       `json:"route,omitempty"`
	Target   string       `json:"target,omitempty"` // where an allowed request goes
	Reason   string       `json:"reason"`
	Text     string       `json:"text"`
	Rule     string       `json:"rule,omitempty"`
	Nearest  string       `json:"nearest,omitempty"`
	Fix      string       `json:"fix,omitempty"`
	Steps    []Step       `json:"steps"`
	Cert     *Certificate `json:"certificate,omitempty"`
}

// Step is one thing that is looked at on the way.
type Step struct {
	Name string `json:"name"` // site, chain, revocation, rules, route
	OK   bool   `json:"ok"`
	Text string `json:"text"`
}

func (v *Verdict) step(name string, ok bool, format string, args ...any) {
	v.Steps = append(v.Steps, Step{name, ok, fmt.Sprintf(format, args...)})
}

// Check says what would happen to a client with a certificate: leaf, and the DER certificates that it sends along; nil:
// it shows none. It asks what a connection would ask, in the same order and by the same code, responders and lists of
// revoked certificates included, and changes nothing.
func (g *Gateway) Check(leaf *x509.Certificate, chain [][]byte, q Question) Verdict {
	v := Verdict{Layer: "tls", Cert: certificateOf(leaf)}
	d := g.doorFor(q)
	if d == nil {
		v.Text = "no listener with TLS leads to a site with the name " + pki.Printable(q.Host)
		v.Reason, v.Alert, v.Fix = reasonUnknownName, "unrecognized_name", fixOf(reasonUnknownName)
		v.step("site", false, "%s", v.Text)
		return v
	}
	v.Listener, v.Site = d.listener, d.site.name
	v.step("site", true, "the listener %s leads to the site %s", d.listener, d.site.name)
	subject, err := g.checkClient(&v, d, leaf, chain)
	if err != nil {
		refused := Denial{}
		refused.explain(err)
		v.refused(&refused)
		return v
	}
	if d.site.layer == streamLayer || d.protocol == config.ProtocolTLS {
		v.Allowed, v.Reason = true, string(access.Allowed)
		v.Target = d.site.target.name()
		v.allowedBy(d.site.own.Decide(subject))
		return v
	}
	g.checkRequest(&v, d.site, subject, q)
	return v
}

// refused takes over the words of a refusal.
func (v *Verdict) refused(d *Denial) {
	v.Alert, v.Reason, v.Text, v.Rule, v.Nearest, v.Fix = d.Alert, d.Reason, d.Text, d.Rule, d.Nearest, d.Fix
}

func (v *Verdict) allowedBy(d access.Decision) {
	v.Rule, v.Text = d.Rule, d.Text
	if v.Text == "" {
		v.Text = "there are no rules: everybody who comes this far is let in"
	}
	if v.Rule == "" {
		v.Rule = "default: no rules"
	}
}

// doorFor finds the door that a client would come to.
func (g *Gateway) doorFor(q Question) *door {
	st := g.state.Load()
	for i := range st.config.Listeners {
		l := &st.config.Listeners[i]
		isTLS := l.Protocol == config.ProtocolHTTPS || l.Protocol == config.ProtocolTLS
		if !isTLS || q.Listener != "" && q.Listener != listenerName(l) && q.Listener != l.Address {
			continue
		}
		host, _ := hostOf(q.Host)
		if d := st.reach[listenerName(l)].find(host); d != nil {
			return d
		}
		if r := st.reach[listenerName(l)]; q.Host == "" && len(r.doors) == 1 {
			return r.doors[0]
		}
	}
	return nil
}

// checkClient goes through the handshake. The error is what a handshake would fail with.
func (g *Gateway) checkClient(v *Verdict, d *door, leaf *x509.Certificate, chain [][]byte) (access.Subject, error) {
	cl := d.site.clients.Load()
	switch {
	case cl.auth == tlscore.NoClientCert:
		v.step("chain", true, "the site asks for no certificate, so none is sent")
		return access.Subject{}, nil
	case leaf == nil && cl.auth == tlscore.RequireClientCert:
		text := "the client sends no certificate, and the site lets nobody in without one"
		v.step("chain", false, "%s", text)
		return access.Subject{}, &alertError{reason: string(access.NoCertificate), text: text, alert: "certificate_required", rule: "clients.mode: require"}
	case leaf == nil:
		v.step("chain", true, "the client sends no certificate, and the site lets it go on without one")
		return access.Subject{}, nil
	}
	verified, err := pki.Verify(leaf.Raw, pki.VerifyOptions{Roots: cl.roots, Intermediates: chain, Time: g.o.Now(), Usage: pki.UsageClient})
	if err != nil {
		v.step("chain", false, "%s", pki.Printable(err.Error()))
		return access.Subject{}, err
	}
	root := verified.Certificates[len(verified.Certificates)-1]
	v.step("chain", true, "the chain leads to %s", pki.Name(root.Subject))
	switch {
	case cl.revocation == nil:
		v.step("revocation", true, "not looked at: clients.revocation is off")
	default:
		if err := cl.revocation.Check(context.Background(), verified.Certificates); err != nil {
			v.step("revocation", false, "%s", pki.Printable(err.Error()))
			return access.Subject{}, &revokedError{err}
		}
		v.step("revocation", true, "it is not revoked")
	}
	subject := access.SubjectOf(verified.Certificates[0])
	if !d.answersRefusals() {
		decision := d.site.own.Decide(subject)
		v.step("rules", decision.Allowed, "%s", decision.Text)
		if !decision.Allowed {
			return subject, &policyError{d.site.name, decision}
		}
	}
	return subject, nil
}

// checkRequest goes through the decision about a request.
func (g *Gateway) checkRequest(v *Verdict, s *site, subject access.Subject, q Question) {
	v.Layer = "http"
	method, path := q.Method, q.Path
	if method == "" {
		method = http.MethodGet
	}
	if path == "" {
		path = "/"
	}
	r, status := s.routeOf(method, path)
	if status == http.StatusMethodNotAllowed {
		v.Status, v.Reason, v.Text, v.Fix = status, "method", "the path has routes for other methods only: "+s.methodsOf(path), "use one of them, or add a route for this method"
		v.step("route", false, "%s", v.Text)
		return
	}
	if status != 0 {
		v.Status, v.Reason, v.Fix = http.StatusBadRequest, reasonAmbiguousPath, fixOf(reasonAmbiguousPath)
		v.Text = "the path can be read in two ways, for which there are different rules"
		v.step("route", false, "%s", v.Text)
		return
	}
	t := s.target
	if r != nil {
		v.Route, t = r.name, r.target
		v.step("route", true, "%s %s falls under the route %s", method, pki.Printable(path), r.name)
	} else {
		v.step("route", true, "%s %s falls under no route: the site's own rules hold", method, pki.Printable(path))
	}
	if t.below && climbs(path) {
		v.Status, v.Reason, v.Fix = http.StatusBadRequest, reasonAmbiguousPath, fixOf(reasonAmbiguousPath)
		v.Text = "the path leads upwards, and could leave the folder of the target that requests go to"
		v.step("route", false, "%s", v.Text)
		return
	}
	decision := s.own.Decide(subject)
	v.step("rules", decision.Allowed, "%s", decision.Text)
	if decision.Allowed && r != nil && r.policy != nil {
		decision = r.policy.Decide(subject)
		v.step("rules", decision.Allowed, "%s", decision.Text)
	}
	if !decision.Allowed {
		var d Denial
		d.decided(decision)
		v.refused(&d)
		v.Status = http.StatusForbidden
		return
	}
	v.Allowed, v.Reason, v.Target = true, string(access.Allowed), t.name()
	v.allowedBy(decision)
}

// alertError is a refusal that tlscore makes, in our words.
type alertError struct{ reason, text, alert, rule string }

// Error implements error.
func (e *alertError) Error() string { return e.text }

// name is the target for people.
func (t *target) name() string {
	switch {
	case t.echo:
		return "echo"
	case t.c.Dir != "":
		return "the folder " + t.c.Dir
	case t.c.Status != 0:
		return fmt.Sprintf("status %d", t.c.Status)
	}
	return t.c.URL
}

// explainCheck explains a refusal that only Check makes up.
func (d *Denial) explainCheck(err error) bool {
	var a *alertError
	if !errors.As(err, &a) {
		return false
	}
	d.Reason, d.Text, d.Alert, d.Rule = a.reason, a.text, a.alert, a.rule
	return true
}
