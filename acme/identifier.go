package acme

import (
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
)

// The types of identifiers.
const (
	TypeDNS = "dns" // RFC 8555, Section 9.7.7
	TypeIP  = "ip"  // RFC 8738, Section 3
)

// Identifier is a name that a certificate is asked for.
type Identifier struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// String gives "dns:example.org".
func (id Identifier) String() string { return id.Type + ":" + id.Value }

// maxName is the length of a DNS name in characters, without the final dot (RFC 1035, Section 2.3.4).
const maxName = 253

// Normalize checks an identifier of an order and gives it in the one form in which it is compared and stored: lower
// case, addresses in their canonical text. A wildcard is a name whose first label is "*". The problem is a malformed,
// rejectedIdentifier or unsupportedIdentifier.
func (id Identifier) Normalize() (Identifier, *Problem) {
	switch id.Type {
	case TypeDNS:
		name := strings.ToLower(id.Value)
		if reason := faultInName(name); reason != "" {
			return id, NewProblem(RejectedIdentifier, fmt.Sprintf("%q is no DNS name a certificate can have: %s", id.Value, reason))
		}
		return Identifier{TypeDNS, name}, nil
	case TypeIP:
		addr, err := netip.ParseAddr(id.Value)
		if err != nil || addr.Zone() != "" {
			return id, NewProblem(Malformed, fmt.Sprintf("%q is no IP address (RFC 8738, Section 3)", id.Value))
		}
		return Identifier{TypeIP, addr.Unmap().String()}, nil
	case "":
		return id, NewProblem(Malformed, "an identifier has no type")
	default:
		return id, NewProblem(UnsupportedIdentifier, fmt.Sprintf("identifiers of type %q are not known here", id.Type))
	}
}

// faultInName says what is wrong with a name in lower case; "" if nothing is.
func faultInName(name string) string {
	rest := strings.TrimPrefix(name, "*.")
	switch {
	case rest == "":
		return "it is empty"
	case len(rest) > maxName:
		return "it is longer than 253 characters"
	case strings.HasSuffix(rest, "."):
		return "it ends in a dot"
	case strings.Contains(rest, "*"):
		return "a wildcard is its first label alone"
	}
	if _, err := netip.ParseAddr(rest); err == nil {
		return "it is an IP address, which has a type of its own (RFC 8738)"
	}
	labels := strings.Split(rest, ".")
	for _, l := range labels {
		if reason := faultInLabel(l); reason != "" {
			return reason
		}
	}
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" {
		return "its last label is a number"
	}
	return ""
}

func faultInLabel(l string) string {
	switch {
	case l == "":
		return "a label is empty"
	case len(l) > 63:
		return "a label is longer than 63 characters"
	case l[0] == '-' || l[len(l)-1] == '-':
		return "a label begins or ends with a hyphen"
	case len(l) > 3 && l[2:4] == "--" && !strings.HasPrefix(l, "xn--"):
		return "a label has hyphens in its third and fourth place and is no A-label (RFC 5890, Section 2.3.1)"
	}
	if strings.HasPrefix(l, "xn--") && !isALabel(l) {
		return "a label begins with xn-- and is no A-label (RFC 8555, Section 7.1.4)"
	}
	for _, c := range l {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return "it has a character that is no letter, digit or hyphen"
		}
	}
	return ""
}

// isALabel reports a label that stands for one of other letters, in the one way in which it may be written (RFC 5890,
// Section 2.3.2.1).
func isALabel(l string) bool {
	profile := idna.New(idna.ValidateLabels(true), idna.StrictDomainName(true), idna.BidiRule())
	text, err := profile.ToUnicode(l)
	if err != nil || text == l {
		return false
	}
	back, err := profile.ToASCII(text)
	return err == nil && back == l
}

// Wildcard reports a name that begins with "*.", and gives the name below.
func (id Identifier) Wildcard() (base Identifier, isWildcard bool) {
	name, ok := strings.CutPrefix(id.Value, "*.")
	if id.Type != TypeDNS || !ok {
		return id, false
	}
	return Identifier{TypeDNS, name}, true
}
