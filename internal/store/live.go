package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tlswright/tlswright/pki"
)

// How often a follower looks for changes, how long one look may take, and how long it waits after a failed one. PostgreSQL
// tells about changes by itself; there a look only makes sure that the connection still lives.
const (
	lookSQLite   = 100 * time.Millisecond
	lookPostgres = 500 * time.Millisecond
	lookTimeout  = 2 * time.Second
	lookAgain    = 250 * time.Millisecond
	lookSeldom   = 2 * time.Second // the longest wait after several failures
	lookAtFile   = 10              // looks, until one makes sure that the file is still there
)

// changesChannel is what PostgreSQL announces changes on, for all schemas of a database together.
const changesChannel = "tlswright_changes"

// Change is a change to the validity of a certificate.
type Change struct {
	Number     int64    // greater than those of all changes before
	Issuer     [32]byte // as in [Issuer].KeyHash
	Serial     []byte
	Revocation // Reason 8 of RFC 5280, Section 5.3.1: it is off hold
}

// Follower is told what [Store.Follow] sees. Its functions are called one after the other, and should return soon.
type Follower struct {
	// Told gets changes in their order, no matter which process or node made them. None at all: more may have changed
	// than could be told.
	Told func([]Change)
	// Sure says that all changes that were committed before at have been told.
	Sure func(at time.Time)
	// Failed says that the records cannot be read. That is tried again until the context ends.
	Failed func(error)
}

// Follow tells about changes to the validity of certificates until ctx ends: with SQLite a tenth of a second after they
// were committed, with PostgreSQL as they are committed. What was changed before it was first Sure is not told. Each
// call holds a connection of its own.
func (s *Store) Follow(ctx context.Context, f Follower) {
	look := &lookout{store: s, Follower: f}
	for failures := 0; ctx.Err() == nil; failures++ {
		began := look.looks
		err := look.run(ctx)
		if ctx.Err() != nil {
			return
		}
		f.Failed(s.explain(err, "follow the revocations"))
		if look.looks > began {
			failures = 0
		}
		pause(ctx, min(lookAgain<<min(failures, 10), lookSeldom))
	}
}

// lookout is one call of Follow.
type lookout struct {
	store *Store
	Follower
	began bool
	last  int64 // the last change that was told
	looks int   // that went well
}

// run follows on one connection until something fails.
func (l *lookout) run(ctx context.Context) error {
	if l.store.postgres != nil {
		return l.listen(ctx)
	}
	return l.poll(ctx)
}

