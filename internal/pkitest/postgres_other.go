//go:build !unix

package pkitest

import "testing"

// Postgres skips the test: the server of the test's own is started with the means of Unix.
func Postgres(t testing.TB, _ bool) string {
	t.Helper()
	t.Skip("no PostgreSQL is started on this system")
	return ""
}
