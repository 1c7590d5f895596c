package monitor

import (
	"context"
	"errors"

	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/incident"
)

// filer puts results into the history, several in one transaction where they come thick.
type filer struct {
	e      *Engine
	queue  chan history.Result
	done   chan struct{}
	failed []error // the first few; to be read when done is closed
}

func newFiler(e *Engine) *filer {
	f := &filer{e: e, queue: make(chan history.Result, batch), done: make(chan struct{})}
	go f.run()
	return f
}

// put hands a result over. It waits where filing does not keep up.
func (f *filer) put(r history.Result) { f.queue <- r }

// close waits until all is filed. The error says what could not be.
func (f *filer) close() error {
	close(f.queue)
	<-f.done
	return errors.Join(f.failed...)
}

func (f *filer) run() {
	defer close(f.done)
	for r := range f.queue {
		results := []history.Result{r}
		for more := true; more && len(results) < batch; {
			select {
			case next, ok := <-f.queue:
				if more = ok; ok {
					results = append(results, next)
				}
			default:
				more = false
			}
		}
		if err := f.e.file(context.Background(), results); err != nil && len(f.failed) < 5 { // what was seen is kept, even if we are asked to end
			f.failed = append(f.failed, err)
		}
	}
}

// file keeps results. Where one of them cannot be filed, the others are, each for itself.
func (e *Engine) file(ctx context.Context, results []history.Result) error {
	rules := e.c.Load().rules
	notices, err := e.o.History.File(ctx, e.holder, results, rules)
	if err != nil && len(results) > 1 {
		var failed []error
		for i := range results {
			if err := e.file(ctx, results[i:i+1]); err != nil {
				failed = append(failed, err)
			}
		}
		return errors.Join(failed...)
	}
	if err != nil {
		e.notLooks.Add(1)
		e.o.Log.Error("what was seen could not be kept", "target", results[0].Target, "error", err.Error())
		return err
	}
	e.looks.Add(int64(len(results)))
	for i := range results {
		if e.o.Looked != nil {
			e.o.Looked(results[i].Target, results[i].Verdict, results[i].Took)
		}
	}
	e.logNotices(notices)
	return nil
}

// logNotices tells what is told, wherever it comes from.
func (e *Engine) logNotices(notices []incident.Notice) {
	for i := range notices {
		n := &notices[i]
		e.o.Log.Info("incident", "event", string(n.Event), "severity", n.Severity.String(), "incident", n.Incident, "title", n.Title, "text", n.Text, "affected", n.Affected)
	}
}
