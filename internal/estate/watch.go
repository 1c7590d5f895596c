package estate

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// How soon a change of the file is noticed: at once where the system tells, else by looking.
const (
	lookEvery  = 3 * time.Second
	settleTime = 50 * time.Millisecond // between a change and the look at it: there may be more of them
)

// Watch calls changed each time that a file has changed, until ctx ends, and once at first, as it may have changed since it was
// read: not while it is being written, as far as that can be
// told, and not while it is gone, as it is for a moment when an editor saves.
func Watch(ctx context.Context, file string, changed func()) {
	var events <-chan fsnotify.Event
	if w, err := fsnotify.NewWatcher(); err == nil {
		defer func() { _ = w.Close() }()
		_ = w.Add(filepath.Dir(file)) // where it cannot be watched it is looked at
		if real, err := filepath.EvalSymlinks(file); err == nil {
			_ = w.Add(filepath.Dir(real))
		}
		events = w.Events
		go func() {
			for range w.Errors { // closed with the watcher; what was missed is found by looking
			}
		}()
	}
	last, err := os.Stat(file)
	if err == nil {
		changed()
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-events:
			select {
			case <-ctx.Done():
				return
			case <-time.After(settleTime):
			}
		case <-tick.C:
		}
		now, err := os.Stat(file)
		if err != nil || last != nil && now.Size() == last.Size() && now.ModTime().Equal(last.ModTime()) && os.SameFile(now, last) {
			continue
		}
		last = now
		changed()
	}
}
