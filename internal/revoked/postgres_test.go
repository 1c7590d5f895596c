//go:build unix

package revoked

import (
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/store"
)

func TestRevocationByAnotherNodeTakesEffect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.takesEffect(otherNode(w))
}

func otherNode(w *world) (mine, theirs *books) {
	address := pkitest.Postgres(w.t, false)
	for _, b := range []**books{&mine, &theirs} {
		s, err := store.OpenPostgres(w.t.Context(), address)
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(func() { _ = s.Close() })
		*b = w.enter(s)
	}
	return mine, theirs
}
