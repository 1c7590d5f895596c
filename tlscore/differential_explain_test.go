package tlscore_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// divergences name the reasons why crypto/tls and we may judge otherwise. Each has a row in docs/divergences.md.
const (
	divergeMandatory     = "mandatory extension"
	divergeShareRules    = "rules of key_share"
	divergePSKOffer      = "binders and identities"
	divergeFallback      = "fallback above TLS 1.2"
	divergeBeforeRetry   = "refused before the retry"
	divergeKeyCurve      = "curve of the certificate"
	divergeTrailingDot   = "trailing dot"
	divergeStatusType    = "other status types"
	divergePSKBelow13    = "pre_shared_key below TLS 1.3"
	divergeRenegotiation = "renegotiation_info in TLS 1.3"
	divergeNoGroups      = "no groups in TLS 1.2"
	divergeEarlyData     = "early data"
	divergeBehind        = "data behind a hello"
	divergeUnread        = "extensions that only we read"
	divergeQUIC          = "quic_transport_parameters"
	divergeUnsolicited   = "unsolicited extensions"
	divergeMisplaced     = "misplaced extensions"
	divergeSelected12    = "supported_versions with TLS 1.2"
)

func divergences() []string {
	return []string{
		divergeMandatory, divergeShareRules, divergePSKOffer, divergeFallback, divergeBeforeRetry, divergeKeyCurve,
		divergeTrailingDot, divergeStatusType, divergePSKBelow13, divergeRenegotiation, divergeNoGroups, divergeEarlyData, divergeBehind, divergeUnread, divergeQUIC,
		divergeUnsolicited, divergeMisplaced, divergeSelected12,
	}
}

// TestDivergencesAreDocumented holds the names to the rows of the document, both ways.
func TestDivergencesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/divergences.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "## Where crypto/tls judges otherwise")
	if !found {
		t.Fatal("the section is missing")
	}
	section, _, _ = strings.Cut(section, "\n## ") // other comparisons have sections of their own
	var rows []string
	for line := range strings.Lines(section) {
		if name, ok := strings.CutPrefix(line, "| "); ok && !strings.HasPrefix(name, "---") && !strings.HasPrefix(name, "name ") {
			name, _, _ = strings.Cut(name, " |")
			rows = append(rows, name)
		}
	}
	want := divergences()
	slices.Sort(rows)
	slices.Sort(want)
	if !slices.Equal(rows, want) {
		t.Errorf("the document explains %q, the tests %q", rows, want)
	}
}

// traits are what explanations go by.
type traits struct {
	hello  wire.ClientHello
	groups []wire.Group
	name   []byte
	is13   bool
}

func traitsOf(raw []byte) (x traits, ok bool) {
	if len(raw) >= 4 {
		raw = raw[:min(len(raw), 4+int(raw[1])<<16+int(raw[2])<<8+int(raw[3]))]
	}
	if x.hello.Parse(bytes.Clone(raw)) != nil {
		return x, false
	}
	var versions wire.SupportedVersions
	var groups wire.SupportedGroups
	var names wire.ServerNames
	for _, v := range []wire.ExtensionView{&versions, &groups, &names} {
		if _, err := x.hello.Ext(v); err != nil {
			return x, false
		}
	}
	x.is13, x.groups = slices.Contains(versions.Versions, wire.VersionTLS13), groups.Groups
	if len(names.Names) > 0 {
		x.name = names.Names[0].Name
	}
	return x, true
}

func (x *traits) has(kind wire.ExtensionType) bool { return offersOne(&x.hello, kind) }

func (x *traits) malformed(v wire.ExtensionView) bool {
	_, err := x.hello.Ext(v)
	return err != nil
}

func offersOne(h *wire.ClientHello, kind wire.ExtensionType) bool {
	_, ok := h.Extensions.Find(kind)
	return ok
}

