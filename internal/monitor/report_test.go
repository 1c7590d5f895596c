package monitor

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/watch"
)

// A spreadsheet has all targets; the page says how many it does not show.
func TestReportsLeaveNothingOutInSilence(t *testing.T) {
	h, err := history.Open(t.Context(), filepath.Join(t.TempDir(), "history.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	var wanted []history.Wanted
	for i := range maxRows + 3 {
		wanted = append(wanted, history.Wanted{Name: fmt.Sprintf("host%05d.example:443", i), Spec: json.RawMessage(`{}`), First: now})
	}
	if _, err := h.Synchronize(t.Context(), history.FromFile, wanted); err != nil {
		t.Fatal(err)
	}
	r, err := NewReport(t.Context(), h, now, now.Add(-day))
	if err != nil {
		t.Fatal(err)
	}
	var table, page strings.Builder
	if err := r.CSV(&table); err != nil {
		t.Fatal(err)
	}
	if err := r.HTML(&page); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(table.String(), "\n"); n != maxRows+4 {
		t.Errorf("the table has %d lines", n)
	}
	if n := strings.Count(page.String(), `class="t">host`); n != maxRows || !strings.Contains(page.String(), "And 3 more") {
		t.Errorf("the page shows %d targets and does not say that there are more", n)
	}
}

// What strangers' servers say means nothing to a browser or a spreadsheet.
func TestReportsTakeHostileTexts(t *testing.T) {
	r := &Report{Made: time.Now(), Total: 1, Targets: []Row{{Target: history.Target{Name: "=1+1", Reason: `@SUM(A1)<script>alert(1)</script>`, State: watch.Critical, Grade: "-"}}},
		Changes: []history.Changed{{Target: "a", Change: watch.Change{Field: "issuer", Before: `"><img src=x>`, After: "\r=cmd"}}}}
	var table, page strings.Builder
	if err := r.CSV(&table); err != nil {
		t.Fatal(err)
	}
	if err := r.HTML(&page); err != nil {
		t.Fatal(err)
	}
	for _, cell := range strings.Split(strings.SplitN(table.String(), "\n", 2)[1], ",") {
		if cell = strings.TrimPrefix(cell, `"`); cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
			t.Errorf("a cell is %q", cell)
		}
	}
	for _, bad := range []string{"<script", "<img"} {
		if strings.Contains(page.String(), bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
}
