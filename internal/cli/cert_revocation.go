package cli

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/pki/crl"
	"github.com/tlswright/tlswright/pki/ocsp"
	"github.com/tlswright/tlswright/pki/revset"
)

// revocationFlags say what revocation is judged by.
type revocationFlags struct {
	crls   []string
	ocsp   []string
	sets   []string
	staple string
	hard   bool
	soft   bool
	whole  bool

	strangers []func(asked []*x509.Certificate) string // one for each file that was read: "", or whom it is about instead
}

func (r *revocationFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&r.crls, "crl", nil, "judge revocation by the CRLs in this `FILE`")
	f.StringArrayVar(&r.ocsp, "ocsp", nil, "judge revocation by the OCSP response in this `FILE`, or ask the responder at this URL")
	f.StringArrayVar(&r.sets, "revocation-set", nil, "judge revocation by the packed set in this `FILE`")
	f.StringVar(&r.staple, "staple", "", "the OCSP response that came with the leaf is in `FILE`")
	f.BoolVar(&r.hard, "hard", false, "refuse where it cannot be found out whether a certificate was revoked")
	f.BoolVar(&r.soft, "soft", false, "let pass where it cannot be found out whether a certificate was revoked")
	f.BoolVar(&r.whole, "whole-chain", false, "judge the revocation of the CAs too")
	for _, flag := range []string{"crl", "ocsp", "staple", "revocation-set"} {
		_ = cmd.MarkFlagFilename(flag)
	}
	exclusive(cmd, "hard", "soft")
}

// addRevocation gives the verification what revocation is judged by.
func (a *app) addRevocation(cmd *cobra.Command, o *certVerifyFlags, c *contents, v *verification, leaf []byte) error {
	r := &o.revocation
	options := &pki.RevocationOptions{Mode: pki.RevocationSoft, WholeChain: r.whole, Staple: c.staple}
	if r.hard {
		options.Mode = pki.RevocationHard
	}
	if err := a.readRevocation(r, options); err != nil {
		return err
	}
	if first, err := cert.ParseX509(leaf); err == nil {
		asked := []*x509.Certificate{first}
		if r.whole {
			asked = append(asked, v.heap...)
		}
		for _, about := range r.strangers {
			if text := about(asked); text != "" {
				v.notes = append(v.notes, text)
			}
		}
	}
	responders := slices.DeleteFunc(slices.Clone(r.ocsp), func(s string) bool { return !isURL(s) })
	if o.fetch.isOn || len(responders) > 0 {
		a.fetchForVerify(cmd, o, v, leaf, options, responders)
	}
	options.Extra = v.heap
	if o.fetch.isOn || r.hard || r.soft || r.whole || len(responders)+len(options.CRLs)+len(options.OCSP)+len(options.Staple)+len(options.Sets) > 0 {
		v.options.Revocation = options
	}
	return nil
}

