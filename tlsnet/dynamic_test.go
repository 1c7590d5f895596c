package tlsnet

import (
	"testing"
	"time"
)

func TestBurstsBeginWithShortRecords(t *testing.T) {
	var b burst
	now := time.Unix(1_000_000, 0)
	for i, c := range []struct {
		after time.Duration
		n     int
		short int
	}{
		{0, 100, 100},
		{time.Millisecond, shortBurst, shortBurst - 100},
		{time.Millisecond, 100, 0},
		{quietFor, 1 << 20, 0}, // not longer than that
		{quietFor + 1, 1 << 20, shortBurst},
		{0, 5, 0},
		{time.Hour, 5, 5},
	} {
		now = now.Add(c.after)
		if got := b.short(now, c.n); got != c.short {
			t.Errorf("%d: %d of %d bytes in short records, want %d", i, got, c.n, c.short)
		}
	}
}
