package monitor

import (
	"bytes"
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/scan"
	"github.com/tlswright/tlswright/trace"
)

// recorded gives the recording of the one place of a target; nil: there is none.
func (l *lab) recorded(target string) (history.Trace, *trace.Recording) {
	l.Helper()
	list, err := l.h.Traces(l.Context(), target)
	if err != nil {
		l.Fatal(err)
	}
	if len(list) == 0 {
		return history.Trace{}, nil
	}
	t, err := l.h.Trace(l.Context(), target, list[0].Place)
	if err != nil {
		l.Fatal(err)
	}
	r, err := trace.ReadJSON(bytes.NewReader(t.Body))
	if err != nil {
		l.Fatal(err)
	}
	return t, r
}

func TestTheHandshakeIsRecordedWhenSomethingChanges(t *testing.T) {
	l := newLab(t)
	s := l.server(l.leaf(pkitest.P256, 60*day))
	l.c.Targets = []config.Watched{{Name: "shop", Address: s.address, ServerName: "localhost", Schedule: config.Schedule{Grade: -1}}}
	e, err := New(l.c, Options{History: l.h, Record: true, Now: func() time.Time { return l.now }, Look: LookOptions{Stores: []scan.Store{{Name: "lab", Own: true, Roots: l.ca.Roots()}}}})
	if err != nil {
		t.Fatal(err)
	}
	l.e = e
	l.check(time.Minute)
	first, r := l.recorded("shop")
	if r == nil || r.HasSecrets || r.Summary.ServerName != "localhost" || !strings.Contains(first.Why, "first time") || len(r.Messages) < 5 {
		t.Fatalf("%q: %+v", first.Why, r)
	}
	l.check(time.Hour)
	if same, _ := l.recorded("shop"); !same.At.Equal(first.At) {
		t.Errorf("nothing has changed, and it was recorded again: %s", same.Why)
	}
	s.set(func(c *tls.Config) { c.Certificates = []tls.Certificate{pair(l.leaf(pkitest.P256, 60*day))} })
	l.check(time.Hour)
	if after, r := l.recorded("shop"); !after.At.After(first.At) || !strings.Contains(after.Why, "certificate") || r == nil {
		t.Errorf("after a change: %s, %s", after.At, after.Why)
	}
}
