package history

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // registers the driver
)

//go:embed migrations/*.sql
var migrations embed.FS

// ErrNotFound says that there is no such target, incident or silence.
var ErrNotFound = errors.New("not found")

// History is an open database. Its methods may be called by many goroutines at once.
type History struct {
	readers, writers *sql.DB
	jobs             *pgxpool.Pool // nil on SQLite
	isPostgres       bool
	where            string
}

// busyTimeout is how long a write waits for another process, retries how often a transaction is made again that
// PostgreSQL gave up for another one's sake.
const (
	busyTimeout = 15 * time.Second
	retries     = 12
)

// Open opens the database at an address: a file, made with mode 0600 where it is missing, or the URL of a PostgreSQL
// database ("postgres://…"). The schema is brought up to date.
func Open(ctx context.Context, address string) (*History, error) {
	var h *History
	var err error
	if strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://") {
		h, err = openPostgres(address)
	} else {
		h, err = openFile(address)
	}
	if err != nil {
		return nil, err
	}
	if err := h.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open the history in %s: %w", h.where, err), h.Close())
	}
	return h, nil
}

func openPostgres(address string) (*History, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, errors.New("the address of the database cannot be read: write it as postgres://user@host/name") // the error itself may hold the password
	}
	h := &History{isPostgres: true, where: config.Database + " on " + config.Host, readers: stdlib.OpenDB(*config), writers: stdlib.OpenDB(*config)}
	for _, db := range []*sql.DB{h.readers, h.writers} {
		db.SetMaxOpenConns(8)
		db.SetMaxIdleConns(8)
	}
	if err := h.openJobs(address); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

func openFile(path string) (*History, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s is open to others (mode %04o): it names what runs where; chmod 600 it", path, info.Mode().Perm())
	}
	h := &History{where: path}
	if h.writers, err = sql.Open("sqlite", dsn(path, true)); err != nil {
		return nil, err
	}
	h.writers.SetMaxOpenConns(1)
	if h.readers, err = sql.Open("sqlite", dsn(path, false)); err != nil {
		return nil, errors.Join(err, h.writers.Close())
	}
	h.readers.SetMaxOpenConns(max(4, runtime.NumCPU()))
	return h, nil
}

func dsn(path string, write bool) string {
	q := url.Values{}
	q.Set("_busy_timeout", fmt.Sprint(busyTimeout.Milliseconds()))
	q.Add("_pragma", "journal_mode(WAL)")
	q.Add("_pragma", "trusted_schema(0)")
	q.Add("_pragma", "temp_store(2)")
	q.Add("_pragma", "cache_size(-16000)") // KiB
	if write {
		q.Set("_txlock", "immediate")
		q.Add("_pragma", "synchronous(FULL)") // an incident is on disk before anybody is told
	} else {
		q.Add("_pragma", "query_only(1)")
	}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: q.Encode()}).String()
}

func (h *History) migrate(ctx context.Context) error {
	if !h.isPostgres {
		return h.migrateTables(ctx, goose.DialectSQLite3)
	}
	// Nodes that start together must not make tables beside each other, neither ours nor those of the queue.
	return h.alone(ctx, func() error {
		if err := h.migrateTables(ctx, goose.DialectPostgres); err != nil {
			return err
		}
		return h.migrateJobs(ctx)
	})
}

func (h *History) migrateTables(ctx context.Context, dialect goose.Dialect) error {
	sources, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(dialect, h.writers, sources, goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true),
		goose.WithTableName("history_migrations"))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// lockID is the advisory lock under which nodes that start together make the tables.
const lockID = 7_209_113_401

// Close closes the database.
func (h *History) Close() error {
	if h.jobs != nil {
		h.jobs.Close()
	}
	return errors.Join(h.readers.Close(), h.writers.Close())
}

// Where names the database for people, without its password.
func (h *History) Where() string { return h.where }

// change is a transaction.
type change struct {
	*sql.Tx
	ctx        context.Context
	isPostgres bool
}

func (c *change) exec(query string, args ...any) error {
	_, err := c.ExecContext(c.ctx, query, args...)
	return err
}

func (c *change) affected(query string, args ...any) (int64, error) {
	r, err := c.ExecContext(c.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// lock is the end of a query whose rows must not change until the transaction ends. SQLite has one writer anyway.
func (c *change) lock() string {
	if c.isPostgres {
		return " FOR UPDATE"
	}
	return ""
}

// update runs body in a transaction, again where PostgreSQL gave it up for another one's sake: body must not keep
// anything of a former run.
func (h *History) update(ctx context.Context, body func(*change) error) error {
	var err error
	for try := range retries {
		if err = h.once(ctx, body); !isConflict(err) {
			return err
		}
		select {
		case <-time.After(time.Duration(1+try*try) * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

func (h *History) once(ctx context.Context, body func(*change) error) error {
	tx, err := h.writers.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err = body(&change{Tx: tx, ctx: ctx, isPostgres: h.isPostgres}); err != nil {
		_ = tx.Rollback() // the error of body says more
	} else {
		err = tx.Commit()
	}
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
		return ctx.Err() // who broke it off is told that, whatever the database was doing
	}
	return err
}

// isConflict reports whether PostgreSQL gave a transaction up because of another one: serialization, a deadlock, or two
// that inserted the same at the same time.
func isConflict(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "40001" || e.Code == "40P01" || e.Code == "23505")
}

// each calls f for every row of a query.
func each(ctx context.Context, db interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}, f func(scan func(...any) error) error, query string, args ...any) (err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// newID is unique, and ascends with time.
func newID(now time.Time) string {
	var b [8]byte
	rand.Read(b[:])
	return idFrom(now) + hex.EncodeToString(b[:])
}

// idFrom is not behind any id that was made at a time or later.
func idFrom(t time.Time) string { return fmt.Sprintf("%012x", millis(t)) }

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
