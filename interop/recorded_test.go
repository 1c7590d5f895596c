package interop

import (
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/trace"
)

// recorded keeps what our end of each connection of a test saw, so that the tracer has to explain what real peers send.
type recorded struct {
	mu        sync.Mutex
	recorders []*trace.Recorder
}

// watch records every connection of a configuration, beside the observer that it has.
func (r *recorded) watch(c *tlsnet.Config, role tlscore.Role) {
	side := trace.Client
	if role == tlscore.RoleServer {
		side = trace.Server
	}
	var mu sync.Mutex
	var last *trace.Recorder // tlsnet asks for the observer and then for the secrets of a connection
	seen := c.Observer
	c.Observer = func() tlscore.Observer {
		mu.Lock()
		defer mu.Unlock()
		last = trace.NewRecorder(side, trace.Endpoint{}, trace.Endpoint{}, time.Now)
		r.mu.Lock()
		r.recorders = append(r.recorders, last)
		r.mu.Unlock()
		if seen == nil {
			return last
		}
		return bothObserve{last, seen()}
	}
	c.Secrets = func() tlscore.Secrets {
		mu.Lock()
		defer mu.Unlock()
		return last
	}
}

type bothObserve [2]tlscore.Observer

func (b bothObserve) Observe(o tlscore.Observation) {
	for _, x := range b {
		if x != nil {
			x.Observe(o)
		}
	}
}

// check decodes all of them: every byte of both streams must have its field, and no check of keys, tags, signatures or MACs
// may come out wrong.
func (r *recorded) check(t *testing.T) {
	t.Helper()
	bytes, complete := uint64(0), 0
	for i, recorder := range r.recorders {
		c := recorder.Capture()
		recording, err := trace.Decode(c)
		if err != nil {
			t.Errorf("connection %d: %v", i, err)
			continue
		}
		s := recording.Summary
		if total := s.ClientBytes + s.ServerBytes; s.AnnotatedBytes != total {
			t.Errorf("connection %d, %s, %s: %d of %d bytes explained", i, s.Version, s.CipherSuite, s.AnnotatedBytes, total)
		}
		for _, x := range recording.Checks {
			// A wrong name or CA is what some of the cases are about; all else has to come out right.
			if x.Result == "wrong" && s.Complete && x.Name != "certificate path" {
				t.Errorf("connection %d, %s, %s: %s is wrong: %s", i, s.Version, s.CipherSuite, x.Name, x.Text)
			}
		}
		bytes += s.AnnotatedBytes
		if s.Complete {
			complete++
		}
	}
	if len(r.recorders) == 0 || complete == 0 {
		t.Error("no connection was recorded")
	}
	t.Logf("%d connections, %d of them complete, %d bytes, each explained", len(r.recorders), complete, bytes)
}
