package publish

import (
	"context"
	"errors"
	"testing"

	"github.com/tlswright/tlswright/internal/store"
)

func TestStatusesAreKeptUntilSomethingChanges(t *testing.T) {
	s := &statuses{}
	asked := 0
	state, trouble := store.StateIssued, error(nil)
	during := func() {}
	source := s.source(func(_ context.Context, serial []byte) (store.Status, error) {
		asked++
		found := store.Status{Serial: serial, State: state}
		during()
		return found, trouble
	})
	ask := func(want store.State, times int) {
		t.Helper()
		asked = 0
		for range 3 {
			if got, err := source(t.Context(), []byte{7}); got.State != want || !errors.Is(err, trouble) {
				t.Errorf("%v, %v; want %v", got.State, err, want)
			}
		}
		if asked != times {
			t.Errorf("asked %d times, want %d", asked, times)
		}
	}
	// What is no certificate yet may be one in the next moment.
	state = store.StateReserved
	ask(store.StateReserved, 3)
	state, trouble = 0, store.ErrNotFound
	ask(0, 3)
	state, trouble = store.StateIssued, nil
	ask(store.StateIssued, 1)
	state = store.StateRevoked
	ask(store.StateIssued, 0)
	s.forget()
	ask(store.StateRevoked, 1)
	// Something changes while it is asked for: what was read may be older than that.
	s.forget()
	during = s.forget
	ask(store.StateRevoked, 3)
	during = func() {}
	for i := range maxStatuses + 1 {
		if _, err := source(t.Context(), []byte{1, byte(i >> 16), byte(i >> 8), byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.kept) > maxStatuses {
		t.Errorf("%d are kept", len(s.kept))
	}
}
