package grade

import (
	"time"

	"github.com/tlswright/tlswright/wire"
)

// FactsSchema is the version of the JSON form of [Facts]. It changes when a field changes its meaning or goes away; new
// fields do not change it.
const FactsSchema = 1

// Facts is what a scan found out about one server at one address. Its JSON form is stored and judged again later: all
// that the judgement needs is in it.
type Facts struct {
	Schema int    `json:"schema"` // FactsSchema
	Tool   string `json:"tool,omitempty"`

	Host       string    `json:"host"`                 // as it was asked for
	Port       int       `json:"port"`                 //
	Address    string    `json:"address,omitempty"`    // that was connected to, without the port
	ServerName string    `json:"serverName,omitempty"` // sent in the hello (SNI); empty: none
	StartTLS   string    `json:"startTLS,omitempty"`   // protocol of the upgrade, as "smtp"; empty: TLS from the first byte
	Time       time.Time `json:"time"`                 // when the scan began; certificates are judged for it
	Seconds    float64   `json:"seconds"`              // how long it took
	// Connections is how many TCP connections the scan made.
	Connections int  `json:"connections"`
	Quick       bool `json:"quick,omitempty"` // only what one handshake tells
	// Unreachable is why there are no facts: nobody answered, or what answered speaks no TLS. Empty otherwise.
	Unreachable string `json:"unreachable,omitempty"`
	// Gaps are the questions that got no answer, because the server throttled, hung up or took too long. What is in a
	// gap counts as unknown, never as absent.
	Gaps []Gap `json:"gaps,omitempty"`

	Protocols       []Protocol      `json:"protocols,omitempty"` // one for each version that was asked about, SSLv2 first
	SSL2Kinds       []Numbered      `json:"ssl2Kinds,omitempty"` // cipher kinds of SSLv2
	Groups          []Group         `json:"groups,omitempty"`    // in the server's order where it has one
	GroupOrder      Answer          `json:"groupOrder,omitempty"`
	DH              []DH            `json:"dh,omitempty"` // finite-field parameters that were sent, each once
	Schemes         []Scheme        `json:"schemes,omitempty"`
	Chains          []Chain         `json:"chains,omitempty"` // one for each certificate that is served, by kind of key
	Features        Features        `json:"features"`
	Vulnerabilities []Vulnerability `json:"vulnerabilities,omitempty"`
	Simulations     []Simulation    `json:"simulations,omitempty"`
	HTTP            *HTTP           `json:"http,omitempty"`
	DNS             *DNS            `json:"dns,omitempty"`
	// Software is how the server calls itself: "nginx/1.22.1".
	Software string `json:"software,omitempty"`
}

// Answer is what is known about a yes-or-no question.
type Answer string

// The answers. The zero value says that nobody asked.
const (
	Unasked Answer = ""
	Yes     Answer = "yes"
	No      Answer = "no"
	Unknown Answer = "unknown" // asked, and no answer could be had
)

// AnswerOf turns a bool into an answer.
func AnswerOf(b bool) Answer {
	if b {
		return Yes
	}
	return No
}

// Gap is a question without an answer.
type Gap struct {
	Probe  string `json:"probe"`  // "suites of TLS 1.2"
	Reason string `json:"reason"` // fit to print
}

// VersionSSL20 stands for SSL 2.0, whose version is 0x0002 on the wire.
const VersionSSL20 wire.Version = 0x0002

// Protocol is one version of the protocol and what the server does in it.
type Protocol struct {
	Version wire.Version `json:"version"`
	Name    string       `json:"name"` // "TLS 1.2"
	Offered Answer       `json:"offered"`
	Suites  []Suite      `json:"suites,omitempty"` // in the server's order of preference where Order is Yes
	// Order says whether the server insists on its own order of suites; No: the client's counts.
	Order Answer `json:"order,omitempty"`
	// PrioritizesChaCha: the server's order, but ChaCha20 first for clients that put it first.
	PrioritizesChaCha Answer `json:"prioritizesChaCha,omitempty"`
	// Complete says that all suites were asked about to the end.
	Complete bool `json:"complete"`
}

// Numbered is a registered number with its name.
type Numbered struct {
	ID   uint32 `json:"id"`
	Name string `json:"name"`
}