func isURL(s string) bool { return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://") }

// readRevocation reads the files.
func (a *app) readRevocation(r *revocationFlags, options *pki.RevocationOptions) error {
	for _, file := range r.crls {
		lists, err := a.readCRLs(file)
		if err != nil {
			return err
		}
		options.CRLs = append(options.CRLs, lists...)
		r.strangers = append(r.strangers, func(asked []*x509.Certificate) string { return listsOfOthers(file, lists, asked) })
	}
	for _, file := range r.ocsp {
		if isURL(file) {
			continue
		}
		data, err := a.readOCSP(file)
		if err != nil {
			return err
		}
		options.OCSP = append(options.OCSP, data)
		r.strangers = append(r.strangers, func(asked []*x509.Certificate) string { return answerAboutOthers(file, data, asked) })
	}
	for _, file := range r.sets {
		data, origin, err := a.readBytes(file)
		if err != nil {
			return err
		}
		set, err := revset.Parse(data)
		if err != nil {
			return cannotRun(err, "%s", origin)
		}
		options.Sets = append(options.Sets, set)
	}
	if r.staple != "" {
		data, err := a.readOCSP(r.staple)
		if err != nil {
			return err
		}
		options.Staple = data
		r.strangers = append(r.strangers, func(asked []*x509.Certificate) string { return answerAboutOthers(r.staple, data, asked) })
	}
	return nil
}

// readOCSP reads an OCSP response. What is none would count for nothing and be passed over in silence, which is not what
// was asked for.
func (a *app) readOCSP(file string) ([]byte, error) {
	data, origin, err := a.readBytes(file)
	if err != nil {
		return nil, err
	}
	if _, err := ocsp.ParseResponse(data); err != nil {
		return nil, &failure{kind: kindLocal, text: origin + " holds no OCSP response: " + pki.Printable(err.Error()), err: err,
			hint: "it has to be DER, as \"openssl ocsp -respout\" and \"tlswright ca ocsp\" write it"}
	}
	return data, nil
}

// listsOfOthers says of a file with CRLs that none of them speaks of what is asked about; "" if one does, or may.
func listsOfOthers(file string, lists []*crl.List, asked []*x509.Certificate) string {
	issuer := ""
	for _, l := range lists {
		if l.IDP != nil && l.IDP.Indirect {
			return ""
		}
		for _, c := range asked {
			if bytes.Equal(c.RawIssuer, l.RawIssuer) {
				return ""
			}
		}
		var name pkix.RDNSequence
		if _, err := asn1.Unmarshal(l.RawIssuer, &name); err == nil {
			issuer = pki.Printable(name.String())
		}
	}
	return file + " is no CRL of the issuer, but of " + orWord(issuer, "another one")
}

// answerAboutOthers says of a file with an OCSP response that it is an error, or about other certificates; "" if it is
// about what is asked.
func answerAboutOthers(file string, der []byte, asked []*x509.Certificate) string {
	r, err := ocsp.ParseResponse(der)
	if err != nil {
		return "" // which was refused before
	}
	if r.Status != ocsp.Successful {
		return file + " holds no status, but the error " + r.Status.String()
	}
	serial := ""
	for _, s := range r.Singles {
		for _, c := range asked {
			if bytes.Equal(c.SerialNumber.Bytes(), bytes.TrimLeft(s.ID.Serial, "\x00")) {
				return ""
			}
		}
		serial = hex.EncodeToString(s.ID.Serial)
	}
	return file + " is about another certificate, with the serial number " + orWord(serial, "of nobody")
}

// fetchForVerify goes out for what is missing, and for what revocation is judged by.
func (a *app) fetchForVerify(cmd *cobra.Command, o *certVerifyFlags, v *verification, leaf []byte, options *pki.RevocationOptions, responders []string) {
	first, err := cert.ParseX509(leaf)
	if err != nil {
		return // which the verification will say
	}
	f := a.fetcher(o.fetch, o.peer.timeout)
	defer f.Close()
	heap := append([]*x509.Certificate{first}, v.heap...)
	whole := &completed{Arrangement: pki.Arrange(heap, first, v.options.Roots)}
	if o.fetch.isOn {
		whole = completeChain(cmd.Context(), f, heap, first, v.options.Roots, func(x *pki.Arrangement) bool {
			return leadsTo(v.options.SystemRoots, x, v.options.Time)
		})
	}
	for _, got := range whole.fetched {
		v.add([][]byte{got.cert.Raw})
	}
	v.notes = append(v.notes, whole.notes...)
	path := slices.Clone(whole.Chain)
	if r := whole.Root; r != nil && !slices.ContainsFunc(path, r.Equal) {
		path = append(path, r)
	}
	for _, url := range responders {
		if len(path) < 2 {
			v.notes = append(v.notes, url+": whom to ask about is not known, for the issuer is missing")
			continue
		}
		der, err := askOCSP(cmd.Context(), f, url, path[0], path[1])
		if err != nil {
			v.notes = append(v.notes, "asking for the status: "+pki.Printable(err.Error()))
			continue
		}
		options.OCSP = append(options.OCSP, der)
	}
	if o.fetch.isOn {
		v.notes = append(v.notes, fetchRevocation(cmd.Context(), f, path, options, v.options.Time)...)
	}
}

// readCRLs reads the CRLs of a file, PEM or DER.
func (a *app) readCRLs(file string) ([]*crl.List, error) {
	c := &contents{}
	data, origin, err := a.readBytesWithin(file, maxList)
	if err != nil {
		return nil, err
	}
	c.origin = origin
	if sniff(data) == formatDER {
		c.lists = [][]byte{data} // a CRL of a million entries is nothing to try as a certificate
	} else if err := a.take(c, data, nil); err != nil {
		return nil, err
	}
	if len(c.lists) == 0 {
		return nil, &failure{kind: kindLocal, text: origin + " holds no CRL, but " + c.summary()}
	}
	var lists []*crl.List
	for _, der := range c.lists {
		l, err := crl.Parse(der)
		if err != nil {
			return nil, cannotRun(err, "%s", origin)
		}
		lists = append(lists, l)
	}
	return lists, nil
}
