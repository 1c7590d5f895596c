package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

// pageSize is how many rows are read at a time where many are.
const pageSize = 1000

// Certificate is what is on file about one serial number.
type Certificate struct {
	ID         int64
	Issuer     int64
	Serial     []byte
	State      State
	Profile    string
	Asked      string // what was asked for, JSON
	AskedAt    time.Time
	Renews     int64  // the certificate it follows; 0: none
	Reason     string // why refused or lost
	CSR        []byte // only from Get
	Subject    string // this and the rest only where a certificate was issued
	Names      []string
	NotBefore  time.Time
	NotAfter   time.Time
	IssuedAt   time.Time
	DER        []byte
	Revocation *Revocation // of a revoked one and of one on hold
}

// Query says which certificates are meant. The zero value means all.
type Query struct {
	Issuer   int64   // 0: any
	States   []State // none: any
	Name     string  // an alternative name, whole, whatever its case
	Contains string  // part of an alternative name or of the subject
	Serial   string  // the first hexadecimal digits of the serial number
	Profile  string
	Account  string    // ordered over ACME by this account
	EndsFrom time.Time // the end of validity, from …
	EndsTo   time.Time // … to (excluded)
	From     time.Time // asked for, from …
	To       time.Time // … to (excluded)
	Newest   bool      // the newest first, else the oldest
	After    int64     // only what comes after this ID in that order: the next page
	Limit    int       // at most so many; 0: 100
	Light    bool      // without DER
}

const certificateColumns = `r.id, r.issuer, r.serial, COALESCE(c.state, r.outcome, 1), r.profile, r.asked, r.asked_at, COALESCE(r.renews, 0), COALESCE(r.reason, ''),
	COALESCE(c.subject, ''), COALESCE(c.names, ''), COALESCE(c.not_before, 0), COALESCE(c.not_after, 0), COALESCE(c.issued_at, 0),
	v.revoked_at, v.reason, v.invalid_at`

const certificateTables = ` FROM requests r LEFT JOIN certificates c ON c.id = r.id
	LEFT JOIN revocations v ON c.state IN (3, 6) AND v.change = (SELECT MAX(change) FROM revocations WHERE certificate = r.id)`

// scanCertificate reads a row of certificateColumns and then those of more.
func scanCertificate(scan func(...any) error, more ...any) (Certificate, error) {
	var c Certificate
	var state, askedAt, notBefore, notAfter, issuedAt int64
	var names string
	var revokedAt, reason, invalidAt sql.NullInt64
	err := scan(append([]any{&c.ID, &c.Issuer, &c.Serial, &state, &c.Profile, &c.Asked, &askedAt, &c.Renews, &c.Reason,
		&c.Subject, &names, &notBefore, &notAfter, &issuedAt, &revokedAt, &reason, &invalidAt}, more...)...)
	c.State = State(state)
	c.AskedAt, c.NotBefore, c.NotAfter, c.IssuedAt = moment(askedAt), moment(notBefore), moment(notAfter), moment(issuedAt)
	if names != "" {
		c.Names = strings.Split(names, "\n")
	}
	if revokedAt.Valid {
		c.Revocation = &Revocation{At: moment(revokedAt.Int64), Reason: uint8(reason.Int64), InvalidAt: moment(invalidAt.Int64)}
	}
	return c, err
}

// Get gives what is on file about a serial number of an issuer; [ErrNotFound] if
// it was never given out.
func (s *Store) Get(ctx context.Context, issuer int64, serial []byte) (*Certificate, error) {
	return s.get(ctx, `r.issuer = $1 AND r.serial = $2`, issuer, serial)
}

// GetID is Get by the number of the request.
func (s *Store) GetID(ctx context.Context, id int64) (*Certificate, error) {
	return s.get(ctx, `r.id = $1`, id)
}

func (s *Store) get(ctx context.Context, where string, args ...any) (*Certificate, error) {
	row := s.ask(ctx, `SELECT `+certificateColumns+`, c.der, r.csr`+certificateTables+` WHERE `+where, args...)
	var der, csr []byte
	c, err := scanCertificate(row.Scan, &der, &csr)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, s.explain(err, "read a certificate's record")
	}
	c.DER, c.CSR = der, csr
	return &c, nil
}

// List gives one page of what a query means. Where it is full, the ID of its last
// certificate as Query.After gives the next one.
func (s *Store) List(ctx context.Context, q Query) ([]Certificate, error) {
	w := where{unhex: s.unhex()}
	w.query(q)
	order := "ASC"
	if q.Newest {
		order = "DESC"
	}
	limit := q.Limit
	if limit <= 0 {
		limit = 100
	}
	der := "c.der"
	if q.Light {
		der = "NULL"
	}
	text := `SELECT ` + certificateColumns + `, ` + der + certificateTables + w.text() + ` ORDER BY r.id ` + order + ` LIMIT ` + w.arg(limit)
	page, err := collect(ctx, s, func(scan func(...any) error) (Certificate, error) {
		var der []byte
		c, err := scanCertificate(scan, &der)
		c.DER = der
		return c, err
	}, text, w.args...)
	return page, s.explain(err, "list certificates")
}

