package config

import (
	"crypto/x509"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/tlswright/tlswright/pki"
)

// maxProfiles bounds one file.
const maxProfiles = 100

// profileName is what a profile may be called: it appears in commands and files.
var profileName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// ReadProfiles reads certificate profiles, by name:
//
//	profiles:
//	  web:
//	    extends: server            # a built-in profile
//	    lifetime: 30d              # days d, hours h, minutes m; years y of 365 days
//	    max-lifetime: 90d          # none: no bound
//	    san-kinds: [dns, ip]
//	    policies: [1.3.6.1.4.1.99999.1]
//	    crl: [http://ca.example/web.crl]
//	    ocsp: [http://ocsp.example]
//	    issuer-certificates: [http://ca.example/ca.cer]
//	    must-staple: true
//
// Further keys: key-usage, extended-key-usage, needs-san, path-length (a number or
// none), name-constraints, ocsp-no-check, short-lived. What is wrong is an [*Error]
// with line and column.
func ReadProfiles(text []byte) (map[string]pki.ProfileSpec, error) {
	profiles := make(map[string]pki.ProfileSpec)
	root, ok, err := parse(text)
	if err != nil || !ok {
		return profiles, err
	}
	top, err := root.fields([]string{"profiles"})
	if err != nil {
		return nil, err
	}
	for _, t := range top {
		list, err := t.value.fields(nil)
		if err != nil {
			return nil, err
		}
		if len(list) > maxProfiles {
			return nil, fail(t.key, "", "%d profiles, more than %d", len(list), maxProfiles)
		}
		for _, f := range list {
			if !profileName.MatchString(f.name) {
				return nil, fail(f.key, "take small letters, digits, dots and hyphens", "%q is no name for a profile", f.name)
			}
			if _, err := pki.ParseProfile(f.name); err == nil {
				return nil, fail(f.key, "choose another name and write extends: "+f.name, "%q is a built-in profile", f.name)
			}
			spec, err := readProfile(f)
			if err != nil {
				return nil, err
			}
			profiles[f.name] = spec
		}
	}
	return profiles, nil
}

// setter puts one value into a profile.
type setter func(*pki.ProfileSpec, node) error

// setters are the keys of a profile, beside extends.
func setters() map[string]setter {
	return map[string]setter{
		"lifetime":            func(s *pki.ProfileSpec, n node) (err error) { s.Lifetime, err = duration(n, false); return err },
		"max-lifetime":        func(s *pki.ProfileSpec, n node) (err error) { s.MaxLifetime, err = duration(n, true); return err },
		"path-length":         setPathLength,
		"key-usage":           setKeyUsage,
		"extended-key-usage":  setPurposes,
		"needs-san":           func(s *pki.ProfileSpec, n node) (err error) { s.NeedsSAN, err = n.truth(); return err },
		"san-kinds":           setSANKinds,
		"policies":            setPolicies,
		"crl":                 func(s *pki.ProfileSpec, n node) (err error) { s.CRLDistributionPoints, err = texts(n); return err },
		"ocsp":                func(s *pki.ProfileSpec, n node) (err error) { s.OCSPServers, err = texts(n); return err },
		"issuer-certificates": func(s *pki.ProfileSpec, n node) (err error) { s.IssuingCertificateURLs, err = texts(n); return err },
		"name-constraints":    setNameConstraints,
		"must-staple":         func(s *pki.ProfileSpec, n node) (err error) { s.MustStaple, err = n.truth(); return err },
		"ocsp-no-check":       func(s *pki.ProfileSpec, n node) (err error) { s.OCSPNoCheck, err = n.truth(); return err },
		"short-lived":         setShortLived,
	}
}

