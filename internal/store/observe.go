package store

import (
	"context"
	"time"
)

// Observe has f told of every transaction that wrote: how many writes shared it, how long it took, and what went wrong
// with it as a whole. f is called by whoever writes, and must not wait. Nil: nobody is told.
func (s *Store) Observe(f func(writes int, took time.Duration, err error)) {
	if f == nil {
		s.observer.Store(nil)
		return
	}
	s.observer.Store(&f)
}

// observe tells of a batch that was written.
func (s *Store) observe(batch []*write, since time.Time) {
	f := s.observer.Load()
	if f == nil {
		return
	}
	var trouble error
	for _, one := range batch {
		if one.err == nil {
			trouble = nil
			break
		}
		trouble = one.err
	}
	(*f)(len(batch), time.Since(since), trouble)
}

// observeAlone tells of a write that had a transaction of its own.
func (s *Store) observeAlone(since time.Time, err error) {
	if f := s.observer.Load(); f != nil {
		(*f)(1, time.Since(since), err)
	}
}

// Ping tells whether the records can be read.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.explain(s.readers.QueryRowContext(ctx, `SELECT 1`).Scan(&one), "read the records")
}

// Summary counts what is on file.
type Summary struct {
	Unexpired int64            // certificates whose validity has not ended, revoked ones among them
	Revoked   int64            // certificates that are revoked or on hold, ended ones among them
	Accounts  map[string]int64 // ACME accounts by status
	Orders    map[string]int64 // ACME orders by status, as they are on file
}

// Summary counts what is on file. It reads indexes for certificates and every order: some tenths of a second where there
// are millions, so whoever asks often keeps the answer for a while.
func (s *Store) Summary(ctx context.Context, now time.Time) (sum Summary, err error) {
	err = s.readers.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM certificates WHERE not_after >= $1), (SELECT COUNT(*) FROM certificates WHERE state <> 2)`,
		millis(now)).Scan(&sum.Unexpired, &sum.Revoked)
	if err != nil {
		return sum, s.explain(err, "count certificates")
	}
	if sum.Accounts, err = s.countBy(ctx, `SELECT status, COUNT(*) FROM acme_accounts GROUP BY status`); err != nil {
		return sum, s.explain(err, "count accounts")
	}
	sum.Orders, err = s.countBy(ctx, `SELECT status, COUNT(*) FROM acme_orders GROUP BY status`)
	return sum, s.explain(err, "count orders")
}

func (s *Store) countBy(ctx context.Context, query string) (map[string]int64, error) {
	type row struct {
		word string
		n    int64
	}
	rows, err := collect(ctx, s, func(scan func(...any) error) (r row, err error) {
		err = scan(&r.word, &r.n)
		return r, err
	}, query)
	counts := make(map[string]int64, len(rows))
	for _, r := range rows {
		counts[r.word] = r.n
	}
	return counts, err
}

// CRLStates lists the last CRL of each scope that left.
func (s *Store) CRLStates(ctx context.Context, issuer int64) ([]CRLState, error) {
	all, err := collect(ctx, s, func(scan func(...any) error) (c CRLState, err error) {
		var this, next int64
		err = scan(&c.Scope, &c.Number, &c.Horizon, &this, &next, &c.Entries)
		c.ThisUpdate, c.NextUpdate = moment(this), moment(next)
		return c, err
	}, `SELECT scope, number, horizon, this_update, next_update, entries FROM crl_state WHERE issuer = $1 ORDER BY scope`, issuer)
	return all, s.explain(err, "read what CRLs there are")
}
