package main

import (
	"runtime"
	"time"
)

// scenario is one thing to do, by several stacks in turns. The first side is what the others are compared with.
type scenario struct {
	name  string
	bytes int // application data that one operation moves; 0: none
	// procs is GOMAXPROCS while it runs; 1 keeps both ends of an in-memory connection on one core, 0 leaves it alone.
	procs int
	sides []side
}

// side does an operation n times.
type side struct {
	name string
	run  func(n int) error
}

// result is what one operation costs.
type result struct {
	cpu       time.Duration
	allocs    float64
	allocated float64 // bytes
}

// measure gives each side its turn, round after round, and keeps each side's best.
func measure(s scenario, rounds int, each time.Duration) ([]result, error) {
	if s.procs > 0 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(s.procs))
	}
	n := make([]int, len(s.sides))
	for i, side := range s.sides {
		var err error
		if n[i], err = calibrate(side, each); err != nil {
			return nil, err
		}
	}
	best := make([]result, len(s.sides))
	for round := range rounds {
		for i, side := range s.sides {
			r, err := turn(side, n[i])
			if err != nil {
				return nil, err
			}
			if round == 0 || r.cpu < best[i].cpu {
				best[i] = r
			}
		}
	}
	return best, nil
}

// calibrate finds how many operations take about as long as each.
func calibrate(s side, each time.Duration) (int, error) {
	for n := 1; ; n *= 4 {
		start := time.Now()
		if err := s.run(n); err != nil {
			return 0, err
		}
		if took := time.Since(start); took > each/8 {
			return max(1, int(float64(n)*each.Seconds()/took.Seconds())), nil
		}
	}
}

func turn(s side, n int) (result, error) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := cpuTime()
	err := s.run(n)
	cpu := cpuTime() - start
	runtime.ReadMemStats(&after)
	return result{
		cpu:       cpu / time.Duration(n),
		allocs:    float64(after.Mallocs-before.Mallocs) / float64(n),
		allocated: float64(after.TotalAlloc-before.TotalAlloc) / float64(n),
	}, err
}
