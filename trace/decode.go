package trace

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// Bounds on what Decode takes apart. What lies beyond them is still in the Recording, as one piece.
const (
	// MaxCapture is how many bytes of both streams together Decode reads.
	MaxCapture = 64 << 20

	maxRecords  = 1 << 16
	maxMessages = 1 << 15
	maxFields   = 1 << 18
	maxRenewals = 1 << 10 // KeyUpdates of one side
)

// ErrTooLarge is returned by Decode for a Capture of more than MaxCapture bytes.
var ErrTooLarge = errors.New("trace: the capture is too large to be taken apart")

// Decode makes a Recording of what was captured: it finds the records, opens them with the secrets at hand, joins the
// messages, names each byte, and computes transcript, key schedule and checks anew. Nothing is too broken for it: what
// it cannot explain is in Rest, or in the Problem of a record. The only error is ErrTooLarge.
//
// The Recording shares bytes with the Capture.
func Decode(c *Capture) (*Recording, error) {
	total := 0
	for i := range c.Segments {
		total += len(c.Segments[i].Data)
		if total > MaxCapture {
			return nil, ErrTooLarge
		}
	}
	d := run(c)
	// What follows from a shared secret needs messages that only what follows opens: the ServerHello, the server's
	// Finished, the client's Finished, the tickets.
	for range 4 * roots(c.Derivations) {
		more := d.follow()
		if len(more) == 0 {
			break
		}
		with := *c
		with.Derivations = append(slices.Clone(c.Derivations), more...)
		c, d = &with, run(&with)
	}
	d.check()
	d.summarize()
	d.explain()
	return d.r, nil
}

// run takes a capture apart, up to the key schedule.
func run(c *Capture) *decoder {
	d := &decoder{
		c:      c,
		r:      &Recording{Schema: Schema, Started: c.Started, Observed: c.Observed, Client: c.Client, Server: c.Server, Happenings: c.Happenings, Cut: c.Cut},
		budget: maxFields,
		client: &stream{side: Client, current: -1},
		server: &stream{side: Server, current: -1},
	}
	d.frame()
	d.findHellos()
	d.findInner()
	d.findSecrets()
	for i := range d.r.Records {
		d.record(&d.r.Records[i])
	}
	d.flush(d.client)
	d.flush(d.server)
	d.settle()
	d.transcript()
	d.schedule()
	return d
}

// decoder is one run of Decode.
type decoder struct {
	c      *Capture
	r      *Recording
	budget int // of fields

	client, server *stream

	hello   *wire.ClientHello // the first
	answer  *wire.ServerHello // the ServerHello; nil: none was seen
	retry   *wire.ServerHello // the HelloRetryRequest; nil: there was none
	version wire.Version      // that was agreed on; 0: none
	suite   *suite.Suite      // nil: none, or none that can be opened

	inners   []inner // that were encrypted in the ClientHellos, as far as secrets tell
	accepted bool    // the server goes on from them; hello is then the first of them

	known  *secretStore
	thread *thread
	graph  *graph
	fed    map[string][]FieldRef // by name of a step
}

// stream is what one side sent.
type stream struct {
	side Side
	buf  []byte // not framed yet
	next uint64 // offset of the end of buf
	bad  string // why no more records are looked for

	// joining
	part  []byte
	spans []Span
	epoch string // of the first byte of part

	// protection
	changed  bool          // TLS 1.2: change_cipher_spec was sent
	keys     []*protection // in the order of use
	current  int           // of keys; -1: plaintext
	lost     int           // records in a row that did not open
	renewals int           // by KeyUpdate
}

func (d *decoder) stream(s Side) *stream {
	if s == Server {
		return d.server
	}
	return d.client
}

