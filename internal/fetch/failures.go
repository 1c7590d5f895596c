package fetch

import (
	"sync"
	"time"
)

// failures remembers what went wrong, so that a dead responder is not asked by every connection.
type failures struct {
	mu    sync.Mutex
	known map[string]failure
}

type failure struct {
	err   error
	until time.Time
}

// recall returns the failure that is still remembered, or nil.
func (f *failures) recall(key string, now time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	known, ok := f.known[key]
	if !ok {
		return nil
	}
	if !now.Before(known.until) {
		delete(f.known, key)
		return nil
	}
	return known.err
}

// remember keeps a failure; the oldest ones go when there are too many.
func (f *failures) remember(key string, err error, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known == nil {
		f.known = make(map[string]failure)
	}
	if len(f.known) >= maxRemembered {
		f.makeRoom(now)
	}
	f.known[key] = failure{err: err, until: now.Add(negativeFor)}
}

// makeRoom drops what is out of date, and failing that the one that would go next.
func (f *failures) makeRoom(now time.Time) {
	var oldest string
	var at time.Time
	for key, known := range f.known {
		if !now.Before(known.until) {
			delete(f.known, key)
			continue
		}
		if oldest == "" || known.until.Before(at) {
			oldest, at = key, known.until
		}
	}
	if len(f.known) >= maxRemembered {
		delete(f.known, oldest)
	}
}
