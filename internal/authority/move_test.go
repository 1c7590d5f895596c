package authority

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
)

func TestRecordsMoveToPostgreSQL(t *testing.T) {
	server := pkitest.Postgres(t, false)
	t.Run("and go on there", func(t *testing.T) { moveAndGoOn(t, server) })
	t.Run("by a move that died", func(t *testing.T) { moveTwice(t, anotherDatabase(t, server, "second")) })
}

// anotherDatabase makes one beside the one of a URL.
func anotherDatabase(t *testing.T, server, name string) string {
	t.Helper()
	db, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// moveAndGoOn moves a CA that has issued, revoked, made CRLs and served ACME, and goes on with it.
func moveAndGoOn(t *testing.T, database string) {
	ctx, home := t.Context(), filepath.Join(t.TempDir(), "home")
	if _, err := keystore.CreateCA(home, keystore.CAOptions{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	open := func() *Authority {
		t.Helper()
		a, err := OpenHome(ctx, home, HomeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	issue := func(a *Authority, name string) []byte {
		t.Helper()
		c, err := a.Issue(ctx, pki.Request{Profile: pki.ProfileServer, CommonName: name, SANs: []string{name}, Key: key.Public()})
		if err != nil {
			t.Error(err)
			return nil
		}
		return c.SerialNumber.Bytes()
	}
	a := open()
	serials := make([][]byte, 1100) // more than are copied at once
	var wg sync.WaitGroup
	for w := range 50 {
		wg.Go(func() {
			for i := w; i < len(serials); i += 50 {
				serials[i] = issue(a, fmt.Sprintf("host%d.test", i))
			}
		})
	}
	wg.Wait()
	if err := a.Revoke(ctx, new(big.Int).SetBytes(serials[3]), crl.Superseded, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.CRL(ctx, CRLOptions{}); err != nil {
		t.Fatal(err)
	}
	order := store.ACMEOrder{ID: "o", Account: "a", Status: "ready", CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour), Body: []byte("{}")}
	if err := a.Store.AddACMEOrder(ctx, order, nil, ""); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"nonces", "other"} {
		if _, err := a.Store.ACMESecret(ctx, name, []byte("old")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Move(ctx, home, database, MoveOptions{}); !errors.Is(err, store.ErrShared) {
		t.Errorf("while another works on it: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	moved, err := Move(ctx, home, database, MoveOptions{})
	if err != nil || moved.Rows < 3300 {
		t.Fatalf("%+v %v", moved, err)
	}

	a = open()
	defer a.Close()
	for i, serial := range serials {
		r, err := a.Store.Get(ctx, a.IssuerID(), serial)
		if err != nil || (r.State == store.StateRevoked) != (i == 3) {
			t.Fatalf("certificate %d: %+v %v", i, r, err)
		}
	}
	if o, err := a.Store.ACMEOrder(ctx, "o"); err != nil || o.Status != "ready" || string(o.Body) != "{}" {
		t.Errorf("%+v %v", o, err)
	}
	for name, want := range map[string]string{"nonces": "new", "other": "old"} {
		if got, err := a.Store.ACMESecret(ctx, name, []byte("new")); err != nil || string(got) != want {
			t.Errorf("%s is %q, want %q: %v", name, got, want, err)
		}
	}
	issue(a, "afterwards.test")
	if err := a.Revoke(ctx, new(big.Int).SetBytes(serials[4]), crl.KeyCompromise, time.Time{}); err != nil {
		t.Error(err)
	}
	der, err := a.CRL(ctx, CRLOptions{})
	if err != nil {
		t.Fatal(err)
	}
	onList(t, der, serials[3], serials[4])
	if _, err := a.VerifyAudit(ctx); err != nil {
		t.Error(err)
	}
	refuseOldRecords(t, moved.File)
	var refused *pki.RefusedError
	if _, err := Move(ctx, home, database, MoveOptions{}); !errors.As(err, &refused) {
		t.Errorf("twice: %v", err)
	}
}

// onList demands these serial numbers of a CRL.
func onList(t *testing.T, der []byte, serials ...[]byte) {
	t.Helper()
	list, err := crl.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range serials {
		if _, ok := list.Find(s, nil); !ok {
			t.Errorf("%x is not on the CRL", s)
		}
	}
}

// refuseOldRecords looks that nothing can be added to the file that was left.
func refuseOldRecords(t *testing.T, path string) {
	t.Helper()
	s, err := store.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Note(context.Background(), store.Entry{At: time.Now(), Actor: "x", Action: "y"}); err == nil || !strings.Contains(err.Error(), "moved to another database") {
		t.Errorf("the old file takes more: %v", err)
	}
}

// moveTwice is killed, so to speak, before the home remembers.
func moveTwice(t *testing.T, database string) {
	ctx, home := t.Context(), filepath.Join(t.TempDir(), "home")
	if _, err := keystore.CreateCA(home, keystore.CAOptions{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	a, err := OpenHome(ctx, home, HomeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(home, "ca", DatabaseFile)
	if _, err := moveRecords(ctx, file, database, MoveOptions{Now: time.Now, Actor: "x"}); err != nil {
		t.Fatal(err)
	}
	if _, err := Move(ctx, home, database, MoveOptions{}); err != nil {
		t.Fatalf("the second time: %v", err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old file: %v", err)
	}
	if a, err = OpenHome(ctx, home, HomeOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	// Another CA's records do not go there.
	other := filepath.Join(t.TempDir(), "home")
	if _, err := keystore.CreateCA(other, keystore.CAOptions{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if a, err = OpenHome(ctx, other, HomeOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Move(ctx, other, database, MoveOptions{}); !errors.Is(err, store.ErrNotEmpty) {
		t.Errorf("into another's: %v", err)
	}
	if a, err = OpenHome(ctx, other, HomeOptions{}); err != nil {
		t.Fatalf("after that: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}
