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

// load reads incidents into a book, and keeps others from changing them until the transaction ends. target is the one that
// it is about: of the others no more is read than what they count for, as there may be thousands. "": all is read.
func (f *filing) load(b *book, ids map[string]bool, target string) error {
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		i, err := scanIncident(f.QueryRowContext(f.ctx, `SELECT `+incidentColumns+` FROM incidents WHERE row_id = $1 AND open = 1`+f.lock(), id).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			continue // it was resolved beside us
		}
		if err != nil {
			return err
		}
		if err := f.loadTargets(i, id, target); err != nil {
			return err
		}
		b.Open[i.Key], b.rows[i] = i, id
	}
	return f.readSilences(b)
}

// loadTargets reads the targets of an incident. Of one that was told, those beside a target are only counted.
func (f *filing) loadTargets(i *incident.Incident, row, target string) error {
	i.Targets = make(map[string]*incident.Sighting)
	read := func(query string, args ...any) error {
		return each(f.ctx, f, func(scan func(...any) error) error {
			var name, body string
			if err := scan(&name, &body); err != nil {
				return err
			}
			s := new(incident.Sighting)
			i.Targets[name] = s
			return json.Unmarshal([]byte(body), s)
		}, query, args...)
	}
	if target == "" || i.ID == "" {
		return read(`SELECT target, body FROM affected WHERE incident = $1`, row)
	}
	if err := read(`SELECT target, body FROM affected WHERE incident = $1 AND target = $2`, row, target); err != nil {
		return err
	}
	var worst int64
	err := f.QueryRowContext(f.ctx, `SELECT active FROM affected WHERE incident = $1 AND target <> $2 ORDER BY active DESC LIMIT 1`, row, target).Scan(&worst)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	i.Others = &incident.Others{Severity: incident.Severity(worst), Affected: func() (names []string) {
		err := each(f.ctx, f, func(scan func(...any) error) error {
			var name string
			err := scan(&name)
			names = append(names, name)
			return err
		}, `SELECT target FROM affected WHERE incident = $1 AND active > 0 AND target <> $2`, row, target)
		f.err = errors.Join(f.err, err) // who wanted to know cannot be told; settle gives the transaction up
		return names
	}}
	return err
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

// settle writes incidents that have changed at a target ("": at none), and what is to be told of them.
func (f *filing) settle(b *book, target string, changed []*incident.Incident, notices []incident.Notice) error {
	for _, i := range changed {
		row, known := b.rows[i]
		switch {
		case !known && len(i.Targets) == 0:
			continue
		case !known:
			row = newID(i.Changed)
			b.rows[i] = row
		case i.ID == "" && len(i.Targets) == 0: // it was never told and is gone
			if err := f.exec(`DELETE FROM affected WHERE incident = $1`, row); err != nil {
				return err
			}
			if err := f.exec(`DELETE FROM incidents WHERE row_id = $1`, row); err != nil {
				return err
			}
			continue
		}
		if err := f.save(row, i, target); err != nil {
			return err
		}
	}
	for n := range notices {
		if err := f.tell(&notices[n]); err != nil {
			return err
		}
	}
	return f.err
}

func (f *filing) save(row string, i *incident.Incident, target string) error {
	bare := *i
	bare.Targets, bare.Others = nil, nil
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
	s := i.Targets[target]
	switch {
	case target == "":
		return nil
	case s == nil:
		return f.exec(`DELETE FROM affected WHERE incident = $1 AND target = $2`, row, target)
	}
	if body, err = json.Marshal(s); err != nil {
		return err
	}
	active := incident.None
	if s.Active {
		active = s.Severity
	}
	return f.exec(`INSERT INTO affected (incident, target, active, body) VALUES ($1, $2, $3, $4)
		ON CONFLICT (incident, target) DO UPDATE SET active = excluded.active, body = excluded.body`, row, target, int64(active), string(body))
}

// tell files a notice and what is to be delivered of it.
func (f *filing) tell(n *incident.Notice) error {
	var channels []string
	if n.Silenced == "" && f.rules.Route != nil {
		var err error
		if channels, err = f.channels(n); err != nil {
			return err
		}
	}
	return f.keep(n, channels)
}

func (f *filing) keep(n *incident.Notice, channels []string) error {
	body, err := json.Marshal(n)
	if err != nil {
		return err
	}
	if err := f.exec(`INSERT INTO notices (id, incident, at, body) VALUES ($1, $2, $3, $4)`, n.ID, n.Incident, millis(n.At), string(body)); err != nil {
		return err
	}
	f.notices = append(f.notices, *n)
	for _, channel := range channels {
		if err := f.exec(`INSERT INTO deliveries (notice, channel, due_at) VALUES ($1, $2, $3) ON CONFLICT (notice, channel) DO NOTHING`, n.ID, channel, millis(n.At)); err != nil {
			return err
		}
	}
	return nil
}

// channels are those that get a notice. That somebody takes care, and that it is over, is told to those that heard of the
// trouble, whatever has become of its severity and its targets meanwhile.
func (f *filing) channels(n *incident.Notice) ([]string, error) {
	if n.Event == incident.ResolvedNow || n.Event == incident.Acknowledged {
		return f.heard(n.Incident)
	}
	return f.rules.Route(n), nil
}

// heard lists the channels that were told of an incident.
func (f *filing) heard(id string) (list []string, err error) {
	err = each(f.ctx, f, func(scan func(...any) error) error {
		var channel string
		err := scan(&channel)
		list = append(list, channel)
		return err
	}, `SELECT DISTINCT d.channel FROM deliveries d JOIN notices n ON n.id = d.notice WHERE n.incident = $1 ORDER BY d.channel`, id)
	return list, err
}

// spread tells of an incident that is open those channels that want to hear of a target where it counts from now on, and
// have not heard of it for another target's sake.
func (f *filing) spread(b *book, now time.Time, target string, i *incident.Incident) error {
	if f.rules.Route == nil {
		return nil
	}
	for _, channel := range f.rules.Route(&incident.Notice{Incident: i.ID, Key: i.Key, Event: incident.Opened, Severity: i.Severity, Targets: []string{target}, All: []string{target}, Affected: 1}) {
		heard, err := f.heard(i.ID)
		if err != nil {
			return err
		}
		if slices.Contains(heard, channel) {
			continue
		}
		n, ok := b.Spread(now, target, i)
		if err := f.save(b.rows[i], i, target); err != nil || !ok {
			return err
		}
		if err := f.keep(&n, []string{channel}); err != nil {
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
	ids, err := h.openIncidents(ctx, now, rules)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	err = h.update(ctx, func(c *change) error {
		f := &filing{change: c, rules: rules}
		b := f.newBook()
		if err := f.load(b, ids, ""); err != nil {
			return err
		}
		told, changed := b.Tick(now)
		err := f.settle(b, "", changed, told)
		notices = f.notices
		return err
	})
	return notices, err
}

// openIncidents lists the rows of those that may be due to be told. It takes no lock: most of the time there is none.
func (h *History) openIncidents(ctx context.Context, now time.Time, rules Rules) (map[string]bool, error) {
	// Where everything is down, tens of thousands are open: those that cannot be due are not taken apart.
	where, args := `body LIKE '%"Held":true%'`, []any(nil)
	for severity, patience := range rules.Incidents.Escalate {
		if patience > 0 {
			args = append(args, int64(severity), millis(now.Add(-patience)))
			where += fmt.Sprintf(` OR severity = $%d AND opened <= $%d`, len(args)-1, len(args))
		}
	}
	ids := make(map[string]bool)
	err := each(ctx, h.readers, func(scan func(...any) error) error {
		var id, body string
		if err := scan(&id, &body); err != nil {
			return err
		}
		i := new(incident.Incident)
		err := json.Unmarshal([]byte(body), i)
		if rules.Incidents.IsDue(now, i) {
			ids[id] = true
		}
		return err
	}, `SELECT row_id, body FROM incidents WHERE open = 1 AND id <> '' AND (`+where+`)`, args...)
	return ids, err
}

// Report lets findings about something that is no target - a channel that fails, the monitor itself - have their
// consequences, as File does for a look.
func (h *History) Report(ctx context.Context, now time.Time, subject string, findings []incident.Finding, rules Rules) (notices []incident.Notice, err error) {
	findingsAsText(findings)
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
		if err := f.load(b, map[string]bool{row: true}, ""); err != nil {
			return err
		}
		for i := range b.rows {
			if err := f.settle(b, "", []*incident.Incident{i}, b.Acknowledge(now, i, by, note)); err != nil {
				return err
			}
		}
		return nil
	})
}

// orphans lists targets of open incidents that are not watched any more: who took them away died before it ended their
// incidents. What stands for something of the monitor's own is called so.
func (c *change) orphans() (list []string, err error) {
	err = each(c.ctx, c, func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		list = append(list, name)
		return err
	}, `SELECT DISTINCT a.target FROM affected a JOIN incidents i ON i.row_id = a.incident WHERE i.open = 1 AND NOT EXISTS (SELECT 1 FROM targets t WHERE t.name = a.target)
		AND a.target NOT LIKE 'channel %' AND a.target NOT LIKE 'inventory %' ORDER BY a.target`)
	return list, err
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
		told, changed := b.Book.Forget(now, target)
		err = f.settle(b, target, changed, told)
		notices = f.notices
		return err
	})
	return notices, err
}
