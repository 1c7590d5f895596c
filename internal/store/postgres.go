package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed postgres/*.sql
var postgresMigrations embed.FS

// postgresVersion is the number of the last migration for PostgreSQL.
const postgresVersion = 2

// How many connections a node has at most for each purpose, how many goroutines
// write batches of reservations and records, how long a transaction may take, and how
// often one is tried that PostgreSQL gave up for another one's sake.
const (
	postgresReaders  = 8
	postgresWriters  = 8
	postgresBatchers = 2
	postgresPatience = 30 * time.Second
	postgresTries    = 2 * postgresWriters // each connection may have been cut
)

// postgres is what a store needs with PostgreSQL and not with SQLite.
type postgres struct {
	store    *Store
	config   *pgx.ConnConfig
	presence *membership
}

// OpenPostgres opens the database that a URL (postgres://user@host/name) or a string
// of settings (host=… dbname=…) names; what it leaves out is taken from the
// environment, as libpq does. The tables are made or brought up to date, by one node
// at a time.
//
// Many nodes may work on one database. Each is known to it by an advisory lock that it
// holds as long as it lives, so a pooler before the database must be one that keeps
// sessions. Requests that were left open by nodes that are gone are closed as lost,
// now and as long as the store is open; [Store.Lost] lists those found now. Numbers of
// CRLs are given out by the database, under a lock, so that no node has to lead: any of
// them signs the next one, and no two the same.
func OpenPostgres(ctx context.Context, dsn string) (*Store, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("read the address of the database: %w", err)
	}
	for name, value := range map[string]string{
		"application_name": "tlswright", "synchronous_commit": "on", "idle_in_transaction_session_timeout": "30s",
		// A node whose machine is gone is noticed within half a minute, and its locks are free.
		"tcp_keepalives_idle": "15", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3",
	} {
		if _, chosen := config.RuntimeParams[name]; !chosen {
			config.RuntimeParams[name] = value
		}
	}
	s := &Store{path: fmt.Sprintf("%s on %s", config.Database, net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port)))),
		queue: make(chan *write, maxBatch), quit: make(chan struct{})}
	s.postgres = &postgres{store: s, config: config}
	s.postgres.presence = newMembership(s.postgres)
	if err := s.postgres.open(ctx); err != nil {
		_ = s.closeFiles() // nothing was begun
		if isVersionError(err) {
			return nil, &FileError{Path: s.path, Trouble: TroubleVersion, Err: err}
		}
		return nil, s.explain(&openingError{s.path, err}, "open the database")
	}
	for range postgresBatchers {
		w := &writer{store: s}
		s.writing.Add(1)
		go w.run()
	}
	if s.lost, err = s.postgres.settle(time.Now()); err != nil {
		return nil, errors.Join(fmt.Errorf("look for what a crash left: %w", err), s.Close())
	}
	s.postgres.presence.keep()
	return s, nil
}

// openingError says in one line what PostgreSQL's driver says in several: one for each address and way that was tried.
type openingError struct {
	where string
	err   error
}

func (e *openingError) Error() string {
	text := e.err.Error()
	if lines := strings.Split(text, "\n"); len(lines) > 1 {
		text = strings.TrimSpace(lines[len(lines)-1])
	}
	return e.where + ": " + text
}

func (e *openingError) Unwrap() error { return e.err }

func (p *postgres) open(ctx context.Context) (err error) {
	s := p.store
	s.readers, s.writers = stdlib.OpenDB(*p.config), stdlib.OpenDB(*p.config)
	s.readers.SetMaxOpenConns(postgresReaders)
	s.writers.SetMaxOpenConns(postgresWriters)
	p.drop()
	if s.created, err = p.migrate(ctx); err != nil {
		return err
	}
	return p.presence.enter(ctx)
}

// drop closes the connections that nobody uses, so that new ones are made in their place; from then on they are kept again.
func (p *postgres) drop() {
	for _, db := range []*sql.DB{p.store.readers, p.store.writers} {
		db.SetMaxIdleConns(-1)
		db.SetMaxIdleConns(max(postgresReaders, postgresWriters))
	}
}

func (p *postgres) leave() error { return p.presence.leave() }

// migrate brings the tables up to date, and tells whether it made them.
func (p *postgres) migrate(ctx context.Context) (made bool, err error) {
	db := p.store.writers
	version, err := p.version(ctx, db)
	switch {
	case err != nil:
		return false, err
	case version == postgresVersion:
		return false, nil
	case version > postgresVersion:
		return false, &versionError{fmt.Sprintf("its schema has version %d, this program knows %d: use a newer tlswright", version, postgresVersion)}
	}
	sources, err := fs.Sub(postgresMigrations, "postgres")
	if err != nil {
		return false, fmt.Errorf("read migrations: %w", err)
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
	if err != nil {
		return false, err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, sources, goose.WithSessionLocker(locker),
		goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true), goose.WithTableName("migrations"))
	if err != nil {
		return false, fmt.Errorf("read migrations: %w", err)
	}
	done, err := provider.Up(ctx)
	if err != nil {
		return false, fmt.Errorf("bring the schema up to date: %w", err)
	}
	return version == 0 && len(done) > 0, nil
}

// version asks for the number of the last migration, which costs less than goose does.
func (p *postgres) version(ctx context.Context, db *sql.DB) (version int64, err error) {
	var known bool
	if err := db.QueryRowContext(ctx, `SELECT to_regclass('migrations') IS NOT NULL`).Scan(&known); err != nil || !known {
		return 0, err
	}
	err = db.QueryRowContext(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM migrations WHERE is_applied`).Scan(&version)
	return version, err
}

// transaction runs body in a transaction, again if PostgreSQL gave it up for another
// one's sake, had cut the connection before it began, or took this node for gone.
func (p *postgres) transaction(body func(*change) error) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), postgresPatience)
	defer cancel()
	for range postgresTries {
		if err = p.once(ctx, body); !mayBeRetried(err) {
			break
		}
		var ousted *oustedError
		if errors.As(err, &ousted) {
			if failed := p.presence.rejoin(ctx, ousted.node); failed != nil {
				return failed
			}
		}
	}
	return err
}

func (p *postgres) once(ctx context.Context, body func(*change) error) error {
	conn, err := p.store.writers.Conn(ctx)
	if err != nil {
		return err
	}
	x := &session{store: p.store, conn: conn}
	defer x.close()
	return x.transaction(ctx, body)
}

// doAlone makes a transaction of its own for one write, beside those of others.
func (s *Store) doAlone(w *write) error {
	s.closing.RLock()
	defer s.closing.RUnlock()
	if s.closed {
		return ErrClosed
	}
	var own error
	begun := time.Now()
	err := s.postgres.transaction(func(c *change) error {
		own = w.run(c)
		return own
	})
	s.observeAlone(begun, err)
	var known *pgconn.PgError
	if err != nil && err == own && !errors.As(err, &known) {
		return err // what the write itself was refused for
	}
	return s.explain(err, "write to the database")
}

// reserveAll gives the requests numbers and their rows. The row of the node is held
// meanwhile, so that nobody takes it for gone between a look at its requests and this.
func (p *postgres) reserveAll(c *change, writes []*write) error {
	node := p.presence.node()
	ids, err := collectIn(c, func(scan func(...any) error) (id int64, err error) {
		err = scan(&id)
		return id, err
	}, `SELECT nextval('request_ids') FROM nodes, generate_series(1, $2::bigint) WHERE nodes.id = $1 FOR SHARE OF nodes`, node, len(writes))
	if err != nil {
		return err
	}
	if len(ids) != len(writes) {
		return &oustedError{node}
	}
	return c.insert("requests (id, issuer, serial, asked_at, profile, asked, csr, renews, node)", 9, len(writes), func(args []any, i int) []any {
		writes[i].id = ids[i]
		return append(writes[i].requestRow(args), node)
	})
}

// oustedError says that the other nodes have taken this one for gone.
type oustedError struct{ node int64 }

func (e *oustedError) Error() string { return "the database has lost sight of this node" }

// mayBeRetried tells whether a transaction failed for no fault of its own.
func mayBeRetried(err error) bool {
	var ousted *oustedError
	var unbegun *beginError
	var e *pgconn.PgError
	return errors.As(err, &ousted) || errors.As(err, &unbegun) || errors.As(err, &e) && (e.Code == "40001" || e.Code == "40P01")
}

// NonceBook gives the function that notes a used nonce for all nodes: true for the
// first who asks about it, until it expires. nil with SQLite: there is one node only,
// and it keeps its own book. A crash of the database server, not of a node, empties
// the book.
func (s *Store) NonceBook() func(ctx context.Context, id [16]byte, expires time.Time) (bool, error) {
	if s.postgres == nil {
		return nil
	}
	return func(ctx context.Context, id [16]byte, expires time.Time) (bool, error) {
		// No row was written ahead, so this commit waits for no disk.
		done, err := s.writers.ExecContext(ctx, `INSERT INTO acme_nonces (id, expires_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING`, id[:], millis(expires))
		if err != nil {
			return false, s.explain(err, "note a nonce")
		}
		n, err := done.RowsAffected()
		return n == 1, err
	}
}

// forgetNonces drops those that would not be taken any more.
func (p *postgres) forgetNonces(ctx context.Context, now time.Time) error {
	_, err := p.store.writers.ExecContext(ctx, `DELETE FROM acme_nonces WHERE expires_at < $1`, millis(now))
	return err
}

// membership is a node's place among the others: a number, and a session that holds
// the advisory lock on it.
type membership struct {
	postgres *postgres
	mu       sync.Mutex
	conn     *pgx.Conn
	number   int64
	stop     context.CancelFunc
	done     sync.WaitGroup
}
