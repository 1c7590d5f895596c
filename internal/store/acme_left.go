package store

import (
	"context"
	"fmt"
)

// freeLeases has what a process that died was at work on taken up at once, where it can be told that it died: it was one of
// those that had the file open, and nobody has. What is leased in a database of several nodes waits until the lease ends.
func (s *Store) freeLeases(ctx context.Context) error {
	if !s.alone {
		return nil
	}
	var held int
	err := s.readers.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM acme_authorizations WHERE due_at > 1) + (SELECT COUNT(*) FROM acme_orders WHERE due_at > 1)`).Scan(&held)
	if err != nil {
		return fmt.Errorf("look for work that a crash left: %w", err)
	}
	if held == 0 {
		return nil
	}
	return s.do(ctx, &write{run: func(c *change) error {
		if err := c.exec(`UPDATE acme_authorizations SET due_at = 1 WHERE due_at > 1`); err != nil {
			return err
		}
		return c.exec(`UPDATE acme_orders SET due_at = 1 WHERE due_at > 1`)
	}})
}