func readProfile(f field) (pki.ProfileSpec, error) {
	set := setters()
	known := append(slices.Sorted(maps.Keys(set)), "extends")
	var spec pki.ProfileSpec
	fields, err := f.value.fields(known)
	if err != nil {
		return spec, err
	}
	i := slices.IndexFunc(fields, func(f field) bool { return f.name == "extends" })
	if i < 0 {
		return spec, fail(f.key, "begin with extends: server, for instance", "profile %q does not say which built-in profile it extends", f.name)
	}
	base, err := fields[i].value.text()
	if err != nil {
		return spec, err
	}
	if spec, err = pki.BuiltinProfile(pki.Profile(base)); err != nil {
		return spec, fail(fields[i].value.ast, nearest(base, profileNames()), "%q is no built-in profile", base)
	}
	spec.Name = pki.Profile(f.name)
	own := make(map[string]bool)
	for _, k := range fields {
		if k.name == "extends" {
			continue
		}
		own[k.name] = true
		if err := set[k.name](&spec, k.value); err != nil {
			return spec, err
		}
	}
	// A maximum below the default's usual time, or a time above the usual maximum, is
	// meant to hold for both.
	if spec.MaxLifetime > 0 && spec.Lifetime > spec.MaxLifetime {
		switch {
		case !own["lifetime"]:
			spec.Lifetime = spec.MaxLifetime
		case !own["max-lifetime"]:
			return spec, fail(f.key, "raise max-lifetime too, if you mean it", "profile %q: its lifetime is above the maximum of %d days that %q sets", f.name, spec.MaxLifetime/(24*time.Hour), base)
		}
	}
	if err := spec.Validate(); err != nil {
		var refused *pki.RefusedError
		hint := ""
		if errors.As(err, &refused) {
			hint = refused.Hint
		}
		return spec, fail(f.key, hint, "%v", err)
	}
	return spec, nil
}

func profileNames() []string {
	var names []string
	for _, p := range pki.Profiles() {
		names = append(names, string(p))
	}
	return names
}

// duration reads 90d, 12h, 30m or 2y, and none where that is allowed.
func duration(n node, none bool) (time.Duration, error) {
	text, err := n.text()
	if err != nil {
		return 0, err
	}
	if none && text == "none" {
		return 0, nil
	}
	const hint = "write it as 90d, 12h or 5y"
	units := map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'y': 365 * 24 * time.Hour}
	if text == "" || units[text[len(text)-1]] == 0 {
		return 0, fail(n.ast, hint, "%s: %q is no time", n.path, text)
	}
	unit := units[text[len(text)-1]]
	count, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
	if err != nil || count == 0 || time.Duration(count) > 200*365*24*time.Hour/unit {
		return 0, fail(n.ast, hint, "%s: %q is no time between a minute and 200 years", n.path, text)
	}
	return time.Duration(count) * unit, nil
}

func setPathLength(s *pki.ProfileSpec, n node) error {
	text, err := n.text()
	if err != nil {
		return err
	}
	if !s.CA {
		return fail(n.ast, "extend intermediate or root", "a path length is for CAs")
	}
	if text == "none" {
		s.PathLen = -1
		return nil
	}
	count, err := strconv.ParseUint(text, 10, 8)
	if err != nil {
		return fail(n.ast, "write a number such as 0, or none", "%s is %q", n.path, text)
	}
	s.PathLen = int(count)
	return nil
}

// texts reads a list of plain values.
func texts(n node) ([]string, error) {
	list, err := n.list()
	if err != nil {
		return nil, err
	}
	values := make([]string, 0, len(list))
	for _, v := range list {
		text, err := v.text()
		if err != nil {
			return nil, err
		}
		values = append(values, text)
	}
	return values, nil
}

// word is a plain value that a table knows.
func word[T any](n node, table map[string]T) (T, error) {
	var zero T
	text, err := n.text()
	if err != nil {
		return zero, err
	}
	v, ok := table[text]
	if !ok {
		return zero, fail(n.ast, nearest(text, slices.Sorted(maps.Keys(table))), "%s: unknown word %q", n.path, text)
	}
	return v, nil
}

