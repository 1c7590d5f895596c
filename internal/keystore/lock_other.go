//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package keystore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// lock takes the lock by creating the file. Where the system has no advisory
// locks a crash leaves it behind; the error then says which file to remove.
func lock(path string) (release func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, keyMode)
	if errors.Is(err, fs.ErrExist) {
		return nil, &LockedError{Path: path, Stale: true}
	}
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	return func() error { return errors.Join(f.Close(), os.Remove(path)) }, nil
}

// lockDir holds nothing here: a folder cannot be locked without a file in it.
func lockDir(string) (release func() error, alone bool, err error) {
	return func() error { return nil }, false, nil
}
