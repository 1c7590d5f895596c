package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// conformance is what every database must do. open gives a new, empty store, closed
// when the test ends.
func conformance(t *testing.T, open func(*testing.T) *Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *fixture)
	}{
		{"a serial is given once", aSerialIsGivenOnce},
		{"a certificate needs an open request", aCertificateNeedsAnOpenRequest},
		{"what was recorded is found", whatWasRecordedIsFound},
		{"queries mean what they say", queriesMeanWhatTheySay},
		{"pages follow each other", pagesFollowEachOther},
		{"revocation goes its ways", revocationGoesItsWays},
		{"deltas hold what changed", deltasHoldWhatChanged},
		{"CRL numbers only grow", crlNumbersOnlyGrow},
		{"many write at once", manyWriteAtOnce},
		{"one bad write hurts no other", oneBadWriteHurtsNoOther},
		{"the audit log is a chain", theAuditLogIsAChain},
		{"an issuer is found again", anIssuerIsFoundAgain},
		{"an account has one key", anAccountHasOneKey},
		{"a binding is used once", aBindingIsUsedOnce},
		{"an authorization is replaced as it was read", anAuthorizationIsReplacedAsItWasRead},
		{"orders go with their authorizations", ordersGoWithTheirAuthorizations},
		{"an order gets one certificate", anOrderGetsOneCertificate},
		{"a precertificate becomes a certificate", aPrecertificateBecomesACertificate},
		{"work is given to one", workIsGivenToOne},
		{"a secret is made once", aSecretIsMadeOnce},
		{"changes are followed", changesAreFollowed},
		{"many changes are followed", manyChangesAreFollowed},
		{"a status is found by the issuer's key", statusByIssuer},
		{"accounts and orders come in pages", pagesOfAccountsAndOrders},
		{"certificates are found by account", certificatesAreFoundByAccount},
		{"the audit log has pages", theAuditLogHasPages},
		{"writes are observed", writesAreObserved},
		{"admins come and go", adminsComeAndGo},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &fixture{T: t, Store: open(t), now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
			var err error
			f.issuer, err = f.Introduce(t.Context(), Issuer{Name: "CN=Test CA", KeyHash: sha256.Sum256([]byte("key")), Certificate: []byte("ca"), Shards: 4}, f.by())
			if err != nil {
				t.Fatal(err)
			}
			c.test(t, f)
		})
	}
}

type fixture struct {
	*testing.T
	*Store
	issuer Issuer
	now    time.Time
}

func (f *fixture) by() By { return By{Actor: "tester", At: f.now} }

// serial is a number of its own for each n.
func serial(n int) []byte {
	sum := sha256.Sum256(fmt.Append(nil, n))
	sum[0] |= 1
	return sum[:16]
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) request(n int) NewRequest {
	return NewRequest{By: f.by(), Issuer: f.issuer.ID, Serial: serial(n), Profile: "server", Asked: "{}"}
}

func (f *fixture) certificate(n int, id int64) NewCertificate {
	der := fmt.Appendf(nil, "certificate %d", n)
	return NewCertificate{
		By: f.by(), ID: id, Issuer: f.issuer.ID, Profile: "server", Subject: fmt.Sprintf("CN=Host %d", n),
		Names: []string{fmt.Sprintf("Host-%d.example", n), "192.0.2.1"}, DER: der, Digest: sha256.Sum256(der),
		NotBefore: f.now, NotAfter: f.now.Add(time.Duration(n+1) * time.Hour),
	}
}

// issue files certificate number n.
func (f *fixture) issue(n int) int64 {
	f.Helper()
	id, err := f.Reserve(f.Context(), f.request(n))
	f.must(err)
	f.must(f.Record(f.Context(), f.certificate(n, id)))
	return id
}

func (f *fixture) verified() AuditHead {
	f.Helper()
	head, err := f.VerifyAudit(f.Context())
	f.must(err)
	return head
}

