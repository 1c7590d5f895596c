package acme

import "strings"

// ProblemPrefix stands before the types of the errors of ACME (RFC 8555, Section 6.7).
const ProblemPrefix = "urn:ietf:params:acme:error:"

// ProblemType is an error type without the prefix: "badNonce".
type ProblemType string

// The error types of RFC 8555, Section 6.7, RFC 8739 and RFC 9773.
const (
	AccountDoesNotExist        ProblemType = "accountDoesNotExist"
	AlreadyRevoked             ProblemType = "alreadyRevoked"
	BadCSR                     ProblemType = "badCSR"
	BadNonce                   ProblemType = "badNonce"
	BadPublicKey               ProblemType = "badPublicKey"
	BadRevocationReason        ProblemType = "badRevocationReason"
	BadSignatureAlgorithm      ProblemType = "badSignatureAlgorithm"
	CAA                        ProblemType = "caa"
	Compound                   ProblemType = "compound"
	Connection                 ProblemType = "connection"
	DNS                        ProblemType = "dns"
	ExternalAccountRequired    ProblemType = "externalAccountRequired"
	IncorrectResponse          ProblemType = "incorrectResponse"
	InvalidContact             ProblemType = "invalidContact"
	Malformed                  ProblemType = "malformed"
	OrderNotReady              ProblemType = "orderNotReady"
	RateLimited                ProblemType = "rateLimited"
	RejectedIdentifier         ProblemType = "rejectedIdentifier"
	ServerInternal             ProblemType = "serverInternal"
	TLS                        ProblemType = "tls"
	Unauthorized               ProblemType = "unauthorized"
	UnsupportedContact         ProblemType = "unsupportedContact"
	UnsupportedIdentifier      ProblemType = "unsupportedIdentifier"
	UserActionRequired         ProblemType = "userActionRequired"
	InvalidProfile             ProblemType = "invalidProfile"
	AlreadyReplaced            ProblemType = "alreadyReplaced" // RFC 9773, Section 7.4
	AutoRenewalCanceled        ProblemType = "autoRenewalCanceled"
	AutoRenewalExpired         ProblemType = "autoRenewalExpired"
	AutoRenewalCancelInvalid   ProblemType = "autoRenewalCancellationInvalid"
	AutoRenewalRevocationNever ProblemType = "autoRenewalRevocationNotSupported"
)

// Problem is an error as ACME tells it (RFC 7807, RFC 8555, Section 6.7). It is an error of Go, too.
type Problem struct {
	Type        string       `json:"type"` // with the prefix
	Detail      string       `json:"detail,omitempty"`
	Status      int          `json:"status,omitempty"` // of HTTP
	Instance    string       `json:"instance,omitempty"`
	Identifier  *Identifier  `json:"identifier,omitempty"` // in a subproblem
	Algorithms  []string     `json:"algorithms,omitempty"` // with badSignatureAlgorithm (RFC 8555, Section 6.2)
	Subproblems []Subproblem `json:"subproblems,omitempty"`
}

// Subproblem is one of several reasons, each for an identifier (RFC 8555, Section 6.7.1).
type Subproblem struct {
	Type       string      `json:"type"`
	Detail     string      `json:"detail,omitempty"`
	Identifier *Identifier `json:"identifier,omitempty"`
}

// NewProblem makes a problem with the HTTP status that goes with its type.
func NewProblem(t ProblemType, detail string) *Problem {
	return &Problem{Type: ProblemPrefix + string(t), Detail: detail, Status: statusOf(t)}
}

// statusOf gives the HTTP status for a type. RFC 8555 prescribes few of them: 400 for badNonce and its like, 401 or 403
// where somebody is not allowed, 404 for what is not there, 409 for conflicts.
func statusOf(t ProblemType) int {
	switch t {
	case Unauthorized, OrderNotReady, RejectedIdentifier, UserActionRequired, CAA, ExternalAccountRequired,
		AutoRenewalRevocationNever, AutoRenewalCanceled, AutoRenewalExpired:
		return 403
	case RateLimited:
		return 429
	case ServerInternal:
		return 500
	case AlreadyReplaced:
		return 409
	default:
		return 400
	}
}

// Kind is the type without the prefix; "" for a type that is not of ACME.
func (p *Problem) Kind() ProblemType {
	kind, ok := strings.CutPrefix(p.Type, ProblemPrefix)
	if !ok {
		return ""
	}
	return ProblemType(kind)
}

// Error gives type and detail, and the details of what lies beneath.
func (p *Problem) Error() string {
	text := string(p.Kind())
	if text == "" {
		text = p.Type
	}
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	for _, s := range p.Subproblems {
		text += "; "
		if s.Identifier != nil {
			text += s.Identifier.Value + ": "
		}
		text += s.Detail
	}
	return text
}

// For returns the problem as a subproblem about an identifier.
func (p *Problem) For(id Identifier) Subproblem {
	return Subproblem{Type: p.Type, Detail: p.Detail, Identifier: &id}
}

// Join makes one problem of several: the only one as it is, or a compound of all (RFC 8555, Section 6.7.1).
func Join(detail string, subs []Subproblem) *Problem {
	if len(subs) == 0 {
		return nil
	}
	same := true
	for _, s := range subs {
		same = same && s.Type == subs[0].Type
	}
	kind := Compound
	if same {
		kind = ProblemType(strings.TrimPrefix(subs[0].Type, ProblemPrefix))
	}
	p := NewProblem(kind, detail)
	p.Subproblems = subs
	return p
}
