package gateway

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
)

// How soon a change of a file is noticed: at once where the system tells, else by looking.
const (
	lookEvery  = 10 * time.Second
	retryEvery = time.Second           // while what is on disk cannot be used, as while it is being written
	settleTime = 50 * time.Millisecond // between a change and the look at it: there may be more of them
)

// stamp tells two states of a file apart.
type stamp struct {
	size  int64
	at    time.Time
	info  os.FileInfo
	found bool
}

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{size: info.Size(), at: info.ModTime(), info: info, found: true}
}

// note takes the stamps of files that are going to be read, "" being none.
func (st *state) note(files ...string) {
	for _, f := range files {
		if _, has := st.stamps[f]; !has && f != "" {
			st.stamps[f] = stampOf(f)
		}
	}
}

func (a stamp) same(b stamp) bool {
	return a.found == b.found && a.size == b.size && a.at.Equal(b.at) && (!a.found || os.SameFile(a.info, b.info))
}

// watched is one thing that depends on files.
type watched struct {
	files   []string
	stamps  []stamp
	reload  func(context.Context) error
	name    string
	pending bool          // what is there could not be used
	every   time.Duration // that it is read again in any case; 0: never
	last    time.Time
}

// watchFiles reads certificates, CAs and ticket keys again when they change on disk. What cannot be used is left aside
// until it can: meanwhile all goes on with what was there before.
func (g *Gateway) watchFiles(ctx context.Context, st *state) {
	things := g.watchedOf(st)
	var events <-chan fsnotify.Event
	if w, err := fsnotify.NewWatcher(); err == nil {
		defer func() { _ = w.Close() }()
		for dir := range foldersOf(things) {
			_ = w.Add(dir) // where it cannot be watched it is looked at
		}
		events = w.Events
		go func() {
			for range w.Errors { // closed with the watcher; what was missed is found by looking
			}
		}()
	}
	for _, t := range things { // changed since they were read, and before they were watched
		g.look(ctx, t)
	}
	for {
		wait := lookEvery
		for _, t := range things {
			if t.pending {
				wait = retryEvery
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-events:
			timer.Stop()
			if !drain(ctx, events) {
				return
			}
		case <-timer.C:
		}
		for _, t := range things {
			g.look(ctx, t)
		}
	}
}

// drain waits until changes have stopped coming for a moment, or for half a second.
func drain(ctx context.Context, events <-chan fsnotify.Event) bool {
	end := time.After(10 * settleTime)
	for {
		select {
		case <-ctx.Done():
			return false
		case <-events:
		case <-time.After(settleTime):
			return true
		case <-end:
			return true
		}
	}
}

// look reloads what has changed.
func (g *Gateway) look(ctx context.Context, t *watched) {
	changed := t.pending || t.every > 0 && g.o.Now().Sub(t.last) >= t.every
	if changed {
		t.last = g.o.Now()
	}
	for i, f := range t.files {
		if now := stampOf(f); !now.same(t.stamps[i]) {
			t.stamps[i], changed, t.pending = now, true, false
		}
	}
	if !changed {
		return
	}
	err := t.reload(ctx)
	if err != nil && !t.pending {
		g.warn(t.name, fmt.Sprintf("the files have changed and cannot be used; what was there before stays in force: %s", pki.Printable(err.Error())))
	}
	t.pending = err != nil
}

// watchedOf lists what depends on files.
func (g *Gateway) watchedOf(st *state) []*watched {
	var out []*watched
	add := func(t *watched) {
		for _, f := range t.files {
			st.note(f)
			t.stamps = append(t.stamps, st.stamps[f])
		}
		if len(t.files) > 0 {
			out = append(out, t)
		}
	}
	for _, s := range st.sites {
		files := s.source.files()
		if s.c.Clients != nil {
			files = append(files, s.c.Clients.CA...)
		}
		add(&watched{name: s.name, files: files, reload: func(ctx context.Context) error {
			if err := g.reloadSite(ctx, s, "read from disk again"); err != nil {
				return err
			}
			g.judgeAgain(ctx)
			return nil
		}})
	}
	for i := range st.config.Listeners {
		add(g.watchedHidden(st.reach[listenerName(&st.config.Listeners[i])]))
	}
	// A target that shows another certificate, or trusts other CAs, is another target.
	add(&watched{files: targetFiles(st.config), reload: func(context.Context) error {
		_, err := g.Reload(st.config)
		return err
	}})
	if st.config.Tickets != "" {
		add(&watched{name: "", files: []string{st.config.Tickets}, every: time.Hour, last: g.o.Now(), reload: func(context.Context) error { return g.readTickets(st.config.Tickets) }})
	}
	return out
}

// targetFiles are the certificates and keys that targets are reached with.
func targetFiles(c *config.Gateway) []string {
	var out []string
	add := func(t *config.Target) {
		for _, f := range []string{t.CA, t.Cert, t.Key} {
			if f != "" && !keystore.IsTokenURI(f) && !slices.Contains(out, f) {
				out = append(out, f)
			}
		}
	}
	for i := range c.Sites {
		add(&c.Sites[i].Target)
		for _, r := range c.Sites[i].Routes {
			if r.Target != nil {
				add(r.Target)
			}
		}
	}
	return out
}

// foldersOf are the folders in which changes show: those of the files, and of what links among them lead to.
func foldersOf(things []*watched) map[string]bool {
	out := make(map[string]bool)
	for _, t := range things {
		for _, f := range t.files {
			out[filepath.Dir(f)] = true
			if real, err := filepath.EvalSymlinks(f); err == nil {
				out[filepath.Dir(real)] = true
			}
			if real, err := filepath.EvalSymlinks(filepath.Dir(f)); err == nil { // a folder that is itself a link
				out[filepath.Dir(real)] = true
			}
		}
	}
	return out
}
