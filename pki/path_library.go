package pki

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"slices"
)

// beyondLibrary tells what of a path crypto/x509 cannot judge, because it differs
// from RFC 5280 there by design:
//   - critical extensions that it does not process: directoryName constraints, and
//     subject alternative names of nothing but directory names,
//   - names that are equal by Section 7.1 and not byte by byte,
//   - self-issued certificates, which Section 6.1.4 does not count as part of a path
//     length and Section 6.1.3 exempts from name constraints,
//   - e-mail and URI constraints that name a host, which it reads as the whole domain,
//   - negative serial numbers.
//
// It returns nil if there is nothing of this. Otherwise a copy of the path with
// these things taken out, so that the library can be asked about all the rest.
func (v *verification) beyondLibrary(path []*x509.Certificate) []*x509.Certificate {
	beyond := false
	copies := make([]*x509.Certificate, len(path))
	for i, c := range path {
		plain := *c
		copies[i] = &plain
		if len(c.UnhandledCriticalExtensions) > 0 {
			plain.UnhandledCriticalExtensions, beyond = nil, true
		}
		if i+1 < len(path) && !bytes.Equal(c.RawIssuer, path[i+1].RawSubject) {
			plain.RawIssuer, beyond = path[i+1].RawSubject, true
		}
		if len(c.PermittedEmailAddresses)+len(c.ExcludedEmailAddresses)+len(c.PermittedURIDomains)+len(c.ExcludedURIDomains) > 0 {
			plain.PermittedEmailAddresses, plain.ExcludedEmailAddresses = nil, nil
			plain.PermittedURIDomains, plain.ExcludedURIDomains = nil, nil
			beyond = true
		}
		if i > 0 && i < len(path)-1 && selfIssued(c) {
			// Its alternative names are not held against constraints.
			plain.Extensions = slices.DeleteFunc(slices.Clone(c.Extensions), func(e pkix.Extension) bool { return e.Id.String() == oidAlternatives })
			beyond = true
		}
		beyond = beyond || v.strange[string(c.Raw)]
	}
	if !beyond {
		return nil
	}
	for i, c := range copies {
		for _, below := range path[1:max(i, 1)] {
			if c.MaxPathLen >= 0 && selfIssued(below) {
				c.MaxPathLen++
			}
		}
	}
	return copies
}

// askAbout asks the library about one path, or about such a copy.
func (v *verification) askAbout(path []*x509.Certificate) error {
	last := len(path) - 1
	_, err := v.ask(path[0], path[:last], path[last:], nil)
	return err
}
