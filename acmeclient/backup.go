package acmeclient

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/tlswright/tlswright/internal/keystore"
)

// Backups of server configurations lie in backups/SERVER/TIME, away from folders that servers read.
const (
	backupsDir  = "backups"
	journalFile = "journal.json"
	keptBackups = 20
)

// The states of a change of configuration files.
const (
	changePending = "pending" // the files may be half written, or not tried yet
	changeDone    = "done"
	changeUndone  = "undone"
)

// change is a change of configuration files that can be taken back, after a crash, too.
type change struct {
	dir   string
	Name  string       `json:"name"` // of the certificate
	State string       `json:"state"`
	Time  time.Time    `json:"time"`
	Files []changeFile `json:"files"`
}

type changeFile struct {
	Path   string `json:"path"`   // links followed
	Backup string `json:"backup"` // beside the journal
	Before string `json:"before"` // SHA-256
	After  string `json:"after"`
}

func digestOf(text []byte) string {
	d := sha256.Sum256(text)
	return hex.EncodeToString(d[:])
}

// newText is a file with what it is to become.
type newText struct {
	path          string
	before, after []byte
}

// beginChange saves the files as they are and notes that a change is under way. Nothing is changed yet.
func (t *Tree) beginChange(server, name string, now time.Time, files []newText) (*change, error) {
	base := filepath.Join(t.dir, backupsDir, server)
	c := &change{Name: name, State: changePending, Time: now.UTC().Truncate(time.Second)}
	for i := 0; ; i++ {
		c.dir = filepath.Join(base, now.UTC().Format("20060102-150405")+"-"+strconv.Itoa(i))
		err := os.Mkdir(c.dir, 0o700)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	for i, f := range files {
		backup := strconv.Itoa(i) + "-" + filepath.Base(f.path)
		if err := keystore.WriteFile(filepath.Join(c.dir, backup), f.before, 0o600); err != nil {
			return nil, err
		}
		c.Files = append(c.Files, changeFile{Path: f.path, Backup: backup, Before: digestOf(f.before), After: digestOf(f.after)})
	}
	return c, errors.Join(c.mark(changePending), syncDir(base))
}

func (c *change) mark(state string) error {
	c.State = state
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return keystore.WriteFile(filepath.Join(c.dir, journalFile), append(text, '\n'), 0o600)
}

// undo puts every file back byte for byte, and tells of those that somebody has changed since.
func (c *change) undo() error {
	var errs []error
	for _, f := range c.Files {
		now, err := os.ReadFile(f.Path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		switch digestOf(now) {
		case f.Before:
		case f.After:
			before, err := os.ReadFile(filepath.Join(c.dir, f.Backup))
			if err == nil && digestOf(before) != f.Before {
				err = fmt.Errorf("the backup %s is damaged", filepath.Join(c.dir, f.Backup))
			}
			if err == nil {
				err = replaceFile(f.Path, before)
			}
			errs = append(errs, err)
		default:
			errs = append(errs, fmt.Errorf("%s was changed by somebody else meanwhile; as it was before, it is in %s", f.Path, filepath.Join(c.dir, f.Backup)))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return c.mark(changeUndone)
}

// holdChanges keeps other processes from changing the configuration of a server, and takes back what one that died left
// half done. Backups that are older than the last twenty go.
func (t *Tree) holdChanges(server string) (release func() error, undone bool, err error) {
	base := filepath.Join(t.dir, backupsDir, server)
	if err := os.MkdirAll(base, 0o700); err != nil {
		return nil, false, err
	}
	held, err := keystore.HoldLive(base)
	if err != nil {
		return nil, false, err
	}
	entries, err := os.ReadDir(base)
	if err != nil {
		return nil, false, errors.Join(err, held.Close())
	}
	var folders []string
	for _, e := range entries {
		if e.IsDir() {
			folders = append(folders, filepath.Join(base, e.Name()))
		}
	}
	for i, dir := range slices.Backward(folders) {
		c, err := readChange(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist): // died before anything was changed
			err = os.RemoveAll(dir)
		case err == nil && c.State == changePending:
			err, undone = c.undo(), true
		case err == nil && i < len(folders)-keptBackups:
			err = os.RemoveAll(dir)
		}
		if err != nil {
			return nil, undone, errors.Join(fmt.Errorf("an earlier change of the configuration cannot be taken back: %w", err), held.Close())
		}
	}
	return held.Close, undone, nil
}

func readChange(dir string) (*change, error) {
	text, err := os.ReadFile(filepath.Join(dir, journalFile))
	if err != nil {
		return nil, err
	}
	c := &change{dir: dir}
	return c, json.NewDecoder(bytes.NewReader(text)).Decode(c)
}

// replaceFile puts a new content in the place of the old, with its owner and mode. The new file bears a hidden name until
// then: a server that reads all of a folder does not see it.
func replaceFile(path string, text []byte) (err error) {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".tlswright-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if _, err = f.Write(text); err != nil {
		return err
	}
	if err = f.Chmod(info.Mode().Perm()); err != nil {
		return err
	}
	if err = keepOwner(f, info); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}
