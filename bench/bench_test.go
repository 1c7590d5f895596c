package main

import (
	"errors"
	"testing"
	"time"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// BenchmarkSideBySide runs each side of every scenario for a profile or a quick look; "go run ./bench" has them in turns
// and makes the table.
func BenchmarkSideBySide(b *testing.B) {
	all, _, err := scenarios()
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range all {
		for _, side := range s.sides {
			b.Run(s.name+"/"+side.name, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(s.bytes))
				took, err := side.cpu(b.N)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(took.sum().Nanoseconds())/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// TestEveryScenarioRuns keeps the harness alive; it judges no time.
func TestEveryScenarioRuns(t *testing.T) {
	all, _, err := scenarios()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		results, err := measure(s, 1, time.Millisecond)
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		for part, name := range s.figures() {
			t.Log(s.row(name, 1, results[part][1]))
		}
	}
}

func machines(t *testing.T, suite wire.CipherSuite) (client, server *tlscore.Machine) {
	t.Helper()
	c, err := newCertificates()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := newCorePair(c, wire.GroupX25519, suite)
	if err != nil {
		t.Fatal(err)
	}
	if client, server, err = pair.handshake(); err != nil {
		t.Fatal(err)
	}
	return client, server
}

// TestNoAllocationPerRecord holds for every suite, both ways, and records of one byte, a full one, and several at once.
func TestNoAllocationPerRecord(t *testing.T) {
	for _, suite := range []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256} {
		client, server := machines(t, suite)
		now := time.Now()
		for _, way := range []struct {
			name     string
			from, to *tlscore.Machine
		}{{"client to server", client, server}, {"server to client", server, client}} {
			for _, size := range []int{1, wire.MaxPlaintext, 4 * wire.MaxPlaintext} {
				data, buf := make([]byte, size), make([]byte, 0, 80<<10)
				var err error
				allocs := testing.AllocsPerRun(100, func() {
					if _, moveErr := move(way.from, way.to, now, data, buf); moveErr != nil {
						err = moveErr
					}
				})
				if err != nil || allocs != 0 {
					t.Errorf("%v, %s, %d bytes: %v allocations (%v)", suite, way.name, size, allocs, err)
				}
			}
		}
	}
}

// TestHandshakeAllocations guards what a full handshake allocates, both ends, certificates verified and signed included.
// The budget is what was measured when it was last lowered, with a margin for what varies from run to run (the encoding of
// signatures, the runtime's own pools); it goes down, not up.
//
// The machines alone verify the chain each time; connections remember it, as those of a program that meets a peer again.
func TestHandshakeAllocations(t *testing.T) {
	const machines, connections = 300, 220
	c, err := newCertificates()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := newCorePair(c, wire.GroupX25519, wire.TLS_AES_128_GCM_SHA256)
	if err != nil {
		t.Fatal(err)
	}
	stack, err := ourStack(c, plainVariant)
	if err != nil {
		t.Fatal(err)
	}
	for _, side := range []struct {
		name      string
		budget    float64
		handshake func() error
	}{
		{"tlscore", machines, func() error {
			_, _, err := pair.handshake()
			return err
		}},
		{"tlsnet", connections, func() error {
			a, b := newPipe(wideBuffer)
			_, _, err := stack.connect(a, b)
			return err
		}},
	} {
		var err error
		allocs := testing.AllocsPerRun(50, func() { err = errors.Join(err, side.handshake()) })
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.0f allocations a pair", side.name, allocs)
		if allocs > side.budget {
			t.Errorf("%s: a handshake pair allocates %.0f times, the budget is %.0f", side.name, allocs, side.budget)
		}
	}
}

// TestNoAllocationPerReadAndWrite is TestNoAllocationPerRecord for tlsnet.Conn. Its buffers come from a pool that the
// garbage collector may empty, so that a few in many are let pass.
func TestNoAllocationPerReadAndWrite(t *testing.T) {
	c, err := newCertificates()
	if err != nil {
		t.Fatal(err)
	}
	ours, err := ourStack(c, plainVariant)
	if err != nil {
		t.Fatal(err)
	}
	a, b := newPipe(wideBuffer)
	client, server, err := ours.connect(a, b)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, wire.MaxPlaintext, 4 * wire.MaxPlaintext} {
		data, into := make([]byte, size), make([]byte, 64<<10)
		allocs := testing.AllocsPerRun(200, func() {
			if _, writeErr := client.Write(data); writeErr != nil {
				err = writeErr
				return
			}
			for n := 0; n < size; {
				k, readErr := server.Read(into)
				if readErr != nil {
					err = readErr
					return
				}
				n += k
			}
		})
		if err != nil || allocs >= 1 {
			t.Errorf("%d bytes: %v allocations (%v)", size, allocs, err)
		}
	}
}
