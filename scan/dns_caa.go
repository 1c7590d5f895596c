package scan

import (
	"slices"
	"strings"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/resolve"
)

// issuerDomains are the CAs of the public web by a word in their name, and the domains by which CAA records mean them, as
// their practice statements say.
var issuerDomains = [...]struct {
	word    string // in the issuer's name, lower case
	domains []string
}{
	{"let's encrypt", []string{"letsencrypt.org"}},
	{"google trust services", []string{"pki.goog"}},
	{"digicert", []string{"digicert.com", "www.digicert.com", "digicert.ne.jp", "symantec.com", "geotrust.com", "rapidssl.com", "thawte.com"}},
	{"geotrust", []string{"digicert.com", "geotrust.com"}},
	{"rapidssl", []string{"digicert.com", "rapidssl.com"}},
	{"thawte", []string{"digicert.com", "thawte.com"}},
	{"zerossl", []string{"sectigo.com", "zerossl.com"}},
	{"sectigo", []string{"sectigo.com", "comodo.com", "comodoca.com", "usertrust.com", "trust-provider.com"}},
	{"comodo", []string{"sectigo.com", "comodo.com", "comodoca.com"}},
	{"globalsign", []string{"globalsign.com"}},
	{"entrust", []string{"entrust.net", "affirmtrust.com"}},
	{"go daddy", []string{"godaddy.com", "starfieldtech.com"}},
	{"godaddy", []string{"godaddy.com", "starfieldtech.com"}},
	{"starfield", []string{"starfieldtech.com", "godaddy.com"}},
	{"amazon", []string{"amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com"}},
	{"microsoft", []string{"microsoft.com"}},
	{"apple", []string{"apple.com", "pki.apple.com"}},
	{"ssl corp", []string{"ssl.com"}},
	{"ssl.com", []string{"ssl.com"}},
	{"buypass", []string{"buypass.com", "buypass.no"}},
	{"actalis", []string{"actalis.it"}},
	{"certum", []string{"certum.pl", "certum.eu"}},
	{"asseco", []string{"certum.pl", "certum.eu"}},
	{"harica", []string{"harica.gr"}},
	{"hellenic academic", []string{"harica.gr"}},
	{"identrust", []string{"identrust.com"}},
	{"quovadis", []string{"quovadisglobal.com", "digicert.com"}},
	{"swisssign", []string{"swisssign.com", "swisssign.net"}},
	{"d-trust", []string{"d-trust.net", "dtrust.de"}},
	{"telesec", []string{"telesec.de", "pki.telesec.de"}},
	{"deutsche telekom", []string{"telesec.de", "pki.telesec.de"}},
	{"certsign", []string{"certsign.ro"}},
	{"twca", []string{"twca.com.tw"}},
	{"taiwan-ca", []string{"twca.com.tw"}},
	{"trustwave", []string{"trustwave.com", "securetrust.com"}},
	{"izenpe", []string{"izenpe.com"}},
	{"e-szigno", []string{"e-szigno.hu"}},
	{"microsec", []string{"e-szigno.hu"}},
	{"netlock", []string{"netlock.hu"}},
	{"secom", []string{"secomtrust.net"}},
	{"cybertrust japan", []string{"cybertrust.ne.jp"}},
	{"emudhra", []string{"emsign.com"}},
	{"emsign", []string{"emsign.com"}},
	{"camerfirma", []string{"camerfirma.com"}},
	{"firmaprofesional", []string{"firmaprofesional.com"}},
}

// caaAllows holds the CAA records against the issuers of the certificates that are served. Records are for CAs, at the time
// of issuing, and no reason to distrust (RFC 8659, Section 1): a No means that the next renewal fails, or that somebody else
// has issued. Unasked: there are no records, or no certificates.
func caaAllows(records []resolve.CAA, chains []grade.Chain) grade.Answer {
	if len(records) == 0 || len(chains) == 0 {
		return grade.Unasked
	}
	result := grade.Unasked
	for i := range chains {
		leaf := chains[i].Leaf()
		if leaf == nil {
			continue
		}
		tag := "issue"
		if len(leaf.Wildcard) > 0 && hasTag(records, "issuewild") {
			// RFC 8659, Section 4.3: issuewild properties win over issue for wildcards.
			tag = "issuewild"
		}
		switch allowed := allows(records, tag, leaf.Issuer); {
		case allowed == grade.No:
			return grade.No
		case result != grade.Unknown:
			result = allowed
		}
	}
	return result
}

func hasTag(records []resolve.CAA, tag string) bool {
	return slices.ContainsFunc(records, func(r resolve.CAA) bool { return r.Tag == tag })
}

// allows holds the records of one tag against the name of an issuer.
func allows(records []resolve.CAA, tag, issuer string) grade.Answer {
	var domains []string
	for _, r := range records {
		if r.Tag == tag {
			domain, _, _ := strings.Cut(r.Value, ";")
			domains = append(domains, strings.ToLower(strings.TrimSpace(domain)))
		}
	}
	if len(domains) == 0 {
		return grade.Yes // records of other kinds restrict nothing
	}
	if !slices.ContainsFunc(domains, func(d string) bool { return d != "" }) {
		return grade.No // ";": nobody may
	}
	issuer = strings.ToLower(issuer)
	for _, known := range issuerDomains {
		if strings.Contains(issuer, known.word) {
			return grade.AnswerOf(slices.ContainsFunc(domains, func(d string) bool { return slices.Contains(known.domains, d) }))
		}
	}
	return grade.Unknown
}
