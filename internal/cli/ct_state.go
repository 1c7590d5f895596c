package cli

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/follow"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki/ct"
)

// Bounds on what a watcher remembers.
const (
	maxWatchState = 64 << 20 // bytes
	// seenFor is how long after its end a certificate is remembered as told.
	seenFor = 90 * day
)

// watchState is what `ct watch` remembers between runs, as a file. It is replaced whole, so that after a crash there is the
// old or the new one.
type watchState struct {
	Version int                         `json:"version"`
	Logs    map[string]*follow.Position `json:"logs"` // by identifier, hexadecimal
	Seen    map[string]time.Time        `json:"seen"` // what was told, with the end of its validity

	mu   sync.Mutex
	path string
	told *toldFile
	err  error // of told
}

// parseWatchState reads the file's content.
func parseWatchState(data []byte) (*watchState, error) {
	s := &watchState{}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, err
	}
	if s.Version != 1 {
		return nil, fmt.Errorf("it has version %d, and 1 is known", s.Version)
	}
	for _, p := range s.Logs {
		if p == nil {
			return nil, errors.New("a log without a position")
		}
		if _, _, err := p.Resume(); err != nil {
			return nil, err
		}
	}
	s.fill()
	return s, nil
}

func (s *watchState) fill() {
	s.Version = 1
	if s.Logs == nil {
		s.Logs = make(map[string]*follow.Position)
	}
	if s.Seen == nil {
		s.Seen = make(map[string]time.Time)
	}
}

// openWatchState reads the file, or begins anew where there is none.
func openWatchState(path string) (*watchState, error) {
	data, err := readFileWithin(path, maxWatchState)
	if errors.Is(err, fs.ErrNotExist) {
		s := &watchState{path: path}
		s.fill()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, cannotRun(err, "making the folder of the state")
		}
		return s, s.openTold()
	}
	if err != nil {
		return nil, cannotRun(err, "reading the state")
	}
	if len(data) > maxWatchState {
		return nil, &failure{kind: kindLocal, text: path + " is too large to be the state of a watch"}
	}
	s, err := parseWatchState(data)
	if err != nil {
		f := cannotRun(err, "%s is not the state of a watch", path)
		f.hint = "move it away to begin anew: what logs did in between is not looked at then"
		return nil, f
	}
	s.path = path
	return s, s.openTold()
}

// openTold takes up what was told since the file was last replaced.
func (s *watchState) openTold() (err error) {
	if s.told, err = openTold(s.path+toldSuffix, s.Seen); err != nil {
		return cannotRun(err, "reading what was told")
	}
	return nil
}

// close gives the file back.
func (s *watchState) close() error { return s.told.file.Close() }

// position is where a log was left; nil if it was never read.
func (s *watchState) position(l *ct.Log) *follow.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Logs[hex.EncodeToString(l.ID[:])]
}

// save puts a position on disk. Several logs share the file.
func (s *watchState) save(l *ct.Log, p *follow.Position, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Logs[hex.EncodeToString(l.ID[:])] = p
	for key, end := range s.Seen {
		if now.After(end.Add(seenFor)) {
			delete(s.Seen, key)
		}
	}
	data, err := json.Marshal(s)
	if err == nil {
		err = errors.Join(s.err, keystore.WriteFile(s.path, append(data, '\n'), 0o600))
	}
	if err == nil {
		err = s.told.clear()
	}
	if err != nil {
		return cannotRun(err, "keeping the position")
	}
	return nil
}

// once has a certificate told if it was not told yet. A precertificate and its certificate share issuer and serial number,
// in whatever logs they are. Nothing is saved before it was told: else a crash could have it remembered and never told. It
// is noted at once then, so that a crash has the last one at most told again.
func (s *watchState) once(key string, ends time.Time, tell func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.Seen[key]; ok {
		return false
	}
	tell()
	s.Seen[key] = ends
	s.err = errors.Join(s.err, s.told.add(key, ends))
	return true
}
