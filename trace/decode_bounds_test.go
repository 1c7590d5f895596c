package trace_test

import (
	"bytes"
	"testing"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/trace"
	"github.com/tlswright/tlswright/wire"
)

// inRecords puts handshake messages into plaintext records.
func inRecords(messages []byte) (out []byte) {
	for len(messages) > 0 {
		n := min(len(messages), wire.MaxPlaintext)
		out = wire.AppendRecordHeader(out, wire.RecordHeader{Type: wire.ContentHandshake, Version: wire.VersionTLS10, Length: n})
		out = append(out, messages[:n]...)
		messages = messages[n:]
	}
	return out
}

func TestWhatIsMadeOfACaptureIsBounded(t *testing.T) {
	fat := wire.AppendMessage(nil, &wire.ClientHello{CipherSuites: make([]wire.CipherSuite, 32_000), CompressionMethods: []byte{0}})
	for name, data := range map[string][]byte{
		"empty records":                  bytes.Repeat([]byte{23, 3, 3, 0, 0}, 100_000),
		"one message in tiny records":    bytes.Repeat([]byte{22, 3, 3, 0, 1, 1}, 100_000),
		"many messages":                  inRecords(bytes.Repeat([]byte{5, 0, 0, 0}, 100_000)),
		"messages with very many fields": inRecords(bytes.Repeat(fat, 20)),
	} {
		for _, side := range []trace.Side{trace.Client, trace.Server} {
			r := decode(t, &trace.Capture{Segments: []trace.Segment{{From: side, Data: data}}})
			fields := 0
			for i := range r.Records {
				fields += len(r.Records[i].Fields) + len(r.Records[i].Inside)
			}
			for i := range r.Messages {
				fields += len(r.Messages[i].Fields)
			}
			if len(r.Records) > 1<<16 || len(r.Messages) > 1<<15+2 || fields > 1<<19 {
				t.Errorf("%s: %d records, %d messages, %d fields", name, len(r.Records), len(r.Messages), fields)
			}
			if r.Summary.AnnotatedBytes != uint64(len(data)) {
				t.Errorf("%s: %d of %d bytes are annotated", name, r.Summary.AnnotatedBytes, len(data))
			}
		}
	}
}

func TestStreamsWithHolesAndRepetitions(t *testing.T) {
	w := watch(t, tlscore.Config{}, serverConfig(t), tlscore.Options{})
	if err := w.Handshake(); err != nil {
		t.Fatal(err)
	}
	c := w.client.Capture()
	client, server := streams(c)
	want := decode(t, c)

	// Each byte on its own, and some of them twice.
	cut := &trace.Capture{Derivations: c.Derivations, Started: c.Started}
	for i := range max(len(client), len(server)) {
		for _, s := range []struct {
			from trace.Side
			data []byte
		}{{trace.Client, client}, {trace.Server, server}} {
			if i < len(s.data) {
				from := max(0, i-i%3)
				cut.Segments = append(cut.Segments, trace.Segment{From: s.from, Offset: uint64(from), Data: s.data[from : i+1]})
			}
		}
	}
	r := decode(t, cut)
	whole(t, r)
	allRight(t, r)
	if len(r.Messages) != len(want.Messages) || !r.Summary.Complete {
		t.Errorf("%d messages, want %d", len(r.Messages), len(want.Messages))
	}

	// The two directions one behind the other: the order of time is lost, the connection is not.
	r = decode(t, &trace.Capture{Derivations: c.Derivations, Started: c.Started, Segments: []trace.Segment{{From: trace.Server, Data: server}, {From: trace.Client, Data: client}}})
	whole(t, r)
	allRight(t, r)
	checked(t, r)

	// A hole: what lies behind it is kept, but not taken apart.
	r = decode(t, &trace.Capture{Derivations: c.Derivations, Segments: []trace.Segment{
		{From: trace.Client, Data: client}, {From: trace.Server, Data: server[:200]}, {From: trace.Server, Offset: 300, Data: server[300:]},
	}})
	if s := r.Summary; s.AnnotatedBytes != uint64(len(client)+len(server)-100) || s.Complete || len(r.Rest) != 2 || r.Failure == nil {
		t.Errorf("with a hole: %+v, %d rests, failure %v", s, len(r.Rest), r.Failure)
	}
}
