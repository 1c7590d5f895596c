package keys

import (
	"bytes"
	"crypto"
	"slices"
	"testing"
)

func digest(h crypto.Hash, parts ...[]byte) []byte {
	w := h.New()
	for _, p := range parts {
		w.Write(p)
	}
	return w.Sum(nil)
}

func TestTranscriptKeepsWhatCameBeforeTheHash(t *testing.T) {
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384} {
		var tr Transcript
		hello := []byte("client hello")
		tr.Add(hello)
		hello[0] = 'X' // the caller's buffer is reused
		if tr.Started() || tr.Hash() != 0 {
			t.Error("started before Begin")
		}
		tr.Begin(h)
		tr.Add([]byte("server hello"))
		if !tr.Started() || tr.Hash() != h {
			t.Error("not started after Begin")
		}
		if want := digest(h, []byte("client helloserver hello")); !bytes.Equal(tr.Sum(), want) {
			t.Errorf("%v: wrong hash", h)
		}
		before := tr.Sum()
		tr.Begin(crypto.SHA512)
		if !bytes.Equal(tr.Sum(), before) {
			t.Error("a second Begin changes the transcript")
		}
	}
}

func TestRetryReplacesTheFirstClientHello(t *testing.T) {
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384} {
		var tr Transcript
		tr.Add([]byte("client hello 1"))
		tr.Begin(h)
		tr.Retry()
		tr.Add([]byte("hello retry request"))
		first := digest(h, []byte("client hello 1"))
		want := digest(h, []byte{254, 0, 0, byte(h.Size())}, first, []byte("hello retry request"))
		if !bytes.Equal(tr.Sum(), want) {
			t.Errorf("%v: wrong hash after a retry", h)
		}
	}
}

func TestClonesAreIndependent(t *testing.T) {
	var tr Transcript
	tr.Add([]byte("one"))
	early := tr.Clone()
	early.Add([]byte("only in the clone"))
	early.Begin(crypto.SHA384)
	tr.Begin(crypto.SHA256)
	late := tr.Clone()
	late.Add([]byte("two"))
	if !bytes.Equal(tr.Sum(), digest(crypto.SHA256, []byte("one"))) {
		t.Error("the clone changed its original")
	}
	if !bytes.Equal(late.Sum(), digest(crypto.SHA256, []byte("onetwo"))) {
		t.Error("wrong hash in a late clone")
	}
	if !bytes.Equal(early.Sum(), digest(crypto.SHA384, []byte("oneonly in the clone"))) {
		t.Error("wrong hash in an early clone")
	}
}

func TestSumIntoAppendsWithoutAllocating(t *testing.T) {
	var tr Transcript
	tr.Begin(crypto.SHA256)
	tr.Add([]byte("one"))
	buf := make([]byte, 2, 64)
	if got := tr.SumInto(buf); !bytes.Equal(got, slices.Concat(buf, digest(crypto.SHA256, []byte("one")))) {
		t.Errorf("got %x", got)
	}
	if n := testing.AllocsPerRun(100, func() { tr.SumInto(buf) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
