package store

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func (f *fixture) account(id string) ACMEAccount {
	return ACMEAccount{ID: id, Directory: "d", Thumbprint: []byte("print of " + id), Status: "valid", Key: []byte("{}"), Body: []byte(`{"n":1}`), CreatedAt: f.now}
}

func anAccountHasOneKey(_ *testing.T, f *fixture) {
	ctx := f.Context()
	a := f.account("a")
	if err := f.AddACMEAccount(ctx, a, "", f.by()); err != nil {
		f.Fatal(err)
	}
	twin := f.account("twin")
	twin.Thumbprint = a.Thumbprint
	if err := f.AddACMEAccount(ctx, twin, "", f.by()); !errors.Is(err, ErrTaken) {
		f.Errorf("two accounts with one key: %v", err)
	}
	twin.Directory = "another"
	if err := f.AddACMEAccount(ctx, twin, "", f.by()); err != nil {
		f.Errorf("the same key in another directory: %v", err)
	}
	got, err := f.ACMEAccountOf(ctx, "d", a.Thumbprint)
	if err != nil || got.ID != "a" || !bytes.Equal(got.Body, a.Body) || !got.CreatedAt.Equal(f.now) {
		f.Errorf("%+v %v", got, err)
	}
	if _, err := f.ACMEAccount(ctx, "nobody"); !errors.Is(err, ErrNotFound) {
		f.Error(err)
	}
	if err := f.AddACMEAccount(ctx, f.account("b"), "", f.by()); err != nil {
		f.Fatal(err)
	}
	_, err = f.ChangeACMEAccount(ctx, "b", func(b *ACMEAccount) error { b.Thumbprint = a.Thumbprint; return nil }, "changed", f.by())
	if !errors.Is(err, ErrTaken) {
		f.Errorf("an account gets another's key: %v", err)
	}
	refused := errors.New("no")
	if _, err = f.ChangeACMEAccount(ctx, "b", func(b *ACMEAccount) error { b.Status = "gone"; return refused }, "changed", f.by()); !errors.Is(err, refused) {
		f.Error(err)
	}
	changed, err := f.ChangeACMEAccount(ctx, "b", func(b *ACMEAccount) error { b.Status = "deactivated"; return nil }, "given up", f.by())
	if err != nil || changed.Status != "deactivated" {
		f.Errorf("%+v %v", changed, err)
	}
	if all, err := f.ACMEAccounts(ctx, "d"); err != nil || len(all) != 2 || all[1].Status != "deactivated" {
		f.Errorf("%+v %v", all, err)
	}
	if _, err := f.VerifyAudit(ctx); err != nil {
		f.Error(err)
	}
}

func aBindingIsUsedOnce(_ *testing.T, f *fixture) {
	ctx := f.Context()
	b := ACMEBinding{KID: "k", Directory: "d", Key: []byte("secret"), Body: []byte("{}"), CreatedAt: f.now}
	if err := f.AddACMEBinding(ctx, b, f.by()); err != nil {
		f.Fatal(err)
	}
	if err := f.AddACMEBinding(ctx, b, f.by()); !errors.Is(err, ErrTaken) {
		f.Error(err)
	}
	if err := f.AddACMEAccount(ctx, f.account("a"), "k", f.by()); err != nil {
		f.Fatal(err)
	}
	if err := f.AddACMEAccount(ctx, f.account("b"), "k", f.by()); !errors.Is(err, ErrTaken) {
		f.Error(err)
	}
	if _, err := f.ACMEAccount(ctx, "b"); !errors.Is(err, ErrNotFound) {
		f.Error("a refused account was made: ", err)
	}
	if got, err := f.ACMEBinding(ctx, "k"); err != nil || got.Account != "a" {
		f.Errorf("%+v %v", got, err)
	}
	if err := f.RemoveACMEBinding(ctx, "k", f.by()); err != nil {
		f.Error(err)
	}
	if err := f.RemoveACMEBinding(ctx, "k", f.by()); !errors.Is(err, ErrNotFound) {
		f.Error(err)
	}
}

func (f *fixture) order(id string) ACMEOrder {
	return ACMEOrder{ID: id, Account: "a", Status: "pending", CreatedAt: f.now, ExpiresAt: f.now.Add(time.Hour), Body: []byte("{}")}
}

