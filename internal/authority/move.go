package authority

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
)

// ActionMoved is the audit log's word for records that came from another database.
const ActionMoved = "moved"

// movedSuffix is added to the name of a database file whose records are elsewhere.
const movedSuffix = ".moved"

// MoveOptions say who moves, and when.
type MoveOptions struct {
	Now   func() time.Time // nil: the system's clock
	Actor string           // for the audit log; "": tlswright
}

// Moved says what has been moved.
type Moved struct {
	Rows  int64
	Audit store.AuditHead // the end of the log as it was moved
	File  string          // where the old database is now
}

// Move takes the records of the CA in a home folder, which are in a file, into a PostgreSQL database that has none, and has
// the home remember its address. Nobody else may have the file open ([store.ErrShared]). Whatever it dies of, the records
// are in one place that can be written, and the next call goes on: nothing can be added to the file once the copy is proven
// to be whole, and the file stays, under another name.
func Move(ctx context.Context, home, address string, o MoveOptions) (m Moved, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Actor == "" {
		o.Actor = "tlswright"
	}
	ca, err := keystore.ReadCA(home)
	if err != nil {
		return m, err
	}
	remember, file := filepath.Join(ca.Dir, AddressFile), filepath.Join(ca.Dir, DatabaseFile)
	if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
		return m, &pki.RefusedError{Reason: "there are no records in " + pki.Printable(file), Hint: "a CA that has issued nothing yet begins with: ca serve --database"}
	}
	text, err := os.ReadFile(remember)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return m, err
	}
	if known := strings.TrimSpace(string(text)); known != "" && known != address {
		return m, &pki.RefusedError{Reason: "this CA has its records in another database already"}
	}
	if len(address) > maxAddress {
		return m, errors.New("the address of the database is too long")
	}
	if m, err = moveRecords(ctx, file, address, o); err != nil {
		return m, err
	}
	if err := keystore.WriteFile(remember, []byte(address+"\n"), 0o600); err != nil {
		return m, err
	}
	m.File = file + movedSuffix
	return m, errors.Join(os.Rename(file, m.File), syncFolder(ca.Dir))
}

// moveRecords copies, and closes the old database so that all of it is in its file.
func moveRecords(ctx context.Context, file, address string, o MoveOptions) (m Moved, err error) {
	from, err := store.OpenAlone(ctx, file)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if err := from.Check(ctx); err != nil {
		return m, err
	}
	to, err := store.OpenPostgres(ctx, address)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if m.Audit, err = from.VerifyAudit(ctx); err != nil {
		return m, err
	}
	if m.Rows, err = from.MoveTo(ctx, to); err != nil {
		return m, err
	}
	detail := fmt.Sprintf("%d rows, after the entry %d", m.Rows, m.Audit.Seq)
	return m, to.Note(ctx, store.Entry{At: o.Now(), Actor: o.Actor, Action: ActionMoved, Detail: detail})
}
