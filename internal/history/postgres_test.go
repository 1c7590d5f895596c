//go:build unix

package history

import (
	"database/sql"
	"fmt"
	"testing"

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
