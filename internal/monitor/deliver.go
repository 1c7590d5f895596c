package monitor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/notify"
)

// KindChannel is the kind of incident that a failing channel is.
const KindChannel = "channel"

// When deliveries are tried again, and how long: a channel that was down for a night gets in the morning what it missed.
const (
	firstRetry     = 10 * time.Second
	longestRetry   = 10 * time.Minute
	giveUpAfter    = 7 * 24 * time.Hour
	troubleAfter   = 3                // failures in a row make an incident
	deliverFor     = 45 * time.Second // a message is sent, or has failed, within half a minute
	deliveries     = 8                // at a time, to one channel
	deliveryPeriod = 500 * time.Millisecond
	strangeFor     = time.Hour
	lingerFor      = 5 * time.Second // what is being sent may take so long when we are asked to end
)

// post brings notices to channels, to each in its own time: one that hangs keeps no other waiting.
type post struct {
	e       *Engine
	sending sync.WaitGroup
	mu      sync.Mutex
	busy    map[string]bool // by channel
}

func newPost(e *Engine) *post { return &post{e: e, busy: make(map[string]bool)} }

// round begins to send what is due to all channels that are not busy already. It does not wait.
func (p *post) round(ctx context.Context) error {
	due, err := p.e.o.History.DueChannels(ctx, p.e.o.Now())
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, channel := range due {
		if p.busy[channel] {
			continue
		}
		p.busy[channel] = true
		p.sending.Go(func() {
			for ctx.Err() == nil {
				n, err := p.e.deliverTo(ctx, channel)
				p.e.trouble(ctx, "deliveries could not be made", err)
				if n == 0 {
					break
				}
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			delete(p.busy, channel)
		})
	}
	return nil
}

// wait until nothing is being sent any more. No round may begin after that.
func (p *post) wait() { p.sending.Wait() }

// Deliver sends what is due now, once, to all channels, and tells how many messages that were.
func (e *Engine) Deliver(ctx context.Context) (int, error) {
	due, err := e.o.History.DueChannels(ctx, e.o.Now())
	if err != nil {
		return 0, err
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	var failed []error
	sum := 0
	for _, channel := range due {
		wg.Go(func() {
			n, err := e.deliverTo(ctx, channel)
			mu.Lock()
			defer mu.Unlock()
			if sum += n; err != nil {
				failed = append(failed, err)
			}
		})
	}
	wg.Wait()
	return sum, errors.Join(failed...)
}

// deliverTo sends some of what is due to a channel, and tells how many messages that were.
func (e *Engine) deliverTo(ctx context.Context, channel string) (int, error) {
	now := e.o.Now()
	list, err := e.o.History.ClaimDeliveries(ctx, now, now.Add(deliverFor), channel, deliveries)
	if err != nil {
		return 0, err
	}
	var mu sync.Mutex
	var failed []error
	var wg sync.WaitGroup
	for _, d := range list {
		wg.Go(func() {
			if err := e.deliver(ctx, d); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, err)
			}
		})
	}
	wg.Wait()
	return len(list), errors.Join(failed...)
}

// lingering is a context that ends a while after another one.
func lingering(ctx context.Context, d time.Duration) (later context.Context, stop func()) {
	later, cancel := context.WithCancel(context.WithoutCancel(ctx))
	release := context.AfterFunc(ctx, func() {
		pause(later, d)
		cancel()
	})
	return later, func() {
		release()
		cancel()
	}
}

// deliver sends one message and notes what became of it. A crash in between sends it twice, which the receiver can tell
// by its identity.
func (e *Engine) deliver(asked context.Context, d history.Delivery) error {
	// What is under way when we are asked to end may arrive, and then that is noted: better than twice.
	ctx, stop := lingering(asked, lingerFor)
	defer stop()
	s := e.c.Load()
	ch, ok := s.channels[d.Channel]
	if !ok {
		return e.o.History.Failed(ctx, e.strange(&d), d.Notice.ID, d.Channel, "there is no such channel any more")
	}
	m := notify.Message{Notice: d.Notice}
	if e.o.Link != nil {
		m.Link = e.o.Link(d.Notice.Incident)
	}
	sendErr := ch.Send(ctx, m)
	now := e.o.Now()
	var partial *notify.PartialError
	if sendErr == nil || errors.As(sendErr, &partial) {
		if err := e.o.History.Delivered(ctx, now, d.Notice.ID, d.Channel); err != nil {
			return err
		}
		return e.channelState(ctx, now, d.Channel, sendErr, troubleAfter)
	}
	if asked.Err() != nil { // it was perhaps broken off by us: that is no failure of the channel
		return e.o.History.Release(context.WithoutCancel(ctx), d.Notice.ID, d.Channel)
	}
	again := now.Add(backOff(d.Tries))
	if now.Sub(d.Notice.At) > giveUpAfter {
		again = time.Time{}
	}
	e.o.Log.Warn("a message was not delivered", "channel", d.Channel, "notice", d.Notice.ID, "error", sendErr.Error())
	if err := e.o.History.Failed(ctx, again, d.Notice.ID, d.Channel, sendErr.Error()); err != nil {
		return err
	}
	return e.channelState(ctx, now, d.Channel, sendErr, d.Tries+1)
}

// strange is when a delivery is tried again whose channel is not known; zero: never. Another node may know it, that has read a
// newer file.
func (e *Engine) strange(d *history.Delivery) time.Time {
	now := e.o.Now()
	if e.o.History.Jobs() == nil || now.Sub(d.Notice.At) > strangeFor {
		return time.Time{}
	}
	return now.Add(firstRetry)
}

// channelState makes an incident of a channel that fails, which the others tell, and ends it when the channel works again.
func (e *Engine) channelState(ctx context.Context, now time.Time, name string, trouble error, tries int) error {
	var findings []incident.Finding
	var refused *notify.RefusedError
	switch {
	case trouble == nil:
	case tries < troubleAfter && !errors.As(trouble, &refused):
		return nil
	default:
		findings = []incident.Finding{{Key: incident.Key{Kind: KindChannel, Subject: name}, Severity: incident.Critical,
			Title: "the channel " + name + " does not work", Text: trouble.Error()}}
	}
	notices, err := e.o.History.Report(ctx, now, "channel "+name, findings, e.c.Load().rules)
	e.logNotices(notices)
	return err
}

// backOff is how long to wait after so many failures.
func backOff(tries int) time.Duration {
	d := firstRetry
	for range tries {
		if d *= 2; d >= longestRetry {
			return longestRetry
		}
	}
	return d
}

// TestAlert sends a message that says that it is a test to one channel, or ("") to all. The error says of each one that
// failed why.
func (e *Engine) TestAlert(ctx context.Context, name string) (sent []string, err error) {
	s := e.c.Load()
	var failed []error
	for _, c := range s.config.Channels {
		if name != "" && c.Name != name {
			continue
		}
		now := e.o.Now()
		m := notify.Message{Test: true, Notice: incident.Notice{ID: "test." + fmt.Sprint(now.UnixMilli()), Event: incident.Opened, Severity: incident.Warning, At: now, Title: "this is a test"}}
		if sendErr := s.channels[c.Name].Send(ctx, m); sendErr != nil {
			failed = append(failed, fmt.Errorf("channel %s: %w", c.Name, sendErr))
			continue
		}
		sent = append(sent, c.Name)
	}
	if len(sent) == 0 && len(failed) == 0 {
		return nil, fmt.Errorf("there is no channel %q", name)
	}
	return sent, errors.Join(failed...)
}
