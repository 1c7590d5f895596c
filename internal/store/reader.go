package store

import (
	"context"
	"database/sql"
	"errors"
)

// What is asked again and again is prepared once. SQLite's driver compiles a statement anew for each question, which
// takes longer than most answers; PostgreSQL's keeps its statements by itself.

// prepared is the statement of a constant text; nil where there is none to keep.
func (s *Store) prepared(query string) *sql.Stmt {
	if s.postgres != nil {
		return nil
	}
	if stmt, ok := s.prepares.Load(query); ok {
		return stmt.(*sql.Stmt)
	}
	stmt, err := s.readers.Prepare(query)
	if err != nil {
		return nil // asked without it, the question gets the same error
	}
	if first, loaded := s.prepares.LoadOrStore(query, stmt); loaded {
		_ = stmt.Close() // nobody uses it
		return first.(*sql.Stmt)
	}
	return stmt
}

// ask puts a question of constant text that one row answers. SQLite is given no context that ends: to watch one costs more
// than to look up a row, which is done in a moment anyway.
func (s *Store) ask(ctx context.Context, query string, args ...any) *sql.Row {
	if stmt := s.prepared(query); stmt != nil {
		return stmt.QueryRowContext(context.WithoutCancel(ctx), args...)
	}
	return s.readers.QueryRowContext(ctx, query, args...)
}

// collectFew is collect for a question of constant text that few rows answer.
func collectFew[T any](ctx context.Context, s *Store, scan func(func(...any) error) (T, error), query string, args ...any) (all []T, err error) {
	stmt := s.prepared(query)
	if stmt == nil {
		return collect(ctx, s, scan, query, args...)
	}
	rows, err := stmt.QueryContext(context.WithoutCancel(ctx), args...)
	if err != nil {
		return nil, err
	}
	return readAll(rows, scan)
}

// readAll reads rows to their end and closes them.
func readAll[T any](rows *sql.Rows, scan func(func(...any) error) (T, error)) (all []T, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		one, err := scan(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
