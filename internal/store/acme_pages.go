package store

import (
	"context"
	"strings"
	"time"
)

// Place is where a page of accounts or orders ended: the next one begins behind it. The zero value is the beginning.
type Place struct {
	At time.Time
	ID string
}

// AccountQuery says which accounts are meant. The zero value means all.
type AccountQuery struct {
	Directory *string // nil: any
	Status    string  // "": any
	Contains  string  // part of what the account says of itself (contacts), or the beginning of its ID; "": any
	After     Place
	Limit     int // 0: 100
}

// ACMEAccountPage lists accounts, the newest first.
func (s *Store) ACMEAccountPage(ctx context.Context, q AccountQuery) ([]ACMEAccount, error) {
	var w where
	if q.Directory != nil {
		w.and("directory = %s", *q.Directory)
	}
	if q.Status != "" {
		w.and("status = %s", q.Status)
	}
	if q.Contains != "" {
		// What the body holds besides contacts is base64 and names that were allowed: found by chance at worst.
		body := "CAST(body AS TEXT)"
		if s.postgres != nil {
			body = "convert_from(body, 'UTF8')"
		}
		w.and("(id LIKE %s ESCAPE '\\' OR LOWER("+body+") LIKE %s ESCAPE '\\')", likeEscaped(q.Contains)+"%", "%"+likeEscaped(strings.ToLower(q.Contains))+"%")
	}
	all, err := collect(ctx, s, scanAccount, `SELECT `+accountColumns+` FROM acme_accounts`+w.page(q.After, q.Limit), w.args...)
	return all, s.explain(err, "read the accounts")
}

// page ends a question for one page, the newest first.
func (w *where) page(after Place, limit int) string {
	if after.ID != "" {
		at := millis(after.At)
		w.and("(created_at < %s OR created_at = %s AND id < %s)", at, at, after.ID)
	}
	if limit <= 0 {
		limit = 100
	}
	return w.text() + " ORDER BY created_at DESC, id DESC LIMIT " + w.arg(limit)
}

// OrderQuery says which orders are meant. The zero value means all.
type OrderQuery struct {
	Account string // "": any
	Status  string // as it is on file; "": any
	After   Place
	Limit   int // 0: 100
}

// ACMEOrderPage lists orders, the newest first. Without an account it looks at every order there is.
func (s *Store) ACMEOrderPage(ctx context.Context, q OrderQuery) ([]ACMEOrder, error) {
	var w where
	if q.Account != "" {
		w.and("account = %s", q.Account)
	}
	if q.Status != "" {
		w.and("status = %s", q.Status)
	}
	all, err := collect(ctx, s, scanOrder, `SELECT `+orderColumns+` FROM acme_orders`+w.page(q.After, q.Limit), w.args...)
	return all, s.explain(err, "read the orders")
}

// maxSerials bounds how many orders are looked for at a time.
const maxSerials = 500

// ACMEOrdersBySerial finds the orders of certificates, by their serial numbers in hexadecimal. What was not ordered over
// ACME is not in the answer.
func (s *Store) ACMEOrdersBySerial(ctx context.Context, serials []string) (map[string]ACMEOrder, error) {
	found := make(map[string]ACMEOrder)
	for len(serials) > 0 {
		n := min(len(serials), maxSerials)
		args := make([]any, n)
		for i, serial := range serials[:n] {
			args[i] = serial
		}
		serials = serials[n:]
		rows, err := collect(ctx, s, scanOrder, `SELECT `+orderColumns+` FROM acme_orders WHERE serial <> '' AND serial IN (`+places(n)+`)`, args...)
		if err != nil {
			return nil, s.explain(err, "read the orders of certificates")
		}
		for _, o := range rows {
			found[o.Serial] = o
		}
	}
	return found, nil
}

// AuditQuery says which entries of the audit log are meant. The zero value means all.
type AuditQuery struct {
	Actor  string // who, whole; "": any
	Action string // "": any
	Newest bool   // the newest first, else the oldest
	After  int64  // only what comes behind this number in that order; 0: all
	Limit  int    // 0: 100
}

// AuditPage lists entries of the audit log.
func (s *Store) AuditPage(ctx context.Context, q AuditQuery) ([]Entry, error) {
	var w where
	if q.Actor != "" {
		w.and("actor = %s", q.Actor)
	}
	if q.Action != "" {
		w.and("action = %s", q.Action)
	}
	order := "ASC"
	if q.Newest {
		order = "DESC"
	}
	switch {
	case q.After > 0 && q.Newest:
		w.and("seq < %s", q.After)
	case q.After > 0:
		w.and("seq > %s", q.After)
	}
	if q.Limit <= 0 {
		q.Limit = 100
	}
	page, err := collect(ctx, s, scanEntry, `SELECT `+entryColumns+` FROM audit`+w.text()+` ORDER BY seq `+order+` LIMIT `+w.arg(q.Limit), w.args...)
	return page, s.explain(err, "read the audit log")
}
