package cli

import (
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

type certVerifyFlags struct {
	peer       peerFlags
	secret     secretFlags
	revocation revocationFlags
	fetch      fetchFlags
	ca         []string
	host       string
	at         string
	usage      string
	policies   []string
	explicit   bool
	asJSON     bool
}

const certVerifyLong = `Verify a certificate and say why it is trusted, or why not: for each of the
seven checks of a verification the result, the reason, and where the rule
stands.

  signature per link   each certificate was signed by the one above it
  root in store        the path ends at a root that is trusted
  dates                all are valid at this time
  revocation           none was revoked
  name                 the leaf is for the host that is asked for
  usage                it may be used for this
  constraints          the CAs above may certify it: CA flag, path length, names

Policies are the eighth, where they are asked for. The input is a chain in any
order; EXTRA files may hold further certificates to build a path with. A server
(HOST:PORT) is judged by the chain and the OCSP response that it sends, for its
own name.

Trusted are the roots of this system and the estate's own CA; --ca FILE trusts
the certificates of that file instead. Revocation is judged by what is given:
--crl, --ocsp, --staple, --revocation-set, or by what --fetch gets from the
addresses in the certificates. Where nothing is known of a certificate it passes
(--soft, the default), or is refused (--hard).

` + exitCodeHelp

const certVerifyExample = `  tlswright cert verify --ca ca.crt server.crt
  tlswright cert verify --ca root.pem --host app.test fullchain.pem
  tlswright cert verify --ca root.pem --crl ca.crl --hard fullchain.pem
  tlswright cert verify --usage client --time 2027-01-01 alice.pem
  tlswright cert verify --fetch example.com`

func newCertVerify(a *app) *cobra.Command {
	o := &certVerifyFlags{}
	cmd := &cobra.Command{
		Use:     "verify FILE [EXTRA]... | HOST[:PORT]",
		Short:   "Verify a certificate: seven checks, each with its reason",
		Long:    certVerifyLong,
		Example: certVerifyExample,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef(cmd, "%q needs a FILE, \"-\" or a server HOST:PORT", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.certVerify(cmd, o, args) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.ca, "ca", nil, "trust the certificates in this `FILE`, and no others")
	f.StringVar(&o.host, "host", "", "the `NAME` it has to be for: a DNS name or an IP address (default: that of the server)")
	f.StringVar(&o.at, "time", "", "judge for this `TIME`, such as 2027-01-31 or 2027-01-31T12:00:00Z, instead of now")
	f.StringVar(&o.usage, "usage", "", "what it is to be used `FOR`: "+strings.Join(usageWords(), ", ")+" (default any; for a host or a server: server)")
	f.StringArrayVar(&o.policies, "policy", nil, "accept this policy alone, by `OID` or as dv, ov, ev; several are alternatives")
	f.BoolVar(&o.explicit, "explicit-policy", false, "demand that the path is valid for some policy")
	o.revocation.register(cmd)
	o.fetch.register(cmd, "missing issuers, OCSP responses and CRLs")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	o.secret.register(cmd, "a PKCS#12 or JKS file")
	o.peer.register(cmd)
	complete(cmd, "usage", usageWords())
	_ = cmd.MarkFlagFilename("ca")
	return cmd
}

// usages are the words of --usage.
func usages() map[string]pki.Usage {
	return map[string]pki.Usage{
		"server": pki.UsageServer, "client": pki.UsageClient, "code": pki.UsageCode, "email": pki.UsageEmail, "time": pki.UsageTime, "ocsp": pki.UsageOCSP,
	}
}

func usageWords() []string {
	return []string{"server", "client", "code", "email", "time", "ocsp", "any"}
}

// verification is one `cert verify`: what it was about, and what came of it.
type verification struct {
	source  string
	options pki.VerifyOptions
	trust   trust
	heap    []*x509.Certificate // all that can be read, of the input and the extra files
	input   *pki.Arrangement    // of the input
	found   *pki.Explanation
	usage   string
	notes   []string // what could not be fetched
}

func (a *app) certVerify(cmd *cobra.Command, o *certVerifyFlags, args []string) error {
	c, err := a.readInput(cmd, args[0], &o.peer, &o.secret)
	if err != nil {
		return err
	}
	if err := c.needCerts(); err != nil {
		return err
	}
	v := &verification{source: c.origin}
	if err := a.verifyOptions(cmd, o, c, v); err != nil {
		return err
	}
	leaf := v.arrange(c)
	for _, extra := range args[1:] {
		more, err := a.readInput(cmd, extra, nil, &o.secret)
		if err != nil {
			return err
		}
		if err := more.needCerts(); err != nil {
			return err
		}
		v.add(more.certs)
	}
	if err := a.addRevocation(cmd, o, c, v, leaf); err != nil {
		return err
	}
	v.found = pki.Explain(leaf, v.options)
	problem := v.problem()
	if o.asJSON {
		err = a.ui.printJSON(v.json(a.now(), problem))
	} else {
		a.ui.write(&a.ui.out, v.page(&a.ui.out))
	}
	if err == nil && problem != nil {
		return problem
	}
	return err
}

// verifyOptions reads the flags that say what to judge for.
func (a *app) verifyOptions(cmd *cobra.Command, o *certVerifyFlags, c *contents, v *verification) error {
	var err error
	if v.trust, err = a.loadTrust(o.ca); err != nil {
		return err
	}
	v.options = pki.VerifyOptions{Roots: v.trust.roots, Time: a.now(), ServerName: o.host}
	if v.trust.system {
		if v.options.SystemRoots, err = x509.SystemCertPool(); err != nil {
			return cannotRun(err, "reading the roots of this system")
		}
	}
	if v.options.Time, err = parseMoment(cmd, o.at, a.now()); err != nil {
		return err
	}
	if c.format == formatPeer && o.host == "" {
		v.options.ServerName = o.peer.serverName
		if v.options.ServerName == "" {
			v.options.ServerName = strings.TrimSuffix(hostOf(c.origin), ".")
		}
	}
	v.usage = o.usage
	switch usage, ok := usages()[o.usage]; {
	case ok:
		v.options.Usage = usage
	case o.usage == "" && v.options.ServerName != "":
		v.usage = "server"
	case o.usage == "" || o.usage == "any":
		v.usage, v.options.AnyUsage = "any", true
	default:
		f := usagef(cmd, "--usage %q is not one we know", o.usage)
		f.hint = "known are " + strings.Join(usageWords(), ", ")
		return f
	}
	if len(o.policies) > 0 || o.explicit {
		v.options.Policies = &pki.PolicyOptions{RequireExplicit: true}
	}
	for _, text := range o.policies {
		id, err := x509.ParseOID(orWord(map[string]string{"dv": "2.23.140.1.2.1", "ov": "2.23.140.1.2.2", "iv": "2.23.140.1.2.3", "ev": "2.23.140.1.1"}[strings.ToLower(text)], text))
		if err != nil {
			return usagef(cmd, "--policy %q is no object identifier, such as 2.23.140.1.2.1, nor dv, ov or ev", text)
		}
		v.options.Policies.Initial = append(v.options.Policies.Initial, id)
	}
	return nil
}

// parseMoment reads --time: a day, or a moment.
func parseMoment(cmd *cobra.Command, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return now, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	f := usagef(cmd, "--time %q is no time", text)
	f.hint = "write it like 2027-01-31 or 2027-01-31T12:00:00Z"
	return now, f
}

// add takes further certificates to build a path with.
func (v *verification) add(ders [][]byte) {
	for _, der := range ders {
		v.options.Intermediates = append(v.options.Intermediates, der)
		if c, err := cert.ParseX509(der); err == nil {
			v.heap = append(v.heap, c)
		}
	}
}

// arrange finds the leaf of an input, and gives all others to the search for a path. A server's leaf is what it sends
// first (RFC 8446, Section 4.4.2); in a file it may stand anywhere.
func (v *verification) arrange(c *contents) (leaf []byte) {
	first, _ := cert.ParseX509(c.certs[0])
	var heap []*x509.Certificate
	for _, der := range c.certs {
		if parsed, err := cert.ParseX509(der); err == nil {
			heap = append(heap, parsed)
		}
	}
	leaf = c.certs[0]
	if c.format != formatPeer && len(heap) == len(c.certs) {
		first = nil
	}
	v.input = pki.Arrange(heap, first, v.options.Roots)
	if len(v.input.Chain) > 0 && first == nil {
		leaf = v.input.Chain[0].Raw
	}
	at := slices.IndexFunc(c.certs, func(der []byte) bool { return string(der) == string(leaf) })
	v.add(slices.Delete(slices.Clone(c.certs), at, at+1))
	return leaf
}

// problem is why the command fails, nil where the certificate is trusted.
func (v *verification) problem() *failure {
	if v.found.Trusted {
		return nil
	}
	f := &failure{kind: kindTrust, text: v.source + " is not trusted"}
	if e := v.found.Err; e != nil {
		f.text, f.hint, f.err = f.text+": "+e.Text, e.Hint, e
		if e.Reason == pki.ReasonNameMismatch {
			f.hint = "ask for one of its names with --host, or have it issued again with this one"
		}
	}
	return f
}

// page shows the path and the checks.
func (v *verification) page(s *stream) string {
	rows := v.inputRows()
	for i, c := range v.found.Path {
		label, text := "", nameOf(c)
		if i == 0 {
			label = "path"
		} else {
			text = "↳ " + text
		}
		if i == len(v.found.Path)-1 && v.isRoot(c) {
			text += " (" + v.trust.sourceOf(c) + ")"
		}
		rows = append(rows, row{label: label, value: text})
	}
	host := "any host"
	if v.options.ServerName != "" {
		host = pki.Printable(v.options.ServerName)
	}
	rows = append(rows, row{label: "for", value: host + ", usage " + v.usage + ", at " + timeOf(v.options.Time)})
	text := s.paint(bold, v.source) + "\n" + s.rows(rows) + "\n" + v.checkLines(s)
	if also := v.alsoAsked(); len(also) > 0 {
		text += "\n" + s.rows(also)
	}
	verdict := row{"verdict", "TRUSTED", good}
	if !v.found.Trusted {
		verdict = row{"verdict", "NOT TRUSTED", bad}
		if v.found.Err != nil {
			verdict.value += ": " + v.found.Err.Reason.String()
		}
	}
	return text + "\n" + s.rows([]row{verdict})
}

// alsoAsked are the sources that spoke of revocation and did not decide.
func (v *verification) alsoAsked() []row {
	var rows []row
	for i := range v.found.Revocation {
		rows = append(rows, otherSources(&v.found.Revocation[i])...)
	}
	if len(rows) > 0 {
		rows[0].label = "also asked"
	}
	return rows
}

// The columns of the checks: the name, the result, the reason.
const (
	checkWidth  = 20
	resultWidth = 11
)

// checkLines lays out the checks: the rule stands behind its reason, or on a line of its own where that would be too long.
func (v *verification) checkLines(s *stream) string {
	var b strings.Builder
	for i, c := range v.found.Checks {
		label := c.Check.String()
		if i > 0 && v.found.Checks[i-1].Check == c.Check {
			label = ""
		}
		result := outcomeWord(c.Outcome)
		head := "  " + s.paint(bold, label) + strings.Repeat(" ", checkWidth-len(label)) +
			s.paint(outcomeStyle(c.Outcome), result) + strings.Repeat(" ", resultWidth-len(result))
		lines := []string{c.Text}
		if s.width > 0 {
			lines = wrap(c.Text, max(s.width-checkWidth-resultWidth-2, 20))
		}
		if c.Section != "" {
			section := "(" + c.Section + ")"
			last := len(lines) - 1
			if s.width == 0 || checkWidth+resultWidth+3+lipgloss.Width(lines[last]+section) <= s.width {
				lines[last] += " " + s.paint(faint, section)
			} else {
				lines = append(lines, s.paint(faint, section))
			}
		}
		for _, line := range lines {
			b.WriteString(head + line + "\n")
			head = strings.Repeat(" ", checkWidth+resultWidth+2)
		}
	}
	return b.String()
}

// isRoot reports whether the path ends at a root that is trusted.
func (v *verification) isRoot(c *x509.Certificate) bool {
	return !slices.ContainsFunc(v.found.Checks, func(r pki.CheckResult) bool { return r.Check == pki.CheckRoot && r.Outcome == pki.Failed }) && c != nil
}

func outcomeWord(o pki.Outcome) string {
	return map[pki.Outcome]string{pki.Passed: "ok", pki.Failed: "FAILED", pki.NotAsked: "not asked", pki.Undecided: "UNDECIDED"}[o]
}

func outcomeStyle(o pki.Outcome) style {
	return map[pki.Outcome]style{pki.Passed: good, pki.Failed: bad, pki.NotAsked: faint, pki.Undecided: caution}[o]
}

// inputRows say what was odd about the input.
func (v *verification) inputRows() []row {
	var odd []string
	a := v.input
	if a.OutOfOrder {
		odd = append(odd, "not in the order in which a server has to send it")
	}
	if len(a.Surplus) > 0 {
		odd = append(odd, countOf(len(a.Surplus), "certificate")+" not needed")
	}
	if len(a.Duplicates) > 0 {
		odd = append(odd, countOf(len(a.Duplicates), "certificate")+" twice")
	}
	if a.RootSent && len(a.Chain) > 1 {
		odd = append(odd, "the root is among them, which is of no use there")
	}
	var rows []row
	if len(odd) > 0 {
		rows = append(rows, row{"input", strings.Join(odd, "; "), caution})
	}
	for _, n := range v.notes {
		rows = append(rows, row{"note", n, caution})
	}
	return rows
}

// verifyJSON is `cert verify --json`. The names are stable.
type verifyJSON struct {
	Source     string       `json:"source"`
	Trusted    bool         `json:"trusted"`
	Host       string       `json:"host,omitempty"`
	Usage      string       `json:"usage"`
	Time       string       `json:"time"`
	Path       []certReport `json:"path"`           // leaf first, the root last
	Root       string       `json:"root,omitempty"` // where the root comes from: --ca, own CA or system
	Checks     []checkJSON  `json:"checks"`
	Library    string       `json:"crypto_x509"` // what it said; "" for yes
	IsLibrary  bool         `json:"crypto_x509_judged"`
	Tried      int          `json:"paths_tried"`
	OutOfOrder bool         `json:"out_of_order"`
	Surplus    []string     `json:"not_needed"`
	Notes      []string     `json:"notes"`
	Error      *errorJSON   `json:"error,omitempty"`
	// Sources are all that was asked about revocation, whatever they said.
	Sources []revocationJSON `json:"revocation_sources,omitempty"`
}

type checkJSON struct {
	Check   string `json:"check"`
	Result  string `json:"result"` // passed, failed, not asked, undecided
	Depth   int    `json:"depth"`  // of the certificate in the path; -1: none
	Subject string `json:"subject,omitempty"`
	Text    string `json:"text"`
	Hint    string `json:"hint,omitempty"`
	Section string `json:"section,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

func (v *verification) json(now time.Time, problem *failure) verifyJSON {
	j := verifyJSON{
		Source: v.source, Trusted: v.found.Trusted, Host: v.options.ServerName, Usage: v.usage, Time: v.options.Time.UTC().Format(time.RFC3339),
		Path: []certReport{}, Checks: []checkJSON{}, IsLibrary: v.found.LibraryJudged, Tried: v.found.Tried,
		OutOfOrder: v.input.OutOfOrder, Surplus: []string{}, Notes: orEmpty(v.notes), Error: newErrorJSON(problem),
	}
	for _, c := range v.found.Path {
		j.Path = append(j.Path, newCertReport(c, now))
	}
	if v.found.Trusted && len(v.found.Path) > 0 {
		j.Root = v.trust.sourceOf(v.found.Path[len(v.found.Path)-1])
	}
	for _, c := range v.found.Checks {
		k := checkJSON{c.Check.String(), c.Outcome.String(), c.Depth, c.Subject, c.Text, c.Hint, c.Section, ""}
		if c.Outcome == pki.Failed {
			k.Reason = c.Reason.String()
		}
		j.Checks = append(j.Checks, k)
	}
	if v.found.Library != nil {
		j.Library = v.found.Library.Error()
	}
	for _, r := range v.found.Revocation {
		for i := range r.Tried {
			j.Sources = append(j.Sources, newStatusJSON(&r.Tried[i]))
		}
	}
	for _, c := range v.input.Surplus {
		j.Surplus = append(j.Surplus, nameOf(c))
	}
	return j
}

// hostOf is the host of HOST:PORT.
func hostOf(address string) string {
	host, _, _ := strings.Cut(address, ":")
	if i := strings.LastIndex(address, ":"); i >= 0 {
		host = unbracketed(address[:i])
	}
	return host
}