func setKeyUsage(s *pki.ProfileSpec, n node) error {
	list, err := n.list()
	if err != nil {
		return err
	}
	s.KeyUsage = 0
	for _, v := range list {
		bit, err := word(v, map[string]x509.KeyUsage{
			"digital-signature": x509.KeyUsageDigitalSignature, "content-commitment": x509.KeyUsageContentCommitment,
			"key-encipherment": x509.KeyUsageKeyEncipherment, "data-encipherment": x509.KeyUsageDataEncipherment,
			"key-agreement": x509.KeyUsageKeyAgreement, "cert-sign": x509.KeyUsageCertSign, "crl-sign": x509.KeyUsageCRLSign,
			"encipher-only": x509.KeyUsageEncipherOnly, "decipher-only": x509.KeyUsageDecipherOnly,
		})
		if err != nil {
			return err
		}
		s.KeyUsage |= bit
	}
	if s.KeyUsage == 0 {
		return fail(n.ast, "name at least one", "%s is empty", n.path)
	}
	return nil
}

func setPurposes(s *pki.ProfileSpec, n node) error {
	list, err := n.list()
	if err != nil {
		return err
	}
	s.ExtKeyUsage, s.OtherExtKeyUsage = nil, nil
	seen := make(map[string]bool)
	for _, v := range list {
		text, err := v.text()
		if err != nil {
			return err
		}
		if seen[text] {
			return fail(v.ast, "name it once", "%s: %q is listed twice", n.path, text)
		}
		seen[text] = true
		if text != "" && text[0] >= '0' && text[0] <= '2' {
			oid, err := objectID(v)
			if err != nil {
				return err
			}
			s.OtherExtKeyUsage = append(s.OtherExtKeyUsage, oid)
			continue
		}
		use, err := word(v, map[string]x509.ExtKeyUsage{
			"any": x509.ExtKeyUsageAny, "server-auth": x509.ExtKeyUsageServerAuth, "client-auth": x509.ExtKeyUsageClientAuth, "code-signing": x509.ExtKeyUsageCodeSigning,
			"email-protection": x509.ExtKeyUsageEmailProtection, "time-stamping": x509.ExtKeyUsageTimeStamping, "ocsp-signing": x509.ExtKeyUsageOCSPSigning,
		})
		if err != nil {
			return err
		}
		s.ExtKeyUsage = append(s.ExtKeyUsage, use)
	}
	return nil
}

// objectID reads a dotted object identifier.
func objectID(n node) (x509.OID, error) {
	text, err := n.text()
	if err != nil {
		return x509.OID{}, err
	}
	oid, err := x509.ParseOID(text)
	if err != nil || len(text) > 256 {
		return x509.OID{}, fail(n.ast, "write it in digits and dots: 1.3.6.1.4.1.99999.1", "%s: %q is no object identifier", n.path, text)
	}
	return oid, nil
}

func setPolicies(s *pki.ProfileSpec, n node) error {
	list, err := n.list()
	if err != nil {
		return err
	}
	s.Policies = nil
	for _, v := range list {
		oid, err := objectID(v)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(s.Policies, oid.Equal) {
			return fail(v.ast, "name it once", "%s: %v is listed twice", n.path, oid)
		}
		s.Policies = append(s.Policies, oid)
	}
	return nil
}

func setSANKinds(s *pki.ProfileSpec, n node) error {
	list, err := n.list()
	if err != nil {
		return err
	}
	s.SANKinds = 0
	for _, v := range list {
		kind, err := word(v, map[string]pki.SANKinds{"dns": pki.SANDNS, "ip": pki.SANIP, "uri": pki.SANURI, "email": pki.SANEmail})
		if err != nil {
			return err
		}
		s.SANKinds |= kind
	}
	if s.SANKinds == 0 {
		return fail(n.ast, "name at least one, or leave the key out", "%s is empty", n.path)
	}
	return nil
}

// setShortLived keeps the times of a short-lived profile within what revocation
// would need, where the file does not say otherwise.
func setShortLived(s *pki.ProfileSpec, n node) (err error) {
	if s.ShortLived, err = n.truth(); err != nil || !s.ShortLived {
		return err
	}
	if s.MaxLifetime == 0 || s.MaxLifetime > pki.MaxShortLifetime {
		s.MaxLifetime = pki.MaxShortLifetime
	}
	return nil
}
