package lab

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tlswright/tlswright/wire"
)

// testsslRow is a line of testssl.sh's flat JSON.
type testsslRow struct {
	ID       string `json:"id"`
	Severity string `json:"severity"`
	Finding  string `json:"finding"`
}

// maxReport bounds what is read of a scanner's report, in bytes.
const maxReport = 32 << 20

// ParseTestssl reads what testssl.sh --jsonfile writes.
func ParseTestssl(text []byte) (*Said, error) {
	if len(text) > maxReport {
		return nil, fmt.Errorf("the report has %d bytes", len(text))
	}
	var rows []testsslRow
	if err := json.Unmarshal(text, &rows); err != nil {
		return nil, fmt.Errorf("testssl.sh's JSON: %w", err)
	}
	s, order := newSaid(), ""
	for _, row := range rows {
		id, _, _ := strings.Cut(row.ID, " ") // "cert_trust <cert#1>"
		switch {
		case strings.HasPrefix(id, "cipher-"):
			s.testsslSuite(id)
		case id == "cipher_order":
			order = "no"
			if strings.HasPrefix(row.Finding, "server") {
				order = "yes"
			}
		case id == "PFS_ECDHE_curves" || id == "DH_groups" || id == "FS_ECDHE_curves" || id == "FS_KEMs":
			for _, name := range strings.Fields(row.Finding) {
				if g, ok := groupNamed(name); ok {
					s.addGroup(g)
				}
			}
		default:
			s.testsslVersion(id, row.Finding)
			s.testsslCertificate(id, row.Finding)
			s.testsslAlarm(id, row)
		}
	}
	for v := range s.Suites {
		if order != "" && len(s.Suites[v]) > 1 {
			s.Order[v] = order
		}
	}
	return s, nil
}

// testsslSuite reads "cipher-tls1_2_xc030".
func (s *Said) testsslSuite(id string) {
	id = strings.TrimPrefix(id, "cipher-")
	at := strings.LastIndex(id, "_x")
	if at < 0 {
		return
	}
	v, ok := map[string]wire.Version{"ssl3": wire.VersionSSL30, "tls1": wire.VersionTLS10, "tls1_1": wire.VersionTLS11,
		"tls1_2": wire.VersionTLS12, "tls1_3": wire.VersionTLS13}[id[:at]]
	if !ok {
		return
	}
	if number, err := strconv.ParseUint(id[at+2:], 16, 16); err == nil {
		s.addSuite(v, wire.CipherSuite(number))
	}
}

func (s *Said) testsslVersion(id, finding string) {
	offered := !strings.HasPrefix(finding, "not offered")
	if strings.Contains(finding, "could not be tested") || strings.Contains(finding, "not tested") {
		return
	}
	switch id {
	case "SSLv2":
		s.SSL2 = &offered
	case "SSLv3":
		s.Versions[wire.VersionSSL30] = offered
	case "TLS1":
		s.Versions[wire.VersionTLS10] = offered
	case "TLS1_1":
		s.Versions[wire.VersionTLS11] = offered
	case "TLS1_2":
		s.Versions[wire.VersionTLS12] = offered
	case "TLS1_3":
		s.Versions[wire.VersionTLS13] = offered
	}
}

func (s *Said) testsslCertificate(id, finding string) {
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(finding, part) })
	}
	switch id {
	case "cert_expirationStatus":
		s.judge(Expired, strings.HasPrefix(finding, "expired"))
	case "cert_trust":
		s.judge(WrongName, has("does not match") || has("via CN but not SAN"))
	case "cert_chain_of_trust":
		s.judge(Untrusted, !has("passed", "OK", "chain incomplete", "expired"))
		s.judge(SelfSigned, has("self signed)"))
		s.judge(Incomplete, has("chain incomplete"))
	case "cert_signatureAlgorithm":
		s.judge(SHA1, has("SHA1"))
		s.judge(MD5, has("MD5"))
	case "cert_keySize":
		s.judge(WeakKey, weakByWords(finding))
	case "certs_list_ordering_problem":
		s.judge(OutOfOrder, finding != "no")
	case "cert_mustStapleExtension":
		s.judge(MustStaple, finding != "--")
	case "OCSP_stapling":
		s.Staple = "none"
		if !has("not offered") {
			s.Staple = "offered"
		}
	}
}

// weakByWords reads "RSA 1024 bits" and "EC 192 bits".
func weakByWords(finding string) bool {
	f := strings.Fields(finding)
	for i := range f {
		bits, err := strconv.Atoi(f[i])
		if err != nil || i == 0 {
			continue
		}
		return bits < 224 || bits < 2048 && !strings.HasPrefix(f[0], "EC") && !strings.HasPrefix(f[0], "Ed")
	}
	return false
}

// testsslAlarm notes what testssl.sh calls vulnerable.
func (s *Said) testsslAlarm(id string, row testsslRow) {
	ours, ok := map[string]string{"heartbleed": "heartbleed", "CCS": "ccs-injection", "ticketbleed": "ticketbleed", "ROBOT": "robot",
		"secure_renego": "insecure-renegotiation", "secure_client_renego": "client-renegotiation", "CRIME_TLS": "crime", "DROWN": "drown"}[id]
	if ok && (row.Severity == "CRITICAL" || row.Severity == "HIGH") && strings.Contains(strings.ToUpper(row.Finding), "VULNERABLE") {
		s.Alarms = append(s.Alarms, ours)
	}
}
