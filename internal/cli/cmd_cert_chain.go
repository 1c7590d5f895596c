package cli

import (
	"crypto/x509"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
)

type certChainFlags struct {
	peer     peerFlags
	secret   secretFlags
	fetch    fetchFlags
	ca       []string
	output   string
	withRoot bool
	force    bool
	asJSON   bool
}

const certChainLong = `Look at a chain as a server sends it, or should: the leaf first, each
certificate followed by its issuer, no root, nothing else. What is out of order,
missing or not needed is a failed check.

With --output the chain is repaired and written, as servers want it (fullchain):
in order, without what is not needed, completed from EXTRA files, from the own
CA and, with --fetch, from the addresses that the certificates name. What is
still missing then is a failed check.

A root that is not among the roots of this system, the own CA's or those of --ca
is told, and the chain counts as complete all the same.

` + exitCodeHelp

const certChainExample = `  tlswright cert chain example.com
  tlswright cert chain server.pem intermediate.pem -o fullchain.pem
  tlswright cert chain --fetch server.pem -o fullchain.pem`

func newCertChain(a *app) *cobra.Command {
	o := &certChainFlags{}
	cmd := &cobra.Command{
		Use:     "chain FILE [EXTRA]... | HOST[:PORT]",
		Short:   "Check the order of a chain, repair and complete it",
		Long:    certChainLong,
		Example: certChainExample,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef(cmd, "%q needs a FILE, \"-\" or a server HOST:PORT", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.certChain(cmd, o, args) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.ca, "ca", nil, "the roots are in this `FILE`")
	o.fetch.register(cmd, "missing issuers")
	f.StringVarP(&o.output, "output", "o", "", "write the repaired chain to `FILE`, PEM; \"-\": standard output")
	f.BoolVar(&o.withRoot, "with-root", false, "write the root too, for programs that want it there")
	f.BoolVar(&o.force, "force", false, "replace the file of --output")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	o.secret.register(cmd, "a PKCS#12 or JKS file")
	o.peer.register(cmd)
	_ = cmd.MarkFlagFilename("ca")
	_ = cmd.MarkFlagFilename("output")
	return cmd
}

// chainLook is what there is to say about a chain.
type chainLook struct {
	source string
	trust  trust
	system *x509.CertPool
	sent   *pki.Arrangement  // the input alone
	count  int               // certificates of the input
	full   *completed        // with all that was added
	origin map[string]string // by fingerprint: where an added certificate comes from
	root   string            // where the root comes from; "" where it is not trusted here
	o      *certChainFlags
}

func (a *app) certChain(cmd *cobra.Command, o *certChainFlags, args []string) error {
	if o.output != "" && o.output != "-" && !o.force {
		if err := refuseToReplace(o.output); err != nil {
			return err
		}
	}
	c, err := a.readInput(cmd, args[0], &o.peer, &o.secret)
	if err != nil {
		return err
	}
	if err := c.needCerts(); err != nil {
		return err
	}
	heap, err := c.parsed()
	if err != nil {
		return err
	}
	l := &chainLook{source: c.origin, count: len(heap), origin: map[string]string{}, o: o}
	if l.trust, err = a.loadTrust(o.ca); err != nil {
		return err
	}
	if l.trust.system {
		if l.system, err = x509.SystemCertPool(); err != nil {
			return cannotRun(err, "reading the roots of this system")
		}
	}
	var leaf *x509.Certificate
	if c.format == formatPeer {
		leaf = heap[0]
	}
	l.sent = pki.Arrange(heap, leaf, l.trust.roots)
	extra, err := a.extraCertificates(cmd, o, l, args[1:])
	if err != nil {
		return err
	}
	l.finish(cmd, a, heap, extra)
	return a.reportChain(l)
}

// extraCertificates are those that may complete the chain: of the EXTRA files, and of the own CA.
func (a *app) extraCertificates(cmd *cobra.Command, o *certChainFlags, l *chainLook, files []string) ([]*x509.Certificate, error) {
	var extra []*x509.Certificate
	for _, file := range files {
		c, err := a.readInput(cmd, file, nil, &o.secret)
		if err != nil {
			return nil, err
		}
		if err := c.needCerts(); err != nil {
			return nil, err
		}
		certs, err := c.parsed()
		if err != nil {
			return nil, err
		}
		for _, cert := range certs {
			l.origin[pki.Fingerprint(cert.Raw)] = "from " + file
		}
		extra = append(extra, certs...)
	}
	home, err := a.home()
	if err != nil {
		return nil, err
	}
	for _, pattern := range []string{"intermediate.pem", filepath.Join("intermediates", "*", "intermediate.pem")} {
		found, _ := filepath.Glob(filepath.Join(home, "ca", pattern)) // the pattern is well formed
		for _, file := range found {
			certs, err := keystore.ReadCertificates(file)
			if err != nil {
				return nil, cannotRun(err, "reading the own CA")
			}
			for _, cert := range certs {
				l.origin[pki.Fingerprint(cert.Raw)] = "from the own CA"
			}
			extra = append(extra, certs...)
		}
	}
	return extra, nil
}

// finish completes the chain.
func (l *chainLook) finish(cmd *cobra.Command, a *app, heap, extra []*x509.Certificate) {
	if len(l.sent.Chain) == 0 {
		l.full = &completed{Arrangement: l.sent}
		return
	}
	leaf := l.sent.Chain[0]
	isDone := func(x *pki.Arrangement) bool { return l.leadsToSystem(x, a) }
	all := slices.Clone(heap)
	if l.sent.Root == nil && !isDone(l.sent) {
		all = append(all, extra...)
	}
	if l.o.fetch.isOn {
		f := a.fetcher(l.o.fetch, l.o.peer.timeout)
		defer f.Close()
		l.full = completeChain(cmd.Context(), f, all, leaf, l.trust.roots, isDone)
	} else {
		l.full = &completed{Arrangement: pki.Arrange(all, leaf, l.trust.roots), heap: all}
	}
	for _, got := range l.full.fetched {
		l.origin[pki.Fingerprint(got.cert.Raw)] = "fetched from " + pki.Printable(got.url)
	}
	switch r := l.full.Root; {
	case r != nil && slices.ContainsFunc(l.trust.roots, r.Equal):
		l.root = l.trust.from
	case isDone(l.full.Arrangement):
		l.root = "system"
	}
}

// leadsToSystem reports whether a chain ends at a root of this system.
func (l *chainLook) leadsToSystem(x *pki.Arrangement, a *app) bool {
	return leadsTo(l.system, x, a.now())
}

// leadsTo reports whether a chain ends at a root of a pool, which cannot be listed.
func leadsTo(pool *x509.CertPool, x *pki.Arrangement, now time.Time) bool {
	if pool == nil || len(x.Chain) == 0 {
		return false
	}
	o := pki.VerifyOptions{SystemRoots: pool, Time: now, AnyUsage: true}
	for _, c := range x.Chain[1:] {
		o.Intermediates = append(o.Intermediates, c.Raw)
	}
	for _, r := range pki.Explain(x.Chain[0].Raw, o).Checks {
		if r.Check == pki.CheckRoot {
			return r.Outcome == pki.Passed
		}
	}
	return false
}

// isComplete reports whether nothing is missing.
func (l *chainLook) isComplete(x *pki.Arrangement) bool { return x.Root != nil || l.root == "system" }

// faults are what is wrong with the input as a server's chain.
func (l *chainLook) faults() []string {
	var faults []string
	if l.sent.OutOfOrder {
		faults = append(faults, "out of order")
	}
	if n := len(l.full.Chain) - len(l.sent.Chain); n > 0 {
		faults = append(faults, countOf(n, "certificate")+" missing")
	} else if !l.isComplete(l.full.Arrangement) {
		faults = append(faults, "an issuer is missing")
	}
	if n := len(l.sent.Surplus); n > 0 {
		faults = append(faults, countOf(n, "certificate")+" not needed")
	}
	if n := len(l.sent.Duplicates); n > 0 {
		faults = append(faults, countOf(n, "certificate")+" twice")
	}
	return faults
}

// problem is why the command fails: a chain that is not as it should be, or, once it is repaired, one that is not complete.
func (l *chainLook) problem() *failure {
	faults := l.faults()
	f := &failure{kind: kindFinding}
	switch {
	case !l.isComplete(l.full.Arrangement):
		m := pki.MissingIssuer{Name: "the issuer"}
		if len(l.full.Missing) > 0 {
			m = l.full.Missing[0]
		}
		f.text = fmt.Sprintf("%s: the chain is not complete: %s is missing", l.source, orWord(m.Name, "an issuer"))
		f.hint = "name a file with it, or with --ca if it is a root"
		if len(m.AIA) > 0 && !l.o.fetch.isOn {
			f.hint += ", or get it with --fetch from " + pki.Printable(m.AIA[0])
		}
		return f
	case len(faults) > 0 && l.o.output == "":
		f.text = fmt.Sprintf("%s is not as a server should send it: %s", l.source, strings.Join(faults, ", "))
		f.hint = "write it as it should be with --output FILE"
		return f
	}
	return nil
}

func (a *app) reportChain(l *chainLook) error {
	problem := l.problem()
	if l.o.output != "" && problem == nil {
		var text []byte
		for _, c := range l.full.Chain {
			text = pki.AppendCertificatePEM(text, c.Raw)
		}
		if r := l.full.Root; l.o.withRoot && r != nil && !slices.ContainsFunc(l.full.Chain, r.Equal) {
			text = pki.AppendCertificatePEM(text, r.Raw)
		}
		if err := a.writeResult(l.o.output, text, false, l.o.force); err != nil {
			return err
		}
	}
	out := &a.ui.out
	if l.o.output == "-" {
		out = &a.ui.err
	}
	switch {
	case l.o.asJSON && l.o.output != "-":
		if err := a.ui.printJSON(l.json(a, problem)); err != nil {
			return err
		}
	default:
		a.ui.write(out, l.page(out))
	}
	if problem != nil {
		return problem
	}
	return nil
}

// page shows the chain as it should be, and what had to be done for it.
func (l *chainLook) page(s *stream) string {
	var rows []row
	for i, c := range l.full.Chain {
		text := nameOf(c) + ", to " + dateOf(c.NotAfter)
		st := plain
		if from := l.origin[pki.Fingerprint(c.Raw)]; from != "" && !slices.ContainsFunc(l.sent.Chain, c.Equal) {
			text, st = text+" ("+from+")", caution
		}
		rows = append(rows, row{fmt.Sprintf("%d %s", i+1, roleOf(c)), text, st})
	}
	switch r := l.full.Root; {
	case r != nil && slices.ContainsFunc(l.full.Chain, r.Equal) && l.root == "":
		rows = append(rows, row{"  root", "itself, which is not trusted here", caution})
	case r != nil && slices.ContainsFunc(l.full.Chain, r.Equal):
		rows = append(rows, row{"  root", "itself (" + l.root + ")", plain})
	case r != nil && l.root != "":
		rows = append(rows, row{"  root", nameOf(r) + " (" + l.root + "), which is not sent", faint})
	case r != nil:
		rows = append(rows, row{"  root", nameOf(r) + ", which is not trusted here, and not sent", caution})
	case l.root != "":
		rows = append(rows, row{"  root", issuerShort(l.full.Chain[len(l.full.Chain)-1]) + " (system), which is not sent", faint})
	}
	for _, m := range l.full.Missing {
		if l.root == "" {
			text := orWord(m.Name, "an issuer")
			if len(m.AIA) > 0 {
				text += ", said to be at " + pki.Printable(strings.Join(m.AIA, ", "))
			}
			rows = append(rows, row{"  missing", text, bad})
		}
	}
	for _, c := range l.sent.Surplus {
		rows = append(rows, row{"  not needed", nameOf(c), caution})
	}
	for _, c := range l.full.CrossSigned {
		rows = append(rows, row{"  cross-signed", nameOf(c) + ", by " + issuerShort(c), plain})
	}
	if l.sent.RootSent && len(l.sent.Chain) > 1 {
		rows = append(rows, row{"  note", "the root is in the input, where it is of no use: who trusts it has it", faint})
	}
	for _, n := range l.full.notes {
		rows = append(rows, row{"  note", n, caution})
	}
	verdict := row{"verdict", "as a server should send it", good}
	switch faults := l.faults(); {
	case !l.isComplete(l.full.Arrangement):
		verdict = row{"verdict", "NOT COMPLETE: " + strings.Join(faults, ", "), bad}
	case len(faults) > 0 && l.o.output != "":
		verdict = row{"verdict", "repaired; before: " + strings.Join(faults, ", "), good}
	case len(faults) > 0:
		verdict = row{"verdict", "NOT AS IT SHOULD BE: " + strings.Join(faults, ", "), bad}
	}
	rows = append(rows, verdict)
	if l.o.output != "" && l.o.output != "-" && l.isComplete(l.full.Arrangement) {
		rows = append(rows, row{"file", l.o.output, plain})
	}
	return s.paint(bold, l.source) + s.paint(faint, ", "+countOf(l.count, "certificate")) + "\n" + s.rows(rows)
}

// chainJSON is `cert chain --json`.
type chainJSON struct {
	Source     string       `json:"source"`
	Chain      []certReport `json:"chain"` // as it should be sent
	Root       string       `json:"root,omitempty"`
	RootFrom   string       `json:"root_from,omitempty"`
	IsComplete bool         `json:"complete"`
	OutOfOrder bool         `json:"out_of_order"`
	RootSent   bool         `json:"root_sent"`
	Added      []string     `json:"added"`
	Surplus    []string     `json:"not_needed"`
	Missing    []string     `json:"missing"`
	Notes      []string     `json:"notes"`
	File       string       `json:"file,omitempty"`
	Error      *errorJSON   `json:"error,omitempty"`
}

func (l *chainLook) json(a *app, problem *failure) chainJSON {
	j := chainJSON{
		Source: l.source, Chain: []certReport{}, RootFrom: l.root, IsComplete: l.isComplete(l.full.Arrangement), OutOfOrder: l.sent.OutOfOrder,
		RootSent: l.sent.RootSent, Added: []string{}, Surplus: []string{}, Missing: []string{}, Notes: orEmpty(l.full.notes), Error: newErrorJSON(problem),
	}
	for _, c := range l.full.Chain {
		j.Chain = append(j.Chain, newCertReport(c, a.now()))
		if !slices.ContainsFunc(l.sent.Chain, c.Equal) {
			j.Added = append(j.Added, nameOf(c))
		}
	}
	if l.full.Root != nil {
		j.Root = nameOf(l.full.Root)
	}
	for _, c := range l.sent.Surplus {
		j.Surplus = append(j.Surplus, nameOf(c))
	}
	if !j.IsComplete {
		for _, m := range l.full.Missing {
			j.Missing = append(j.Missing, m.Name)
		}
	}
	if problem == nil {
		j.File = l.o.output
	}
	return j
}
