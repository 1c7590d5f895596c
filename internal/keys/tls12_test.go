package keys

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func decodeHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The vectors that implementers of TLS 1.2 agreed upon on the mailing list of the TLS working group.
func TestPRFGivesThePublishedVectors(t *testing.T) {
	for _, c := range []struct {
		h                 crypto.Hash
		secret, seed, out string
	}{
		{crypto.SHA256, "9bbe436ba940f017b17652849a71db35", "a0ba9f936cda311827a6f796ffd5198c",
			"e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17" +
				"abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66"},
		{crypto.SHA384, "b80b733d6ceefcdc71566ea48e5567df", "cd665cf6a8447dd6ff8b27555edb7465",
			"7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe34f82b1233c9146a0e534cb400fed2700" +
				"884f9dc236f80edd8bfa961144c9e8d792eca722a7b32fc3d416d473ebc2c5fd4abfdad05d9184259b5bf8cd4d90fa0d31e2dec479e4f1" +
				"a26066f2eea9a69236a3e52655c9e9aee691c8f3a26854308d5eaa3be85e0990703d73e56f"},
	} {
		want := decodeHex(t, c.out)
		for _, n := range []int{len(want), 1, c.h.Size(), c.h.Size() + 1, 0} {
			got := make([]byte, n)
			prfInto(c.h, got, decodeHex(t, c.secret), "test label", decodeHex(t, c.seed))
			if !bytes.Equal(got, want[:n]) {
				t.Errorf("%v: %d bytes: got %x, want %x", c.h, n, got, want[:n])
			}
		}
	}
}

// referencePRF is RFC 5246, Section 5, with crypto/hmac.
func referencePRF(h crypto.Hash, secret []byte, label string, seed []byte, n int) []byte {
	mac := func(parts ...[]byte) []byte {
		w := hmac.New(h.New, secret)
		w.Write(slices.Concat(parts...))
		return w.Sum(nil)
	}
	full := append([]byte(label), seed...)
	var out []byte
	for a := mac(full); len(out) < n; a = mac(a) {
		out = append(out, mac(a, full)...)
	}
	return out[:n]
}

func TestPRFAgreesWithASecondWriting(t *testing.T) {
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384} {
		for _, n := range []int{1, 12, 31, 32, 33, 48, 72, 104, 1000} {
			for _, seedLen := range []int{0, 1, 32, 48, 64, 200, 246, 247, 300, 5000} {
				for _, secretLen := range []int{0, 1, 32, 48, 66, 128, 129, 300} {
					secret, seed := bytes.Repeat([]byte{3}, secretLen), bytes.Repeat([]byte{7}, seedLen)
					got := make([]byte, n)
					prfInto(h, got, secret, "test label", seed)
					if want := referencePRF(h, secret, "test label", seed, n); !bytes.Equal(got, want) {
						t.Fatalf("%v: %d bytes of a seed of %d under a secret of %d differ", h, n, seedLen, secretLen)
					}
				}
			}
		}
	}
}

func TestPRFDoesNotAllocate(t *testing.T) {
	secret, seed, out := make([]byte, 48), make([]byte, 64), make([]byte, 104)
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384} {
		if n := testing.AllocsPerRun(100, func() { prfInto(h, out, secret, "extended master secret", seed) }); n != 0 {
			t.Errorf("%v: %v allocations", h, n)
		}
	}
}

// testRandoms gives two randoms that cannot be taken for each other.
func testRandoms() *Randoms {
	r := &Randoms{}
	for i := range r.Client {
		r.Client[i], r.Server[i] = byte(i), byte(0x80+i)
	}
	return r
}

