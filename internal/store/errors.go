package store

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/tlswright/tlswright/pki"
)

// What a call can be refused for. They are wrapped; ask with errors.Is.
var (
	ErrNotFound    = errors.New("there is no such record")
	ErrSerialTaken = errors.New("the serial number is taken")
	ErrClosed      = errors.New("the database has been closed")
	ErrNotOpen     = errors.New("the request is closed: its serial number is not to be used any more")
	ErrRevoked     = errors.New("the certificate is revoked already")
	ErrNotOnHold   = errors.New("the certificate is not on hold")
	ErrOldNumber   = errors.New("a newer CRL has left already")
	ErrPartitioned = errors.New("the CRL has another number of partitions, for ever")
	ErrIssuer      = errors.New("these are not the records of that issuer")
)

// Trouble says what kind of difficulty the file is in.
type Trouble uint8

// The kinds of trouble.
const (
	TroubleOther    Trouble = iota // something else; the error says what
	TroubleFull                    // no space left on the disk
	TroubleBusy                    // another process held the file for longer than we wait
	TroubleReadOnly                // the file or its folder may not be written
	TroubleDamaged                 // not a database, or a broken one
	TroubleLost                    // there have been records, and they are gone
	TroubleOpen                    // the file may be read by others
	TroubleVersion                 // written by a newer version of this program, or used by an older one
)

// FileError is trouble with the database file itself, not with what was asked of
// it. Nothing of the write that failed is in the file.
type FileError struct {
	Path    string
	Trouble Trouble
	Err     error
}

// Error implements error.
func (e *FileError) Error() string {
	path := pki.Printable(e.Path)
	switch e.Trouble {
	case TroubleFull:
		return fmt.Sprintf("no space left for the database %s", path)
	case TroubleBusy:
		return fmt.Sprintf("another process has kept the database %s locked for too long", path)
	case TroubleReadOnly:
		return fmt.Sprintf("the database %s cannot be written: %v", path, e.Err)
	case TroubleDamaged:
		return fmt.Sprintf("%s is damaged or no database: %v", path, e.Err)
	case TroubleLost:
		return fmt.Sprintf("the records in %s are lost: %v", path, e.Err)
	}
	return fmt.Sprintf("database %s: %v", path, e.Err)
}

// Unwrap gives the cause.
func (e *FileError) Unwrap() error { return e.Err }

// Hint says what to do about it, or nothing.
func (e *FileError) Hint() string {
	switch e.Trouble {
	case TroubleFull:
		return "make room and try again: what was recorded before is safe"
	case TroubleBusy:
		return "wait for the other process, or stop it"
	case TroubleReadOnly:
		return "check the owner and mode of the file and its folder (0600 and 0700)"
	case TroubleDamaged:
		return "keep the file, and restore a backup: tlswright ca restore"
	case TroubleLost:
		return "restore a backup into another home (tlswright ca restore); to begin anew all the same, remove " + pki.Printable(e.Path) + begunSuffix
	case TroubleOpen:
		return "chmod 600 " + pki.Printable(e.Path)
	}
	return ""
}

// explain turns an error of the driver into one of ours; doing says what failed.
func (s *Store) explain(err error, doing string) error {
	return explainFile(s.path, err, doing)
}

func explainFile(path string, err error, doing string) error {
	if err == nil {
		return nil
	}
	var known *FileError
	if errors.As(err, &known) {
		return err
	}
	trouble := TroubleOther
	var sqliteError *sqlite.Error
	switch {
	case postgresCode(err) == "53100":
		trouble = TroubleFull
	case errors.As(err, &sqliteError):
		trouble = troubleOf(sqliteError.Code())
	case errors.Is(err, fs.ErrPermission):
		trouble = TroubleReadOnly
	}
	if trouble == TroubleOther {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%s: %w", doing, &FileError{Path: path, Trouble: trouble, Err: err})
}

func troubleOf(code int) Trouble {
	switch code & 0xff {
	case sqlite3.SQLITE_FULL:
		return TroubleFull
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return TroubleBusy
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN:
		return TroubleReadOnly
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return TroubleDamaged
	}
	return TroubleOther
}

// isConstraint tells whether a rule of the schema refused a row: what was asked is
// at fault then, not the file.
func isConstraint(err error) bool {
	if code := postgresCode(err); code != "" {
		return strings.HasPrefix(code, "23") || code == raised
	}
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_CONSTRAINT
}

// isUnique tells whether a unique index refused a row.
func isUnique(err error) bool {
	if code := postgresCode(err); code != "" {
		return code == "23505"
	}
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}

// isTrigger tells whether a trigger refused a row.
func isTrigger(err error) bool {
	if code := postgresCode(err); code != "" {
		return code == raised
	}
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code() == sqlite3.SQLITE_CONSTRAINT_TRIGGER
}

// raised is the code of what a trigger of ours refuses.
const raised = "P0001"

// postgresCode is the code of an error of PostgreSQL's; "": it is none.
func postgresCode(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
