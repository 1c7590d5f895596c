package trace_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/trace"
)

// sample is a capture of two made-up streams, with pieces of n bytes.
func sample(n int) *trace.Capture {
	c := &trace.Capture{
		Started: time.Date(2026, 1, 2, 3, 4, 5, 6789, time.UTC),
		Client:  trace.Endpoint{Address: "198.51.100.7:50123"}, Server: trace.Endpoint{Address: "203.0.113.9:8443"},
		KeyLog: []trace.KeyLogLine{{Label: "CLIENT_RANDOM", ClientRandom: bytes.Repeat([]byte{1}, 32), Secret: bytes.Repeat([]byte{2}, 48)}},
	}
	var sent [2]uint64
	for i := range 10 {
		side, from := i%2, trace.Client
		if side == 1 {
			from = trace.Server
		}
		data := make([]byte, n+i)
		for j := range data {
			data[j] = byte(j*7 + i)
		}
		c.Segments = append(c.Segments, trace.Segment{From: from, At: time.Duration(i) * time.Millisecond, Offset: sent[side], Data: data})
		sent[side] += uint64(len(data))
	}
	return c
}

// stream puts together what one side sent; a gap is filled with '?'.
func stream(c *trace.Capture, side trace.Side) string {
	var b []byte
	for _, s := range c.Segments {
		if s.From != side {
			continue
		}
		for uint64(len(b)) < s.Offset {
			b = append(b, '?')
		}
		b = append(b[:s.Offset], s.Data...)
	}
	return string(b)
}

func pcapng(t testing.TB, c *trace.Capture) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := trace.WritePcapng(&out, c); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// only reads the one connection of a capture file.
func only(t testing.TB, file []byte) *trace.Capture {
	t.Helper()
	all, err := trace.ReadPcap(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 {
		t.Fatalf("%d connections", len(all))
	}
	return all[0]
}

func sameStreams(t testing.TB, got, want *trace.Capture) {
	t.Helper()
	for _, side := range []trace.Side{trace.Client, trace.Server} {
		if stream(got, side) != stream(want, side) {
			t.Errorf("the stream of the %s is another: %d bytes, not %d", side, len(stream(got, side)), len(stream(want, side)))
		}
	}
}

func TestPcapngThereAndBack(t *testing.T) {
	for _, addresses := range [][4]string{
		{"198.51.100.7:50123", "203.0.113.9:8443", "198.51.100.7:50123", "203.0.113.9:8443"},
		{"[2001:db8::7]:1", "[2001:db8::9]:443", "[2001:db8::7]:1", "[2001:db8::9]:443"},
		{"[::ffff:192.0.2.77]:1", "192.0.2.78:2", "192.0.2.77:1", "192.0.2.78:2"},
		{"[fe80::1%eth0]:1", "[fe80::2%eth0]:2", "[fe80::1]:1", "[fe80::2]:2"},
		{"", "", "192.0.2.1:49152", "192.0.2.2:443"},
		{"192.0.2.9:77", "", "192.0.2.9:77", "192.0.2.2:443"},
		{"", "[2001:db8::9]:443", "[2001:db8::1]:49152", "[2001:db8::9]:443"},
		{"10.0.0.1:5", "[2001:db8::9]:443", "[2001:db8::1]:5", "[2001:db8::9]:443"},
		{"10.0.0.1:5", "10.0.0.1:5", "10.0.0.1:4", "10.0.0.1:5"},
	} {
		for _, n := range []int{1, 1399, 1400, 5000} {
			want := sample(n)
			want.Client.Address, want.Server.Address = addresses[0], addresses[1]
			got := only(t, pcapng(t, want))
			sameStreams(t, got, want)
			if got.Client.Address != addresses[2] || got.Server.Address != addresses[3] {
				t.Errorf("%v: between %s and %s", addresses, got.Client.Address, got.Server.Address)
			}
			if len(got.KeyLog) != 1 || got.Cut != "" || !got.Started.Equal(want.Started) || got.Segments[len(got.Segments)-1].At != 9*time.Millisecond {
				t.Errorf("%d secrets, cut %q, started %v", len(got.KeyLog), got.Cut, got.Started)
			}
		}
	}
}

// packets takes the packets out of a pcapng file of ours.
func packets(t testing.TB, file []byte) (out [][]byte) {
	t.Helper()
	for len(file) > 0 {
		n := binary.LittleEndian.Uint32(file[4:])
		if binary.LittleEndian.Uint32(file) == 6 {
			out = append(out, file[28:28+binary.LittleEndian.Uint32(file[20:])])
		}
		file = file[n:]
	}
	return out
}

// classic makes a pcap file.
func classic(order binary.AppendByteOrder, magic, link uint32, head []byte, packets [][]byte) []byte {
	b := order.AppendUint32(nil, magic)
	b = order.AppendUint16(order.AppendUint16(b, 2), 4)
	b = append(b, make([]byte, 8)...)
	b = order.AppendUint32(order.AppendUint32(b, 1<<18), link)
	for i, p := range packets {
		n := uint32(len(head) + len(p))
		for _, v := range []uint32{1700000000, uint32(i), n, n} {
			b = order.AppendUint32(b, v)
		}
		b = append(append(b, head...), p...)
	}
	return b
}

func TestReadPcapOfEachKind(t *testing.T) {
	want := sample(3000)
	raw := packets(t, pcapng(t, want))
	ether := append(make([]byte, 12), 8, 0)
	links := []struct {
		link uint32
		head []byte
	}{
		{0, []byte{2, 0, 0, 0}}, {108, []byte{0, 0, 0, 2}}, {1, ether}, {1, append(make([]byte, 12), 0x81, 0, 0, 5, 0x88, 0xa8, 0, 6, 8, 0)}, {12, nil}, {101, nil}, {228, nil},
		{113, append(make([]byte, 14), 8, 0)}, {276, append([]byte{8, 0}, make([]byte, 18)...)},
	}
	for _, l := range links {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			for _, magic := range []uint32{0xa1b2c3d4, 0xa1b23c4d} {
				sameStreams(t, only(t, classic(order, magic, l.link, l.head, raw)), want)
			}
		}
	}
}

