package cli

import "testing"

func TestByteCount(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 bytes", 1: "1 byte", 999: "999 bytes", 1000: "1.0 kB", 1 << 20: "1.0 MB", 999_999: "1.0 MB", 2_500_000_000: "2.5 GB",
	} {
		if got := byteCount(n); got != want {
			t.Errorf("byteCount(%d) = %q, want %q", n, got, want)
		}
	}
}
