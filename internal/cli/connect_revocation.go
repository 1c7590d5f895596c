package cli

import (
	"context"
	"crypto/x509"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// connectRevocationFlags say by what a connection judges whether the server's certificate was revoked. The staple counts
// whenever there is one.
type connectRevocationFlags struct {
	files    revocationFlags // CRLs and sets
	asks     bool
	isSoft   bool
	isPublic fetchFlags // whether private addresses are asked
}

func (f *connectRevocationFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.files.crls, "crl", nil, "refuse a server whose certificate the CRLs in this `FILE` say is revoked")
	flags.StringArrayVar(&f.files.sets, "revocation-set", nil, "refuse a server whose certificate the revocation set in this `FILE` says is revoked")
	flags.BoolVar(&f.asks, "ocsp", false, "ask the OCSP responder that the certificate names, and refuse a revoked one")
	flags.BoolVar(&f.isSoft, "soft-fail", false, "with --crl, --ocsp, --revocation-set: go on where nothing is known of the certificate")
	flags.BoolVar(&f.files.whole, "whole-chain", false, "with --crl, --ocsp, --revocation-set: ask about the CAs too")
	flags.BoolVar(&f.isPublic.private, "allow-private", false, "with --ocsp: ask a responder at a private address too")
	_ = cmd.MarkFlagFilename("crl", "crl", "pem", "der")
	_ = cmd.MarkFlagFilename("revocation-set")
}

func (f *connectRevocationFlags) isSet() bool {
	return f.asks || len(f.files.crls)+len(f.files.sets) > 0
}

// revocationCheck is what a connector asks of every server.
type revocationCheck struct {
	flags   *connectRevocationFlags
	options pki.RevocationOptions
	timeout time.Duration
}

// revocationOutcome is what came of it for one server.
type revocationOutcome struct {
	results []pki.RevocationResult
	notes   []string // who gave no answer
	refused *pki.RevocationResult
}

// readRevocationCheck turns the flags into a check; nil where none was asked for.
func (a *app) readRevocationCheck(cmd *cobra.Command, o *connectFlags) (*revocationCheck, error) {
	f := &o.revocation
	if !f.isSet() {
		if f.isSoft || f.files.whole || f.isPublic.private {
			return nil, usagef(cmd, "--soft-fail, --whole-chain and --allow-private go with --crl, --ocsp or --revocation-set")
		}
		return nil, nil
	}
	if o.isInsecure {
		return nil, usagef(cmd, "--insecure verifies no chain, and without one nobody can tell what was revoked")
	}
	check := &revocationCheck{flags: f, timeout: o.timeout / 2}
	check.options.Mode, check.options.WholeChain = pki.RevocationHard, f.files.whole
	if f.isSoft {
		check.options.Mode = pki.RevocationSoft
	}
	if err := a.readRevocation(&f.files, &check.options); err != nil {
		return nil, err
	}
	return check, nil
}

// refuseRevoked is a check for tlsnet.Config.VerifyPeer, which puts what it finds into found.
func (c *connector) refuseRevoked(found *revocationOutcome) func(context.Context, tlsnet.Peer, tlscore.Facts) error {
	return func(ctx context.Context, p tlsnet.Peer, _ tlscore.Facts) error {
		*found = c.judgeRevocation(ctx, p)
		if found.refused == nil {
			return nil
		}
		e := found.err(p.Chain)
		// RFC 8446, Section 6.2: certificate_revoked for one that was revoked by its signer; certificate_unknown for "some
		// other issue", which a status that cannot be found out is.
		alert := wire.AlertCertificateUnknown
		if e.Reason == pki.ReasonRevoked {
			alert = wire.AlertCertificateRevoked
		}
		return &tlsnet.RefusalError{Alert: alert, Err: e}
	}
}

func (c *connector) judgeRevocation(ctx context.Context, p tlsnet.Peer) revocationOutcome {
	var found revocationOutcome
	options := c.revocation.options
	options.Staple, options.Extra = p.Staple, parseChain(p.Raw)
	if c.revocation.flags.asks {
		found.notes = c.askResponders(ctx, p.Chain, &options)
	}
	found.results = pki.JudgeRevocation(p.Chain, options, c.app.now())
	for i := range found.results {
		if found.results[i].Refused(options.Mode) {
			found.refused = &found.results[i]
			break
		}
	}
	return found
}