// All gives everything that a query means, page by page, so that it is never in
// memory as a whole. Limit is the size of a page.
func (s *Store) All(ctx context.Context, q Query) iter.Seq2[Certificate, error] {
	return func(yield func(Certificate, error) bool) {
		if q.Limit <= 0 {
			q.Limit = pageSize
		}
		for {
			page, err := s.List(ctx, q)
			if err != nil {
				yield(Certificate{}, err)
				return
			}
			for _, c := range page {
				if !yield(c, nil) {
					return
				}
				q.After = c.ID
			}
			if len(page) < q.Limit {
				return
			}
		}
	}
}

// Count tells how many certificates a query means.
func (s *Store) Count(ctx context.Context, q Query) (n int64, err error) {
	w := where{unhex: s.unhex()}
	w.query(q)
	err = s.readers.QueryRowContext(ctx, `SELECT COUNT(*)`+certificateTables+w.text(), w.args...).Scan(&n)
	return n, s.explain(err, "count certificates")
}

// unhex turns an order's serial number into bytes.
func (s *Store) unhex() string {
	if s.postgres != nil {
		return "decode(serial, 'hex')"
	}
	return "unhex(serial)"
}

// where collects conditions and their arguments.
type where struct {
	conditions []string
	args       []any
	unhex      string // the serial number of an order as bytes
}

// arg takes a value and gives its place in the text.
func (w *where) arg(v any) string {
	w.args = append(w.args, v)
	return fmt.Sprintf("$%d", len(w.args))
}

func (w *where) and(format string, values ...any) {
	places := make([]any, len(values))
	for i, v := range values {
		places[i] = w.arg(v)
	}
	w.conditions = append(w.conditions, fmt.Sprintf(format, places...))
}

func (w *where) text() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}

func (w *where) query(q Query) {
	// The plus keeps a condition from being looked up in an index: pages come in the
	// order of IDs, and an index in another order would have everything sorted anew for
	// each page.
	if q.Issuer != 0 && q.Account != "" {
		w.and("r.issuer = %s", q.Issuer) // few are left: looked up by issuer and serial number
	} else if q.Issuer != 0 {
		w.and("+r.issuer = %s", q.Issuer)
	}
	if len(q.States) > 0 {
		w.states(q.States)
	}
	if q.Name != "" {
		w.and("r.id IN (SELECT certificate FROM names WHERE name = %s)", strings.ToLower(q.Name))
	}
	if q.Contains != "" {
		pattern := "%" + likeEscaped(strings.ToLower(q.Contains)) + "%"
		w.and(`(r.id IN (SELECT certificate FROM names WHERE name LIKE %s ESCAPE '\') OR LOWER(c.subject) LIKE %s ESCAPE '\')`, pattern, pattern)
	}
	if q.Serial != "" {
		w.serial(q.Serial)
	}
	if q.Account != "" {
		w.and("r.serial IN (SELECT "+w.unhex+" FROM acme_orders WHERE account = %s AND serial <> '')", q.Account)
	}
	if q.Profile != "" {
		w.and("r.profile = %s", q.Profile)
	}
	ends := "+c.not_after"
	if !q.EndsFrom.IsZero() && !q.EndsTo.IsZero() {
		ends = "c.not_after" // what ends soon is little, and the index finds it
	}
	for _, bound := range []struct {
		at        time.Time
		condition string
	}{
		{q.EndsFrom, ends + " >= %s"}, {q.EndsTo, ends + " < %s"},
		{q.From, "r.asked_at >= %s"}, {q.To, "r.asked_at < %s"},
	} {
		if !bound.at.IsZero() {
			w.and(bound.condition, millis(bound.at))
		}
	}
	switch {
	case q.After != 0 && q.Newest:
		w.and("r.id < %s", q.After)
	case q.After != 0:
		w.and("r.id > %s", q.After)
	}
}

// states asks for any of some states, in words that an index can help with.
func (w *where) states(states []State) {
	var either []string
	if !slices.ContainsFunc(states, func(s State) bool { return s != StateRevoked && s != StateOnHold }) {
		w.conditions = append(w.conditions, "c.state <> 2") // the very words of the index
	}
	for _, s := range states {
		switch s {
		case StateReserved:
			either = append(either, "(c.id IS NULL AND r.outcome IS NULL)")
		case StateRefused, StateLost:
			either = append(either, "r.outcome = "+w.arg(int64(s)))
		default:
			either = append(either, "c.state = "+w.arg(int64(s)))
		}
	}
	w.conditions = append(w.conditions, "("+strings.Join(either, " OR ")+")")
}

// serial asks for serial numbers that begin with some hexadecimal digits.
func (w *where) serial(digits string) {
	digits = strings.ToUpper(strings.ReplaceAll(digits, ":", ""))
	w.and(`HEX(r.serial) LIKE %s ESCAPE '\'`, likeEscaped(digits)+"%")
}

// likeEscaped makes a text mean itself in a LIKE pattern.
func likeEscaped(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}

// collect reads all rows of a question.
func collect[T any](ctx context.Context, s *Store, scan func(func(...any) error) (T, error), query string, args ...any) (all []T, err error) {
	rows, err := s.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return readAll(rows, scan)
}
