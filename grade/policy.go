package grade

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/tlswright/tlswright/internal/ciphers"
	"github.com/tlswright/tlswright/wire"
)

// Policy is a set of demands on a server: Mozilla's, an agency's or somebody's own. A field that is empty demands nothing.
// In the file form unknown fields are mistakes.
type Policy struct {
	Name      string   `json:"name"` // letters, digits, dots and dashes: "mozilla-intermediate-6.0"
	Title     string   `json:"title,omitempty"`
	Reference []string `json:"reference,omitempty"`

	Versions         []string `json:"versions,omitempty"`         // that may be offered: "TLS 1.2", "TLS 1.3"
	RequiredVersions []string `json:"requiredVersions,omitempty"` // that must be offered, all of them
	// Suites that may be taken, for all versions: registered names, OpenSSL's names, or expressions of OpenSSL's language.
	Suites         []string `json:"suites,omitempty"`
	MinCipherBits  int      `json:"minCipherBits,omitempty"`
	ForwardSecrecy bool     `json:"forwardSecrecy,omitempty"` // of every suite
	AEAD           bool     `json:"aead,omitempty"`           // in every suite
	ServerOrder    bool     `json:"serverOrder,omitempty"`    // the server's order of suites must count, before TLS 1.3
	// Groups that may be taken, by registered or OpenSSL's name. A post-quantum hybrid is allowed with its classical half.
	Groups   []string `json:"groups,omitempty"`
	AnyGroup []string `json:"anyGroup,omitempty"` // of which at least one must be taken

	CertificateTypes      []string `json:"certificateTypes,omitempty"`      // "rsa", "ecdsa", "ed25519", "mldsa"
	CertificateCurves     []string `json:"certificateCurves,omitempty"`     // "secp256r1" or "prime256v1" or "P-256"
	CertificateSignatures []string `json:"certificateSignatures,omitempty"` // "sha256WithRSAEncryption", "ecdsa-with-SHA256"
	MinRSABits            int      `json:"minRSABits,omitempty"`
	MinECBits             int      `json:"minECBits,omitempty"`
	MinDHBits             int      `json:"minDHBits,omitempty"`
	MaxLifetimeDays       int      `json:"maxLifetimeDays,omitempty"`
	Trusted               bool     `json:"trusted,omitempty"` // chain, dates, name and revocation

	HSTSMinAge           int64 `json:"hstsMinAge,omitempty"` // seconds; for servers that speak HTTP
	Redirect             bool  `json:"redirect,omitempty"`   // plain HTTP leads to HTTPS, if it is open at all
	OCSPStaple           bool  `json:"ocspStaple,omitempty"` // where the certificate names a responder
	NoCompression        bool  `json:"noCompression,omitempty"`
	SecureRenegotiation  bool  `json:"secureRenegotiation,omitempty"`
	ExtendedMasterSecret bool  `json:"extendedMasterSecret,omitempty"`
	NoEarlyData          bool  `json:"noEarlyData,omitempty"`
	NoVulnerabilities    bool  `json:"noVulnerabilities,omitempty"` // none proved

	MinGrade       Letter   `json:"minGrade,omitempty"`
	ForbiddenRules []string `json:"forbiddenRules,omitempty"` // findings that must not be there, by rule

	// What the names stand for, filled by compile.
	suites   []wire.CipherSuite
	groups   []wire.Group
	anyGroup []wire.Group
}

// Bounds of a policy file.
const (
	maxPolicy       = 64 << 10 // bytes
	maxPolicyList   = 500      // entries of one list
	maxPolicyNumber = 1 << 20
	maxExpressions  = 10 // of OpenSSL's language; each is read against all suites there are
)

// policyName is what a policy may be called: it stands in file names and attributes.
var policyName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// ParsePolicy reads a policy in JSON, strictly: an unknown field, a second value or a name that means nothing is an error that
// says what is wrong. At most 64 KiB are read.
func ParsePolicy(data []byte) (Policy, error) {
	var p Policy
	if len(data) > maxPolicy {
		return p, fmt.Errorf("the policy has %d bytes, more than the limit of %d", len(data), maxPolicy)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return Policy{}, fmt.Errorf("cannot read the policy: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Policy{}, errors.New("something follows the policy; a file holds one")
	}
	if err := keysOnce(data); err != nil {
		return Policy{}, err
	}
	if err := p.Validate(); err != nil {
		return Policy{}, err
	}
	return p, nil
}

// keysOnce refuses a policy that says something twice: the decoder takes the last word, and a person may mean the first. Letters
// in either case are the same key to the decoder.
func keysOnce(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil { // the brace
		return err
	}
	seen := make(map[string]bool)
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		name := strings.ToLower(fmt.Sprint(key))
		if seen[name] {
			return fmt.Errorf("the key %.40q is there twice", name)
		}
		seen[name] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
	}
	return nil
}

