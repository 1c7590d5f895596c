//go:build unix

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// aCloseAndARecord lets one node refuse a request while another records its certificate: one of the two wins.
func aCloseAndARecord(t *testing.T, c *cluster) {
	address := c.schema(t)
	f := withIssuer(t, openAddress(t, address))
	other := openAddress(t, address)
	recorded := 0
	for n := range 60 {
		id, err := f.Reserve(t.Context(), f.request(n))
		f.must(err)
		var wg sync.WaitGroup
		var recordErr, refuseErr error
		wg.Go(func() { recordErr = f.Record(context.Background(), f.certificate(n, id)) })
		wg.Go(func() { refuseErr = other.Refuse(context.Background(), id, "no", f.by()) })
		wg.Wait()
		if (recordErr == nil) == (refuseErr == nil) || !errors.Is(errors.Join(recordErr, refuseErr), ErrNotOpen) {
			t.Fatalf("round %d: recorded %v, refused %v", n, recordErr, refuseErr)
		}
		if recordErr == nil {
			recorded++
		}
	}
	t.Logf("%d of 60 were recorded", recorded)
	f.verified()
}

// aCRLMissesNoRevocation: what has a number up to the horizon is there when the horizon is given out.
func aCRLMissesNoRevocation(t *testing.T, c *cluster) {
	address := c.schema(t)
	f := withIssuer(t, openAddress(t, address))
	other := &fixture{T: t, Store: openAddress(t, address), issuer: f.issuer, now: f.now}
	const many = 80
	for n := range many {
		f.issue(n)
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for n := w; n < many; n += 4 {
				s := f.Store
				if n%8 < 4 {
					s = other.Store
				}
				if err := s.Revoke(context.Background(), f.issuer.ID, serial(n), Revocation{At: f.now, Reason: 1}, f.by()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var last int64
	deltas := make(map[string]bool)
	for len(deltas) < many && !t.Failed() {
		next, err := other.NextCRL(t.Context(), f.issuer.ID, "test", f.by())
		f.must(err)
		for s := range other.listed(RevokedQuery{Since: last, Horizon: next.Horizon, Delta: true}) {
			deltas[s] = true
		}
		if full := other.listed(RevokedQuery{Horizon: next.Horizon}); len(full) != len(deltas) {
			t.Fatalf("up to change %d: %d in full, %d in the deltas", next.Horizon, len(full), len(deltas))
		}
		last = next.Horizon
	}
	wg.Wait()
	f.verified()
}

func ordersHaveNumbers(t *testing.T, c *cluster) {
	address := c.schema(t)
	f := withIssuer(t, openAddress(t, address))
	other := openAddress(t, address)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			s := f.Store
			if i%2 == 0 {
				s = other
			}
			if err := s.AddACMEOrder(context.Background(), f.order(fmt.Sprint("o", i)), nil, ""); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	seen := make(map[string]bool)
	for after := int64(0); ; {
		ids, next, err := other.ACMEOrdersOf(t.Context(), "a", after, 3)
		f.must(err)
		for _, id := range ids {
			seen[id] = true
		}
		if after = next; next == 0 {
			break
		}
	}
	if len(seen) != 40 {
		t.Errorf("%d orders were listed", len(seen))
	}
}

func aNonceIsUsedOnce(t *testing.T, c *cluster) {
	address := c.schema(t)
	stores := []*Store{openAddress(t, address), openAddress(t, address)}
	now := time.Now()
	var mu sync.Mutex
	taken := make(map[byte]int)
	var wg sync.WaitGroup
	for i := range byte(20) {
		for _, s := range stores {
			wg.Go(func() {
				ok, err := s.NonceBook()(context.Background(), [16]byte{i}, now.Add(time.Duration(i)*time.Minute))
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				if ok {
					taken[i]++
				}
			})
		}
	}
	wg.Wait()
	for i := range byte(20) {
		if taken[i] != 1 {
			t.Errorf("nonce %d was taken %d times", i, taken[i])
		}
	}
	if err := stores[0].postgres.forgetNonces(t.Context(), now.Add(10*time.Minute)); err != nil {
		t.Fatal(err)
	}
	for i, want := range map[byte]bool{9: true, 10: false} {
		if ok, err := stores[1].NonceBook()(t.Context(), [16]byte{i}, now); err != nil || ok != want {
			t.Errorf("nonce %d afterwards: %v, %v", i, ok, err)
		}
	}
	if openIn(t, t.TempDir()).NonceBook() != nil {
		t.Error("SQLite keeps nonces")
	}
}

func rowsThatCount(t *testing.T, c *cluster) {
	address := c.schema(t)
	f := withIssuer(t, openAddress(t, address))
	f.issue(0)
	f.must(f.Revoke(t.Context(), f.issuer.ID, serial(0), Revocation{At: f.now, Reason: 1}, f.by()))
	db, err := sql.Open("pgx", address)
	f.must(err)
	defer func() { _ = db.Close() }()
	for _, statement := range []string{
		`UPDATE audit SET detail = ''`, `DELETE FROM audit`, `TRUNCATE audit`, `UPDATE revocations SET reason = 0`, `DELETE FROM revocations`, `TRUNCATE revocations`,
		`DELETE FROM requests`, `UPDATE requests SET serial = '\x01' WHERE id = 1`, `DELETE FROM certificates`, `UPDATE issuers SET crl_number = -1`, `TRUNCATE requests CASCADE`,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err == nil {
			t.Errorf("%s: nothing stopped it", statement)
		}
	}
}

func tamperingIsNoticed(t *testing.T, c *cluster) {
	const free = `ALTER TABLE audit DISABLE TRIGGER USER; ALTER TABLE revocations DISABLE TRIGGER USER; ALTER TABLE certificates DISABLE TRIGGER USER`
	for name, statement := range map[string]string{
		"an entry changed":        `UPDATE audit SET actor = 'nobody' WHERE seq = 3`,
		"an entry removed":        `DELETE FROM audit WHERE seq = 3`,
		"a certificate swapped":   `UPDATE certificates SET der = 'other' WHERE id = 2`,
		"a revocation taken back": `DELETE FROM revocations`,
	} {
		t.Run(name, func(t *testing.T) {
			address := c.schema(t)
			f := withIssuer(t, openAddress(t, address))
			for n := range 4 {
				f.issue(n)
			}
			f.must(f.Revoke(t.Context(), f.issuer.ID, serial(0), Revocation{At: f.now, Reason: 1}, f.by()))
			c.exec(t, address, free, statement)
			var found *AuditError
			if _, err := f.VerifyAudit(t.Context()); !errors.As(err, &found) {
				t.Errorf("verified: %v", err)
			}
		})
	}
}

func troubleIsNamed(t *testing.T, c *cluster) {
	if _, err := OpenPostgres(t.Context(), "postgres://ca:secret@127.0.0.1:1/ca?sslmode=disable"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("nobody listens: %v", err)
	}
	if _, err := OpenPostgres(t.Context(), "postgres://ca:secret@[::1/ca"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("no address: %v", err)
	}
	address := c.schema(t)
	s := openAddress(t, address)
	if s.Path() != "" || s.Check(t.Context()) != nil || s.Snapshot(t.Context(), "x") == nil {
		t.Error("there is no file")
	}
	c.exec(t, address, `INSERT INTO migrations (version_id, is_applied) VALUES (99, true)`)
	var trouble *FileError
	if _, err := OpenPostgres(t.Context(), address); !errors.As(err, &trouble) || trouble.Trouble != TroubleVersion {
		t.Errorf("a newer schema: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Reserve(t.Context(), NewRequest{}); !errors.Is(err, ErrClosed) {
		t.Errorf("reserved after the close: %v", err)
	}
	if err := s.Note(t.Context(), Entry{}); !errors.Is(err, ErrClosed) {
		t.Errorf("noted after the close: %v", err)
	}
}

// deadlocksAreSurvived has two transactions take two rows in opposite order.
func deadlocksAreSurvived(t *testing.T, c *cluster) {
	f := withIssuer(t, openAddress(t, c.schema(t)))
	for _, id := range []string{"a", "b"} {
		f.must(f.AddACMEOrder(t.Context(), f.order(id), nil, ""))
	}
	var wg, both sync.WaitGroup
	both.Add(2)
	for _, order := range [][2]string{{"a", "b"}, {"b", "a"}} {
		var first sync.Once
		wg.Go(func() {
			err := f.do(context.Background(), &write{run: func(c *change) error {
				for _, id := range order {
					if err := c.exec(`UPDATE acme_orders SET body = body || '!'::bytea WHERE id = $1`, id); err != nil {
						return err
					}
					first.Do(func() { both.Done(); both.Wait() })
				}
				return nil
			}})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, id := range []string{"a", "b"} {
		if o, err := f.ACMEOrder(t.Context(), id); err != nil || string(o.Body) != "{}!!" {
			t.Errorf("%s: %s, %v", id, o.Body, err)
		}
	}
}

// cutConnections has the server end every session, as a restart does.
func cutConnections(t *testing.T, c *cluster) {
	address := c.schema(t)
	f := withIssuer(t, openAddress(t, address))
	var wg sync.WaitGroup
	for n := range 16 { // so that there are many connections
		wg.Go(func() {
			if err := f.AddACMEOrder(context.Background(), f.order(fmt.Sprint("o", n)), nil, ""); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	was := f.postgres.presence.node()
	// Each is awaited: one that is told to end, and does so later, ends in the middle of a transaction.
	c.exec(t, address, `SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND application_name = 'tlswright'`)
	f.issue(1)
	f.postgres.presence.makeSure(t.Context())
	if f.postgres.presence.node() == was {
		t.Error("the node does not know that its place is gone")
	}
	f.issue(2)
	f.verified()
}