func aSerialIsGivenOnce(t *testing.T, f *fixture) {
	first, err := f.Reserve(t.Context(), f.request(1))
	f.must(err)
	if _, err := f.Reserve(t.Context(), f.request(1)); !errors.Is(err, ErrSerialTaken) {
		t.Errorf("the same serial again: %v", err)
	}
	other, err := f.Introduce(t.Context(), Issuer{Name: "CN=Other", KeyHash: sha256.Sum256([]byte("other")), Certificate: []byte("b")}, f.by())
	f.must(err)
	r := f.request(1)
	r.Issuer = other.ID
	second, err := f.Reserve(t.Context(), r)
	if err != nil || second == first {
		t.Errorf("another issuer has serials of its own: %d, %d, %v", first, second, err)
	}
	r.Issuer = 99
	if _, err := f.Reserve(t.Context(), r); err == nil {
		t.Error("a request to an issuer that does not exist was taken")
	}
	f.must(f.Refuse(t.Context(), first, "because", f.by()))
	if _, err := f.Reserve(t.Context(), f.request(1)); !errors.Is(err, ErrSerialTaken) {
		t.Errorf("the serial of a refused request: %v", err)
	}
}

func aCertificateNeedsAnOpenRequest(t *testing.T, f *fixture) {
	if err := f.Record(t.Context(), f.certificate(7, 77)); !errors.Is(err, ErrNotFound) {
		t.Errorf("without a request: %v", err)
	}
	id, err := f.Reserve(t.Context(), f.request(1))
	f.must(err)
	c, err := f.Get(t.Context(), f.issuer.ID, serial(1))
	if err != nil || c.State != StateReserved || c.ID != id || c.DER != nil {
		t.Errorf("a reserved one: %+v, %v", c, err)
	}
	f.must(f.Refuse(t.Context(), id, "its name is bad", f.by()))
	if err := f.Record(t.Context(), f.certificate(1, id)); !errors.Is(err, ErrNotOpen) {
		t.Errorf("for a refused request: %v", err)
	}
	if err := f.Refuse(t.Context(), id, "again", f.by()); !errors.Is(err, ErrNotOpen) {
		t.Errorf("refused twice: %v", err)
	}
	c, err = f.Get(t.Context(), f.issuer.ID, serial(1))
	if err != nil || c.State != StateRefused || c.Reason != "its name is bad" {
		t.Errorf("a refused one: %+v, %v", c, err)
	}
	id = f.issue(2)
	if err := f.Record(t.Context(), f.certificate(2, id)); err == nil {
		t.Error("a second certificate for one serial was filed")
	}
	if err := f.Refuse(t.Context(), id, "too late", f.by()); !errors.Is(err, ErrNotOpen) {
		t.Errorf("refused after it was issued: %v", err)
	}
	f.verified()
}

func whatWasRecordedIsFound(t *testing.T, f *fixture) {
	r := f.request(1)
	r.CSR, r.Asked = []byte("csr"), `{"cn":"Host 1"}`
	id, err := f.Reserve(t.Context(), r)
	f.must(err)
	want := f.certificate(1, id)
	f.must(f.Record(t.Context(), want))
	got, err := f.Get(t.Context(), f.issuer.ID, serial(1))
	f.must(err)
	if got.State != StateIssued || !bytes.Equal(got.DER, want.DER) || !bytes.Equal(got.CSR, r.CSR) || got.Asked != r.Asked || got.Subject != want.Subject ||
		!slices.Equal(got.Names, want.Names) || !got.NotAfter.Equal(want.NotAfter) || !got.NotBefore.Equal(want.NotBefore) || !got.IssuedAt.Equal(f.now) || got.Revocation != nil {
		t.Errorf("got %+v, want %+v", got, want)
	}
	r2 := f.request(2)
	r2.Renews = id
	next, err := f.Reserve(t.Context(), r2)
	f.must(err)
	if c, err := f.GetID(t.Context(), next); err != nil || c.Renews != id {
		t.Errorf("what it renews: %+v, %v", c, err)
	}
	if _, err := f.Get(t.Context(), f.issuer.ID, serial(3)); !errors.Is(err, ErrNotFound) {
		t.Errorf("what was never there: %v", err)
	}
	if _, err := f.Status(t.Context(), f.issuer.ID, serial(3)); !errors.Is(err, ErrNotFound) {
		t.Errorf("the status of what was never there: %v", err)
	}
	if _, err := f.Get(t.Context(), f.issuer.ID+1, serial(1)); !errors.Is(err, ErrNotFound) {
		t.Errorf("under another issuer: %v", err)
	}
}

