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
	divergeBounds        = "bounds of fields"
	divergeSameType      = "names of other types"
	divergeNoECH         = "encrypted_client_hello without keys"
	divergeQUIC          = "quic_transport_parameters"
	divergeUnsolicited   = "unsolicited extensions"
	divergeMisplaced     = "misplaced extensions"
	divergeSelected12    = "supported_versions with TLS 1.2"
)

func divergences() []string {
	return []string{
		divergeMandatory, divergeShareRules, divergePSKOffer, divergeFallback, divergeBeforeRetry, divergeKeyCurve,
		divergeTrailingDot, divergeStatusType, divergePSKBelow13, divergeRenegotiation, divergeNoGroups, divergeEarlyData, divergeBehind, divergeUnread, divergeQUIC,
		divergeBounds, divergeSameType, divergeNoECH,
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
	name   string
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
	for _, v := range []wire.ExtensionView{&versions, &groups} {
		if _, err := x.hello.Ext(v); err != nil {
			return x, false
		}
	}
	var names wire.ServerNames
	if _, err := x.hello.Ext(&names); err == nil {
		x.name, _ = names.HostName()
	}
	x.is13, x.groups = slices.Contains(versions.Versions, wire.VersionTLS13), groups.Groups
	return x, true
}

// withoutSessionID is the one message in raw without its legacy_session_id, and how long that was.
func withoutSessionID(raw []byte) (rest []byte, n int) {
	const at = 4 + 2 + 32 // behind the header, legacy_version and random
	if len(raw) <= at || len(raw) <= at+int(raw[at]) {
		return nil, 0
	}
	n = int(raw[at])
	rest = slices.Concat(raw[:at], []byte{0}, raw[at+1+n:])
	length := len(rest) - 4
	rest[1], rest[2], rest[3] = byte(length>>16), byte(length>>8), byte(length)
	return rest, n
}

func (x *traits) has(kind wire.ExtensionType) bool { return offersOne(&x.hello, kind) }

func (x *traits) malformed(v wire.ExtensionView) bool {
	_, err := x.hello.Ext(v)
	return err != nil
}

// unread reports whether we refuse for an extension of a ClientHello that a server of crypto/tls passes over.
func (x *traits) unread(code tlscore.Code) bool {
	switch code {
	case tlscore.CodeBadRecordLimit, tlscore.CodeBadCompressionList, tlscore.CodeBadCertificateTypes, tlscore.CodeNoSharedCertificateType:
		return true
	case tlscore.CodeMalformed:
		return slices.ContainsFunc([]wire.ExtensionView{
			&wire.CertificateAuthorities{}, &wire.PostHandshakeAuth{}, &wire.RecordSizeLimit{}, &wire.MaxFragmentLength{}, &wire.CompressCertificate{},
			&wire.ClientCertificateTypes{}, &wire.ServerCertificateTypes{}, &wire.DelegatedCredentialSchemes{},
			&wire.EncryptThenMAC{}, &wire.TicketRequest{}, &wire.Padding{},
		}, x.malformed)
	}
	return false
}

// unbounded reports whether a field is shorter or longer than its definition has it, which crypto/tls does not look at:
// what it has no use for, and lists that may not be empty.
func (x *traits) unbounded() bool {
	status, _ := x.hello.Extensions.Find(wire.ExtStatusRequest)
	return x.malformed(&wire.PSKKeyExchangeModes{}) || len(status) > 0 && status[0] == wire.StatusTypeOCSP && x.malformed(&wire.StatusRequest{}) ||
		x.is13 && x.malformed(&wire.PreSharedKeys{})
}

// oddECH reports whether there is an encrypted_client_hello that is malformed, or neither outer nor inner.
func (x *traits) oddECH() bool {
	var v wire.ECHClientHello
	_, err := x.hello.Ext(&v)
	return err != nil || x.has(wire.ExtEncryptedClientHello) && v.Type != wire.ECHOuter && v.Type != wire.ECHInner
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
		rest, n := withoutSessionID(raw)
		if _, sound := traitsOf(rest); sound && n > 32 && ours.refused && theirs.accepted {
			return divergeBounds
		}
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
	case x.unread(code):
		return divergeUnread
	case code == tlscore.CodeMalformed && x.unbounded():
		return divergeBounds
	case code == tlscore.CodeMalformed && x.malformed(&wire.ServerNames{}):
		return divergeSameType
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
	if (theirs.alert == wire.AlertDecodeError || theirs.alert == wire.AlertIllegalParameter) && x.oddECH() {
		return divergeNoECH
	}
	switch theirs.alert {
	case wire.AlertDecodeError:
		switch {
		case strings.HasSuffix(x.name, "."):
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
func explainAnswer(raw []byte, ours, theirs verdict) string {
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
	case tlscore.CodeMalformed:
		var h wire.ServerHello
		if rest, n := withoutSessionID(raw); n > 32 && h.Parse(rest) == nil {
			return divergeBounds
		}
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
