package history

import (
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/tlswright/tlswright/internal/watch"
)

// names lists targets in an order.
func (f *fixture) ordered(o Order, text string) []string {
	f.Helper()
	list, total, err := f.Targets(f.Context(), TargetQuery{Order: o, Text: text})
	f.must(err)
	if total != len(list) {
		f.Errorf("%d in all, %d listed", total, len(list))
	}
	var names []string
	for _, t := range list {
		names = append(names, t.Name)
	}
	return names
}

func aDashboardFindsItsWay(f *fixture) {
	f.watchAll("a:443", "b:443", "c_:443", "d:443")
	for i, name := range []string{"b:443", "a:443", "c_:443"} {
		o := observation(name, name)
		o.Leaves[0].Chain[0].NotAfter = f.now.Add(time.Duration(10*(3-i)-15) * 24 * time.Hour)
		f.now = f.now.Add(time.Hour)
		_, err := f.Force(f.Context(), f.now, f.now.Add(time.Minute), "me", name)
		f.must(err)
		r := result(o, f.now)
		r.Grade = []string{"A", "B", "A"}[i]
		f.file("me", r)
	}
	for order, want := range map[Order][]string{
		ByName: {"a:443", "b:443", "c_:443", "d:443"}, ByEnd: {"d:443", "c_:443", "a:443", "b:443"}, ByLook: {"d:443", "b:443", "a:443", "c_:443"}, ByGrade: {"a:443", "c_:443", "b:443", "d:443"},
	} {
		if got := f.ordered(order, ""); !slices.Equal(got, want) {
			f.Errorf("by %s: %v, want %v", order, got, want)
		}
	}
	if got := f.ordered(ByName, "_:4"); !slices.Equal(got, []string{"c_:443"}) { // _ is a letter like others
		f.Errorf("found %v", got)
	}
	e, err := f.Ends(f.Context(), f.now, []time.Duration{24 * time.Hour, 7 * 24 * time.Hour})
	f.must(err)
	if e.None != 1 || e.Over != 1 || !slices.Equal(e.Within, []int{0, 1}) || e.Later != 1 || e.Grades["A"] != 2 || e.Grades[""] != 1 || !e.Last.Equal(f.now) {
		f.Errorf("ends: %+v", e)
	}
	served, total, err := f.Certificates(f.Context(), CertificateQuery{Source: watch.Served, Ends: f.now})
	f.must(err)
	if total != 2 || len(served) != 2 || served[0].Where[0].Source != watch.Served {
		f.Errorf("%d certificates: %+v", total, served)
	}
	if _, total, err = f.Certificates(f.Context(), CertificateQuery{Source: watch.Issued}); err != nil || total != 0 {
		f.Errorf("%d issued: %v", total, err)
	}
	if k, err := f.Certificate(f.Context(), "f-a:443"); err != nil || k.Subject != "CN=a:443" || len(k.Where) != 1 {
		f.Errorf("%+v: %v", k, err)
	}
	if _, err := f.Certificate(f.Context(), "none"); !errors.Is(err, ErrNotFound) {
		f.Errorf("a certificate that was never seen: %v", err)
	}
}

func theLastHandshake(f *fixture) {
	f.watchAll("a:443")
	file := func(traces ...Trace) {
		f.now = f.now.Add(time.Hour)
		_, err := f.Force(f.Context(), f.now, f.now.Add(time.Minute), "me", "a:443")
		f.must(err)
		r := result(observation("a:443", "x"), f.now)
		r.Traces = traces
		f.file("me", r)
	}
	const place = "192.0.2.1:443"
	noise := make([]byte, maxTrace)
	rand.Read(noise)
	file(Trace{Place: place, At: f.now, Why: "first", Body: []byte("one")}, Trace{Place: "192.0.2.9:443", At: f.now, Body: []byte("of no place")})
	file()
	file(Trace{Place: place, At: f.now, Why: "second", Body: []byte("two")})
	file(Trace{Place: place, At: f.now, Why: "third", Body: noise}) // too large to be kept
	t, err := f.Trace(f.Context(), "a:443", place)
	f.must(err)
	if string(t.Body) != "two" || t.Why != "second" {
		f.Errorf("%q, %q", t.Body, t.Why)
	}
	list, err := f.Traces(f.Context(), "a:443")
	f.must(err)
	if len(list) != 1 || list[0].Place != place || list[0].At.IsZero() || list[0].Body != nil {
		f.Errorf("%+v", list)
	}
	f.watchAll()
	if _, err := f.Trace(f.Context(), "a:443", place); !errors.Is(err, ErrNotFound) {
		f.Errorf("the recording of a target that is gone: %v", err)
	}
}
