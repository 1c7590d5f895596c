package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/watch"
)

// Page bounds a list.
type Page struct {
	Limit  int // 0: 100; at most 10,000
	Offset int
}

func (p Page) limit() int {
	if p.Limit <= 0 {
		return 100
	}
	return min(p.Limit, 10_000)
}

// TargetQuery says which targets are wanted.
type TargetQuery struct {
	Page
	Text   string        // part of the name or the reason, in any case; "": all
	States []watch.State // empty: all
	ByName bool          // else as Order says
	Order  Order         // "": the most urgent first
}

// Targets lists targets, with how many there are in all.
func (h *History) Targets(ctx context.Context, q TargetQuery) (list []Target, total int, err error) {
	var w filter
	if q.Text != "" {
		// What is said of a target where all is well is nothing to search for.
		like := h.like()
		text := pattern(q.Text)
		w.add(`(name `+like+` ? ESCAPE '\' OR (state <> 0 AND reason `+like+` ? ESCAPE '\'))`, text, text)
	}
	if len(q.States) > 0 {
		marks, values := make([]string, len(q.States)), make([]any, len(q.States))
		for i, s := range q.States {
			marks[i], values[i] = "?", int64(s)
		}
		w.add(`state IN (`+strings.Join(marks, ", ")+`)`, values...)
	}
	order := q.Order
	if q.ByName {
		order = ByName
	}
	count, args := `SELECT COUNT(*) FROM targets`+w.where(), slices.Clone(w.args)
	// The page is found in an index, and only its rows are read whole.
	query := `SELECT ` + targetColumns + ` FROM targets WHERE name IN (SELECT name FROM targets` + w.where() + ` ORDER BY ` + order.clause() + w.page(q.Page) + `) ORDER BY ` + order.clause()
	err = each(ctx, h.readers, func(scan func(...any) error) error {
		t, err := scanTarget(scan)
		list = append(list, t)
		return err
	}, query, w.args...)
	if err != nil {
		return nil, 0, err
	}
	total, err = h.total(ctx, q.Page, len(list), count, args)
	return list, total, err
}

// total counts what a query finds in all, unless its page shows that: then nothing is searched twice.
func (h *History) total(ctx context.Context, p Page, listed int, count string, args []any) (n int, err error) {
	if listed < p.limit() && (listed > 0 || p.Offset == 0) {
		return p.Offset + listed, nil
	}
	err = h.readers.QueryRowContext(ctx, count, args...).Scan(&n)
	return n, err
}

// like compares texts with a pattern in whatever case. That of SQLite does so by itself.
func (h *History) like() string {
	if h.isPostgres {
		return "ILIKE"
	}
	return "LIKE"
}

// pattern is a text anywhere in another, for LIKE.
func pattern(text string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(text)) + "%"
}

// Target finds one; [ErrNotFound].
func (h *History) Target(ctx context.Context, name string) (Target, error) {
	t, err := scanTarget(h.readers.QueryRowContext(ctx, `SELECT `+targetColumns+` FROM targets WHERE name = $1`, name).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return t, fmt.Errorf("target %s: %w", name, ErrNotFound)
	}
	return t, err
}

// Place is what one place of a target shows.
type Place struct {
	Seen
	At    time.Time          // of the last look
	Since time.Time          // it shows the same since then
	Last  *watch.Observation // the last one that was answered, where this one was not
}

// Places lists what the places of a target show.
func (h *History) Places(ctx context.Context, target string) (list []Place, err error) {
	err = each(ctx, h.readers, func(scan func(...any) error) error {
		var p Place
		var body, answered string
		var at, since, state int64
		if err := scan(&at, &since, &state, &p.Reason, &body, &answered); err != nil {
			return err
		}
		p.At, p.Since, p.State = moment(at), moment(since), watch.State(state)
		var now, before []*watch.Observation
		if err := errors.Join(appendObservation(&now, body), appendObservation(&before, answered)); err != nil {
			return err
		}
		p.Observation = now[0]
		if len(before) > 0 {
			p.Last = before[0]
		}
		list = append(list, p)
		return nil
	}, `SELECT seen_at, since, state, reason, body, answered FROM places WHERE target = $1 ORDER BY place`, target)
	return list, err
}

// Changed is a change with where and when.
type Changed struct {
	watch.Change
	Target string    `json:"target"`
	Place  string    `json:"place,omitempty"`
	At     time.Time `json:"at"`
}

// Changes lists changes, the newest first, of one target or ("") of all, since a time.
func (h *History) Changes(ctx context.Context, target string, since time.Time, p Page) (list []Changed, err error) {
	query, args := changesQuery(target, since, p)
	err = each(ctx, h.readers, func(scan func(...any) error) error {
		var c Changed
		var at int64
		err := scan(&c.Target, &c.Place, &at, &c.Field, &c.Before, &c.After)
		c.At = moment(at)
		list = append(list, c)
		return err
	}, query, args...)
	return list, err
}

