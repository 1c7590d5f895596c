package authority

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"math/big"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
)

// How long lists are good for by default.
const (
	crlLifetime   = 7 * 24 * time.Hour
	deltaLifetime = 24 * time.Hour
)

// CRLOptions say which list is wanted. The zero value: the complete one.
type CRLOptions struct {
	// Delta asks for what changed since the last list of the same kind that left.
	Delta bool
	// Shards above 1 asks for partition Shard (0 to Shards-1) only. If the CRL of this
	// authority has partitions, it must be their number.
	Shard, Shards int
	// Lifetime is the time to the next update; 0: 7 days, a delta 1 day.
	Lifetime time.Duration
	// URLs are the names of the partition's distribution point, with "{shard}"; nil:
	// those of the publication.
	URLs []string
}

// scope names lists that replace each other.
func (o *CRLOptions) scope() string {
	if o.Shards > 1 {
		return fmt.Sprintf("shard %d of %d", o.Shard, o.Shards)
	}
	return "complete"
}

// CRL makes a list (RFC 5280, Section 5), DER. Its number is greater than that of
// any before and on disk before the list is signed; that it leaves is on disk
// before it is returned. It contains every revocation that was recorded before the
// call, and leaves out certificates that had expired by the list before the last.
func (a *Authority) CRL(ctx context.Context, o CRLOptions) (der []byte, err error) {
	if err := a.checkCRL(&o); err != nil {
		return nil, err
	}
	for range maxRaces {
		// Another process may have been faster with a greater number: then this list must not leave any more.
		if der, err = a.oneCRL(ctx, o); !errors.Is(err, store.ErrOldNumber) {
			break
		}
	}
	return der, err
}

// maxRaces bounds how often a list is made anew because a newer one has left.
const maxRaces = 10

func (a *Authority) oneCRL(ctx context.Context, o CRLOptions) ([]byte, error) {
	last, err := a.lastCRL(ctx, &o)
	if err != nil {
		return nil, err
	}
	number, err := a.Store.NextCRL(ctx, a.record.ID, o.describe(), a.by())
	if err != nil {
		return nil, err
	}
	q := store.RevokedQuery{Issuer: a.record.ID, Horizon: number.Horizon, EndsFrom: last.ThisUpdate}
	if o.Delta {
		q.Since = last.Horizon
		q.Delta = true
	}
	source := a.Store.Revoked(ctx, q)
	return a.makeCRL(ctx, &o, last, number, func(yield func(store.Revoked, error) bool) {
		for r, err := range source {
			if err == nil && crl.ShardOf(r.Serial, o.Shards) != o.Shard {
				continue
			}
			if !yield(r, err) {
				return
			}
		}
	})
}

