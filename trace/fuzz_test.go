package trace_test

import (
	"bytes"
	"testing"

	"github.com/tlswright/tlswright/trace"
)

// hostile makes a capture of bytes: the two streams, how they are cut into segments, and steps of a key schedule.
func hostile(client, server, cuts, steps []byte) *trace.Capture {
	c := &trace.Capture{Observed: trace.Client}
	left := map[trace.Side][]byte{trace.Client: client, trace.Server: server}
	at := map[trace.Side]uint64{}
	cut := func(side trace.Side, n int) {
		n = min(n, len(left[side]))
		c.Segments = append(c.Segments, trace.Segment{From: side, Offset: at[side], Data: left[side][:n]})
		left[side], at[side] = left[side][n:], at[side]+uint64(n)
	}
	for _, b := range cuts {
		side := trace.Client
		if b&1 == 1 {
			side = trace.Server
		}
		cut(side, int(b)*16)
	}
	cut(trace.Client, len(client))
	cut(trace.Server, len(server))
	names := []string{
		"CLIENT_RANDOM", "CLIENT_EARLY_TRAFFIC_SECRET", "CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET",
		"CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0", "EXPORTER_SECRET",
	}
	var random []byte
	if len(client) >= 43 {
		random = client[11:43]
	}
	for len(steps) > 33 {
		kind, n := steps[0], 32
		if kind&0x40 != 0 {
			n = min(48, len(steps)-1)
		}
		value := steps[1 : 1+n]
		steps = steps[1+n:]
		switch i := int(kind & 0x0f); {
		case i < len(names):
			c.KeyLog = append(c.KeyLog, trace.KeyLogLine{Label: names[i], ClientRandom: random, Secret: value})
		case i == 8:
			c.Derivations = append(c.Derivations, trace.Derivation{Name: "shared_secret", How: "ECDH", Output: value})
		case i == 9:
			c.Derivations = append(c.Derivations, trace.Derivation{Name: "psk", How: "given", Output: value})
		case i == 10:
			c.Derivations = append(c.Derivations, trace.Derivation{Name: "key_block", Label: "key expansion", Input: value, Context: value, Output: value})
		case i == 11:
			c.Derivations = append(c.Derivations, trace.Derivation{Name: "early_secret", Input: value, Output: value, Context: value})
		default:
			c.Derivations = append(c.Derivations, trace.Derivation{Name: "server_handshake_traffic_secret", Label: "s hs traffic", Input: value, Context: value, Output: value})
		}
	}
	return c
}

// streams joins what each side sent.
func streams(c *trace.Capture) (client, server []byte) {
	for _, s := range c.Segments {
		if s.From == trace.Client {
			client = append(client, s.Data...)
		} else {
			server = append(server, s.Data...)
		}
	}
	return client, server
}

func FuzzDecode(f *testing.F) {
	secrets, all := rfcVectors(f, "secrets.vec"), rfcVectors(f, "transcripts.vec")
	for name, v := range all {
		client, server := streams(rfcCapture(v))
		published := secrets[name]
		var steps []byte
		for i, what := range []string{
			"", "client_early_traffic_secret", "client_handshake_traffic_secret", "server_handshake_traffic_secret",
			"client_application_traffic_secret_0", "server_application_traffic_secret_0", "exporter_master_secret", "", "shared_secret", "psk",
		} {
			if value := published[what]; len(value) == 32 {
				steps = append(append(steps, byte(i)), value...)
			}
		}
		f.Add(client, server, []byte{30, 31, 2, 3}, steps)
	}
	f.Add([]byte("GET / HTTP/1.1\r\n"), []byte("220 hello\r\n"), []byte{}, []byte{})
	f.Add([]byte{22, 3, 1, 0, 4, 1, 0, 0, 0}, []byte{21, 3, 3, 0, 2, 2, 40}, []byte{1, 0}, bytes.Repeat([]byte{10}, 70))
	f.Fuzz(func(t *testing.T, client, server, cuts, steps []byte) {
		r, err := trace.Decode(hostile(client, server, cuts, steps))
		if err != nil {
			t.Fatal(err)
		}
		if n := uint64(len(client) + len(server)); r.Summary.AnnotatedBytes != n || r.Summary.ClientBytes+r.Summary.ServerBytes != n {
			t.Errorf("%d of %d bytes are annotated", r.Summary.AnnotatedBytes, n)
		}
		trace.Explain(r)
		for _, r := range []*trace.Recording{r, r.WithoutSecrets()} {
			b, err := r.JSON()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := trace.ReadJSON(bytes.NewReader(b)); err != nil {
				t.Error(err)
			}
		}
		if _, err := trace.Decode(r.Capture()); err != nil {
			t.Error(err)
		}
	})
}

func FuzzReadJSON(f *testing.F) {
	for _, v := range rfcVectors(f, "transcripts.vec") {
		c := rfcCapture(v)
		r, err := trace.Decode(c)
		if err != nil {
			f.Fatal(err)
		}
		b, err := r.JSON()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"schema":"tlswright-trace/1","records":[{"id":0,"from":"client","raw":"1603010000","messages":[0]}],"messages":[]}`))
	f.Add([]byte(`{"schema":"tlswright-trace/1","keys":[{"id":0,"up_to":-1,"from":[0],"how":"PRF","name":"key_block","label":"key expansion","length":65536,"output":"00"}]}`))
	f.Add([]byte(`{"schema":"tlswright-trace/2"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := trace.ReadJSON(bytes.NewReader(data))
		if err != nil {
			return
		}
		first, err := r.JSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := trace.ReadJSON(bytes.NewReader(first))
		if err != nil {
			t.Fatal(err)
		}
		if second, err := again.JSON(); err != nil || !bytes.Equal(first, second) {
			t.Errorf("JSON read and written again is not the same (%v)", err)
		}
		trace.Explain(r)
		r.WithoutSecrets()
		if _, err := trace.Decode(r.Capture()); err != nil {
			t.Error(err)
		}
	})
}
