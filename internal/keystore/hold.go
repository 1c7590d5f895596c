package keystore

import "path/filepath"

// HoldHome makes the folder of an estate with mode 0700 if it is missing, and holds a lock in it, by the name of a file,
// until release is called or the process ends. Where another process holds it, the error is a [*LockedError].
func HoldHome(home, name string) (release func() error, err error) {
	if err := prepareKeyDir(home); err != nil {
		return nil, err
	}
	return lock(filepath.Join(home, name))
}
