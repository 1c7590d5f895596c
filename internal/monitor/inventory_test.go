package monitor

import (
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/watch"
	"github.com/tlswright/tlswright/scan"
)

// records are those of a CA, which can be out of order.
type records struct {
	mu     sync.Mutex
	list   []Issuance
	broken error
	reads  int
}

func (r *records) read(_ context.Context, since time.Time, give func(Issuance)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reads++
	for _, i := range r.list {
		if i.At.After(since) || i.State != "issued" {
			give(i)
		}
	}
	return r.broken
}

func (r *records) add(leaf *pkitest.Leaf, at time.Time) *Issuance {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, Issuance{DER: leaf.Chain[0], Profile: "server", State: "issued", At: at})
	return &r.list[len(r.list)-1]
}

// withRecords makes the engine of a lab with the records of a CA.
func (l *lab) withRecords(r *records) {
	l.Helper()
	e, err := New(l.c, Options{History: l.h, Now: func() time.Time { return l.now }, Look: LookOptions{Stores: []scan.Store{{Name: "lab", Own: true, Roots: l.ca.Roots()}}},
		CAs: func(*config.Monitor) []CA { return []CA{{Name: "own", Read: r.read}} }})
	if err != nil {
		l.Fatal(err)
	}
	l.e = e
}

// What our CA has not issued, and lies in no file of ours, is a stranger where only own certificates may be served.
func TestStrangersAreTold(t *testing.T) {
	l := newLab(t)
	r := &records{}
	ours, theirs := l.leaf(pkitest.P256, 60*day), l.leaf(pkitest.P256, 60*day)
	r.add(ours, l.now)
	l.watched("ours", l.server(ours).address).OnlyOwn = true
	l.watched("theirs", l.server(theirs).address).OnlyOwn = true
	l.watched("anybody's", l.server(theirs).address)
	l.withRecords(r)
	all := l.check(0)
	l.state(all, "ours", watch.OK, "")
	l.state(all, "theirs", watch.Critical, "not known here")
	l.state(all, "anybody's", watch.OK, "")
	r.add(theirs, l.now)
	l.state(l.check(10*time.Second), "theirs", watch.OK, "") // it was issued just now
	r.broken = errors.New("the disk is gone")
	stranger := l.leaf(pkitest.P256, 60*day)
	l.watched("late", l.server(stranger).address).OnlyOwn = true
	l.withRecords(r)
	l.state(l.check(time.Minute), "late", watch.OK, "") // nobody is accused by records that cannot be read
	for range 3 {
		l.check(2 * time.Minute)
	}
	kinds, err := l.h.OpenKinds(t.Context())
	if err != nil || kinds[KindInventory] != 1 {
		t.Errorf("%v, %v", kinds, err)
	}
	r.broken = nil
	l.state(l.check(2*time.Minute), "late", watch.Critical, "not known here")
	if kinds, err = l.h.OpenKinds(t.Context()); err != nil || kinds[KindInventory] != 0 {
		t.Errorf("%v, %v", kinds, err)
	}
}

func TestWhatIsIssuedComesIntoUse(t *testing.T) {
	l := newLab(t)
	r := &records{}
	older, newer := l.leaf(pkitest.P256, 50*day), l.leaf(pkitest.P256, 89*day)
	r.add(older, l.now.Add(-40*day))
	s := l.server(older)
	l.watched("web", s.address)
	l.withRecords(r)
	l.state(l.check(0), "web", watch.OK, "")
	r.add(newer, l.now.Add(time.Minute))
	l.state(l.check(time.Hour), "web", watch.OK, "")
	l.state(l.check(day), "web", watch.Warning, "was issued and is not served anywhere")
	l.standing(newer, history.StandsUnused)
	l.standing(older, history.StandsServed)
	s.set(func(c *tls.Config) { c.Certificates = []tls.Certificate{pair(newer)} })
	l.check(time.Hour)
	l.state(l.check(time.Hour), "web", watch.OK, "")
	l.standing(newer, history.StandsServed)
	l.standing(older, history.StandsReplaced)
	if places, err := l.h.Places(t.Context(), "web"); err != nil || len(places) != 2 || places[1].Observation.Source != watch.Issued || len(places[1].Observation.Leaves) != 2 {
		t.Errorf("%v: %+v", err, places)
	}
	changes, err := l.h.Changes(t.Context(), "web", time.Time{}, history.Page{})
	if err != nil || !slices.ContainsFunc(changes, func(c history.Changed) bool { return c.Field == "issued" && strings.Contains(c.After, "localhost") }) {
		t.Errorf("%v: %+v", err, changes)
	}
}

// standing checks what has become of a certificate.
func (l *lab) standing(leaf *pkitest.Leaf, want history.Standing) {
	l.Helper()
	c := scan.Describe(leaf.Chain[0])
	list, total, err := l.h.Issued(l.Context(), l.now, history.IssuedQuery{Text: bare(c.SHA256)})
	if err != nil || total != 1 || list[0].Standing != want {
		l.Errorf("%v: %+v, want %s", err, list, want)
	}
}

func TestWhatOurCARevokedIsNotServed(t *testing.T) {
	l := newLab(t)
	r := &records{}
	leaf := l.leaf(pkitest.P256, 60*day)
	issued := r.add(leaf, l.now)
	l.watched("web", l.server(leaf).address)
	l.withRecords(r)
	l.state(l.check(0), "web", watch.OK, "")
	issued.State, issued.Revoked = "on hold", l.now
	l.state(l.check(2*time.Minute), "web", watch.Critical, "has put it on hold")
	l.standing(leaf, history.StandsRevokedServed)
	issued.State, issued.Revoked = "issued", time.Time{}
	l.state(l.check(2*time.Minute), "web", watch.OK, "")
	issued.State, issued.Revoked = "revoked", l.now
	l.state(l.check(2*time.Minute), "web", watch.Critical, "is revoked: its CA, own, has revoked it on")
	kinds, err := l.h.OpenKinds(t.Context())
	if err != nil || kinds[watch.KindRevoked] != 1 {
		t.Errorf("%v, %v", kinds, err)
	}
}

// TestRecordsAreReadNowAndThen: hundreds of looks a second do not read the CA's database hundreds of times, and what was
// read before is not read again.
func TestRecordsAreReadNowAndThen(t *testing.T) {
	l := newLab(t)
	r := &records{}
	leaf := l.leaf(pkitest.P256, 60*day)
	r.add(leaf, l.now.Add(-10*day))
	s := l.server(leaf)
	for _, name := range []string{"a", "b", "c", "d"} {
		l.watched(name, s.address).OnlyOwn = true
	}
	l.withRecords(r)
	l.check(0)
	l.check(30 * time.Second)
	if r.reads != 1 {
		t.Errorf("%d readings in half a minute", r.reads)
	}
	r.list = nil // another process would not get it either
	l.withRecords(r)
	l.state(l.check(time.Hour), "a", watch.OK, "")
	if r.reads != 2 {
		t.Errorf("%d readings", r.reads)
	}
}
