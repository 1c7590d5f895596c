package cli

import (
	"crypto/x509"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/estate"
	"github.com/tlswright/tlswright/internal/gateway"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
)

const gatewayCheckLong = `Check the file of a gateway without running it: that it can be read, that all
of it has an effect, and that the certificates, keys and CAs that it names can
be loaded. Nothing is listened on, issued or written.

With CERT, a PEM file of a client's certificate and those of its issuers, it
says what would become of a client that shows it: the site it gets to, whether
its chain is trusted, whether it is revoked, which rule decides, what to change.
"none" in the place of CERT is a client without a certificate. With METHOD and
PATH it is about that request.

Which site is meant, --host says; without it all sites are gone through.

` + exitCodeHelp

// gatewayCheckFlags are the flags of `gateway check`.
type gatewayCheckFlags struct {
	gatewayFlags
	host     string
	listener string
}

func newGatewayCheck(a *app) *cobra.Command {
	o := &gatewayCheckFlags{}
	cmd := &cobra.Command{
		Use:   "check [CERT [METHOD PATH]]",
		Short: "Check the file, and what would become of a certificate",
		Long:  gatewayCheckLong,
		Example: `  tlswright gateway check
  tlswright gateway check alice/fullchain.pem
  tlswright gateway check alice/fullchain.pem POST /admin --host app.example
  tlswright gateway check none /health --host app.example`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 3 {
				return usagef(cmd, "%q takes a certificate, a method and a path, but got also %q", cmd.CommandPath(), args[3])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.gatewayCheck(cmd, o, args) },
	}
	o.register(cmd)
	cmd.Flags().StringVar(&o.host, "host", "", "the `NAME` that the client asks for, as server name and Host")
	cmd.Flags().StringVar(&o.listener, "listener", "", "the `NAME` or address of the listener it comes to (default: the first that leads there)")
	return cmd
}

func (a *app) gatewayCheck(cmd *cobra.Command, o *gatewayCheckFlags, args []string) (err error) {
	q, err := gatewayQuestion(cmd, o, args)
	if err != nil {
		return err
	}
	if len(args) == 0 && (o.host != "" || o.listener != "") {
		f := usagef(cmd, "--host and --listener are about a client: name its certificate")
		f.hint = `for one without a certificate: tlswright gateway check none`
		return f
	}
	file, err := a.readGateway(o.file)
	if err != nil {
		return err
	}
	var chain []*x509.Certificate
	if len(args) > 0 && args[0] != "none" {
		if chain, err = keystore.ReadCertificates(args[0]); err != nil {
			return cannotRun(err, "")
		}
	}
	if err := estate.CheckSurroundings(file.gateway); err != nil {
		return asFailure(err)
	}
	file.gateway.AccessLog = ""
	b, err := a.base(nil)
	if err != nil {
		return err
	}
	options, closeOptions, err := b.DryGatewayOptions(cmd.Context(), file.gateway)
	if err != nil {
		return asFailure(err)
	}
	defer func() {
		if closeErr := closeOptions(); closeErr != nil && err == nil {
			err = cannotRun(closeErr, "")
		}
	}()
	g, err := gateway.New(file.gateway, options)
	if err != nil {
		return a.gatewayFailure(file, err)
	}
	defer func() {
		if closeErr := g.Close(); closeErr != nil && err == nil {
			err = cannotRun(closeErr, "")
		}
	}()
	if len(args) == 0 {
		return a.tellSound(file, o.asJSON)
	}
	return a.tellVerdicts(g, file, chain, q, o)
}

// gatewayQuestion reads METHOD and PATH.
func gatewayQuestion(cmd *cobra.Command, o *gatewayCheckFlags, args []string) (gateway.Question, error) {
	q := gateway.Question{Host: o.host, Listener: o.listener}
	switch {
	case len(args) == 3:
		q.Method, q.Path = strings.ToUpper(args[1]), args[2]
	case len(args) == 2 && strings.HasPrefix(args[1], "/"):
		q.Path = args[1]
	case len(args) == 2:
		f := usagef(cmd, "METHOD without PATH: %q", args[1])
		f.hint = "write both, as in GET /admin, or a path alone"
		return q, f
	}
	if q.Path != "" && !strings.HasPrefix(q.Path, "/") {
		return q, usagef(cmd, "the path %q does not begin with a slash", q.Path)
	}
	return q, nil
}

// soundReport is `gateway check --json` without a certificate.
type soundReport struct {
	File      string      `json:"file"`
	OK        bool        `json:"ok"`
	Listeners []soundPart `json:"listeners"`
	Sites     []soundPart `json:"sites"`
}

type soundPart struct {
	Name  string   `json:"name"`
	What  string   `json:"what"`
	Sites []string `json:"sites,omitempty"` // of a listener
	Hosts []string `json:"hosts,omitempty"` // of a site
}

// tellSound says what the file is about, once it has been found right.
func (a *app) tellSound(file *gatewayFile, asJSON bool) error {
	r := soundReport{File: file.name, OK: true}
	for i := range file.gateway.Listeners {
		l := &file.gateway.Listeners[i]
		r.Listeners = append(r.Listeners, soundPart{Name: listenerTitle(l), What: string(l.Protocol) + " on " + l.Address, Sites: l.Sites})
	}
	for i := range file.gateway.Sites {
		s := &file.gateway.Sites[i]
		r.Sites = append(r.Sites, soundPart{Name: s.Name, What: siteLine(s), Hosts: s.Hosts})
	}
	if asJSON {
		return a.ui.printJSON(r)
	}
	out := &a.ui.out
	var rows []row
	for _, l := range r.Listeners {
		rows = append(rows, row{label: pki.Printable(l.Name), value: pki.Printable(l.What + ": " + strings.Join(l.Sites, ", "))})
	}
	text := pki.Printable(file.name) + ": " + out.paint(good, "all of it is right and has an effect") + "\n" + out.paint(bold, "listeners") + "\n" + out.rows(rows)
	rows = nil
	for _, s := range r.Sites {
		hosts := "every other name"
		if len(s.Hosts) > 0 {
			hosts = strings.Join(s.Hosts, ", ")
		}
		rows = append(rows, row{label: pki.Printable(s.Name), value: pki.Printable(hosts + ": " + s.What)})
	}
	a.ui.write(out, text+out.paint(bold, "sites")+"\n"+out.rows(rows))
	return nil
}

