package tlsnet_test

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/tlswright/tlswright/tlscore"
)

// recordLengths notes how long the records of data are that an end sends.
type recordLengths struct {
	mu  sync.Mutex
	all []int
}

func (r *recordLengths) Observe(o tlscore.Observation) {
	if rec, ok := o.(tlscore.RecordObserved); ok && rec.Direction == tlscore.Sent && rec.Epoch == tlscore.EpochApplication {
		r.mu.Lock()
		r.all = append(r.all, len(rec.Raw))
		r.mu.Unlock()
	}
}

// TestTheFirstBytesOfABurstComeInShortRecords by a clock that nobody's slowness moves: after a pause another burst begins.
func TestTheFirstBytesOfABurstComeInShortRecords(t *testing.T) { synctest.Test(t, oneBurst) }

func oneBurst(t *testing.T) {
	for _, dynamic := range []bool{false, true} {
		st := newSite(t)
		client, server := st.clientConfig(), st.serverConfig()
		var seen recordLengths
		client.DynamicRecords = dynamic
		client.Observer = func() tlscore.Observer { return &seen }
		a, b := net.Pipe()
		defer a.Close()
		c, s := connected(t, client, server, a, b)
		data := bytes.Repeat([]byte("0123456789"), 20_000)
		done := make(chan error, 1)
		go func() {
			_, err := c.Write(data)
			done <- err
		}()
		got := make([]byte, len(data))
		if _, err := io.ReadFull(s, got); err != nil || !bytes.Equal(got, data) {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		short := 0
		for _, n := range seen.all {
			if n <= 1405 {
				short++
			}
		}
		if want := len(seen.all) > 20; want != dynamic || dynamic && (short < 10 || seen.all[0] > 1405 || seen.all[len(seen.all)-2] < 16_000) {
			t.Errorf("dynamic %v: records of %v", dynamic, seen.all)
		}
	}
}
