package authority

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/issue"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
)

// newHome makes a CA in a folder of its own.
func newHome(t *testing.T) string {
	t.Helper()
	home := filepath.Join(t.TempDir(), "home")
	if _, err := keystore.CreateCA(home, keystore.CAOptions{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	return home
}

func openHome(t *testing.T, home string, o HomeOptions) *Authority {
	t.Helper()
	a, err := OpenHome(t.Context(), home, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func newKey(t *testing.T) any {
	t.Helper()
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	return key.Public()
}

func serverRequest(t *testing.T, name string) pki.Request {
	return pki.Request{Profile: pki.ProfileServer, CommonName: name, SANs: []string{name}, Key: newKey(t)}
}

func issueOne(t *testing.T, a *Authority, name string) *x509.Certificate {
	t.Helper()
	c, err := a.Issue(t.Context(), serverRequest(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func refusedFor(err error) bool {
	var refused *pki.RefusedError
	return errors.As(err, &refused)
}

func TestWhatIsIssuedIsOnFile(t *testing.T) {
	a := openHome(t, newHome(t), HomeOptions{Actor: "tester"})
	c := issueOne(t, a, "www.example.test")
	if err := c.CheckSignatureFrom(a.Issuer.Certificate); err != nil {
		t.Error(err)
	}
	r, err := a.Get(t.Context(), c.SerialNumber)
	if err != nil || string(r.DER) != string(c.Raw) || r.State != store.StateIssued || r.Profile != "server" || len(r.Names) != 1 || r.Names[0] != "www.example.test" {
		t.Errorf("on file: %+v, %v", r, err)
	}
	if len(c.SerialNumber.Bytes()) < 14 {
		t.Errorf("serial number %x is not 128 random bits", c.SerialNumber)
	}
	for _, what := range []string{"WWW.example.test", SerialText(c.SerialNumber), SerialText(c.SerialNumber)[:8]} {
		if found, err := a.Find(t.Context(), what); err != nil || found.ID != r.ID {
			t.Errorf("find %q: %+v, %v", what, found, err)
		}
	}
	for _, what := range []string{"nothing.test", "00", "abcd", "", " "} {
		if _, err := a.Find(t.Context(), what); !refusedFor(err) {
			t.Errorf("find %q: %v", what, err)
		}
	}
	if _, err := a.Get(t.Context(), big.NewInt(7)); !refusedFor(err) {
		t.Errorf("a serial number that was never given out: %v", err)
	}
	if _, err := a.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRefusalsAreOnFileToo(t *testing.T) {
	a := openHome(t, newHome(t), HomeOptions{})
	if _, err := a.Issue(t.Context(), pki.Request{Profile: pki.ProfileServer, CommonName: "x.test", Key: newKey(t)}); !refusedFor(err) {
		t.Errorf("a server without a name: %v", err)
	}
	page, err := a.List(t.Context(), Query{States: []store.State{store.StateRefused}})
	if err != nil || len(page) != 1 || page[0].Reason == "" {
		t.Errorf("refused: %+v, %v", page, err)
	}
	if _, err := a.Issue(t.Context(), pki.Request{Profile: pki.ProfileServer}); err == nil {
		t.Error("a request without a key was taken")
	}
	used := issueOne(t, a, "a.test").SerialNumber
	req := serverRequest(t, "b.test")
	req.Serial = used
	if _, err := a.Issue(t.Context(), req); !refusedFor(err) {
		t.Errorf("a serial number that was used: %v", err)
	}
	var faulty *issue.LintError
	a2 := openHome(t, newHome(t), HomeOptions{Linters: []issue.Linter{pessimist{}}})
	if _, err := a2.Issue(t.Context(), serverRequest(t, "c.test")); !errors.As(err, &faulty) {
		t.Errorf("what a linter objects to: %v", err)
	}
}

func TestRevocationNeedsNoKey(t *testing.T) {
	home := newHome(t)
	a := openHome(t, home, HomeOptions{})
	c := issueOne(t, a, "www.example.test")
	without := openHome(t, home, HomeOptions{WithoutKey: true})
	if err := without.Revoke(t.Context(), c.SerialNumber, crl.KeyCompromise, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := without.Issue(t.Context(), serverRequest(t, "a.test")); !refusedFor(err) {
		t.Errorf("issued without a key: %v", err)
	}
	if _, err := without.CRL(t.Context(), CRLOptions{}); !refusedFor(err) {
		t.Errorf("a CRL without a key: %v", err)
	}
	r, err := a.Get(t.Context(), c.SerialNumber)
	if err != nil || r.State != store.StateRevoked || r.Revocation.Reason != uint8(crl.KeyCompromise) {
		t.Errorf("on file: %+v, %v", r, err)
	}
	for name, err := range map[string]error{
		"again":         a.Revoke(t.Context(), c.SerialNumber, crl.Superseded, time.Time{}),
		"unknown":       a.Revoke(t.Context(), big.NewInt(5), crl.Superseded, time.Time{}),
		"future":        a.Revoke(t.Context(), issueOne(t, a, "b.test").SerialNumber, crl.Superseded, time.Now().Add(time.Hour)),
		"removeFromCRL": a.Revoke(t.Context(), issueOne(t, a, "c.test").SerialNumber, crl.RemoveFromCRL, time.Time{}),
		"not on hold":   a.Release(t.Context(), c.SerialNumber),
	} {
		if !refusedFor(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnOlderHomeGetsItsDatabase(t *testing.T) {
	home := newHome(t)
	ca, err := keystore.OpenCA(home)
	if err != nil {
		t.Fatal(err)
	}
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	req := serverRequest(t, "old.test")
	req.Key = key.Public()
	old, err := ca.Issuer().Issue(req, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := keystore.WriteLive(filepath.Join(home, "live", "old.test"), old.Raw, ca.Chain(), key); err != nil {
		t.Fatal(err)
	}
	a := openHome(t, home, HomeOptions{WithoutKey: true})
	if r, err := a.Find(t.Context(), "old.test"); err != nil || string(r.DER) != string(old.Raw) {
		t.Errorf("the certificate in use: %+v, %v", r, err)
	}
	if err := a.Revoke(t.Context(), old.SerialNumber, crl.Superseded, time.Time{}); err != nil {
		t.Error(err)
	}
	root := openHome(t, home, HomeOptions{Issuer: RootIssuer})
	if r, err := root.Get(t.Context(), ca.Intermediate.SerialNumber); err != nil || string(r.DER) != string(ca.Intermediate.Raw) {
		t.Errorf("the intermediate: %+v, %v", r, err)
	}
	if _, err := root.CRL(t.Context(), CRLOptions{}); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(filepath.Join(home, "ca", DatabaseFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the database: %v, %v", info.Mode(), err)
	}
	if _, err := a.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRenewalKeepsNamesAndProfile(t *testing.T) {
	a := openHome(t, newHome(t), HomeOptions{})
	first, err := a.Issue(t.Context(), pki.Request{
		Profile: pki.ProfilePeer, CommonName: "peer", SANs: []string{"a.test", "192.0.2.7", "uri:spiffe://a.test/x", "email:a@a.test"}, Key: newKey(t),
		Lifetime: 48 * time.Hour, MustStaple: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	next, err := a.Renew(t.Context(), first.SerialNumber, RenewOptions{Key: newKey(t)})
	if err != nil {
		t.Fatal(err)
	}
	c := next.Certificate
	if string(c.RawSubject) != string(first.RawSubject) || len(alternativeNames(c)) != 4 || c.NotAfter.Sub(c.NotBefore) != first.NotAfter.Sub(first.NotBefore) ||
		!hasMustStaple(c) || pki.SameKey(c.PublicKey, first.PublicKey) || c.SerialNumber.Cmp(first.SerialNumber) == 0 {
		t.Errorf("renewed: %+v", c)
	}
	if r, err := a.Get(t.Context(), c.SerialNumber); err != nil || r.Renews == 0 || r.Profile != "peer" {
		t.Errorf("on file: %+v, %v", r, err)
	}
	if again, err := a.Renew(t.Context(), c.SerialNumber, RenewOptions{}); err != nil || !pki.SameKey(again.Certificate.PublicKey, c.PublicKey) {
		t.Errorf("with the same key: %v", err)
	}
	if err := a.Revoke(t.Context(), first.SerialNumber, crl.Superseded, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Renew(t.Context(), first.SerialNumber, RenewOptions{}); !refusedFor(err) {
		t.Errorf("renewed what is revoked: %v", err)
	}
}

// sleeper is a key in a token that does not answer before it is woken.
type sleeper struct {
	crypto.Signer
	wake <-chan struct{}
}

func (s sleeper) SignMessage(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	<-s.wake
	return nil, errors.New("woken too late")
}

func TestAKeyThatDoesNotAnswerIsGivenUp(t *testing.T) {
	a := openHome(t, newHome(t), HomeOptions{SignTimeout: time.Millisecond})
	key := a.Issuer.Key
	wake := make(chan struct{})
	defer close(wake)
	a.Issuer.Key = sleeper{key, wake}
	if _, err := a.Issue(t.Context(), serverRequest(t, "a.test")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after the time: %v", err)
	}
	a.SignTimeout = time.Hour
	ended, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := a.Issue(ended, serverRequest(t, "b.test"))
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("after the caller went away: %v", err)
	}
	for r, err := range a.Search(t.Context(), Query{}) {
		if err != nil || r.State != store.StateRefused {
			t.Errorf("on file: %+v, %v", r, err)
		}
	}
	a.Issuer.Key = key
	issueOne(t, a, "c.test")
}

// The caller goes in the middle of the transaction that reserves the number: nothing stays open of which nobody knows.
func TestACallerWhoGoesLeavesNothingOpen(t *testing.T) {
	a := openHome(t, newHome(t), HomeOptions{})
	order := store.ACMEOrder{ID: "o", Account: "a", Status: "ready", CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour), Body: []byte("{}")}
	if err := a.Store.AddACMEOrder(t.Context(), order, nil, ""); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := a.Order(ctx, Order{Request: serverRequest(t, "a.test"), For: "o", Take: func(*store.ACMEOrder) error { cancel(); return nil }})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	count := 0
	for r, err := range a.Search(t.Context(), Query{}) {
		if count++; err != nil || r.State == store.StateReserved {
			t.Errorf("on file: %+v, %v", r, err)
		}
	}
	if count != 1 {
		t.Errorf("%d requests are on file", count)
	}
}

func TestPartitionsAreForEver(t *testing.T) {
	home := newHome(t)
	p := Publication{Shards: 4, CRL: []string{"http://crl.test/{shard}.crl"}}
	if err := WritePublication(home, p); err != nil {
		t.Fatal(err)
	}
	if err := openHome(t, home, HomeOptions{}).Close(); err != nil {
		t.Fatal(err)
	}
	p.Shards = 5
	if err := WritePublication(home, p); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenHome(t.Context(), home, HomeOptions{}); !refusedFor(err) {
		t.Errorf("5 partitions after 4: %v", err)
	}
	if err := os.WriteFile(filepath.Join(home, "ca", PublicationFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenHome(t.Context(), home, HomeOptions{}); err == nil {
		t.Error("half a file was read")
	}
}

func TestSerialNumbersAreReadAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]string{"0a:BC": "0abc", "0x0abc": "0abc", " abc ": "0abc", "00ff": "ff", "7f ff": "7fff"} {
		if n, err := ParseSerial(text); err != nil || SerialText(n) != want {
			t.Errorf("%q: %v, %v", text, n, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "+1", "x", "1_0", "0x", "www.example.test", strings.Repeat("f", 41)} {
		if n, err := ParseSerial(text); !refusedFor(err) {
			t.Errorf("%q: %v, %v", text, n, err)
		}
	}
}

func FuzzParseSerial(f *testing.F) {
	for _, s := range []string{"0a:bc", "0xff", "1", "00", "ff ff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseSerial(s)
		if err != nil {
			return
		}
		if again, err := ParseSerial(SerialText(n)); err != nil || again.Cmp(n) != 0 {
			t.Errorf("%q is %v, and then %v (%v)", s, n, again, err)
		}
	})
}

func TestAClosedAuthorityIssuesNothing(t *testing.T) {
	a := openHome(t, newHome(t), HomeOptions{})
	issueOne(t, a, "a.test")
	other, err := Open(t.Context(), Options{Store: a.Store, Issuer: a.Issuer})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Issue(t.Context(), serverRequest(t, "b.test")); !errors.Is(err, store.ErrClosed) {
		t.Errorf("after it was closed: %v", err)
	}
	issueOne(t, a, "c.test") // the store is not the other's to close
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Issue(t.Context(), serverRequest(t, "d.test")); !errors.Is(err, store.ErrClosed) {
		t.Errorf("after the store was closed: %v", err)
	}
}
