package keystore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Modes of what this package creates.
const (
	keyMode    fs.FileMode = 0o600
	keyDirMode fs.FileMode = 0o700
	certMode   fs.FileMode = 0o644
)

// tempMark is part of the name of every unfinished file. A file with it is worth
// nothing and may be removed when nobody writes.
const tempMark = ".tlswright-tmp-"

// step names a moment in a write at which a crash is interesting; tests stop
// there.
type step string

// The steps of one write, in order.
const (
	stepCreated step = "created" // the temporary file exists, empty
	stepWritten step = "written" // all bytes written, not yet on disk
	stepSynced  step = "synced"  // file on disk under its temporary name
	stepRenamed step = "renamed" // under its final name, folder not yet on disk
)

// writer replaces files. The zero value is what everybody uses; at is only set by
// tests.
type writer struct {
	at func(step, string) error // called at each step with the final path; an error ends the write there, as a crash would
}

func (w writer) reached(s step, path string) error {
	if w.at == nil {
		return nil
	}
	return w.at(s, path)
}

// WriteFile replaces the file path by data with exactly the permissions perm.
// After a crash there is the old content or the new one, whole. A symlink at path
// is followed, so that its target is replaced; a folder, a device or another
// special file at path is refused.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	return writer{}.writeFile(path, data, perm)
}

func (w writer) writeFile(path string, data []byte, perm fs.FileMode) error {
	target, err := resolve(path)
	if err != nil {
		return err
	}
	temp, err := w.writeTemp(target, data, perm)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, target); err != nil {
		return errors.Join(fmt.Errorf("put %s in place: %w", path, err), os.Remove(temp))
	}
	if err := w.reached(stepRenamed, target); err != nil {
		return err
	}
	return syncDir(filepath.Dir(target))
}

// writeTemp writes data beside target and brings it to disk; it returns the
// temporary name. On error nothing is left behind.
func (w writer) writeTemp(target string, data []byte, perm fs.FileMode) (name string, err error) {
	// CreateTemp opens with O_EXCL and mode 0600: nobody can have prepared the name, and
	// the content is never readable to others, not even for a moment.
	f, err := os.CreateTemp(filepath.Dir(target), filepath.Base(target)+tempMark+"*")
	if err != nil {
		return "", fmt.Errorf("write %s: %w", target, err)
	}
	crashed := false
	defer func() {
		if err != nil && !crashed {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	for _, do := range []struct {
		what func() error
		then step
	}{
		{func() error { return f.Chmod(perm) }, stepCreated},
		{func() error { _, err := f.Write(data); return err }, stepWritten},
		{f.Sync, stepSynced},
	} {
		if err := do.what(); err != nil {
			return "", errors.Join(fmt.Errorf("write %s: %w", target, err), f.Close())
		}
		if err := w.reached(do.then, target); err != nil {
			crashed = true
			return "", errors.Join(err, f.Close())
		}
	}
	if err := f.Close(); err != nil {
		return "", fmt.Errorf("write %s: %w", target, err)
	}
	return f.Name(), nil
}

// resolve follows a symlink at path and makes sure that what is there, if
// anything, is a regular file. A dangling link is refused: where it would write
// is not what the user sees.
func resolve(path string) (string, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path, nil
	case err != nil:
		return "", fmt.Errorf("look at %s: %w", path, err)
	case info.Mode()&fs.ModeSymlink != 0:
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return "", fmt.Errorf("follow symlink: %w", err)
		}
		if info, err = os.Stat(path); err != nil {
			return "", fmt.Errorf("look at %s: %w", path, err)
		}
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is %s, not a file", path, kind(info.Mode()))
	}
	return path, nil
}

func kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a special file"
}

// makeDir makes path and what is missing above it with mode perm, and brings the
// new entries to disk.
func makeDir(path string, perm fs.FileMode) error {
	info, err := os.Stat(path)
	if err == nil {
		if !info.IsDir() {
			return fmt.Errorf("%s is not a folder", path)
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look at %s: %w", path, err)
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := makeDir(parent, perm); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, perm); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make folder: %w", err)
	}
	return syncDir(parent)
}

// syncDir brings a folder's entries to disk, so that a rename survives a power
// cut.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	err = d.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, os.ErrInvalid) {
		err = nil // some file systems have nothing to sync for folders
	}
	if err := errors.Join(err, d.Close()); err != nil {
		return fmt.Errorf("sync folder %s: %w", path, err)
	}
	return nil
}

// removeTemps removes what crashed writes of the file target left beside it. Only
// call it while no other process can be writing that file.
func removeTemps(target string) error {
	dir, prefix := filepath.Dir(target), filepath.Base(target)+tempMark
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("list folder: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return fmt.Errorf("remove what a crash left: %w", err)
			}
		}
	}
	return nil
}