func (f *fixture) authorization(id, identifier, status string, expires time.Duration) ACMEAuthorization {
	return ACMEAuthorization{ID: id, Account: "a", Identifier: identifier, Status: status, ExpiresAt: f.now.Add(expires), Body: []byte("{}")}
}

func ordersGoWithTheirAuthorizations(_ *testing.T, f *fixture) {
	ctx := f.Context()
	auths := []ACMEAuthorization{f.authorization("x", "dns:a", "pending", time.Hour), f.authorization("y", "dns:b", "valid", time.Hour)}
	if err := f.AddACMEOrder(ctx, f.order("o1"), auths, "cert"); err != nil {
		f.Fatal(err)
	}
	if err := f.AddACMEOrder(ctx, f.order("o2"), []ACMEAuthorization{f.authorization("z", "dns:a", "valid", time.Hour)}, "cert"); !errors.Is(err, ErrTaken) {
		f.Errorf("a certificate is replaced twice: %v", err)
	}
	if _, err := f.ACMEAuthorizations(ctx, "z"); !errors.Is(err, ErrNotFound) {
		f.Errorf("an authorization without its order: %v", err)
	}
	got, err := f.ACMEAuthorizations(ctx, "y", "x")
	if err != nil || len(got) != 2 || got[0].ID != "y" || got[1].Status != "pending" {
		f.Errorf("%+v %v", got, err)
	}
	for _, a := range []ACMEAuthorization{f.authorization("old", "dns:a", "valid", -time.Hour), f.authorization("bad", "dns:a", "invalid", time.Hour), f.authorization("long", "dns:a", "valid", 2*time.Hour)} {
		if err := f.AddACMEAuthorization(ctx, a); err != nil {
			f.Fatal(err)
		}
	}
	usable, err := f.UsableACMEAuthorizations(ctx, "a", "dns:a", f.now)
	if err != nil || len(usable) != 2 || usable[0].ID != "long" || usable[1].ID != "x" {
		f.Errorf("%+v %v", usable, err)
	}
	for i := range 5 {
		if err := f.AddACMEOrder(ctx, f.order(fmt.Sprint("n", i)), nil, ""); err != nil {
			f.Fatal(err)
		}
	}
	var all []string
	for after := int64(0); ; {
		ids, next, err := f.ACMEOrdersOf(ctx, "a", after, 4)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, ids...)
		if after = next; next == 0 {
			break
		}
	}
	if fmt.Sprint(all) != "[o1 n0 n1 n2 n3 n4]" {
		f.Error(all)
	}
}

func anOrderGetsOneCertificate(_ *testing.T, f *fixture) {
	ctx := f.Context()
	if err := f.AddACMEOrder(ctx, f.order("o"), nil, ""); err != nil {
		f.Fatal(err)
	}
	record := func(n int) error {
		id, err := f.Reserve(ctx, NewRequest{By: f.by(), Issuer: f.issuer.ID, Serial: serial(n), Profile: "server", Asked: "{}"})
		if err != nil {
			f.Fatal(err)
		}
		return f.Record(ctx, NewCertificate{By: f.by(), ID: id, Issuer: f.issuer.ID, Profile: "server", Serial: serial(n), DER: []byte{1}, NotBefore: f.now, NotAfter: f.now.Add(time.Hour), Order: "o"})
	}
	if err := record(1); err != nil {
		f.Fatal(err)
	}
	o, err := f.ACMEOrder(ctx, "o")
	if err != nil || o.Status != "valid" || o.Serial != fmt.Sprintf("%x", serial(1)) {
		f.Errorf("%+v %v", o, err)
	}
	if again, err := f.ACMEOrderOf(ctx, o.Serial); err != nil || again.ID != "o" {
		f.Errorf("%+v %v", again, err)
	}
	if err := record(2); !errors.Is(err, ErrTaken) {
		f.Errorf("a second certificate: %v", err)
	}
	if _, err := f.Get(ctx, f.issuer.ID, serial(2)); err != nil {
		f.Error(err)
	} else if c, _ := f.Get(ctx, f.issuer.ID, serial(2)); c.State != StateReserved {
		f.Errorf("the refused certificate is on file: %v", c.State)
	}
}

