package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// heard collects what a follower is told.
type heard struct {
	t       *testing.T
	changes chan Change
	sure    chan time.Time // room for one: the first since somebody looked
	failed  chan error
}

// follow follows a store until the test ends, and returns when it is sure of the beginning.
func follow(t *testing.T, s *Store) *heard {
	t.Helper()
	h := &heard{t: t, changes: make(chan Change, 4096), sure: make(chan time.Time, 1), failed: make(chan error, 4096)}
	ctx, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		s.Follow(ctx, Follower{
			Told: func(all []Change) {
				if len(all) == 0 {
					h.changes <- Change{}
				}
				for _, c := range all {
					h.changes <- c
				}
			},
			Sure: func(at time.Time) {
				select {
				case h.sure <- at:
				default:
				}
			},
			Failed: func(err error) { h.failed <- err },
		})
	})
	t.Cleanup(func() { stop(); done.Wait() })
	h.certain()
	return h
}

// certain waits until all that was committed before has been told.
func (h *heard) certain() {
	h.t.Helper()
	began := time.Now()
	for patience := time.After(time.Minute); ; {
		select {
		case at := <-h.sure:
			if !at.Before(began) {
				return
			}
		case <-patience:
			h.t.Fatal("never sure")
		}
	}
}

func (h *heard) next() Change {
	h.t.Helper()
	select {
	case c := <-h.changes:
		return c
	case <-time.After(time.Minute):
		h.t.Fatal("nothing was told")
		return Change{}
	}
}

func (h *heard) nothing() {
	h.t.Helper()
	h.certain()
	select {
	case c := <-h.changes:
		h.t.Errorf("told %+v", c)
	default:
	}
}

// changesAreFollowed is part of the conformance suite.
func changesAreFollowed(t *testing.T, f *fixture) {
	for n := range 3 {
		f.issue(n)
	}
	f.must(f.Revoke(t.Context(), f.issuer.ID, serial(0), Revocation{At: f.now, Reason: 1}, f.by()))
	h := follow(t, f.Store) // what was before is not told
	f.issue(3)
	f.must(f.Revoke(t.Context(), f.issuer.ID, serial(1), Revocation{At: f.now.Add(-time.Hour), Reason: 4, InvalidAt: f.now}, f.by()))
	got := h.next()
	if got.Issuer != f.issuer.KeyHash || string(got.Serial) != string(serial(1)) || got.Reason != 4 || !got.At.Equal(f.now.Add(-time.Hour)) || !got.InvalidAt.Equal(f.now) {
		t.Errorf("%+v", got)
	}
	f.must(f.Revoke(t.Context(), f.issuer.ID, serial(2), Revocation{At: f.now, Reason: reasonHold}, f.by()))
	f.must(f.Release(t.Context(), f.issuer.ID, serial(2), f.by()))
	held, released := h.next(), h.next()
	if held.Reason != reasonHold || released.Reason != reasonRemove || held.Number <= got.Number || released.Number <= held.Number {
		t.Errorf("%+v, %+v", held, released)
	}
	if err := f.Revoke(t.Context(), f.issuer.ID, serial(1), Revocation{At: f.now, Reason: 1}, f.by()); !errors.Is(err, ErrRevoked) {
		t.Error(err)
	}
	h.nothing()
}

func manyChangesAreFollowed(t *testing.T, f *fixture) {
	const each = 2 * pageSize / 100
	h := follow(t, f.Store)
	var all sync.WaitGroup
	for g := range 10 {
		all.Go(func() {
			for i := range each {
				n := g*each + i
				id, err := f.Reserve(t.Context(), f.request(n))
				if err == nil {
					err = f.Record(t.Context(), f.certificate(n, id))
				}
				if err == nil {
					err = f.Revoke(t.Context(), f.issuer.ID, serial(n), Revocation{At: f.now, Reason: 1}, f.by())
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	last, seen := int64(0), make(map[string]bool)
	for range 10 * each {
		c := h.next()
		if c.Number <= last || seen[string(c.Serial)] {
			t.Fatalf("%d after %d", c.Number, last)
		}
		last, seen[string(c.Serial)] = c.Number, true
	}
	h.nothing()
}

func statusByIssuer(t *testing.T, f *fixture) {
	f.issue(1)
	if st, err := f.StatusOf(t.Context(), f.issuer.KeyHash, serial(1)); err != nil || st.State != StateIssued {
		t.Errorf("%+v, %v", st, err)
	}
	if _, err := f.StatusOf(t.Context(), f.issuer.KeyHash, serial(2)); !errors.Is(err, ErrNotFound) || errors.Is(err, ErrIssuer) {
		t.Error(err)
	}
	if _, err := f.StatusOf(t.Context(), [32]byte{1}, serial(1)); !errors.Is(err, ErrIssuer) {
		t.Error(err)
	}
}

func TestChangesOfAnotherProcessAreFollowed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ca.db")
	f := withIssuerAt(t, path)
	other, err := Open(t.Context(), path)
	f.must(err)
	defer func() { f.must(other.Close()) }()
	h := follow(t, other)
	f.issue(1)
	f.must(f.Revoke(t.Context(), f.issuer.ID, serial(1), Revocation{At: f.now, Reason: 1}, f.by()))
	if c := h.next(); string(c.Serial) != string(serial(1)) {
		t.Errorf("%+v", c)
	}
}

func withIssuerAt(t *testing.T, path string) *fixture {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	f := &fixture{T: t, Store: s, now: time.Now().UTC().Truncate(time.Millisecond)}
	f.issuer, err = f.Introduce(t.Context(), Issuer{Name: "CN=Test CA", KeyHash: [32]byte{1}, Certificate: []byte("ca")}, f.by())
	f.must(err)
	return f
}

// Who has a file open that others find no more under its name would hear of nothing.
func TestFileThatWasPutAsideIsNoticed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ca.db")
	f := withIssuerAt(t, path)
	f.issue(1)
	h := follow(t, f.Store)
	// At one go: that there is no file at all in between would be another trouble.
	if err := errors.Join(os.Link(path, path+".old"), os.WriteFile(path+".new", nil, 0o600), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it has been tried again, which must leave the log of the first file alone
		select {
		case err := <-h.failed:
			if !strings.Contains(err.Error(), "taken its place") {
				t.Error(err)
			}
		case <-time.After(time.Minute):
			t.Fatal("nobody noticed")
		}
	}
	if st, err := f.StatusOf(t.Context(), f.issuer.KeyHash, serial(1)); err == nil {
		t.Errorf("%+v", st)
	}
	if err := os.Rename(path+".old", path); err != nil {
		t.Fatal(err)
	}
	h.certain()
	if _, err := f.StatusOf(t.Context(), f.issuer.KeyHash, serial(1)); err != nil {
		t.Error(err)
	}
}
