package trace

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tlswright/tlswright/wire"
)

// Fingerprints are what hellos look alike by: short names by which somebody on the path, or a server, tells one program
// from another. They are no secrets and prove nothing: whoever sends the same hello has the same ones. An empty string:
// the hello was not seen.
//
// JA4S, the server's counterpart of JA4, is not computed: its terms forbid some uses, and this project forbids none.
type Fingerprints struct {
	JA3      string `json:"ja3,omitempty"` // MD5 of JA3Text, 32 hexadecimal digits
	JA3Text  string `json:"ja3_text,omitempty"`
	JA4      string `json:"ja4,omitempty"`      // "t13d1516h2_8daaf6152771_d8a2da3f94cd"
	JA4Text  string `json:"ja4_text,omitempty"` // JA4 with the lists in the place of their hashes
	JA3S     string `json:"ja3s,omitempty"`     // of the server's answer, which depends on the client's hello
	JA3SText string `json:"ja3s_text,omitempty"`
}

// Fingerprints computes the fingerprints of both hellos. Of two ClientHellos the first counts, for it is the one that a
// client sends unasked; of the server's answers the ServerHello, or else a HelloRetryRequest.
func (r *Recording) Fingerprints() Fingerprints {
	var f Fingerprints
	if hello := r.clientHello(); hello != nil {
		f.client(hello)
	}
	if hello := r.serverHello(); hello != nil {
		f.server(hello)
	}
	return f
}

// FingerprintHello computes the fingerprints of one ClientHello with its four-byte header. The error says why it is none.
func FingerprintHello(raw []byte) (Fingerprints, error) {
	var f Fingerprints
	var hello wire.ClientHello
	if err := hello.Parse(raw); err != nil {
		return f, err
	}
	f.client(&hello)
	return f, nil
}

func (f *Fingerprints) client(hello *wire.ClientHello) {
	f.JA3Text = ja3(hello)
	f.JA3 = md5Hex(f.JA3Text)
	f.JA4, f.JA4Text = ja4(hello)
}

// server computes JA3S: version, cipher suite and extensions of the answer, all as decimal numbers.
func (f *Fingerprints) server(hello *wire.ServerHello) {
	f.JA3SText = fmt.Sprintf("%d,%d,%s", uint16(hello.LegacyVersion), uint16(hello.CipherSuite), decimals(extensionTypes(hello.Extensions)))
	f.JA3S = md5Hex(f.JA3SText)
}

// md5Hex is what JA3 takes for a hash: it only has to be short, not to withstand anybody.
func md5Hex(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// ja3 lists version, suites, extensions, groups and point formats in the order of the hello, without GREASE.
func ja3(hello *wire.ClientHello) string {
	var groups wire.SupportedGroups
	var formats wire.ECPointFormats
	// What cannot be read counts as empty: a fingerprint judges nothing.
	_, _ = hello.Ext(&groups)
	_, _ = hello.Ext(&formats)
	points := make([]uint16, 0, len(formats.Formats))
	for _, p := range formats.Formats {
		points = append(points, uint16(p))
	}
	return strings.Join([]string{
		strconv.Itoa(int(hello.LegacyVersion)),
		decimals(ungreased(hello.CipherSuites)),
		decimals(extensionTypes(hello.Extensions)),
		decimals(ungreased(groups.Groups)),
		decimals(points),
	}, ",")
}

// ja4 gives the fingerprint, and the same with the lists in full.
func ja4(hello *wire.ClientHello) (hashed, full string) {
	suites := hexes(ungreased(hello.CipherSuites))
	types := extensionTypes(hello.Extensions)
	head := fmt.Sprintf("t%s%s%02d%02d%s", ja4Version(hello), ja4Name(types), min(len(suites), 99), min(len(types), 99), ja4ALPN(hello))

	slices.Sort(suites)
	var kept []uint16
	for _, t := range types {
		if t != uint16(wire.ExtServerName) && t != uint16(wire.ExtALPN) {
			kept = append(kept, t)
		}
	}
	extensions := hexes(kept)
	slices.Sort(extensions)
	var schemes wire.SignatureAlgorithms
	_, _ = hello.Ext(&schemes)
	list, tail := strings.Join(suites, ","), strings.Join(extensions, ",")
	if signatures := hexes(ungreased(schemes.Schemes)); len(signatures) > 0 {
		tail += "_" + strings.Join(signatures, ",")
	}
	return head + "_" + ja4Hash(list) + "_" + ja4Hash(tail), head + "_" + list + "_" + tail
}

// ja4Version is the highest version offered, as two characters.
func ja4Version(hello *wire.ClientHello) string {
	highest := hello.LegacyVersion
	var offered wire.SupportedVersions
	if ok, err := hello.Ext(&offered); ok && err == nil {
		highest = 0
		for _, v := range ungreased(offered.Versions) {
			highest = max(highest, wire.Version(v))
		}
	}
	switch highest {
	case wire.VersionTLS13:
		return "13"
	case wire.VersionTLS12:
		return "12"
	case wire.VersionTLS11:
		return "11"
	case wire.VersionTLS10:
		return "10"
	case wire.VersionSSL30:
		return "s3"
	}
	return "00"
}

// ja4Name says whether a host was named: d for a domain, i for an address.
func ja4Name(types []uint16) string {
	if slices.Contains(types, uint16(wire.ExtServerName)) {
		return "d"
	}
	return "i"
}

// ja4ALPN is the first and the last character of the first application protocol, or where these are no letters and
// digits, of its hexadecimal form.
func ja4ALPN(hello *wire.ClientHello) string {
	var alpn wire.ALPN
	if ok, err := hello.Ext(&alpn); !ok || err != nil || len(alpn.Protocols) == 0 || len(alpn.Protocols[0]) == 0 {
		return "00"
	}
	p := string(alpn.Protocols[0])
	if !isAlphanumeric(p[0]) || !isAlphanumeric(p[len(p)-1]) {
		p = hex.EncodeToString([]byte(p))
	}
	return p[:1] + p[len(p)-1:]
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// ja4Hash is the first half of a SHA-256, zeros for an empty list.
func ja4Hash(list string) string {
	const digits = 12
	if list == "" {
		return strings.Repeat("0", digits)
	}
	sum := sha256.Sum256([]byte(list))
	return hex.EncodeToString(sum[:])[:digits]
}

// ungreased leaves out the values that stand for nothing (RFC 8701).
func ungreased[T ~uint16](values []T) []uint16 {
	var kept []uint16
	for _, v := range values {
		if !wire.IsGREASE(uint16(v)) {
			kept = append(kept, uint16(v))
		}
	}
	return kept
}

func extensionTypes(extensions wire.Extensions) []uint16 {
	types := make([]wire.ExtensionType, len(extensions))
	for i, e := range extensions {
		types[i] = e.Type
	}
	return ungreased(types)
}

// decimals writes numbers as JA3 does: "4865-4866".
func decimals(values []uint16) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = strconv.Itoa(int(v))
	}
	return strings.Join(words, "-")
}

// hexes writes numbers as JA4 does: "1301".
func hexes(values []uint16) []string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = fmt.Sprintf("%04x", v)
	}
	return words
}
