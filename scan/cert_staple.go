package scan

import (
	"crypto/x509"
	"encoding/base64"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/pki/ct"
	"github.com/tlswright/tlswright/pki/ocsp"
)

// stapleFacts judges the OCSP response that came with a chain; nil if none came.
func stapleFacts(der []byte, c *judgedChain, now time.Time) *grade.Staple {
	if len(der) == 0 {
		return nil
	}
	r, err := ocsp.ParseResponse(der)
	if err != nil {
		return &grade.Staple{Status: "malformed", Reason: shortened(err.Error(), maxText)}
	}
	if r.Status != ocsp.Successful {
		return &grade.Staple{Status: r.Status.String(), Reason: "the response is only an error"}
	}
	leaf := c.certs[0].parsed
	if leaf == nil || c.issuer == nil {
		return &grade.Staple{Status: "unchecked", Reason: "without the issuer's certificate it cannot be checked"}
	}
	s := &grade.Staple{Status: "other certificate"}
	if single := r.Find(leaf, c.issuer); single != nil {
		s.Status, s.ThisUpdate, s.NextUpdate = single.Status.String(), single.ThisUpdate, single.NextUpdate
	}
	if _, err := pki.CheckStaple(der, leaf, c.issuer, now); err != nil {
		s.Reason = shortened(err.Error(), maxText)
		return s
	}
	s.Valid = true
	return s
}

// judgeTimestamps collects the SCTs of a chain, from the certificate, the handshake and the staple, and judges them.
func (j *judge) judgeTimestamps(q chainQuestion, c *judgedChain) {
	leaf := c.certs[0].parsed
	if leaf == nil {
		return
	}
	found, err := ct.FromCertificate(leaf)
	if err != nil {
		c.gap("signed certificate timestamps", "those in the certificate cannot be read: "+err.Error())
	}
	if len(q.sent.SCTs) > 0 {
		list, err := ct.ParseList(q.sent.SCTs, ct.Extension)
		if err != nil {
			c.gap("signed certificate timestamps", "those in the handshake cannot be read: "+err.Error())
		}
		found = append(found, list...)
	}
	if len(q.sent.Staple) > 0 {
		if list, err := ct.FromOCSP(q.sent.Staple); err == nil {
			found = append(found, list...)
		}
	}
	chain := []*x509.Certificate{leaf}
	if c.issuer != nil {
		chain = append(chain, c.issuer)
	}
	var verdicts []ct.Verdict
	for _, s := range found {
		fact := grade.SCT{Log: base64.StdEncoding.EncodeToString(s.LogID[:]), Source: sourceOf(s.Source), Time: s.Time(), Valid: grade.Unknown}
		if j.logs != nil {
			v, err := ct.VerifySCT(s, chain, j.logs, q.now)
			if err != nil {
				fact.Reason = shortened(err.Error(), maxText)
			} else {
				verdicts = append(verdicts, v)
				describeVerdict(&fact, v)
			}
		}
		c.facts.SCTs = append(c.facts.SCTs, fact)
	}
	j.judgePolicy(c, leaf, verdicts)
}

func describeVerdict(f *grade.SCT, v ct.Verdict) {
	switch v.Status {
	case ct.Valid:
		f.Valid = grade.Yes
	case ct.UnknownLog, ct.UnknownVersion:
		f.Valid = grade.Unknown
	default:
		f.Valid = grade.No
	}
	if v.Log != nil && v.Log.Description != "" {
		f.Log = shortened(v.Log.Description, maxText)
	}
	if v.Status != ct.Valid {
		f.Reason = v.Text
	}
}

// judgePolicy says whether browsers would be content with the timestamps. They ask for them of public CAs alone.
func (j *judge) judgePolicy(c *judgedChain, leaf *x509.Certificate, verdicts []ct.Verdict) {
	if !j.isPublic(c) {
		return
	}
	f := &c.facts
	switch {
	case len(f.SCTs) == 0:
		f.CTPolicy, f.CTReason = grade.No, "no timestamp came with the certificate, in the handshake or with the OCSP response"
	case j.logs == nil:
		f.CTPolicy, f.CTReason = grade.Unknown, "without a list of logs the timestamps cannot be checked"
	default:
		ok, reason := ct.Complies(leaf, verdicts)
		f.CTPolicy = grade.AnswerOf(ok)
		if !ok {
			f.CTReason = shortened(reason, maxText)
		}
	}
}

// isPublic reports whether the chain belongs to a CA of the public web: the system's roots lead to it, and the leaf names
// a policy of the CA/Browser Forum. The roots alone do not tell, for an administrator may have added some.
func (j *judge) isPublic(c *judgedChain) bool {
	for i, t := range c.facts.Trust {
		if !t.Trusted || i >= len(j.stores) || j.stores[i].System == nil {
			continue
		}
		e, ok := c.certs[0].view.Find(cert.OIDCertificatePolicy)
		if !ok {
			return false
		}
		policies, _ := cert.ReadPolicies(e.Value)
		for _, p := range policies {
			switch p.ID {
			case oidPolicyEV, "2.23.140.1.2.1", "2.23.140.1.2.2", "2.23.140.1.2.3":
				return true
			}
		}
	}
	return false
}

func sourceOf(s ct.Source) string {
	switch s {
	case ct.Extension:
		return "handshake"
	case ct.Staple:
		return "OCSP"
	}
	return "certificate"
}
