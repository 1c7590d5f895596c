package cli

import (
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/pki/crl"
)

// crlView is a list in `ca crl --show --json`.
type crlView struct {
	Issuer     string         `json:"issuer"`
	Number     string         `json:"number,omitempty"`
	Base       string         `json:"base,omitempty"` // of a delta
	ThisUpdate time.Time      `json:"this_update"`
	NextUpdate time.Time      `json:"next_update,omitzero"`
	IsOver     bool           `json:"over"` // next_update is in the past
	URLs       []string       `json:"urls,omitempty"`
	Freshest   []string       `json:"freshest,omitempty"` // where deltas are
	Signature  string         `json:"signature"`
	SignedBy   string         `json:"signed_by,omitempty"` // the certificate whose key made the signature
	Problem    string         `json:"problem,omitempty"`   // of the signature
	Unknown    []string       `json:"unknown_critical,omitempty"`
	Count      int            `json:"entries"`
	Bytes      int            `json:"bytes"`
	Entries    []crlEntryView `json:"revoked"`
}

type crlEntryView struct {
	Serial    string    `json:"serial"`
	RevokedAt time.Time `json:"revoked_at"`
	Reason    string    `json:"reason"`
	InvalidAt time.Time `json:"invalid_at,omitzero"` // since when the key is thought to be lost
	Issuer    string    `json:"issuer,omitempty"`    // in an indirect list
}

// maxShown bounds how many entries stand on a page; --json has all.
const maxShown = 100

// showList shows the lists of a file. The signature is checked with --signer, or with the certificates of the own CA.
func (a *app) showList(cmd *cobra.Command, o *caCRLFlags) error {
	for _, other := range []string{"output", "out", "set", "shard", "url", "delta", "lifetime", "format", "issuer"} {
		if cmd.Flags().Changed(other) {
			return usagef(cmd, "--show looks at a list, and --%s is for making one", other)
		}
	}
	lists, err := a.readCRLs(o.show)
	if err != nil {
		return err
	}
	signers, err := a.possibleSigners(o.signer)
	if err != nil {
		return err
	}
	var problem *failure
	for _, l := range lists {
		v := newCRLView(l, signers, o.signer != "", a.now())
		if v.Problem != "" && problem == nil {
			problem = &failure{kind: kindFinding, text: o.show + ": the signature does not hold: " + v.Problem}
		}
		if o.asJSON {
			if err := a.ui.printJSON(v); err != nil {
				return err
			}
			continue
		}
		a.printList(v)
	}
	if problem != nil {
		return problem
	}
	return nil
}

// possibleSigners are the certificates of --signer, or of the own CA where there is one.
func (a *app) possibleSigners(file string) ([]*x509.Certificate, error) {
	if file != "" {
		certs, err := keystore.ReadCertificates(file)
		if err != nil {
			return nil, cannotRun(err, "--signer")
		}
		return certs, nil
	}
	ca, err := a.readCA()
	if err != nil {
		return nil, nil // without a CA there is nothing to compare with
	}
	signers := []*x509.Certificate{ca.Root}
	all, err := ca.Intermediates()
	if err != nil {
		return nil, cannotRun(err, "reading the CA")
	}
	for _, i := range all {
		signers = append(signers, i.Certificate)
	}
	return signers, nil
}

func newCRLView(l *crl.List, signers []*x509.Certificate, isAsked bool, now time.Time) crlView {
	v := crlView{
		Issuer: derName(l.RawIssuer), ThisUpdate: l.ThisUpdate, NextUpdate: l.NextUpdate, IsOver: !l.NextUpdate.IsZero() && now.After(l.NextUpdate),
		Freshest: l.Freshest, Signature: cert.AlgorithmName(l.SignatureAlgorithm), Unknown: l.UnknownCritical, Count: l.Count, Bytes: len(l.Raw), Entries: []crlEntryView{},
	}
	if l.Number != nil {
		v.Number = l.Number.String()
	}
	if l.Base != nil {
		v.Base = l.Base.String()
	}
	if l.IDP != nil {
		v.URLs = l.IDP.URIs
	}
	for _, s := range signers {
		err := l.CheckSignature(s)
		if err == nil {
			v.SignedBy, v.Problem = pki.Name(s.Subject), ""
			break
		}
		if isAsked {
			v.Problem = pki.Printable(err.Error())
		}
	}
	for e, err := range l.All() {
		if err != nil {
			break // it was read to the end when it was parsed
		}
		x := crlEntryView{Serial: hex.EncodeToString(e.Serial), RevokedAt: e.RevokedAt, Reason: e.Reason.String(), InvalidAt: e.InvalidityDate}
		if e.Negative {
			x.Serial = "-" + x.Serial
		}
		if string(e.Issuer) != string(l.RawIssuer) {
			x.Issuer = derName(e.Issuer)
		}
		v.Entries = append(v.Entries, x)
	}
	return v
}

// derName is a Name in DER as text.
func derName(der []byte) string {
	n, err := cert.ParseName(der)
	if err != nil {
		return "(unreadable)"
	}
	return nameText(n)
}

func (a *app) printList(v crlView) {
	out := &a.ui.out
	kind := "CRL "
	if v.Base != "" {
		kind = "delta to CRL number " + v.Base + ", "
	}
	if v.Number != "" {
		kind += "number " + v.Number + " "
	}
	next := row{label: "next", value: "before " + timeOf(v.NextUpdate)}
	switch {
	case v.NextUpdate.IsZero():
		next = row{label: "next", value: "not said, against RFC 5280, Section 5.1.2.5", style: caution}
	case v.IsOver:
		next.value, next.style = "should have come before "+timeOf(v.NextUpdate), bad
	}
	rows := []row{{label: "made", value: timeOf(v.ThisUpdate)}, next}
	rows = append(rows, many("found at", printable(v.URLs), plain)...)
	rows = append(rows, many("deltas at", printable(v.Freshest), plain)...)
	switch {
	case v.SignedBy != "":
		rows = append(rows, row{label: "signature", value: "by " + v.SignedBy + ": holds", style: good})
	case v.Problem != "":
		rows = append(rows, row{label: "signature", value: "does not hold: " + v.Problem, style: bad})
	default:
		rows = append(rows, row{label: "signature", value: "not checked: name the certificate of its issuer with --signer", style: caution})
	}
	rows = append(rows, many("unknown", v.Unknown, bad)...)
	rows = append(rows, row{label: "entries", value: fmt.Sprintf("%d, %s in all", v.Count, byteCount(int64(v.Bytes)))})
	a.ui.write(out, out.paint(bold, kind+"of "+v.Issuer)+"\n"+out.rows(rows))
	if len(v.Entries) == 0 {
		return
	}
	cells := [][]string{{"serial", "revoked", "reason"}}
	for _, e := range v.Entries[:min(len(v.Entries), maxShown)] {
		cells = append(cells, []string{e.Serial, e.RevokedAt.UTC().Format(time.DateTime), e.Reason})
	}
	a.ui.write(out, "\n"+out.grid(cells, func(int, int) style { return plain }))
	if more := len(v.Entries) - maxShown; more > 0 {
		a.ui.notef("%d more entries: see all with --json", more)
	}
}

func printable(list []string) []string {
	var out []string
	for _, s := range list {
		out = append(out, pki.Printable(s))
	}
	return out
}