// Suite is a cipher suite the server takes in one version.
type Suite struct {
	ID   wire.CipherSuite `json:"id"`
	Name string           `json:"name"` // as registered
	// Group and DHBits are what the server used for the ephemeral key exchange when this suite was negotiated.
	Group  wire.Group `json:"group,omitempty"`
	DHBits int        `json:"dhBits,omitempty"`
	// RSABits is the size of an export suite's temporary RSA key.
	RSABits int `json:"rsaBits,omitempty"`
}

// Group is a group for key exchange that the server takes.
type Group struct {
	ID       wire.Group     `json:"id"`
	Name     string         `json:"name"`
	Versions []wire.Version `json:"versions"` // in which it was negotiated
	Hybrid   bool           `json:"hybrid,omitempty"`
}

// DH is one set of Diffie-Hellman parameters the server sent before TLS 1.3.
type DH struct {
	Bits      int    `json:"bits"`
	Prime     string `json:"prime"`           // hexadecimal
	Generator string `json:"generator"`       // hexadecimal
	Known     string `json:"known,omitempty"` // name of a prime that is in common use: "RFC 2409 group 2", "ffdhe2048"
	Safe      Answer `json:"safe"`            // (p-1)/2 is prime, too
	Composite bool   `json:"composite,omitempty"`
	// Reused says that the server sent the same public value on two connections.
	Reused Answer `json:"reused,omitempty"`
	// Suites that were seen with it.
	Export bool `json:"export,omitempty"`
}

// Scheme is a signature scheme that the server signs handshakes with.
type Scheme struct {
	ID       wire.SignatureScheme `json:"id"`
	Name     string               `json:"name"`
	Versions []wire.Version       `json:"versions"`
}

// Simulation is what a well-known client would come to with this server: its own hello was sent.
type Simulation struct {
	Client string `json:"client"` // "Firefox 128 ESR"
	// Source is "captured" for a hello taken off the wire, "documented" for one written from public documentation.
	Source    string           `json:"source"`
	Reference bool             `json:"reference,omitempty"` // one of those by which forward secrecy and modern suites are judged
	OK        Answer           `json:"ok"`
	Version   wire.Version     `json:"version,omitempty"`
	Suite     wire.CipherSuite `json:"suite,omitempty"`
	SuiteName string           `json:"suiteName,omitempty"`
	Group     wire.Group       `json:"group,omitempty"`
	GroupName string           `json:"groupName,omitempty"`
	KeyType   string           `json:"keyType,omitempty"` // of the certificate: "RSA", "ECDSA"
	ALPN      string           `json:"alpn,omitempty"`
	Problem   string           `json:"problem,omitempty"` // why not
}

// Verdict on a vulnerability.
type Verdict string

// The verdicts. Vulnerable needs proof: something the server sent or did that a healthy one does not.
const (
	Vulnerable    Verdict = "vulnerable"
	Potential     Verdict = "potential" // the conditions are there, the attack depends on what cannot be seen from here
	NotVulnerable Verdict = "not vulnerable"
	Inconclusive  Verdict = "unknown"
	NotApplicable Verdict = "not applicable" // what the attack needs is not offered
)

// Vulnerability is the verdict about one known attack.
type Vulnerability struct {
	ID       string   `json:"id"`   // "heartbleed"
	Name     string   `json:"name"` // "Heartbleed"
	Verdict  Verdict  `json:"verdict"`
	Text     string   `json:"text"`               // one sentence: what was sent and what came back
	Evidence []string `json:"evidence,omitempty"` // bytes in hexadecimal, names of suites, …; fit to print, each at most 200 bytes
	CVE      []string `json:"cve,omitempty"`
	URL      string   `json:"reference,omitempty"`
	// Strength refines the verdict where there are degrees: "weak oracle", "strong oracle", "exploitable".
	Strength string `json:"strength,omitempty"`
}

// Vulnerability finds the verdict about one attack; nil if nobody asked.
func (f *Facts) Vulnerability(id string) *Vulnerability {
	for i := range f.Vulnerabilities {
		if f.Vulnerabilities[i].ID == id {
			return &f.Vulnerabilities[i]
		}
	}
	return nil
}

// Protocol finds what is known about a version; nil if nobody asked.
func (f *Facts) Protocol(v wire.Version) *Protocol {
	for i := range f.Protocols {
		if f.Protocols[i].Version == v {
			return &f.Protocols[i]
		}
	}
	return nil
}

// Offers reports whether a version is known to be offered.
func (f *Facts) Offers(v wire.Version) bool {
	p := f.Protocol(v)
	return p != nil && p.Offered == Yes
}
