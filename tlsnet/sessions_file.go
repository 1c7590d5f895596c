package tlsnet

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"github.com/tlswright/tlswright/tlscore"
)

// FileSessions keeps sessions in a directory, one file per server and configuration, for programs that run for one
// connection at a time. The files hold secrets: they are written with mode 0600, each as a whole. Programs that use one
// directory at the same time may now and then present the same ticket; nothing worse comes of it.
type FileSessions struct {
	dir string
	mu  sync.Mutex
}

var _ SessionStore = (*FileSessions)(nil)

const (
	sessionSuffix   = ".session"
	maxSessionFiles = 1024
	maxSessionFile  = 1 << 20 // bytes
)

// NewFileSessions uses a directory, and makes it with mode 0700 if it is not there. The error says that it cannot be
// made, or that others than its owner may look into it.
func NewFileSessions(dir string) (*FileSessions, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("tlsnet: sessions: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("tlsnet: sessions: %w", err)
	}
	if !info.IsDir() || runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("tlsnet: sessions: %s must be a directory that only its owner can look into (mode 0700)", dir)
	}
	return &FileSessions{dir: dir}, nil
}

// Put implements SessionStore. A session that cannot be written is not kept: it would only have saved time.
func (f *FileSessions) Put(key string, s *tlscore.Session) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path := f.path(key)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		f.makeRoom()
	}
	f.write(path, addSession(f.read(path), s))
}

// Take implements SessionStore.
func (f *FileSessions) Take(key string) *tlscore.Session {
	f.mu.Lock()
	defer f.mu.Unlock()
	path := f.path(key)
	of := f.read(path)
	s, rest := takeSession(of)
	if len(rest) < len(of) && f.write(path, rest) != nil {
		os.Remove(path) // a ticket must not come back
	}
	return s
}

// Remove implements SessionStore.
func (f *FileSessions) Remove(key string, s *tlscore.Session) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path := f.path(key)
	of := f.read(path)
	n := len(of)
	if rest := removeSession(of, s); len(rest) == 0 || len(rest) < n && f.write(path, rest) != nil {
		os.Remove(path)
	}
}

func (f *FileSessions) path(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(f.dir, hex.EncodeToString(sum[:20])+sessionSuffix)
}

// read returns the sessions of a file; one that cannot be read has none.
func (f *FileSessions) read(path string) []*tlscore.Session {
	info, err := os.Stat(path)
	if err != nil || info.Size() > maxSessionFile {
		return nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var of []*tlscore.Session
	in := cryptobyte.String(b)
	for !in.Empty() {
		var one cryptobyte.String
		if !in.ReadUint24LengthPrefixed(&one) {
			return nil
		}
		s, err := tlscore.ParseSession(one)
		if err != nil {
			return nil
		}
		of = append(of, s)
	}
	return of
}

// write replaces a file as a whole.
func (f *FileSessions) write(path string, of []*tlscore.Session) error {
	var b cryptobyte.Builder
	for _, s := range of {
		one, err := s.AppendBinary(nil)
		if err != nil {
			return err
		}
		b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(one) })
	}
	data, err := b.Bytes()
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(f.dir, ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails once it is renamed
	_, err = tmp.Write(data)
	if err := errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// makeRoom removes the files that were not written for the longest time if there are too many.
func (f *FileSessions) makeRoom() {
	entries, err := os.ReadDir(f.dir)
	if err != nil || len(entries) < maxSessionFiles {
		return
	}
	type file struct {
		name string
		at   time.Time
	}
	var files []file
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), sessionSuffix) {
			files = append(files, file{e.Name(), info.ModTime()})
		}
	}
	slices.SortFunc(files, func(a, b file) int { return a.at.Compare(b.at) })
	for i := range max(0, len(files)-maxSessionFiles+1) {
		os.Remove(filepath.Join(f.dir, files[i].name))
	}
}
