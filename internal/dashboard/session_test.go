package dashboard

import (
	"fmt"
	"testing"
	"time"
)

// However many sessions are ended, none of them counts again; those that begin afterwards do.
func TestEndedSessionsStayOver(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	s := newSessions("0123456789abcdef0123456789abcdef")
	first := s.begin(now, "Ada")
	u := s.read(now, first)
	if u.name != "Ada" {
		t.Fatalf("%+v", u)
	}
	s.end(now, u.id)
	for i := range maxEnded {
		s.end(now, fmt.Sprint("another ", i))
		if s.read(now, first) != (user{}) {
			t.Fatalf("the session counts again after %d others have ended", i+1)
		}
	}
	if len(s.ended) > maxEnded {
		t.Errorf("%d are remembered", len(s.ended))
	}
	now = now.Add(2 * time.Second)
	if later := s.begin(now, "Grace"); s.read(now, later).name != "Grace" {
		t.Error("nobody can log in any more")
	}
}
