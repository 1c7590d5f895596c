package store

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
)

// TestWhoGoesLeavesNothingHalfDone: a write whose caller goes is either made before its caller returns, or never.
func TestWhoGoesLeavesNothingHalfDone(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "ca.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, leave := context.WithCancel(t.Context())
	begun, release := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	made := false
	go func() {
		first <- s.do(ctx, &write{run: func(*change) error {
			close(begun)
			<-release
			made = true
			return nil
		}})
	}()
	<-begun
	waiting, giveUp := context.WithCancel(t.Context())
	second := make(chan error, 1)
	go func() {
		second <- s.do(waiting, &write{run: func(*change) error {
			t.Error("a write was made whose caller had gone before")
			return nil
		}})
	}()
	giveUp()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("who left the queue was told %v", err)
	}
	leave()
	select {
	case err := <-first:
		t.Fatalf("a write under way was left with %v", err)
	default:
	}
	close(release)
	if err := <-first; err != nil || !made {
		t.Errorf("a write under way ended with %v, made: %v", err, made)
	}
	if err := s.do(t.Context(), &write{run: func(*change) error { return nil }}); err != nil {
		t.Errorf("the next write: %v", err)
	}
}
