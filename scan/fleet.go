package scan

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/tlswright/tlswright/grade"
)

// FleetOptions say how to go through many targets. The zero value is fit for a list of hosts of one's own.
type FleetOptions struct {
	// Parallel is how many targets are scanned at once; 0: 16, and 256 where only a quick look is asked for.
	Parallel int
	// Rate is how many targets are begun in a second, at most; 0: as many as go.
	Rate float64
	// Skip leaves a target out, because it was scanned before; nil: none is. It is called by one goroutine.
	Skip func(Target) bool
}

// FleetResult is what came of one target.
type FleetResult struct {
	Target Target
	Facts  []*grade.Facts // one for each address
	// Err is why there are no facts: the line names no target, or its name has no address.
	Err error
	// Skipped: the target was left out by FleetOptions.Skip.
	Skipped bool
}

// FleetSummary counts what came of a fleet.
type FleetSummary struct {
	Targets, Skipped, Failed int // Failed: without facts, or nobody answered
	Addresses, Connections   int
	Seconds                  float64
}

// How many targets are scanned at once.
const (
	fleetParallel      = 16
	fleetParallelQuick = 256
	maxFleetParallel   = 4096
)

// Fleet scans many targets and hands over what came of each as soon as it is there, from one goroutine; nothing is kept. A
// target that cannot be scanned never stops the others. The error is that of found, which ends the run, or the context's.
func (s *Scanner) Fleet(ctx context.Context, targets iter.Seq2[Target, error], o FleetOptions, found func(FleetResult) error) (FleetSummary, error) {
	began := time.Now()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	work := make(chan FleetResult)
	done := make(chan FleetResult)
	go func() {
		defer close(work)
		feed(ctx, targets, o, work)
	}()
	var workers sync.WaitGroup
	for range o.parallel(s.o.Quick) {
		workers.Go(func() {
			for r := range work {
				if r.Err == nil && !r.Skipped {
					r.Facts, r.Err = s.Scan(ctx, r.Target)
				}
				done <- r
			}
		})
	}
	go func() {
		workers.Wait()
		close(done)
	}()

	var sum FleetSummary
	var failed error
	for r := range done {
		if failed != nil || ctx.Err() != nil {
			continue // what was cut off is no result; the workers are let go
		}
		sum.count(r)
		if failed = found(r); failed != nil {
			stop()
		}
	}
	sum.Seconds = time.Since(began).Seconds()
	if failed == nil {
		failed = ctx.Err()
	}
	return sum, failed
}

func (o FleetOptions) parallel(quick bool) int {
	switch {
	case o.Parallel > 0:
		return min(o.Parallel, maxFleetParallel)
	case quick:
		return fleetParallelQuick
	}
	return fleetParallel
}

// feed hands the targets to the workers, no faster than the rate allows.
func feed(ctx context.Context, targets iter.Seq2[Target, error], o FleetOptions, work chan<- FleetResult) {
	var pace time.Duration
	if o.Rate > 0 {
		pace = time.Duration(float64(time.Second) / o.Rate)
	}
	next := time.Now()
	for t, err := range targets {
		r := FleetResult{Target: t, Err: err}
		r.Skipped = err == nil && o.Skip != nil && o.Skip(t)
		if pace > 0 && err == nil && !r.Skipped {
			if wait(ctx, time.Until(next)) != nil {
				return
			}
			if now := time.Now(); next.Before(now) {
				next = now // what was missed is not made up for: a rate is a promise to the network
			}
			next = next.Add(pace)
		}
		select {
		case work <- r:
		case <-ctx.Done():
			return
		}
	}
}

func (sum *FleetSummary) count(r FleetResult) {
	if r.Skipped {
		sum.Skipped++
		return
	}
	sum.Targets++
	if r.Err != nil || len(r.Facts) == 0 {
		sum.Failed++
		return
	}
	reached := false
	for _, f := range r.Facts {
		sum.Addresses++
		sum.Connections += f.Connections
		reached = reached || f.Unreachable == ""
	}
	if !reached {
		sum.Failed++
	}
}

// errInternal is a mistake of ours that came to light at one target.
var errInternal = errors.New("the scanner itself failed here")

// rescue keeps a mistake of ours in a probe of one target from ending the scan of all others: the probe becomes a gap.
func (h *host) rescue(name string) {
	if r := recover(); r != nil {
		h.gap(name, fmt.Errorf("%w: %v", errInternal, r))
	}
}
