//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package store

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// presence is a lock file that every process holds, shared, while it has the
// database open; the system gives it back when a process ends in whatever way.
type presence struct {
	file  *os.File
	alone bool // held exclusively: nobody else has the database open
}

// enter takes the lock: exclusively if nobody is there, else shared. It waits for
// one who is alone now, who is migrating or settling and will be done soon.
func enter(path string) (*presence, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	p := &presence{file: f}
	switch err := flock(f, syscall.LOCK_EX|syscall.LOCK_NB); {
	case err == nil:
		p.alone = true
		return p, nil
	case !errors.Is(err, syscall.EWOULDBLOCK):
		// A file system without such locks: we never believe that we are alone.
		return p, nil
	}
	if err := flock(f, syscall.LOCK_SH); err != nil {
		return nil, errors.Join(fmt.Errorf("lock: %w", err), f.Close())
	}
	return p, nil
}

// share lets others in.
func (p *presence) share() error {
	if !p.alone {
		return nil
	}
	p.alone = false
	return flock(p.file, syscall.LOCK_SH)
}

// own keeps others out again, who may have come in the meantime: then it is [ErrShared].
func (p *presence) own() error {
	err := flock(p.file, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrShared
	}
	return err
}

func (p *presence) leave() error { return p.file.Close() }

func flock(f *os.File, how int) error {
	for {
		if err := syscall.Flock(int(f.Fd()), how); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