// changesQuery goes by ids, which begin with the time: there is an index with them for each way to ask.
func changesQuery(target string, since time.Time, p Page) (query string, args []any) {
	where, args := `id >= $1`, []any{idFrom(since)}
	if target != "" {
		where, args = where+` AND target = $2`, append(args, target)
	}
	args = append(args, p.limit(), p.Offset)
	return fmt.Sprintf(`SELECT target, place, at, field, was, is_now FROM changes WHERE %s ORDER BY id DESC LIMIT $%d OFFSET $%d`, where, len(args)-1, len(args)), args
}

// Look is one look in short.
type Look struct {
	At    time.Time     `json:"at"`
	State watch.State   `json:"state"`
	Took  time.Duration `json:"took"`
	Leaf  time.Time     `json:"leaf_ends"`
}

// Looks lists single looks at a target, the newest first.
func (h *History) Looks(ctx context.Context, target string, p Page) (list []Look, err error) {
	err = each(ctx, h.readers, func(scan func(...any) error) error {
		var at, state, took, ends int64
		err := scan(&at, &state, &took, &ends)
		list = append(list, Look{At: moment(at), State: watch.State(state), Took: time.Duration(took) * time.Microsecond, Leaf: moment(ends)})
		return err
	}, `SELECT at, state, took, leaf_ends FROM looks WHERE target = $1 ORDER BY at DESC LIMIT $2 OFFSET $3`, target, p.limit(), p.Offset)
	return list, err
}

// Day is a day of a target, in UTC.
type Day struct {
	Day   time.Time     `json:"day"`
	Looks int           `json:"looks"`
	Bad   int           `json:"bad"` // neither OK nor WARNING
	Worst watch.State   `json:"worst"`
	Mean  time.Duration `json:"mean"` // of the time that a look took
	Leaf  time.Time     `json:"leaf_ends"`
}

// Days lists the days of a target since a time, the oldest first.
func (h *History) Days(ctx context.Context, target string, since time.Time) (list []Day, err error) {
	err = each(ctx, h.readers, func(scan func(...any) error) error {
		var day, looks, bad, worst, took, ends int64
		err := scan(&day, &looks, &bad, &worst, &took, &ends)
		list = append(list, Day{Day: moment(day), Looks: int(looks), Bad: int(bad), Worst: watch.State(worst), Mean: time.Duration(took/max(looks, 1)) * time.Microsecond, Leaf: moment(ends)})
		return err
	}, `SELECT day, looks, bad, worst, took, leaf_ends FROM days WHERE target = $1 AND day >= $2 ORDER BY day`, target, millis(since))
	return list, err
}

// Known is a certificate with where it was seen.
type Known struct {
	watch.Certificate
	First time.Time `json:"first_seen"`
	Last  time.Time `json:"last_seen"`
	Where []Where   `json:"where"`
}

// Where is a place that showed a certificate.
type Where struct {
	Target string       `json:"target"`
	Place  string       `json:"place"`
	Source watch.Source `json:"source"`
	First  time.Time    `json:"first_seen"`
	Last   time.Time    `json:"last_seen"`
}

func (h *History) whereabouts(ctx context.Context, fingerprint string) (list []Where, err error) {
	err = each(ctx, h.readers, func(scan func(...any) error) error {
		var w Where
		var source string
		var first, last int64
		err := scan(&w.Target, &w.Place, &source, &first, &last)
		w.Source, w.First, w.Last = watch.Source(source), moment(first), moment(last)
		list = append(list, w)
		return err
	}, `SELECT target, place, source, first_seen, last_seen FROM sightings WHERE fingerprint = $1 ORDER BY target, place`, fingerprint)
	return list, err
}

// IncidentQuery says which incidents are wanted.
type IncidentQuery struct {
	Page
	Open   bool      // open ones only
	Target string    // "": of all
	Kind   string    // "": all
	Since  time.Time // opened, or resolved, since then
}

// Incidents lists incidents that were told, open ones first, the worst and newest of them in front. Of their targets it tells
// only where they count, and how bad.
func (h *History) Incidents(ctx context.Context, q IncidentQuery) (list []*incident.Incident, total int, err error) {
	where, args := `i.id <> ''`, []any(nil)
	if q.Open {
		where += ` AND i.open = 1`
	}
	if !q.Since.IsZero() {
		args = append(args, millis(q.Since), millis(q.Since))
		where += ` AND (i.opened >= $1 OR i.resolved >= $2)`
	}
	if q.Kind != "" {
		args = append(args, q.Kind)
		where += fmt.Sprintf(` AND i.kind = $%d`, len(args))
	}
	if q.Target != "" {
		args = append(args, q.Target, q.Target) // the list is what an index finds; the rest is about few
		where += fmt.Sprintf(` AND i.row_id IN (SELECT incident FROM affected WHERE target = $%d)
			AND EXISTS (SELECT 1 FROM affected a WHERE a.incident = i.row_id AND a.target = $%d AND (i.open = 0 OR a.active > 0))`, len(args)-1, len(args))
	}
	if err := h.readers.QueryRowContext(ctx, `SELECT COUNT(*) FROM incidents i WHERE `+where, args...).Scan(&total); err != nil {
		return nil, 0, err
	}
	args = append(args, q.limit(), q.Offset)
	err = each(ctx, h.readers, func(scan func(...any) error) error {
		i, err := scanIncident(scan)
		list = append(list, i)
		return err
	}, fmt.Sprintf(`SELECT i.body FROM incidents i WHERE %s ORDER BY i.open DESC, CASE WHEN i.open = 1 THEN i.severity ELSE 0 END DESC, i.opened DESC, i.id LIMIT $%d OFFSET $%d`, where, len(args)-1, len(args)), args...)
	if err != nil {
		return nil, 0, err
	}
	for _, i := range list {
		if err := h.affectedInShort(ctx, i); err != nil {
			return nil, 0, err
		}
	}
	return list, total, nil
}

