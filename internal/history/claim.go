package history

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// together is how many names stand in one query.
const together = 400

// marks are placeholders for a list of names, the first of them number first.
func marks(names []string, first int) (text string, args []any) {
	list := make([]string, len(names))
	args = make([]any, len(names))
	for i, n := range names {
		list[i], args[i] = fmt.Sprintf("$%d", first+i), n
	}
	return strings.Join(list, ", "), args
}

// Reserve takes targets whose time has come, as [History.Claim] does, but reads nothing of them: for who hands them on to
// others, which [History.Take] them over. The names come in no order.
func (h *History) Reserve(ctx context.Context, now, until time.Time, holder string, limit int) (names []string, err error) {
	err = h.update(ctx, func(c *change) error {
		names = nil
		return each(ctx, c, func(scan func(...any) error) error {
			var name string
			err := scan(&name)
			names = append(names, name)
			return err
		}, `UPDATE targets SET held_until = $1, holder = $2 WHERE name IN (`+c.due("$3", "$4", "$5")+`) RETURNING name`, millis(until), holder, millis(now), millis(now), limit)
	})
	if err != nil {
		return nil, fmt.Errorf("claim targets: %w", err)
	}
	return names, nil
}

// due selects targets whose time has come and that nobody holds. What another node is claiming just now is left to it.
func (c *change) due(next, held, limit string) string {
	skip := ""
	if c.isPostgres {
		skip = " FOR UPDATE SKIP LOCKED"
	}
	return `SELECT name FROM targets WHERE next_at <= ` + next + ` AND held_until <= ` + held + ` ORDER BY next_at LIMIT ` + limit + skip
}

// Take hands targets that one holder holds over to another, and reads what is known of them. Those that the first one
// does not hold any more are left out: whoever asks a second time gets nothing.
func (h *History) Take(ctx context.Context, from, to string, until time.Time, names []string) ([]Due, error) {
	return h.seize(ctx, to, until, names, "holder = $3", from)
}

// ForceAll takes targets whatever their time, but for those that do not exist or that somebody looks at just now.
func (h *History) ForceAll(ctx context.Context, now, until time.Time, holder string, names []string) ([]Due, error) {
	return h.seize(ctx, holder, until, names, "held_until <= $3", millis(now))
}

// seize holds the targets that fulfil a condition on $3, and reads what is known of them.
func (h *History) seize(ctx context.Context, holder string, until time.Time, names []string, condition string, value any) ([]Due, error) {
	var due []Due
	err := h.update(ctx, func(c *change) error {
		due = nil
		for part := range slices.Chunk(slices.Sorted(slices.Values(names)), together) { // in one order, so that nodes do not lock each other out
			list, args := marks(part, 4)
			err := each(ctx, c, func(scan func(...any) error) error {
				t, err := scanTarget(scan)
				due = append(due, Due{Target: t})
				return err
			}, `UPDATE targets SET held_until = $1, holder = $2 WHERE `+condition+` AND name IN (`+list+`) RETURNING `+targetColumns, append([]any{millis(until), holder, value}, args...)...)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim targets: %w", err)
	}
	return due, h.fillBefore(ctx, due)
}

// Keep goes on holding targets until a time, as far as the holder still has them.
func (h *History) Keep(ctx context.Context, holder string, until time.Time, names []string) error {
	return h.hold(ctx, holder, holder, until, names)
}

// Postpone gives targets back that are not looked at just now; nobody gets them before a time.
func (h *History) Postpone(ctx context.Context, holder string, until time.Time, names []string) error {
	return h.hold(ctx, holder, "", until, names)
}

func (h *History) hold(ctx context.Context, holder, next string, until time.Time, names []string) error {
	if len(names) == 0 {
		return nil
	}
	err := h.update(ctx, func(c *change) error {
		for part := range slices.Chunk(slices.Sorted(slices.Values(names)), together) { // in one order, so that nodes do not lock each other out
			list, args := marks(part, 4)
			if err := c.exec(`UPDATE targets SET held_until = $1, holder = $2 WHERE holder = $3 AND name IN (`+list+`)`, append([]any{millis(until), next, holder}, args...)...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("hold targets: %w", err)
	}
	return nil
}

// Once reports whether something that is done once in a while, by whichever node comes first, is to be done now by the
// caller: that is so if it was last done, or begun, at least a period ago.
func (h *History) Once(ctx context.Context, name string, now time.Time, period time.Duration) (isOurs bool, err error) {
	err = h.update(ctx, func(c *change) error {
		n, err := c.affected(`INSERT INTO facts (name, value, at) VALUES ($1, '', $2)
			ON CONFLICT (name) DO UPDATE SET at = excluded.at WHERE facts.at <= $3`, "last "+name, millis(now), millis(now.Add(-period)))
		isOurs = n > 0
		return err
	})
	return isOurs, err
}
