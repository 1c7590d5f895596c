package acme

import "encoding/json"

// The states of accounts, orders, authorizations and challenges (RFC 8555, Section 7.1.6). Not every object knows every
// state.
const (
	StatusPending     = "pending"
	StatusReady       = "ready"
	StatusProcessing  = "processing"
	StatusValid       = "valid"
	StatusInvalid     = "invalid"
	StatusDeactivated = "deactivated"
	StatusExpired     = "expired"
	StatusRevoked     = "revoked"
	StatusCanceled    = "canceled" // of a STAR order (RFC 8739, Section 3.1.2)
)

// Account is a client's account (RFC 8555, Section 7.1.2), and in requests what creates or changes one.
type Account struct {
	Status                 string          `json:"status,omitempty"`
	Contact                []string        `json:"contact,omitempty"`
	TermsOfServiceAgreed   bool            `json:"termsOfServiceAgreed,omitempty"`
	ExternalAccountBinding json.RawMessage `json:"externalAccountBinding,omitempty"`
	Orders                 string          `json:"orders,omitempty"`
}

// NewAccount is the payload of newAccount (RFC 8555, Section 7.3).
type NewAccount struct {
	Contact                []string        `json:"contact,omitempty"`
	TermsOfServiceAgreed   bool            `json:"termsOfServiceAgreed,omitempty"`
	OnlyReturnExisting     bool            `json:"onlyReturnExisting,omitempty"`
	ExternalAccountBinding json.RawMessage `json:"externalAccountBinding,omitempty"`
}

// Order is an order for a certificate (RFC 8555, Section 7.1.3).
type Order struct {
	Status         string       `json:"status"`
	Expires        string       `json:"expires,omitempty"` // RFC 3339
	Identifiers    []Identifier `json:"identifiers"`
	NotBefore      string       `json:"notBefore,omitempty"`
	NotAfter       string       `json:"notAfter,omitempty"`
	Error          *Problem     `json:"error,omitempty"`
	Authorizations []string     `json:"authorizations"`
	Finalize       string       `json:"finalize"`
	Certificate    string       `json:"certificate,omitempty"`
	Profile        string       `json:"profile,omitempty"`
	Replaces       string       `json:"replaces,omitempty"` // RFC 9773, Section 5
	// AutoRenewal and StarCertificate belong to orders that renew themselves (RFC 8739, Section 3.1).
	AutoRenewal     *AutoRenewal `json:"auto-renewal,omitempty"`
	StarCertificate string       `json:"star-certificate,omitempty"`
}

// NewOrder is the payload of newOrder (RFC 8555, Section 7.4).
type NewOrder struct {
	Identifiers []Identifier `json:"identifiers"`
	NotBefore   string       `json:"notBefore,omitempty"`
	NotAfter    string       `json:"notAfter,omitempty"`
	Profile     string       `json:"profile,omitempty"`
	Replaces    string       `json:"replaces,omitempty"`
	AutoRenewal *AutoRenewal `json:"auto-renewal,omitempty"`
}

// AutoRenewal is what a STAR order asks for (RFC 8739, Section 3.1.1).
type AutoRenewal struct {
	StartDate           string `json:"start-date,omitempty"`
	EndDate             string `json:"end-date,omitempty"`
	Lifetime            int64  `json:"lifetime"` // of each certificate, in seconds
	LifetimeAdjust      int64  `json:"lifetime-adjust,omitempty"`
	AllowCertificateGet bool   `json:"allow-certificate-get,omitempty"`
}

// Orders is the list behind an account's orders URL (RFC 8555, Section 7.1.2.1).
type Orders struct {
	Orders []string `json:"orders"`
}

// Authorization is the server's word that an account may have certificates for an identifier (RFC 8555, Section 7.1.4).
type Authorization struct {
	Identifier Identifier  `json:"identifier"`
	Status     string      `json:"status"`
	Expires    string      `json:"expires,omitempty"`
	Challenges []Challenge `json:"challenges"`
	Wildcard   bool        `json:"wildcard,omitempty"`
}

// NewAuthz is the payload of newAuthz (RFC 8555, Section 7.4.1).
type NewAuthz struct {
	Identifier Identifier `json:"identifier"`
}

// Challenge is one way to prove control (RFC 8555, Section 7.1.5 and Section 8).
type Challenge struct {
	Type      string   `json:"type"`
	URL       string   `json:"url"`
	Status    string   `json:"status"`
	Validated string   `json:"validated,omitempty"`
	Error     *Problem `json:"error,omitempty"`
	Token     string   `json:"token,omitempty"`
	// IssuerDomainNames is of dns-persist-01 alone: the names of which one stands in the record.
	IssuerDomainNames []string `json:"issuer-domain-names,omitempty"`
	AccountURI        string   `json:"accounturi,omitempty"`
}

// Finalize is the payload of an order's finalize URL; CSR is base64url of DER (RFC 8555, Section 7.4).
type Finalize struct {
	CSR string `json:"csr"`
}

// Revocation is the payload of revokeCert; Certificate is base64url of DER (RFC 8555, Section 7.6).
type Revocation struct {
	Certificate string `json:"certificate"`
	Reason      *int   `json:"reason,omitempty"`
}

// StatusChange is the payload that deactivates an account or an authorization, or cancels a STAR order.
type StatusChange struct {
	Status string `json:"status"`
}

// KeyChange is the payload of the inner JWS of keyChange (RFC 8555, Section 7.3.5).
type KeyChange struct {
	Account string          `json:"account"`
	OldKey  json.RawMessage `json:"oldKey"`
}