func workIsGivenToOne(_ *testing.T, f *fixture) {
	ctx := f.Context()
	for i := range 20 {
		a := f.authorization(fmt.Sprint("w", i), "dns:w", "pending", time.Hour)
		a.DueAt = f.now
		o := f.order(fmt.Sprint("wo", i))
		o.DueAt = f.now
		if err := f.AddACMEOrder(ctx, o, []ACMEAuthorization{a}, ""); err != nil {
			f.Fatal(err)
		}
	}
	var claimed, ordered atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				as, os, err := f.ClaimACMEWork(ctx, f.now.Add(time.Second), f.now.Add(time.Minute), 3)
				if err != nil {
					f.Error(err)
					return
				}
				claimed.Add(int64(len(as)))
				ordered.Add(int64(len(os)))
				if len(as)+len(os) == 0 {
					return
				}
			}
		})
	}
	wg.Wait()
	if claimed.Load() != 20 || ordered.Load() != 20 {
		f.Errorf("%d authorizations and %d orders were claimed, not 20", claimed.Load(), ordered.Load())
	}
	if _, err := f.ChangeACMEAuthorization(ctx, "w3", func(a *ACMEAuthorization) error { a.Status, a.DueAt = "valid", time.Time{}; return nil }); err != nil {
		f.Error(err)
	}
	if _, err := f.ChangeACMEOrder(ctx, "wo4", func(o *ACMEOrder) error { o.Status, o.DueAt = "invalid", time.Time{}; return nil }); err != nil {
		f.Error(err)
	}
	as, os, err := f.ClaimACMEWork(ctx, f.now.Add(2*time.Minute), f.now.Add(time.Hour), 100)
	if err != nil || len(as) != 19 || len(os) != 19 {
		f.Errorf("after the lease: %d, %d, %v", len(as), len(os), err)
	}
}

func aSecretIsMadeOnce(_ *testing.T, f *fixture) {
	first, err := f.ACMESecret(f.Context(), "s", []byte("one"))
	if err != nil || string(first) != "one" {
		f.Fatal(string(first), err)
	}
	again, err := f.ACMESecret(f.Context(), "s", []byte("two"))
	if err != nil || string(again) != "one" {
		f.Errorf("%s %v", again, err)
	}
}

func anAuthorizationIsReplacedAsItWasRead(_ *testing.T, f *fixture) {
	ctx := f.Context()
	if err := f.AddACMEAccount(ctx, f.account("r"), "", f.by()); err != nil {
		f.Fatal(err)
	}
	was := ACMEAuthorization{ID: "replaced", Account: "r", Identifier: "dns:r.test", Status: "pending", ExpiresAt: f.now.Add(time.Hour), Body: []byte(`{"n":1}`)}
	if err := f.AddACMEAuthorization(ctx, was); err != nil {
		f.Fatal(err)
	}
	valid := was
	valid.Status, valid.DueAt, valid.Body = "valid", f.now, []byte(`{"n":2}`)
	other := was
	other.Status, other.Body = "invalid", []byte(`{"n":3}`)
	// Of many who have read the same, one is the first.
	var wg sync.WaitGroup
	var replaced atomic.Int64
	for i := range 8 {
		to := valid
		if i%2 > 0 {
			to = other
		}
		wg.Go(func() {
			done, err := f.ReplaceACMEAuthorization(ctx, was, to)
			if err != nil {
				f.Error(err)
			}
			if done {
				replaced.Add(1)
			}
		})
	}
	wg.Wait()
	if n := replaced.Load(); n != 1 {
		f.Errorf("%d have replaced the same", n)
	}
	now, err := f.ACMEAuthorizations(ctx, "replaced")
	if err != nil {
		f.Fatal(err)
	}
	for _, from := range []func(*ACMEAuthorization){
		func(a *ACMEAuthorization) { a.Status = "pending" }, func(a *ACMEAuthorization) { a.Body = []byte("{}") },
		func(a *ACMEAuthorization) { a.DueAt = f.now.Add(time.Minute) }, func(a *ACMEAuthorization) { a.ExpiresAt = f.now },
		func(a *ACMEAuthorization) { a.ID = "nobody" },
	} {
		not := now[0]
		from(&not)
		if done, err := f.ReplaceACMEAuthorization(ctx, not, was); err != nil || done {
			f.Errorf("something else was replaced: %v %v", done, err)
		}
	}
	if done, err := f.ReplaceACMEAuthorization(ctx, now[0], was); err != nil || !done {
		f.Errorf("not replaced: %v %v", done, err)
	}
}