// The specifications written out: RFC 5246, Sections 6.3, 7.4.9 and 8.1; RFC 7627, Section 4; RFC 5705, Section 4.
func TestStagesOfTLS12FollowTheSpecifications(t *testing.T) {
	r := testRandoms()
	client, server := r.Client[:], r.Server[:]
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384} {
		th := bytes.Repeat([]byte{9}, h.Size())
		shared := []byte("the shared secret of the key exchange")
		check := func(what string, got, secret []byte, label string, seed ...[]byte) {
			t.Helper()
			if want := referencePRF(h, secret, label, slices.Concat(seed...), len(got)); !bytes.Equal(got, want) {
				t.Errorf("%v: %s: got %x, want %x", h, what, got, want)
			}
		}
		premaster := NewPremaster12(h, shared)
		check("plain", premaster.Plain(r).Secret(), shared, "master secret", client, server)
		master := premaster.Extended(th)
		check("extended", master.Secret(), shared, "extended master secret", th)
		if len(master.Secret()) != 48 || master.Hash() != h || master.IsZero() {
			t.Errorf("%v: a master secret of %d bytes", h, len(master.Secret()))
		}
		secret := bytes.Clone(master.Secret())

		k := master.KeyBlock(r, 16, 4)
		if len(k.ClientKey) != 16 || len(k.ServerKey) != 16 || len(k.ClientIV) != 4 || len(k.ServerIV) != 4 {
			t.Errorf("%v: keys of wrong sizes: %+v", h, k)
		}
		check("key block", slices.Concat(k.ClientKey, k.ServerKey, k.ClientIV, k.ServerIV), secret, "key expansion", server, client)
		if cap(k.ClientKey) != 16 || cap(k.ServerIV) != 4 {
			t.Error("appending to a key overwrites the next one")
		}
		finished := master.ClientFinished(th)
		check("client Finished", finished, secret, "client finished", th)
		check("server Finished", master.ServerFinished(th), secret, "server finished", th)
		if len(finished) != 12 {
			t.Errorf("%v: verify_data of %d bytes", h, len(finished))
		}
		for _, context := range [][]byte{nil, {}, []byte("context"), make([]byte, 1<<16-1)} {
			got, err := master.Exporter(r).Export("EXPORTER-test", context, 100)
			if err != nil {
				t.Fatal(err)
			}
			var tail []byte
			if context != nil {
				tail = append([]byte{byte(len(context) >> 8), byte(len(context))}, context...)
			}
			check("exporter", got, secret, "EXPORTER-test", client, server, tail)
		}
		resumed := ResumeMaster12(h, secret)
		if !bytes.Equal(resumed.ClientFinished(th), finished) || resumed.Hash() != h {
			t.Errorf("%v: a resumed session differs", h)
		}
	}
}

func TestExporter12RefusesWhatItMustNotGive(t *testing.T) {
	e := ResumeMaster12(crypto.SHA256, make([]byte, 48)).Exporter(testRandoms())
	for _, label := range []string{"client finished", "server finished", "master secret", "extended master secret", "key expansion"} {
		if out, err := e.Export(label, nil, 12); out != nil || !errors.Is(err, ErrExportLabel) {
			t.Errorf("%s: %v", label, err)
		}
	}
	if out, err := e.Export("label", nil, -1); out != nil || !errors.Is(err, ErrExportLength) {
		t.Errorf("a negative length: %v", err)
	}
	if out, err := e.Export("label", make([]byte, 1<<16), 1); out != nil || !errors.Is(err, ErrExportContext) {
		t.Errorf("a context of 65,536 bytes: %v", err)
	}
	if out, err := e.Export(strings.Repeat("x", 300), nil, 0); len(out) != 0 || err != nil {
		t.Errorf("no bytes under a long label: %v", err)
	}
	if e.IsZero() || !(Exporter12{}).IsZero() || !(Master12{}).IsZero() {
		t.Error("IsZero is wrong")
	}
}

