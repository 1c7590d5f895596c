package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
)

// How often a node makes sure of its place, and looks after what is of no urgency.
const (
	keepPlace = 5 * time.Second
	tidyEvery = 6 // times keepPlace
)

// alivePart ends a question about nodes n: those whose number nobody holds the lock on are gone. Rows are read as they were
// when the statement began, locks as they are now, and a node takes its lock before its row can be seen: so nobody who has
// just come is taken for gone.
const alivePart = ` NOT EXISTS (SELECT 1 FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
	AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
	AND l.classid = 'requests'::regclass::oid AND l.objid::bigint = n.id)`

func newMembership(p *postgres) *membership { return &membership{postgres: p} }

func (m *membership) node() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.number
}

// enter takes a number and the lock on it.
func (m *membership) enter(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.enterLocked(ctx)
}

func (m *membership) enterLocked(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, m.postgres.config.Copy())
	if err != nil {
		return err
	}
	number, err := register(ctx, conn)
	if err != nil {
		return errors.Join(fmt.Errorf("make the node known: %w", err), conn.Close(context.WithoutCancel(ctx)))
	}
	if m.conn != nil {
		_ = m.conn.Close(context.WithoutCancel(ctx)) // it is of no use any more
	}
	m.conn, m.number = conn, number
	return nil
}

// register takes the lock before anybody can see the row.
func register(ctx context.Context, conn *pgx.Conn) (number int64, err error) {
	if err := conn.QueryRow(ctx, `SELECT nextval('node_ids')`).Scan(&number); err != nil {
		return 0, err
	}
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(('requests'::regclass::oid::bigint << 32) | $1::bigint)`, number); err != nil {
		return 0, err
	}
	name, err := os.Hostname()
	if err != nil {
		name = "?"
	}
	_, err = conn.Exec(ctx, `INSERT INTO nodes (id, name, began_at, first) VALUES ($1, $2, $3, (SELECT COALESCE(MAX(id), 0) FROM requests))`,
		number, fmt.Sprintf("%s, process %d", name, os.Getpid()), millis(time.Now()))
	return number, err
}

// rejoin takes a new number in the place of one that was given up by the others.
func (m *membership) rejoin(ctx context.Context, ousted int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.number != ousted {
		return nil // somebody else has seen to it
	}
	return m.enterLocked(ctx)
}

// keep looks after the node's place, and after what nodes that are gone have left,
// until leave.
func (m *membership) keep() {
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	m.done.Go(func() {
		tick := time.NewTicker(keepPlace)
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			m.makeSure(ctx)
			now := time.Now()
			// What cannot be done now is done the next time.
			_, _ = m.postgres.settle(now)
			if n%tidyEvery == 0 {
				_ = m.postgres.forgetNonces(ctx, now)
			}
		}
	})
}

// makeSure takes a new number if the session that held the lock is gone.
func (m *membership) makeSure(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, keepPlace)
	defer cancel()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn.Ping(ctx) != nil {
		m.postgres.drop()      // what ended this session will have ended others
		_ = m.enterLocked(ctx) // tried again the next time
	}
}

// leave gives the number back.
func (m *membership) leave() error {
	if m.stop != nil {
		m.stop()
		m.done.Wait()
	}
	if m.conn == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), keepPlace)
	defer cancel()
	return m.conn.Close(ctx)
}

// gone is a node that has left work behind.
type gone struct{ id, first int64 }

// settle closes, as lost, the requests that nodes that are gone left open.
func (p *postgres) settle(now time.Time) (lost []Lost, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), postgresPatience)
	defer cancel()
	dead, err := collect(ctx, p.store, func(scan func(...any) error) (g gone, err error) {
		err = scan(&g.id, &g.first)
		return g, err
	}, `SELECT n.id, n.first FROM nodes n WHERE`+alivePart)
	if err != nil {
		return nil, err
	}
	for _, g := range dead {
		var of []Lost
		err := p.store.do(ctx, &write{run: func(c *change) (err error) {
			of, err = c.bury(g, now)
			return err
		}})
		if err != nil {
			return nil, err
		}
		lost = append(lost, of...)
	}
	return lost, nil
}

// bury removes a node. Its row goes first: whoever reserves for it has committed by then, or finds no row.
func (c *change) bury(g gone, now time.Time) (lost []Lost, err error) {
	n, err := c.affected(`DELETE FROM nodes WHERE id = $1`, g.id)
	if err != nil || n == 0 {
		return nil, err
	}
	open, err := collectIn(c, func(scan func(...any) error) (l Lost, err error) {
		var at int64
		err = scan(&l.ID, &l.Issuer, &l.Serial, &at)
		l.AskedAt = moment(at)
		return l, err
	}, `SELECT id, issuer, serial, asked_at FROM requests WHERE id > $1 AND node = $2 AND outcome IS NULL
		AND NOT EXISTS (SELECT 1 FROM certificates WHERE certificates.id = requests.id) ORDER BY id`, g.first, g.id)
	if err != nil {
		return nil, err
	}
	for _, l := range open {
		err := c.closeRequest(l.ID, StateLost, "its node was gone before the certificate was recorded", By{Actor: "tlswright", At: now})
		if errors.Is(err, ErrNotOpen) {
			continue // it was only the session that was gone, and it has just been recorded
		}
		if err != nil {
			return nil, err
		}
		lost = append(lost, l)
	}
	return lost, nil
}
