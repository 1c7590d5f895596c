package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // registers the driver
)

// How long a write waits for another process, and how many pages of the
// write-ahead log collect before they are carried into the file: the more, the
// seldomer a page that changes often is written twice.
const (
	busyTimeout     = 15 * time.Second
	checkpointPages = 8000
)

// Store is an open database. Its methods may be called by many goroutines at once.
type Store struct {
	path     string
	readers  *sql.DB
	writers  *sql.DB // one connection, with SQLite
	presence *presence
	postgres *postgres // nil: SQLite
	inserts  sync.Map  // insertKey: statement
	prepares sync.Map  // text: statement of the readers
	queue    chan *write
	quit     chan struct{} // closed by Close: the writer finishes what is queued
	writing  sync.WaitGroup
	closing  sync.RWMutex // held, shared, while something is put into the queue
	closed   bool
	lost     []Lost
	alone    bool // nobody else had it open when it was opened
	created  bool
	opened   os.FileInfo // of the file, with SQLite
	replaced atomic.Bool // it is not the one at its path any more: see inPlace
	observer atomic.Pointer[func(writes int, took time.Duration, err error)]
}

// Open opens the database in the file path, made if missing with mode 0600; its
// folder must exist. The schema is brought up to date. If no other process has it
// open, requests that a crash left open are closed as lost, with an entry in the
// audit log; [Store.Lost] lists them. Errors that are the file's fault are
// [*FileError].
func Open(ctx context.Context, path string) (*Store, error) {
	s, err := open(ctx, path)
	if isVersionError(err) {
		return nil, &FileError{Path: path, Trouble: TroubleVersion, Err: err}
	}
	return s, explainFile(path, err, "open the database")
}

func open(ctx context.Context, path string) (s *Store, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	s = &Store{path: path, queue: make(chan *write, maxBatch), quit: make(chan struct{})}
	if err := checkNotLost(path); err != nil {
		return nil, err
	}
	if s.created, err = prepareFile(path); err != nil {
		return nil, err
	}
	if s.opened, err = os.Stat(path); err != nil {
		return nil, err
	}
	if s.presence, err = enter(path + ".lock"); err != nil {
		return nil, err
	}
	fail := func(err error) (*Store, error) {
		return nil, errors.Join(err, s.closeFiles())
	}
	s.alone = s.presence.alone
	if s.writers, err = sql.Open("sqlite", s.dsn(true)); err != nil {
		return fail(err)
	}
	s.writers.SetMaxOpenConns(1)
	s.writers.SetMaxIdleConns(1)
	s.writers.SetConnMaxLifetime(0)
	if err := migrate(ctx, s.writers, func() bool { return s.alone }); err != nil {
		return fail(err)
	}
	if err := markBegun(path); err != nil {
		return fail(err)
	}
	if s.readers, err = sql.Open("sqlite", s.dsn(false)); err != nil {
		return fail(err)
	}
	s.readers.SetMaxOpenConns(max(4, runtime.NumCPU()))
	s.readers.SetMaxIdleConns(max(4, runtime.NumCPU()))
	w, err := newWriter(ctx, s)
	if err != nil {
		return fail(err)
	}
	s.writing.Add(1)
	go w.run()
	if err := s.settle(ctx, time.Now()); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.freeLeases(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.presence.share(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// prepareFile makes the file, closed to others from its first moment, or looks at
// the one that is there. SQLite gives its side files the same mode.
func prepareFile(path string) (created bool, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		return true, f.Close()
	}
	if !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return false, err
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("%s is not a file", path)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return false, &FileError{Path: path, Trouble: TroubleOpen, Err: fmt.Errorf("it is open to others (mode %04o)", info.Mode().Perm())}
	}
	return false, nil
}

// dsn names the file to the driver as a URI, in which any path is safe.
func (s *Store) dsn(write bool) string {
	q := url.Values{}
	q.Set("_busy_timeout", fmt.Sprint(busyTimeout.Milliseconds()))
	q.Add("_pragma", "journal_mode(WAL)")
	q.Add("_pragma", "foreign_keys(1)")
	q.Add("_pragma", "trusted_schema(0)")
	q.Add("_pragma", "temp_store(2)")
	if write {
		q.Add("_pragma", "cache_size(-16000)") // KiB
		q.Set("_txlock", "immediate")
		q.Add("_pragma", "synchronous(FULL)") // a commit is on disk when it returns, in WAL mode too
		q.Add("_pragma", fmt.Sprintf("wal_autocheckpoint(%d)", checkpointPages))
	} else {
		q.Add("_pragma", "cache_size(-2000)") // a commit makes it worthless anyway
		q.Add("_pragma", "query_only(1)")
	}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(s.path), RawQuery: q.Encode()}).String()
}

// Path is the file; "" with PostgreSQL.
func (s *Store) Path() string {
	if s.postgres != nil {
		return ""
	}
	return s.path
}

// Created tells whether Open made the database, or its tables.
func (s *Store) Created() bool { return s.created }

// Close waits for the writes that were begun, carries the write-ahead log into the
// file and closes it.
func (s *Store) Close() error {
	s.closing.Lock()
	if s.closed {
		s.closing.Unlock()
		return nil
	}
	s.closed = true
	close(s.quit)
	s.closing.Unlock()
	s.writing.Wait()
	return s.closeFiles()
}

func (s *Store) closeFiles() error {
	var errs []error
	// Readers first: the last connection to go, a writer, then empties the log.
	for _, db := range []*sql.DB{s.readers, s.writers} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.postgres != nil {
		return errors.Join(append(errs, s.postgres.leave())...)
	}
	return errors.Join(append(errs, s.presence.leave())...)
}

// millis is a time as the database keeps it; the zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// moment is the reverse of millis.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
