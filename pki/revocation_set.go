package pki

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"

	"github.com/tlswright/tlswright/pki/revset"
)

// sectionSet is where the rule stands that a status which is out of date counts for nothing; sets have no RFC of their own.
const sectionSet = "RFC 5280, Section 6.3"

// maxSerialOctets is how long a serial number may be (RFC 5280, Section 4.1.2.2).
const maxSerialOctets = 20

// bySets takes a status from the revocation sets that know the target's issuer.
func (j *revocationJudge) bySets(target *x509.Certificate, above []*x509.Certificate) (said []RevocationResult) {
	if n := target.SerialNumber; n.Sign() < 0 || n.BitLen() > 8*maxSerialOctets {
		return nil // no CA has issued it by the rules, so no set was made for it: its answer would be a guess
	}
	issuer := sha256.Sum256(above[0].RawSubjectPublicKeyInfo)
	for _, s := range j.options.Sets {
		revoked, known := s.Revoked(issuer, target.SerialNumber.Bytes())
		if !known || !j.spend() {
			continue
		}
		r := RevocationResult{Source: "revocation set", ThisUpdate: s.Created, NextUpdate: s.Expires, Section: sectionSet}
		name := "the revocation set of " + stamp(s.Created)
		switch why := j.uselessSet(s, target, above); {
		case why != "":
			r.Text = name + " " + why
		case revoked:
			r.Status, r.Text = RevocationRevoked, "is revoked, says "+name
		default:
			r.Status, r.Text = RevocationGood, fmt.Sprintf("%s says good, until %s", name, stamp(s.Expires))
		}
		said = append(said, r)
	}
	return said
}

// uselessSet says why a set says nothing about a target; "" if it does.
func (j *revocationJudge) uselessSet(s *revset.Set, target *x509.Certificate, above []*x509.Certificate) string {
	switch {
	case j.now.Add(stapleSkew).Before(s.Created):
		return "is from the future"
	case j.now.After(s.Expires):
		return "is out of date since " + stamp(s.Expires)
	case target.NotBefore.After(s.Covers):
		return "covers certificates from before " + stamp(s.Covers) + ", and this one is newer"
	case !s.Signed():
		return "" // the caller's word is taken for it: see RevocationOptions
	}
	why := "does not count: it is signed by nobody above the certificate"
	for _, c := range above {
		err := s.CheckSignature(c)
		if err == nil {
			return ""
		}
		if !j.spend() {
			break
		}
	}
	return why
}
