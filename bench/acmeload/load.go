package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// turn is what one server did in one turn.
type turn struct {
	rate     float64 // flows each second
	p50, p95 time.Duration
	failed   int
	server   time.Duration // CPU time for one flow
	client   time.Duration // likewise, of this process
	err      error         // the first one
}

// takeTurns gives each server its turns, and tells the medians.
func takeTurns(ctx context.Context, s *settings, p *proofs) error {
	type load struct {
		workers int
		one     bool
	}
	var loads []load
	for _, n := range s.workers {
		if s.each || n == 1 {
			loads = append(loads, load{n, false})
		}
		if s.one && n > 1 {
			loads = append(loads, load{n, true})
		}
	}
	all := make(map[load]map[*server][]turn)
	for round := range s.rounds {
		for _, l := range loads {
			for i := range s.servers {
				at := s.servers[(i+round)%len(s.servers)] // nobody is always the first
				t, err := serve(ctx, s, at, p, l.workers, l.one)
				if err != nil {
					return fmt.Errorf("%s: %w", at.name, err)
				}
				if all[l] == nil {
					all[l] = make(map[*server][]turn)
				}
				all[l][at] = append(all[l][at], t)
				fmt.Printf("round %d: %-10s %s\n", round+1, at.name, t.describe(l.workers, l.one))
			}
		}
	}
	fmt.Printf("\nmedians of %d rounds of %d flows; the rate beside the last server's\n", s.rounds, s.flows)
	var failed error
	for _, l := range loads {
		last := median(all[l][s.servers[len(s.servers)-1]])
		for _, at := range s.servers {
			m := median(all[l][at])
			fmt.Printf("%-10s %s, %.2fx, RSS %s\n", at.name, m.describe(l.workers, l.one), m.rate/last.rate, residentText(at.process))
			failed = errors.Join(failed, m.err)
		}
	}
	if failed != nil {
		text := failed.Error()
		return errors.New(text[:min(len(text), 400)])
	}
	return nil
}

func (t turn) describe(workers int, one bool) string {
	who := ""
	if one {
		who = " of one account"
	}
	return fmt.Sprintf("%2d at a time%s: %.0f/s, p50 %v, p95 %v, %d failed, CPU of the server %v, of the client %v", workers, who, t.rate,
		t.p50.Round(100*time.Microsecond), t.p95.Round(100*time.Microsecond), t.failed, t.server.Round(10*time.Microsecond), t.client.Round(10*time.Microsecond))
}

// median takes the middle of each figure on its own; failures are summed up.
func median(turns []turn) (m turn) {
	m.rate = middle(turns, func(t turn) float64 { return t.rate })
	m.p50, m.p95 = middle(turns, func(t turn) time.Duration { return t.p50 }), middle(turns, func(t turn) time.Duration { return t.p95 })
	m.server, m.client = middle(turns, func(t turn) time.Duration { return t.server }), middle(turns, func(t turn) time.Duration { return t.client })
	for _, t := range turns {
		m.failed += t.failed
		if m.err == nil {
			m.err = t.err
		}
	}
	return m
}

func middle[T cmp.Ordered](turns []turn, of func(turn) T) T {
	var values []T
	for _, t := range turns {
		values = append(values, of(t))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// serve gives one server one turn. Accounts, connections and keys are made before the clock runs.
func serve(ctx context.Context, s *settings, at *server, p *proofs, workers int, one bool) (turn, error) {
	clients := make([]*client, workers)
	var shared *account
	for i := range clients {
		var err error
		if clients[i], err = newClient(ctx, at, p, shared); err != nil {
			return turn{}, err
		}
		defer clients[i].close()
		if one {
			shared = clients[i].account
		}
	}
	wishes := make([]wish, s.flows)
	for i := range wishes {
		var err error
		if wishes[i], err = newWish(fmt.Sprintf("n%d-%d.load.test", i, time.Now().UnixNano()%1e12)); err != nil {
			return turn{}, err
		}
	}
	return drive(ctx, at, clients, wishes), nil
}

// drive runs the flows.
func drive(ctx context.Context, at *server, clients []*client, wishes []wish) (t turn) {
	var next atomic.Int64
	var mu sync.Mutex
	took := make([]time.Duration, 0, len(wishes))
	server, own := treeTime(at.process), cpuTime()
	start := time.Now()
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(len(wishes)); n = next.Add(1) {
				begin := time.Now()
				err := c.flow(ctx, wishes[n-1])
				mu.Lock()
				took = append(took, time.Since(begin))
				if err != nil {
					t.failed++
					t.err = firstOf(t.err, err)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	all, flows := time.Since(start), time.Duration(len(wishes))
	t.server, t.client = (treeTime(at.process)-server)/flows, (cpuTime()-own)/flows
	slices.Sort(took)
	t.rate, t.p50, t.p95 = float64(len(took)-t.failed)/all.Seconds(), took[len(took)/2], took[len(took)*95/100]
	return t
}

// place only places orders, and tells how long the first and the last hundred took.
func place(ctx context.Context, at *server, p *proofs, n int) error {
	c, err := newClient(ctx, at, p, nil)
	if err != nil {
		return err
	}
	defer c.close()
	took := make([]time.Duration, n)
	for i := range took {
		begin := time.Now()
		if _, err := c.post(ctx, c.directory.NewOrder, orderFor(fmt.Sprintf("p%d-%d.load.test", i, begin.UnixNano()%1e9)), nil); err != nil {
			return err
		}
		took[i] = time.Since(begin)
	}
	part := min(n, 100)
	first, last := took[:part], took[n-part:]
	slices.Sort(first)
	slices.Sort(last)
	fmt.Printf("%s: %d orders pending: one of the first hundred took %v, of the last hundred %v (medians)\n", at.name, n,
		first[part/2].Round(10*time.Microsecond), last[part/2].Round(10*time.Microsecond))
	return nil
}

func firstOf(first, next error) error {
	if first != nil {
		return first
	}
	return next
}
