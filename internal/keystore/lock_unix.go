//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package keystore

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lock takes the lock file path without waiting; release gives it back. The
// system frees it when the process ends in whatever way, so no stale lock can
// remain, and the file itself is never removed: two processes could otherwise
// hold two files of one name.
func lock(path string) (release func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, keyMode)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = &LockedError{Path: path}
		}
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}

// lockDir locks a folder itself, so that no lock file litters it. alone is false
// where the file system has no such locks; then nothing is held.
func lockDir(dir string) (release func() error, alone bool, err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, false, fmt.Errorf("open folder: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, false, errors.Join(&LockedError{Path: dir}, f.Close())
	}
	return f.Close, err == nil, nil
}