func TestReadPcapInAnyOrder(t *testing.T) {
	want := sample(4000)
	raw := packets(t, pcapng(t, want))
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		mixed := slices.Clone(raw)
		mixed = append(mixed, raw[r.IntN(len(raw))], raw[r.IntN(len(raw))]) // sent again
		r.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		got := only(t, classic(binary.LittleEndian, 0xa1b2c3d4, 101, nil, mixed))
		sameStreams(t, got, want)
		if got.Cut != "" || !slices.IsSortedFunc(got.Segments, func(a, b trace.Segment) int { return cmp.Compare(a.At, b.At) }) {
			t.Errorf("cut %q, or not in order", got.Cut)
		}
	}
	// Without its beginning a connection is still readable, and who is who is guessed.
	sameStreams(t, only(t, classic(binary.LittleEndian, 0xa1b2c3d4, 101, nil, raw[3:])), want)
	lossy := only(t, classic(binary.LittleEndian, 0xa1b2c3d4, 101, nil, slices.Delete(slices.Clone(raw), 4, 5)))
	if s := stream(lossy, trace.Client); len(s) != len(stream(want, trace.Client)) || !strings.Contains(s, strings.Repeat("?", 100)) || lossy.Cut == "" {
		t.Errorf("a packet is missing, and nothing is said: %q", lossy.Cut)
	}
}

func TestReadPcapTellsConnectionsApart(t *testing.T) {
	var all [][]byte
	var want []*trace.Capture
	for i := range 5 {
		c := sample(100 + i)
		c.Client.Address = fmt.Sprintf("198.51.100.7:%d", 50000+i%4) // the last takes the ports of the first
		want = append(want, c)
		mine := packets(t, pcapng(t, c))
		if i == 4 {
			for _, p := range mine { // another initial sequence number
				binary.BigEndian.PutUint32(p[24:], binary.BigEndian.Uint32(p[24:])+0xfffffff0)
			}
		}
		all = append(all, mine...)
	}
	got, err := trace.ReadPcap(bytes.NewReader(classic(binary.BigEndian, 0xa1b2c3d4, 101, nil, all)))
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d connections: %v", len(got), err)
	}
	for i := range got {
		sameStreams(t, got[i], want[i])
		if got[i].Client.Address != want[i].Client.Address {
			t.Errorf("connection %d is of %s", i, got[i].Client.Address)
		}
	}
}

func TestReadPcapRefuses(t *testing.T) {
	good := pcapng(t, sample(10))
	changed := func(at int, v uint32) []byte {
		b := slices.Clone(good)
		binary.LittleEndian.PutUint32(b[at:], v)
		return b
	}
	for name, file := range map[string][]byte{
		"nothing": {}, "text": []byte("GET / HTTP/1.1\r\n"), "a short header": good[:10], "an odd length": changed(4, 13), "a huge block": changed(4, 1<<30),
		"no byte order": changed(8, 1), "two lengths": changed(int(binary.LittleEndian.Uint32(good[4:]))-4, 4),
		"radio": classic(binary.LittleEndian, 0xa1b2c3d4, 105, nil, packets(t, good)), "a huge packet": append(classic(binary.LittleEndian, 0xa1b2c3d4, 1, nil, nil), bytes.Repeat([]byte{0x7f}, 16)...),
	} {
		if _, err := trace.ReadPcap(bytes.NewReader(file)); !errors.Is(err, trace.ErrPcap) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// One that was interrupted is read as far as it goes.
	if _, err := trace.ReadPcap(bytes.NewReader(good[:len(good)-7])); err != nil {
		t.Error(err)
	}
}

func FuzzReadPcap(f *testing.F) {
	good := pcapng(f, sample(40))
	raw := packets(f, good)
	six := sample(20)
	six.Client.Address, six.Server.Address = "[2001:db8::7]:1", "[2001:db8::9]:443"
	f.Add(good)
	f.Add(pcapng(f, six))
	f.Add(classic(binary.LittleEndian, 0xa1b2c3d4, 101, nil, raw))
	f.Add(classic(binary.BigEndian, 0xa1b23c4d, 1, append(make([]byte, 12), 8, 0), raw))
	f.Add(classic(binary.LittleEndian, 0xa1b2c3d4, 113, append(make([]byte, 14), 8, 0), raw[2:]))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := trace.ReadPcap(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, c := range all {
			for _, s := range c.Segments {
				if len(s.Data) == 0 || s.At < 0 {
					t.Fatalf("a segment of %d bytes at %v", len(s.Data), s.At)
				}
				if s.Offset > 1<<31 {
					return // sequence numbers say no more than this
				}
			}
			sent := map[trace.Side]uint64{}
			for _, s := range c.Segments {
				if s.Offset < sent[s.From] {
					t.Fatal("a byte comes twice")
				}
				sent[s.From] = s.Offset + uint64(len(s.Data))
			}
			if sent[trace.Client] < 1<<20 && sent[trace.Server] < 1<<20 {
				sameStreams(t, only(t, pcapng(t, c)), c)
			}
		}
	})
}
