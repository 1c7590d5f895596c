package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tlswright/tlswright/internal/incident"
)

// book is a Book with the rows that its incidents stand in.
type book struct {
	*incident.Book
	rows map[*incident.Incident]string
}

func (f *filing) newBook() *book {
	b := &book{Book: &incident.Book{Rules: f.rules.Incidents, Open: make(map[incident.Key]*incident.Incident)}, rows: make(map[*incident.Incident]string)}
	b.NewID = func() string { return newID(time.Now())[4:20] } // the caller's clock may stand still
	return b
}

// load reads incidents into a book, and keeps others from changing them until the transaction ends.
func (f *filing) load(b *book, ids map[string]bool) error {
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		i, err := scanIncident(f.QueryRowContext(f.ctx, `SELECT `+incidentColumns+` FROM incidents WHERE row_id = $1 AND open = 1`+f.lock(), id).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			continue // it was resolved beside us
		}
		if err != nil {
			return err
		}
		if err := f.loadTargets(i, id); err != nil {
			return err
		}
		b.Open[i.Key], b.rows[i] = i, id
	}
	return f.readSilences(b)
}

func (f *filing) loadTargets(i *incident.Incident, row string) error {
	i.Targets = make(map[string]*incident.Sighting)
	return each(f.ctx, f, func(scan func(...any) error) error {
		var target, body string
		if err := scan(&target, &body); err != nil {
			return err
		}
		s := new(incident.Sighting)
		i.Targets[target] = s
		return json.Unmarshal([]byte(body), s)
	}, `SELECT target, body FROM affected WHERE incident = $1`, row)
}

// readSilences gives a book the silences. They are read once for each transaction.
func (f *filing) readSilences(b *book) error {
	if !f.isRead {
		f.silences, f.isRead = nil, true
		err := each(f.ctx, f, func(scan func(...any) error) error {
			var body string
			if err := scan(&body); err != nil {
				return err
			}
			s := new(incident.Silence)
			f.silences = append(f.silences, s)
			return json.Unmarshal([]byte(body), s)
		}, `SELECT body FROM silences ORDER BY id`)
		if err != nil {
			return err
		}
	}
	b.Silences = f.silences
	return nil
}

// rows remembers which targets stood in which incident.
func rows(b *book) map[string]map[string]bool {
	stood := make(map[string]map[string]bool)
	for i, row := range b.rows {
		stood[row] = make(map[string]bool)
		for t := range i.Targets {
			stood[row][t] = true
		}
	}
	return stood
}

// settle writes incidents that have changed, and what is to be told of them.
func (f *filing) settle(b *book, before map[string]map[string]bool, changed []*incident.Incident, notices []incident.Notice) error {
	for _, i := range changed {
		row, known := b.rows[i]
		switch {
		case !known && len(i.Targets) == 0:
			continue
		case !known:
			row = newID(i.Changed)
		case i.ID == "" && len(i.Targets) == 0: // it was never told and is gone
			if err := f.exec(`DELETE FROM affected WHERE incident = $1`, row); err != nil {
				return err
			}
			if err := f.exec(`DELETE FROM incidents WHERE row_id = $1`, row); err != nil {
				return err
			}
			continue
		}
		if err := f.save(row, i, before[row]); err != nil {
			return err
		}
	}
	for n := range notices {
		if err := f.tell(&notices[n]); err != nil {
			return err
		}
	}
	return nil
}

func (f *filing) save(row string, i *incident.Incident, before map[string]bool) error {
	bare := *i
	bare.Targets = nil
	body, err := json.Marshal(&bare)
	if err != nil {
		return err
	}
	open := 0
	if i.IsOpen() {
		open = 1
	}
	if err := f.exec(`INSERT INTO incidents (row_id, id, kind, subject, open, severity, opened, changed, resolved, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (row_id) DO UPDATE SET id = excluded.id, open = excluded.open, severity = excluded.severity, opened = excluded.opened, changed = excluded.changed,
			resolved = excluded.resolved, body = excluded.body`,
		row, i.ID, i.Key.Kind, i.Key.Subject, open, int64(i.Severity), millis(i.Opened), millis(i.Changed), millis(i.Resolved), string(body)); err != nil {
		return err
	}
	for target, s := range i.Targets {
		delete(before, target)
		if !s.Last.Equal(i.Changed) && s.Gone == 0 {
			continue // this look was not about it
		}
		body, err := json.Marshal(s)
		if err != nil {
			return err
		}
		active := 0
		if s.Active {
			active = 1
		}
		if err := f.exec(`INSERT INTO affected (incident, target, active, body) VALUES ($1, $2, $3, $4)
			ON CONFLICT (incident, target) DO UPDATE SET active = excluded.active, body = excluded.body`, row, target, active, string(body)); err != nil {
			return err
		}
	}
	for target := range before {
		if err := f.exec(`DELETE FROM affected WHERE incident = $1 AND target = $2`, row, target); err != nil {
			return err
		}
	}
	return nil
}

