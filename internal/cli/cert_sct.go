package cli

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/pki/ct"
)

// timestampJSON is a signed certificate timestamp in --json: a log's promise to show the certificate.
type timestampJSON struct {
	Version   int    `json:"version"` // 1
	LogID     string `json:"log_id"`  // base64, as in the lists of logs
	Timestamp string `json:"timestamp"`
	Source    string `json:"source"` // how it came
	Log       string `json:"log,omitempty"`
	Operator  string `json:"operator,omitempty"`
	Status    string `json:"status,omitempty"` // with --log-list
	Text      string `json:"text,omitempty"`
}

func newTimestampJSON(s ct.SCT) timestampJSON {
	return timestampJSON{
		Version: int(s.Version) + 1, LogID: base64.StdEncoding.EncodeToString(s.LogID[:]),
		Timestamp: s.Time().UTC().Format("2006-01-02T15:04:05.000Z07:00"), Source: s.Source.String(),
	}
}

// readTimestamps reads the timestamps inside a certificate (RFC 6962, Section 3.3).
func readTimestamps(x *extensionView, value []byte) error {
	list, err := ct.ParseExtension(value, ct.Embedded)
	scts := []timestampJSON{}
	for _, s := range list {
		j := newTimestampJSON(s)
		scts = append(scts, j)
		x.lines = append(x.lines, fmt.Sprintf("by log %s, %s", j.LogID, s.Time().UTC().Format(time.DateTime)))
	}
	x.value = scts
	return err
}

// service is what a server sent along with its chain, and what a list of logs says to the timestamps.
type service struct {
	isPeer  bool
	staple  []byte
	status  *pki.Staple // what the staple says; nil: nothing that counts
	why     error       // why it does not count
	scts    []ct.SCT    // in the handshake and in the staple
	verdict []ct.Verdict
	rule    string // whether browsers would be content with the timestamps; "" where nobody asked
	notes   []string
}

// newService judges what came along with the leaf of c; logs may be nil.
func newService(c *contents, logs *ct.LogList, now time.Time) *service {
	s := &service{isPeer: c.format == formatPeer, staple: c.staple}
	var chain []*x509.Certificate
	for _, der := range c.certs {
		parsed, err := cert.ParseX509(der)
		if err != nil {
			break
		}
		chain = append(chain, parsed)
	}
	if len(chain) == 0 {
		return s
	}
	if len(s.staple) > 0 && len(chain) > 1 {
		s.status, s.why = pki.CheckStaple(s.staple, chain[0], chain[1], now)
	}
	s.takeTimestamps(c)
	if logs == nil {
		return s
	}
	embedded, _ := ct.FromCertificate(chain[0]) // what cannot be read is said with the extension
	for _, sct := range append(embedded, s.scts...) {
		v, err := ct.VerifySCT(sct, chain, logs, now)
		if err != nil {
			s.notes = append(s.notes, pki.Printable(err.Error()))
			continue
		}
		s.verdict = append(s.verdict, v)
	}
	ok, reason := ct.Complies(chain[0], s.verdict)
	s.rule = "enough for browsers"
	if !ok {
		s.rule = "not enough for browsers: " + reason
	}
	return s
}

// takeTimestamps reads the timestamps that came beside the certificate.
func (s *service) takeTimestamps(c *contents) {
	for _, raw := range c.scts {
		if sct, err := ct.ParseSCT(raw); err == nil {
			sct.Source = ct.Extension
			s.scts = append(s.scts, sct)
		} else {
			s.notes = append(s.notes, "a timestamp in the handshake cannot be read: "+pki.Printable(err.Error()))
		}
	}
	if len(s.staple) > 0 {
		if found, err := ct.FromOCSP(s.staple); err == nil {
			s.scts = append(s.scts, found...)
		}
	}
}

// rows show what came along.
func (s *service) rows() []row {
	var rows []row
	switch {
	case !s.isPeer:
	case len(s.staple) == 0:
		rows = append(rows, row{"staple", "none: the server sends no OCSP response along", plain})
	case s.status == nil && s.why == nil:
		rows = append(rows, row{"staple", "an OCSP response, which cannot be checked without the issuer", caution})
	case s.status == nil:
		rows = append(rows, row{"staple", "worth nothing: " + pki.Printable(s.why.Error()), bad})
	case s.status.Revoked:
		rows = append(rows, row{"staple", "REVOKED on " + dateOf(s.status.RevokedAt), bad})
	default:
		rows = append(rows, row{"staple", "good, of " + timeOf(s.status.ThisUpdate) + " and until " + timeOf(s.status.NextUpdate), good})
	}
	if len(s.verdict) == 0 {
		for _, sct := range s.scts {
			j := newTimestampJSON(sct)
			rows = append(rows, row{"logged", fmt.Sprintf("by log %s, %s (%s)", j.LogID, sct.Time().UTC().Format(time.DateTime), j.Source), plain})
		}
	}
	for _, v := range s.verdict {
		name := base64.StdEncoding.EncodeToString(v.SCT.LogID[:])
		if v.Log != nil {
			name = pki.Printable(v.Log.Description) + " of " + pki.Printable(v.Log.Operator)
		}
		st := good
		if v.Status != ct.Valid {
			st = bad
		}
		rows = append(rows, row{"timestamp", fmt.Sprintf("%s: %s, %s (%s)", v.Status, name, v.Text, v.SCT.Source), st})
	}
	if s.rule != "" {
		rows = append(rows, row{"logs", s.rule, plain})
	}
	for _, n := range s.notes {
		rows = append(rows, row{"note", n, caution})
	}
	return rows
}

// serviceJSON is what came along, in --json.
type serviceJSON struct {
	Staple     string          `json:"staple,omitempty"` // good, revoked, invalid or none
	ThisUpdate string          `json:"this_update,omitempty"`
	NextUpdate string          `json:"next_update,omitempty"`
	Problem    string          `json:"problem,omitempty"`
	SCTs       []timestampJSON `json:"scts"` // beside the certificate; with --log-list those inside as well
	Rule       string          `json:"rule,omitempty"`
}

func (s *service) json() *serviceJSON {
	if !s.isPeer && s.rule == "" {
		return nil
	}
	j := &serviceJSON{SCTs: []timestampJSON{}, Rule: s.rule}
	switch {
	case !s.isPeer:
	case len(s.staple) == 0:
		j.Staple = "none"
	case s.status == nil:
		j.Staple = "invalid"
		if s.why != nil {
			j.Problem = s.why.Error()
		}
	default:
		j.Staple, j.ThisUpdate, j.NextUpdate = "good", s.status.ThisUpdate.UTC().Format(time.RFC3339), s.status.NextUpdate.UTC().Format(time.RFC3339)
		if s.status.Revoked {
			j.Staple = "revoked"
		}
	}
	if len(s.verdict) == 0 {
		for _, sct := range s.scts {
			j.SCTs = append(j.SCTs, newTimestampJSON(sct))
		}
	}
	for _, v := range s.verdict {
		t := newTimestampJSON(v.SCT)
		t.Status, t.Text = v.Status.String(), v.Text
		if v.Log != nil {
			t.Log, t.Operator = v.Log.Description, v.Log.Operator
		}
		j.SCTs = append(j.SCTs, t)
	}
	return j
}
