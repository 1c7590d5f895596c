package history

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Sweep drops what is older than it is to be kept: single looks, days, changes (the zero time: none), certificates that
// nobody showed for as long as days, and what belongs to incidents that were resolved before that.
func (h *History) Sweep(ctx context.Context, looks, days, changes, now time.Time) error {
	for _, step := range []struct {
		query  string
		before time.Time
	}{
		{`DELETE FROM looks WHERE (target, at) IN (SELECT target, at FROM looks WHERE at < $1 LIMIT $2)`, looks},
		{`DELETE FROM days WHERE (target, day) IN (SELECT target, day FROM days WHERE day < $1 LIMIT $2)`, days},
		{`DELETE FROM changes WHERE id IN (SELECT id FROM changes WHERE at < $1 LIMIT $2)`, changes},
		// As the days have them: some servers come and go each minute.
		{`DELETE FROM changes WHERE id IN (SELECT id FROM changes WHERE at < $1 AND field = 'outcome' LIMIT $2)`, looks},
		{`DELETE FROM certificate_words WHERE fingerprint IN (SELECT fingerprint FROM certificates WHERE last_seen < $1)`, days},
		{`DELETE FROM certificates WHERE last_seen < $1`, days},
		{`DELETE FROM sightings WHERE last_seen < $1`, days},
		{`DELETE FROM issued_names WHERE fingerprint IN (SELECT fingerprint FROM issued WHERE not_after < $1)`, now.Add(-keepIssued)},
		{`DELETE FROM issued WHERE not_after < $1`, now.Add(-keepIssued)},
		{`DELETE FROM deliveries WHERE notice IN (SELECT n.id FROM notices n JOIN incidents i ON i.id = n.incident WHERE i.open = 0 AND i.resolved < $1)`, days},
		{`DELETE FROM notices WHERE incident IN (SELECT id FROM incidents WHERE open = 0 AND resolved < $1)`, days},
		{`DELETE FROM affected WHERE incident IN (SELECT row_id FROM incidents WHERE open = 0 AND resolved < $1)`, days},
		{`DELETE FROM incidents WHERE open = 0 AND resolved < $1`, days},
		{`DELETE FROM silences WHERE to_at < $1`, now.Add(-30 * 24 * time.Hour)},
	} {
		if step.before.IsZero() {
			continue
		}
		if err := h.sweep(ctx, step.query, step.before); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
	}
	return nil
}

// sweptTogether is how many rows go in one transaction: while it lasts, nobody else can write to SQLite.
const sweptTogether = 5000

// sweep runs a query until nothing is left that it fits. One without a limit is for what is never much.
func (h *History) sweep(ctx context.Context, query string, before time.Time) error {
	args := []any{millis(before)}
	isMuch := strings.Contains(query, "$2")
	if isMuch {
		args = append(args, sweptTogether)
	}
	for {
		var n int64
		err := h.update(ctx, func(c *change) (err error) {
			n, err = c.affected(query, args...)
			return err
		})
		if err != nil || !isMuch || n < sweptTogether {
			return err
		}
	}
}
