package scan

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/wire"
)

// reaction is what a server did about something that was wrong: the whole of it, as far as it can be seen from here.
type reaction struct {
	Alerts []wire.Alert
	Data   bool // application data came: what was wrong was taken for right
	// Other is what came that is no record that can be opened, in a word: some servers go on in plain text.
	Other string
	Open  bool // the connection was still open when our patience ended
	// Farewell is the reaction to a close_notify of ours that was sent where nothing at all had come; nil: none was sent.
	Farewell *reaction
}

// String says it in words: "fatal bad_record_mac, then the end".
func (r reaction) String() string {
	var words []string
	for _, a := range r.Alerts {
		words = append(words, a.Level.String()+" "+a.Code.String())
	}
	if r.Data {
		words = append(words, "application data")
	}
	if r.Other != "" {
		words = append(words, r.Other)
	}
	switch {
	case r.Farewell != nil:
		words = append(words, "nothing; to a close_notify: "+r.Farewell.String())
	case r.Open:
		words = append(words, "the connection stays open")
	default:
		words = append(words, "the connection ends")
	}
	return strings.Join(words, ", ")
}

// same reports whether two reactions cannot be told apart. Whether a connection ends in order or by a reset is the
// network's doing as much as the server's, and does not count.
func (r reaction) same(o reaction) bool { return r.says(o) && r.ends(o) }

// says compares what was said.
func (r reaction) says(o reaction) bool {
	return slices.Equal(r.Alerts, o.Alerts) && r.Data == o.Data
}

// ends compares how the connection went on.
func (r reaction) ends(o reaction) bool {
	if (r.Farewell == nil) != (o.Farewell == nil) {
		return false
	}
	return r.Open == o.Open && (r.Farewell == nil || r.Farewell.same(*o.Farewell))
}

// waits reports whether the reaction depends on how long we waited.
func (r reaction) waits() bool { return r.Open || r.Farewell != nil }

// react collects what comes until the connection ends, enough has come, or d is over without anything.
func (l *link) react(d time.Duration, record func() (wire.ContentType, []byte, error)) (reaction, error) {
	const enough = 4 // things that come
	var r reaction
	for range enough {
		if err := l.patience(d); err != nil {
			return r, err
		}
		typ, _, err := record()
		var alert *alertError
		switch {
		case errors.As(err, &alert):
			r.Alerts = append(r.Alerts, alert.Alert)
		case err == nil && typ == wire.ContentApplicationData:
			r.Data = true
			return r, nil // what it says is the application's business
		case err == nil: // a handshake message has no business here, and tells as much as silence
		case errors.Is(err, os.ErrDeadlineExceeded):
			r.Open = true
			return r, nil
		case errors.Is(err, errNotTLS):
			r.Other = "plain text"
			return r, nil
		case errors.Is(err, errHandshake12):
			r.Other = "a record that cannot be opened"
			return r, nil
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), connectionReset(err):
			return r, nil
		default:
			return r, err
		}
	}
	return r, nil
}

// oracle asks a server how it reacts to each of several things, every one on a connection of its own.
type oracle struct {
	h *host
	// ask makes one connection. patience is how long silence is waited for.
	ask func(ctx context.Context, thing string, patience time.Duration) (reaction, error)

	seen map[string]reaction

	mu      sync.Mutex
	slowest time.Duration // that the server took to react at all, so far
}

// How long silence is waited for: at first several times what the server has needed to react, within these bounds;
// where it would make a difference, the scan's whole timeout.
const (
	leastPatience  = 100 * time.Millisecond
	firstPatience  = 400 * time.Millisecond
	patienceFactor = 8
)

// took notes how long a reaction took, unless there was none.
func (q *oracle) took(d time.Duration, r reaction) {
	if len(r.Alerts) == 0 && !r.Data && r.Other == "" {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.slowest = max(q.slowest, d)
}

// patience is how long silence is waited for at first.
func (q *oracle) patience() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.slowest == 0 {
		return firstPatience
	}
	return min(max(patienceFactor*q.slowest, leastPatience), firstPatience)
}

// repeats is how often a difference is looked at again before it is believed.
const repeats = 2

// all asks about things, side by side, and where one was answered by silence and another was not, once more and
// with patience: a server under load is slow, and that is no oracle. Answers that are there already are not asked for again.
func (q *oracle) all(ctx context.Context, things ...string) error {
	if q.seen == nil {
		q.seen = make(map[string]reaction)
	}
	missing := slices.DeleteFunc(slices.Clone(things), func(t string) bool { _, ok := q.seen[t]; return ok })
	got, err := q.round(ctx, missing, q.patience())
	if err != nil {
		return err
	}
	for t, r := range got {
		q.seen[t] = r
	}
	var waited []string
	for _, t := range things {
		if q.seen[t].waits() {
			waited = append(waited, t)
		}
	}
	if len(waited) == 0 || len(waited) == len(things) {
		return nil
	}
	if got, err = q.round(ctx, waited, q.h.o.Timeout); err != nil {
		return err
	}
	for t, r := range got {
		q.seen[t] = r
	}
	return nil
}

// round asks about each thing once.
func (q *oracle) round(ctx context.Context, things []string, patience time.Duration) (map[string]reaction, error) {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		first error
	)
	got := make(map[string]reaction, len(things))
	for _, t := range things {
		wg.Go(func() {
			r, err := q.askPatiently(ctx, t, patience)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				got[t] = r
			} else if first == nil {
				first = err
			}
		})
	}
	wg.Wait()
	return got, first
}

// askPatiently asks once more where no reaction could be had at all, which says nothing about the server.
func (q *oracle) askPatiently(ctx context.Context, thing string, patience time.Duration) (reaction, error) {
	backOff := firstBackOff
	for try := 1; ; try++ {
		r, err := q.ask(ctx, thing, patience)
		if err != nil && ctx.Err() != nil {
			return r, ctx.Err()
		}
		if err == nil || try == askTries {
			return r, err
		}
		if wait(ctx, backOff) != nil {
			return r, err
		}
		backOff *= 2
	}
}

// differ reports whether the server reacts differently to two things.
func (q *oracle) differ(a, b string) bool { return !q.seen[a].same(q.seen[b]) }

// steady asks about things again, and reports whether every reaction is what it was before: only then is a
// difference between them the server's doing.
func (q *oracle) steady(ctx context.Context, things ...string) (bool, error) {
	for range repeats {
		patience := q.patience()
		if slices.ContainsFunc(things, func(t string) bool { return q.seen[t].waits() }) {
			patience = q.h.o.Timeout
		}
		again, err := q.round(ctx, things, patience)
		if err != nil {
			return false, err
		}
		for t, r := range again {
			if !r.same(q.seen[t]) {
				return false, nil
			}
		}
	}
	return true, nil
}

// evidence lists reactions.
func (q *oracle) evidence(things ...string) []string {
	var rows []string
	for _, t := range things {
		rows = append(rows, t+": "+q.seen[t].String())
	}
	return rows
}

// surelyWithout reports whether all suites from a version on up to TLS 1.2 were asked about to the end, so that one that was
// not seen is not there.
func (h *host) surelyWithout(lowest wire.Version) bool {
	f := h.facts()
	for v := lowest; v <= wire.VersionTLS12; v++ {
		p := f.Protocol(v)
		if p == nil || p.Offered != grade.No && !(p.Offered == grade.Yes && p.Complete) {
			return false
		}
	}
	return true
}
