//go:build unix

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
)

// cluster is a PostgreSQL server of this test; each store gets a schema of its own.
type cluster struct {
	address string
	made    atomic.Int64
}

// schema makes an empty place for a store, and gives its address.
func (c *cluster) schema(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("s%d", c.made.Add(1))
	c.exec(t, c.address, "CREATE SCHEMA "+name)
	return c.address + "&search_path=" + name
}

// exec does something behind the stores' backs.
func (c *cluster) exec(t *testing.T, address string, statements ...string) {
	t.Helper()
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func openAddress(t *testing.T, address string) *Store {
	t.Helper()
	s, err := OpenPostgres(context.Background(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestPostgres(t *testing.T) {
	c := &cluster{address: pkitest.Postgres(t, false)}
	t.Run("conforms", func(t *testing.T) {
		conformance(t, func(t *testing.T) *Store { return openAddress(t, c.schema(t)) })
	})
	for _, one := range []struct {
		name string
		test func(*testing.T, *cluster)
	}{
		{"nodes share the records", nodesShareTheRecords},
		{"what a dead node left is found once", whatADeadNodeLeft},
		{"a node that was taken for gone comes back", aNodeComesBack},
		{"a close and a record exclude each other", aCloseAndARecord},
		{"a CRL misses no revocation", aCRLMissesNoRevocation},
		{"orders of an account have numbers of their own", ordersHaveNumbers},
		{"a nonce is used once by all", aNonceIsUsedOnce},
		{"connections that were cut are made again", cutConnections},
		{"followers hear other nodes, and come back", followersComeBack},
		{"rows that count cannot be changed", rowsThatCount},
		{"tampering is noticed", tamperingIsNoticed},
		{"trouble is named", troubleIsNamed},
		{"transactions that got in each other's way are made again", deadlocksAreSurvived},
	} {
		t.Run(one.name, func(t *testing.T) { one.test(t, c) })
	}
}

// withIssuer is a store as a fixture.
func withIssuer(t *testing.T, s *Store) *fixture {
	t.Helper()
	f := &fixture{T: t, Store: s, now: time.Now().UTC().Truncate(time.Millisecond)}
	var err error
	f.issuer, err = f.Introduce(t.Context(), Issuer{Name: "CN=Test CA", KeyHash: [32]byte{1}, Certificate: []byte("ca")}, f.by())
	f.must(err)
	return f
}

func nodesShareTheRecords(t *testing.T, c *cluster) {
	address := c.schema(t)
	var stores [3]*Store
	var wg sync.WaitGroup
	made := 0
	var mu sync.Mutex
	for i := range stores { // all at once: one makes the tables, the others wait
		wg.Go(func() {
			s, err := OpenPostgres(context.Background(), address)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if stores[i] = s; s.Created() {
				made++
			}
		})
	}
	wg.Wait()
	if t.Failed() || made != 1 {
		t.Fatalf("%d stores made the tables", made)
	}
	f := withIssuer(t, stores[0])
	const each = 60
	for i, s := range stores {
		for range 4 {
			wg.Go(func() {
				g := &fixture{T: t, Store: s, issuer: f.issuer, now: f.now}
				for n := range each {
					// The goroutines of all nodes are after the same serials: one gets each.
					id, err := s.Reserve(context.Background(), g.request(n))
					if errors.Is(err, ErrSerialTaken) {
						continue
					}
					if err == nil {
						err = s.Record(context.Background(), g.certificate(n, id))
					}
					if err == nil && n%7 == 0 {
						err = s.Revoke(context.Background(), f.issuer.ID, serial(n), Revocation{At: f.now, Reason: 1}, f.by())
					}
					if err == nil && n%11 == 0 {
						_, err = s.NextCRL(context.Background(), f.issuer.ID, "test", f.by())
					}
					if err != nil {
						t.Errorf("node %d, serial %d: %v", i, n, err)
					}
				}
			})
		}
	}
	wg.Wait()
	n, err := f.Count(t.Context(), Query{States: []State{StateIssued, StateRevoked}})
	if err != nil || n != each {
		t.Errorf("%d certificates, %v", n, err)
	}
	if next := f.number(); next.Number != (each+10)/11+1 {
		t.Errorf("CRL number %d", next.Number)
	}
	f.verified()
	for _, s := range stores {
		f.must(s.Close())
	}
}

func whatADeadNodeLeft(t *testing.T, c *cluster) {
	address := c.schema(t)
	f := withIssuer(t, openAddress(t, address))
	id, err := f.Reserve(t.Context(), f.request(1))
	f.must(err)
	done, err := f.Reserve(t.Context(), f.request(2))
	f.must(err)
	f.must(f.Record(t.Context(), f.certificate(2, done)))
	second := openAddress(t, address).keepsNothing()
	if len(second.Lost()) != 0 {
		t.Fatalf("took %+v for lost, and its node lives", second.Lost())
	}
	node := f.postgres.presence.node()
	f.must(f.Close()) // as a kill does: its session ends
	second.awaitGone(t, node)
	third := openAddress(t, address)
	if lost := third.Lost(); len(lost) != 1 || lost[0].ID != id || string(lost[0].Serial) != string(serial(1)) || lost[0].AskedAt.IsZero() {
		t.Errorf("lost %+v", lost)
	}
	if again := openAddress(t, address).Lost(); len(again) != 0 {
		t.Errorf("lost again: %+v", again)
	}
	if err := third.Record(t.Context(), f.certificate(1, id)); !errors.Is(err, ErrNotOpen) {
		t.Errorf("recorded afterwards: %v", err)
	}
	if got, err := third.GetID(t.Context(), id); err != nil || got.State != StateLost {
		t.Errorf("on file: %+v, %v", got, err)
	}
	if _, err := third.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
}

// keepsNothing ends what a node does every few seconds: a test that looks after the others' places by itself must find what
// there is to be found.
func (s *Store) keepsNothing() *Store {
	s.postgres.presence.stop()
	s.postgres.presence.done.Wait()
	return s
}

// awaitGone waits until the server has noticed that a session is at its end.
func (s *Store) awaitGone(t *testing.T, node int64) {
	t.Helper()
	for {
		var gone bool
		if err := s.readers.QueryRowContext(t.Context(), `SELECT`+alivePart+` FROM nodes n WHERE id = $1`, node).Scan(&gone); err != nil {
			t.Fatal(err)
		}
		if gone {
			return
		}
	}
}

// aNodeComesBack takes a node's session away: the others bury it, and it goes on under another number.
func aNodeComesBack(t *testing.T, c *cluster) {
	address := c.schema(t)
	f := withIssuer(t, openAddress(t, address).keepsNothing())
	other := openAddress(t, address).keepsNothing()
	open, err := f.Reserve(t.Context(), f.request(1))
	f.must(err)
	was := f.postgres.presence.node()
	f.must(f.postgres.presence.conn.Close(t.Context()))
	other.awaitGone(t, was)
	lost, err := other.postgres.settle(f.now)
	if err != nil || len(lost) != 1 || lost[0].ID != open {
		t.Fatalf("lost %+v, %v", lost, err)
	}
	if err := f.Record(t.Context(), f.certificate(1, open)); !errors.Is(err, ErrNotOpen) {
		t.Errorf("recorded after it was given up: %v", err)
	}
	f.issue(2) // no matter what became of the number
	if now := f.postgres.presence.node(); now == was {
		t.Error("the node goes on under the number that was given up")
	}
	if lost, err := other.postgres.settle(f.now); err != nil || len(lost) != 0 {
		t.Errorf("lost %+v, %v", lost, err)
	}
	f.verified()
}

func followersComeBack(t *testing.T, c *cluster) {
	address := c.schema(t)
	f := withIssuer(t, openAddress(t, address))
	h := follow(t, openAddress(t, address))
	f.issue(1)
	f.issue(2)
	f.must(f.Revoke(t.Context(), f.issuer.ID, serial(1), Revocation{At: f.now, Reason: 1}, f.by()))
	if got := h.next(); string(got.Serial) != string(serial(1)) {
		t.Errorf("%+v", got)
	}
	// The follower's session is cut, and what happens meanwhile is told all the same.
	c.exec(t, address, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT%revocations%' AND pid <> pg_backend_pid()`)
	select {
	case <-h.failed:
	case <-time.After(time.Minute):
		t.Fatal("nobody was told of the trouble")
	}
	f.must(f.Revoke(t.Context(), f.issuer.ID, serial(2), Revocation{At: f.now, Reason: 1}, f.by()))
	if got := h.next(); string(got.Serial) != string(serial(2)) {
		t.Errorf("%+v", got)
	}
	// Other records take the place of these: nothing that was heard can be relied on.
	c.exec(t, address, `ALTER TABLE revocations DISABLE TRIGGER ALL`, `DELETE FROM revocations`)
	if got := h.next(); got.Number != 0 {
		t.Errorf("%+v", got)
	}
}
