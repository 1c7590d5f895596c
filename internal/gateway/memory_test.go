package gateway

import "testing"

func TestMemoryIsGivenBackOnceItIsCalm(t *testing.T) {
	const mb = 1 << 20
	var k memoryKeeper
	for i, c := range []struct {
		allocated, alive uint64
		percent          int
		trim             bool
	}{
		{30 * mb, 8 * mb, 400, false},                                                                 // the first look knows no rate
		{30 * mb, 8 * mb, 400, true},                                                                  // calm: what it took to start goes
		{30 * mb, 8 * mb, 400, true},                                                                  // and the other half of the stacks
		{30 * mb, 8 * mb, 400, false},                                                                 // once is enough
		{31 * mb, 8 * mb, 400, false},                                                                 // a little traffic is none
		{90 * mb, 40 * mb, 120, false},                                                                // a burst
		{90*mb + mb/2, 40 * mb, 120, true},                                                            // over
		{150 * mb, 44 * mb, 120, false},                                                               // another before the second time
		{300 * mb, 400 * mb, 120, false},                                                              // much is alive: nearly as Go does it
		{300*mb + mb/2, 400 * mb, 120, true},                                                          //
		{300*mb + mb/2 + 100, 600 * mb, 120, true},                                                    //
		{300*mb + mb/2 + 100, 10 * mb, 400, false},                                                    //
		{302 * mb, 11 * mb, 400, false},                                                               // more than calm, and too little to be worth it
		{302 * mb, 9 * mb, 400, false},                                                                //
		{303 * mb, 9 * mb, 400, false}, {304 * mb, 9 * mb, 400, false}, {305 * mb, 9 * mb, 400, true}, // drops fill a bucket
	} {
		percent, trim := k.step(memoryReading{allocated: c.allocated, alive: c.alive})
		if percent != c.percent || trim != c.trim {
			t.Errorf("look %d: %d, %v; want %d, %v", i, percent, trim, c.percent, c.trim)
		}
	}
}

func TestMemoryOfStacksIsGivenBack(t *testing.T) {
	const mb = 1 << 20
	k := memoryKeeper{percent: 400, last: 30 * mb, trimmed: 30 * mb, hasLooked: true}
	for i, c := range []struct {
		stacks uint64
		trim   bool
	}{
		{20, false}, {1000, false}, {900, false}, // they are in use
		{100, true}, {100, true}, {100, false}, // they have ended, and nothing was allocated meanwhile
		{90, false}, {600, false}, {80, true}, // and again
	} {
		if _, trim := k.step(memoryReading{allocated: 30 * mb, alive: 8 * mb, stacks: c.stacks}); trim != c.trim {
			t.Errorf("look %d: %v, want %v", i, trim, c.trim)
		}
	}
}
