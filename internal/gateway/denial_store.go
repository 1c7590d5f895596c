package gateway

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"
)

// Bounds on what is kept of refusals: two files, of which the older is replaced when the newer is full, and lines per
// second, so that a flood of refusals is no flood of log lines.
const (
	denialFileSize  = 8 << 20 // bytes of one file
	maxDenialLine   = 64 << 10
	maxRecent       = 200  // refusals in memory
	denialsPerBurst = 2000 // refusals that are told at once
	denialsPerTime  = 200  // and then, per second
)

// denialLog keeps the last refusals on disk, one JSON object a line. A crash can cost the line that was being written;
// readers leave it out.
type denialLog struct {
	path string // "": nothing is kept on disk

	mu       sync.Mutex
	recent   []*Denial // the last ones, in memory, for the operator's page
	f        *os.File
	size     int64
	tokens   float64
	last     time.Time
	reported bool
}

func openDenials(path string) (*denialLog, error) {
	l := &denialLog{path: path, tokens: denialsPerBurst}
	if path == "" {
		return l, nil
	}
	return l, l.open()
}

// open opens the newer file, and ends a line that a crash has cut.
func (l *denialLog) open() error {
	f, err := os.OpenFile(l.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if err := f.Chmod(0o600); err != nil {
		return errors.Join(err, f.Close())
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.f, l.size = f, info.Size()
	last := make([]byte, 1)
	if l.size > 0 {
		if _, err := f.ReadAt(last, l.size-1); err == nil && last[0] != '\n' {
			n, err := f.WriteString("\n")
			l.size += int64(n)
			return err
		}
	}
	return nil
}

// mayTell says whether a refusal is told, or only counted.
func (l *denialLog) mayTell(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if passed := now.Sub(l.last).Seconds(); passed > 0 && !l.last.IsZero() {
		l.tokens = min(denialsPerBurst, l.tokens+passed*denialsPerTime)
	}
	l.last = now
	if l.tokens < 1 {
		return false
	}
	l.tokens--
	return true
}

// firstProblem reports true once after each success.
func (l *denialLog) firstProblem() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.reported
	l.reported = true
	return !was
}

// add keeps a refusal.
func (l *denialLog) add(d *Denial) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.recent = append(l.recent, d); len(l.recent) > maxRecent {
		l.recent = append(l.recent[:0], l.recent[len(l.recent)-maxRecent:]...)
	}
	if l.f == nil {
		return nil
	}
	line, err := json.Marshal(d)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if l.size+int64(len(line)) > denialFileSize {
		if err := l.rotate(); err != nil {
			return err
		}
	}
	n, err := l.f.Write(line)
	l.size += int64(n)
	if err == nil {
		l.reported = false
	}
	return err
}

func (l *denialLog) rotate() error {
	if err := l.f.Close(); err != nil {
		return err
	}
	l.f = nil
	if err := os.Rename(l.path, l.path+".1"); err != nil {
		return err
	}
	return l.open()
}

func (l *denialLog) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return nil
	}
	err := l.f.Close()
	l.f = nil
	return err
}

// newest gives the refusals in memory, newest first.
func (l *denialLog) newest() []*Denial {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := slices.Clone(l.recent)
	slices.Reverse(out)
	return out
}

// DenialQuery says which refusals are wanted. The zero value: all.
type DenialQuery struct {
	ID    string    // one refusal
	Since time.Time // not before
	Site  string
	Last  int // so many, the newest; 0: all
}

func (q *DenialQuery) wants(d *Denial) bool {
	return (q.ID == "" || d.ID == q.ID) && !d.Time.Before(q.Since) && (q.Site == "" || d.Site == q.Site)
}

// ReadDenials reads what a gateway with [Options].DenialsFile has kept, oldest first: tens of thousands of refusals at
// most. A running gateway is not disturbed. Without the file the error is or wraps fs.ErrNotExist.
func ReadDenials(file string, q DenialQuery) ([]Denial, error) {
	var out []Denial
	found := false
	for _, path := range []string{file + ".1", file} {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = true
		out, err = readDenials(f, q, out)
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if !found {
		return nil, fmt.Errorf("%s: %w", file, fs.ErrNotExist)
	}
	return out, nil
}

// readDenials appends what is wanted of one file to out. Lines that are none are left out.
func readDenials(r io.Reader, q DenialQuery, out []Denial) ([]Denial, error) {
	br := bufio.NewReaderSize(io.LimitReader(r, 2*denialFileSize), maxDenialLine)
	for {
		line, err := br.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) { // no line of ours is so long
			_, err = br.ReadSlice('\n')
			line = nil
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			var d Denial
			if json.Unmarshal(line, &d) == nil && d.ID != "" && q.wants(&d) {
				out = append(out, d)
			}
		}
		if q.Last > 0 && len(out) > 2*q.Last {
			out = slices.Clone(out[len(out)-q.Last:])
		}
		if errors.Is(err, io.EOF) {
			if q.Last > 0 && len(out) > q.Last {
				out = out[len(out)-q.Last:]
			}
			return out, nil
		}
		if err != nil {
			return out, err
		}
	}
}
