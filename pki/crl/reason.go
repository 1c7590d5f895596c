package crl

import (
	"fmt"
	"strings"
)

// Reason says why a certificate was revoked (RFC 5280, Section 5.3.1).
type Reason uint8

// The reasons; 7 is not used.
const (
	Unspecified          Reason = 0
	KeyCompromise        Reason = 1
	CACompromise         Reason = 2
	AffiliationChanged   Reason = 3
	Superseded           Reason = 4
	CessationOfOperation Reason = 5
	CertificateHold      Reason = 6
	RemoveFromCRL        Reason = 8 // in delta CRLs: no longer on the list
	PrivilegeWithdrawn   Reason = 9
	AACompromise         Reason = 10
)

// maxReason is the last reason there is.
const maxReason = AACompromise

var reasonNames = [...]string{"unspecified", "keyCompromise", "cACompromise", "affiliationChanged", "superseded",
	"cessationOfOperation", "certificateHold", "", "removeFromCRL", "privilegeWithdrawn", "aACompromise"}

// Valid reports whether the RFC names this reason.
func (r Reason) Valid() bool { return r <= maxReason && r != 7 }

// String gives the RFC's name: "keyCompromise".
func (r Reason) String() string {
	if !r.Valid() {
		return fmt.Sprintf("reason %d", uint8(r))
	}
	return reasonNames[r]
}

// Reasons lists the reasons there are, by number.
func Reasons() []Reason {
	var all []Reason
	for r := Unspecified; r <= maxReason; r++ {
		if r.Valid() {
			all = append(all, r)
		}
	}
	return all
}

// ParseReason reads a reason's name; capitals, hyphens and underscores do not matter: "key-compromise".
func ParseReason(s string) (Reason, error) {
	squeeze := func(s string) string {
		return strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "").Replace(s))
	}
	var names []string
	for _, r := range Reasons() {
		if squeeze(r.String()) == squeeze(s) {
			return r, nil
		}
		names = append(names, r.String())
	}
	return 0, fmt.Errorf("%q is no reason for a revocation: use one of %s", s, strings.Join(names, ", "))
}

// ReasonSet is a set of reasons as ReasonFlags has it (RFC 5280, Section 4.2.1.13): bit n of the ASN.1 BIT STRING is
// 1<<n here. The empty set stands for an absent field, which means all reasons.
type ReasonSet uint16

// AllReasons has every reason that ReasonFlags knows.
const AllReasons ReasonSet = 0x1fe

// flagBits is how many bits ReasonFlags has, the unused one in front included.
const flagBits = 9

// flag gives the bit of a reason. Unspecified and removeFromCRL have none.
func (r Reason) flag() ReasonSet {
	switch {
	case r >= KeyCompromise && r <= CertificateHold:
		return 1 << r
	case r == PrivilegeWithdrawn:
		return 1 << 7
	case r == AACompromise:
		return 1 << 8
	}
	return 0
}

// SetOf makes a set. Unspecified and removeFromCRL cannot be members and are left out.
func SetOf(reasons ...Reason) ReasonSet {
	var s ReasonSet
	for _, r := range reasons {
		s |= r.flag()
	}
	return s
}

// Effective is the set with the empty one replaced by all reasons.
func (s ReasonSet) Effective() ReasonSet {
	if s == 0 {
		return AllReasons
	}
	return s & AllReasons
}

// Members lists the set by number; none for the empty set.
func (s ReasonSet) Members() []Reason {
	var list []Reason
	for _, r := range Reasons() {
		if f := r.flag(); f != 0 && s&f != 0 {
			list = append(list, r)
		}
	}
	return list
}

// String lists the names, "all reasons" for the empty and the full set.
func (s ReasonSet) String() string {
	if s.Effective() == AllReasons {
		return "all reasons"
	}
	var names []string
	for _, r := range s.Members() {
		names = append(names, r.String())
	}
	return strings.Join(names, ", ")
}
