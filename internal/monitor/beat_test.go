package monitor

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/pkitest"
)

// Whoever is to miss the signs of life must want them: one that is refused did not arrive.
func TestARefusedSignOfLifeDoesNotCount(t *testing.T) {
	l := newLab(t)
	status := http.StatusNotFound
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer s.Close()
	l.watched("web", l.server(l.leaf(pkitest.P256, 60*day)).address)
	l.check(0)
	l.e.beat(t.Context(), s.URL)
	if _, at, err := l.h.Fact(t.Context(), beatFact); err != nil || !at.IsZero() {
		t.Errorf("a sign of life that was refused is noted: %v, %v", at, err)
	}
	status = http.StatusNoContent
	l.e.beat(t.Context(), s.URL)
	if _, at, err := l.h.Fact(t.Context(), beatFact); err != nil || at.IsZero() {
		t.Errorf("a sign of life is not noted: %v", err)
	}
}

func TestWhatIsToBeKeptForEverIs(t *testing.T) {
	l := newLab(t)
	l.c.Keep.Checks, l.c.Keep.Rollups, l.c.Keep.Changes = -1, -1, -1
	l.watched("web", l.server(l.leaf(pkitest.P256, 60*day)).address)
	l.check(0)
	l.now = l.now.Add(20 * 365 * day)
	if err := l.e.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	looks, err := l.h.Looks(t.Context(), "web", history.Page{})
	days, daysErr := l.h.Days(t.Context(), "web", time.Time{})
	if err != nil || daysErr != nil || len(looks) != 1 || len(days) != 1 {
		t.Errorf("%d looks and %d days are left", len(looks), len(days))
	}
}
