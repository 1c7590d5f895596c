package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/issue"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/internal/zlint"
	"github.com/tlswright/tlswright/pki"
)

// issuers is how many callers issue at once where they wait for the disk: what they share is a commit.
const issuers = 512

// issuance is what issuing is measured with: a P-256 CA, keys to certify, a database of its own.
type issuance struct {
	issuer pki.Issuer
	keys   []crypto.PublicKey
	zlint  *zlint.Linter
	store  *store.Store
	own    *authority.Authority // with our own lints
	both   *authority.Authority // with zlint, too
	dir    string
	count  atomic.Int64
}

func newIssuance(ctx context.Context) (*issuance, error) {
	rootKey, err := pki.GenerateKey(pki.P256)
	if err != nil {
		return nil, err
	}
	root, err := pki.SelfSign(pki.Request{Profile: pki.ProfileRoot, CommonName: "Bench Root"}, rootKey, time.Now())
	if err != nil {
		return nil, err
	}
	b := &issuance{issuer: pki.Issuer{Certificate: root, Key: rootKey}}
	for range 64 {
		key, err := pki.GenerateKey(pki.P256)
		if err != nil {
			return nil, err
		}
		b.keys = append(b.keys, key.Public())
	}
	if b.dir, err = os.MkdirTemp("", "tlswright-bench-*"); err != nil {
		return nil, err
	}
	if b.store, err = store.Open(ctx, filepath.Join(b.dir, "ca.db")); err != nil {
		return nil, err
	}
	if b.zlint, err = zlint.New(); err != nil {
		return nil, err
	}
	if b.own, err = authority.Open(ctx, authority.Options{Store: b.store, Issuer: b.issuer}); err != nil {
		return nil, err
	}
	b.both, err = authority.Open(ctx, authority.Options{Store: b.store, Issuer: b.issuer, Linters: []issue.Linter{b.zlint}})
	return b, err
}

func (b *issuance) close() error {
	return errors.Join(b.own.Close(), b.both.Close(), b.store.Close(), os.RemoveAll(b.dir))
}

// request is that of a server with two names; every one is different.
func (b *issuance) request() pki.Request {
	n := b.count.Add(1)
	name := fmt.Sprintf("host-%d.bench.test", n)
	return pki.Request{Profile: pki.ProfileServer, CommonName: name, SANs: []string{name, "www." + name}, Key: b.keys[n%int64(len(b.keys))]}
}

// bare is one turn of the loop that everything is compared with: nothing but the library's CreateCertificate.
func (b *issuance) bare() error {
	_, err := b.create()
	return err
}

func (b *issuance) create() ([]byte, error) {
	n := b.count.Add(1)
	name := fmt.Sprintf("host-%d.bench.test", n)
	serial := make([]byte, 16)
	if _, err := rand.Read(serial); err != nil {
		return nil, err
	}
	key := b.keys[n%int64(len(b.keys))]
	id, err := pki.KeyID(key)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	t := x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name, "www." + name},
		NotBefore: now, NotAfter: now.Add(90 * 24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true, SubjectKeyId: id,
	}
	return x509.CreateCertificate(rand.Reader, &t, b.issuer.Certificate, key, b.issuer.Key)
}

// prepared makes, examines and signs, and keeps nothing.
func (b *issuance) prepared() error {
	token, _, err := issue.Prepare(b.issuer, b.request(), time.Now())
	if err != nil {
		return err
	}
	_, err = token.Sign(b.issuer.Key)
	return err
}

// signedAndZlinted is what zlint and the library's signature cost without anything of ours: the certificate is signed,
// then examined.
func (b *issuance) signedAndZlinted() error {
	der, err := b.create()
	if err != nil {
		return err
	}
	b.zlint.Lint(der, b.issuer.Certificate)
	return nil
}

// recorded is the whole way with our own lints, recordedZlint that with zlint beside them.
func (b *issuance) recorded() error {
	_, err := b.own.Issue(context.Background(), b.request())
	return err
}