func queriesMeanWhatTheySay(t *testing.T, f *fixture) {
	for n := range 10 {
		f.issue(n)
	}
	f.must(f.Revoke(t.Context(), f.issuer.ID, serial(3), Revocation{At: f.now, Reason: 1}, f.by()))
	f.must(f.Revoke(t.Context(), f.issuer.ID, serial(4), Revocation{At: f.now, Reason: 6}, f.by()))
	open, err := f.Reserve(t.Context(), f.request(10))
	f.must(err)
	refused, err := f.Reserve(t.Context(), f.request(11))
	f.must(err)
	f.must(f.Refuse(t.Context(), refused, "no", f.by()))
	ends := func(n int) time.Time { return f.now.Add(time.Duration(n+1) * time.Hour) }
	for _, c := range []struct {
		name string
		q    Query
		want []int64
	}{
		{"all", Query{}, []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
		{"newest first", Query{Newest: true, Limit: 3}, []int64{12, 11, 10}},
		{"by name", Query{Name: "HOST-3.example"}, []int64{4}},
		{"part of a name is not the name", Query{Name: "host-3"}, nil},
		{"by part of a name", Query{Contains: "ost-3.EX"}, []int64{4}},
		{"by part of the subject", Query{Contains: "cn=host 5"}, []int64{6}},
		{"by a part that looks like a pattern", Query{Contains: "host_3"}, nil},
		{"percent is percent", Query{Contains: "%"}, nil},
		{"a name that all share", Query{Name: "192.0.2.1", Limit: 2}, []int64{1, 2}},
		{"revoked", Query{States: []State{StateRevoked}}, []int64{4}},
		{"revoked or on hold", Query{States: []State{StateRevoked, StateOnHold}}, []int64{4, 5}},
		{"reserved", Query{States: []State{StateReserved}}, []int64{open}},
		{"refused", Query{States: []State{StateRefused}}, []int64{refused}},
		{"ending", Query{EndsFrom: ends(2), EndsTo: ends(4)}, []int64{3, 4}},
		{"by serial", Query{Serial: fmt.Sprintf("%x", serial(6))}, []int64{7}},
		{"by the start of a serial", Query{Serial: fmt.Sprintf("%x", serial(6))[:9]}, []int64{7}},
		{"by profile", Query{Profile: "client"}, nil},
		{"of another issuer", Query{Issuer: 99}, nil},
		{"asked for later", Query{From: f.now.Add(time.Second)}, nil},
		{"asked for earlier", Query{To: f.now}, nil},
	} {
		page, err := f.List(t.Context(), c.q)
		var got []int64
		for _, one := range page {
			got = append(got, one.ID)
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v (%v)", c.name, got, c.want, err)
		}
		c.q.Limit = 0
		if n, err := f.Count(t.Context(), c.q); err != nil || n < int64(len(c.want)) {
			t.Errorf("%s: counted %d of at least %d (%v)", c.name, n, len(c.want), err)
		}
	}
}

func pagesFollowEachOther(t *testing.T, f *fixture) {
	for n := range 25 {
		f.issue(n)
	}
	for _, newest := range []bool{false, true} {
		var ids []int64
		for c, err := range f.All(t.Context(), Query{Limit: 4, Newest: newest, Light: true}) {
			f.must(err)
			if c.DER != nil {
				t.Fatal("a light page carries DER")
			}
			ids = append(ids, c.ID)
		}
		if newest {
			slices.Reverse(ids)
		}
		if len(ids) != 25 || !slices.IsSorted(ids) {
			t.Errorf("newest %v: %v", newest, ids)
		}
	}
	n := 0
	for _, err := range f.All(t.Context(), Query{Limit: 4}) {
		f.must(err)
		if n++; n == 6 {
			break
		}
	}
	if n != 6 {
		t.Errorf("could not stop after 6: %d", n)
	}
}

func revocationGoesItsWays(t *testing.T, f *fixture) {
	f.issue(1)
	revoke := func(reason uint8) error {
		return f.Revoke(t.Context(), f.issuer.ID, serial(1), Revocation{At: f.now.Add(-time.Minute), Reason: reason, InvalidAt: f.now.Add(-time.Hour)}, f.by())
	}
	state := func(want State) {
		t.Helper()
		st, err := f.Status(t.Context(), f.issuer.ID, serial(1))
		c, err2 := f.Get(t.Context(), f.issuer.ID, serial(1))
		if err != nil || err2 != nil || st.State != want || c.State != want || (c.Revocation != nil) != (want != StateIssued) {
			t.Fatalf("state %v, %+v, want %v (%v, %v)", st.State, c, want, err, err2)
		}
	}
	if err := f.Release(t.Context(), f.issuer.ID, serial(1), f.by()); !errors.Is(err, ErrNotOnHold) {
		t.Errorf("released what is good: %v", err)
	}
	f.must(revoke(6))
	state(StateOnHold)
	if err := revoke(6); !errors.Is(err, ErrRevoked) {
		t.Errorf("held twice: %v", err)
	}
	f.must(f.Release(t.Context(), f.issuer.ID, serial(1), f.by()))
	state(StateIssued)
	f.must(revoke(6))
	f.must(revoke(1))
	state(StateRevoked)
	if err := revoke(4); !errors.Is(err, ErrRevoked) {
		t.Errorf("revoked twice: %v", err)
	}
	if err := f.Release(t.Context(), f.issuer.ID, serial(1), f.by()); !errors.Is(err, ErrNotOnHold) {
		t.Errorf("released what is revoked for good: %v", err)
	}
	c, err := f.Get(t.Context(), f.issuer.ID, serial(1))
	f.must(err)
	if r := c.Revocation; r.Reason != 1 || !r.At.Equal(f.now.Add(-time.Minute)) || !r.InvalidAt.Equal(f.now.Add(-time.Hour)) {
		t.Errorf("revocation %+v", r)
	}
	if err := f.Revoke(t.Context(), f.issuer.ID, serial(2), Revocation{}, f.by()); !errors.Is(err, ErrNotFound) {
		t.Errorf("revoked what is not there: %v", err)
	}
	_, err = f.Reserve(t.Context(), f.request(3))
	f.must(err)
	if err := f.Revoke(t.Context(), f.issuer.ID, serial(3), Revocation{}, f.by()); !errors.Is(err, ErrNotFound) {
		t.Errorf("revoked what was never signed: %v", err)
	}
	f.verified()
}

// listed collects what a CRL would contain: reason by serial.
func (f *fixture) listed(q RevokedQuery) map[string]uint8 {
	f.Helper()
	q.Issuer = f.issuer.ID
	all := make(map[string]uint8)
	for r, err := range f.Revoked(f.Context(), q) {
		f.must(err)
		if _, twice := all[string(r.Serial)]; twice {
			f.Errorf("serial %x comes twice", r.Serial)
		}
		all[string(r.Serial)] = r.Reason
	}
	return all
}

func (f *fixture) number() CRLNumber {
	f.Helper()
	n, err := f.NextCRL(f.Context(), f.issuer.ID, "test", f.by())
	f.must(err)
	return n
}

func deltasHoldWhatChanged(t *testing.T, f *fixture) {
	for n := range 6 {
		f.issue(n)
	}
	set := func(n int, reason uint8) {
		t.Helper()
		f.must(f.Revoke(t.Context(), f.issuer.ID, serial(n), Revocation{At: f.now, Reason: reason}, f.by()))
	}
	release := func(n int) {
		t.Helper()
		f.must(f.Release(t.Context(), f.issuer.ID, serial(n), f.by()))
	}
	check := func(what string, q RevokedQuery, want map[int]uint8) {
		t.Helper()
		got := f.listed(q)
		for n, reason := range want {
			if r, ok := got[string(serial(n))]; !ok || r != reason {
				t.Errorf("%s: %d has reason %d (%v), want %d", what, n, r, ok, reason)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d entries, want %d", what, len(got), len(want))
		}
	}
	set(0, 1)
	set(1, 6)
	set(2, 6)
	base := f.number()
	set(3, 4)
	set(1, 1)  // from hold to revoked
	release(2) // off again
	set(4, 6)
	release(4) // held and released between the two
	next := f.number()
	set(5, 1) // after the horizon
	check("base", RevokedQuery{Horizon: base.Horizon}, map[int]uint8{0: 1, 1: 6, 2: 6})
	check("full", RevokedQuery{Horizon: next.Horizon}, map[int]uint8{0: 1, 1: 1, 3: 4})
	check("delta", RevokedQuery{Since: base.Horizon, Horizon: next.Horizon, Delta: true}, map[int]uint8{1: 1, 2: 8, 3: 4, 4: 8})
	check("without the expired", RevokedQuery{Horizon: next.Horizon, EndsFrom: f.now.Add(2 * time.Hour)}, map[int]uint8{1: 1, 3: 4})
	f.verified()
}

func crlNumbersOnlyGrow(t *testing.T, f *fixture) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := make(map[int64]bool)
	for range 20 {
		wg.Go(func() {
			n, err := f.NextCRL(context.Background(), f.issuer.ID, "test", f.by())
			mu.Lock()
			defer mu.Unlock()
			if err != nil || seen[n.Number] {
				t.Errorf("number %d came twice (%v)", n.Number, err)
			}
			seen[n.Number] = true
		})
	}
	wg.Wait()
	if n := f.number(); n.Number != 21 {
		t.Errorf("number %d after 20", n.Number)
	}
	if _, err := f.LastCRL(t.Context(), f.issuer.ID, "full"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a CRL that never left: %v", err)
	}
	leave := func(number int64) error {
		return f.RecordCRL(t.Context(), f.issuer.ID, CRLState{CRLNumber: CRLNumber{number, number}, Scope: "full", ThisUpdate: f.now, NextUpdate: f.now.Add(time.Hour), Entries: 3}, [32]byte{1}, f.by())
	}
	f.must(leave(10))
	if err := leave(9); !errors.Is(err, ErrOldNumber) {
		t.Errorf("an older one afterwards: %v", err)
	}
	f.must(leave(11))
	last, err := f.LastCRL(t.Context(), f.issuer.ID, "full")
	if err != nil || last.Number != 11 || last.Entries != 3 || !last.NextUpdate.Equal(f.now.Add(time.Hour)) {
		t.Errorf("the last one: %+v, %v", last, err)
	}
	f.must(f.RaiseCRLNumber(t.Context(), f.issuer.ID, 1000))
	f.must(f.RaiseCRLNumber(t.Context(), f.issuer.ID, 5))
	if n := f.number(); n.Number != 1001 {
		t.Errorf("number %d after 1000", n.Number)
	}
	f.verified()
}

func manyWriteAtOnce(t *testing.T, f *fixture) {
	const workers, each = 16, 20
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				n := w*each + i
				id, err := f.Reserve(context.Background(), f.request(n))
				if err == nil {
					err = f.Record(context.Background(), f.certificate(n, id))
				}
				if err == nil && n%5 == 0 {
					err = f.Revoke(context.Background(), f.issuer.ID, serial(n), Revocation{At: f.now, Reason: 1}, f.by())
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for n := range workers * each {
		c, err := f.Get(t.Context(), f.issuer.ID, serial(n))
		want := StateIssued
		if n%5 == 0 {
			want = StateRevoked
		}
		if err != nil || c.State != want || string(c.DER) != fmt.Sprintf("certificate %d", n) {
			t.Fatalf("certificate %d: %+v, %v", n, c, err)
		}
	}
	if got := len(f.listed(RevokedQuery{Horizon: f.number().Horizon})); got != workers*each/5 {
		t.Errorf("%d revoked", got)
	}
	statuses := 0
	for st, err := range f.Statuses(t.Context(), f.issuer.ID, f.now) {
		f.must(err)
		if statuses++; st.State == StateReserved {
			t.Error("reserved, among certificates")
		}
	}
	if statuses != workers*each {
		t.Errorf("%d statuses", statuses)
	}
	f.verified()
}

func oneBadWriteHurtsNoOther(t *testing.T, f *fixture) {
	const n = 40
	taken := f.issue(1000)
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() {
			r := f.request(i)
			if i%4 == 0 {
				r.Serial = serial(1000)
			}
			id, err := f.Reserve(context.Background(), r)
			if err != nil {
				errs[i] = err
				return
			}
			if i%4 == 1 {
				id = taken
			}
			errs[i] = f.Record(context.Background(), f.certificate(i, id))
		})
	}
	wg.Wait()
	for i, err := range errs {
		if bad := i%4 < 2; bad != (err != nil) || bad && !errors.Is(err, ErrSerialTaken) {
			t.Errorf("write %d: %v", i, err)
		}
	}
	f.verified()
}

