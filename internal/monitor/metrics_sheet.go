package monitor

import (
	"bufio"
	"strconv"
	"strings"
	"unicode/utf8"
)

// family is a metric with all its series. The order is that of the page.
type family uint8

const (
	famState family = iota
	famLooked
	famNext
	famLeafEnd
	famPathEnd
	famSentEnd
	famGrade
	famSuccess
	famPlaceLooked
	famNotBefore
	famNotAfter
	famVerified
	famTrusted
	famInfo
	famVersion
	famCipher
	famStapled
	famStatus
	famThisUpdate
	famNextUpdate
	famSourceUp
	famFileNotAfter
	famFileInfo
	famListThis
	famListNext
	famLogUp
	famLogNewest
	famTargets
	famOverdue
	famDueSince
	famOpen
	famKinds
	famWaiting
	famBeat
	famCertificates
	famScrape
	families
)

// familyText is a metric's name and what it is, by family.
func familyText() [families][2]string {
	return [families][2]string{
		famState:        {"tlswright_monitor_state", "How a target stands: 0 ok, 1 unknown, 2 warning, 3 error (it cannot be looked at), 4 critical, 5 expired."},
		famLooked:       {"tlswright_monitor_last_look_timestamp_seconds", "When a target was last looked at."},
		famNext:         {"tlswright_monitor_next_look_timestamp_seconds", "When a target is to be looked at next."},
		famLeafEnd:      {"tlswright_monitor_leaf_not_after_timestamp_seconds", "The earliest end of a leaf of a target, in files and at all its addresses."},
		famPathEnd:      {"probe_ssl_last_chain_expiry_timestamp_seconds", "The earliest end of a certificate in the best verified paths of a target: here clients begin to fail."},
		famSentEnd:      {"probe_ssl_earliest_cert_expiry", "The earliest end of all certificates that a target sends, needed or not."},
		famGrade:        {"tlswright_monitor_grade_info", "Always 1; the label is the grade of the last full scan of a target."},
		famSuccess:      {"ssl_probe_success", "Whether an address of a target showed a certificate at the last look, 0 or 1. What it showed before goes on being told."},
		famPlaceLooked:  {"tlswright_monitor_address_look_timestamp_seconds", "When an address of a target was last looked at."},
		famNotBefore:    {"ssl_cert_not_before", "When the validity of a leaf that is served begins."},
		famNotAfter:     {"ssl_cert_not_after", "When a certificate that is sent ends; depth 0 is the leaf."},
		famVerified:     {"ssl_verified_cert_not_after", "When a certificate of the verified path that lasts longest ends; depth 0 is the leaf."},
		famTrusted:      {"tlswright_monitor_trusted", "Whether a trust store leads to a root from what is sent, 0 or 1."},
		famInfo:         {"ssl_cert_info", "Always 1; the labels say which leaf is served."},
		famVersion:      {"ssl_tls_version_info", "Always 1; the label is the TLS version of the best handshake."},
		famCipher:       {"probe_tls_cipher_info", "Always 1; the labels are the cipher suite and the group of the best handshake."},
		famStapled:      {"ssl_ocsp_response_stapled", "Whether an OCSP answer comes along, 0 or 1."},
		famStatus:       {"ssl_ocsp_response_status", "What the OCSP answer that comes along says: 0 good, 1 revoked, 2 unknown."},
		famThisUpdate:   {"ssl_ocsp_response_this_update", "When the OCSP answer that comes along was made."},
		famNextUpdate:   {"ssl_ocsp_response_next_update", "When the OCSP answer that comes along ends."},
		famSourceUp:     {"x509_source_up", "Whether a file could be read, 0 or 1."},
		famFileNotAfter: {"ssl_file_cert_not_after", "When a certificate in a file ends; depth 0 is the leaf of a chain."},
		famFileInfo:     {"ssl_file_cert_info", "Always 1; the labels say which leaf is in a file."},
		famListThis:     {"x509_crl_this_update", "When a CRL in a file was made."},
		famListNext:     {"x509_crl_next_update", "When a CRL in a file ends."},
		famLogUp:        {"tlswright_monitor_ct_log_up", "Whether a log of Certificate Transparency could be read and believed at the last look, 0 or 1."},
		famLogNewest:    {"tlswright_monitor_ct_newest_timestamp_seconds", "When the newest certificate of a target's domains was logged."},
		famTargets:      {"tlswright_monitor_targets", "Targets, by how they stand."},
		famOverdue:      {"tlswright_monitor_overdue_targets", "Targets that should have been looked at more than a minute ago."},
		famDueSince:     {"tlswright_monitor_oldest_due_timestamp_seconds", "Since when the target that waits longest is due; missing: none waits."},
		famOpen:         {"tlswright_monitor_incidents_open", "Open incidents, by severity."},
		famKinds:        {"tlswright_monitor_incidents_open_by_kind", "Open incidents, by what is wrong."},
		famWaiting:      {"tlswright_monitor_deliveries_waiting", "Messages that a channel has not got yet."},
		famBeat:         {"tlswright_monitor_heartbeat_timestamp_seconds", "When a sign of life last arrived where the configuration sends it."},
		famCertificates: {"tlswright_monitor_certificates", "Certificates that are known, wherever they were seen."},
		famScrape:       {"tlswright_monitor_scrape_success", "Whether the history could be read for this page, 0 or 1."},
	}
}

// sheet is lines of the page with their families.
type sheet struct {
	text  []byte
	parts []part
}

type part struct {
	of       family
	from, to uint32
}

// maxLabel bounds a label's value, in bytes: what a certificate says may be long.
const maxLabel = 256

// add writes a sample; labels are names and values in turn.
func (s *sheet) add(of family, value int64, labels ...string) {
	from := len(s.text)
	s.text = append(s.text, familyText()[of][0]...)
	for i := 0; i+1 < len(labels); i += 2 {
		separator := byte(',')
		if i == 0 {
			separator = '{'
		}
		s.text = append(append(append(s.text, separator), labels[i]...), `="`...)
		s.text = append(appendLabel(s.text, labels[i+1]), '"')
	}
	if len(labels) > 0 {
		s.text = append(s.text, '}')
	}
	s.text = append(strconv.AppendInt(append(s.text, ' '), value, 10), '\n')
	s.parts = append(s.parts, part{of, uint32(from), uint32(len(s.text))}) // a place's lines are far below 4 GiB
}

// appendLabel writes a label's value as the text form wants it.
func appendLabel(to []byte, value string) []byte {
	if len(value) > maxLabel {
		value = value[:maxLabel]
	}
	if !utf8.ValidString(value) {
		value = strings.ToValidUTF8(value, "?")
	}
	for i := range len(value) {
		switch c := value[i]; c {
		case '\\', '"':
			to = append(to, '\\', c)
		case '\n':
			to = append(to, '\\', 'n')
		default:
			to = append(to, c)
		}
	}
	return to
}

// writeSheets writes all lines of all sheets, each family together as the text form demands.
func writeSheets(w *bufio.Writer, sheets []*sheet) error {
	for of, text := range familyText() {
		isBegun := false
		for _, s := range sheets {
			for _, p := range s.parts {
				if p.of != family(of) {
					continue
				}
				if !isBegun {
					isBegun = true
					if _, err := w.WriteString("# HELP " + text[0] + " " + text[1] + "\n# TYPE " + text[0] + " gauge\n"); err != nil {
						return err
					}
				}
				if _, err := w.Write(s.text[p.from:p.to]); err != nil {
					return err
				}
			}
		}
	}
	return w.Flush()
}