// Validate checks that every name in a policy means something and that its numbers are sane. A policy that was put together in
// Go need not be validated first: what means nothing then counts as a failure of every server.
func (p *Policy) Validate() error {
	if !policyName.MatchString(p.Name) {
		return fmt.Errorf("a policy needs a name of letters, digits, dots and dashes, not %.40q", p.Name)
	}
	for field, list := range map[string][]string{
		"versions": p.Versions, "requiredVersions": p.RequiredVersions, "suites": p.Suites, "groups": p.Groups, "anyGroup": p.AnyGroup,
		"certificateTypes": p.CertificateTypes, "certificateCurves": p.CertificateCurves, "reference": p.Reference,
		"certificateSignatures": p.CertificateSignatures, "forbiddenRules": p.ForbiddenRules,
	} {
		if len(list) > maxPolicyList {
			return fmt.Errorf("%s has %d entries, more than the limit of %d", field, len(list), maxPolicyList)
		}
	}
	for field, n := range map[string]int{
		"minCipherBits": p.MinCipherBits, "minRSABits": p.MinRSABits, "minECBits": p.MinECBits, "minDHBits": p.MinDHBits,
		"maxLifetimeDays": p.MaxLifetimeDays,
	} {
		if n < 0 || n > maxPolicyNumber {
			return fmt.Errorf("%s is %d, and must be between 0 and %d", field, n, maxPolicyNumber)
		}
	}
	if p.HSTSMinAge < 0 {
		return fmt.Errorf("hstsMinAge is %d, and must not be negative", p.HSTSMinAge)
	}
	return p.validateNames()
}

func (p *Policy) validateNames() error {
	for _, name := range append(append([]string{}, p.Versions...), p.RequiredVersions...) {
		if _, ok := versionByName(name); !ok {
			return fmt.Errorf("%.40q is no version; write \"TLS 1.2\" or \"TLS 1.3\"", name)
		}
	}
	for _, name := range p.CertificateTypes {
		if keyKind(name) == "" {
			return fmt.Errorf("%.40q is no kind of key; there are rsa, ecdsa, ed25519, ed448, mldsa and dsa", name)
		}
	}
	for _, name := range p.CertificateCurves {
		if _, ok := groupByName(name); !ok {
			return fmt.Errorf("%.40q is no curve that is known", name)
		}
	}
	for _, name := range p.CertificateSignatures {
		if signatureKind(name) == "" {
			return fmt.Errorf("%.40q is no signature algorithm that is known", name)
		}
	}
	if p.MinGrade != "" {
		if _, err := ParseLetter(string(p.MinGrade)); err != nil {
			return err
		}
	}
	known := make(map[string]bool)
	for _, id := range RuleIDs() {
		known[id] = true
	}
	for _, id := range p.ForbiddenRules {
		if !known[id] {
			return fmt.Errorf("%.40q is no rule", id)
		}
	}
	return p.compile()
}

// compile finds out what the names of suites and groups stand for.
func (p *Policy) compile() error {
	if len(p.suites) == 0 && len(p.Suites) > 0 {
		suites, err := suitesByName(p.Suites)
		if err != nil {
			return err
		}
		p.suites = suites
	}
	var err error
	if p.groups, err = groupsByName(p.Groups); err != nil {
		return err
	}
	p.anyGroup, err = groupsByName(p.AnyGroup)
	return err
}

// suitesByName looks up suites; what is no name is taken for an expression.
func suitesByName(names []string) ([]wire.CipherSuite, error) {
	known := make(map[string]wire.CipherSuite)
	for _, p := range ciphers.All() {
		known[p.Suite.String()] = p.Suite
		if p.OpenSSLName != "" {
			known[p.OpenSSLName] = p.Suite
		}
	}
	var suites []wire.CipherSuite
	expressions := 0
	for _, name := range names {
		if id, ok := known[name]; ok {
			suites = append(suites, id)
			continue
		}
		if expressions++; expressions > maxExpressions {
			return nil, fmt.Errorf("suites has more than %d expressions; write them as one, with colons between", maxExpressions)
		}
		s, err := ciphers.Evaluate(name)
		if err != nil {
			return nil, fmt.Errorf("suites: %w", err)
		}
		suites = append(suites, s.Suites...)
	}
	return suites, nil
}

