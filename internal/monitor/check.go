package monitor

import (
	"context"
	"errors"
	"sync"

	"github.com/tlswright/tlswright/internal/history"
)

// Check looks at targets once, those of a list or ("" and nil) all, whatever their time, and files what it sees. The
// results come in the order in which the looks end.
func (e *Engine) Check(ctx context.Context, names []string, done func(history.Result)) error {
	if err := e.Synchronize(ctx); err != nil {
		return err
	}
	if len(names) == 0 {
		for offset := 0; ; {
			list, total, err := e.o.History.Targets(ctx, history.TargetQuery{ByName: true, Page: history.Page{Limit: 10_000, Offset: offset}})
			if err != nil {
				return err
			}
			for _, t := range list {
				names = append(names, t.Name)
			}
			if offset += len(list); offset >= total || len(list) == 0 {
				break
			}
		}
	}
	parallel := e.c.Load().config.Parallel
	if parallel <= 0 {
		parallel = defaultParallel
	}
	var mu sync.Mutex
	var failed []error
	slots := make(chan struct{}, parallel)
	var wg sync.WaitGroup
	for _, name := range names {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			r, err := e.checkOne(ctx, name)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = append(failed, err)
				return
			}
			done(r)
		})
	}
	wg.Wait()
	return errors.Join(failed...)
}

func (e *Engine) checkOne(ctx context.Context, name string) (history.Result, error) {
	now := e.o.Now()
	d, err := e.o.History.Force(ctx, now, now.Add(claimFor), e.holder, name)
	if err != nil {
		return history.Result{}, err
	}
	r, ok := e.look(ctx, &d)
	if !ok {
		return r, context.Cause(ctx)
	}
	e.file(ctx, []history.Result{r})
	return r, nil
}
