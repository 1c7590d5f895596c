package crl_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki/crl"
)

// now is when the lists of the tests are made.
func now() time.Time { return time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC) }

func template(entries ...crl.Entry) crl.Template {
	return crl.Template{Number: big.NewInt(7), ThisUpdate: now(), NextUpdate: now().Add(24 * time.Hour), Entries: slices.Values(entries)}
}

func create(t testing.TB, tm crl.Template, ca *pkitest.CA) *crl.List {
	t.Helper()
	der, err := crl.Create(tm, ca.Intermediate, ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := crl.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// varied are entries of every form.
func varied() []crl.Entry {
	at := now().Add(-time.Hour)
	list := []crl.Entry{
		{Serial: []byte{1}, RevokedAt: at},
		{Serial: []byte{0x80}, RevokedAt: at, Reason: crl.KeyCompromise},
		{Serial: bytes.Repeat([]byte{0x7f}, 20), RevokedAt: time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC), InvalidityDate: at.Add(-time.Hour)},
	}
	for i, r := range crl.Reasons() {
		if r != crl.RemoveFromCRL {
			list = append(list, crl.Entry{Serial: []byte{2, byte(i)}, RevokedAt: at, Reason: r, InvalidityDate: at})
		}
	}
	return list
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	for _, k := range pkitest.CAKeyTypes() {
		ca := pkitest.New(t, k)
		l := create(t, template(varied()...), ca)
		if err := l.CheckSignature(ca.Intermediate); err != nil {
			t.Errorf("%s: %v", k, err)
		}
		if err := l.CheckSignature(ca.Root); err == nil {
			t.Errorf("%s: signed by the root, too", k)
		}
		if l.Number.Int64() != 7 || l.Base != nil || !l.ThisUpdate.Equal(now()) || !l.NextUpdate.Equal(now().Add(24*time.Hour)) || l.IDP != nil ||
			!bytes.Equal(l.AuthorityKeyID, ca.Intermediate.SubjectKeyId) || l.Count != len(varied()) || len(l.UnknownCritical) > 0 {
			t.Errorf("%s: %+v", k, l)
		}
		i := 0
		for e, err := range l.All() {
			want := varied()[i]
			want.Issuer = ca.Intermediate.RawSubject
			if err != nil || !same(e, want) {
				t.Errorf("%s: %+v, %v; want %+v", k, e, err, want)
			}
			i++
		}
		for range 2 { // the walk and the index
			for _, want := range varied() {
				want.Issuer = ca.Intermediate.RawSubject
				if e, ok := l.Find(want.Serial, nil); !ok || !same(e, want) {
					t.Errorf("%s: %v %+v; want %+v", k, ok, e, want)
				}
			}
			if _, ok := l.Find([]byte{3}, nil); ok {
				t.Error("found what is not there")
			}
			if _, ok := l.Find([]byte{1}, ca.Root.RawSubject); ok {
				t.Error("found for another issuer")
			}
		}
	}
}

func same(a, b crl.Entry) bool {
	return bytes.Equal(a.Serial, b.Serial) && a.RevokedAt.Equal(b.RevokedAt) && a.Reason == b.Reason && a.InvalidityDate.Equal(b.InvalidityDate) && bytes.Equal(a.Issuer, b.Issuer)
}

func TestTheLibraryReadsOurs(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	l := create(t, template(varied()...), ca)
	want, err := x509.ParseRevocationList(l.Raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := want.CheckSignatureFrom(ca.Intermediate); err != nil {
		t.Error(err)
	}
	if want.Number.Cmp(l.Number) != 0 || !want.NextUpdate.Equal(l.NextUpdate) || len(want.RevokedCertificateEntries) != l.Count {
		t.Errorf("%+v", want)
	}
	i := 0
	for e := range l.All() {
		w := want.RevokedCertificateEntries[i]
		if !bytes.Equal(w.SerialNumber.Bytes(), e.Serial) || w.ReasonCode != int(e.Reason) || !w.RevocationTime.Equal(e.RevokedAt) {
			t.Errorf("%+v, want %+v", e, w)
		}
		i++
	}
}

func TestImpossibleListsAreRefused(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	other := pkitest.New(t, pkitest.P256)
	one := crl.Entry{Serial: []byte{1}, RevokedAt: now()}
	with := func(change func(*crl.Entry)) func(*crl.Template) {
		return func(tm *crl.Template) { e := one; change(&e); tm.Entries = slices.Values([]crl.Entry{e}) }
	}
	for name, change := range map[string]func(*crl.Template){
		"no number":           func(tm *crl.Template) { tm.Number = nil },
		"negative number":     func(tm *crl.Template) { tm.Number = big.NewInt(-1) },
		"huge number":         func(tm *crl.Template) { tm.Number = new(big.Int).Lsh(big.NewInt(1), 160) },
		"base not smaller":    func(tm *crl.Template) { tm.Base = tm.Number },
		"delta of a delta":    func(tm *crl.Template) { tm.Base, tm.Freshest = big.NewInt(1), []string{"http://x"} },
		"no next update":      func(tm *crl.Template) { tm.NextUpdate = time.Time{} },
		"too late":            func(tm *crl.Template) { tm.NextUpdate = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"empty IDP":           func(tm *crl.Template) { tm.IDP = &crl.DistributionPoint{} },
		"two kinds":           func(tm *crl.Template) { tm.IDP = &crl.DistributionPoint{OnlyUser: true, OnlyCA: true} },
		"two names":           func(tm *crl.Template) { tm.IDP = &crl.DistributionPoint{URIs: []string{"x"}, RelativeName: []byte{0}} },
		"strange reasons":     func(tm *crl.Template) { tm.IDP = &crl.DistributionPoint{OnlySomeReasons: 0x8001} },
		"no serial":           with(func(e *crl.Entry) { e.Serial = nil }),
		"negative serial":     with(func(e *crl.Entry) { e.Negative = true }),
		"long serial":         with(func(e *crl.Entry) { e.Serial = bytes.Repeat([]byte{0x80}, 20) }),
		"no date":             with(func(e *crl.Entry) { e.RevokedAt = time.Time{} }),
		"unused reason":       with(func(e *crl.Entry) { e.Reason = 7 }),
		"removed in no delta": with(func(e *crl.Entry) { e.Reason = crl.RemoveFromCRL }),
		"another issuer":      with(func(e *crl.Entry) { e.Issuer = other.Root.RawSubject }),
	} {
		tm := template(one)
		change(&tm)
		if _, err := crl.Create(tm, ca.Intermediate, ca.Key); err == nil {
			t.Errorf("%s: made", name)
		}
	}
	if _, err := crl.Create(template(one), ca.Intermediate, other.Key); err == nil {
		t.Error("signed with a key that is not the issuer's")
	}
	if _, err := crl.Create(template(one), ca.Server(pkitest.P256).Certificate, other.Key); err == nil {
		t.Error("signed by a leaf")
	}
	if _, err := crl.Create(template(one), ca.Intermediate, failing{ca.Key}); !errors.Is(err, errHardware) {
		t.Errorf("the key's error is lost: %v", err)
	}
}

var errHardware = errors.New("the device is gone")

type failing struct{ crypto.Signer }

func (failing) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, errHardware }
