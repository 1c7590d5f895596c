package gateway

import (
	"context"
	"os"
	"runtime/debug"
	rt "runtime/metrics"
	"time"
)

// A gateway's memory comes in waves: a burst of handshakes leaves garbage and deep stacks behind, on top of connections
// that then hold little for hours. Go's collector by itself would neither let a small heap grow far enough to be collected
// seldom, nor look at it again when nobody allocates any more.
const (
	memoryLook     = 2 * time.Second
	memoryHeadroom = 48 << 20 // bytes of garbage that are let come together where little is alive
	mostPercent    = 400
	leastPercent   = 100     // what Go does by itself
	calmRate       = 1 << 20 // bytes allocated between two looks, at most, while it is calm
	worthTrimming  = 4 << 20 // bytes allocated since memory was given back, or stacks that nobody has any more
	stackSize      = 8 << 10 // of a goroutine, about
)

// memoryReading is what the runtime says.
type memoryReading struct {
	allocated uint64 // bytes, ever
	alive     uint64 // bytes, when last collected
	stacks    uint64 // goroutines
}

// memoryKeeper decides.
type memoryKeeper struct {
	percent   int
	last      uint64 // allocated, at the last look
	trimmed   uint64 // allocated, when memory was last given back
	peak      uint64 // the most goroutines since then
	again     bool   // once more: stacks shrink by half at a time
	hasLooked bool
}

// step takes a reading, and says how far the heap may grow and whether to give memory back to the system now.
func (k *memoryKeeper) step(r memoryReading) (percent int, trim bool) {
	percent = max(leastPercent, min(mostPercent, int(memoryHeadroom*100/max(r.alive, 1))))
	if k.percent != 0 && percent > k.percent*3/4 && percent < k.percent*5/4 {
		percent = k.percent // changing it stops the world for a moment
	}
	k.percent = percent
	isCalm := k.hasLooked && r.allocated-k.last <= calmRate
	k.last, k.hasLooked = r.allocated, true
	k.peak = max(k.peak, r.stacks)
	worth := r.allocated - k.trimmed + (k.peak-r.stacks)*stackSize
	switch {
	case !isCalm:
		k.again = false
	case k.again:
		k.again, k.trimmed = false, r.allocated
		trim = true
	case worth >= worthTrimming:
		k.again, k.trimmed = true, r.allocated
		trim = true
	}
	if trim {
		k.peak = r.stacks
	}
	return percent, trim
}

// keepMemory suits the collector of this process to a gateway until ctx ends. Where GOGC or GOMEMLIMIT is set somebody has
// decided already, and nothing is changed.
func keepMemory(ctx context.Context) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	before := debug.SetGCPercent(mostPercent)
	defer debug.SetGCPercent(before)
	samples := []rt.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}, {Name: "/sched/goroutines:goroutines"}}
	k := memoryKeeper{percent: mostPercent}
	for pause(ctx, memoryLook) {
		rt.Read(samples)
		for _, s := range samples {
			if s.Value.Kind() != rt.KindUint64 {
				return // a runtime that does not say
			}
		}
		was := k.percent
		percent, trim := k.step(memoryReading{allocated: samples[0].Value.Uint64(), alive: samples[1].Value.Uint64(), stacks: samples[2].Value.Uint64()})
		if percent != was {
			debug.SetGCPercent(percent)
		}
		if trim {
			debug.FreeOSMemory()
		}
	}
}
