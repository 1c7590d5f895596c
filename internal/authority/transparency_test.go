package authority

import (
	"context"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/logtest"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/internal/zlint"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/ct"
	"github.com/tlswright/tlswright/pki/lint"
)

// watched opens an authority that shows certificates to these logs.
func watched(t *testing.T, minimum int, logs ...*logtest.Log) *Authority {
	t.Helper()
	text, err := logtest.List(logs...)
	if err != nil {
		t.Fatal(err)
	}
	list, err := ct.ParseLogList(text)
	if err != nil {
		t.Fatal(err)
	}
	linter, err := zlint.New()
	if err != nil {
		t.Fatal(err)
	}
	a := openHome(t, newHome(t), HomeOptions{})
	a.Linters = append(a.Linters, linter)
	f := fetch.New(fetch.Options{AllowPrivate: true})
	t.Cleanup(f.Close)
	a.Transparency = &Transparency{Logs: list, Minimum: minimum, Submit: func(ctx context.Context, log *ct.Log, chain [][]byte, entry ct.Entry) (ct.SCT, error) {
		return f.Log(log).Submit(ctx, chain, entry)
	}}
	return a
}

func TestCertificatesOfServersCarryTimestamps(t *testing.T) {
	logs := []*logtest.Log{logtest.Start(t, "old", false), logtest.Start(t, "tiled", true), logtest.Start(t, "spare", false)}
	a := watched(t, 0, logs...)
	done, err := a.Order(t.Context(), Order{Request: serverRequest(t, "www.example.test")})
	if err != nil {
		t.Fatal(err)
	}
	if lint.Worst(done.Findings) >= lint.Warning {
		t.Errorf("findings: %+v", done.Findings)
	}
	c := done.Certificate
	scts, err := ct.FromCertificate(c)
	if err != nil || len(scts) < 2 {
		t.Fatalf("%d timestamps, %v", len(scts), err)
	}
	var verdicts []ct.Verdict
	for _, s := range scts {
		v, err := ct.VerifySCT(s, []*x509.Certificate{c, a.Issuer.Certificate}, a.Transparency.Logs, time.Now().Add(time.Minute))
		if err != nil || v.Status != ct.Valid {
			t.Errorf("%+v, %v", v, err)
		}
		verdicts = append(verdicts, v)
	}
	if ok, why := ct.Complies(c, verdicts); !ok {
		t.Error(why)
	}
	r, err := a.Get(t.Context(), c.SerialNumber)
	if err != nil || string(r.DER) != string(c.Raw) || r.State != store.StateIssued {
		t.Errorf("on file: %+v, %v", r, err)
	}
	if _, err := a.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
	// What is not for servers is nobody's business.
	before := logs[0].Size() + logs[1].Size() + logs[2].Size()
	client, err := a.Issue(t.Context(), pki.Request{Profile: pki.ProfileClient, CommonName: "alice", Key: newKey(t)})
	if err != nil {
		t.Fatal(err)
	}
	if scts, err := ct.FromCertificate(client); err != nil || scts != nil {
		t.Errorf("a client's certificate has timestamps: %v", err)
	}
	if now := logs[0].Size() + logs[1].Size() + logs[2].Size(); now > before+1 { // one may still have been under way
		t.Error("a client's certificate was shown to logs")
	}
}

func TestPrecertificatesAreOnFileBeforeTheyLeave(t *testing.T) {
	a := watched(t, 1, logtest.Start(t, "log", false))
	submit := a.Transparency.Submit
	a.Transparency.Submit = func(ctx context.Context, log *ct.Log, chain [][]byte, entry ct.Entry) (ct.SCT, error) {
		pre, err := x509.ParseCertificate(chain[0])
		if err != nil {
			return ct.SCT{}, err
		}
		r, err := a.Get(ctx, pre.SerialNumber)
		if err != nil || string(r.DER) != string(chain[0]) || r.State != store.StateIssued {
			t.Errorf("on file when it leaves: %+v, %v", r, err)
		}
		if len(chain) != 3 || string(chain[1]) != string(a.Issuer.Certificate.Raw) {
			t.Errorf("a chain of %d", len(chain))
		}
		return submit(ctx, log, chain, entry)
	}
	issueOne(t, a, "www.example.test")
}

