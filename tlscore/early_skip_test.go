package tlscore_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// TestEarlyDataBehindARetryMayFillItsRecords: with the tag they are longer than any plaintext record may be.
func TestEarlyDataBehindARetryMayFillItsRecords(t *testing.T) {
	s := earlyShop(t)
	session := s.first()
	s.server.RetryAlways = true
	l, err := s.rush(session, make([]byte, 30_000))
	if err != nil {
		t.Fatal(err)
	}
	exchange(t, l)
}

func TestEarlyDataInsideASecondHelloIsRefused(t *testing.T) {
	s := earlyShop(t)
	session := s.first()
	s.server.RetryAlways = true
	l := s.visit(session, true, time.Minute)
	records := 0
	l.Mutate = func(from *tlstest.End, rec []byte) []byte {
		if from != l.Client || wire.ContentType(rec[0]) != wire.ContentHandshake {
			return rec
		}
		if records++; records != 2 {
			return rec
		}
		body := rec[wire.RecordHeaderLen:]
		record := func(kind wire.ContentType, b []byte) []byte {
			return append(wire.AppendRecordHeader(nil, wire.RecordHeader{Type: kind, Version: wire.VersionTLS12, Length: len(b)}), b...)
		}
		return bytes.Join([][]byte{
			record(wire.ContentHandshake, body[:16]), record(wire.ContentApplicationData, make([]byte, 40)), record(wire.ContentHandshake, body[16:]),
		}, nil)
	}
	if err := l.Handshake(); !codeIs(err, tlscore.CodeInterleaved) {
		t.Errorf("ended with %v", err)
	}
}

func TestPlaintextRecordsStayShortWhereEarlyDataIsSkipped(t *testing.T) {
	s := earlyShop(t)
	session := s.first()
	s.server.RetryAlways = true
	l := s.visit(session, true, time.Minute)
	records := 0
	l.Mutate = func(from *tlstest.End, rec []byte) []byte {
		if from != l.Client || wire.ContentType(rec[0]) != wire.ContentHandshake {
			return rec
		}
		if records++; records != 2 {
			return rec
		}
		head := wire.RecordHeader{Type: wire.ContentHandshake, Version: wire.VersionTLS12, Length: wire.MaxPlaintext + 1}
		return append(wire.AppendRecordHeader(nil, head), make([]byte, head.Length)...)
	}
	if err := l.Handshake(); !codeIs(err, tlscore.CodeRecordTooLong) {
		t.Errorf("ended with %v", err)
	}
}

// TestEarlyDataGoesOnUntilTheServersFinished: that the server accepts it does not end it.
func TestEarlyDataGoesOnUntilTheServersFinished(t *testing.T) {
	s := earlyShop(t)
	session := s.first()
	l := s.visit(session, true, time.Minute)
	l.Client.Answer = func(q *tlscore.Question) tlscore.Answer {
		if q.Kind != tlscore.NeedVerify {
			return nil
		}
		if got := l.Client.Machine.Facts().EarlyData; got != tlscore.EarlyDataAccepted {
			t.Errorf("early data is %v when the certificate is looked at", got)
		}
		_, out, err := l.Client.Machine.SealEarly([]byte("more"), nil)
		if err != nil {
			t.Error(err)
		}
		l.Carry(l.Client, out)
		return nil
	}
	if err := l.Handshake(); err != nil {
		t.Fatal(err)
	}
	if string(l.Server.Early) != "more" {
		t.Errorf("%q came early", l.Server.Early)
	}
	exchange(t, l)
}
