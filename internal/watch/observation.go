package watch

import (
	"encoding/json"
	"time"
)

// Source is where something was seen.
type Source string

// The sources.
const (
	Served Source = "served" // a server presents it
	Disk   Source = "disk"   // it lies in a file
	Issued Source = "issued" // our own CA has made it
	Logged Source = "logged" // a CT log has it
	Shown  Source = "shown"  // we show it to a server that asks for a client certificate
)

// Outcome is how a look ended.
type Outcome string

// The outcomes.
const (
	Answered    Outcome = "answered"    // there is a certificate; whatever followed
	Unresolved  Outcome = "dns"         // the name has no address
	Refused     Outcome = "refused"     // nobody listens
	TimedOut    Outcome = "timeout"     // no answer in time
	NotTLS      Outcome = "not-tls"     // something else answered, or the handshake broke off before a certificate came
	Unreadable  Outcome = "unreadable"  // a file that cannot be read, or holds no certificate
	Unreachable Outcome = "unreachable" // no route and the like
	Caught      Outcome = "misbehaves"  // a log whose answers cannot be true
)

// Observation is one look at one address of a target, or at one file.
type Observation struct {
	Target  string        `json:"target"` // as it is configured
	Place   string        `json:"place"`  // "192.0.2.1:443", a path, the name of a log
	Source  Source        `json:"source"`
	At      time.Time     `json:"at"`
	Took    time.Duration `json:"took,omitempty"` // nanoseconds
	Outcome Outcome       `json:"outcome"`
	Error   string        `json:"error,omitempty"`   // fit to print
	Version string        `json:"version,omitempty"` // "TLS 1.3"; of the best handshake
	Suite   string        `json:"suite,omitempty"`
	Group   string        `json:"group,omitempty"`
	ALPN    string        `json:"alpn,omitempty"`
	Grade   string        `json:"grade,omitempty"` // of the last full scan
	// AsksClient says that the server wants a client certificate, and perhaps refused us for want of one. That is no fault.
	AsksClient bool `json:"asks_client,omitempty"`
	// ClientRefused says how the server refused the client certificate that it was shown; "": it did not.
	ClientRefused string `json:"client_refused,omitempty"`
	Leaves        []Leaf `json:"leaves,omitempty"` // one for each kind of key that it presents
	Lists         []List `json:"lists,omitempty"`  // CRLs, of files
	// Log is how far a log was read, in the form of who reads it; and Behind how many entries of it are still to be read.
	Log    json.RawMessage `json:"log,omitempty"`
	Behind uint64          `json:"behind,omitempty"`
}

// Leaf is one certificate with what came along, and what became of verifying it.
type Leaf struct {
	Chain []Certificate `json:"chain"`          // as sent, leaf first
	Path  []Certificate `json:"path,omitempty"` // the verified path that lasts longest, leaf first, root last; empty: there is none
	Trust []Trust       `json:"trust,omitempty"`
	// Incomplete says that intermediates are missing from what was sent, and Repairable that they can be had where the
	// certificate says (AIA), as browsers do and most programs do not.
	Incomplete bool     `json:"incomplete,omitempty"`
	Repairable bool     `json:"repairable,omitempty"`
	Name       string   `json:"name,omitempty"`       // why it is not for the name that was asked for; "": it is, or nothing was asked for
	Revocation string   `json:"revocation,omitempty"` // "good", "revoked", "unknown"; "": not looked up
	Revoked    string   `json:"revoked,omitempty"`    // when and why, for people
	Staple     *Staple  `json:"staple,omitempty"`
	MustStaple bool     `json:"must_staple,omitempty"`
	Logged     *Logging `json:"logged,omitempty"` // of one that was found in a log
}

// Trust is what one trust store says of a chain, from nothing but what was sent.
type Trust struct {
	Store string `json:"store"`
	// Own says that these are private CAs. A chain that one of them trusts need not be known to the stores of others.
	Own     bool   `json:"own,omitempty"`
	Trusted bool   `json:"trusted"`
	Problem string `json:"problem,omitempty"` // fit to print
}

// Staple is an OCSP answer that came along.
type Staple struct {
	Status     string    `json:"status"`            // "good", "revoked", "unknown"
	Problem    string    `json:"problem,omitempty"` // why no client takes it
	ThisUpdate time.Time `json:"this_update"`
	NextUpdate time.Time `json:"next_update"` // zero: none said
}

// List is a CRL, or an OCSP answer that was put into a file.
type List struct {
	Issuer     string    `json:"issuer"`
	Answer     string    `json:"answer,omitempty"` // what an OCSP answer says, "good", "revoked", "unknown"; Issuer is what it is about then
	Number     string    `json:"number,omitempty"`
	ThisUpdate time.Time `json:"this_update"`
	NextUpdate time.Time `json:"next_update"`
	Entries    int       `json:"entries"`
}

// Certificate is what a monitor needs to know of one. Texts are fit to print.
type Certificate struct {
	Fingerprint string    `json:"sha256"` // of the DER, lower-case hexadecimal
	Subject     string    `json:"subject"`
	Issuer      string    `json:"issuer"`
	Names       []string  `json:"names,omitempty"`
	Serial      string    `json:"serial"`
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
	Key         string    `json:"key"` // "ECDSA P-256"
	Pin         string    `json:"pin"` // SHA-256 of the SubjectPublicKeyInfo, lower-case hexadecimal
	Signature   string    `json:"signature"`
	IsCA        bool      `json:"is_ca,omitempty"`
	SelfSigned  bool      `json:"self_signed,omitempty"`
	Weak        string    `json:"weak,omitempty"` // why key or signature are too weak; "": they are not
}

// Lifetime is how long the certificate is valid in all.
func (c *Certificate) Lifetime() time.Duration { return c.NotAfter.Sub(c.NotBefore) }

// Leaf returns the first certificate that was sent, or nil.
func (l *Leaf) Leaf() *Certificate {
	if len(l.Chain) == 0 {
		return nil
	}
	return &l.Chain[0]
}
