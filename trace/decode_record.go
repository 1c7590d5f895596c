package trace

import (
	"fmt"

	"github.com/tlswright/tlswright/wire"
)

// Names of content types and epochs, as they stand in a Recording.
const (
	typeApplicationData = "application_data"

	epochPlaintext   = "plaintext"
	epochEarly       = "early data"
	epochHandshake   = "handshake"
	epochApplication = "application"
	epochUnknown     = "protected" // nobody here knows by which keys
)

// record opens one record and acts on what is in it.
func (d *decoder) record(rec *Record) {
	s := d.stream(rec.From)
	h, _ := wire.ParseRecordHeader(rec.Raw)
	rec.Type = h.Type.String()
	rec.Epoch = epochPlaintext
	rec.Fields = d.fields(rec.Raw, wire.WalkRecord)
	typ, content := h.Type, rec.Raw[wire.RecordHeaderLen:]
	if d.protected(s, h.Type, len(content)) {
		var ok bool
		if typ, content, ok = d.open(s, rec); !ok {
			return
		}
		rec.Inner = typ.String()
	} else if h.Type == wire.ContentApplicationData {
		rec.Problem = "application data in the clear"
	}
	rec.Content, rec.ContentLength = Hex(content), len(content)
	switch typ {
	case wire.ContentHandshake:
		d.join(s, rec, content)
	case wire.ContentAlert:
		rec.Inside = d.fields(content, wire.WalkAlert)
	case wire.ContentChangeCipherSpec:
		if len(content) > 0 {
			rec.Inside = []Field{{Path: "type", Length: len(content), Kind: kindNumber, Value: hexValue(content)}}
		}
		s.changed = true
	default:
		if len(content) > 0 {
			rec.Inside = []Field{{Path: typ.String(), Length: len(content), Kind: kindBytes, Value: dataValue(content)}}
		}
	}
	explainRecord(rec)
}

// protected reports whether a record of this outer type, whose fragment has n bytes, is one that keys protect.
func (d *decoder) protected(s *stream, outer wire.ContentType, n int) bool {
	if d.version != 0 && d.version != wire.VersionTLS13 {
		return s.changed
	}
	return outer == wire.ContentApplicationData
}

// join adds a fragment to the message that a stream is in, and takes out the messages that are whole.
func (d *decoder) join(s *stream, rec *Record, content []byte) {
	if len(content) == 0 {
		rec.Problem = "an empty handshake record"
		return
	}
	if len(s.part) == 0 {
		s.epoch = rec.Epoch
	}
	s.part = append(s.part, content...)
	s.spans = append(s.spans, Span{Record: rec.ID, Length: len(content)})
	for len(s.part) >= handshakeHeader && len(d.r.Messages) < maxMessages {
		n := handshakeHeader + int(s.part[1])<<16 + int(s.part[2])<<8 + int(s.part[3])
		if len(s.part) < n {
			return
		}
		d.message(s, n, rec)
		s.epoch = rec.Epoch
	}
}

const handshakeHeader = 4

// message takes the first n bytes of what a stream has joined as a message; rec is where it ends.
func (d *decoder) message(s *stream, n int, rec *Record) {
	raw := s.part[:n:n]
	s.part = s.part[n:]
	m := Message{ID: len(d.r.Messages), From: s.side, At: rec.At, Epoch: s.epoch, Raw: Hex(raw)}
	for left := n; left > 0; {
		first := &s.spans[0]
		take := min(left, first.Length)
		m.Spans = append(m.Spans, Span{Record: first.Record, Offset: first.Offset, Length: take})
		d.r.Records[first.Record].Messages = append(d.r.Records[first.Record].Messages, m.ID)
		first.Offset, first.Length, left = first.Offset+take, first.Length-take, left-take
		if first.Length == 0 {
			s.spans = s.spans[1:]
		}
	}
	walk := wire.WalkMessage
	if d.old() {
		walk = wire.WalkMessage12
	}
	if d.isRawKey12(s.side, raw) {
		walk = new(wire.RawPublicKey12).Walk
	}
	m.Fields = d.fields(raw, walk)
	d.explainMessage(&m)
	d.r.Messages = append(d.r.Messages, m)
	if wire.HandshakeType(raw[0]) == wire.TypeKeyUpdate && !d.old() && m.Epoch != epochPlaintext {
		d.renew(s)
	}
}

// old reports whether an older version than TLS 1.3 was agreed on.
func (d *decoder) old() bool { return d.version != 0 && d.version < wire.VersionTLS13 }

// flush makes a message of what was left of one.
func (d *decoder) flush(s *stream) {
	if len(s.part) == 0 {
		return
	}
	rec := &d.r.Records[s.spans[len(s.spans)-1].Record]
	rec.Problem = fmt.Sprintf("a message of the %s begins and does not end", s.side)
	if len(d.r.Messages) >= maxMessages {
		rec.Problem = "there are too many messages to show them one by one"
	}
	d.message(s, len(s.part), rec)
}

// fields names each byte. When there are too many fields for one recording, the bytes become one field.
func (d *decoder) fields(raw []byte, walk func([]byte, wire.Visitor) error) []Field {
	if d.budget <= 0 {
		return oneField(raw)
	}
	var fields []Field
	broken := ""
	err := walk(raw, func(path string, offset, length int, kind wire.Kind) {
		if d.budget <= 0 {
			return
		}
		d.budget--
		f := Field{Path: fieldPath(path), Offset: offset, Length: length, Kind: kind.String()}
		f.Value = valueOf(kind, raw[offset:offset+length])
		fields = append(fields, f)
	})
	if err != nil {
		broken = err.Error()
	}
	if d.budget <= 0 {
		return oneField(raw)
	}
	for i := range fields {
		if fields[i].Kind == kindMalformed {
			fields[i].Meaning = "Cannot be read: " + broken + "."
		}
	}
	return fields
}

// oneField is what bytes are where there are too many fields already.
func oneField(raw []byte) []Field {
	if len(raw) == 0 {
		return nil
	}
	return []Field{{Path: "all of it", Length: len(raw), Kind: kindBytes, Meaning: "Not taken apart: the recording has too many fields."}}
}
