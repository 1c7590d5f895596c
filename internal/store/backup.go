package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Snapshot writes a copy of the database as it is at one moment into a new file,
// while others go on writing.
func (s *Store) Snapshot(ctx context.Context, path string) error {
	if s.postgres != nil {
		return errors.New("records in PostgreSQL are backed up by its own means, such as pg_dump")
	}
	// A connection of its own: those that read may write nothing, not even elsewhere,
	// and the one that writes has other things to do.
	db, err := sql.Open("sqlite", s.dsn(true))
	if err != nil {
		return s.explain(err, "copy the database")
	}
	_, err = db.ExecContext(ctx, `VACUUM INTO $1`, path)
	return s.explain(errors.Join(err, db.Close()), "copy the database")
}

// Check looks for damage in the file itself: pages, indexes and references.
func (s *Store) Check(ctx context.Context) error {
	if s.postgres != nil {
		return nil // the server looks after its pages, and references cannot dangle
	}
	var verdict string
	if err := s.readers.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
		return s.explain(err, "check the database")
	}
	if verdict != "ok" {
		return &FileError{Path: s.path, Trouble: TroubleDamaged, Err: errors.New(verdict)}
	}
	rows, err := s.readers.QueryContext(ctx, "PRAGMA foreign_key_check")
	if err != nil {
		return s.explain(err, "check the database")
	}
	dangling := rows.Next()
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return s.explain(err, "check the database")
	}
	if dangling {
		return &FileError{Path: s.path, Trouble: TroubleDamaged, Err: fmt.Errorf("a row refers to one that is not there")}
	}
	return nil
}
