package main

import (
	"runtime"
	"slices"
	"time"
)

// scenario is one thing to do, by several stacks in turns. The first side is what the others are compared with.
type scenario struct {
	name  string
	bytes int // application data that one operation moves; 0: none
	// parts name the figures that an operation has, in the order of what timed returns; nil: it has one.
	parts []string
	// procs is GOMAXPROCS while it runs; 1 keeps both ends of an in-memory connection on one core, 0 leaves it alone.
	procs int
	// pieces is how many short turns take the place of one: where sockets are in the way, turns differ much, and the median
	// of many says more.
	pieces int
	sides  []side
}

// side does an operation n times.
type side struct {
	name  string
	bound bool // no stack, but what none can go below: primitives alone
	run   func(n int) error
	// timed takes the place of run where not all that this process uses counts: it returns the CPU time that does, for each
	// part, or in the first place.
	timed func(n int) (parts, error)
}

// cpu does the operation n times and returns the CPU time that this took.
func (s side) cpu(n int) (parts, error) {
	if s.timed != nil {
		return s.timed(n)
	}
	start := cpuTime()
	err := s.run(n)
	return parts{cpuTime() - start}, err
}

func (p parts) sum() time.Duration { return p[0] + p[1] }

// result is what one operation costs.
type result struct {
	cpu       time.Duration
	allocs    float64
	allocated float64 // bytes
	// Compared with the turns of the same round, and the median of that over the rounds:
	ratio float64 // CPU time of the first side by ours
	share float64 // CPU time of the bound by ours; 0: there is none
}

// figures names those of a scenario, one for each part.
func (s scenario) figures() []string {
	if s.parts == nil {
		return []string{s.name}
	}
	var names []string
	for _, part := range s.parts {
		names = append(names, s.name+"_"+part)
	}
	return names
}

// measure gives each side its turn, round after round, and returns for each figure the result of each side.
func measure(s scenario, rounds int, each time.Duration) ([][]result, error) {
	turns, err := takeTurns(s, rounds, each)
	if err != nil {
		return nil, err
	}
	var all [][]result
	for part := range s.figures() {
		all = append(all, judge(s, turns, part))
	}
	return all, nil
}

// taken is what an operation took in one turn.
type taken struct {
	cpu       parts
	allocs    float64
	allocated float64 // bytes
}

// takeTurns returns what each side took in each round.
func takeTurns(s scenario, rounds int, each time.Duration) ([][]taken, error) {
	if s.procs > 0 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(s.procs))
	}
	if s.pieces > 1 {
		rounds, each = rounds*s.pieces, each/time.Duration(s.pieces)
	}
	n := make([]int, len(s.sides))
	for i, side := range s.sides {
		var err error
		if n[i], err = calibrate(side, each); err != nil {
			return nil, err
		}
	}
	var turns [][]taken
	for round := range rounds {
		now := make([]taken, len(s.sides))
		for i := range s.sides {
			if round%2 == 1 { // who comes first finds another machine than who comes last
				i = len(s.sides) - 1 - i
			}
			var err error
			if now[i], err = turn(s.sides[i], n[i]); err != nil {
				return nil, err
			}
		}
		turns = append(turns, now)
	}
	return turns, nil
}

// judge keeps each side's best for one part. What it is compared with are the turns of the same round, so that a machine that
// is busy with other things disturbs that as little as may be.
func judge(s scenario, turns [][]taken, part int) []result {
	best := make([]result, len(s.sides))
	ratios, shares := make([][]float64, len(s.sides)), make([][]float64, len(s.sides))
	bound := slices.IndexFunc(s.sides, func(s side) bool { return s.bound })
	for round, now := range turns {
		for i, t := range now {
			cpu := t.cpu[part]
			if round == 0 || cpu < best[i].cpu {
				best[i] = result{cpu: cpu, allocs: t.allocs, allocated: t.allocated}
			}
			ratios[i] = append(ratios[i], now[0].cpu[part].Seconds()/cpu.Seconds())
			if bound >= 0 {
				shares[i] = append(shares[i], now[bound].cpu[part].Seconds()/cpu.Seconds())
			}
		}
	}
	for i := range best {
		best[i].ratio, best[i].share = median(ratios[i]), median(shares[i])
	}
	return best
}

// median returns the one in the middle, 0 of none.
func median(of []float64) float64 {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

// calibrate finds how many operations take about as much CPU time as each. The time on the clock would say little: on a
// busy machine a turn that waited for the processor would seem long enough.
func calibrate(s side, each time.Duration) (int, error) {
	for n := 1; ; n *= 4 {
		took, err := s.cpu(n)
		if err != nil {
			return 0, err
		}
		if took.sum() > each/8 {
			return max(1, int(float64(n)*each.Seconds()/took.sum().Seconds())), nil
		}
	}
}

func turn(s side, n int) (taken, error) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, err := s.cpu(n)
	runtime.ReadMemStats(&after)
	if s.timed != nil {
		after = before // what was allocated for this part, or by that process, is not known
	}
	for i := range cpu {
		cpu[i] /= time.Duration(n)
	}
	return taken{
		cpu:       cpu,
		allocs:    float64(after.Mallocs-before.Mallocs) / float64(n),
		allocated: float64(after.TotalAlloc-before.TotalAlloc) / float64(n),
	}, err
}
