package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

func (v *certView) keyRows() []row {
	key := row{label: "key", value: v.keyText()}
	if n := keyStrength(v.PublicKey); n > 0 {
		key.value += fmt.Sprintf(", worth %d bits", n)
	}
	if w := keyWeakness(v.PublicKey); w != "" {
		key.value, key.style = key.value+": "+w, bad
	}
	if v.KeyError != nil {
		key.value, key.style = key.value+": "+v.KeyError.Error(), bad
	}
	signature := row{label: "signature", value: v.signatureText()}
	switch w := v.signatureWeakness(); {
	case w != "" && v.isSelfIssued():
		signature.value += ", which does not matter where one signs for oneself"
	case w != "":
		signature.value, signature.style = signature.value+": "+w, bad
	}
	return []row{key, signature}
}

// critical marks what a reader must understand or refuse the certificate for.
func critical(x *extensionView) string {
	if x.critical {
		return " (critical)"
	}
	return ""
}

// useRows say what the certificate may be used for.
func (v *certView) useRows() []row {
	var rows []row
	switch x := v.extension(cert.OIDBasicConstraints); {
	case x != nil:
		rows = append(rows, many("CA", []string{x.lines[0] + critical(x)}, plain)...)
	case v.Version == 3:
		rows = append(rows, row{"CA", "no: it does not say", plain})
	}
	if x := v.extension(cert.OIDKeyUsage); x != nil {
		rows = append(rows, row{"key usage", strings.Join(x.lines, ", ") + critical(x), plain})
	}
	if x := v.extension(cert.OIDExtendedKeyUsage); x != nil {
		var words []string
		for _, id := range v.purposes {
			words = append(words, purposeText(id))
		}
		rows = append(rows, row{"purposes", strings.Join(words, ", ") + critical(x), plain})
	}
	if x := v.extension(cert.OIDNameConstraints); x != nil {
		rows = append(rows, many("may certify", x.lines, plain)...)
	}
	if x := v.extension(cert.OIDCertificatePolicy); x != nil {
		rows = append(rows, many("policies", x.lines, plain)...)
	}
	return rows
}

// statusRows say where to learn more about the certificate: revocation, issuer, logs.
func (v *certView) statusRows() []row {
	var rows []row
	if x := v.extension(cert.OIDAuthorityInfo); x != nil {
		all, _ := cert.ReadAccess(x.raw)
		for _, a := range all {
			label := map[string]string{"1.3.6.1.5.5.7.48.1": "OCSP", "1.3.6.1.5.5.7.48.2": "issuer at"}[a.Method]
			rows = append(rows, row{orWord(label, oidText(a.Method)), generalNameText(a.Location), plain})
		}
	}
	if x := v.extension(cert.OIDCRLDistribution); x != nil {
		rows = append(rows, many("CRL", x.lines, plain)...)
	}
	if v.mustStaple() {
		rows = append(rows, row{"must staple", "yes: the server has to send an OCSP response along (RFC 7633)", plain})
	}
	if x := v.extension(cert.OIDSignedTimestamps); x != nil {
		rows = append(rows, many("logged", x.lines, plain)...)
	}
	return rows
}

// shown are the extensions that the page has a line of their own for.
var shown = []string{
	cert.OIDBasicConstraints, cert.OIDKeyUsage, cert.OIDExtendedKeyUsage, cert.OIDNameConstraints, cert.OIDCertificatePolicy,
	cert.OIDAuthorityInfo, cert.OIDCRLDistribution, cert.OIDSignedTimestamps, cert.OIDSubjectAltName, cert.OIDSubjectKeyID,
}

// otherRows are the extensions that have no line of their own.
func (v *certView) otherRows() []row {
	var rows []row
	for i := range v.extensions {
		x := &v.extensions[i]
		switch {
		case x.oid == cert.OIDTLSFeature && v.mustStaple() && len(x.lines) == 1:
		case x.oid == cert.OIDAuthorityKeyID && len(x.lines) == 1:
		case slices.Contains(shown, x.oid) && x.problem == "":
		case x.name == "":
			st := plain
			if x.critical {
				st = caution
			}
			rows = append(rows, many(x.oid, []string{"unknown" + critical(x) + ": " + strings.Join(x.lines, ", ")}, st)...)
		default:
			lines := slices.Clone(x.lines)
			if len(lines) > 0 {
				lines[len(lines)-1] += critical(x)
			}
			label := x.name
			if x.oid == cert.OIDAuthorityKeyID {
				label = "issuer id" // with more than the key's
			}
			rows = append(rows, many(label, lines, plain)...)
		}
	}
	return rows
}

