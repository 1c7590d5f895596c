package acme

// Directory tells where a server takes requests (RFC 8555, Section 7.1.1).
type Directory struct {
	NewNonce    string `json:"newNonce"`
	NewAccount  string `json:"newAccount"`
	NewOrder    string `json:"newOrder"`
	NewAuthz    string `json:"newAuthz,omitempty"` // empty: no pre-authorization
	RevokeCert  string `json:"revokeCert"`
	KeyChange   string `json:"keyChange"`
	RenewalInfo string `json:"renewalInfo,omitempty"` // RFC 9773, Section 4.1
	Meta        *Meta  `json:"meta,omitempty"`
}

// Meta is what a server says about itself in its directory.
type Meta struct {
	TermsOfService          string            `json:"termsOfService,omitempty"`
	Website                 string            `json:"website,omitempty"`
	CAAIdentities           []string          `json:"caaIdentities,omitempty"`
	ExternalAccountRequired bool              `json:"externalAccountRequired,omitempty"`
	Profiles                map[string]string `json:"profiles,omitempty"`     // name to description
	AutoRenewal             *AutoRenewalMeta  `json:"auto-renewal,omitempty"` // RFC 8739, Section 3.2
}

// AutoRenewalMeta bounds what a server grants as automatic renewal (RFC 8739, Section 3.2). Both are seconds.
type AutoRenewalMeta struct {
	MinLifetime         int64 `json:"min-lifetime"`
	MaxDuration         int64 `json:"max-duration"`
	AllowCertificateGet bool  `json:"allow-certificate-get,omitempty"`
}

// RenewalInfo says when to renew a certificate (RFC 9773, Section 4.2).
type RenewalInfo struct {
	SuggestedWindow Window `json:"suggestedWindow"`
	ExplanationURL  string `json:"explanationURL,omitempty"`
}

// Window is an interval in RFC 3339.
type Window struct {
	Start string `json:"start"`
	End   string `json:"end"`
}
