package grade

import (
	"time"

	"github.com/tlswright/tlswright/wire"
)

// Chain is one certificate of the server with what it sent along, and what became of it.
type Chain struct {
	KeyType string         `json:"keyType"`          // "RSA", "ECDSA", "Ed25519", "DSS" …
	SNI     bool           `json:"sni"`              // the hello named the server
	Seen    []wire.Version `json:"seen,omitempty"`   // versions in which it was served
	Sent    []Certificate  `json:"sent,omitempty"`   // as they came, leaf first
	Path    []string       `json:"path,omitempty"`   // fingerprints of the path that was judged, leaf first, root included
	Unsent  []Certificate  `json:"-"`                // those of Path that were not sent, as its root
	Checks  []CertCheck    `json:"checks,omitempty"` // the seven checks of certificate verification
	Trust   []StoreTrust   `json:"trust,omitempty"`  // by store
	// Trusted: a store of those in Trust leads to a root, apart from name and dates.
	Trusted     Answer    `json:"trusted"`
	SelfSigned  bool      `json:"selfSigned,omitempty"` // the leaf is its own issuer
	Complete    Answer    `json:"complete"`             // the chain that was sent leads to a root's child
	AIARepairs  Answer    `json:"aiaRepairs,omitempty"` // what is missing can be fetched where the certificate says
	Missing     []string  `json:"missing,omitempty"`    // names of the issuers that are missing
	OutOfOrder  bool      `json:"outOfOrder,omitempty"`
	RootSent    bool      `json:"rootSent,omitempty"`
	Surplus     []string  `json:"surplus,omitempty"` // subjects of certificates that the chain does not need
	NameMatches Answer    `json:"nameMatches"`       // by subject alternative names alone
	NameOnlyCN  bool      `json:"nameOnlyCN,omitempty"`
	Suggestion  string    `json:"suggestion,omitempty"` // which name of the certificate the user may have meant
	Revoked     Answer    `json:"revoked,omitempty"`    // Yes: by a CRL or an OCSP answer
	Revocation  []string  `json:"revocation,omitempty"` // what each source said, fit to print
	Staple      *Staple   `json:"staple,omitempty"`
	SCTs        []SCT     `json:"scts,omitempty"`
	CTPolicy    Answer    `json:"ctPolicy,omitempty"` // enough SCTs for browsers; Unasked for a private CA
	CTReason    string    `json:"ctReason,omitempty"`
	Lint        []Lint    `json:"lint,omitempty"`
	SharedWith  []string  `json:"sharedWith,omitempty"` // other hosts of this run with the same certificate or key
	VerifiedAt  time.Time `json:"verifiedAt"`
}

// Certificate is what the judgement needs of a certificate, and the certificate itself.
type Certificate struct {
	Subject     string    `json:"subject"`
	Issuer      string    `json:"issuer"`
	Serial      string    `json:"serial"` // hexadecimal
	Names       []string  `json:"names,omitempty"`
	NotBefore   time.Time `json:"notBefore"`
	NotAfter    time.Time `json:"notAfter"`
	Key         string    `json:"key"` // "RSA 2048 bits", "ECDSA P-256"
	KeyBits     int       `json:"keyBits"`
	KeyStrength int       `json:"keyStrength"` // RSA-equivalent bits
	Exponent    string    `json:"exponent,omitempty"`
	Signature   string    `json:"signature"` // "SHA256-RSA"
	SHA256      string    `json:"sha256"`    // fingerprint, hexadecimal
	SPKI        string    `json:"spki"`      // pin of the public key: sha256/BASE64
	MustStaple  bool      `json:"mustStaple,omitempty"`
	OCSP        []string  `json:"ocsp,omitempty"`
	CRL         []string  `json:"crl,omitempty"`
	Wildcard    []string  `json:"wildcard,omitempty"`
	EV          bool      `json:"ev,omitempty"`
	IsCA        bool      `json:"isCA,omitempty"`
	WeakKey     string    `json:"weakKey,omitempty"` // "ROCA (CVE-2017-15361)", "Debian OpenSSL flaw": why the key can be computed
	// KeyListed says whether a list of keys that are known to everybody has this one; Unasked: no list was at hand.
	KeyListed    Answer `json:"keyListed,omitempty"`
	Unreadable   string `json:"unreadable,omitempty"`
	DER          []byte `json:"der,omitempty"`
	IsSelfSigned bool   `json:"isSelfSigned,omitempty"`
}

// CertCheck is one check of certificate verification, in words.
type CertCheck struct {
	Check   string `json:"check"`
	Outcome string `json:"outcome"` // "passed", "failed", "not asked", "undecided"
	Text    string `json:"text,omitempty"`
	Hint    string `json:"hint,omitempty"`
	Section string `json:"section,omitempty"`
	Reason  string `json:"reason,omitempty"` // "expired", "unknown root" …: pki.Reason in a word
	Depth   int    `json:"depth"`
}

// StoreTrust is what one trust store says.
type StoreTrust struct {
	Store   string `json:"store"` // "system", "own CA", "Java", "file root.pem"
	Trusted bool   `json:"trusted"`
	Own     bool   `json:"own,omitempty"` // of the reader's own choice: a private CA that others are not expected to know
	Reason  string `json:"reason,omitempty"`
}

// Staple is an OCSP response that came in the handshake.
type Staple struct {
	Status     string    `json:"status"` // "good", "revoked", "unknown", "tryLater", "malformed" …
	Valid      bool      `json:"valid"`  // signed by the issuer or its delegate, and of now
	Reason     string    `json:"reason,omitempty"`
	ThisUpdate time.Time `json:"thisUpdate,omitzero"`
	NextUpdate time.Time `json:"nextUpdate,omitzero"`
}

// SCT is a signed certificate timestamp.
type SCT struct {
	Log    string    `json:"log"`    // description, or the identifier in base64
	Source string    `json:"source"` // "certificate", "handshake", "OCSP"
	Time   time.Time `json:"time"`
	Valid  Answer    `json:"valid"` // Unknown: the log is in no list of ours
	Reason string    `json:"reason,omitempty"`
}

// Lint is a finding of the certificate lints.
type Lint struct {
	Name     string `json:"name"`
	Severity string `json:"severity"`
	Text     string `json:"text"`
	Section  string `json:"section,omitempty"`
	Depth    int    `json:"depth"`
}

// Leaf is the end-entity certificate of the chain; nil if none came.
func (c *Chain) Leaf() *Certificate {
	if len(c.Sent) == 0 {
		return nil
	}
	return &c.Sent[0]
}