// markRows are what the certificate is known by, and what was odd about it.
func (v *certView) markRows() []row {
	var rows []row
	subject, authority := v.keyIDs()
	switch {
	case subject != "" && subject == authority:
		rows = append(rows, row{"key id", subject + ", the issuer's as well", faint})
	case subject != "" && authority == "":
		rows = append(rows, row{"key id", subject, faint})
	case authority != "":
		rows = append(rows, row{"key id", dash(subject) + ", of the issuer " + authority, faint})
	}
	f := v.fingerprints()
	rows = append(rows,
		row{"SHA-256", f.sha256, plain}, row{"SHA-1", f.sha1, faint}, row{"pin", "sha256/" + f.pin, plain},
		row{"size", fmt.Sprintf("%d bytes", len(v.Raw)), faint})
	for i, d := range v.Defects {
		label := ""
		if i == 0 {
			label = "odd"
		}
		rows = append(rows, row{label, pki.Printable(d), caution})
	}
	if v.strictErr != nil {
		rows = append(rows, row{"refused", "programs do not accept it: " + pki.Printable(strings.TrimPrefix(v.strictErr.Error(), "x509: ")), bad})
	}
	return rows
}

// json is the whole certificate.
func (v *certView) json() certificateJSON {
	f := v.fingerprints()
	j := certificateJSON{
		Subject: nameText(v.subject), Issuer: nameText(v.issuer), Names: []string{}, Serial: v.serialHex(), Decimal: v.serialNumber().String(),
		Version: v.Version, Status: v.status(), Role: v.role(), Key: v.keyText(), KeyBits: keyBits(v.PublicKey), KeyStrength: keyStrength(v.PublicKey),
		Signature: v.signatureText(), SigOID: v.SignatureAlgorithm.String(), IsCA: v.isCA,
		Usages: []string{}, Purposes: []string{}, Policies: []string{}, OCSP: []string{}, CAIssuers: []string{}, CRLs: []string{}, SCTs: []timestampJSON{},
		MustStaple: v.mustStaple(), SHA256: f.sha256, SHA1: f.sha1, Pin: f.pin, Extensions: []extensionJSON{}, Defects: orEmpty(v.Defects),
		IsStrict: v.strictErr == nil, Size: len(v.Raw), PEM: string(pki.AppendCertificatePEM(nil, v.Raw)),
	}
	j.SubjectID, j.AuthorityID = v.keyIDs()
	if !v.NotBefore.IsZero() {
		j.NotBefore = v.NotBefore.Format(time.RFC3339)
	}
	if !v.NotAfter.IsZero() {
		j.NotAfter, j.DaysLeft = v.NotAfter.Format(time.RFC3339), daysUntil(v.NotAfter, v.now)
	}
	if v.isCA && v.pathLen >= 0 {
		j.PathLen = &v.pathLen
	}
	if v.strictErr != nil {
		j.StrictError = v.strictErr.Error()
	}
	for _, n := range v.names {
		j.Names = append(j.Names, generalNameValue(n))
	}
	for _, id := range v.purposes {
		j.Purposes = append(j.Purposes, orWord(oidName(id), id))
	}
	for _, p := range v.policies {
		j.Policies = append(j.Policies, p.ID)
	}
	j.Validation = validationOf(j.Policies)
	v.addLists(&j)
	return j
}

// addLists fills what stands in the extensions.
func (v *certView) addLists(j *certificateJSON) {
	for _, x := range v.extensions {
		j.Extensions = append(j.Extensions, x.json())
		switch x.oid {
		case cert.OIDKeyUsage:
			j.Usages = x.value.([]string)
		case cert.OIDSignedTimestamps:
			j.SCTs = x.value
		case cert.OIDAuthorityInfo:
			all, _ := cert.ReadAccess(x.raw)
			for _, a := range all {
				switch a.Method {
				case "1.3.6.1.5.5.7.48.1":
					j.OCSP = append(j.OCSP, generalNameValue(a.Location))
				case "1.3.6.1.5.5.7.48.2":
					j.CAIssuers = append(j.CAIssuers, generalNameValue(a.Location))
				}
			}
		case cert.OIDCRLDistribution:
			points, _ := cert.ReadDistributionPoints(x.raw)
			for _, p := range points {
				for _, n := range p.Names {
					j.CRLs = append(j.CRLs, generalNameValue(n))
				}
			}
		}
	}
}