func TestStagesOfTLS12OwnTheirSecrets(t *testing.T) {
	shared, th := []byte("shared"), make([]byte, 32)
	premaster := NewPremaster12(crypto.SHA256, shared)
	want := premaster.Extended(th)
	clear(shared)
	if !bytes.Equal(premaster.Extended(th).Secret(), want.Secret()) {
		t.Error("the stage shares the caller's array")
	}
	kept := bytes.Clone(want.Secret())
	resumed := ResumeMaster12(crypto.SHA256, kept)
	premaster.Wipe()
	if !bytes.Equal(premaster.s.value, make([]byte, 6)) || !bytes.Equal(want.Secret(), kept) {
		t.Error("the premaster secret is still there, or its master secret is gone")
	}
	want.Wipe()
	if !bytes.Equal(want.Secret(), make([]byte, 48)) || !bytes.Equal(resumed.Secret(), kept) {
		t.Error("the master secret is still there, or that of another session is gone")
	}
	block := resumed.KeyBlock(testRandoms(), 16, 4)
	block.Wipe()
	if all := slices.Concat(block.ClientKey, block.ServerKey, block.ClientIV, block.ServerIV); !bytes.Equal(all, make([]byte, 40)) {
		t.Error("keys are still there")
	}
}

// A trace of TLS 1.2 can be computed again by whoever reads it.
func TestTraceOfTLS12CanBeRecomputed(t *testing.T) {
	type seen struct{ name, label, from string }
	var got []seen
	trace := func(d Derivation) {
		if !d.PRF || !bytes.Equal(d.Output, referencePRF(crypto.SHA384, d.Input, d.Label, d.Context, len(d.Output))) {
			t.Errorf("%s cannot be computed again", d.Name)
		}
		got = append(got, seen{d.Name, d.Label, d.From})
	}
	th, r := make([]byte, 48), testRandoms()
	premaster := NewPremaster12Traced(crypto.SHA384, []byte("shared"), trace)
	premaster.Plain(r)
	master := premaster.Extended(th)
	master.KeyBlock(r, 32, 4)
	master.ClientFinished(th)
	resumed := ResumeMaster12Traced(crypto.SHA384, master.Secret(), trace)
	resumed.ServerFinished(th)
	if _, err := resumed.Exporter(r).Export("EXPORTER-test", nil, 20); err != nil {
		t.Fatal(err)
	}
	want := []seen{
		{"master_secret", "master secret", "pre_master_secret"},
		{"master_secret", "extended master secret", "pre_master_secret"},
		{"key_block", "key expansion", "master_secret"},
		{"verify_data", "client finished", "master_secret"},
		{"verify_data", "server finished", "master_secret"},
		{"exporter", "EXPORTER-test", "master_secret"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(seen{})); diff != "" {
		t.Errorf("trace (-want +got):\n%s", diff)
	}
}

func TestTranscriptKeepsMessagesForASignature(t *testing.T) {
	var tr, plain, late Transcript
	tr.Keep()
	for _, x := range []*Transcript{&tr, &plain, &late} {
		x.Add([]byte("hello "))
		x.Begin(crypto.SHA256)
	}
	late.Keep()
	for _, x := range []*Transcript{&tr, &plain, &late} {
		x.Add([]byte("world"))
	}
	if string(tr.Messages()) != "hello world" {
		t.Errorf("kept %q", tr.Messages())
	}
	if plain.Messages() != nil || late.Messages() != nil {
		t.Error("a transcript without its beginning passes for a whole one")
	}
	clone := tr.Clone()
	clone.Add([]byte("!"))
	if string(clone.Messages()) != "hello world!" || string(tr.Messages()) != "hello world" {
		t.Error("a clone is not independent")
	}
	if !bytes.Equal(tr.Sum(), plain.Sum()) {
		t.Error("keeping changes the hash")
	}
	tr.Forget()
	tr.Add([]byte("?"))
	plain.Add([]byte("?"))
	if tr.Messages() != nil || !bytes.Equal(tr.Sum(), plain.Sum()) {
		t.Error("not forgotten, or the hash is another")
	}
	clone.Retry()
	if clone.Messages() != nil {
		t.Error("a retry keeps messages that no signature covers")
	}
	var early Transcript
	early.Keep()
	early.Add([]byte("hello"))
	early.Forget()
	early.Begin(crypto.SHA256)
	if !bytes.Equal(early.Sum(), digest(crypto.SHA256, []byte("hello"))) || early.Messages() != nil {
		t.Error("forgetting before the hash is known loses the beginning")
	}
}