func (b *issuance) recordedZlint() error {
	_, err := b.both.Issue(context.Background(), b.request())
	return err
}

// rate is how fast a thing was done.
type rate struct {
	perSecond float64
	cpu       time.Duration // of the whole process, for one
}

// during does a thing again and again, by several callers at once, for about as long as it says.
func during(callers int, long time.Duration, do func() error) (rate, error) {
	runtime.GC()
	var done atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	start, cpu := time.Now(), cpuTime()
	end := start.Add(long)
	for range callers {
		wg.Go(func() {
			for time.Now().Before(end) && failed.Load() == nil {
				if err := do(); err != nil {
					failed.Store(&err)
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	took, used := time.Since(start), cpuTime()-cpu
	if err := failed.Load(); err != nil {
		return rate{}, *err
	}
	n := done.Load()
	return rate{perSecond: float64(n) / took.Seconds(), cpu: used / time.Duration(max(n, 1))}, nil
}

// issuanceSide is a way to issue.
type issuanceSide struct {
	name    string
	callers int
	do      func() error
	base    int // the side that it is compared with
}

func (b *issuance) sides() []issuanceSide {
	procs := runtime.GOMAXPROCS(0)
	return []issuanceSide{
		{"x509.CreateCertificate alone", procs, b.bare, 0},
		{"ours: prepared, our lints, signed", procs, b.prepared, 0},
		{"ours: the same, serial reserved and certificate recorded on disk", issuers, b.recorded, 0},
		{"x509.CreateCertificate, then zlint", procs, b.signedAndZlinted, 3},
		{"ours: our lints and zlint, signed, reserved and recorded on disk", issuers, b.recordedZlint, 3},
	}
}

// collectorPercent lets garbage collection wait until the heap is five times what lives in it, for every side: in a
// process with as little on its heap as this one it would otherwise run a hundred times a second, which no server does.
const collectorPercent = 400

// reportIssuance prints how many certificates are issued a second, in turns in one run: the bare loop of the library,
// and ours with everything that belongs to it.
func reportIssuance(rounds int, each time.Duration) error {
	b, err := newIssuance(context.Background())
	if err != nil {
		return err
	}
	defer debug.SetGCPercent(debug.SetGCPercent(collectorPercent))
	sides := b.sides()
	best, ratios, err := measureRates(sides, rounds, each)
	if err != nil {
		return errors.Join(err, b.close())
	}
	fmt.Printf("\n| issuance, ECDSA P-256, %d processors | certificates a second | compared | CPU time each | compared |\n| --- | ---: | ---: | ---: | ---: |\n", runtime.GOMAXPROCS(0))
	for i, s := range sides {
		fmt.Printf("| %s | %.0f | %.0f %% | %.1f µs | %.0f %% |\n", s.name, best[i].perSecond, 100*ratios[i],
			float64(best[i].cpu.Nanoseconds())/1e3, 100*best[s.base].cpu.Seconds()/best[i].cpu.Seconds())
	}
	return b.close()
}

// measureRates gives each side its turn, round after round, and keeps each one's best. The ratio of two rates is the
// median of what it was in the rounds: a side's turn is followed by the other's at once, so that both meet the same
// machine, however busy.
func measureRates(sides []issuanceSide, rounds int, each time.Duration) (best []rate, ratios []float64, err error) {
	best = make([]rate, len(sides))
	all := make([][]float64, len(sides))
	for range rounds {
		turns := make([]rate, len(sides))
		for i, s := range sides {
			r, err := during(s.callers, each, s.do)
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", s.name, err)
			}
			best[i].perSecond = max(best[i].perSecond, r.perSecond)
			if best[i].cpu == 0 || r.cpu < best[i].cpu {
				best[i].cpu = r.cpu
			}
			turns[i] = r
			all[i] = append(all[i], r.perSecond/turns[s.base].perSecond)
		}
	}
	for _, of := range all {
		slices.Sort(of)
		ratios = append(ratios, of[len(of)/2])
	}
	return best, ratios, nil
}
