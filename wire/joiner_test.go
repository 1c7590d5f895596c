package wire

import (
	"bytes"
	"errors"
	"testing"
)

func TestJoinerSeesNoFragments(t *testing.T) {
	messages := [][]byte{
		AppendMessage(nil, &EndOfEarlyData{}),
		AppendMessage(nil, &Finished{bytes.Repeat([]byte("f"), 300)}),
		AppendMessage(nil, &KeyUpdate{UpdateRequested}),
		AppendMessage(nil, &CertificateVerify{SchemeEd25519, make([]byte, 64)}),
	}
	stream := bytes.Join(messages, nil)
	for size := 1; size <= len(stream); size++ {
		var j Joiner
		var got [][]byte
		fragment := make([]byte, size)
		for rest := stream; len(rest) > 0; {
			n := copy(fragment, rest)
			rest = rest[n:]
			j.Add(fragment[:n])
			clear(fragment) // the caller's buffer is reused
			for {
				raw, ok, err := j.Next()
				if err != nil {
					t.Fatalf("fragments of %d: %v", size, err)
				}
				if !ok {
					break
				}
				got = append(got, bytes.Clone(raw))
			}
		}
		if !bytes.Equal(bytes.Join(got, nil), stream) || len(got) != len(messages) {
			t.Fatalf("fragments of %d: %d messages", size, len(got))
		}
		if !j.Empty() || j.Buffered() != 0 || j.buf != nil {
			t.Fatalf("fragments of %d: %d bytes wait, capacity %d", size, j.Buffered(), cap(j.buf))
		}
	}
}

func TestJoinerCountsWhatWaits(t *testing.T) {
	var j Joiner
	if !j.Empty() {
		t.Error("the zero value is not empty")
	}
	j.Add([]byte{byte(TypeKeyUpdate), 0, 0, 1, 0, byte(TypeFinished), 0})
	if j.Empty() || j.Buffered() != 7 {
		t.Errorf("%d bytes wait, want 7", j.Buffered())
	}
	if raw, ok, err := j.Next(); !ok || err != nil || len(raw) != 5 {
		t.Errorf("Next = %x, %t, %v", raw, ok, err)
	}
	if j.Empty() || j.Buffered() != 2 {
		t.Errorf("%d bytes wait, want 2", j.Buffered())
	}
	j.Release()
	if !j.Empty() {
		t.Error("not empty after Release")
	}
}

func TestJoinerRefusesByTheHeader(t *testing.T) {
	for _, c := range []struct {
		max    int
		header string
		refuse bool
	}{
		{0, "\x0b\x01\x00\x00", false},
		{0, "\x0b\x01\x00\x01", true},
		{100, "\x0b\x00\x00\x64", false},
		{100, "\x0b\x00\x00\x65", true},
		{1 << 24, "\x0b\xff\xff\xff", false},
	} {
		j := Joiner{Max: c.max}
		for i := range c.header {
			if _, _, err := j.Next(); err != nil {
				t.Fatalf("%x: refused after %d bytes", c.header, i)
			}
			j.Add([]byte{c.header[i]})
		}
		_, ok, err := j.Next()
		if ok || errors.Is(err, ErrMessageTooLong) != c.refuse {
			t.Errorf("limit %d, header %x: %t, error %v", c.max, c.header, ok, err)
		}
		if !c.refuse {
			continue
		}
		j.Add(make([]byte, 100))
		if _, _, again := j.Next(); again != err || !j.Empty() {
			t.Errorf("after the error: error %v, %d bytes wait", again, j.Buffered())
		}
	}
	j := Joiner{Max: 100}
	j.Add([]byte{byte(TypeCertificate), 0, 1, 0})
	_, _, err := j.Next()
	if want := "handshake message too long: certificate of 256 bytes exceeds the limit of 100"; errText(err) != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestJoinerMemoryIsBounded(t *testing.T) {
	const limit, fragment = 1000, 500
	// A caller that takes what is complete: never more than one unfinished message and a fragment.
	j := Joiner{Max: limit}
	message := AppendMessage(nil, &Finished{make([]byte, limit)})
	for range 100 {
		for rest := message; len(rest) > 0; {
			n := min(fragment, len(rest))
			j.Add(rest[:n])
			rest = rest[n:]
			for {
				if _, ok, err := j.Next(); err != nil {
					t.Fatal(err)
				} else if !ok {
					break
				}
			}
			if cap(j.buf) > 4*(limit+fragment) {
				t.Fatalf("capacity %d", cap(j.buf))
			}
		}
	}
	// A caller that takes nothing is stopped.
	j = Joiner{Max: limit}
	for range 100 {
		j.Add(make([]byte, fragment))
		if j.Buffered() > limit+handshakeHeaderLen+fragment {
			t.Fatalf("%d bytes wait", j.Buffered())
		}
	}
	if _, _, err := j.Next(); err == nil {
		t.Error("dropped fragments without an error")
	}
}

func TestAMessageStaysWhileMoreIsTaken(t *testing.T) {
	var j Joiner
	j.Add([]byte("\x14\x00\x00\x01a\x14\x00\x00\x01b"))
	first, _, _ := j.Next()
	second, _, _ := j.Next()
	if string(first) != "\x14\x00\x00\x01a" || string(second) != "\x14\x00\x00\x01b" {
		t.Errorf("%x, %x", first, second)
	}
}
