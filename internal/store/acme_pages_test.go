package store

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

func pagesOfAccountsAndOrders(_ *testing.T, f *fixture) {
	ctx := f.Context()
	for i := range 5 {
		a := f.account(fmt.Sprintf("a%d", i))
		a.CreatedAt = f.now.Add(time.Duration(i/2) * time.Second) // two of the same moment
		a.Body = fmt.Appendf(nil, `{"contact":["mailto:Person%d@corp.example"]}`, i)
		f.must(f.AddACMEAccount(ctx, a, "", f.by()))
		o := ACMEOrder{ID: fmt.Sprintf("o%d", i), Account: fmt.Sprintf("a%d", i%2), Status: "pending", CreatedAt: a.CreatedAt, ExpiresAt: f.now.Add(time.Hour), Body: []byte("{}")}
		if i == 4 {
			o.Status = "invalid"
		}
		f.must(f.AddACMEOrder(ctx, o, nil, ""))
	}
	accounts := func(q AccountQuery) (ids []string) {
		q.Limit = 2
		for {
			page, err := f.ACMEAccountPage(ctx, q)
			f.must(err)
			for _, a := range page {
				ids = append(ids, a.ID)
				q.After = Place{a.CreatedAt, a.ID}
			}
			if len(page) < 2 {
				return ids
			}
		}
	}
	d, other := "d", "other"
	for _, c := range []struct {
		q    AccountQuery
		want []string
	}{
		{AccountQuery{}, []string{"a4", "a3", "a2", "a1", "a0"}}, {AccountQuery{Directory: &d, Status: "valid"}, []string{"a4", "a3", "a2", "a1", "a0"}},
		{AccountQuery{Directory: &other}, nil}, {AccountQuery{Status: "revoked"}, nil},
		{AccountQuery{Contains: "person3@CORP"}, []string{"a3"}}, {AccountQuery{Contains: "a1"}, []string{"a1"}}, {AccountQuery{Contains: "%"}, nil},
	} {
		if got := accounts(c.q); !slices.Equal(got, c.want) {
			f.Errorf("%+v: %v, want %v", c.q, got, c.want)
		}
	}
	for _, c := range []struct {
		q    OrderQuery
		want []string
	}{
		{OrderQuery{}, []string{"o4", "o3", "o2", "o1", "o0"}}, {OrderQuery{Account: "a0"}, []string{"o4", "o2", "o0"}},
		{OrderQuery{Account: "a0", Status: "pending", Limit: 1}, []string{"o2"}}, {OrderQuery{After: Place{f.now.Add(time.Second), "o3"}}, []string{"o2", "o1", "o0"}},
	} {
		page, err := f.ACMEOrderPage(ctx, c.q)
		f.must(err)
		var got []string
		for _, o := range page {
			got = append(got, o.ID)
		}
		if !slices.Equal(got, c.want) {
			f.Errorf("%+v: %v, want %v", c.q, got, c.want)
		}
	}
}

func certificatesAreFoundByAccount(_ *testing.T, f *fixture) {
	ctx := f.Context()
	f.must(f.AddACMEAccount(ctx, f.account("a"), "", f.by()))
	f.must(f.AddACMEOrder(ctx, ACMEOrder{ID: "o", Account: "a", Status: "processing", CreatedAt: f.now, ExpiresAt: f.now, Body: []byte("{}")}, nil, ""))
	f.issue(1)
	id, err := f.Reserve(ctx, f.request(2))
	f.must(err)
	c := f.certificate(2, id)
	c.Order, c.Serial = "o", serial(2)
	f.must(f.Record(ctx, c))
	for account, want := range map[string]int{"a": 1, "b": 0} {
		for _, issuer := range []int64{0, f.issuer.ID} {
			if got, err := f.List(ctx, Query{Issuer: issuer, Account: account}); err != nil || len(got) != want || want == 1 && got[0].ID != id {
				f.Errorf("account %s: %+v %v", account, got, err)
			}
		}
	}
	mine, other := fmt.Sprintf("%x", serial(2)), fmt.Sprintf("%x", serial(1))
	found, err := f.ACMEOrdersBySerial(ctx, []string{other, mine, ""})
	if err != nil || len(found) != 1 || found[mine].ID != "o" {
		f.Errorf("%+v %v", found, err)
	}
	many := make([]string, 3*maxSerials)
	many[len(many)-1] = mine
	if found, err = f.ACMEOrdersBySerial(ctx, many); err != nil || len(found) != 1 {
		f.Errorf("%+v %v", found, err)
	}
	sum, err := f.Summary(ctx, f.now)
	if err != nil || sum.Unexpired != 2 || sum.Revoked != 0 || sum.Accounts["valid"] != 1 || sum.Orders["valid"] != 1 {
		f.Errorf("%+v %v", sum, err)
	}
	f.must(f.Ping(ctx))
}

func theAuditLogHasPages(_ *testing.T, f *fixture) {
	ctx := f.Context()
	for i := range 5 {
		f.must(f.Note(ctx, Entry{At: f.now, Actor: fmt.Sprintf("actor %d", i%2), Action: ActionAdmin, Detail: fmt.Sprint(i)}))
	}
	details := func(q AuditQuery) (all []string) {
		page, err := f.AuditPage(ctx, q)
		f.must(err)
		for _, e := range page {
			all = append(all, e.Detail)
		}
		return all
	}
	all, err := f.AuditPage(ctx, AuditQuery{Action: ActionAdmin})
	f.must(err)
	for _, c := range []struct {
		q    AuditQuery
		want []string
	}{
		{AuditQuery{Action: ActionAdmin}, []string{"0", "1", "2", "3", "4"}}, {AuditQuery{Action: ActionAdmin, Newest: true, Limit: 2}, []string{"4", "3"}},
		{AuditQuery{Actor: "actor 1"}, []string{"1", "3"}}, {AuditQuery{Action: ActionAdmin, After: all[2].Seq}, []string{"3", "4"}},
		{AuditQuery{Action: ActionAdmin, After: all[2].Seq, Newest: true}, []string{"1", "0"}}, {AuditQuery{Actor: "nobody"}, nil},
	} {
		if got := details(c.q); !slices.Equal(got, c.want) {
			f.Errorf("%+v: %v, want %v", c.q, got, c.want)
		}
	}
}

func writesAreObserved(_ *testing.T, f *fixture) {
	var writes, failed atomic.Int64
	f.Observe(func(n int, took time.Duration, err error) {
		writes.Add(int64(n))
		if err != nil {
			failed.Add(1)
		}
		if took < 0 {
			f.Error(took)
		}
	})
	f.issue(1) // reserves and records
	if err := f.Revoke(f.Context(), f.issuer.ID, serial(9), Revocation{At: f.now}, f.by()); err == nil {
		f.Error("what is not there was revoked")
	}
	if writes.Load() != 3 || failed.Load() != 1 {
		f.Errorf("%d writes, %d failed", writes.Load(), failed.Load())
	}
	f.Observe(nil)
	f.issue(2)
	if writes.Load() != 3 {
		f.Error("observed after the end")
	}
}
