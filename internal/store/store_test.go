package store

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// aStore is one with an issuer and n certificates, closed, and the path of its file.
func aStore(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	f := &fixture{T: t, Store: openIn(t, dir), now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	var err error
	f.issuer, err = f.Introduce(t.Context(), Issuer{Name: "CN=Test CA", KeyHash: [32]byte{1}, Certificate: []byte("ca")}, f.by())
	f.must(err)
	for i := range n {
		f.issue(i)
	}
	if n > 0 {
		f.must(f.Revoke(t.Context(), f.issuer.ID, serial(0), Revocation{At: f.now, Reason: 1}, f.by()))
	}
	f.must(f.Close())
	return f.Path()
}

// tamper changes the file behind the store's back.
func tamper(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func reopen(t *testing.T, path string) *Store {
	t.Helper()
	return openIn(t, filepath.Dir(path))
}

func TestTamperingIsNoticed(t *testing.T) {
	const free = `DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete; DROP TRIGGER revocations_no_delete; DROP TRIGGER certificates_no_delete; PRAGMA foreign_keys = 0`
	for name, statement := range map[string]string{
		"an entry changed":           `UPDATE audit SET actor = 'nobody' WHERE seq = 3`,
		"an entry's time changed":    `UPDATE audit SET at = at + 1 WHERE seq = 2`,
		"an entry removed":           `DELETE FROM audit WHERE seq = 3`,
		"the last entries cut off":   `DELETE FROM audit WHERE seq > 4`,
		"a certificate swapped":      `UPDATE certificates SET der = 'other' WHERE id = 2`,
		"a certificate slipped in":   `INSERT INTO requests (id, issuer, serial, asked_at, profile, asked) VALUES (99, 1, x'77', 1, '', ''); INSERT INTO certificates VALUES (99, 1, 2, '', '', '', 1, 1, 1, 'x')`,
		"a certificate taken away":   `DELETE FROM revocations; DELETE FROM certificates WHERE id = 1`,
		"a revocation taken back":    `DELETE FROM revocations`,
		"the first entry is another": `UPDATE audit SET seq = 0 WHERE seq = 1`,
	} {
		t.Run(name, func(t *testing.T) {
			path := aStore(t, 4)
			tamper(t, path, free, statement)
			var found *AuditError
			if _, err := reopen(t, path).VerifyAudit(t.Context()); !errors.As(err, &found) {
				t.Errorf("verified: %v", err)
			}
		})
	}
}

func TestRowsThatCountCannotBeChanged(t *testing.T) {
	path := aStore(t, 2)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{
		`UPDATE audit SET detail = ''`, `DELETE FROM audit`, `UPDATE revocations SET reason = 0`, `DELETE FROM revocations`, `DELETE FROM requests`,
		`UPDATE requests SET serial = x'01' WHERE id = 1`, `DELETE FROM certificates`, `UPDATE issuers SET crl_number = -1`,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err == nil {
			t.Errorf("%s: nothing stopped it", statement)
		}
	}
}

func TestWhatACrashLeftIsFoundOnce(t *testing.T) {
	path := aStore(t, 3)
	// What a crash leaves: a request without an end, and no process that has the file open.
	tamper(t, path, `INSERT INTO requests (id, issuer, serial, asked_at, profile, asked) VALUES (50, 1, x'7788', 1, 'server', '{}')`)
	s := reopen(t, path)
	if lost := s.Lost(); len(lost) != 1 || lost[0].ID != 50 || string(lost[0].Serial) != "\x77\x88" {
		t.Errorf("lost %+v", lost)
	}
	if c, err := s.Get(t.Context(), 1, []byte{0x77, 0x88}); err != nil || c.State != StateLost {
		t.Errorf("on file: %+v, %v", c, err)
	}
	if err := s.Record(t.Context(), NewCertificate{ID: 50, Issuer: 1, DER: []byte("late")}); !errors.Is(err, ErrNotOpen) {
		t.Errorf("recorded afterwards: %v", err)
	}
	if _, err := s.Reserve(t.Context(), NewRequest{Issuer: 1, Serial: []byte{0x77, 0x88}}); !errors.Is(err, ErrSerialTaken) {
		t.Errorf("the serial again: %v", err)
	}
	head, err := s.VerifyAudit(t.Context())
	if err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, path)
	if again, err := s.VerifyAudit(t.Context()); len(s.Lost()) != 0 || err != nil || again != head {
		t.Errorf("lost %+v again, %v", s.Lost(), err)
	}
}

func TestWhoIsAtWorkIsLeftInPeace(t *testing.T) {
	dir := t.TempDir()
	f := &fixture{T: t, Store: openIn(t, dir), now: time.Now()}
	var err error
	f.issuer, err = f.Introduce(t.Context(), Issuer{Name: "CN=Test CA", Certificate: []byte("ca")}, f.by())
	f.must(err)
	id, err := f.Reserve(t.Context(), f.request(1))
	f.must(err)
	second := openIn(t, dir) // as another process would
	if len(second.Lost()) != 0 {
		t.Errorf("took %+v for lost, and it was being made", second.Lost())
	}
	f.must(f.Record(t.Context(), f.certificate(1, id)))
	old := f.request(2)
	old.At = f.now.Add(-2 * openFor)
	id, err = f.Reserve(t.Context(), old)
	f.must(err)
	third := openIn(t, dir)
	if lost := third.Lost(); len(lost) != 1 || lost[0].ID != id {
		t.Errorf("nobody takes two hours: lost %+v", lost)
	}
	if err := f.Record(t.Context(), f.certificate(2, id)); !errors.Is(err, ErrNotOpen) {
		t.Errorf("recorded after it was given up: %v", err)
	}
}

func TestTwoStoresShareAFile(t *testing.T) {
	dir := t.TempDir()
	var stores []*Store
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range 3 { // all at once: one makes the file and its schema, the others wait
		wg.Go(func() {
			s, err := Open(context.Background(), filepath.Join(dir, "ca.db"))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
				return
			}
			stores = append(stores, s)
		})
	}
	wg.Wait()
	f := &fixture{T: t, Store: stores[0], now: time.Now()}
	var err error
	f.issuer, err = f.Introduce(t.Context(), Issuer{Name: "CN=Test CA", Certificate: []byte("ca")}, f.by())
	f.must(err)
	const each = 40
	for i, s := range stores {
		for range 2 {
			wg.Go(func() {
				g := &fixture{T: t, Store: s, issuer: f.issuer, now: f.now}
				for n := range each {
					// The two goroutines of a store are after the same serials: one gets each.
					id, err := s.Reserve(context.Background(), g.request(i*each+n))
					if errors.Is(err, ErrSerialTaken) {
						continue
					}
					if err == nil {
						err = s.Record(context.Background(), g.certificate(i*each+n, id))
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	n, err := f.Count(t.Context(), Query{States: []State{StateIssued}})
	if err != nil || n != 3*each {
		t.Errorf("%d certificates, %v", n, err)
	}
	f.verified()
	for _, s := range stores {
		f.must(s.Close())
	}
}

func TestTroubleIsNamed(t *testing.T) {
	trouble := func(err error) Trouble {
		var e *FileError
		if !errors.As(err, &e) {
			t.Errorf("no trouble with a file: %v", err)
			return 255
		}
		if !strings.Contains(e.Error(), "ca.db") {
			t.Errorf("does not say which file: %v", e)
		}
		return e.Trouble
	}
	openAt := func(path string) error {
		s, err := Open(t.Context(), path)
		if err == nil {
			t.Error("it opened")
			return s.Close()
		}
		return err
	}
	path := aStore(t, 3)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := trouble(openAt(path)); got != TroubleOpen {
		t.Errorf("open to others: %d", got)
	}
	path = aStore(t, 0)
	tamper(t, path, `PRAGMA user_version = 99`)
	if got := trouble(openAt(path)); got != TroubleVersion {
		t.Errorf("a newer schema: %d", got)
	}
	path = filepath.Join(t.TempDir(), "ca.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("this is no database. ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := trouble(openAt(path)); got != TroubleDamaged {
		t.Errorf("no database: %d", got)
	}
	if err := openAt(filepath.Join(t.TempDir(), "missing", "ca.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	if err := openAt(t.TempDir()); err == nil || strings.Contains(err.Error(), "opened") {
		t.Errorf("a folder: %v", err)
	}
}

func TestAFullDiskLosesNothing(t *testing.T) {
	f := &fixture{T: t, Store: openIn(t, t.TempDir()), now: time.Now()}
	var err error
	f.issuer, err = f.Introduce(t.Context(), Issuer{Name: "CN=Test CA", Certificate: []byte("ca")}, f.by())
	f.must(err)
	f.issue(0)
	limit := func(pages int) {
		t.Helper()
		f.must(f.do(t.Context(), &write{run: func(c *change) error {
			var now int
			if err := c.row([]any{&now}, `PRAGMA page_count`); err != nil {
				return err
			}
			return c.row([]any{&now}, `PRAGMA max_page_count = `+strconv.Itoa(now+pages))
		}}))
	}
	limit(10)
	var full *FileError
	n := 1
	for ; n < 200 && full == nil; n++ {
		id, err := f.Reserve(t.Context(), f.request(n))
		if err == nil {
			c := f.certificate(n, id)
			c.DER = append(c.DER, make([]byte, 3000)...)
			c.Digest = digestOf(c.DER)
			err = f.Record(t.Context(), c)
		}
		if err != nil && !errors.As(err, &full) {
			t.Fatal(err)
		}
	}
	if full == nil || full.Trouble != TroubleFull || full.Hint() == "" {
		t.Fatalf("trouble %+v", full)
	}
	f.verified()
	limit(1000)
	f.issue(500)
	f.verified()
}

func TestAClosedStoreSaysSo(t *testing.T) {
	path := aStore(t, 1)
	s := reopen(t, path)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Reserve(t.Context(), NewRequest{}); !errors.Is(err, ErrClosed) {
		t.Errorf("a write: %v", err)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the log stays behind: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := reopen(t, path).Reserve(ended, NewRequest{}); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
}

func TestASnapshotIsWhole(t *testing.T) {
	path := aStore(t, 20)
	s := reopen(t, path)
	copied := filepath.Join(t.TempDir(), "ca.db")
	if err := s.Snapshot(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(copied, 0o600); err != nil {
		t.Fatal(err)
	}
	head, err := s.VerifyAudit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again := reopen(t, copied)
	if other, err := again.VerifyAudit(t.Context()); err != nil || other != head {
		t.Errorf("%+v, %v, want %+v", other, err, head)
	}
	if err := again.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Snapshot(t.Context(), copied); err == nil {
		t.Error("a file was overwritten")
	}
}