func listenerTitle(l *config.Listener) string {
	if l.Name != "" {
		return l.Name
	}
	return l.Address
}

// siteAnswer is what would happen at one site.
type siteAnswer struct {
	Host string `json:"host,omitempty"`
	gateway.Verdict
}

// tellVerdicts says what would become of a client: at one site in full, at several a line each. A refusal at the one
// site that was asked about is a failed check.
func (a *app) tellVerdicts(g *gateway.Gateway, file *gatewayFile, chain []*x509.Certificate, q gateway.Question, o *gatewayCheckFlags) error {
	var leaf *x509.Certificate
	var raw [][]byte
	for i, c := range chain {
		if i == 0 {
			leaf = c
			continue
		}
		raw = append(raw, c.Raw)
	}
	answers := []siteAnswer{}
	for _, place := range a.placesOf(file.gateway, q) {
		answers = append(answers, siteAnswer{Host: place.Host, Verdict: g.Check(leaf, raw, place)})
	}
	if len(answers) > 1 {
		if o.asJSON {
			return a.ui.printJSON(answers)
		}
		a.ui.write(&a.ui.out, a.verdictTable(answers))
		a.ui.notef("--host NAME says more about one of them")
		return nil
	}
	if len(answers) == 0 {
		return &failure{kind: kindUsage, text: "there is no listener with TLS that this could be about", hint: "see: tlswright gateway check"}
	}
	v := &answers[0]
	if o.asJSON {
		if err := a.ui.printJSON(v); err != nil {
			return err
		}
	} else {
		a.ui.write(&a.ui.out, a.verdictText(leaf, q, v))
	}
	if !v.Allowed {
		return &failure{kind: kindFinding, text: "refused", told: true}
	}
	return nil
}

// placesOf lists what a question is about: the host that it names, or every site behind TLS.
func (a *app) placesOf(g *config.Gateway, q gateway.Question) []gateway.Question {
	if q.Host != "" {
		return []gateway.Question{q}
	}
	var all []gateway.Question
	for i := range g.Listeners {
		l := &g.Listeners[i]
		if l.Protocol != config.ProtocolHTTPS && l.Protocol != config.ProtocolTLS || q.Listener != "" && q.Listener != l.Name && q.Listener != l.Address {
			continue
		}
		for j := range g.Sites {
			for _, name := range l.Sites {
				if s := &g.Sites[j]; s.Name == name {
					one := q
					one.Listener, one.Host = listenerTitle(l), anyHost(s)
					all = append(all, one)
				}
			}
		}
	}
	return all
}

// anyHost is a name that leads to a site.
func anyHost(s *config.Site) string {
	if len(s.Hosts) == 0 {
		return ""
	}
	if rest, ok := strings.CutPrefix(s.Hosts[0], "*."); ok {
		return "any." + rest
	}
	return s.Hosts[0]
}

// verdictTable is a line for each site.
func (a *app) verdictTable(answers []siteAnswer) string {
	cells := [][]string{{"listener", "site", "answer", "reason", "decided by"}}
	for i := range answers {
		v := &answers[i]
		cells = append(cells, []string{pki.Printable(v.Listener), pki.Printable(v.Site), answerWord(v), v.Reason, pki.Printable(orDash(v.Rule))})
	}
	return a.ui.out.grid(cells, func(r, col int) style {
		switch {
		case col != 2:
			return plain
		case answers[r-1].Allowed:
			return good
		}
		return bad
	})
}

func answerWord(v *siteAnswer) string {
	switch {
	case v.Allowed:
		return "let in"
	case v.Alert != "":
		return "alert " + v.Alert
	}
	return fmt.Sprint(v.Status)
}

// verdictText is the answer in full.
func (a *app) verdictText(leaf *x509.Certificate, q gateway.Question, v *siteAnswer) string {
	out := &a.ui.out
	who := "a client without a certificate"
	if leaf != nil {
		who = nameOf(leaf)
	}
	if q.Path != "" {
		who += ", " + pki.Printable(strings.TrimSpace(q.Method+" "+q.Path))
	}
	head := out.paint(good, "let in") + ": " + who
	if !v.Allowed {
		head = out.paint(bad, "refused") + ": " + who
	}
	var rows []row
	for _, s := range v.Steps {
		st := good
		if !s.OK {
			st = bad
		}
		rows = append(rows, row{label: s.Name, value: pki.Printable(s.Text), style: st})
	}
	add := func(label, value string) {
		if value != "" {
			rows = append(rows, row{label: label, value: pki.Printable(value)})
		}
	}
	add("decided by", v.Rule)
	add("nearest", v.Nearest)
	if v.Allowed {
		add("goes to", v.Target)
		return head + "\n" + out.rows(rows)
	}
	switch {
	case v.Alert != "":
		add("the client gets", "TLS alert "+v.Alert)
	case v.Status != 0:
		add("the client gets", fmt.Sprintf("HTTP status %d", v.Status))
	}
	add("reason", v.Reason)
	if v.Fix != "" {
		rows = append(rows, row{label: "what to do", value: pki.Printable(v.Fix), style: caution})
	}
	return head + "\n" + out.rows(rows)
}
