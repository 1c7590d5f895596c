package authority

import (
	"context"
	"sync/atomic"

	"github.com/tlswright/tlswright/internal/store"
)

// Reserved is a request that is on disk with its serial number, and for which nothing has been signed yet.
type Reserved struct {
	authority *Authority
	order     Order
	id        int64
}

// Reserve is the first half of [Authority.Order]: what is refused beforehand is refused here, and the serial number is on
// disk when it returns. Whoever dies before the second half, [Reserved.Issue], loses a number and nothing else. The error
// of Order.Take is returned as it is.
func (a *Authority) Reserve(ctx context.Context, o Order) (*Reserved, error) {
	var refused atomic.Bool // by Take: that is none of the authority's business
	if take := o.Take; take != nil {
		o.Take = func(row *store.ACMEOrder) error {
			err := take(row)
			refused.Store(err != nil)
			return err
		}
	}
	id, err := a.take(ctx, &o)
	if err != nil {
		if !refused.Load() {
			a.Meter.NotIssued(profileName(&o.Request))
		}
		return nil, err
	}
	return &Reserved{authority: a, order: o, id: id}, nil
}

func (a *Authority) take(ctx context.Context, o *Order) (id int64, err error) {
	if err := a.needKey(); err != nil {
		return 0, err
	}
	if err := checkBeforehand(&o.Request); err != nil {
		return 0, err
	}
	return a.reserve(ctx, o)
}

// Issue is the second half: it prepares, examines, signs and records, as [Authority.Order] says. It is called once.
func (r *Reserved) Issue(ctx context.Context) (*Issued, error) {
	a := r.authority
	c, findings, err := a.fulfil(ctx, &r.order, r.id)
	if err != nil {
		a.Meter.NotIssued(profileName(&r.order.Request))
		return nil, err
	}
	a.Meter.Issued(profileName(&r.order.Request))
	chain := make([][]byte, 0, 1+len(a.Chain))
	chain = append(chain, c.Raw)
	for _, up := range a.Chain {
		chain = append(chain, up.Raw)
	}
	return &Issued{Certificate: c, Chain: chain, Findings: findings, Record: r.id}, nil
}
