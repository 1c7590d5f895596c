package history

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tlswright/tlswright/internal/incident"
)

// Delivery is a notice that a channel has not got yet.
type Delivery struct {
	Notice  incident.Notice
	Channel string
	Tries   int       // that failed before
	Trouble string    // what the last one met
	Due     time.Time // when it was to be made
}

// earlier finds what a channel is to get of the same incident before: that something is over must not arrive before that it
// began. The number at the end of a notice's id ascends, and a shorter number is a smaller one.
const earlier = `SELECT 1 FROM notices n JOIN notices m ON m.incident = n.incident JOIN deliveries e ON e.notice = m.id AND e.channel = d.channel AND e.due_at > 0
	WHERE n.id = d.notice AND (LENGTH(m.id) < LENGTH(n.id) OR LENGTH(m.id) = LENGTH(n.id) AND m.id < n.id)`

// DueChannels lists the channels for which there is something to deliver now.
func (h *History) DueChannels(ctx context.Context, now time.Time) (list []string, err error) {
	err = each(ctx, h.readers, func(scan func(...any) error) error {
		var channel string
		err := scan(&channel)
		list = append(list, channel)
		return err
	}, `SELECT DISTINCT d.channel FROM deliveries d WHERE d.due_at > 0 AND d.due_at <= $1 AND d.held_until <= $2 AND NOT EXISTS (`+earlier+`) ORDER BY d.channel`, millis(now), millis(now))
	return list, err
}

// ClaimDeliveries takes deliveries to a channel ("": to any) whose time has come, the oldest first, and holds them for the
// caller until a time. Of one incident a channel gets one message after the other.
func (h *History) ClaimDeliveries(ctx context.Context, now, until time.Time, channel string, limit int) (list []Delivery, err error) {
	type key struct{ notice, channel string }
	err = h.update(ctx, func(c *change) error {
		list = nil
		skip := ""
		if c.isPostgres {
			skip = " FOR UPDATE OF d SKIP LOCKED"
		}
		var keys []key
		err := each(ctx, c, func(scan func(...any) error) error {
			var k key
			err := scan(&k.notice, &k.channel)
			keys = append(keys, k)
			return err
		}, `SELECT d.notice, d.channel FROM deliveries d WHERE d.due_at > 0 AND d.due_at <= $1 AND d.held_until <= $2 AND ($3 = '' OR d.channel = $4) AND NOT EXISTS (`+earlier+`)
			ORDER BY d.due_at, d.notice, d.channel LIMIT $5`+skip, millis(now), millis(now), channel, channel, limit)
		if err != nil {
			return err
		}
		for _, k := range keys {
			d := Delivery{Channel: k.channel}
			var due int64
			if err := c.QueryRowContext(ctx, `UPDATE deliveries SET held_until = $1 WHERE notice = $2 AND channel = $3 RETURNING tries, trouble, due_at`,
				millis(until), k.notice, k.channel).Scan(&d.Tries, &d.Trouble, &due); err != nil {
				return err
			}
			d.Due = moment(due)
			var body string
			if err := c.QueryRowContext(ctx, `SELECT body FROM notices WHERE id = $1`, k.notice).Scan(&body); err != nil {
				return err
			}
			if err := json.Unmarshal([]byte(body), &d.Notice); err != nil {
				return err
			}
			list = append(list, d)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim deliveries: %w", err)
	}
	return list, nil
}

// Delivered notes that a channel has got a notice.
func (h *History) Delivered(ctx context.Context, at time.Time, notice, channel string) error {
	return h.update(ctx, func(c *change) error {
		return c.exec(`UPDATE deliveries SET due_at = 0, held_until = 0, delivered_at = $1, trouble = '' WHERE notice = $2 AND channel = $3`, millis(at), notice, channel)
	})
}

// Release gives a claimed delivery back that was not tried to its end: it is due at once, for anybody.
func (h *History) Release(ctx context.Context, notice, channel string) error {
	return h.update(ctx, func(c *change) error {
		return c.exec(`UPDATE deliveries SET held_until = 0 WHERE notice = $1 AND channel = $2`, notice, channel)
	})
}

// Failed notes that a delivery was tried in vain, and when it is tried again; the zero time gives it up.
func (h *History) Failed(ctx context.Context, again time.Time, notice, channel, trouble string) error {
	asText(&trouble)
	return h.update(ctx, func(c *change) error {
		return c.exec(`UPDATE deliveries SET due_at = $1, held_until = 0, tries = tries + 1, trouble = $2 WHERE notice = $3 AND channel = $4`, millis(again), trouble, notice, channel)
	})
}

// Waiting counts the deliveries that are still to be made, by channel.
func (h *History) Waiting(ctx context.Context) (map[string]int, error) {
	count := make(map[string]int)
	err := each(ctx, h.readers, func(scan func(...any) error) error {
		var channel string
		var n int
		err := scan(&channel, &n)
		count[channel] = n
		return err
	}, `SELECT channel, COUNT(*) FROM deliveries WHERE due_at > 0 GROUP BY channel`)
	return count, err
}

// Told is a notice with what became of it at each channel.
type Told struct {
	incident.Notice
	Channels []Receipt
}

// Receipt is what became of a notice at one channel.
type Receipt struct {
	Channel   string
	Delivered time.Time // zero: not yet
	Tries     int
	Trouble   string
}

// Notices lists what was told of an incident, the oldest first.
func (h *History) Notices(ctx context.Context, id string) (list []Told, err error) {
	index := make(map[string]int)
	err = each(ctx, h.readers, func(scan func(...any) error) error {
		var body string
		var channel, trouble *string
		var delivered, tries *int64
		if err := scan(&body, &channel, &delivered, &tries, &trouble); err != nil {
			return err
		}
		var n incident.Notice
		if err := json.Unmarshal([]byte(body), &n); err != nil {
			return err
		}
		i, known := index[n.ID]
		if !known {
			i = len(list)
			index[n.ID] = i
			list = append(list, Told{Notice: n})
		}
		if channel != nil {
			list[i].Channels = append(list[i].Channels, Receipt{Channel: *channel, Delivered: moment(*delivered), Tries: int(*tries), Trouble: *trouble})
		}
		return nil
	}, `SELECT n.body, d.channel, d.delivered_at, d.tries, d.trouble FROM notices n LEFT JOIN deliveries d ON d.notice = n.id WHERE n.incident = $1 ORDER BY n.at, LENGTH(n.id), n.id, d.channel`, id)
	return list, err
}
