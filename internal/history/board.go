package history

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/watch"
)

// Order is an order of targets.
type Order string

// The orders. Targets that were never looked at, or have no grade, stand where the empty value does: in front.
const (
	ByUrgency Order = ""
	ByName    Order = "name"
	ByEnd     Order = "end"
	ByGrade   Order = "grade"
	ByLook    Order = "look"
)

// clause is the order as SQL has it; each is that of an index.
func (o Order) clause() string {
	switch o {
	case ByName:
		return `name`
	case ByEnd:
		return `leaf_ends, name`
	case ByGrade:
		return `grade DESC, name DESC`
	case ByLook:
		return `last_at, name`
	}
	return `state DESC, leaf_ends, name`
}

// Bounds on a recording, in bytes: as it is stored, packed, and as it is read again.
const (
	maxTrace    = 64 << 10
	maxUnpacked = 16 << 20
)

// Trace is a recorded handshake.
type Trace struct {
	Target string
	Place  string
	At     time.Time
	Why    string // it was recorded, for people
	Body   []byte // a recording without secrets, as JSON; nil in lists
}

func pack(body []byte) (string, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(body); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

func unpack(text string) ([]byte, error) {
	r, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(text)))
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(r, maxUnpacked+1))
	if err == nil && len(body) > maxUnpacked {
		err = fmt.Errorf("it unpacks to more than %d bytes", maxUnpacked)
	}
	return body, err
}

// traces files recordings, the newest of each place; those that are too large are left out. Places that are gone take theirs along.
func (f *filing) traces(r *Result) error {
	for i := range r.Traces {
		t := &r.Traces[i]
		body, err := pack(t.Body)
		if err != nil {
			return err
		}
		if len(t.Body) == 0 || len(body) > maxTrace {
			continue
		}
		if err := f.exec(`INSERT INTO traces (target, place, at, why, body) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (target, place) DO UPDATE SET at = excluded.at, why = excluded.why, body = excluded.body`, r.Target, t.Place, millis(t.At), t.Why, body); err != nil {
			return err
		}
	}
	if len(r.Traces) == 0 {
		return nil
	}
	return f.exec(`DELETE FROM traces WHERE target = $1 AND NOT EXISTS (SELECT 1 FROM places p WHERE p.target = traces.target AND p.place = traces.place)`, r.Target)
}

// Traces lists the recordings of a target, without their bodies.
func (h *History) Traces(ctx context.Context, target string) (list []Trace, err error) {
	err = each(ctx, h.readers, func(scan func(...any) error) error {
		t := Trace{Target: target}
		var at int64
		err := scan(&t.Place, &at, &t.Why)
		t.At = moment(at)
		list = append(list, t)
		return err
	}, `SELECT place, at, why FROM traces WHERE target = $1 ORDER BY place`, target)
	return list, err
}

// Trace gives the recording of one place; [ErrNotFound].
func (h *History) Trace(ctx context.Context, target, place string) (Trace, error) {
	t := Trace{Target: target, Place: place}
	var at int64
	var body string
	err := h.readers.QueryRowContext(ctx, `SELECT at, why, body FROM traces WHERE target = $1 AND place = $2`, target, place).Scan(&at, &t.Why, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return t, fmt.Errorf("recording of %s: %w", place, ErrNotFound)
	}
	if err != nil {
		return t, err
	}
	t.At = moment(at)
	if t.Body, err = unpack(body); err != nil {
		return t, fmt.Errorf("recording of %s: %w", place, err)
	}
	return t, nil
}

// Ends counts targets by how long their certificate is still good, and by grade.
type Ends struct {
	Within []int          // for each of the spans that were asked for: those that end within it and not within the one before
	Over   int            // that have ended
	Later  int            // that end after the last span
	None   int            // that show no certificate
	Grades map[string]int // "": not graded
	Last   time.Time      // when anything was last looked at; zero: never
}

// Ends counts. The spans ascend.
func (h *History) Ends(ctx context.Context, now time.Time, spans []time.Duration) (e Ends, err error) {
	e.Grades = make(map[string]int)
	var total int
	err = each(ctx, h.readers, func(scan func(...any) error) error {
		var grade string
		var n int
		err := scan(&grade, &n)
		e.Grades[grade] = n
		total += n
		return err
	}, `SELECT grade, COUNT(*) FROM targets GROUP BY grade`)
	if err != nil {
		return e, err
	}
	below := func(limit int64) (n int, err error) { // with an end before that, or none
		err = h.readers.QueryRowContext(ctx, `SELECT COUNT(*) FROM targets WHERE leaf_ends < $1`, limit).Scan(&n)
		return n, err
	}
	if e.None, err = below(1); err != nil {
		return e, err
	}
	before, err := below(millis(now) + 1)
	if err != nil {
		return e, err
	}
	e.Over = before - e.None
	for _, s := range spans {
		n, err := below(millis(now.Add(s)) + 1)
		if err != nil {
			return e, err
		}
		e.Within = append(e.Within, n-before)
		before = n
	}
	e.Later = total - before
	var last sql.NullInt64
	err = h.readers.QueryRowContext(ctx, `SELECT MAX(last_at) FROM targets`).Scan(&last)
	e.Last = moment(last.Int64)
	return e, err
}