// affectedInShort reads of the targets of an incident what a list shows: there may be thousands.
func (h *History) affectedInShort(ctx context.Context, i *incident.Incident) error {
	i.Targets = make(map[string]*incident.Sighting)
	return each(ctx, h.readers, func(scan func(...any) error) error {
		var target string
		var active int64
		err := scan(&target, &active)
		i.Targets[target] = &incident.Sighting{Active: active > 0, Severity: incident.Severity(active)}
		return err
	}, `SELECT a.target, a.active FROM affected a JOIN incidents i ON i.row_id = a.incident WHERE i.id = $1`, i.ID)
}

// Incident finds one that was told; [ErrNotFound].
func (h *History) Incident(ctx context.Context, id string) (*incident.Incident, error) {
	i, err := scanIncident(h.readers.QueryRowContext(ctx, `SELECT body FROM incidents WHERE id = $1 AND id <> ''`, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("incident %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return i, h.affected(ctx, i)
}

// affected reads the targets of an incident.
func (h *History) affected(ctx context.Context, i *incident.Incident) error {
	i.Targets = make(map[string]*incident.Sighting)
	return each(ctx, h.readers, func(scan func(...any) error) error {
		var target, body string
		if err := scan(&target, &body); err != nil {
			return err
		}
		s := new(incident.Sighting)
		i.Targets[target] = s
		return json.Unmarshal([]byte(body), s)
	}, `SELECT a.target, a.body FROM affected a JOIN incidents i ON i.row_id = a.incident WHERE i.id = $1`, i.ID)
}

// Summary is an estate at a glance.
type Summary struct {
	States       map[watch.State]int // targets by state
	Open         map[incident.Severity]int
	Overdue      int       // targets that should have been looked at for longer than a minute
	Oldest       time.Time // when the one that waits longest was due; zero: none waits
	Waiting      int       // deliveries
	Certificates int
}

// Summary counts.
func (h *History) Summary(ctx context.Context, now time.Time) (s Summary, err error) {
	s.States, s.Open = make(map[watch.State]int), make(map[incident.Severity]int)
	count := func(query string, note func(key int64, n int)) {
		if err == nil {
			err = each(ctx, h.readers, func(scan func(...any) error) error {
				var k int64
				var n int
				err := scan(&k, &n)
				note(k, n)
				return err
			}, query)
		}
	}
	count(`SELECT state, COUNT(*) FROM targets GROUP BY state`, func(k int64, n int) { s.States[watch.State(k)] = n })
	count(`SELECT severity, COUNT(*) FROM incidents WHERE open = 1 AND id <> '' GROUP BY severity`, func(k int64, n int) { s.Open[incident.Severity(k)] = n })
	count(`SELECT 0, COUNT(*) FROM deliveries WHERE due_at > 0`, func(_ int64, n int) { s.Waiting = n })
	count(`SELECT 0, COUNT(*) FROM certificates`, func(_ int64, n int) { s.Certificates = n })
	count(fmt.Sprintf(`SELECT COALESCE(MIN(next_at), 0), COUNT(*) FROM targets WHERE next_at < %d`, millis(now)-time.Minute.Milliseconds()), func(k int64, n int) { s.Oldest, s.Overdue = moment(k), n })
	return s, err
}

// SetFact keeps one thing under a name, such as when a node was last alive; Fact gives it back, "" where there is none.
func (h *History) SetFact(ctx context.Context, now time.Time, name, value string) error {
	return h.update(ctx, func(c *change) error {
		return c.exec(`INSERT INTO facts (name, value, at) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET value = excluded.value, at = excluded.at`, name, value, millis(now))
	})
}

// Fact is described with SetFact.
func (h *History) Fact(ctx context.Context, name string) (value string, at time.Time, err error) {
	var ms int64
	err = h.readers.QueryRowContext(ctx, `SELECT value, at FROM facts WHERE name = $1`, name).Scan(&value, &ms)
	if errors.Is(err, sql.ErrNoRows) {
		return "", time.Time{}, nil
	}
	return value, moment(ms), err
}

// keepIssued is how long what our CAs have issued is listed after its end.
const keepIssued = 400 * 24 * time.Hour
