package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/tlswright/tlswright/internal/watch"
)

// Target is one that is watched, with how it stands.
type Target struct {
	Name      string
	Spec      json.RawMessage // what the monitor knows of it
	Origin    Origin
	Next      time.Time // of the next look
	Last      time.Time // of the last one; zero: there was none
	State     watch.State
	Reason    string
	Leaf      time.Time // the three ends, see watch.Verdict
	Path      time.Time
	Sent      time.Time
	Grade     string
	GradedAt  time.Time
	GradeFrom time.Time // no full scan is made before; zero: it may be made
	Places    int
}

// Origin is who wants a target watched.
type Origin string

// The origins. Those of the file come and go with it.
const (
	FromFile   Origin = "file"
	FromPerson Origin = "person"
)

// Wanted is a target to watch.
type Wanted struct {
	Name  string
	Spec  json.RawMessage
	First time.Time // when it is first looked at, where it is new
	// Grade is how often a full scan is made of it; 0: never. Of many new targets the first full scans are spread over this time.
	Grade time.Duration
}

// gradeAtOnce is how many new targets may be scanned in full by their first looks: such a scan is a hundred connections.
const gradeAtOnce = 50

// gradeFrom is when the first full scan of the n-th new target may be made: the same for the same name.
func (w *Wanted) gradeFrom(n int) time.Time {
	if n < gradeAtOnce || w.Grade <= 0 {
		return time.Time{}
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(w.Name)) // it never fails
	return w.First.Add(time.Duration(float64(w.Grade) * float64(h.Sum32()) / (1 << 32)))
}

// Synchronize makes the targets of an origin these and no others. Those that are gone are forgotten, with their places;
// what they have shown stays in the history. Their names are returned, so that their incidents can be ended.
func (h *History) Synchronize(ctx context.Context, origin Origin, wanted []Wanted) (gone []string, err error) {
	err = h.update(ctx, func(c *change) error {
		gone = nil
		old := make(map[string]string)
		err := each(ctx, c, func(scan func(...any) error) error {
			var name, spec string
			err := scan(&name, &spec)
			old[name] = spec
			return err
		}, `SELECT name, spec FROM targets WHERE origin = $1`, string(origin))
		if err != nil {
			return err
		}
		fresh := 0
		for _, w := range wanted {
			spec, known := old[w.Name]
			delete(old, w.Name)
			if known && spec == string(w.Spec) {
				continue
			}
			// Another schedule counts from now on; what is looked at just now may be filed.
			if err := c.exec(`INSERT INTO targets (name, spec, origin, next_at, grade_from) VALUES ($1, $2, $3, $4, $5)
				ON CONFLICT (name) DO UPDATE SET spec = excluded.spec, origin = excluded.origin, next_at = excluded.next_at`,
				w.Name, string(w.Spec), string(origin), millis(w.First), millis(w.gradeFrom(fresh))); err != nil {
				return err
			}
			if !known {
				fresh++
			}
		}
		for name := range old {
			gone = append(gone, name)
		}
		for _, name := range gone {
			if err := c.forgetTarget(name); err != nil {
				return err
			}
		}
		// A target that never had an incident is not among these; nor is there anything to end.
		orphans, err := c.orphans()
		gone = append(gone, orphans...)
		slices.Sort(gone)
		gone = slices.Compact(gone)
		return err
	})
	return gone, err
}

func (c *change) forgetTarget(name string) error {
	for _, query := range []string{`DELETE FROM targets WHERE name = $1`, `DELETE FROM places WHERE target = $1`, `DELETE FROM sightings WHERE target = $1`, `DELETE FROM traces WHERE target = $1`} {
		if err := c.exec(query, name); err != nil {
			return err
		}
	}
	return nil
}

// Add watches one more target, for a person.
func (h *History) Add(ctx context.Context, w Wanted) error {
	return h.update(ctx, func(c *change) error {
		n, err := c.affected(`INSERT INTO targets (name, spec, origin, next_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (name) DO UPDATE SET spec = excluded.spec, next_at = excluded.next_at WHERE targets.origin = $5`,
			w.Name, string(w.Spec), string(FromPerson), millis(w.First), string(FromPerson))
		if err == nil && n == 0 {
			return fmt.Errorf("%s is in the configuration file: change it there", w.Name)
		}
		return err
	})
}

