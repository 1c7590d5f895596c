//go:build unix

package history

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
)

func TestPostgresConforms(t *testing.T) {
	address := pkitest.Postgres(t, false)
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	t.Run("nodes that start together", func(t *testing.T) {
		if _, err := db.ExecContext(t.Context(), "CREATE SCHEMA together"); err != nil {
			t.Fatal(err)
		}
		nodesThatStartTogether(t, address+"&search_path=together")
	})
	t.Run("nodes that file the same", func(t *testing.T) {
		if _, err := db.ExecContext(t.Context(), "CREATE SCHEMA same"); err != nil {
			t.Fatal(err)
		}
		nodesThatFileTheSame(t, address+"&search_path=same")
		// A backend that has ended has told what it counted.
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			var others, deadlocks int
			if err := db.QueryRowContext(t.Context(), `SELECT (SELECT COUNT(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()), deadlocks
				FROM pg_stat_database WHERE datname = current_database()`).Scan(&others, &deadlocks); err != nil || time.Now().After(deadline) {
				t.Fatal(err, others)
			}
			if deadlocks > 0 {
				t.Fatalf("nodes locked each other out %d times: each time costs a second", deadlocks)
			}
			if others == 0 {
				break
			}
		}
	})
	n := 0
	conformance(t, func(t *testing.T) *History {
		n++
		schema := fmt.Sprintf("h%d", n)
		if _, err := db.ExecContext(t.Context(), "CREATE SCHEMA "+schema); err != nil {
			t.Fatal(err)
		}
		return openIn(t, address+"&search_path="+schema)
	})
}