// CertificateQuery says which certificates are wanted.
type CertificateQuery struct {
	Page
	Text   string       // part of the subject or of a name, or the beginning of the fingerprint, in any case; "": all
	Source watch.Source // seen there; "": anywhere
	Ends   time.Time    // not before then; zero: whenever
	Since  time.Time    // last seen since then; zero: whenever
}

// Certificates lists certificates that were seen, those that end first in front, and how many there are in all.
func (h *History) Certificates(ctx context.Context, q CertificateQuery) (list []Known, total int, err error) {
	var w filter
	if q.Text != "" {
		w.addWords(q.Text)
	}
	if q.Source != "" {
		w.add(`EXISTS (SELECT 1 FROM sightings s WHERE s.fingerprint = certificates.fingerprint AND s.source = ?)`, string(q.Source))
	}
	if !q.Ends.IsZero() {
		w.add(`not_after >= ?`, millis(q.Ends))
	}
	if !q.Since.IsZero() {
		w.add(`last_seen >= ?`, millis(q.Since))
	}
	count, args := `SELECT COUNT(*) FROM certificates`+w.where(), slices.Clone(w.args)
	query := `SELECT body, first_seen, last_seen FROM certificates` + w.where() + ` ORDER BY not_after, fingerprint` + w.page(q.Page)
	if list, err = h.known(ctx, query, w.args...); err != nil {
		return nil, 0, err
	}
	total, err = h.total(ctx, q.Page, len(list), count, args)
	return list, total, err
}

// addWords looks for part of a certificate's subject or names, or for the beginning of its fingerprint.
func (w *filter) addWords(text string) {
	text = strings.ToLower(text)
	const words = `fingerprint IN (SELECT fingerprint FROM certificate_words WHERE words LIKE ? ESCAPE '\')`
	if strings.Trim(text, "0123456789abcdef") != "" {
		w.add(words, pattern(text))
		return
	}
	w.add(`(`+words+` OR fingerprint >= ? AND fingerprint < ?)`, pattern(text), text, text+"g") // g comes behind all digits
}

// filter is the condition of a query, with its arguments.
type filter struct {
	parts []string
	args  []any
}

// add takes one condition more; each ? in it stands for a value.
func (w *filter) add(condition string, values ...any) {
	for _, v := range values {
		w.args = append(w.args, v)
		condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(w.args)), 1)
	}
	w.parts = append(w.parts, condition)
}

func (w *filter) where() string {
	if len(w.parts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.parts, " AND ")
}

// page bounds the list; it comes last.
func (w *filter) page(p Page) string {
	w.args = append(w.args, p.limit(), p.Offset)
	return fmt.Sprintf(" LIMIT $%d OFFSET $%d", len(w.args)-1, len(w.args))
}

// Certificate finds one by its fingerprint; [ErrNotFound].
func (h *History) Certificate(ctx context.Context, fingerprint string) (Known, error) {
	list, err := h.known(ctx, `SELECT body, first_seen, last_seen FROM certificates WHERE fingerprint = $1`, fingerprint)
	switch {
	case err != nil:
		return Known{}, err
	case len(list) == 0:
		return Known{}, fmt.Errorf("certificate %s: %w", fingerprint, ErrNotFound)
	}
	return list[0], nil
}

// known reads certificates with where they were seen.
func (h *History) known(ctx context.Context, query string, args ...any) (list []Known, err error) {
	err = each(ctx, h.readers, func(scan func(...any) error) error {
		var body string
		var first, last int64
		if err := scan(&body, &first, &last); err != nil {
			return err
		}
		k := Known{First: moment(first), Last: moment(last)}
		err := json.Unmarshal([]byte(body), &k.Certificate)
		list = append(list, k)
		return err
	}, query, args...)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].Where, err = h.whereabouts(ctx, list[i].Fingerprint); err != nil {
			return nil, err
		}
	}
	return list, nil
}