// poll asks SQLite whether another connection has changed the file, which costs no more than a glance at shared memory.
func (l *lookout) poll(ctx context.Context) (err error) {
	// First of all: a connection to another file of that name takes the log beside it for its own, and empties it. Then the
	// file that was put aside has lost what stood there only.
	if err := l.store.inPlace(); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", l.store.dsn(false))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx) // the pragma counts by connection
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	tick := time.NewTicker(lookSQLite)
	defer tick.Stop()
	seen := int64(-1)
	for n := 0; ; n++ {
		if n%lookAtFile == 0 {
			if err := l.store.inPlace(); err != nil {
				return err
			}
		}
		var version int64
		at := time.Now()
		if err := conn.QueryRowContext(ctx, `PRAGMA data_version`).Scan(&version); err != nil {
			return err
		}
		if version == seen {
			l.sure(at)
		} else if err := l.look(ctx, at, sqlReader{conn}); err != nil {
			return err
		}
		seen = version
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// listen waits for PostgreSQL's announcements. It looks for changes as well every now and then: so it notices a connection
// that is dead, and changes that nobody announced.
func (l *lookout) listen(ctx context.Context) (err error) {
	opening, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(opening, l.store.postgres.config.Copy())
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
		defer cancel()
		err = errors.Join(err, conn.Close(closing))
	}()
	if _, err := conn.Exec(opening, `LISTEN `+changesChannel); err != nil {
		return err
	}
	for {
		if err := l.lookWithin(ctx, conn); err != nil {
			return err
		}
		waiting, cancel := context.WithTimeout(ctx, lookPostgres)
		_, err := conn.WaitForNotification(waiting)
		cancel()
		if err != nil && (ctx.Err() != nil || conn.IsClosed()) {
			return errors.Join(ctx.Err(), err)
		}
	}
}

func (l *lookout) lookWithin(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return l.look(ctx, time.Now(), pgxReader{conn})
}

func (l *lookout) sure(at time.Time) {
	l.looks++
	l.Sure(at)
}

// look tells what has changed since the last look, which began at the time at.
func (l *lookout) look(ctx context.Context, at time.Time, r rowReader) error {
	var newest int64
	if err := r.row(ctx, []any{&newest}, `SELECT COALESCE(MAX(change), 0) FROM revocations`); err != nil {
		return err
	}
	switch {
	case !l.began:
		l.began, l.last = true, newest
	case newest < l.last: // other records have taken the place of these: a standby, a backup
		l.last = newest
		l.Told(nil)
	}
	for l.last < newest {
		page, err := changesAfter(ctx, r, l.last)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		l.last = page[len(page)-1].Number
		l.Told(page)
	}
	l.sure(at)
	return nil
}

func changesAfter(ctx context.Context, r rowReader, after int64) (page []Change, err error) {
	err = r.rows(ctx, func(scan func(...any) error) error {
		var c Change
		var hash []byte
		var at int64
		var invalid sql.NullInt64
		if err := scan(&c.Number, &hash, &c.Serial, &at, &c.Reason, &invalid); err != nil {
			return err
		}
		copy(c.Issuer[:], hash)
		c.At, c.InvalidAt = moment(at), moment(invalid.Int64)
		page = append(page, c)
		return nil
	}, `SELECT v.change, i.key_hash, r.serial, v.revoked_at, v.reason, v.invalid_at
		FROM revocations v JOIN requests r ON r.id = v.certificate JOIN issuers i ON i.id = v.issuer
		WHERE v.change > $1 ORDER BY v.change LIMIT $2`, after, pageSize)
	return page, err
}

// rowReader is a connection of either database.
type rowReader interface {
	row(ctx context.Context, into []any, query string) error
	rows(ctx context.Context, each func(scan func(...any) error) error, query string, args ...any) error
}

type sqlReader struct{ conn *sql.Conn }

func (r sqlReader) row(ctx context.Context, into []any, query string) error {
	return r.conn.QueryRowContext(ctx, query).Scan(into...)
}

func (r sqlReader) rows(ctx context.Context, each func(func(...any) error) error, query string, args ...any) (err error) {
	rows, err := r.conn.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

type pgxReader struct{ conn *pgx.Conn }

func (r pgxReader) row(ctx context.Context, into []any, query string) error {
	return r.conn.QueryRow(ctx, query).Scan(into...)
}

func (r pgxReader) rows(ctx context.Context, each func(func(...any) error) error, query string, args ...any) error {
	rows, err := r.conn.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// announce tells followers on all nodes that a certificate's validity has changed; it is heard when the transaction is
// committed. With SQLite they see it for themselves.
func (c *change) announce() error {
	if c.store.postgres == nil {
		return nil
	}
	return c.exec(`SELECT pg_notify('` + changesChannel + `', '')`)
}

// StatusOf is Status of an issuer by its KeyHash. [ErrIssuer]: these are not the records of that issuer; [ErrNotFound]: it
// has never given the number out.
func (s *Store) StatusOf(ctx context.Context, issuer [32]byte, serial []byte) (Status, error) {
	if s.replaced.Load() {
		return Status{}, s.inPlace()
	}
	i, err := s.issuer(ctx, `key_hash = $1`, issuer[:])
	if errors.Is(err, ErrNotFound) {
		return Status{}, fmt.Errorf("%w", ErrIssuer)
	}
	if err != nil {
		return Status{}, err
	}
	return s.Status(ctx, i.ID, serial)
}

// inPlace makes sure that the file that is open is the one that others find under its name. Whoever goes on with a file that
// was put aside hears of no revocation any more.
func (s *Store) inPlace() error {
	if s.postgres != nil {
		return nil
	}
	info, err := os.Stat(s.path)
	if err == nil && !os.SameFile(info, s.opened) {
		err = errors.New("another file has taken its place since it was opened: start again")
	}
	s.replaced.Store(err != nil)
	if err != nil {
		return fmt.Errorf("the database %s: %w", pki.Printable(s.path), err)
	}
	return nil
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
