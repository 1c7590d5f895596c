package monitor

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/logtest"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/watch"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/ct"
)

// logLab is a lab with logs of Certificate Transparency.
type logLab struct {
	*lab
	logs []*logtest.Log
}

// newLogLab has two logs, one in each form, and watches the domain corp.test in them.
func newLogLab(t *testing.T) *logLab {
	l := &logLab{lab: newLab(t), logs: []*logtest.Log{logtest.Start(t, "first", false), logtest.Start(t, "second", true)}}
	l.c.CTLogs = filepath.Join(t.TempDir(), "logs.json")
	l.list(l.logs...)
	l.c.Targets = append(l.c.Targets, config.Watched{Name: "ct", CT: []string{"corp.test"}})
	l.c.Backlog = -1
	return l
}

// list writes the list of logs.
func (l *logLab) list(logs ...*logtest.Log) {
	l.Helper()
	text, err := logtest.List(logs...)
	if err != nil {
		l.Fatal(err)
	}
	if err := os.WriteFile(l.c.CTLogs, append(text, strings.Repeat("\n", len(logs))...), 0o600); err != nil {
		l.Fatal(err)
	}
}

// submit shows a certificate to a log.
func (l *logLab) submit(log *logtest.Log, c *x509.Certificate) {
	l.Helper()
	text, err := logtest.List(log)
	if err != nil {
		l.Fatal(err)
	}
	list, err := ct.ParseLogList(text)
	if err != nil {
		l.Fatal(err)
	}
	f := fetch.New(fetch.Options{AllowPrivate: true})
	defer f.Close()
	entry := ct.Entry{Data: c.Raw}
	if ct.IsPrecertificate(c) {
		if entry, err = ct.EntryOf(c, l.ca.Intermediate, ct.Extension); err != nil {
			l.Fatal(err)
		}
	}
	if _, err := f.Log(list.Logs[0]).Submit(l.Context(), [][]byte{c.Raw, l.ca.Intermediate.Raw}, entry); err != nil {
		l.Fatal(err)
	}
}

// certificate issues one for a name, and its precertificate.
func (l *logLab) certificate(name string) (final, pre *pkitest.Leaf) {
	l.Helper()
	serial, err := pki.NewSerial()
	if err != nil {
		l.Fatal(err)
	}
	r := pki.Request{Profile: pki.ProfileServer, CommonName: name, SANs: []string{name, "localhost"}, Serial: serial, Lifetime: 90 * day}
	final = l.ca.Issue(pkitest.P256, r)
	r.Precertificate = true
	return final, l.ca.Issue(pkitest.P256, r)
}

// logged lists the certificates that logs have for the target.
func (l *logLab) logged() (list []watch.Leaf) {
	l.Helper()
	places, err := l.h.Places(l.Context(), "ct")
	if err != nil {
		l.Fatal(err)
	}
	for _, p := range places {
		list = append(list, p.Observation.Leaves...)
	}
	return list
}

// open counts the open incidents of a kind.
func (l *logLab) open(kind string) int {
	l.Helper()
	kinds, err := l.h.OpenKinds(l.Context())
	if err != nil {
		l.Fatal(err)
	}
	return kinds[kind]
}

func TestCertificatesInLogsAreToldOnce(t *testing.T) {
	l := newLogLab(t)
	elsewhere, _ := l.certificate("corp.test.example")
	l.submit(l.logs[0], elsewhere.Certificate)
	l.state(l.check(0), "ct", watch.OK, "")
	final, pre := l.certificate("www.corp.test")
	l.submit(l.logs[0], pre.Certificate)
	l.submit(l.logs[1], pre.Certificate)
	l.state(l.check(time.Minute), "ct", watch.OK, "") // a renewal is logged before it is served
	if found := l.logged(); len(found) != 1 || !found[0].Logged.Precertificate || found[0].Leaf().Names[0] != "www.corp.test" {
		t.Fatalf("%+v", found)
	}
	l.state(l.check(2*time.Hour), "ct", watch.Critical, "was issued by somebody else")
	l.submit(l.logs[0], final.Certificate)
	l.submit(l.logs[1], final.Certificate)
	l.check(time.Hour)
	if n := l.open(watch.KindForeign); n != 1 {
		t.Errorf("%d incidents", n)
	}
	changes, err := l.h.Changes(t.Context(), "ct", time.Time{}, history.Page{})
	if err != nil || len(changes) != 1 || changes[0].Field != "logged" || !strings.Contains(changes[0].After, "www.corp.test") {
		t.Errorf("%v: %+v", err, changes)
	}
	all, _, err := l.h.Incidents(t.Context(), history.IncidentQuery{})
	if err != nil || len(all) != 1 || !strings.Contains(all[0].Title, "for www.corp.test and 1 more was issued by somebody else: ") {
		t.Errorf("%v: %+v", err, all)
	}
}