func TestNothingIsGivenOutWithoutEnoughTimestamps(t *testing.T) {
	good, bad := logtest.Start(t, "good", false), logtest.Start(t, "bad", true)
	for _, fault := range []logtest.Fault{logtest.BadTimestamp, logtest.Refuse, logtest.Garbage, logtest.Endless, logtest.Hang} {
		t.Run(string(fault), func(t *testing.T) {
			bad.Misbehave(fault)
			a := watched(t, 2, good, bad)
			if fault == logtest.Hang {
				a.Transparency.Timeout = 100 * time.Millisecond // a bound, not a measure: what hangs stays so
			}
			_, err := a.Issue(t.Context(), serverRequest(t, "www.example.test"))
			var missing *LogsError
			if !errors.As(err, &missing) {
				t.Fatal(err)
			}
			if fault == logtest.Refuse && !strings.Contains(err.Error(), "bad: ") {
				t.Errorf("%v does not name the log", err)
			}
			// The precertificate counts: it can be revoked and is answered for.
			serial, err := ParseSerial(missing.Serial)
			if err != nil {
				t.Fatal(err)
			}
			r, err := a.Get(t.Context(), serial)
			if err != nil || r.State != store.StateIssued {
				t.Fatalf("on file: %+v, %v", r, err)
			}
			if pre, err := x509.ParseCertificate(r.DER); err != nil || !ct.IsPrecertificate(pre) {
				t.Errorf("not the precertificate: %v", err)
			}
			if err := a.Store.Revoke(t.Context(), a.IssuerID(), serial.Bytes(), store.Revocation{At: time.Now()}, a.by()); err != nil {
				t.Error(err)
			}
			if _, err := a.VerifyAudit(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOneBadLogOfThreeDoesNotMatter(t *testing.T) {
	bad := logtest.Start(t, "bad", true)
	bad.Misbehave(logtest.BadTimestamp)
	a := watched(t, 2, bad, logtest.Start(t, "one", false), logtest.Start(t, "two", true))
	scts, err := ct.FromCertificate(issueOne(t, a, "www.example.test"))
	if err != nil || len(scts) != 2 {
		t.Errorf("%d timestamps, %v", len(scts), err)
	}
}

// A process that ends while the logs are asked loses nothing: the precertificate is no lost number.
func TestPrecertificatesOutliveTheProcess(t *testing.T) {
	home := newHome(t)
	a, err := OpenHome(t.Context(), home, HomeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := logtest.List(logtest.Start(t, "log", false))
	if err != nil {
		t.Fatal(err)
	}
	list, err := ct.ParseLogList(text)
	if err != nil {
		t.Fatal(err)
	}
	var serial []byte
	a.Transparency = &Transparency{Logs: list, Minimum: 1, Submit: func(_ context.Context, _ *ct.Log, chain [][]byte, _ ct.Entry) (ct.SCT, error) {
		pre, err := x509.ParseCertificate(chain[0])
		if err != nil {
			return ct.SCT{}, err
		}
		serial = pre.SerialNumber.Bytes()
		return ct.SCT{}, errors.New("the process ends here")
	}}
	if _, err := a.Issue(t.Context(), serverRequest(t, "www.example.test")); err == nil {
		t.Fatal("issued")
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	b := openHome(t, home, HomeOptions{})
	if lost := b.Lost(); len(lost) > 0 {
		t.Errorf("lost: %+v", lost)
	}
	if r, err := b.Store.Get(t.Context(), b.IssuerID(), serial); err != nil || r.State != store.StateIssued {
		t.Errorf("on file: %+v, %v", r, err)
	}
	if _, err := b.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestARevokedPrecertificateBecomesNoCertificate(t *testing.T) {
	a := watched(t, 1, logtest.Start(t, "log", false))
	submit := a.Transparency.Submit
	a.Transparency.Submit = func(ctx context.Context, log *ct.Log, chain [][]byte, entry ct.Entry) (ct.SCT, error) {
		pre, err := x509.ParseCertificate(chain[0])
		if err != nil {
			return ct.SCT{}, err
		}
		if err := a.Store.Revoke(ctx, a.IssuerID(), pre.SerialNumber.Bytes(), store.Revocation{At: time.Now()}, a.by()); err != nil {
			return ct.SCT{}, err
		}
		return submit(ctx, log, chain, entry)
	}
	if _, err := a.Issue(t.Context(), serverRequest(t, "www.example.test")); !refusedFor(err) {
		t.Error(err)
	}
}

func TestEachOperatorsFirstLogComesFirst(t *testing.T) {
	at := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	log := func(operator, name string, edit func(*ct.Log)) *ct.Log {
		l := &ct.Log{Operator: operator, Description: name, State: ct.Usable}
		if edit != nil {
			edit(l)
		}
		return l
	}
	list := &ct.LogList{Logs: []*ct.Log{
		log("A", "a1", nil), log("A", "a2", nil), log("A", "past", func(l *ct.Log) { l.NotAfter = at }), log("B", "retired", func(l *ct.Log) { l.State = ct.Retired }),
		log("B", "b1", func(l *ct.Log) { l.NotBefore = at }), log("B", "future", func(l *ct.Log) { l.NotBefore = at.Add(1) }), log("C", "c1", nil),
	}}
	var names []string
	for _, l := range eligible(list, at) {
		names = append(names, l.Description)
	}
	if got := strings.Join(names, " "); got != "a1 b1 c1 a2" {
		t.Error(got)
	}
}
