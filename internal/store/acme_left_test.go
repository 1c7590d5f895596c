package store

import (
	"path/filepath"
	"testing"
	"time"
)

// TestWorkOfTheDeadIsTakenUpAtOnce opens the file anew while a lease runs: alone, and beside somebody who may hold it.
func TestWorkOfTheDeadIsTakenUpAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ca.db")
	now := time.Now()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	order := ACMEOrder{ID: "o", Account: "a", Status: "processing", CreatedAt: now, ExpiresAt: now.Add(time.Hour), DueAt: now.Add(time.Minute), Body: []byte("{}")}
	proof := ACMEAuthorization{ID: "z", Account: "a", Identifier: "dns:a.test", Status: "pending", ExpiresAt: now.Add(time.Hour), DueAt: now.Add(time.Minute), Body: []byte("{}")}
	if err := s.AddACMEOrder(t.Context(), order, []ACMEAuthorization{proof}, ""); err != nil {
		t.Fatal(err)
	}
	claimed := func(s *Store) int {
		t.Helper()
		as, os, err := s.ClaimACMEWork(t.Context(), now, now.Add(time.Minute), 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(as) + len(os)
	}
	beside, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if n := claimed(beside); n != 0 {
		t.Errorf("%d were taken from somebody who lives", n)
	}
	for _, x := range []*Store{beside, s} {
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if s, err = Open(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if n := claimed(s); n != 2 {
		t.Errorf("%d were taken up, not 2", n)
	}
	if n := claimed(s); n != 0 {
		t.Errorf("%d were taken up twice", n)
	}
}
