package monitor

import (
	"context"
	"net/http"
	"time"

	"github.com/tlswright/tlswright/tlsnet"
)

// How often what only time brings about is looked after.
const (
	tickPeriod  = 10 * time.Second
	sweepPeriod = time.Hour
	day         = 24 * time.Hour
)

// Defaults of retention.
const (
	keepLooks = 30 * day
	keepDays  = 5 * 365 * day
)

// keepTime lets time have its consequences: escalations, the sign of life, and the end of what is old.
func (e *Engine) keepTime(ctx context.Context) {
	var beaten, swept time.Time
	for ctx.Err() == nil {
		now := e.o.Now()
		if _, err := e.o.History.Tick(ctx, now, e.c.Load().rules); err != nil && ctx.Err() == nil {
			e.o.Log.Error("incidents could not be looked after", "error", err.Error())
		}
		if beat := e.c.Load().config.Beat; beat.URL != "" && now.Sub(beaten) >= orElse(beat.Every, time.Minute) {
			beaten = now
			e.beat(ctx, beat.URL)
		}
		if now.Sub(swept) >= sweepPeriod {
			swept = now
			if err := e.Sweep(ctx); err != nil && ctx.Err() == nil {
				e.o.Log.Error("what is old could not be dropped", "error", err.Error())
			}
		}
		pause(ctx, tickPeriod)
	}
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
	var changes time.Time
	if keep.Changes > 0 {
		changes = now.Add(-keep.Changes)
	}
	return e.o.History.Sweep(ctx, now.Add(-orElse(keep.Checks, keepLooks)), now.Add(-orElse(keep.Rollups, keepDays)), changes, now)
}

// beat tells somebody else that we are alive, who is to raise the alarm when that stops. It is only told while looks are
// filed: a monitor that is up and sees nothing is as good as dead.
func (e *Engine) beat(ctx context.Context, url string) {
	summary, err := e.o.History.Summary(ctx, e.o.Now())
	if err != nil || summary.Overdue > 0 && e.o.Now().Sub(summary.Oldest) > claimFor {
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
	_ = response.Body.Close() // the answer does not matter
}
