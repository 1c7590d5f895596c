package report

import (
	"fmt"
	"strconv"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/ciphers"
)

// suiteRow is a suite as it is shown.
type suiteRow struct {
	ID      string // "0xc02b"
	Name    string
	Verdict string // "good", "weak", "unsafe"; "" for a number without a name
	Why     string // the worst reason against it
	Detail  string // "x25519", "DH 1024 bits"
	Forward bool
}

// protocolRow is a version as it is shown.
type protocolRow struct {
	Name    string
	Offered grade.Answer
	Style   Style // of the answer
	Order   string
	Suites  []suiteRow
	Forward string // "all", "some", "none" of the suites have forward secrecy
	Worst   string // "good", "weak", "unsafe"
	Note    string // for what is not complete
}

// protocolRows lists the versions, the newest first.
func protocolRows(f *grade.Facts) []protocolRow {
	var rows []protocolRow
	for i := len(f.Protocols) - 1; i >= 0; i-- {
		p := &f.Protocols[i]
		row := protocolRow{Name: p.Name, Offered: p.Offered, Style: versionStyle(p)}
		if p.Offered == grade.Yes {
			row.Order = orderText(p)
			for j := range p.Suites {
				row.Suites = append(row.Suites, suiteRowOf(&p.Suites[j]))
			}
			if p.Version == grade.VersionSSL20 {
				for _, k := range f.SSL2Kinds {
					row.Suites = append(row.Suites, suiteRow{ID: fmt.Sprintf("0x%06x", k.ID), Name: k.Name, Verdict: ciphers.Unsafe.String(), Why: "SSL 2.0 protects against nobody who tries"})
				}
			}
			if !p.Complete {
				row.Note = "not all suites could be asked about"
			}
			row.Forward, row.Worst = summed(row.Suites)
		}
		rows = append(rows, row)
	}
	return rows
}

// versionStyle says whether an answer is what one wants: the old versions are better off.
func versionStyle(p *grade.Protocol) Style {
	isOld := p.Version <= 0x0302
	switch {
	case p.Offered == grade.Unknown:
		return Caution
	case p.Offered == grade.Yes && isOld:
		return Wrong
	case p.Offered == grade.Yes:
		return Right
	}
	return Faint
}

func orderText(p *grade.Protocol) string {
	switch {
	case p.Order == grade.Yes && p.PrioritizesChaCha == grade.Yes:
		return "server's, ChaCha20 by client"
	case p.Order == grade.Yes:
		return "server's"
	case p.Order == grade.No:
		return "client's"
	}
	return ""
}

func suiteRowOf(s *grade.Suite) suiteRow {
	row := suiteRow{ID: fmt.Sprintf("0x%04x", uint16(s.ID)), Name: s.Name}
	if row.Name == "" {
		row.Name = s.ID.String()
	}
	if p, ok := ciphers.Apart(s.ID); ok {
		v, why := p.Verdict()
		row.Verdict, row.Forward = v.String(), p.HasForwardSecrecy
		if len(why) > 0 {
			row.Why = why[0]
		}
	}
	switch {
	case s.DHBits > 0:
		row.Detail = "DH " + strconv.Itoa(s.DHBits) + " bits"
	case s.RSABits > 0:
		row.Detail = "RSA " + strconv.Itoa(s.RSABits) + " bits"
	case s.Group != 0:
		row.Detail = s.Group.String()
	}
	return row
}

// summed says how many suites have forward secrecy, and what the worst of them is worth.
func summed(suites []suiteRow) (forward, worst string) {
	count := 0
	for _, s := range suites {
		if s.Forward {
			count++
		}
		switch {
		case s.Verdict == ciphers.Unsafe.String():
			worst = s.Verdict
		case s.Verdict == ciphers.Weak.String() && worst != ciphers.Unsafe.String(), worst == "":
			worst = s.Verdict
		}
	}
	switch {
	case len(suites) == 0:
		return "", ""
	case count == len(suites):
		return "all", worst
	case count > 0:
		return "some", worst
	}
	return "none", worst
}

// feature is a question about the protocol in words.
type feature struct {
	Name   string
	Answer grade.Answer
	Want   grade.Answer // what is better; "" where it does not matter
	Note   string
}

// features lists what was asked, in words.
func features(f *grade.Facts) []feature {
	x := &f.Features
	all := []feature{
		{"extended master secret (RFC 7627)", x.ExtendedMasterSecret, grade.Yes, ""}, {"encrypt-then-MAC (RFC 7366)", x.EncryptThenMAC, "", ""},
		{"secure renegotiation (RFC 5746)", x.SecureRenegotiation, grade.Yes, ""}, {"renegotiation by the client", x.ClientRenegotiation, grade.No, ""},
		{"insecure renegotiation", x.InsecureRenegotiation, grade.No, ""}, {"compression", x.Compression, grade.No, ""}, {"heartbeat (RFC 6520)", x.Heartbeat, grade.No, ""},
		{"TLS_FALLBACK_SCSV (RFC 7507)", x.FallbackSCSV, "", ""}, {"max_fragment_length", x.MaxFragmentLength, "", ""}, {"record_size_limit", x.RecordSizeLimit, "", ""},
		{"truncated HMAC", x.TruncatedHMAC, grade.No, ""}, {"next protocol negotiation", x.NextProtocol, "", ""}, {"refuses unknown ALPN", x.StrictALPN, "", ""},
		{"refuses unknown names (SNI)", x.StrictSNI, "", ""}, {"other certificate without SNI", x.SNISplits, "", ""}, {"resumption by session id", x.SessionIDs, "", ""},
		{"session tickets", x.SessionTickets, "", seconds(x.TicketLifetime)}, {"resumption in TLS 1.3", x.Resumption13, "", seconds(x.TicketLifetime13)},
		{"early data (0-RTT) offered", x.EarlyData, "", sized(x.EarlyDataSize)}, {"early data accepted", x.EarlyDataAccepted, "", ""}, {"OCSP staple", x.Staple, "", ""},
		{"asks for a client certificate", x.ClientAuth, "", ""}, {"refuses clients without one", x.ClientAuthMust, "", ""}, {"raw public keys (RFC 7250)", x.RawPublicKeys, "", ""},
		{"encrypted client hello", x.ECH, "", ""}, {"tells of downgrades", x.DowngradeSignals, grade.Yes, ""}, {"reuses ephemeral keys", x.ECDHReuse, grade.No, ""},
	}
	var asked []feature
	for _, a := range all {
		if a.Answer != grade.Unasked {
			asked = append(asked, a)
		}
	}
	return asked
}

// Style tells whether the answer is the better one.
func (f feature) Style() Style {
	switch {
	case f.Answer == grade.Unknown:
		return Caution
	case f.Want == "":
		return Plain
	case f.Answer == f.Want:
		return Right
	}
	return Wrong
}

func seconds(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("for %d s", n)
}

func sized(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("up to %d bytes", n)
}
