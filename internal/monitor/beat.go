package monitor

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/tlswright/tlswright/tlsnet"
)

// How often what only time brings about is looked after.
const (
	tickPeriod  = 10 * time.Second
	sweepPeriod = time.Hour
	sweepTries  = 10 * time.Minute // how often it is asked whether it is time to sweep
	day         = 24 * time.Hour
)

// Defaults of retention.
const (
	keepLooks = 30 * day
	keepDays  = 5 * 365 * day
)

// tick lets time have its consequences: escalations, silences that are over, and the sign of life.
func (e *Engine) tick(ctx context.Context) error {
	notices, err := e.o.History.Tick(ctx, e.o.Now(), e.c.Load().rules)
	e.logNotices(notices)
	beat := e.c.Load().config.Beat
	if beat.URL == "" {
		return err
	}
	// Of several nodes one gives it. A tick comes a little early or late, and no beat may be left out for that.
	isOurs, onceErr := e.o.History.Once(ctx, "sign of life", e.o.Now(), orElse(beat.Every, time.Minute)-tickPeriod/2)
	if isOurs {
		e.beat(ctx, beat.URL)
	}
	return errors.Join(err, onceErr)
}

// AfterCheck does what else is due, for who looks from cron and runs no daemon: escalations and the end of silences, the sign
// of life, the end of what is old; and it delivers what is to be told. What cannot be delivered now stays in the queue.
func (e *Engine) AfterCheck(ctx context.Context) error {
	err := errors.Join(e.tick(ctx), e.sweepOnce(ctx))
	for err == nil {
		var n int
		if n, err = e.Deliver(ctx); n == 0 {
			break
		}
	}
	return err
}

// sweepOnce drops what is old, if nobody has done so lately.
func (e *Engine) sweepOnce(ctx context.Context) error {
	isOurs, err := e.o.History.Once(ctx, "sweep", e.o.Now(), sweepPeriod)
	if err != nil || !isOurs {
		return err
	}
	return e.Sweep(ctx)
}

func orElse(d, other time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return other
}

// Sweep drops what is older than the configuration wants it kept.
func (e *Engine) Sweep(ctx context.Context) error {
	keep, now := e.c.Load().config.Keep, e.o.Now()
	before := func(d, byDefault time.Duration) time.Time {
		if d == 0 {
			d = byDefault
		}
		if d <= 0 {
			return time.Time{} // for ever
		}
		return now.Add(-d)
	}
	return e.o.History.Sweep(ctx, before(keep.Checks, keepLooks), before(keep.Rollups, keepDays), before(keep.Changes, 0), now)
}

// beat tells somebody else that we are alive, who is to raise the alarm when that stops. It is only told while looks are
// filed: a monitor that is up and sees nothing is as good as dead.
func (e *Engine) beat(ctx context.Context, url string) {
	summary, err := e.o.History.Summary(ctx, e.o.Now())
	if err != nil || summary.Overdue > 0 && e.o.Now().Sub(summary.Oldest) > overdueFor {
		e.o.Log.Warn("no sign of life is given", "overdue", summary.Overdue)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		e.o.Log.Error("the address for signs of life is no URL")
		return
	}
	t := &tlsnet.Transport{AllowPlaintext: true}
	defer t.CloseIdleConnections()
	response, err := t.RoundTrip(r)
	if err != nil {
		e.o.Log.Warn("a sign of life did not arrive", "error", err.Error())
		return
	}
	_ = response.Body.Close() // the status says enough
	if response.StatusCode >= 300 {
		e.o.Log.Warn("a sign of life was not taken", "status", response.StatusCode)
		return
	}
	if err := e.o.History.SetFact(ctx, e.o.Now(), beatFact, ""); err != nil {
		e.o.Log.Warn("a sign of life could not be noted", "error", err.Error())
	}
}