// explainHello names the reason for two verdicts on a ClientHello that differ; "" stands for none.
func explainHello(raw []byte, ours, theirs verdict) string {
	if code, _ := tlscore.CodeOf(ours.err); code == tlscore.CodeExcessHandshakeData {
		return divergeBehind
	}
	x, ok := traitsOf(raw)
	if !ok {
		return ""
	}
	if ours.refused && theirs.accepted {
		return x.stricter(ours, theirs)
	}
	if ours.accepted && theirs.refused {
		return x.looser(theirs)
	}
	return ""
}

// stricter explains why we refuse alone.
func (x *traits) stricter(ours, theirs verdict) string {
	code, _ := tlscore.CodeOf(ours.err)
	switch {
	case code == tlscore.CodeMalformed && x.malformed(&wire.CertificateAuthorities{}):
		return divergeUnread
	case code == tlscore.CodeMissingExtension && x.is13:
		return divergeMandatory
	case code == tlscore.CodeBadKeyShare && x.is13:
		return divergeShareRules
	case code == tlscore.CodeBadPSKOffer && x.is13:
		return divergePSKOffer
	case code == tlscore.CodeInappropriateFallback && x.hello.LegacyVersion > wire.VersionTLS12:
		return divergeFallback
	case theirs.retried && (code == tlscore.CodeNoSharedProtocol || code == tlscore.CodeNoSharedScheme):
		return divergeBeforeRetry
	case code == tlscore.CodeNoSharedGroup && !x.is13 && !slices.Contains(x.groups, wire.GroupSecp256r1):
		return divergeKeyCurve
	}
	return ""
}

// looser explains why crypto/tls refuses alone.
func (x *traits) looser(theirs verdict) string {
	status, _ := x.hello.Extensions.Find(wire.ExtStatusRequest)
	renegotiation, _ := x.hello.Extensions.Find(wire.ExtRenegotiationInfo)
	psk := slices.IndexFunc(x.hello.Extensions, func(e wire.Extension) bool { return e.Type == wire.ExtPreSharedKey })
	switch theirs.alert {
	case wire.AlertDecodeError:
		switch {
		case bytes.HasSuffix(x.name, []byte(".")):
			return divergeTrailingDot
		case len(status) > 0 && status[0] != wire.StatusTypeOCSP:
			return divergeStatusType
		case !x.is13 && psk >= 0 && (psk != len(x.hello.Extensions)-1 || x.malformed(&wire.PreSharedKeys{})):
			return divergePSKBelow13
		}
	case wire.AlertHandshakeFailure:
		switch {
		case x.is13 && len(renegotiation) > 1:
			return divergeRenegotiation
		case !x.is13 && !x.has(wire.ExtSupportedGroups):
			return divergeNoGroups
		}
	case wire.AlertUnsupportedExtension:
		switch {
		case x.is13 && x.has(wire.ExtEarlyData):
			return divergeEarlyData
		case x.has(wire.ExtQUICTransportParameters):
			return divergeQUIC
		}
	}
	return ""
}

// explainAnswer names the reason for two verdicts on a ServerHello that differ; "" stands for none.
func explainAnswer(ours, theirs verdict) string {
	if !ours.refused || !theirs.accepted {
		return ""
	}
	code, _ := tlscore.CodeOf(ours.err)
	switch code {
	case tlscore.CodeExcessHandshakeData:
		return divergeBehind
	case tlscore.CodeUnsupportedExtension:
		return divergeUnsolicited
	case tlscore.CodeMisplacedExtension:
		return divergeMisplaced
	case tlscore.CodeBadVersionSelected:
		return divergeSelected12
	}
	return ""
}

// outlineAnswer is a ServerHello in few words.
func outlineAnswer(raw []byte) string {
	var h wire.ServerHello
	if err := h.Parse(bytes.Clone(raw)); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("legacy_version %04x, random …%q, session id of %d, suite %04x, compression %d", uint16(h.LegacyVersion), h.Random[24:], len(h.SessionID), uint16(h.CipherSuite), h.CompressionMethod) +
		outlineExtensions(h.Extensions)
}
