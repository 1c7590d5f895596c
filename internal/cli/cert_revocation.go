package cli

import (
	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
)

// revocationFlags say what revocation is judged by.
type revocationFlags struct {
	crls   []string
	ocsp   []string
	staple string
	hard   bool
	soft   bool
	whole  bool
}

func (r *revocationFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&r.crls, "crl", nil, "judge revocation by the CRLs in this `FILE`")
	f.StringArrayVar(&r.ocsp, "ocsp", nil, "judge revocation by the OCSP response in this `FILE`")
	f.StringVar(&r.staple, "staple", "", "the OCSP response that came with the leaf is in `FILE`")
	f.BoolVar(&r.hard, "hard", false, "refuse where it cannot be found out whether a certificate was revoked")
	f.BoolVar(&r.soft, "soft", false, "let pass where it cannot be found out whether a certificate was revoked")
	f.BoolVar(&r.whole, "whole-chain", false, "judge the revocation of the CAs too")
	for _, flag := range []string{"crl", "ocsp", "staple"} {
		_ = cmd.MarkFlagFilename(flag)
	}
	exclusive(cmd, "hard", "soft")
}

// addRevocation gives the verification what revocation is judged by.
func (a *app) addRevocation(cmd *cobra.Command, o *certVerifyFlags, c *contents, v *verification, leaf []byte) error {
	r := &o.revocation
	_, _ = cmd, leaf
	options := &pki.RevocationOptions{Mode: pki.RevocationSoft, WholeChain: r.whole, Extra: v.heap, Staple: c.staple}
	if r.hard {
		options.Mode = pki.RevocationHard
	}
	for _, file := range r.crls {
		lists, err := a.readCRLs(file)
		if err != nil {
			return err
		}
		options.CRLs = append(options.CRLs, lists...)
	}
	for _, file := range r.ocsp {
		data, _, err := a.readBytes(file)
		if err != nil {
			return err
		}
		options.OCSP = append(options.OCSP, data)
	}
	if r.staple != "" {
		data, _, err := a.readBytes(r.staple)
		if err != nil {
			return err
		}
		options.Staple = data
	}
	if r.hard || r.soft || r.whole || len(options.CRLs)+len(options.OCSP)+len(options.Staple) > 0 {
		v.options.Revocation = options
	}
	return nil
}

// readCRLs reads the CRLs of a file, PEM or DER.
func (a *app) readCRLs(file string) ([]*crl.List, error) {
	c := &contents{}
	data, origin, err := a.readBytes(file)
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
