package cli

import (
	"bytes"
	"crypto/x509"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/lint"
)

// requestFlags say what a certificate shall contain, for all commands that issue one.
type requestFlags struct {
	profile    string
	sans       []string
	days       int
	mustStaple bool
	delegates  bool
	policies   []string
	takesCAs   bool // the profile may be intermediate
}

func (f *requestFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.profile, "profile", string(pki.ProfileServer), "the `PROFILE`, what it is for: "+strings.Join(leafProfiles(), ", ")+", or one of your own")
	flags.StringSliceVar(&f.sans, "san", nil, "`LIST` of subject alternative names: DNS names, IP addresses, URIs, e-mail addresses")
	flags.IntVar(&f.days, "days", 90, "how many `DAYS` it is valid (default: the profile's)")
	flags.BoolVar(&f.mustStaple, "must-staple", false, "demand that its server staples an OCSP answer (RFC 7633)")
	flags.BoolVar(&f.delegates, "may-delegate", false, "let its key sign delegated credentials (RFC 9345, see tlswright cert delegate)")
	flags.StringSliceVar(&f.policies, "policy", nil, "`OID` of a certificate policy, such as 2.23.140.1.2.1")
	complete(cmd, "profile", leafProfiles())
}

// leafProfiles are the built-in profiles that `ca issue` and `ca sign` know: CAs are made by `ca intermediate`.
func leafProfiles() []string {
	var words []string
	for _, p := range pki.Profiles() {
		if spec, err := pki.BuiltinProfile(p); err == nil && !spec.CA {
			words = append(words, string(p))
		}
	}
	return words
}

// request turns flags into a request without names of its own and without a key.
func (a *app) request(cmd *cobra.Command, f *requestFlags) (pki.Request, error) {
	req := pki.Request{MustStaple: f.mustStaple, MayDelegate: f.delegates}
	for _, san := range f.sans {
		req.SANs = append(req.SANs, strings.TrimSpace(san)) // people put a blank behind a comma
	}
	if err := a.takeProfile(cmd, f, &req); err != nil {
		return req, err
	}
	for _, text := range f.policies {
		oid, err := x509.ParseOID(text)
		if err != nil {
			return req, usagef(cmd, "--policy %q is not an object identifier such as 2.23.140.1.2.1", text)
		}
		req.Policies = append(req.Policies, oid)
	}
	lifetime, err := lifetimeOf(cmd, f.days)
	if err != nil {
		return req, err
	}
	if cmd.Flags().Changed("days") {
		req.Lifetime = lifetime // else the profile's, but no longer than the CA has left
	}
	return req, nil
}

// takeProfile finds the profile among the built-in ones and those of the user.
func (a *app) takeProfile(cmd *cobra.Command, f *requestFlags, req *pki.Request) error {
	own, err := a.ownProfiles()
	if err != nil {
		return err
	}
	if spec, ok := own[f.profile]; ok {
		req.Spec, req.Profile = &spec, pki.Profile(f.profile)
		return nil
	}
	known := leafProfiles()
	if f.takesCAs {
		known = append(known, string(pki.ProfileIntermediate))
	}
	if slices.Contains(known, f.profile) {
		req.Profile = pki.Profile(f.profile)
		return nil
	}
	known = append(known, slices.Sorted(maps.Keys(own))...)
	return usagef(cmd, "--profile %q is not one of %s", f.profile, strings.Join(known, ", "))
}

// needsName reports whether the profile is for something that clients look up by a name.
func needsName(req pki.Request) bool {
	spec := req.Spec
	if spec == nil {
		builtin, err := pki.BuiltinProfile(req.Profile)
		if err != nil {
			return false
		}
		spec = &builtin
	}
	return spec.NeedsSAN
}

// noteVainPolicies tells that the policies of a certificate count for nothing where the intermediate has none.
func (a *app) noteVainPolicies(c, issuer *x509.Certificate) {
	if len(c.PolicyIdentifiers) > 0 && len(issuer.PolicyIdentifiers) == 0 && !bytes.Equal(issuer.RawSubject, issuer.RawIssuer) {
		a.ui.notef("%s names no policies, so that no path through it has any (RFC 5280, Section 6.1.3): who demands one will refuse this certificate", nameOf(issuer))
	}
}

// noteFindings tells what the linters found in a certificate that was issued all the same.
func (a *app) noteFindings(findings []lint.Finding) {
	for _, f := range findings {
		if f.Severity >= lint.Warning {
			a.ui.warnf("%s (%s)", f.Text, f.Lint)
		}
	}
}
