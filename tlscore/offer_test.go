package tlscore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
)

func TestSessionsCanBeOfferedUntilStart(t *testing.T) {
	s := newShop(t)
	session := s.first()
	l := s.visit(nil, false, time.Minute)
	if err := l.Client.Machine.Offer(session, false); err != nil {
		t.Fatal(err)
	}
	resumed(t, l, true)
	var misuse *tlscore.MisuseError
	if err := l.Client.Machine.Offer(session, false); !errors.As(err, &misuse) {
		t.Errorf("Offer after Start: %v", err)
	}
	if err := l.Server.Machine.Offer(session, false); !errors.As(err, &misuse) {
		t.Errorf("Offer on a server: %v", err)
	}
}

func TestServersKnowWhoTakesTickets(t *testing.T) {
	for _, want := range []bool{true, false} {
		s := newShop(t)
		s.client.NoTickets = !want
		l := s.visit(nil, false, 0)
		if err := l.Handshake(); err != nil {
			t.Fatal(err)
		}
		if got := l.Server.Machine.Facts().TakesTickets; got != want {
			t.Errorf("takes tickets: %v, want %v", got, want)
		}
	}
}

// TestAnAnswerToEarlyDataMayEndTheStream closes the server's half before the client's Finished has come, which must
// still be read.
func TestAnAnswerToEarlyDataMayEndTheStream(t *testing.T) {
	s := earlyShop(t)
	session := s.first()
	l := s.visit(session, true, time.Minute)
	if err := l.Start(); err != nil {
		t.Fatal(err)
	}
	_, out, err := l.Client.Machine.SealEarly([]byte("question"), nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Carry(l.Client, out)
	var held [][]byte
	l.Mutate = func(from *tlstest.End, rec []byte) []byte {
		if from == l.Client {
			held = append(held, append([]byte(nil), rec...))
			return nil
		}
		return rec
	}
	if err := l.Run(); err != nil {
		t.Fatal(err)
	}
	if out, err = l.Server.Machine.CloseWrite(nil); err != nil || len(out) == 0 {
		t.Fatalf("%d bytes, %v", len(out), err)
	}
	l.Carry(l.Server, out)
	l.Mutate = nil
	for _, rec := range held {
		l.Carry(l.Client, rec)
	}
	if err := l.Run(); err != nil {
		t.Fatal(err)
	}
	if !l.Server.Done || !l.Client.Closed {
		t.Errorf("server done: %v, client saw the end: %v", l.Server.Done, l.Client.Closed)
	}
}
