package ticket

import (
	"bytes"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var start = time.Date(2026, time.November, 21, 12, 0, 0, 0, time.UTC)

func TestTicketsOpenOnlyWhole(t *testing.T) {
	k := NewKeys(time.Hour, 24*time.Hour)
	state := []byte("state")
	sealed, err := k.Seal(start, state, []byte("site"))
	if err != nil || len(sealed) != len(state)+Overhead {
		t.Fatal(len(sealed), err)
	}
	if got, ok := k.Open(start, sealed, []byte("site")); !ok || !bytes.Equal(got, state) {
		t.Fatalf("%q %v", got, ok)
	}
	if _, ok := k.Open(start, sealed, []byte("other site")); ok {
		t.Error("opened for another context")
	}
	if _, ok := NewKeys(0, time.Hour).Open(start, sealed, []byte("site")); ok {
		t.Error("opened by other keys")
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, ok := k.Open(start, bad, []byte("site")); ok {
			t.Fatalf("opened with byte %d changed", i)
		}
		if _, ok := k.Open(start, sealed[:i], []byte("site")); ok {
			t.Fatalf("opened with %d bytes", i)
		}
	}
}

func TestRotationKeepsTicketsForTheirLifetime(t *testing.T) {
	const lifetime = 10 * time.Second
	k := NewKeys(time.Second, lifetime)
	type issued struct {
		at     time.Time
		ticket []byte
	}
	var all []issued
	for now := start; now.Before(start.Add(time.Minute)); now = now.Add(250 * time.Millisecond) {
		b, err := k.Seal(now, []byte("s"), nil)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, issued{now, b})
		for _, i := range all {
			_, ok := k.Open(now, i.ticket, nil)
			if age := now.Sub(i.at); age <= lifetime && !ok {
				t.Fatalf("a ticket of age %v did not open", age)
			} else if age > lifetime+2*time.Second && ok {
				t.Fatalf("a ticket of age %v opened", age)
			}
		}
	}
	if n := len(k.Export(start.Add(time.Minute))); n > 12 {
		t.Errorf("%d keys are kept", n)
	}
}

// TestKeysMayBeSharedBeforeTheFirstTicket: a second node opens what the first one seals later with the key it handed out.
func TestKeysMayBeSharedBeforeTheFirstTicket(t *testing.T) {
	a, b := NewKeys(time.Hour, 24*time.Hour), NewKeys(time.Hour, 24*time.Hour)
	if err := b.Import(a.Export(start)); err != nil {
		t.Fatal(err)
	}
	sealed, err := a.Seal(start.Add(time.Minute), []byte("state"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := b.Open(start.Add(time.Minute), sealed, nil); !ok {
		t.Error("the second node does not open it")
	}
}

func TestKeysAreSharedBetweenNodes(t *testing.T) {
	a, b := NewKeys(time.Hour, 24*time.Hour), NewKeys(time.Hour, 24*time.Hour)
	sealed, err := a.Seal(start, []byte("s"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Import(a.Export(start)); err != nil {
		t.Fatal(err)
	}
	if _, ok := b.Open(start, sealed, nil); !ok {
		t.Error("the other node cannot open it")
	}
	if err := b.Import(nil); err == nil {
		t.Error("an empty ring was taken")
	}
	ahead := a.Export(start)
	ahead = append([]Shared{{Name: [16]byte{1}, Key: [32]byte{2}, Since: start.Add(time.Minute)}}, ahead...)
	if err := b.Import(ahead); err != nil {
		t.Fatal(err)
	}
	early, err := b.Seal(start, []byte("s"), nil)
	if err != nil || early[0] == 1 {
		t.Errorf("a key sealed before its time: %v", err)
	}
	late, err := b.Seal(start.Add(time.Minute), []byte("s"), nil)
	if err != nil || late[0] != 1 {
		t.Errorf("a key did not seal when its time came: %v", err)
	}
	if _, err := b.Seal(start.Add(48*time.Hour), []byte("s"), nil); err == nil {
		t.Error("sealed with imported keys that are over")
	}
	ahead[0], ahead[1] = ahead[1], ahead[0]
	if err := b.Import(ahead); err == nil {
		t.Error("keys out of order were taken")
	}
}

func TestGuardAcceptsOnceAmongAThousand(t *testing.T) {
	g := NewGuard(0)
	var accepted atomic.Int32
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			if g.Accept(start, g.Epoch(), []byte("ticket"), time.Second, time.Second) {
				accepted.Add(1)
			}
		})
	}
	wg.Wait()
	if n := accepted.Load(); n != 1 {
		t.Errorf("accepted %d times", n)
	}
}

func TestGuardFailsClosed(t *testing.T) {
	g := NewGuard(2)
	ask := func(at time.Duration, ticket string, seen, told time.Duration) bool {
		return g.Accept(start.Add(at), g.Epoch(), []byte(ticket), seen, told)
	}
	if g.Accept(start, NewGuard(0).Epoch(), []byte("a"), 0, 0) {
		t.Error("accepted a ticket of another node, or of before a restart")
	}
	if ask(0, "a", 20*time.Second, 9*time.Second) || ask(0, "a", 0, 11*time.Second) {
		t.Error("accepted outside the window")
	}
	if !ask(0, "a", 0, 0) || !ask(0, "b", time.Second, 0) {
		t.Error("refused two fresh tickets")
	}
	if ask(0, "c", 0, 0) {
		t.Error("accepted although full")
	}
	if !ask(keep+time.Second, "c", 0, 0) {
		t.Error("still full although the others have expired")
	}
	if len(g.used) != 1 || len(g.queue) != 1 {
		t.Errorf("remembers %d and %d", len(g.used), len(g.queue))
	}
}

func FuzzOpen(f *testing.F) {
	k := NewKeys(time.Hour, time.Hour)
	sealed, err := k.Seal(start, []byte("s"), nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, ok := k.Open(start, b, nil); ok && !bytes.Equal(b, sealed) {
			t.Error("a forged ticket opened")
		}
	})
}
