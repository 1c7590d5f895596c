package cli

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

type certDiffFlags struct {
	peer   peerFlags
	secret secretFlags
	all    bool
	asJSON bool
}

const certDiffLong = `Compare two certificates: what differs, and what that means for those who use
them. A name that is gone, a purpose that is gone, another issuer or a weaker
key matter; another serial number and other dates are what a renewal is for. Of
files and servers with several certificates the first is compared.

Differences that matter are a failed check.

` + exitCodeHelp

const certDiffExample = `  tlswright cert diff old.pem new.pem
  tlswright cert diff server.pem example.com
  tlswright cert diff --all old.pem new.pem`

func newCertDiff(a *app) *cobra.Command {
	o := &certDiffFlags{}
	cmd := &cobra.Command{
		Use:     "diff ONE OTHER",
		Short:   "Compare two certificates: what differs, and whether it matters",
		Long:    certDiffLong,
		Example: certDiffExample,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef(cmd, "%q needs two: FILEs, \"-\" or servers HOST:PORT", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.certDiff(cmd, o, args) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.all, "all", false, "show what is the same as well")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	o.secret.register(cmd, "a PKCS#12 or JKS file")
	o.peer.register(cmd)
	return cmd
}

// difference is one part of two certificates, side by side.
type difference struct {
	Part    string `json:"part"`
	One     string `json:"one"`
	Other   string `json:"other"`
	Differs bool   `json:"differs"`
	Matters bool   `json:"matters"`
	Meaning string `json:"meaning,omitempty"`
}

type diffJSON struct {
	One         string       `json:"one"`
	Other       string       `json:"other"`
	Same        bool         `json:"same"` // byte for byte
	Differences []difference `json:"parts"`
	Error       *errorJSON   `json:"error,omitempty"`
}

func (a *app) certDiff(cmd *cobra.Command, o *certDiffFlags, args []string) error {
	var views [2]*certView
	for i, arg := range args {
		c, err := a.readInput(cmd, arg, &o.peer, &o.secret)
		if err != nil {
			return err
		}
		if err := c.needCerts(); err != nil {
			return err
		}
		if views[i], err = newCertView(c.certs[0], a.now()); err != nil {
			return cannotRun(err, "%s", c.origin)
		}
	}
	parts := compare(views[0], views[1])
	j := diffJSON{One: args[0], Other: args[1], Same: bytes.Equal(views[0].Raw, views[1].Raw), Differences: []difference{}}
	matters := 0
	for _, d := range parts {
		if d.Matters {
			matters++
		}
		if d.Differs || o.all {
			j.Differences = append(j.Differences, d)
		}
	}
	var problem *failure
	if matters > 0 {
		problem = &failure{kind: kindFinding, text: fmt.Sprintf("%s that matter between %s and %s", strings.Replace(countOf(matters, "difference"), "difference ", "differences ", 1), args[0], args[1])}
		if matters == 1 {
			problem.text = fmt.Sprintf("a difference that matters between %s and %s", args[0], args[1])
		}
	}
	if o.asJSON {
		j.Error = newErrorJSON(problem)
		if err := a.ui.printJSON(j); err != nil {
			return err
		}
	} else {
		a.printDiff(j)
	}
	if problem != nil {
		return problem
	}
	return nil
}

// compare takes two certificates apart, side by side, in the order in which people ask.
func compare(one, other *certView) []difference {
	parts := []difference{
		compareList("names", generalNames(one.names), generalNames(other.names), "is not valid for %s any more", "is valid for %s, too"),
		compareText("subject", nameText(one.subject), nameText(other.subject), "", false),
		compareText("issuer", nameText(one.issuer), nameText(other.issuer), "whoever trusts the one CA need not trust the other", true),
		compareKeys(one, other),
		compareText("valid from", timeOf(one.NotBefore), timeOf(other.NotBefore), "", false),
		compareEnds(one, other),
		compareText("serial", one.serialHex(), other.serialHex(), "", false),
		compareSignatures(one, other),
		compareText("CA", caText(one), caText(other), "what it may sign changes", true),
		compareList("key usage", usageList(one), usageList(other), "may not be used for %s any more", "may be used for %s, too"),
		compareList("purposes", purposeList(one), purposeList(other), "is no %s any more", "is for %s, too"),
	}
	for _, oid := range extensionIDs(one, other) {
		parts = append(parts, compareExtension(oid, one.extension(oid), other.extension(oid)))
	}
	return append(parts,
		compareText("SHA-256", one.fingerprints().sha256, other.fingerprints().sha256, "who pinned the certificate has to pin the other", false))
}

func compareText(part, one, other, meaning string, matters bool) difference {
	d := difference{Part: part, One: one, Other: other, Differs: one != other}
	if d.Differs {
		d.Matters, d.Meaning = matters, meaning
	}
	return d
}

// compareList compares sets: what is lost matters, what is won is said.
func compareList(part string, one, other []string, lost, won string) difference {
	d := difference{Part: part, One: strings.Join(one, ", "), Other: strings.Join(other, ", ")}
	missing, added := without(one, other), without(other, one)
	d.Differs = len(missing)+len(added) > 0
	if d.Differs && part != "names" { // where nothing is said, everything is allowed (RFC 5280, Section 4.2.1.3)
		switch {
		case len(one) == 0:
			d.Meaning = "was for anything, is for these alone"
			return d
		case len(other) == 0:
			d.Meaning = "is for anything now"
			return d
		}
	}
	var meanings []string
	if len(missing) > 0 {
		d.Matters = true
		meanings = append(meanings, fmt.Sprintf(lost, strings.Join(missing, ", ")))
	}
	if len(added) > 0 {
		meanings = append(meanings, fmt.Sprintf(won, strings.Join(added, ", ")))
	}
	d.Meaning = strings.Join(meanings, "; ")
	return d
}

func without(list, others []string) []string {
	var left []string
	for _, s := range list {
		if !slices.Contains(others, s) {
			left = append(left, s)
		}
	}
	return left
}

func compareKeys(one, other *certView) difference {
	d := compareText("key", one.keyText(), other.keyText(), "", false)
	d.One += ", sha256/" + one.fingerprints().pin
	d.Other += ", sha256/" + other.fingerprints().pin
	if bytes.Equal(one.RawSPKI, other.RawSPKI) {
		d.Meaning = "the same key: who pinned it stays connected"
		return d
	}
	d.Differs, d.Meaning = true, "another key: who pinned the old one has to pin the new one"
	if a, b := keyStrength(one.PublicKey), keyStrength(other.PublicKey); b < a {
		d.Matters = true
		d.Meaning += fmt.Sprintf("; it is worth %d bits instead of %d", b, a)
	}
	if w := keyWeakness(other.PublicKey); w != "" && keyWeakness(one.PublicKey) == "" {
		d.Matters = true
		d.Meaning += "; " + w
	}
	return d
}

func compareEnds(one, other *certView) difference {
	life, _ := other.lifeText()
	d := compareText("valid to", timeOf(one.NotAfter), timeOf(other.NotAfter)+" ("+life+")", "", false)
	d.Differs = !one.NotAfter.Equal(other.NotAfter)
	switch {
	case other.status() != "valid":
		d.Matters, d.Meaning = d.Differs, "the other is not valid now"
	case other.NotAfter.Before(one.NotAfter):
		d.Meaning = fmt.Sprintf("ends %s earlier", countOf(int(one.NotAfter.Sub(other.NotAfter)/day), "day"))
	case d.Differs:
		d.Meaning = fmt.Sprintf("ends %s later", countOf(int(other.NotAfter.Sub(one.NotAfter)/day), "day"))
	}
	return d
}

func compareSignatures(one, other *certView) difference {
	d := compareText("signature", one.signatureText(), other.signatureText(), "", false)
	if w := other.signatureWeakness(); d.Differs && w != "" && one.signatureWeakness() == "" {
		d.Matters, d.Meaning = true, w
	}
	return d
}

func caText(v *certView) string {
	if x := v.extension(cert.OIDBasicConstraints); x != nil {
		return x.lines[0]
	}
	return "no"
}

func usageList(v *certView) []string {
	if x := v.extension(cert.OIDKeyUsage); x != nil {
		return strings.Split(strings.Join(x.lines, ", "), ", ")
	}
	return nil
}

func purposeList(v *certView) []string {
	var list []string
	for _, id := range v.purposes {
		list = append(list, purposeText(id))
	}
	return list
}

// extensionIDs lists the extensions of both that have no part of their own above, in order.
func extensionIDs(one, other *certView) []string {
	var ids []string
	for _, v := range []*certView{one, other} {
		for _, x := range v.extensions {
			switch x.oid {
			case cert.OIDSubjectAltName, cert.OIDBasicConstraints, cert.OIDKeyUsage, cert.OIDExtendedKeyUsage, cert.OIDSubjectKeyID, cert.OIDSignedTimestamps:
			default:
				if !slices.Contains(ids, x.oid) {
					ids = append(ids, x.oid)
				}
			}
		}
	}
	return ids
}

func compareExtension(oid string, one, other *extensionView) difference {
	text := func(x *extensionView) string {
		if x == nil {
			return "-"
		}
		return strings.Join(x.lines, ", ") + critical(x)
	}
	d := difference{Part: orWord(oidName(oid), oid), One: text(one), Other: text(other)}
	switch {
	case one == nil || other == nil:
		d.Differs = true
	default:
		d.Differs = hex.EncodeToString(one.raw) != hex.EncodeToString(other.raw) || one.critical != other.critical
	}
	if !d.Differs {
		return d
	}
	switch oid {
	case cert.OIDAuthorityKeyID:
		d.Meaning = "signed by another key of a CA"
	case cert.OIDTLSFeature:
		d.Matters, d.Meaning = other != nil, "the server has to staple OCSP responses now, or is refused"
		if other == nil {
			d.Meaning = "the server need not staple OCSP responses any more"
		}
	case cert.OIDNameConstraints, "2.5.29.36", "2.5.29.54":
		d.Matters, d.Meaning = true, "what the CA may certify changes"
	case cert.OIDCertificatePolicy:
		d.Meaning = "how the subject was checked, or what it is good for"
	default:
		d.Matters = other != nil && other.critical && other.name == ""
		if d.Matters {
			d.Meaning = "a critical extension that programs may not know: they refuse it"
		}
	}
	return d
}

func (a *app) printDiff(j diffJSON) {
	out := &a.ui.out
	text := out.paint(bold, j.One+"  against  "+j.Other) + "\n"
	if j.Same {
		text += "  " + out.paint(good, "the same certificate, byte for byte") + "\n"
	}
	var rows []row
	short := map[string]string{
		"authorityKeyIdentifier": "issuer key", "authorityInfoAccess": "info access", "cRLDistributionPoints": "CRLs",
		"certificatePolicies": "policies", "nameConstraints": "constraints",
	}
	for _, d := range j.Differences {
		d.Part = orWord(short[d.Part], d.Part)
		if d.Part == "SHA-256" {
			d.One, d.Other = d.One[:32]+"…", d.Other[:32]+"…"
		}
		if !d.Differs {
			rows = append(rows, row{label: d.Part, value: pki.Printable(d.One), style: faint})
			continue
		}
		rows = append(rows, row{label: d.Part, value: "- " + orWord(d.One, "(none)")}, row{label: "", value: "+ " + orWord(d.Other, "(none)")})
		if d.Meaning != "" {
			st := faint
			word := ""
			if d.Matters {
				st, word = caution, "matters: "
			}
			rows = append(rows, row{label: "", value: "  " + word + d.Meaning, style: st})
		}
	}
	a.ui.write(out, text+out.rows(rows))
}
