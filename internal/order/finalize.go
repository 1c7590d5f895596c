package order

import (
	"crypto"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/pki"
)

// Finalize takes a request for the certificate (RFC 8555, Section 7.4): the order must be ready, and the request must ask
// for exactly its identifiers. The order is processing then. accountKey is the key of the account, which must not be the
// certificate's (RFC 8555, Section 11.1). authorizations are those of the order, as they are now.
func (l Limits) Finalize(o *Order, csr *pki.CSR, accountKey crypto.PublicKey) *acme.Problem {
	switch o.Status {
	case acme.StatusReady:
	case acme.StatusPending:
		return acme.NewProblem(acme.OrderNotReady, "not all authorizations of the order are valid")
	default:
		return acme.NewProblem(acme.OrderNotReady, "the order is "+o.Status)
	}
	if pki.SameKey(csr.Key, accountKey) {
		return acme.NewProblem(acme.BadCSR, "the certificate's key is the account's: use another one (RFC 8555, Section 11.1)")
	}
	if problem := l.CheckKey(pki.DescribeKey(csr.Key)); problem != nil {
		return problem
	}
	asked, problem := namesOf(csr)
	if problem != nil {
		return problem
	}
	for _, id := range o.Identifiers {
		if !slices.Contains(asked, id) {
			return acme.NewProblem(acme.BadCSR, fmt.Sprintf("the request lacks %s, which was ordered", id.Value))
		}
	}
	for _, id := range asked {
		if !slices.Contains(o.Identifiers, id) {
			return acme.NewProblem(acme.BadCSR, fmt.Sprintf("the request asks for %s, which was not ordered", pki.Printable(id.Value)))
		}
	}
	o.Status, o.CSR = acme.StatusProcessing, csr.Raw
	return nil
}

// namesOf gives all identifiers a request asks for, the common name included: it counts as one more (RFC 8555, Section 7.4).
func namesOf(csr *pki.CSR) ([]acme.Identifier, *acme.Problem) {
	var ids []acme.Identifier
	add := func(id acme.Identifier) *acme.Problem {
		normal, problem := id.Normalize()
		if problem != nil {
			return acme.NewProblem(acme.BadCSR, "the request asks for something that no order can have: "+pki.Printable(problem.Detail))
		}
		if !slices.Contains(ids, normal) {
			ids = append(ids, normal)
		}
		return nil
	}
	for _, san := range csr.SANs {
		kind, value, _ := strings.Cut(san, ":")
		if kind != acme.TypeDNS && kind != acme.TypeIP {
			return nil, acme.NewProblem(acme.BadCSR, "the request asks for a name of type "+pki.Printable(kind))
		}
		if problem := add(acme.Identifier{Type: kind, Value: value}); problem != nil {
			return nil, problem
		}
	}
	if cn := csr.Subject.CommonName; cn != "" {
		id := acme.Identifier{Type: acme.TypeDNS, Value: cn}
		if _, err := netip.ParseAddr(cn); err == nil {
			id.Type = acme.TypeIP
		}
		if problem := add(id); problem != nil {
			return nil, problem
		}
	}
	if len(ids) == 0 {
		return nil, acme.NewProblem(acme.BadCSR, "the request names nobody")
	}
	return ids, nil
}