// frame finds the records of both streams, in the order of time.
func (d *decoder) frame() {
	for i := range d.c.Segments {
		seg := &d.c.Segments[i]
		if !seg.From.known() {
			continue
		}
		s, data := d.stream(seg.From), seg.Data
		switch {
		case seg.Offset > s.next:
			if s.bad == "" {
				s.bad = "the record is not whole: bytes are missing behind it"
			}
			d.leave(s)
			s.bad = fmt.Sprintf("%d bytes are missing before it", seg.Offset-s.next)
			s.next = seg.Offset
		case seg.Offset < s.next: // sent twice
			again := min(s.next-seg.Offset, uint64(len(data)))
			data = data[again:]
		}
		if len(data) == 0 {
			continue
		}
		s.next += uint64(len(data))
		s.buf = append(s.buf, data...)
		d.deframe(s, seg)
	}
	for _, s := range []*stream{d.client, d.server} {
		if s.bad == "" && len(s.buf) > 0 {
			s.bad = "the record is not whole: the stream ends here"
		}
		d.leave(s)
	}
}

// deframe takes the records that are whole by now.
func (d *decoder) deframe(s *stream, seg *Segment) {
	for s.bad == "" {
		rec, _, err := wire.Deframe(s.buf, 1<<16-1)
		if err != nil {
			s.bad = notTLS(s.buf, err)
			return
		}
		if rec == nil {
			return
		}
		if len(d.r.Records) >= maxRecords {
			s.bad = "there are too many records to show them one by one"
			return
		}
		d.r.Records = append(d.r.Records, Record{
			ID: len(d.r.Records), From: s.side, At: seg.At, Offset: s.next - uint64(len(s.buf)), Raw: Hex(rec),
		})
		s.buf = s.buf[len(rec):]
	}
}

// leave puts bytes that are in no record aside.
func (d *decoder) leave(s *stream) {
	if len(s.buf) == 0 || s.bad == "" {
		return
	}
	d.r.Rest = append(d.r.Rest, Rest{From: s.side, Offset: s.next - uint64(len(s.buf)), Raw: Hex(s.buf), Why: s.bad})
	s.buf = nil
}

// notTLS says why bytes are not a record.
func notTLS(b []byte, err error) string {
	for _, word := range []string{"GET ", "POST ", "HEAD ", "PUT ", "CONNECT ", "OPTIONS ", "HTTP/"} {
		if len(b) >= len(word) && string(b[:len(word)]) == word {
			return "this is plain HTTP, not TLS"
		}
	}
	for _, word := range []string{"220 ", "220-", "* OK", "+OK ", "SSH-"} {
		if len(b) >= len(word) && string(b[:len(word)]) == word {
			return "this is a protocol that speaks plain text first, not TLS"
		}
	}
	return "this is not a TLS record: " + err.Error()
}

// findHellos looks for the hellos before anything else, so that records can be opened in whatever order they come.
func (d *decoder) findHellos() {
	for raw := range d.plainMessages(Client) {
		hello := new(wire.ClientHello)
		if hello.Parse(raw) == nil {
			d.hello = hello
		}
		break
	}
	for raw := range d.plainMessages(Server) {
		hello := new(wire.ServerHello)
		if hello.Parse(raw) != nil {
			break
		}
		if !hello.IsHelloRetryRequest() {
			d.answer = hello
			break
		}
		d.retry = hello
	}
	hello := d.answer
	if hello == nil {
		hello = d.retry
	}
	if hello == nil {
		return
	}
	d.version = hello.LegacyVersion
	var selected wire.SelectedVersion
	if ok, err := hello.Ext(&selected); ok && err == nil {
		d.version = selected.Version
	}
	switch d.version {
	case wire.VersionTLS13:
		d.suite = suite.ByID(hello.CipherSuite)
	case wire.VersionTLS12:
		d.suite = suite.ByID12(hello.CipherSuite)
	}
}

// plainMessages gives the messages of a side that come before anything protected.
func (d *decoder) plainMessages(side Side) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		var j wire.Joiner
		for i := range d.r.Records {
			rec := &d.r.Records[i]
			if rec.From != side {
				continue
			}
			switch wire.ContentType(rec.Raw[0]) {
			case wire.ContentHandshake:
			case wire.ContentChangeCipherSpec, wire.ContentApplicationData:
				continue
			default:
				return
			}
			j.Add(rec.Raw[wire.RecordHeaderLen:])
			for {
				raw, ok, err := j.Next()
				if err != nil {
					return
				}
				if !ok {
					break
				}
				if !yield(bytes.Clone(raw)) {
					return
				}
			}
		}
	}
}
