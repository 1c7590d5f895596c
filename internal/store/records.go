package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// State says what has become of a serial number.
type State uint8

// The states. The numbers are in the database.
const (
	StateReserved State = 1 // a certificate may be in the making
	StateIssued   State = 2
	StateRevoked  State = 3
	StateRefused  State = 4 // nothing was signed: the request was refused
	StateLost     State = 5 // nothing left: a crash came between reserving and recording
	StateOnHold   State = 6 // revoked for the time being
)

// String names the state.
func (s State) String() string {
	switch s {
	case StateReserved:
		return "reserved"
	case StateIssued:
		return "issued"
	case StateRevoked:
		return "revoked"
	case StateRefused:
		return "refused"
	case StateLost:
		return "lost"
	case StateOnHold:
		return "on hold"
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// By says who did something, and when, for the audit log.
type By struct {
	Actor string
	At    time.Time
}

// NewRequest is a request that is taken, with the serial number that is to be its
// own for ever.
type NewRequest struct {
	By
	Issuer  int64
	Serial  []byte // big-endian, no leading zero
	Profile string
	Asked   string // what was asked for, JSON
	CSR     []byte // DER; may be nil
	Renews  int64  // the certificate it follows; 0: none
	// Take changes the ACME order Order in the same transaction; its error undoes both. nil: none is changed.
	Order string
	Take  func(*ACMEOrder) error
}

// NewCertificate is a signed certificate for an open request.
type NewCertificate struct {
	By
	ID        int64 // of its request
	Issuer    int64
	Profile   string
	Subject   string
	Names     []string // alternative names, as the certificate has them
	NotBefore time.Time
	NotAfter  time.Time
	DER       []byte
	Digest    [32]byte // SHA-256 of DER
	Serial    []byte   // as it was reserved, for the audit log
	Imported  bool     // it was signed before there was a database
	Order     string   // the ACME order that it fulfils; "": none
}

// Reserve takes a request and its serial number; when it returns, both are on
// disk. [ErrSerialTaken]: the issuer has used or reserved that number before. The
// error of Take is returned as it is.
func (s *Store) Reserve(ctx context.Context, r NewRequest) (id int64, err error) {
	w := &write{reserve: &r}
	if r.Take != nil {
		w.run = func(c *change) error {
			_, err := c.changeOrder(r.Order, r.Take)
			return err
		}
	}
	if err := s.do(ctx, w); err != nil {
		return 0, err
	}
	return w.id, nil
}

// Record files the certificate of an open request; when it returns, it is on disk
// and may be handed out. [ErrNotOpen]: the request has been closed in the
// meantime; [ErrSerialTaken]: it has its certificate already.
func (s *Store) Record(ctx context.Context, c NewCertificate) error {
	return s.do(ctx, &write{record: &c})
}

// Refuse closes an open request for which nothing was signed, with the reason.
func (s *Store) Refuse(ctx context.Context, id int64, reason string, by By) error {
	return s.do(ctx, &write{run: func(c *change) error {
		return c.closeRequest(id, StateRefused, reason, by)
	}})
}

func (c *change) closeRequest(id int64, outcome State, reason string, by By) error {
	if c.store.postgres != nil {
		// Who records its certificate just now holds this lock; the next statement sees what he has done.
		var locked int64
		if err := c.row([]any{&locked}, `SELECT id FROM requests WHERE id = $1`+c.forUpdate(), id); err != nil {
			return err
		}
	}
	n, err := c.affected(`UPDATE requests SET outcome = $1, reason = $2 WHERE id = $3 AND outcome IS NULL
		AND NOT EXISTS (SELECT 1 FROM certificates WHERE certificates.id = requests.id)`, int64(outcome), reason, id)
	if err != nil {
		return err
	}
	if n != 1 {
		return ErrNotOpen
	}
	var issuer int64
	var serial []byte
	if err := c.row([]any{&issuer, &serial}, `SELECT issuer, serial FROM requests WHERE id = $1`, id); err != nil {
		return err
	}
	action := ActionRefused
	if outcome == StateLost {
		action = ActionLost
	}
	c.note(Entry{At: by.At, Actor: by.Actor, Action: action, Issuer: issuer, Request: id,
		Detail: fmt.Sprintf("serial %x: %s", serial, reason)})
	return nil
}

// Rows that one statement takes; what is left over is taken in smaller bites. Each
// size is a statement that stays prepared.
var bites = [...]int{64, 16, 4, 1}

// bite calls insert with parts of n rows: from row i, k of them.
func bite(n int, insert func(i, k int) error) error {
	for i := 0; i < n; {
		for _, k := range bites {
			if n-i >= k {
				if err := insert(i, k); err != nil {
					return err
				}
				i += k
				break
			}
		}
	}
	return nil
}

// values is "(?,?),(?,?)" for rows of columns. SQLite looks for a numbered place in
// the list of all places, each time, which is slow where there are hundreds; so
// these have no numbers.
func values(rows, columns int) string {
	row := "(" + strings.Repeat(",?", columns)[1:] + ")"
	return strings.Repeat(","+row, rows)[1:]
}

// numberedValues is "($1,$2),($3,$4)", which is what PostgreSQL understands.
func numberedValues(rows, columns int) string {
	var b strings.Builder
	for i := range rows * columns {
		switch {
		case i == 0:
			b.WriteByte('(')
		case i%columns == 0:
			b.WriteString("),(")
		default:
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "$%d", i+1)
	}
	return b.String() + ")"
}

// insert adds n rows to a table; fill appends the values of row i.
func (c *change) insert(into string, columns, n int, fill func(args []any, i int) []any) error {
	var args []any
	return bite(n, func(from, k int) error {
		args = args[:0]
		for i := from; i < from+k; i++ {
			args = fill(args, i)
		}
		return c.exec(c.store.insertion(into, k, columns), args...)
	})
}

// insertion is the statement that adds k rows; its text is made once.
func (s *Store) insertion(into string, k, columns int) string {
	key := insertKey{into, k}
	if text, ok := s.inserts.Load(key); ok {
		return text.(string)
	}
	rows := values
	if s.postgres != nil {
		rows = numberedValues
	}
	text := "INSERT INTO " + into + " VALUES " + rows(k, columns)
	s.inserts.Store(key, text)
	return text
}

type insertKey struct {
	into string
	rows int
}

// reserveAll gives the requests the next numbers and their rows.
func (c *change) reserveAll(writes []*write) error {
	if len(writes) == 0 {
		return nil
	}
	if p := c.store.postgres; p != nil {
		return p.reserveAll(c, writes)
	}
	var last int64
	if err := c.row([]any{&last}, `SELECT COALESCE(MAX(id), 0) FROM requests`); err != nil {
		return err
	}
	for i, w := range writes {
		w.id = last + int64(i) + 1
	}
	return c.insert("requests (id, issuer, serial, asked_at, profile, asked, csr, renews)", 8, len(writes), func(args []any, i int) []any {
		return writes[i].requestRow(args)
	})
}

// requestRow appends the values of a new request.
func (w *write) requestRow(args []any) []any {
	r := w.reserve
	return append(args, w.id, r.Issuer, r.Serial, millis(r.At), r.Profile, r.Asked, blob(r.CSR), number(r.Renews))
}

// blob is NULL for nothing.
func blob(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

// number is NULL for zero.
func number(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

// recordAll files certificates with their names and audit entries.
func (c *change) recordAll(writes []*write) error {
	if len(writes) == 0 {
		return nil
	}
	err := c.insert("certificates (id, issuer, state, profile, subject, names, not_before, not_after, issued_at, der)", 10, len(writes), func(args []any, i int) []any {
		r := writes[i].record
		return append(args, r.ID, r.Issuer, int64(StateIssued), r.Profile, r.Subject, strings.Join(r.Names, "\n"),
			millis(r.NotBefore), millis(r.NotAfter), millis(r.At), r.DER)
	})
	if err != nil {
		return err
	}
	type pair struct {
		name string
		id   int64
	}
	var pairs []pair
	for _, w := range writes {
		for i, name := range w.record.Names {
			name = strings.ToLower(name)
			if !repeated(w.record.Names[:i], name) {
				pairs = append(pairs, pair{name, w.record.ID})
			}
		}
	}
	err = c.insert("names (name, certificate)", 2, len(pairs), func(args []any, i int) []any {
		return append(args, pairs[i].name, pairs[i].id)
	})
	if err != nil {
		return err
	}
	for _, w := range writes {
		r := w.record
		action := ActionIssued
		if r.Imported {
			action = ActionImported
		}
		if r.Order != "" {
			if err := c.fulfil(r.Order, fmt.Sprintf("%x", r.Serial)); err != nil {
				return err
			}
		}
		c.note(Entry{At: r.At, Actor: r.Actor, Action: action, Issuer: r.Issuer, Request: r.ID, Digest: r.Digest[:], Detail: issuedText(r)})
	}
	return nil
}

// issuedText is what the audit log says of a certificate, besides its digest.
func issuedText(r *NewCertificate) string {
	if len(r.Serial) == 0 {
		return r.Profile
	}
	return fmt.Sprintf("serial %x, %s", r.Serial, r.Profile)
}

// repeated tells whether a name occurs in a list, whatever its case.
func repeated(names []string, name string) bool {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// Lost is a request that a crash left open: its serial number was reserved and no
// certificate left.
type Lost struct {
	ID      int64
	Issuer  int64
	Serial  []byte
	AskedAt time.Time
}

// Lost lists the requests that Open found open and closed.
func (s *Store) Lost() []Lost { return s.lost }

// A request that somebody may still be at work on is given this much time.
const openFor = time.Hour

// settledMark names the mark up to which all requests are known to be closed.
const settledMark = "settled"

// settle closes what a crash left open: everything if nobody else is here, else
// what is older than anybody takes.
func (s *Store) settle(ctx context.Context, now time.Time) error {
	var settled, last int64
	err := s.readers.QueryRowContext(ctx, `SELECT COALESCE((SELECT value FROM marks WHERE name = $1), 0), COALESCE((SELECT MAX(id) FROM requests), 0)`,
		settledMark).Scan(&settled, &last)
	if err != nil {
		return fmt.Errorf("look for what a crash left: %w", err)
	}
	before := millis(now.Add(-openFor))
	if s.alone {
		before = millis(now.Add(24 * time.Hour)) // the clock may have been set back
	}
	rows, err := s.readers.QueryContext(ctx, `SELECT id, issuer, serial, asked_at FROM requests
		WHERE id > $1 AND outcome IS NULL AND asked_at < $2 AND NOT EXISTS (SELECT 1 FROM certificates WHERE certificates.id = requests.id)`, settled, before)
	if err != nil {
		return fmt.Errorf("look for what a crash left: %w", err)
	}
	var lost []Lost
	for rows.Next() {
		var l Lost
		var at int64
		if err := rows.Scan(&l.ID, &l.Issuer, &l.Serial, &at); err != nil {
			return errors.Join(err, rows.Close())
		}
		l.AskedAt = moment(at)
		lost = append(lost, l)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return fmt.Errorf("look for what a crash left: %w", err)
	}
	// The mark saves reading, nothing else: it is moved when that is worth a write.
	mark := s.alone && last-settled > 1000
	if len(lost) == 0 && !mark {
		return nil
	}
	return s.do(ctx, &write{run: func(c *change) error {
		s.lost = s.lost[:0]
		for _, l := range lost {
			err := c.closeRequest(l.ID, StateLost, "a crash came before the certificate was recorded", By{Actor: "tlswright", At: now})
			if errors.Is(err, ErrNotOpen) {
				continue // finished since we looked, by another process
			}
			if err != nil {
				return err
			}
			s.lost = append(s.lost, l)
		}
		if !mark {
			return nil
		}
		return c.exec(`INSERT INTO marks (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, settledMark, last)
	}})
}