// askResponders asks those that the certificates name. The CA of this estate, or of --ca, may have its responder at a private
// address; other CAs only if the user allows it.
func (c *connector) askResponders(ctx context.Context, path []*x509.Certificate, options *pki.RevocationOptions) (notes []string) {
	allow := c.revocation.flags.isPublic
	for _, r := range c.trust.roots {
		allow.private = allow.private || r.Equal(path[len(path)-1])
	}
	f := c.app.fetcher(allow, c.revocation.timeout)
	defer f.Close()
	for i, cert := range path[:len(path)-1] {
		if i > 0 && !options.WholeChain {
			break
		}
		if len(cert.OCSPServer) == 0 {
			notes = append(notes, nameOf(cert)+" names no OCSP responder")
		}
		for _, url := range cert.OCSPServer {
			der, err := askOCSP(ctx, f, url, cert, path[i+1])
			if err != nil {
				notes = append(notes, "asking for the status: "+pki.Printable(err.Error()))
				continue
			}
			options.OCSP = append(options.OCSP, der)
			break
		}
	}
	return notes
}

// err is the refusal as a verdict about the chain.
func (r *revocationOutcome) err(chain []*x509.Certificate) *pki.VerifyError {
	c := chain[r.refused.Depth]
	e := &pki.VerifyError{Reason: pki.ReasonRevoked, Depth: r.refused.Depth, Certificate: c, Subject: nameOf(c)}
	if r.refused.Status == pki.RevocationRevoked {
		e.Text, e.Hint = nameOf(c)+" "+r.refused.Text, "its owner has to get a new one; do not send anything there"
		return e
	}
	e.Reason, e.Text, e.Hint = pki.ReasonStatus, nameOf(c)+": "+r.refused.Text, "--soft-fail goes on all the same"
	return e
}

// rows are the lines of the report.
func (r *revocationOutcome) rows(o *outcome) []row {
	if r == nil {
		return nil
	}
	var rows []row
	for i, result := range r.results {
		st := map[pki.RevocationStatus]style{pki.RevocationGood: good, pki.RevocationRevoked: bad, pki.RevocationUnknown: caution}[result.Status]
		text := result.Text
		if result.Status == pki.RevocationUnknown {
			text = "UNDECIDED: " + text
		}
		if i > 0 && result.Depth < len(o.peer.Chain) {
			text = shortName(o.peer.Chain[result.Depth]) + ": " + text
		}
		rows = append(rows, row{label: map[bool]string{true: "revocation"}[i == 0], value: text, style: st})
		rows = append(rows, otherSources(&result)...)
	}
	for _, n := range r.notes {
		rows = append(rows, row{label: map[bool]string{true: "revocation"}[len(rows) == 0], value: n, style: caution})
	}
	return rows
}

// otherSources are the lines of those that were asked too and did not decide.
func otherSources(r *pki.RevocationResult) []row {
	var rows []row
	decided := false
	for _, t := range r.Tried {
		if !decided && t.Source == r.Source && t.Text == r.Text {
			decided = true
			continue
		}
		rows = append(rows, row{value: t.Source + " says " + t.Status.String() + ": " + t.Text, style: faint})
	}
	return rows
}

// revocationJSON is one certificate's status in --json.
type revocationJSON struct {
	Depth      int       `json:"depth"` // 0: the leaf
	Subject    string    `json:"subject"`
	Status     string    `json:"status"`
	Source     string    `json:"source,omitempty"` // staple, OCSP, CRL, revocation set
	Reason     string    `json:"reason,omitempty"`
	RevokedAt  time.Time `json:"revoked_at,omitzero"`
	ThisUpdate time.Time `json:"this_update,omitzero"`
	NextUpdate time.Time `json:"next_update,omitzero"`
	Text       string    `json:"text"`
	Section    string    `json:"section,omitempty"`
	Refused    bool      `json:"refused"`

	Sources []revocationJSON `json:"sources,omitempty"` // all that were asked
}

func newRevocationJSON(r *revocationOutcome) (list []revocationJSON, notes []string) {
	if r == nil {
		return nil, nil
	}
	list = []revocationJSON{}
	for i := range r.results {
		j := newStatusJSON(&r.results[i])
		j.Refused = r.refused == &r.results[i]
		for k := range r.results[i].Tried {
			j.Sources = append(j.Sources, newStatusJSON(&r.results[i].Tried[k]))
		}
		list = append(list, j)
	}
	return list, r.notes
}

func newStatusJSON(x *pki.RevocationResult) revocationJSON {
	j := revocationJSON{
		Depth: x.Depth, Subject: x.Subject, Status: x.Status.String(), Source: x.Source, RevokedAt: x.At, ThisUpdate: x.ThisUpdate,
		NextUpdate: x.NextUpdate, Text: x.Text, Section: x.Section,
	}
	if x.Status == pki.RevocationRevoked {
		j.Reason = x.Reason.String()
	}
	return j
}

// verifyHTTP is the check of every connection of --http: revocation.
func (c *connector) verifyHTTP() func(context.Context, tlsnet.Peer, tlscore.Facts) error {
	if c.revocation == nil {
		return nil
	}
	return func(ctx context.Context, p tlsnet.Peer, f tlscore.Facts) error {
		return c.refuseRevoked(&revocationOutcome{})(ctx, p, f)
	}
}
