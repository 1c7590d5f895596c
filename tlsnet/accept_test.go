package tlsnet_test

import (
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// needAccept keeps the long tests out of "go test ./...".
func needAccept(t *testing.T) {
	t.Helper()
	if os.Getenv("TLSWRIGHT_ACCEPT") == "" {
		t.Skip(`a long load: "make accept" runs it (TLSWRIGHT_ACCEPT=1)`)
	}
}

// aging is a store whose sessions wait: it gives out the oldest and the newest by turns, each once, and none in the last
// second of its life, which could end on the way.
type aging struct {
	mu       sync.Mutex
	sessions []*tlscore.Session // in the order in which they came
	newest   bool               // it is the turn of that
	given    map[string]time.Duration
	names    map[string]int // of keys: the first bytes of each ticket
	over     int            // too old to be given out
}

func (a *aging) Put(_ string, s *tlscore.Session) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sessions = append(a.sessions, s)
	a.names[string(s.Ticket[:16])]++
}

func (a *aging) Take(string) *tlscore.Session {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.sessions) > 0 {
		i := 0
		if a.newest {
			i = len(a.sessions) - 1
		}
		s := a.sessions[i]
		a.sessions = slices.Delete(a.sessions, i, i+1)
		age := time.Since(s.Issued)
		if age > s.Lifetime-time.Second {
			a.over++
			continue
		}
		a.newest = !a.newest
		a.given[string(s.Ticket)] = age
		return s
	}
	return nil
}

func (a *aging) Remove(string, *tlscore.Session) {}

// giveNone is a store in which sessions only gather.
type giveNone struct{ *aging }

func (giveNone) Take(string) *tlscore.Session { return nil }

// TestAcceptTicketKeysRotateUnderLoad rotates the ticket keys each second, by the real clock, under 50 connections a
// second. Each of them resumes the session of an earlier one within the overlap, half of these six seconds old; none may
// fail.
func TestAcceptTicketKeysRotateUnderLoad(t *testing.T) {
	needAccept(t)
	const (
		rotation = time.Second
		overlap  = 8 * time.Second
		every    = time.Second / 50
		last     = 20 * time.Second
		gathered = 150 // sessions that wait at any time: the oldest of them for six seconds
	)
	s := newSite(t)
	sc := s.serverConfig()
	sc.TicketKeys, sc.TicketLifetime, sc.Tickets = tlsnet.NewTicketKeys(rotation, overlap), overlap, 1
	addr := served(t, sc)
	store := &aging{given: map[string]time.Duration{}, names: map[string]int{}}
	cc := s.clientConfig()
	cc.Sessions = giveNone{store}
	gather := newVisitor(t, cc)
	for range gathered {
		gather.visit(addr)
	}
	cc.Sessions = store
	who := newVisitor(t, cc)
	var resumed, failed atomic.Int64
	var load sync.WaitGroup
	begun := time.Now()
	count := int(last / every)
	for i := range count {
		time.Sleep(time.Until(begun.Add(time.Duration(i) * every))) // this is the load, not a way to wait for something
		load.Go(func() {
			if f := who.visit(addr); f.Resumed {
				resumed.Add(1)
			} else {
				failed.Add(1)
			}
		})
	}
	load.Wait()
	took := time.Since(begun)
	var ages []time.Duration
	for _, age := range store.given {
		ages = append(ages, age)
	}
	slices.Sort(ages)
	behind := len(ages) - countBelow(ages, rotation) // whose key had stopped sealing for certain
	t.Logf("%d connections in %v (%.1f a second): %d resumed, %d failed; tickets of %d keys; age of the sessions %v to %v, %d older than a rotation; %d expired unused",
		count, took.Round(time.Millisecond), float64(count)/took.Seconds(), resumed.Load(), failed.Load(), len(store.names),
		ages[0].Round(time.Millisecond), ages[len(ages)-1].Round(time.Millisecond), behind, store.over)
	if failed.Load() != 0 || resumed.Load() != int64(count) || len(ages) != count {
		t.Errorf("%d of %d connections offered a session, %d resumed", len(ages), count, resumed.Load())
	}
	if want := int(last/rotation) * 3 / 4; len(store.names) < want {
		t.Errorf("tickets of %d keys, want at least %d: they did not rotate", len(store.names), want)
	}
	if behind < count/4 {
		t.Errorf("only %d sessions were older than a rotation", behind)
	}
}

// countBelow is how many of the sorted durations lie below a limit.
func countBelow(sorted []time.Duration, limit time.Duration) int {
	n, _ := slices.BinarySearch(sorted, limit)
	return n
}
