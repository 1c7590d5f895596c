package tlscore

import (
	"bytes"
	"testing"
)

// TestNothingWrittenIsLeftBehind: when a state grows out of its place, the secrets in it do not stay there.
func TestNothingWrittenIsLeftBehind(t *testing.T) {
	var c coder
	secret := bytes.Repeat([]byte{0xa5}, 48)
	text(&c, &secret)
	first := c.bytes
	for range 20 {
		more := make([]byte, 1000)
		text(&c, &more)
	}
	if &first[0] == &c.bytes[0] || !bytes.Contains(c.bytes, secret) {
		t.Fatal("the state has not moved, or is another")
	}
	if !bytes.Equal(first, make([]byte, len(first))) {
		t.Errorf("left behind: %x", first)
	}
}
