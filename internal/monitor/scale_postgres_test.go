//go:build unix

package monitor

import (
	"os"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
)

// TestAccept5000TargetsOnPostgres is the simulation on the other database, with commits that reach the disk.
func TestAccept5000TargetsOnPostgres(t *testing.T) {
	if os.Getenv("TLSWRIGHT_ACCEPT") == "" {
		t.Skip(`40,000 looks: "make accept" runs it (TLSWRIGHT_ACCEPT=1)`)
	}
	w := simulate(t, pkitest.Postgres(t, true), 5000, 2*day, 5*time.Minute)
	w.report("")
	w.ask()
}
