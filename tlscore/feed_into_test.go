package tlscore_test

import (
	"bytes"
	"testing"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// TestFeedInto: data comes to the front of room if that has space, and nothing is allocated either way.
func TestFeedInto(t *testing.T) {
	l := connected(t)
	data := bytes.Repeat([]byte("data"), wire.MaxPlaintext/4)
	out, room := make([]byte, 0, 20<<10), make([]byte, wire.MaxPlaintext+1)
	for _, size := range []int{len(room), len(data), 0} {
		allocs := testing.AllocsPerRun(10, func() {
			_, sealed, err := l.Client.Machine.Seal(data, out)
			if err != nil {
				t.Fatal(err)
			}
			step, err := l.Server.Machine.FeedInto(tlstest.Now, sealed, nil, room[:size])
			if err != nil || step.N != len(sealed) || step.Event.Kind != tlscore.Data || !bytes.Equal(step.Event.Data, data) {
				t.Fatalf("%+v, %v", step.Event.Kind, err)
			}
			if there := &step.Event.Data[0] == &room[0]; there != (size == len(room)) {
				t.Fatalf("room for %d bytes: data is there: %v", size, there)
			}
		})
		if allocs != 0 {
			t.Errorf("%v allocations a record", allocs)
		}
	}
}
