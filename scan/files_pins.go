package scan

import (
	"regexp"
	"slices"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/pki"
)

// pinPattern finds pins in one way of writing them; the hash is its first group.
type pinPattern struct {
	only *regexp.Regexp // what the file must hold; nil: anything
	pin  *regexp.Regexp
}

// pinPatterns are the ways in which pins are written down: ours and curl's, the HTTP header (RFC 7469, Section 2.1), Android's
// network security configuration, iOS's property lists.
func pinPatterns() []pinPattern {
	const hash = `([A-Za-z0-9+/]{43}=)`
	return []pinPattern{
		{pin: regexp.MustCompile(`sha256/{1,2}` + hash)},
		{pin: regexp.MustCompile(`pin-sha256=\\?["']` + hash)},
		{pin: regexp.MustCompile(`(?i)digest\s*=\s*"SHA-256"\s*>\s*` + hash + `\s*<`)},
		{only: regexp.MustCompile(`kTSKPublicKeyHashes|SPKI-SHA256-BASE64`), pin: regexp.MustCompile(`<string>\s*` + hash + `\s*</string>`)},
	}
}

// maxPinsInFile bounds what is taken of one file.
const maxPinsInFile = 1000

// findPins gives the pins of public keys in a text, each once.
func (l *fileLook) findPins(content []byte) []string {
	var pins []string
	seen := make(map[string]bool)
	for _, p := range l.patterns {
		if p.only != nil && !p.only.Match(content) {
			continue
		}
		for _, m := range p.pin.FindAllSubmatch(content, maxPinsInFile) {
			parsed, err := pki.ParsePin("sha256/" + string(m[1]))
			if err != nil || seen[parsed.String()] {
				continue
			}
			seen[parsed.String()] = true
			pins = append(pins, parsed.String())
		}
	}
	return pins
}

// pins says whether a pin set survives the loss of the key in use (RFC 7469, Section 4.3): it needs the pin of one that is
// not.
func (l *fileLook) pins(f *grade.FileFact, content []byte) {
	pins := l.findPins(content)
	f.Pins = len(pins)
	inUse := 0
	for _, p := range pins {
		if slices.Contains(l.o.Served, p) {
			inUse++
		}
	}
	switch {
	case len(pins) == 1:
		f.Backup = grade.No
		f.Problems = append(f.Problems, "it has a single pin: when that key is lost or renewed, nobody can connect; make a second key, keep it offline, and add its pin")
	case len(l.o.Served) == 0:
		f.Backup = grade.Unknown
		note(f, "scan the server along with it to learn whether one of them is a backup")
	case inUse == len(pins):
		f.Backup = grade.No
		f.Problems = append(f.Problems, "every pin is of a key in use: there is no backup for when it is lost; make a key, keep it offline, and add its pin")
	default:
		f.Backup = grade.Yes
	}
	if len(l.o.Served) > 0 && inUse == 0 {
		f.Problems = append(f.Problems, "none of its pins is in the chains that were served: who keeps to them cannot connect")
	}
}
