package history

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/watch"
)

// Result is a look at a target: what every place of it showed, and what that amounts to.
type Result struct {
	Target   string
	At       time.Time
	Next     time.Time // of the next look
	Took     time.Duration
	Places   []Seen
	Verdict  watch.Verdict // of the target: the worst of its places
	Findings []incident.Finding
	Grade    string  // of a full scan that was made this time; "": none was
	Traces   []Trace // handshakes that were recorded this time
}

// Seen is what one place showed.
type Seen struct {
	Observation *watch.Observation
	State       watch.State
	Reason      string
}

// Rules say what follows from results.
type Rules struct {
	Incidents incident.Rules
	// Route names the channels that a notice goes to. It must not wait.
	Route func(*incident.Notice) []string
}

// File puts results into the history, with everything that follows from them: changes, incidents, notices and their
// deliveries. Those of targets that the holder does not hold any more, or that are gone, are dropped. The notices are
// returned; they are delivered by who claims the deliveries.
func (h *History) File(ctx context.Context, holder string, results []Result, rules Rules) (notices []incident.Notice, err error) {
	// Transactions on PostgreSQL that lock in one order do not lock each other out.
	results = slices.SortedFunc(slices.Values(results), func(a, b Result) int { return strings.Compare(a.Target, b.Target) })
	for i := range results {
		results[i].asText()
	}
	err = h.update(ctx, func(c *change) error {
		notices = nil
		f := &filing{change: c, rules: rules, shown: make(map[string]sight)}
		if err := f.lockIncidents(results); err != nil {
			return err
		}
		for i := range results {
			if err := f.file(holder, &results[i]); err != nil {
				return fmt.Errorf("file what %s showed: %w", results[i].Target, err)
			}
		}
		notices = f.notices
		for _, fingerprint := range slices.Sorted(maps.Keys(f.shown)) { // in one order, see above
			if err := f.certificate(f.shown[fingerprint]); err != nil {
				return fmt.Errorf("file a certificate: %w", err)
			}
		}
		return nil
	})
	return notices, err
}

// lockIncidents locks all incidents that results are about, in one order, before anything is changed: two nodes that file
// results of the same certificates would else hold what the other one wants. SQLite has one writer anyway.
func (f *filing) lockIncidents(results []Result) error {
	if !f.isPostgres {
		return nil
	}
	var targets, kinds, subjects []string
	for i := range results {
		targets = append(targets, results[i].Target)
		for _, x := range results[i].Findings {
			kinds, subjects = append(kinds, x.Kind), append(subjects, x.Subject)
		}
	}
	return each(f.ctx, f, func(func(...any) error) error { return nil }, `SELECT row_id FROM incidents WHERE open = 1 AND
		(row_id IN (SELECT incident FROM affected WHERE target = ANY($1)) OR (kind, subject) IN (SELECT * FROM UNNEST($2::text[], $3::text[]))) ORDER BY row_id FOR UPDATE`,
		targets, kinds, subjects)
}

// filing is a transaction that files results.
type filing struct {
	*change
	rules    Rules
	silences []*incident.Silence
	isRead   bool // silences were
	notices  []incident.Notice
	err      error            // of what was read by the way
	shown    map[string]sight // certificates by fingerprint
}

// sight is a certificate that was seen, with when.
type sight struct {
	certificate *watch.Certificate
	at          time.Time
}

func (f *filing) file(holder string, r *Result) error {
	v := r.Verdict
	n, err := f.affected(`UPDATE targets SET next_at = $1, held_until = 0, holder = '', last_at = $2, state = $3, reason = $4, leaf_ends = $5, path_ends = $6, sent_ends = $7, places = $8
		WHERE name = $9 AND holder = $10`,
		millis(r.Next), millis(r.At), int64(v.State), v.Reason, millis(v.Leaf), millis(v.Path), millis(v.Sent), len(r.Places), r.Target, holder)
	if err != nil || n == 0 {
		return err
	}
	if r.Grade != "" {
		if err := f.grade(r); err != nil {
			return err
		}
	}
	if err := f.places(r); err != nil {
		return err
	}
	if err := f.traces(r); err != nil {
		return err
	}
	if err := f.look(r); err != nil {
		return err
	}
	return f.incidents(r.At, r.Target, r.Findings)
}

// grade notes the grade of a full scan, and that it has changed.
func (f *filing) grade(r *Result) error {
	var was string
	if err := f.QueryRowContext(f.ctx, `SELECT grade FROM targets WHERE name = $1`, r.Target).Scan(&was); err != nil {
		return err
	}
	if was != "" && was != r.Grade {
		if err := f.note(r, "", watch.Change{Field: "grade", Before: was, After: r.Grade}); err != nil {
			return err
		}
	}
	return f.exec(`UPDATE targets SET grade = $1, graded_at = $2 WHERE name = $3`, r.Grade, millis(r.At), r.Target)
}

