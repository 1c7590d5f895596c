package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schemaVersion is the number of the last migration.
const schemaVersion = 3

// migrate brings the schema up to date. It asks the file's own version number
// first, so that opening a database that is up to date costs one small read.
func migrate(ctx context.Context, db *sql.DB, alone func() bool) error {
	version, err := userVersion(ctx, db)
	if err != nil {
		return err
	}
	switch {
	case version == schemaVersion:
		return nil
	case version > schemaVersion:
		return &versionError{fmt.Sprintf("its schema has version %d, this program knows %d: use a newer tlswright", version, schemaVersion)}
	case version > 0 && !alone():
		return &versionError{"it must be brought up to date, but an older tlswright has it open: stop that one first"}
	}
	sources, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, sources,
		goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true), goose.WithTableName("migrations"))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		// Where there are no locks, somebody else may have been faster.
		if now, versionErr := userVersion(ctx, db); versionErr == nil && now == schemaVersion {
			return nil
		}
		return fmt.Errorf("bring the schema up to date: %w", err)
	}
	if _, err := db.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", schemaVersion)); err != nil {
		return fmt.Errorf("note the version of the schema: %w", err)
	}
	return nil
}

func userVersion(ctx context.Context, db *sql.DB) (version int, err error) {
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return 0, fmt.Errorf("ask for the version of the schema: %w", err)
	}
	return version, nil
}

// versionError says that program and file do not go together.
type versionError struct{ text string }

func (e *versionError) Error() string { return e.text }

func isVersionError(err error) bool {
	var e *versionError
	return errors.As(err, &e)
}