// TestWhatIsKnownIsNoForeigners: a certificate is known that is served, that our own CA has issued, or whose issuer is expected.
func TestWhatIsKnownIsNoForeigners(t *testing.T) {
	l := newLogLab(t)
	served, servedPre := l.certificate("served.corp.test")
	issued, issuedPre := l.certificate("issued.corp.test")
	_, foreign := l.certificate("foreign.corp.test")
	for _, c := range []*pkitest.Leaf{servedPre, issuedPre, foreign} {
		l.submit(l.logs[0], c.Certificate)
	}
	l.watched("web", l.server(served).address)
	r := &records{}
	r.add(issued, l.now)
	l.withRecords(r)
	l.check(0)
	l.state(l.check(2*time.Hour), "ct", watch.Critical, "foreign.corp.test")
	if n := l.open(watch.KindForeign); n != 1 {
		t.Errorf("%d incidents", n)
	}
	l.c.Targets[0].Policy.Issuers = []string{"Intermediate"}
	if err := l.e.Reload(t.Context(), l.c); err != nil {
		t.Fatal(err)
	}
	l.state(l.check(time.Minute), "ct", watch.OK, "")
	l.c.Targets[0].Policy.Issuers = []string{"O=Somebody"}
	if err := l.e.Reload(t.Context(), l.c); err != nil {
		t.Fatal(err)
	}
	_, another := l.certificate("late.corp.test")
	l.submit(l.logs[1], another.Certificate)
	l.check(time.Minute) // who expects others is told at once
	if n := l.open(watch.KindForeign); n != 2 {
		t.Errorf("%d incidents", n)
	}
	l.check(100 * day) // they have ended
	l.check(time.Minute)
	if n := l.open(watch.KindForeign); n != 0 || len(l.logged()) != 0 {
		t.Errorf("%d incidents, %d certificates", n, len(l.logged()))
	}
}

func TestLogsAreReadOnAndNotBelieved(t *testing.T) {
	l := newLogLab(t)
	for range 3 {
		_, pre := l.certificate("a.corp.test")
		l.submit(l.logs[0], pre.Certificate)
	}
	l.check(0)
	position := func() string {
		places, err := l.h.Places(t.Context(), "ct")
		if err != nil || len(places) == 0 {
			t.Fatal(err)
		}
		return string(places[0].Observation.Log)
	}
	before := position()
	l.check(time.Minute)
	elsewhere, _ := l.certificate("elsewhere.test")
	l.submit(l.logs[0], elsewhere.Certificate)
	l.check(time.Minute)
	if after := position(); after == before || !strings.Contains(after, `"read":4`) {
		t.Errorf("%s", after) // though nothing was found
	}
	l.logs[0].Misbehave(logtest.Refuse)
	for range 3 {
		l.check(10 * time.Minute)
	}
	if l.open(watch.KindLog) != 1 || len(l.logged()) != 3 {
		t.Errorf("%d incidents, %d certificates", l.open(watch.KindLog), len(l.logged()))
	}
	l.logs[0].Misbehave(logtest.Fork)
	l.state(l.check(time.Minute), "ct", watch.Critical, "misbehaves")
	l.logs[0].Misbehave(logtest.None)
	_, pre := l.certificate("b.corp.test")
	l.submit(l.logs[0], pre.Certificate)
	l.check(time.Minute)
	if l.open(watch.KindLog) != 0 || len(l.logged()) != 4 {
		t.Errorf("%d incidents, %d certificates", l.open(watch.KindLog), len(l.logged()))
	}
	l.list(l.logs[1]) // the first log has left the list: what it showed is still good
	l.check(time.Minute)
	if n := len(l.logged()); n != 4 {
		t.Errorf("%d certificates", n)
	}
	if err := os.Remove(l.c.CTLogs); err != nil {
		t.Fatal(err)
	}
	l.check(time.Minute)
	if n := len(l.logged()); n != 4 {
		t.Errorf("%d certificates", n)
	}
	l.list(l.logs...)
	l.check(time.Minute)
	if n := len(l.logged()); n != 4 || position() == "" {
		t.Errorf("%d certificates", n)
	}
	text := scrape(t, l.metrics())
	if !strings.Contains(text, `tlswright_monitor_ct_log_up{target="ct",log="first"} 1`) || !strings.Contains(text, `tlswright_monitor_ct_newest_timestamp_seconds{target="ct",log="first"} 1`) {
		t.Error("logs are not among the metrics")
	}
}
