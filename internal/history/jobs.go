package history

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// jobConnections is how many connections a node has for the queue of jobs: one of them listens, one leads.
const jobConnections = 8

// Jobs gives connections for the queue by which nodes share the work; nil on SQLite, where there is one node. They are
// closed with the history.
func (h *History) Jobs() *pgxpool.Pool { return h.jobs }

// openJobs prepares the connections of the queue. They are made when they are wanted.
func (h *History) openJobs(address string) error {
	config, err := pgxpool.ParseConfig(address)
	if err != nil {
		return errors.New("the address of the database cannot be read: write it as postgres://user@host/name") // the error itself may hold the password
	}
	config.MaxConns = jobConnections
	h.jobs, err = pgxpool.NewWithConfig(context.Background(), config) // which connects to nobody yet
	return err
}

// migrateJobs brings the tables of the queue up to date.
func (h *History) migrateJobs(ctx context.Context) error {
	m, err := rivermigrate.New(riverpgxv5.New(h.jobs), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("the tables of the queue: %w", err)
	}
	return nil
}

// How long a node waits for another one that makes the tables, and how often it looks.
const (
	lockWithin = time.Minute
	lockAgain  = 50 * time.Millisecond
)

// alone runs work while no other node makes tables. The lock belongs to a connection, so it ends with a node that dies.
func (h *History) alone(ctx context.Context, work func() error) (err error) {
	c, err := h.writers.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	waiting, cancel := context.WithTimeout(ctx, lockWithin)
	defer cancel()
	// Asking again and again, and not waiting in the database: who waits there has a snapshot, for whose end the making of
	// an index may have to wait.
	for isOurs := false; !isOurs; {
		if err := c.QueryRowContext(waiting, `SELECT pg_try_advisory_lock($1)`, int64(lockID)).Scan(&isOurs); err != nil {
			return fmt.Errorf("wait for the node that makes the tables: %w", err)
		}
		if !isOurs {
			select {
			case <-time.After(lockAgain):
			case <-waiting.Done():
				return fmt.Errorf("another node has made tables for %v: is it stuck?", lockWithin)
			}
		}
	}
	defer func() {
		_, unlockErr := c.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, int64(lockID))
		err = errors.Join(err, unlockErr)
	}()
	return work()
}

// Skew is by how much a node's clock is ahead of the database's. Nodes whose clocks differ take each other's claims for
// older than they are.
func (h *History) Skew(ctx context.Context, now time.Time) (time.Duration, error) {
	if !h.isPostgres {
		return 0, nil
	}
	var ms int64
	err := h.readers.QueryRowContext(ctx, `SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT`).Scan(&ms)
	return now.Sub(time.UnixMilli(ms)), err
}

// Backlog counts jobs of a kind that nobody has taken yet.
func (h *History) Backlog(ctx context.Context, kind string) (n int, err error) {
	err = h.readers.QueryRowContext(ctx, `SELECT COUNT(*) FROM river_job WHERE kind = $1 AND state = 'available'`, kind).Scan(&n)
	return n, err
}
