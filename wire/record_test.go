package wire

import (
	"bytes"
	"errors"
	"testing"
)

func TestRecordHeaderRoundTrips(t *testing.T) {
	h := RecordHeader{ContentHandshake, VersionTLS10, 0xffee}
	b := AppendRecordHeader([]byte("x"), h)
	if want := "x\x16\x03\x01\xff\xee"; string(b) != want {
		t.Fatalf("header %x, want %x", b, want)
	}
	if got, ok := ParseRecordHeader(b[1:]); !ok || got != h {
		t.Errorf("parsed %+v, %t", got, ok)
	}
	if _, ok := ParseRecordHeader(b[1:5]); ok {
		t.Error("four bytes are taken for a header")
	}
}

func TestDeframeAsksForWhatIsMissing(t *testing.T) {
	record := []byte("\x17\x03\x03\x00\x04data")
	stream := append(bytes.Clone(record), record...)
	for n := range record {
		want := len(record) - n
		if n < RecordHeaderLen {
			want = RecordHeaderLen - n
		}
		if rec, need, err := Deframe(record[:n], 4); rec != nil || need != want || err != nil {
			t.Errorf("%d bytes: record %x, need %d, error %v; want need %d", n, rec, need, err, want)
		}
	}
	rec, need, err := Deframe(stream, 4)
	if !bytes.Equal(rec, record) || need != 0 || err != nil {
		t.Errorf("record %x, need %d, error %v", rec, need, err)
	}
	if &rec[0] != &stream[0] || cap(rec) != len(rec) {
		t.Error("the record is not the part of the input that it should be")
	}
	if rec, need, err := Deframe([]byte("\x16\x03\x01\x00\x00"), 4); len(rec) != 5 || need != 0 || err != nil {
		t.Errorf("empty record: %x, need %d, error %v", rec, need, err)
	}
}

func TestDeframeRefusesAtTheFirstSign(t *testing.T) {
	for _, c := range []struct {
		in   string
		kind RecordErrorKind
		text string
	}{
		{"\x17\x03\x03\x40\x01", RecordTooLong, "record of 16385 bytes exceeds the limit of 16384"},
		{"\x16\x02\x00\x00\x01", RecordUnknownVersion, "record of unknown version 0x0200"},
		{"G", RecordUnknownType, "record of unknown content type 71"},
		{"\x80", RecordUnknownType, "record of unknown content type 128"},
		{"\x13", RecordUnknownType, "record of unknown content type 19"},
		{"\x19", RecordUnknownType, "record of unknown content type 25"},
	} {
		rec, need, err := Deframe([]byte(c.in), MaxPlaintext)
		var e *RecordError
		if !errors.As(err, &e) || e.Kind != c.kind || e.Error() != c.text || rec != nil || need != 0 {
			t.Errorf("%q: record %x, need %d, error %v; want %q", c.in, rec, need, err, c.text)
			continue
		}
		if e.Header.Type != ContentType(c.in[0]) || e.Limit != MaxPlaintext {
			t.Errorf("%q: %+v", c.in, e)
		}
	}
	// RFC 8446, Section 5.1: legacy_record_version MUST be ignored; so it is but for the major version.
	if _, _, err := Deframe([]byte("\x16\x03\xff\x00\x01x"), MaxPlaintext); err != nil {
		t.Errorf("version 0x03ff: %v", err)
	}
}

func TestAlertRoundTrips(t *testing.T) {
	a := Alert{AlertLevelFatal, AlertDecodeError}
	b := a.Append(nil)
	if !bytes.Equal(b, []byte{2, 50}) {
		t.Fatalf("alert %x", b)
	}
	if got, err := ParseAlert(b); err != nil || got != a {
		t.Errorf("parsed %+v, error %v", got, err)
	}
	for in, want := range map[string]string{
		"": "Alert.level: truncated", "\x02": "Alert.description: truncated", "\x02\x32\x02\x32": "Alert: 2 trailing bytes",
	} {
		if _, err := ParseAlert([]byte(in)); errText(err) != want {
			t.Errorf("%x: error %v, want %q", in, err, want)
		}
	}
}
