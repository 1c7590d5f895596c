package monitor

import (
	"testing"
	"time"
)

func TestLagsAreCounted(t *testing.T) {
	var l lags
	now := time.Unix(1_000_000, 0)
	for i := range 1000 {
		l.note(now, time.Duration(i)*10*time.Millisecond) // evenly from 0 to 10 s
	}
	l.note(now, -time.Second) // before its time is in time
	all, recent := l.summary(now)
	near := func(got, want time.Duration) bool { return got >= want && got < want+want/8 }
	if all.Count != 1001 || all.Max != 9990*time.Millisecond || !near(all.P50, 4990*time.Millisecond) || all.P99 < 9890*time.Millisecond || all.P99 > all.Max {
		t.Errorf("%+v", all)
	}
	if all.Buckets[.1] != 12 || all.Buckets[1] != 102 || all.Buckets[10] != 1001 || all.Buckets[300] != 1001 || int(all.Sum) != 4995 {
		t.Errorf("%v, %v s in all", all.Buckets, all.Sum)
	}
	if recent.Count != all.Count || recent.P99 != all.P99 {
		t.Errorf("recent: %+v", recent)
	}
	l.note(now.Add(6*time.Minute), time.Hour)
	if all, recent = l.summary(now.Add(7 * time.Minute)); all.Count != 1002 || recent.Count != 1002 || recent.Max != time.Hour || recent.Buckets[300] != 1001 {
		t.Errorf("after six minutes: %+v", recent)
	}
	if _, recent = l.summary(now.Add(12 * time.Minute)); recent.Count != 1 || recent.P50 != time.Hour {
		t.Errorf("after twelve minutes: %+v", recent)
	}
	if _, recent = l.summary(now.Add(time.Hour)); recent.Count != 0 || recent.P99 != 0 || recent.Max != 0 {
		t.Errorf("after an hour: %+v", recent)
	}
}