func theAuditLogIsAChain(t *testing.T, f *fixture) {
	for n := range 3 {
		f.issue(n)
	}
	f.must(f.Note(t.Context(), Entry{At: f.now, Actor: "tester", Action: ActionBackup, Detail: "to somewhere"}))
	var entries []Entry
	for e, err := range f.Store.Audit(t.Context(), 0) {
		f.must(err)
		entries = append(entries, e)
	}
	if len(entries) != 5 || entries[0].Action != ActionIssuer || entries[4].Action != ActionBackup {
		t.Fatalf("entries %+v", entries)
	}
	last := entries[4].Hash()
	if head := f.verified(); head.Seq != 5 || head.Hash != last {
		t.Errorf("head %+v", head)
	}
	for e, err := range f.Store.Audit(t.Context(), 4) {
		if err != nil || e.Seq != 4 {
			t.Errorf("from 4 on: %+v, %v", e, err)
		}
		break
	}
}

func anIssuerIsFoundAgain(t *testing.T, f *fixture) {
	again, err := f.Introduce(t.Context(), Issuer{Name: "CN=Test CA", KeyHash: f.issuer.KeyHash, Certificate: []byte("ca, renewed"), Shards: 9}, f.by())
	if err != nil || again.ID != f.issuer.ID || string(again.Certificate) != "ca, renewed" || again.Shards != 4 {
		t.Errorf("renewed: %+v, %v", again, err)
	}
	before := f.verified()
	if _, err := f.Introduce(t.Context(), again, f.by()); err != nil {
		t.Error(err)
	}
	if after := f.verified(); after != before {
		t.Error("an issuer that has not changed was noted again")
	}
	for _, c := range []struct{ shards, want int }{{8, 4}, {4, 4}} {
		if i, err := f.SetShards(t.Context(), f.issuer.ID, c.shards, f.by()); (err == nil) != (c.shards == c.want) {
			t.Errorf("from 4 to %d shards: %+v, %v", c.shards, i, err)
		}
	}
	all, err := f.Issuers(t.Context())
	if err != nil || len(all) != 1 {
		t.Errorf("issuers %+v, %v", all, err)
	}
}

func TestSQLiteConforms(t *testing.T) {
	conformance(t, func(t *testing.T) *Store { return openIn(t, t.TempDir()) })
}

func openIn(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(dir, "ca.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