func (f *filing) note(r *Result, place string, c watch.Change) error {
	return f.exec(`INSERT INTO changes (id, target, place, at, field, was, is_now) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		newID(r.At), r.Target, place, millis(r.At), c.Field, c.Before, c.After)
}

// places files what each place showed, and drops those that are gone.
func (f *filing) places(r *Result) error {
	old := make(map[string]shown)
	err := each(f.ctx, f, func(scan func(...any) error) error {
		var place string
		var x shown
		err := scan(&place, &x.digest, &x.body, &x.answered)
		old[place] = x
		return err
	}, `SELECT place, digest, body, answered FROM places WHERE target = $1`, r.Target)
	if err != nil {
		return err
	}
	gone := maps.Clone(old)
	for i := range r.Places {
		delete(gone, r.Places[i].Observation.Place)
	}
	for i := range r.Places {
		s := &r.Places[i]
		o := s.Observation
		before, known := old[o.Place]
		body, digest, err := encode(o)
		if err != nil {
			return err
		}
		switch {
		case known && before.digest == digest && o.Log != nil: // it was read further
			err = f.exec(`UPDATE places SET seen_at = $1, state = $2, reason = $3, body = $4 WHERE target = $5 AND place = $6`, millis(r.At), int64(s.State), s.Reason, body, r.Target, o.Place)
		case known && before.digest == digest:
			err = f.exec(`UPDATE places SET seen_at = $1, state = $2, reason = $3 WHERE target = $4 AND place = $5`, millis(r.At), int64(s.State), s.Reason, r.Target, o.Place)
		default:
			if !known && o.Outcome == watch.Answered {
				before.body, known = replaced(gone, o.Source)
			}
			err = f.place(r, s, known, before.body, before.answered, body, digest)
		}
		if err == nil {
			err = f.certificates(r, o)
		}
		if err != nil {
			return err
		}
	}
	for place := range gone {
		if err := f.exec(`DELETE FROM places WHERE target = $1 AND place = $2`, r.Target, place); err != nil {
			return err
		}
	}
	return nil
}

// shown is what a place showed last.
type shown struct{ digest, body, answered string }

// replaced finds what a place showed that is gone. The addresses of big hosters change from look to look; what their servers
// show is compared all the same.
func replaced(gone map[string]shown, source watch.Source) (body string, ok bool) {
	for _, place := range slices.Sorted(maps.Keys(gone)) {
		for _, body := range []string{gone[place].body, gone[place].answered} {
			var o watch.Observation
			if json.Unmarshal([]byte(body), &o) == nil && o.Source == source && o.Outcome == watch.Answered {
				return body, true
			}
		}
	}
	return "", false
}

// place files a place that shows something new.
func (f *filing) place(r *Result, s *Seen, known bool, beforeBody, beforeAnswered, body, digest string) error {
	o := s.Observation
	answered := ""
	if known {
		before := new(watch.Observation)
		if err := json.Unmarshal([]byte(beforeBody), before); err != nil {
			return err
		}
		reference := before
		if o.Outcome != watch.Answered {
			if answered = beforeAnswered; before.Outcome == watch.Answered {
				answered = beforeBody
			}
		} else if before.Outcome != watch.Answered && beforeAnswered != "" {
			// It is back: what has changed meanwhile is told, too.
			reference = new(watch.Observation)
			if err := json.Unmarshal([]byte(beforeAnswered), reference); err != nil {
				return err
			}
			if err := f.note(r, o.Place, watch.Change{Field: "outcome", Before: string(before.Outcome), After: string(o.Outcome)}); err != nil {
				return err
			}
		}
		for _, c := range watch.Diff(reference, o) {
			if err := f.note(r, o.Place, c); err != nil {
				return err
			}
		}
	}
	return f.exec(`INSERT INTO places (target, place, seen_at, since, state, reason, digest, body, answered) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (target, place) DO UPDATE SET seen_at = excluded.seen_at, since = excluded.since, state = excluded.state, reason = excluded.reason,
			digest = excluded.digest, body = excluded.body, answered = excluded.answered`,
		r.Target, o.Place, millis(r.At), millis(r.At), int64(s.State), s.Reason, digest, body, answered)
}

// encode gives an observation as JSON, with a digest of all that does not change from look to look by itself.
func encode(o *watch.Observation) (body, digest string, err error) {
	full, err := json.Marshal(o)
	if err != nil {
		return "", "", err
	}
	still := *o
	still.At, still.Took, still.Grade = time.Time{}, 0, ""
	still.Log, still.Behind = nil, 0
	still.Leaves = slices.Clone(o.Leaves)
	for i := range still.Leaves {
		if s := still.Leaves[i].Staple; s != nil { // a staple is new every few days
			still.Leaves[i].Staple = &watch.Staple{Status: s.Status, Problem: s.Problem, NextUpdate: s.NextUpdate}
		}
	}
	part, err := json.Marshal(&still)
	if err != nil {
		return "", "", err
	}
	sum := sha256.Sum256(part)
	return string(full), hex.EncodeToString(sum[:16]), nil
}

// certificates notes which certificates a place showed.
func (f *filing) certificates(r *Result, o *watch.Observation) error {
	for i := range o.Leaves {
		c := o.Leaves[i].Leaf()
		if c == nil {
			continue
		}
		f.shown[c.Fingerprint] = sight{c, r.At}
		if err := f.exec(`INSERT INTO sightings (fingerprint, target, place, source, first_seen, last_seen) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (fingerprint, target, place) DO UPDATE SET last_seen = excluded.last_seen`,
			c.Fingerprint, r.Target, o.Place, string(o.Source), millis(r.At), millis(r.At)); err != nil {
			return err
		}
	}
	return nil
}

// seenAgain is how exactly it is kept when a certificate was last seen. One that a thousand places show would else be written a
// thousand times, and nodes that file beside each other would wait for each other to do so.
const seenAgain = time.Hour

// certificate notes that a certificate was seen.
func (f *filing) certificate(s sight) error {
	c, at := s.certificate, s.at
	var last int64
	err := f.QueryRowContext(f.ctx, `SELECT last_seen FROM certificates WHERE fingerprint = $1`, c.Fingerprint).Scan(&last)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return err
	case at.Sub(moment(last)) < seenAgain:
		return nil
	default:
		return f.exec(`UPDATE certificates SET last_seen = $1 WHERE fingerprint = $2 AND last_seen < $3`, millis(at), c.Fingerprint, millis(at))
	}
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	names := " " + strings.ToLower(strings.Join(c.Names, " ")) + " "
	if err := f.exec(`INSERT INTO certificates (fingerprint, subject, names, not_after, first_seen, last_seen, body, serial) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (fingerprint) DO NOTHING`,
		c.Fingerprint, c.Subject, names, millis(c.NotAfter), millis(at), millis(at), string(body), c.Serial); err != nil {
		return err
	}
	return f.exec(`INSERT INTO certificate_words (fingerprint, words) VALUES ($1, $2) ON CONFLICT (fingerprint) DO NOTHING`, c.Fingerprint, strings.ToLower(c.Subject)+names)
}

// look files that somebody looked, and sums the day up.
func (f *filing) look(r *Result) error {
	state, took, ends := int64(r.Verdict.State), r.Took.Microseconds(), millis(r.Verdict.Leaf)
	if err := f.exec(`INSERT INTO looks (target, at, state, took, leaf_ends) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (target, at) DO NOTHING`, r.Target, millis(r.At), state, took, ends); err != nil {
		return err
	}
	bad := 0
	if r.Verdict.State != watch.OK && r.Verdict.State != watch.Warning {
		bad = 1
	}
	return f.exec(`INSERT INTO days (target, day, looks, bad, worst, took, leaf_ends) VALUES ($1, $2, 1, $3, $4, $5, $6)
		ON CONFLICT (target, day) DO UPDATE SET looks = days.looks + 1, bad = days.bad + excluded.bad,
			worst = CASE WHEN excluded.worst > days.worst THEN excluded.worst ELSE days.worst END, took = days.took + excluded.took, leaf_ends = excluded.leaf_ends`,
		r.Target, millis(r.At.UTC().Truncate(24*time.Hour)), bad, state, took, ends)
}

// incidents lets findings have their consequences.
func (f *filing) incidents(now time.Time, target string, findings []incident.Finding) error {
	book, err := f.book(target, findings)
	if err != nil {
		return err
	}
	if len(findings) == 0 && len(book.Open) == 0 {
		return nil
	}
	counted := make(map[*incident.Incident]bool)
	for _, i := range book.Open {
		counted[i] = i.ID == "" || i.Counts(target)
	}
	notices, changed := book.Observe(now, target, findings)
	if err := f.settle(book, target, changed, notices); err != nil {
		return err
	}
	for _, i := range changed {
		isTold := slices.ContainsFunc(notices, func(n incident.Notice) bool { return n.Incident == i.ID })
		if was, known := counted[i]; known && !was && !isTold && i.Counts(target) {
			if err := f.spread(book, now, target, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// openOfTarget lists the open incidents of a target. A CROSS JOIN is how SQLite is told to begin with the target: by itself it
// goes through all open incidents, for every look.
const openOfTarget = `SELECT a.incident FROM affected a CROSS JOIN incidents i WHERE i.row_id = a.incident AND a.target = $1 AND i.open = 1`

// book reads the open incidents that a look at a target is about.
func (f *filing) book(target string, findings []incident.Finding) (*book, error) {
	b := f.newBook()
	keys := make(map[incident.Key]bool)
	for _, x := range findings {
		keys[x.Key] = true
	}
	ids := make(map[string]bool)
	err := each(f.ctx, f, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		ids[id] = true
		return err
	}, openOfTarget, target)
	if err != nil {
		return nil, err
	}
	for k := range keys {
		var id string
		err := f.QueryRowContext(f.ctx, `SELECT row_id FROM incidents WHERE kind = $1 AND subject = $2 AND open = 1`, k.Kind, k.Subject).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, err
		}
		ids[id] = true
	}
	return b, f.load(b, ids, target)
}
