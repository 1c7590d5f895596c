package trace_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tlswright/tlswright/trace"
)

// ngWriter makes pcapng files as others might.
type ngWriter struct {
	order binary.AppendByteOrder
	out   []byte
}

func (w *ngWriter) block(kind uint32, body ...[]byte) {
	b := slices.Concat(body...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	n := uint32(len(b) + 12)
	w.out = w.order.AppendUint32(w.order.AppendUint32(w.out, kind), n)
	w.out = w.order.AppendUint32(append(w.out, b...), n)
}

func (w *ngWriter) u32(values ...uint32) (b []byte) {
	for _, v := range values {
		b = w.order.AppendUint32(b, v)
	}
	return b
}

func (w *ngWriter) u16(values ...uint16) (b []byte) {
	for _, v := range values {
		b = w.order.AppendUint16(b, v)
	}
	return b
}

func (w *ngWriter) section() {
	w.block(0x0a0d0d0a, w.u32(0x1a2b3c4d), w.u16(1, 0), w.u32(0xffffffff, 0xffffffff))
}

// iface is an interface for raw IP, whose clock ticks as resolution says, and is an hour late.
func (w *ngWriter) iface(resolution byte) {
	late := w.u32(3600, 0)
	if w.order.String() == binary.BigEndian.String() {
		late = w.u32(0, 3600)
	}
	w.block(1, w.u16(101, 0), w.u32(0), w.u16(2, 3), []byte("lo0\x00"), w.u16(9, 1), []byte{resolution, 0, 0, 0}, w.u16(14, 8), late, w.u16(0, 0))
}

func TestReadPcapOfOtherBlocks(t *testing.T) {
	want := sample(50)
	raw := packets(t, pcapng(t, want))
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		for resolution, ticks := range map[byte]uint64{0: 1, 3: 1e3, 9: 1e9, 0x80 | 10: 1 << 10} {
			w := &ngWriter{order: order}
			w.section()
			w.iface(6)
			w.iface(resolution)
			w.block(10, w.u32(0x57474b4c, 3), []byte("WireGuard"[:3]))
			w.block(10, w.u32(0x544c534b, 10), []byte("# nothing\n"))
			w.block(0xbad, []byte("what"))
			for i, p := range raw {
				when := 1_700_000_000*ticks + uint64(i)
				n := uint32(len(p))
				switch i % 3 {
				case 0:
					w.block(6, w.u32(1, uint32(when>>32), uint32(when), n, n), p)
				case 1:
					w.block(2, w.u16(1, 0), w.u32(uint32(when>>32), uint32(when), n, n), p)
				default:
					w.section()
					w.iface(6)
					w.iface(resolution)
					w.block(6, w.u32(1, uint32(when>>32), uint32(when), n, n), p)
				}
			}
			got := only(t, w.out)
			sameStreams(t, got, want)
			if at := time.Unix(1_700_003_600, 0); !got.Started.Equal(at) {
				t.Errorf("%v, %d ticks: begun %v, not %v", order, ticks, got.Started, at)
			}
		}
	}
}

func TestReadPcapWithoutTimes(t *testing.T) {
	want := sample(50)
	w := &ngWriter{order: binary.LittleEndian}
	w.section()
	w.iface(6)
	for _, p := range packets(t, pcapng(t, want)) {
		w.block(3, w.u32(uint32(len(p))), p)
	}
	sameStreams(t, only(t, w.out), want)
}

func TestReadPcapRefusesBlocks(t *testing.T) {
	for name, build := range map[string]func(w *ngWriter){
		"a short interface":         func(w *ngWriter) { w.block(1, w.u32(1)) },
		"a packet of no interface":  func(w *ngWriter) { w.block(6, w.u32(5, 0, 0, 0, 0)) },
		"a packet beyond its block": func(w *ngWriter) { w.iface(6); w.block(6, w.u32(0, 0, 0, 99, 99), make([]byte, 40)) },
		"a short packet":            func(w *ngWriter) { w.iface(6); w.block(6, w.u32(0)) },
		"a simple one of nothing":   func(w *ngWriter) { w.block(3, w.u32(4), make([]byte, 4)) },
		"secrets beyond":            func(w *ngWriter) { w.block(10, w.u32(0x544c534b, 99), make([]byte, 8)) },
		"a broken key log":          func(w *ngWriter) { w.block(10, w.u32(0x544c534b, 16), []byte("CLIENT_RANDOM 1\n")) },
		"too many interfaces": func(w *ngWriter) {
			for range 2000 {
				w.iface(6)
			}
		},
	} {
		w := &ngWriter{order: binary.BigEndian}
		w.section()
		build(w)
		if _, err := trace.ReadPcap(bytes.NewReader(w.out)); !errors.Is(err, trace.ErrPcap) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReadPcapOfOddPackets reads packets with more around them than has to be.
func TestReadPcapOfOddPackets(t *testing.T) {
	ether := func(kind uint16, p []byte) []byte {
		return append(binary.BigEndian.AppendUint16(make([]byte, 12), kind), p...)
	}
	four, six := sample(5), sample(5)
	six.Client.Address, six.Server.Address = "[2001:db8::7]:50000", "[2001:db8::9]:443"
	odd := map[string]func(p []byte) []byte{
		"padded":  func(p []byte) []byte { return append(slices.Clone(p), 1, 2, 3) },
		"options": func(p []byte) []byte { return withOptions(p) },
		"offloaded": func(p []byte) []byte {
			p = slices.Clone(p)
			p[2], p[3] = 0, 0
			return p
		},
	}
	for name, change := range odd {
		var all [][]byte
		for _, p := range packets(t, pcapng(t, four)) {
			all = append(all, ether(0x0800, change(p)), ether(0x0806, p), ether(0x0800, asUDP(p)), ether(0x0800, asFragment(p)), p[:3])
		}
		got := only(t, classic(binary.LittleEndian, 0xa1b2c3d4, 1, nil, all))
		if sameStreams(t, got, four); t.Failed() {
			t.Fatal(name)
		}
	}
	var all [][]byte
	for i, p := range packets(t, pcapng(t, six)) {
		headers := []byte{60, 0, 0, 0, 0, 0, 0, 0, 44, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 9, 9, 9, 9}
		q := slices.Concat(p[:40], headers, p[40:], []byte("padding"))
		q[6] = 0
		binary.BigEndian.PutUint16(q[4:], uint16(len(q)-40-7))
		fragment := slices.Clone(q)
		fragment[40+24+3] = 1
		unknown := slices.Clone(p)
		unknown[6] = 17
		all = append(all, ether(0x86dd, q), ether(0x86dd, fragment), ether(0x86dd, unknown), ether(0x86dd, q[:40+i]))
	}
	sameStreams(t, only(t, classic(binary.LittleEndian, 0xa1b2c3d4, 1, nil, all)), six)
}

// withOptions puts options into the IPv4 header.
func withOptions(p []byte) []byte {
	p = slices.Concat(p[:20], []byte{1, 1, 1, 0}, p[20:])
	p[0] = 0x46
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	return p
}

func asUDP(p []byte) []byte {
	p = slices.Clone(p)
	p[9] = 17
	return p
}

func asFragment(p []byte) []byte {
	p = slices.Clone(p)
	p[6] |= 0x20
	return p
}
