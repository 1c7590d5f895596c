package cli

import (
	"encoding/csv"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/pki"
)

// printRecordsCSV prints records for a spreadsheet.
func (a *app) printRecordsCSV(records []authority.Record, accounts map[string]string, now time.Time) error {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write([]string{"serial", "state", "profile", "subject", "names", "not_before", "not_after", "revoked_at", "reason", "account"})
	for _, r := range records {
		j := newRecordReport(r, now)
		_ = w.Write([]string{
			j.Serial, j.State, cell(j.Profile), cell(j.Subject), cell(strings.Join(j.Names, " ")),
			cellTime(j.NotBefore), cellTime(j.NotAfter), cellTime(j.RevokedAt), cell(j.Reason), cell(accounts[j.Serial]),
		})
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return err
	}
	a.ui.write(&a.ui.out, b.String())
	return nil
}

// cell keeps a spreadsheet from taking somebody's name for a formula.
func cell(text string) string {
	text = pki.Printable(text)
	if text != "" && strings.ContainsRune("=+-@", rune(text[0])) {
		return "'" + text
	}
	return text
}

func cellTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