func groupsByName(names []string) ([]wire.Group, error) {
	groups := make([]wire.Group, 0, len(names))
	for _, name := range names {
		g, ok := groupByName(name)
		if !ok {
			return nil, fmt.Errorf("%.40q is no group that is known", name)
		}
		groups = append(groups, g)
	}
	return groups, nil
}

// RuleIDs lists the identifiers of all rules, in the order in which they are applied.
func RuleIDs() []string {
	var ids []string
	for _, family := range families() {
		for i := range family {
			ids = append(ids, family[i].id)
		}
	}
	return ids
}

// versionByName reads a version as people and configurations write it: "TLS 1.2", "TLSv1.2", "SSLv3", "tls1.3".
func versionByName(name string) (wire.Version, bool) {
	bare := strings.ToLower(strings.NewReplacer(" ", "", "v", "", "V", "", "_", ".").Replace(name))
	switch bare {
	case "ssl2", "ssl2.0":
		return VersionSSL20, true
	case "ssl3", "ssl3.0":
		return wire.VersionSSL30, true
	case "tls1", "tls1.0":
		return wire.VersionTLS10, true
	case "tls1.1":
		return wire.VersionTLS11, true
	case "tls1.2":
		return wire.VersionTLS12, true
	case "tls1.3":
		return wire.VersionTLS13, true
	}
	return 0, false
}

// groupAliases are other names of groups: OpenSSL's and NIST's.
var groupAliases = map[string]wire.Group{
	"prime192v1": wire.GroupSecp192r1, "p-192": wire.GroupSecp192r1, "prime256v1": wire.GroupSecp256r1, "p-256": wire.GroupSecp256r1,
	"p-224": wire.GroupSecp224r1, "p-384": wire.GroupSecp384r1, "p-521": wire.GroupSecp521r1, "curve25519": wire.GroupX25519,
	"sm2": wire.GroupCurveSM2,
}

// groupByName finds a group by its registered name or an alias, in any case of letters.
func groupByName(name string) (wire.Group, bool) {
	if g, ok := groupAliases[strings.ToLower(name)]; ok {
		return g, true
	}
	for _, span := range [...][2]wire.Group{{1, 0x2a}, {0x100, 0x104}, {0x200, 0x202}, {0x11eb, 0x11ee}, {0x6399, 0x639a}} {
		for g := span[0]; g <= span[1]; g++ {
			if strings.EqualFold(g.String(), name) {
				return g, true
			}
		}
	}
	return 0, false
}

// keyKind brings the names of kinds of keys to one form; "" for what is none.
func keyKind(name string) string {
	switch n := strings.ToLower(name); {
	case strings.HasPrefix(n, "rsa"):
		return "rsa"
	case n == "ecdsa", n == "ec", n == "ecc":
		return "ecdsa"
	case strings.HasPrefix(n, "ed25519"), n == "eddsa":
		return "ed25519"
	case strings.HasPrefix(n, "ed448"):
		return "ed448"
	case n == "dsa", n == "dss":
		return "dsa"
	case strings.HasPrefix(n, "ml-dsa"), strings.HasPrefix(n, "mldsa"):
		return "mldsa"
	}
	return ""
}

// signatureKind brings the names of signature algorithms to one form: "sha256WithRSAEncryption" and "SHA256-RSA" are both
// "rsa-sha256"; "" for what is none.
func signatureKind(name string) string {
	n := strings.ToLower(name)
	if k := keyKind(n); k == "ed25519" || k == "ed448" {
		return k
	} else if k == "mldsa" {
		return strings.ReplaceAll(n, "-", "")
	}
	algorithm := ""
	for _, a := range []struct{ word, name string }{{"pss", "rsapss"}, {"ecdsa", "ecdsa"}, {"rsa", "rsa"}, {"dsa", "dsa"}, {"gost", "gost"}} {
		if strings.Contains(n, a.word) {
			algorithm = a.name
			break
		}
	}
	for _, hash := range []string{"sha512", "sha384", "sha256", "sha224", "sha1", "md5", "md2"} {
		if strings.Contains(n, hash) && algorithm != "" {
			return algorithm + "-" + hash
		}
	}
	return ""
}