// Partitions makes all partitions of the list, in their order. Revocations are read
// once for all.
func (a *Authority) Partitions(ctx context.Context, o CRLOptions) ([][]byte, error) {
	if o.Shards == 0 {
		o.Shards = a.record.Shards
	}
	o.Shard = 0
	if err := a.checkCRL(&o); err != nil {
		return nil, err
	}
	if o.Shards <= 1 {
		return nil, &pki.RefusedError{Reason: "the CRL has no partitions", Hint: "say how many there shall be"}
	}
	lasts, numbers := make([]store.CRLState, o.Shards), make([]store.CRLNumber, o.Shards)
	q := store.RevokedQuery{Issuer: a.record.ID, Delta: o.Delta}
	var err error
	for i := range o.Shards {
		o.Shard = i
		if lasts[i], err = a.lastCRL(ctx, &o); err != nil {
			return nil, err
		}
		if i == 0 || lasts[i].Horizon < q.Since {
			q.Since = lasts[i].Horizon
		}
		if i == 0 || lasts[i].ThisUpdate.Before(q.EndsFrom) {
			q.EndsFrom = lasts[i].ThisUpdate
		}
		if numbers[i], err = a.Store.NextCRL(ctx, a.record.ID, o.describe(), a.by()); err != nil {
			return nil, err
		}
		numbers[i].Horizon = numbers[0].Horizon // what is read below is what was there first
	}
	if !o.Delta {
		q.Since = 0
	}
	q.Horizon = numbers[0].Horizon
	entries := make([][]store.Revoked, o.Shards)
	for r, err := range a.Store.Revoked(ctx, q) {
		if err != nil {
			return nil, err
		}
		i := crl.ShardOf(r.Serial, o.Shards)
		entries[i] = append(entries[i], r)
	}
	lists := make([][]byte, o.Shards)
	for i := range lists {
		o.Shard = i
		lists[i], err = a.makeCRL(ctx, &o, lasts[i], numbers[i], func(yield func(store.Revoked, error) bool) {
			for _, r := range entries[i] {
				if r.NotAfter.Before(lasts[i].ThisUpdate) {
					continue
				}
				if !yield(r, nil) {
					return
				}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return lists, nil
}

func (o *CRLOptions) describe() string {
	if o.Delta {
		return "delta, " + o.scope()
	}
	return o.scope()
}

func (a *Authority) checkCRL(o *CRLOptions) error {
	if err := a.needKey(); err != nil {
		return err
	}
	if o.Lifetime == 0 {
		o.Lifetime = crlLifetime
		if o.Delta {
			o.Lifetime = deltaLifetime
		}
	}
	if o.Lifetime < time.Minute {
		return &pki.RefusedError{Reason: fmt.Sprintf("a CRL that is good for %v only", o.Lifetime), Hint: "a minute is the least"}
	}
	if o.Shards <= 1 {
		o.Shards = 1
	}
	if o.Shard < 0 || o.Shard >= o.Shards || o.Shards > maxShards {
		return &pki.RefusedError{Reason: fmt.Sprintf("there is no partition %d of %d", o.Shard, o.Shards), Hint: "they are counted from 0"}
	}
	if o.Shards == 1 {
		return nil
	}
	if a.record.Shards > 1 && o.Shards != a.record.Shards {
		return &pki.RefusedError{Reason: fmt.Sprintf("the CRL has %d partitions, for ever: certificates point to them", a.record.Shards)}
	}
	if o.URLs == nil {
		o.URLs = a.Publication.CRL
	}
	if len(o.URLs) == 0 || !strings.Contains(o.URLs[0], shardMark) {
		// RFC 5280, Section 6.3.3: without a name nothing tells which certificates a partition is about.
		return &pki.RefusedError{Reason: "a partition of a CRL must name its distribution point", Hint: "give the URL at which it will be published, with {shard} for its number"}
	}
	return nil
}

// lastCRL is the last complete list of the scope: the base of a delta.
func (a *Authority) lastCRL(ctx context.Context, o *CRLOptions) (store.CRLState, error) {
	last, err := a.Store.LastCRL(ctx, a.record.ID, o.scope())
	if errors.Is(err, store.ErrNotFound) {
		if o.Delta {
			return last, &pki.RefusedError{Reason: "there is no complete CRL yet that a delta could start from", Hint: "make one: tlswright ca crl"}
		}
		return store.CRLState{Scope: o.scope()}, nil
	}
	return last, err
}

// makeCRL signs a list and notes that it leaves.
func (a *Authority) makeCRL(ctx context.Context, o *CRLOptions, last store.CRLState, number store.CRLNumber, source iter.Seq2[store.Revoked, error]) ([]byte, error) {
	by := a.by()
	thisUpdate := by.At.UTC().Truncate(time.Second)
	t := crl.Template{Number: big.NewInt(number.Number), ThisUpdate: thisUpdate, NextUpdate: thisUpdate.Add(o.Lifetime)}
	if o.Delta {
		t.Base = big.NewInt(last.Number)
	} else {
		t.Freshest = urlsOf(a.Publication.Delta, o.Shard)
	}
	if o.Shards > 1 {
		t.IDP = &crl.DistributionPoint{URIs: urlsOf(o.URLs, o.Shard)}
	}
	var entries int64
	var failed error
	t.Entries = func(yield func(crl.Entry) bool) {
		for r, err := range source {
			if err != nil {
				failed = err
				return
			}
			entries++
			if !yield(crl.Entry{Serial: r.Serial, RevokedAt: r.At, Reason: crl.Reason(r.Reason), InvalidityDate: r.InvalidAt}) {
				return
			}
		}
	}
	der, err := crl.Create(t, a.Issuer.Certificate, a.Issuer.Key)
	if failed != nil {
		return nil, failed
	}
	if err != nil {
		return nil, fmt.Errorf("make the CRL: %w", err)
	}
	state := store.CRLState{CRLNumber: number, Scope: o.describe(), ThisUpdate: thisUpdate, NextUpdate: t.NextUpdate, Entries: entries}
	if err := a.Store.RecordCRL(ctx, a.record.ID, state, sha256.Sum256(der), by); err != nil {
		return nil, fmt.Errorf("CRL number %d: %w", number.Number, err)
	}
	if o.Delta {
		a.Meter.Signed("delta")
	} else {
		a.Meter.Signed("crl")
	}
	return der, nil
}
