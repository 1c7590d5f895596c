//go:build unix

package authority

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
)

// TestAHomeRemembersItsDatabase opens two copies of a home on one PostgreSQL, and both again without being told where it is.
func TestAHomeRemembersItsDatabase(t *testing.T) {
	address := pkitest.Postgres(t, false)
	first, second := filepath.Join(t.TempDir(), "home"), filepath.Join(t.TempDir(), "home")
	if _, err := keystore.CreateCA(first, keystore.CAOptions{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(second, os.DirFS(first)); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"root.key", "intermediate.key"} { // CopyFS opens files to others
		if err := os.Chmod(filepath.Join(second, "ca", key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open := func(home, address string) *Authority { return openHome(t, home, HomeOptions{Database: address}) }
	a := open(first, address)
	c := issueOne(t, a, "one.test")
	b := open(second, address)
	if r, err := b.Get(t.Context(), c.SerialNumber); err != nil || string(r.DER) != string(c.Raw) {
		t.Errorf("the other node has %+v, %v", r, err)
	}
	if a.IssuerID() != b.IssuerID() {
		t.Error("the nodes take themselves for different issuers")
	}
	for _, home := range []string{first, second} {
		if _, err := open(home, "").Get(t.Context(), c.SerialNumber); err != nil {
			t.Errorf("without being told: %v", err)
		}
		info, err := os.Stat(filepath.Join(home, "ca", AddressFile))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the address is kept as %v, %v", info, err)
		}
		if _, err := os.Stat(filepath.Join(home, "ca", DatabaseFile)); !errors.Is(err, fs.ErrNotExist) {
			t.Error("there is a file as well")
		}
	}
	var refused *pki.RefusedError
	if err := a.Backup(t.Context(), io.Discard); !errors.As(err, &refused) || !strings.Contains(refused.Hint, "pg_dump") {
		t.Errorf("backed up: %v", err)
	}
	if _, err := a.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestRecordsInAFileAreNotForgotten: who has issued with a file cannot go over to another database by the way.
func TestRecordsInAFileAreNotForgotten(t *testing.T) {
	home := newHome(t)
	a, err := OpenHome(t.Context(), home, HomeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	var refused *pki.RefusedError
	if _, err := OpenHome(t.Context(), home, HomeOptions{Database: "postgres://127.0.0.1:1/ca"}); !errors.As(err, &refused) || refused.Hint == "" {
		t.Errorf("opened: %v", err)
	}
	if _, err := os.Stat(filepath.Join(home, "ca", AddressFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Error("an address that was refused is remembered")
	}
}
