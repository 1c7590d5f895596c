package authority

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
	"github.com/tlswright/tlswright/pki/ocsp"
	"github.com/tlswright/tlswright/pki/revset"
)

// fleet is an authority with many certificates, of which some are revoked.
type fleet struct {
	*testing.T
	*Authority
	serials [][]byte
	revoked map[string]bool
	started time.Time
}

// lap logs how long a step took.
func (f *fleet) lap(format string, args ...any) {
	now := time.Now()
	f.Logf("%8.2f s  %s", now.Sub(f.started).Seconds(), fmt.Sprintf(format, args...))
	f.started = now
}

// parallel does n things, by several goroutines at once; it ends at the first error.
func (f *fleet) parallel(workers, n int, do func(i int) error) {
	f.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	var first atomic.Pointer[error]
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && first.Load() == nil; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					first.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	wg.Wait()
	if err := first.Load(); err != nil {
		f.Fatal(*err)
	}
}

func newFleet(t *testing.T, certificates, revoked int) *fleet {
	home := newHome(t)
	if err := WritePublication(home, Publication{CRL: []string{"http://crl.test/{shard}.crl"}, Shards: 16}); err != nil {
		t.Fatal(err)
	}
	f := &fleet{T: t, Authority: openHome(t, home, HomeOptions{}), serials: make([][]byte, certificates), revoked: make(map[string]bool), started: time.Now()}
	var keys [32]crypto.PublicKey
	for i := range keys {
		keys[i] = newKey(t)
	}
	f.parallel(512, certificates, func(i int) error {
		name := fmt.Sprintf("host-%d.test", i)
		c, err := f.Issue(context.Background(), pki.Request{Profile: pki.ProfileServer, CommonName: name, SANs: []string{name}, Key: keys[i%len(keys)]})
		if err == nil {
			f.serials[i] = c.SerialNumber.Bytes()
		}
		return err
	})
	f.lap("%d certificates issued", certificates)
	step := certificates / revoked
	f.parallel(64, revoked, func(i int) error {
		return f.Store.Revoke(context.Background(), f.IssuerID(), f.serials[i*step], store.Revocation{At: time.Now(), Reason: uint8(1 + i%5)}, f.by())
	})
	for i := range revoked {
		f.revoked[string(f.serials[i*step])] = true
	}
	f.lap("%d of them revoked", revoked)
	if info, err := os.Stat(f.Store.Path()); err == nil {
		f.Logf("the database: %.1f MB", float64(info.Size())/1e6)
	}
	return f
}

