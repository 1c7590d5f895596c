package access

import "net/netip"

// Subject is who asks: what a verified leaf certificate says of its holder. The zero Subject showed no certificate.
type Subject struct {
	Present     bool // a certificate was shown, and verified
	CommonName  string
	Units       []string // organizational units
	DNS         []string // lower case
	IPs         []netip.Addr
	Emails      []string
	URIs        []string // SPIFFE ids too
	Pin         [32]byte // SHA-256 of the SubjectPublicKeyInfo
	Fingerprint [32]byte // SHA-256 of the certificate
	Serial      string   // hexadecimal, lower case
	Name        string   // the whole subject, fit to print
	Issuer      string   // fit to print
}

// Rule allows, or denies, subjects that fit all of its fields. A field is a pattern of its kind; "" asks for nothing. A
// rule without any pattern fits every verified certificate; Anyone fits those without one, too.
//
// A star stands for one character or more, and never for one that separates: not for dots, slashes and @ in common
// names and units, not for dots in DNS names and hosts, not for slashes in URIs. Case counts, but for DNS names and the
// domains of e-mail addresses.
type Rule struct {
	Name   string // where it stands, for people: "sites.app.allow[1]"
	Anyone bool
	CN     string // "alice", "*-service"; "**" is for any characters: "**.corp.example"
	OU     string // as CN; one of the units must fit
	DNS    string // "*.corp.example": the star is exactly one label, or a part of one; "**.corp.example": one label or more
	IP     string // address or prefix
	Email  string // "ops@corp.example", "*@corp.example"
	URI    string // "spiffe://corp.example/ns/*/sa/web": a star is within one path segment, ** at the end is the rest
	Pin    string // of the key: "sha256/BASE64"; of key or certificate: hexadecimal, as programs show fingerprints
	Serial string // hexadecimal, with colons or without
}

// Policy is an ordered set of rules: any Deny that fits denies, then any Allow that fits allows, and all else is denied.
// A nil Policy allows everybody: nothing was asked for.
type Policy struct {
	Name        string // where it stands, for people: "sites.app.clients"; "--" for flags
	Allow, Deny []Rule
}

// Decision is what a policy says of a subject, and why.
type Decision struct {
	Allowed bool
	Rule    string // the name of the rule that decided; "": none fits
	Reason  Reason
	Text    string // one sentence, fit to print
	Nearest string // what would have been allowed, and how close the subject came; "" where that says nothing
	Fix     string // what to do about it; "" where nothing
}

// Reason is why, as a stable word.
type Reason string

// The reasons of decisions.
const (
	Allowed       Reason = "allowed"
	NoCertificate Reason = "no-certificate" // none was shown, and rules ask for one
	NoRule        Reason = "no-rule"        // no rule allows this subject
	Denied        Reason = "denied"         // a rule denies it
)
