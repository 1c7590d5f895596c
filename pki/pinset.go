package pki

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxPins bounds a pin set: each is compared with each certificate of a chain.
const maxPins = 64

// PinSet is the keys and certificates of which one must be in a peer's chain. The
// order is kept.
type PinSet []Pin

// Match looks for the first certificate of a chain, leaf first, that is pinned.
// Only a chain that was verified may be asked: an attacker can add any
// certificate to the one he sends (RFC 7469, Section 2.6).
func (s PinSet) Match(chain []*x509.Certificate) (Pin, bool) {
	for _, c := range chain {
		for _, p := range s {
			if p.Matches(c) {
				return p, true
			}
		}
	}
	return Pin{}, false
}

// Validate says why a set should not be put to use with this chain (leaf first,
// root included if known): nothing in it matches, or everything in it does. At
// least one pin must be of a key that is not in use yet (RFC 7469, Section 4.3),
// for when the pinned one is lost, the site is lost with it. The errors are
// [*RefusedError].
func (s PinSet) Validate(chain []*x509.Certificate) error {
	switch {
	case len(s) == 0:
		return refuse("add the pin of a key", "the set has no pins")
	case len(s) > maxPins:
		return refuse("pin issuers instead of leaves", "the set has %d pins, more than %d", len(s), maxPins)
	}
	matching, backups := 0, 0
	for i, p := range s {
		if slices.Contains(s[:i], p) {
			return refuse("remove one", "the pin %s is there twice", p)
		}
		if slices.ContainsFunc(chain, p.Matches) {
			matching++
		} else {
			backups++
		}
	}
	switch {
	case matching == 0:
		return refuse("add the pin of the leaf's, an intermediate's or the root's key", "no pin matches the chain: nobody could connect")
	case backups == 0:
		return refuse("make a key, keep it offline, and add its pin",
			"every pin is of a key in use: there is no backup for when it is lost")
	}
	return nil
}

// ParsePinSet reads pins separated by semicolons, commas, white space or lines,
// each in a form that [ParsePin] knows. An empty set is an error.
func ParsePinSet(text string) (PinSet, error) {
	var set PinSet
	for field := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(";, \t\r\n", r) }) {
		if len(set) == maxPins {
			return nil, fmt.Errorf("more than %d pins", maxPins)
		}
		p, err := ParsePin(field)
		if err != nil {
			return nil, err
		}
		set = append(set, p)
	}
	if len(set) == 0 {
		return nil, fmt.Errorf("no pins in %q", short(text))
	}
	return set, nil
}

// keyPins are the pins as base64, which is all that the snippets below can say.
func (s PinSet) keyPins(form string) ([]string, error) {
	var hashes []string
	for _, p := range s {
		if p.Kind != PinKindSPKI {
			return nil, refuse("pin its public key instead", "%s cannot pin a whole certificate (%s)", form, p)
		}
		hashes = append(hashes, p.Base64())
	}
	if len(hashes) == 0 {
		return nil, refuse("add the pin of a key", "the set has no pins")
	}
	return hashes, nil
}

// HPKPHeader is the set as an HTTP header line, without line end (RFC 7469,
// Section 2.1). maxAge is rounded down to seconds. Browsers no longer heed it.
func (s PinSet) HPKPHeader(maxAge time.Duration, subdomains bool) (string, error) {
	hashes, err := s.keyPins("the header")
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("Public-Key-Pins: ")
	for _, h := range hashes {
		fmt.Fprintf(&b, `pin-sha256="%s"; `, h)
	}
	fmt.Fprintf(&b, "max-age=%d", max(0, int64(maxAge/time.Second)))
	if subdomains {
		b.WriteString("; includeSubDomains")
	}
	return b.String(), nil
}

// CurlPinnedPubKey is the set as the argument of curl's --pinnedpubkey.
func (s PinSet) CurlPinnedPubKey() (string, error) {
	hashes, err := s.keyPins("curl")
	if err != nil {
		return "", err
	}
	return "sha256//" + strings.Join(hashes, ";sha256//"), nil
}

// AndroidConfig is the set as an Android network security configuration for one
// host. Android stops heeding pins after the day expires; zero: never.
func (s PinSet) AndroidConfig(host string, subdomains bool, expires time.Time) (string, error) {
	hashes, err := s.keyPins("Android")
	if err != nil {
		return "", err
	}
	if err := checkPinHost(host); err != nil {
		return "", err
	}
	until := ""
	if !expires.IsZero() {
		until = fmt.Sprintf(` expiration="%s"`, expires.UTC().Format(time.DateOnly))
	}
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<network-security-config>\n    <domain-config>\n")
	fmt.Fprintf(&b, "        <domain includeSubdomains=\"%t\">%s</domain>\n        <pin-set%s>\n", subdomains, host, until)
	for _, h := range hashes {
		fmt.Fprintf(&b, "            <pin digest=\"SHA-256\">%s</pin>\n", h)
	}
	b.WriteString("        </pin-set>\n    </domain-config>\n</network-security-config>\n")
	return b.String(), nil
}

// OkHttp is the set as Java for OkHttp's CertificatePinner, for one host or, with
// "*." before it, for the names one label below.
func (s PinSet) OkHttp(host string) (string, error) {
	hashes, err := s.keyPins("OkHttp")
	if err != nil {
		return "", err
	}
	if err := checkPinHost(strings.TrimPrefix(host, "*.")); err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("CertificatePinner pinner = new CertificatePinner.Builder()\n")
	for _, h := range hashes {
		fmt.Fprintf(&b, "    .add(\"%s\", \"sha256/%s\")\n", host, h)
	}
	b.WriteString("    .build();\n")
	return b.String(), nil
}

// checkPinHost lets only letters, digits, hyphens, underscores and dots into
// source text that others will paste.
func checkPinHost(host string) error {
	odd := func(r rune) bool {
		return r != '-' && r != '_' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}
	if host == "" || len(host) > 253 || strings.ContainsFunc(host, odd) {
		return fmt.Errorf("%q is not a host name to pin for", short(host))
	}
	return nil
}
