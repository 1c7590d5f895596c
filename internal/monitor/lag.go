package monitor

import (
	"math"
	"sync"
	"time"
)

// Stats are counts since the engine began.
type Stats struct {
	Looks   uint64 // that were filed
	Unfiled uint64 // that could not be
	Lag     Lag    // since the engine began
	Recent  Lag    // of the last five to ten minutes
}

// Lag is by how much looks began after their time.
type Lag struct {
	Count    uint64
	Sum      float64 // seconds
	Max      time.Duration
	P50, P99 time.Duration // half of the looks, and 99 of a hundred, began sooner; at most a tenth too much
	// Buckets counts the looks that were late by no more than so many seconds, as Prometheus wants them: each bound has all
	// below it, too.
	Buckets map[float64]uint64 `json:"-"` // whose keys may not be numbers
}

// LagBounds are the bounds of [Lag.Buckets], in seconds.
func LagBounds() []float64 { return []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300} }

// Stats tells how the engine keeps up.
func (e *Engine) Stats() Stats {
	s := Stats{Looks: uint64(e.looks.Load()), Unfiled: uint64(e.notLooks.Load())}
	s.Lag, s.Recent = e.lags.summary(e.o.Now())
	return s
}

// recentFor is how long a window of recent lags is filled before the next one begins.
const recentFor = 5 * time.Minute

// lags notes by how much looks are late. The zero value is ready.
type lags struct {
	mu                sync.Mutex
	all, now, earlier distribution
	began             time.Time // the window now
}

// note adds one look that begins.
func (l *lags) note(now time.Time, late time.Duration) {
	late = max(late, 0)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn(now)
	l.all.add(late)
	l.now.add(late)
}

// turn begins another window when it is time.
func (l *lags) turn(now time.Time) {
	switch age := now.Sub(l.began); {
	case age < recentFor:
	case age < 2*recentFor:
		l.earlier, l.now, l.began = l.now, distribution{}, now
	default:
		l.earlier, l.now, l.began = distribution{}, distribution{}, now
	}
}

func (l *lags) summary(now time.Time) (all, recent Lag) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn(now)
	both := l.now
	both.merge(&l.earlier)
	return l.all.summary(), both.summary()
}

// perOctave is how many steps lie between a lag and its double: neighbours are 9 % apart.
const perOctave = 8

// distribution counts durations by steps that grow with them: from a millisecond to 4 days.
type distribution struct {
	count  uint64
	sum    time.Duration
	max    time.Duration
	steps  [28*perOctave + 1]uint64 // the first one is for less than a millisecond
	within [10]uint64               // by LagBounds, each without those below it
}

func (d *distribution) add(late time.Duration) {
	d.count++
	d.sum += late
	d.max = max(d.max, late)
	step := 0
	if ms := late.Seconds() * 1000; ms >= 1 {
		step = min(1+int(perOctave*math.Log2(ms)), len(d.steps)-1)
	}
	d.steps[step]++
	for i, bound := range LagBounds() {
		if late.Seconds() <= bound {
			d.within[i]++
			break
		}
	}
}

func (d *distribution) merge(other *distribution) {
	d.count, d.sum, d.max = d.count+other.count, d.sum+other.sum, max(d.max, other.max)
	for i := range d.steps {
		d.steps[i] += other.steps[i]
	}
	for i := range d.within {
		d.within[i] += other.within[i]
	}
}

// quantile is a duration that so much of all, 0 to 1, do not exceed.
func (d *distribution) quantile(share float64) time.Duration {
	wanted, seen := uint64(math.Ceil(share*float64(d.count))), uint64(0)
	for i, n := range d.steps {
		if seen += n; seen >= wanted && n > 0 {
			end := time.Duration(math.Exp2(float64(i)/perOctave) * float64(time.Millisecond))
			return min(end, d.max)
		}
	}
	return d.max
}

func (d *distribution) summary() Lag {
	s := Lag{Count: d.count, Sum: d.sum.Seconds(), Max: d.max, P50: d.quantile(0.5), P99: d.quantile(0.99), Buckets: make(map[float64]uint64)}
	var below uint64
	for i, bound := range LagBounds() {
		below += d.within[i]
		s.Buckets[bound] = below
	}
	return s
}
