package certcompress

import (
	"bytes"
	"compress/zlib"
	"errors"
	"runtime"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/tlswright/tlswright/wire"
)

func TestWhatIsCompressedComesOutAgain(t *testing.T) {
	data := bytes.Repeat([]byte("a certificate, and another "), 300)
	for _, a := range All() {
		packed := Compress(a, []byte("before"), data)
		if !bytes.HasPrefix(packed, []byte("before")) || len(packed) >= len(data) {
			t.Fatalf("%v: %d bytes of %d", a, len(packed), len(data))
		}
		packed = packed[len("before"):]
		out := make([]byte, len(data))
		if err := Decompress(a, out, packed); err != nil || !bytes.Equal(out, data) {
			t.Errorf("%v: %v", a, err)
		}
		for _, n := range []int{0, 1, len(data) - 1, len(data) + 1} {
			if err := Decompress(a, make([]byte, n), packed); !errors.Is(err, ErrSize) {
				t.Errorf("%v, declared as %d bytes: %v", a, n, err)
			}
		}
		for _, bad := range [][]byte{nil, append(bytes.Clone(packed), 0), packed[:len(packed)-1], packed[:len(packed)/2], []byte("nonsense")} {
			if err := Decompress(a, make([]byte, len(data)), bad); err == nil {
				t.Errorf("%v: %d bytes are taken", a, len(bad))
			}
		}
	}
	if Compress(9, nil, data) != nil || Decompress(9, nil, nil) == nil {
		t.Error("an algorithm that is none")
	}
}

// TestBombsTakeNoMemory lets 64 MiB of zeros out, and a window of 16 MiB, where a few bytes were declared.
func TestBombsTakeNoMemory(t *testing.T) {
	zeros := make([]byte, 64<<20)
	var deflated, window bytes.Buffer
	w := zlib.NewWriter(&deflated)
	w.Write(zeros)
	w.Close()
	b := brotli.NewWriterOptions(&window, brotli.WriterOptions{Quality: 5, LGWin: 24})
	b.Write(zeros)
	b.Close()
	e, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for a, bomb := range map[wire.CompressionAlgorithm][]byte{
		wire.CompressionZlib: deflated.Bytes(), wire.CompressionBrotli: window.Bytes(), wire.CompressionZstd: e.EncodeAll(zeros, nil),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := Decompress(a, make([]byte, 1000), bomb)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrSize) && !errors.Is(err, ErrWindow) {
			t.Errorf("%v: %v", a, err)
		}
		if taken := after.TotalAlloc - before.TotalAlloc; taken > 5<<20 {
			t.Errorf("%v: a bomb of %d bytes takes %d", a, len(bomb), taken)
		}
	}
}

// FuzzDecompress: whatever comes, nothing is written beyond what was declared, and what is taken is taken whole.
func FuzzDecompress(f *testing.F) {
	for _, a := range All() {
		f.Add(uint16(a), uint16(2000), Compress(a, nil, bytes.Repeat([]byte("certificate "), 100)))
	}
	f.Fuzz(func(t *testing.T, a, n uint16, data []byte) {
		out := make([]byte, int(n)+8)
		copy(out[n:], "boundary")
		_ = Decompress(wire.CompressionAlgorithm(a), out[:n:n], data)
		if string(out[n:]) != "boundary" {
			t.Fatal("written beyond the end")
		}
	})
}