// Remove ends what Add began; [ErrNotFound] if there is no such target. One of the file is removed there.
func (h *History) Remove(ctx context.Context, name string) error {
	return h.update(ctx, func(c *change) error {
		var origin string
		err := c.QueryRowContext(ctx, `SELECT origin FROM targets WHERE name = $1`, name).Scan(&origin)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return fmt.Errorf("target %s: %w", name, ErrNotFound)
		case err != nil:
			return err
		case Origin(origin) == FromFile:
			return fmt.Errorf("%s is in the configuration file: take it out there", name)
		}
		return c.forgetTarget(name)
	})
}

// Due is a target whose time has come, with what was seen of it before.
type Due struct {
	Target
	Before []*watch.Observation // the last one of each place
	Known  []*watch.Observation // the last one that was answered, of places where the last one was not
	Since  map[string]time.Time // by place: since when it shows the same
}

// Claim takes targets whose time has come, those that wait longest first, at most limit of them, and holds them for the
// caller until a time: nobody else gets them before.
func (h *History) Claim(ctx context.Context, now, until time.Time, holder string, limit int) ([]Due, error) {
	var due []Due
	err := h.update(ctx, func(c *change) error {
		due = nil
		return each(ctx, c, func(scan func(...any) error) error {
			t, err := scanTarget(scan)
			due = append(due, Due{Target: t})
			return err
		}, `UPDATE targets SET held_until = $1, holder = $2 WHERE name IN (`+c.due("$3", "$4", "$5")+`) RETURNING `+targetColumns, millis(until), holder, millis(now), millis(now), limit)
	})
	if err != nil {
		return nil, fmt.Errorf("claim targets: %w", err)
	}
	return due, h.fillBefore(ctx, due)
}

// Force takes one target whatever its time, unless somebody looks at it just now; [ErrNotFound].
func (h *History) Force(ctx context.Context, now, until time.Time, holder, name string) (Due, error) {
	due, err := h.ForceAll(ctx, now, until, holder, []string{name})
	switch {
	case err != nil:
		return Due{}, err
	case len(due) == 0:
		return Due{}, fmt.Errorf("target %s: %w, or it is being looked at", name, ErrNotFound)
	}
	return due[0], nil
}

// fillBefore reads what places showed last.
func (h *History) fillBefore(ctx context.Context, due []Due) error {
	index, names := make(map[string]int, len(due)), make([]string, len(due))
	for i, d := range due {
		index[d.Name], names[i] = i, d.Name
	}
	for part := range slices.Chunk(names, together) {
		list, args := marks(part, 1)
		err := each(ctx, h.readers, func(scan func(...any) error) error {
			var target, place, body, answered string
			var since int64
			if err := scan(&target, &place, &since, &body, &answered); err != nil {
				return err
			}
			d := &due[index[target]]
			if d.Since == nil {
				d.Since = make(map[string]time.Time)
			}
			d.Since[place] = moment(since)
			return errors.Join(appendObservation(&d.Before, body), appendObservation(&d.Known, answered))
		}, `SELECT target, place, since, body, answered FROM places WHERE target IN (`+list+`) ORDER BY target, place`, args...)
		if err != nil {
			return fmt.Errorf("read what was seen before: %w", err)
		}
	}
	return nil
}

func appendObservation(list *[]*watch.Observation, body string) error {
	if body == "" {
		return nil
	}
	o := new(watch.Observation)
	if err := json.Unmarshal([]byte(body), o); err != nil {
		return err
	}
	*list = append(*list, o)
	return nil
}

// Free gives claims back that will not be used: the targets are due again at once.
func (h *History) Free(ctx context.Context, holder string) error {
	return h.update(ctx, func(c *change) error {
		return c.exec(`UPDATE targets SET held_until = 0, holder = '' WHERE holder = $1`, holder)
	})
}

const targetColumns = `name, spec, origin, next_at, last_at, state, reason, leaf_ends, path_ends, sent_ends, grade, graded_at, grade_from, places`

func scanTarget(scan func(...any) error) (t Target, err error) {
	var spec, origin string
	var next, last, state, leaf, path, sent, graded, from int64
	err = scan(&t.Name, &spec, &origin, &next, &last, &state, &t.Reason, &leaf, &path, &sent, &t.Grade, &graded, &from, &t.Places)
	t.Spec, t.Origin, t.State = json.RawMessage(spec), Origin(origin), watch.State(state)
	t.Next, t.Last, t.Leaf, t.Path, t.Sent, t.GradedAt, t.GradeFrom = moment(next), moment(last), moment(leaf), moment(path), moment(sent), moment(graded), moment(from)
	return t, err
}
