package trace_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/trace"
)

func TestWithoutSecretsThereAreNone(t *testing.T) {
	for _, s := range slices.Concat(basic(t, scenes13(t)), scenes12(t)[:5]) {
		t.Run(s.name, func(t *testing.T) {
			r := decode(t, s.play(t).client.Capture())
			if !r.HasSecrets {
				t.Error("it has no secrets to begin with")
			}
			before, err := r.JSON()
			if err != nil {
				t.Fatal(err)
			}
			public := r.WithoutSecrets()
			b, err := public.JSON()
			if err != nil {
				t.Fatal(err)
			}
			if public.HasSecrets {
				t.Error("it says that it has secrets")
			}
			for _, k := range r.Keys {
				if k.Name == "zeros" || k.Name == "verify_data" {
					continue // the one is none, the other goes over the wire
				}
				if len(k.Output) < 8 {
					continue // the salt of TLS 1.2 is too short to be looked for
				}
				if bytes.Contains(b, []byte(k.Output.String())) {
					t.Errorf("%s is in it", k.Name)
				}
			}
			for _, word := range []string{"hello, world", "early early"} {
				if bytes.Contains(b, []byte(word)) || bytes.Contains(b, []byte(hex.EncodeToString([]byte(word)))) {
					t.Errorf("%q is in it", word)
				}
			}
			if _, err := trace.ReadJSON(bytes.NewReader(b)); err != nil {
				t.Errorf("it cannot be read: %v", err)
			}
			if after, err := r.JSON(); err != nil || !bytes.Equal(before, after) {
				t.Errorf("the recording itself was changed (%v)", err)
			}
			again := decode(t, public.Capture())
			if again.HasSecrets || again.Summary.AnnotatedBytes != r.Summary.AnnotatedBytes {
				t.Errorf("decoded again: %+v", again.Summary)
			}
		})
	}
}

func TestRecorderStopsWhenItIsFull(t *testing.T) {
	w := watch(t, tlscore.Config{}, serverConfig(t), tlscore.Options{})
	if err := w.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := w.Send(w.Client, make([]byte, trace.DefaultMaxRecorded)); err != nil {
		t.Fatal(err)
	}
	w.talk(t)
	c := w.client.Capture()
	size := 0
	for _, s := range c.Segments {
		size += len(s.Data)
	}
	if size > trace.DefaultMaxRecorded || size < trace.DefaultMaxRecorded-20_000 || c.Cut == "" {
		t.Errorf("%d bytes were kept, cut: %q", size, c.Cut)
	}
	r := decode(t, c)
	whole(t, r)
	allRight(t, r)
	if r.Cut == "" || r.Failure != nil || !r.Summary.Complete {
		t.Errorf("cut %q, failure %v", r.Cut, r.Failure)
	}
}

func TestRecorderKeepsTheFirstFailure(t *testing.T) {
	r := trace.NewRecorder(trace.Client, trace.Endpoint{}, trace.Endpoint{}, time.Now)
	r.Fail(nil)
	r.Fail(errors.New("first\x00"))
	r.Fail(&tlscore.Error{Code: tlscore.CodeBadFinished})
	if c := r.Capture(); c.Failure != `first\x00` || c.FailureCode != "" {
		t.Errorf("%q, %q", c.Failure, c.FailureCode)
	}
	r = trace.NewRecorder(trace.Client, trace.Endpoint{}, trace.Endpoint{}, time.Now)
	r.Fail(&tlscore.Error{Code: tlscore.CodeBadFinished})
	if c := r.Capture(); !strings.Contains(c.Failure, "Finished") || c.FailureCode != "bad_finished" {
		t.Errorf("%q, %q", c.Failure, c.FailureCode)
	}
}

func TestTooLargeACaptureIsRefused(t *testing.T) {
	big := make([]byte, 1<<20)
	c := &trace.Capture{}
	for range 65 {
		c.Segments = append(c.Segments, trace.Segment{From: trace.Client, Data: big})
	}
	if _, err := trace.Decode(c); !errors.Is(err, trace.ErrTooLarge) {
		t.Error(err)
	}
}