// everything checks for every certificate what CRL, partitions, OCSP and filter say of it.
func (f *fleet) everything() {
	issuer := f.Authority.Issuer.Certificate
	der, err := f.CRL(f.Context(), CRLOptions{})
	list := parsed(f.T, f.Authority, der, err)
	f.lap("CRL made: %d entries, %d bytes", list.Count, len(der))
	shards, err := f.Partitions(f.Context(), CRLOptions{})
	if err != nil {
		f.Fatal(err)
	}
	size, lists := 0, make([]*crl.List, len(shards))
	for i, shard := range shards {
		lists[i] = parsed(f.T, f.Authority, shard, nil)
		size = max(size, len(shard))
	}
	f.lap("CRL in %d partitions made, at most %d bytes each", len(shards), size)
	data, err := f.RevocationSet(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	set, err := revset.Parse(data)
	if err != nil {
		f.Fatal(err)
	}
	f.lap("revocation set made: %d bytes, the CRL is %.0f times as large", len(data), float64(len(der))/float64(len(data)))
	hash := sha256.Sum256(issuer.RawSubjectPublicKeyInfo)
	for _, serial := range f.serials {
		want := f.revoked[string(serial)]
		if _, listed := list.Find(serial, issuer.RawSubject); listed != want {
			f.Errorf("CRL: serial %x listed: %v", serial, listed)
		}
		mine := crl.ShardOf(serial, len(lists))
		for i := range lists {
			if _, listed := lists[i].Find(serial, issuer.RawSubject); listed != (want && i == mine) {
				f.Errorf("partition %d (its own %d): serial %x listed: %v", i, mine, serial, listed)
			}
		}
		if revoked, known := set.Revoked(hash, serial); !known || revoked != want {
			f.Errorf("revocation set: serial %x revoked: %v, known: %v", serial, revoked, known)
		}
	}
	f.lap("CRL, partitions and set asked for every certificate")
	f.answers(issuer)
}

// answers asks by OCSP for every certificate, 50 in a request.
func (f *fleet) answers(issuer *x509.Certificate) {
	const each = 50
	names, err := ocsp.NewIssuer(issuer)
	if err != nil {
		f.Fatal(err)
	}
	f.parallel(runtime.GOMAXPROCS(0), (len(f.serials)+each-1)/each, func(i int) error {
		serials := f.serials[i*each : min((i+1)*each, len(f.serials))]
		ids := make([]ocsp.CertID, len(serials))
		for n, serial := range serials {
			ids[n] = names.ID(serial, crypto.SHA1)
		}
		request, err := ocsp.CreateRequest(ids, nil)
		if err != nil {
			return err
		}
		der, err := f.OCSP(context.Background(), request)
		if err != nil {
			return err
		}
		r, err := ocsp.ParseResponse(der)
		if err != nil {
			return err
		}
		if err := r.Verify(issuer, time.Now()); err != nil {
			return err
		}
		for n, serial := range serials {
			if revoked := r.Singles[n].Status == ocsp.Revoked; revoked != f.revoked[string(serial)] || !revoked && r.Singles[n].Status != ocsp.Good {
				return fmt.Errorf("OCSP: serial %x is %v", serial, r.Singles[n].Status)
			}
		}
		return nil
	})
	f.lap("OCSP asked for every certificate, %d in a request", each)
}

// pages goes through all records and looks at the heap on the way.
func (f *fleet) pages(limit uint64) {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before, most, n := m.HeapAlloc, uint64(0), 0
	for _, err := range f.Search(f.Context(), Query{}) {
		if err != nil {
			f.Fatal(err)
		}
		if n++; n%5000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}
	f.lap("%d records read page by page, %.1f MB of heap at most", n, float64(most-min(before, most))/1e6)
	if n != len(f.serials) || most > before+limit {
		f.Errorf("%d records of %d, heap %d to %d", n, len(f.serials), before, most)
	}
	found, err := f.List(f.Context(), Query{Contains: fmt.Sprintf("host-%d.", len(f.serials)/2)})
	if err != nil || len(found) != 1 {
		f.Errorf("found %d, %v", len(found), err)
	}
	f.lap("one found by a part of its name")
	if found, err = f.List(f.Context(), Query{Name: fmt.Sprintf("host-%d.test", len(f.serials)/3)}); err != nil || len(found) != 1 {
		f.Errorf("found %d, %v", len(found), err)
	}
	f.lap("one found by its name")
	if _, err := f.VerifyAudit(f.Context()); err != nil {
		f.Error(err)
	}
	f.lap("audit log verified")
	path := filepath.Join(f.TempDir(), "backup")
	out, err := os.Create(path)
	if err != nil {
		f.Fatal(err)
	}
	defer out.Close()
	if err := f.Backup(f.Context(), out); err != nil {
		f.Error(err)
	}
	f.lap("backed up")
}

func TestEveryAnswerIsRightForMany(t *testing.T) {
	f := newFleet(t, 2000, 100)
	f.everything()
	f.pages(16 << 20)
}

func TestAccept100000Certificates(t *testing.T) {
	if os.Getenv("TLSWRIGHT_ACCEPT") == "" {
		t.Skip("100,000 certificates take a minute: make accept")
	}
	f := newFleet(t, 100_000, 5_000)
	f.everything()
	f.pages(32 << 20)
}
