package revoked

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/tlswright/tlswright/internal/keystore"
)

// keptFor is how long a file is kept that nobody has replaced: longer than any answer holds.
const keptFor = 30 * 24 * time.Hour

// disk is the folder of a pool. What is in it is believed no more than what comes from the network.
type disk struct{ dir string }

// prepare makes the folder, and removes what is old.
func (d disk) prepare(now time.Time) error {
	if d.dir == "" {
		return nil
	}
	for _, kind := range []string{"crl", "ocsp"} {
		folder := filepath.Join(d.dir, kind)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
		files, err := os.ReadDir(folder)
		if err != nil {
			return err
		}
		for _, f := range files {
			if info, err := f.Info(); err == nil && info.Mode().IsRegular() && now.Sub(info.ModTime()) > keptFor {
				_ = os.Remove(filepath.Join(folder, f.Name())) // tried again the next time
			}
		}
	}
	return nil
}

// journal is the file of a journal; "": there is none.
func (d disk) journal() string {
	if d.dir == "" {
		return ""
	}
	return filepath.Join(d.dir, "revoked.jsonl")
}

func (d disk) path(kind, name string) string {
	sum := sha256.Sum256([]byte(name))
	return filepath.Join(d.dir, kind, hex.EncodeToString(sum[:16]))
}

// read gives what is kept under a name; nil: nothing, or more than limit bytes.
func (d disk) read(kind, name string, limit int64) []byte {
	if d.dir == "" {
		return nil
	}
	data, err := readLimited(d.path(kind, name), limit)
	if err != nil {
		return nil // it is fetched again
	}
	return data
}

// write keeps something.
func (d disk) write(kind, name string, data []byte) error {
	if d.dir == "" {
		return nil
	}
	return keystore.WriteFile(d.path(kind, name), data, 0o600)
}

var errTooLarge = errors.New("it is too large")

// readLimited reads a regular file of at most limit bytes.
func readLimited(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("it is not a file")}
	case info.Size() > limit:
		return nil, &fs.PathError{Op: "read", Path: path, Err: errTooLarge}
	}
	return os.ReadFile(path)
}
