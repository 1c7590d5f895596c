package authority

import (
	"runtime"
	"sync"
)

// workshop is where certificates are prepared and signed: by a few goroutines that
// stay, however many callers there are. More than there are processors would only
// stand in each other's way, and in that of the one who writes to the disk; and the
// stack that linting needs is grown once for each of the few, not for every caller.
type workshop struct {
	open  sync.Once
	shut  sync.Once
	tasks chan *task
	quit  chan struct{}
}

type task struct {
	run  func()
	done chan struct{}
}

func newWorkshop() *workshop {
	return &workshop{tasks: make(chan *task), quit: make(chan struct{})}
}

// do has a task run and waits for it; false if the workshop is closed.
func (w *workshop) do(run func()) bool {
	w.open.Do(func() {
		for range 2 * runtime.GOMAXPROCS(0) {
			go w.work()
		}
	})
	t := &task{run: run, done: make(chan struct{})}
	select {
	case w.tasks <- t:
		<-t.done
		return true
	case <-w.quit:
		return false
	}
}

func (w *workshop) work() {
	for {
		select {
		case t := <-w.tasks:
			t.run()
			close(t.done)
		case <-w.quit:
			return
		}
	}
}

// close lets the goroutines go when they have finished what they are at.
func (w *workshop) close() {
	w.shut.Do(func() { close(w.quit) })
}