// tell files a notice and what is to be delivered of it.
func (f *filing) tell(n *incident.Notice) error {
	body, err := json.Marshal(n)
	if err != nil {
		return err
	}
	if err := f.exec(`INSERT INTO notices (id, incident, at, body) VALUES ($1, $2, $3, $4)`, n.ID, n.Incident, millis(n.At), string(body)); err != nil {
		return err
	}
	f.notices = append(f.notices, *n)
	if n.Silenced != "" || f.rules.Route == nil {
		return nil
	}
	for _, channel := range f.rules.Route(n) {
		if err := f.exec(`INSERT INTO deliveries (notice, channel, due_at) VALUES ($1, $2, $3) ON CONFLICT (notice, channel) DO NOTHING`, n.ID, channel, millis(n.At)); err != nil {
			return err
		}
	}
	return nil
}

const incidentColumns = `body`

func scanIncident(scan func(...any) error) (*incident.Incident, error) {
	var body string
	if err := scan(&body); err != nil {
		return nil, err
	}
	i := new(incident.Incident)
	return i, json.Unmarshal([]byte(body), i)
}

// Tick lets time have its consequences for all open incidents: escalations, and silences that are over.
func (h *History) Tick(ctx context.Context, now time.Time, rules Rules) (notices []incident.Notice, err error) {
	err = h.update(ctx, func(c *change) error {
		f := &filing{change: c, rules: rules}
		b := f.newBook()
		ids, err := f.openIncidents()
		if err != nil {
			return err
		}
		if err := f.load(b, ids); err != nil {
			return err
		}
		before := rows(b)
		told, changed := b.Tick(now)
		err = f.settle(b, before, changed, told)
		notices = f.notices
		return err
	})
	return notices, err
}

func (f *filing) openIncidents() (map[string]bool, error) {
	ids := make(map[string]bool)
	err := each(f.ctx, f, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		ids[id] = true
		return err
	}, `SELECT row_id FROM incidents WHERE open = 1 AND id <> ''`)
	return ids, err
}

// Report lets findings about something that is no target - a channel that fails, the monitor itself - have their
// consequences, as File does for a look.
func (h *History) Report(ctx context.Context, now time.Time, subject string, findings []incident.Finding, rules Rules) (notices []incident.Notice, err error) {
	err = h.update(ctx, func(c *change) error {
		f := &filing{change: c, rules: rules}
		err := f.incidents(now, subject, findings)
		notices = f.notices
		return err
	})
	return notices, err
}

// Acknowledge notes that somebody takes care of an open incident; [ErrNotFound].
func (h *History) Acknowledge(ctx context.Context, now time.Time, id, by, note string, rules Rules) error {
	return h.update(ctx, func(c *change) error {
		f := &filing{change: c, rules: rules}
		b := f.newBook()
		var row string
		err := f.QueryRowContext(ctx, `SELECT row_id FROM incidents WHERE id = $1 AND open = 1`, id).Scan(&row)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("open incident %s: %w", id, ErrNotFound)
		}
		if err != nil {
			return err
		}
		if err := f.load(b, map[string]bool{row: true}); err != nil {
			return err
		}
		before := rows(b)
		for i := range b.rows {
			if err := f.settle(b, before, []*incident.Incident{i}, b.Acknowledge(now, i, by, note)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Silence keeps notices from being delivered for a while. Its id is given back.
func (h *History) Silence(ctx context.Context, s incident.Silence) (id string, err error) {
	s.ID = newID(s.From)
	body, err := json.Marshal(&s)
	if err != nil {
		return "", err
	}
	return s.ID, h.update(ctx, func(c *change) error {
		return c.exec(`INSERT INTO silences (id, from_at, to_at, body) VALUES ($1, $2, $3, $4)`, s.ID, millis(s.From), millis(s.To), string(body))
	})
}

// EndSilence takes a silence away; [ErrNotFound].
func (h *History) EndSilence(ctx context.Context, id string) error {
	return h.update(ctx, func(c *change) error {
		n, err := c.affected(`DELETE FROM silences WHERE id = $1`, id)
		if err == nil && n == 0 {
			return fmt.Errorf("silence %s: %w", id, ErrNotFound)
		}
		return err
	})
}

// Silences lists them, those that are over too until they are swept.
func (h *History) Silences(ctx context.Context) (list []incident.Silence, err error) {
	err = each(ctx, h.readers, func(scan func(...any) error) error {
		var body string
		if err := scan(&body); err != nil {
			return err
		}
		var s incident.Silence
		err := json.Unmarshal([]byte(body), &s)
		list = append(list, s)
		return err
	}, `SELECT body FROM silences ORDER BY id`)
	return list, err
}

// Forget ends the incidents of a target that is not watched any more, as far as no other target has them.
func (h *History) Forget(ctx context.Context, now time.Time, target string, rules Rules) (notices []incident.Notice, err error) {
	err = h.update(ctx, func(c *change) error {
		f := &filing{change: c, rules: rules}
		b, err := f.book(target, nil)
		if err != nil {
			return err
		}
		before := rows(b)
		told, changed := b.Book.Forget(now, target)
		err = f.settle(b, before, changed, told)
		notices = f.notices
		return err
	})
	return notices, err
}
