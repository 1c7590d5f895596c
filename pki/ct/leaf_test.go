package ct

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// entries of the reference log: one certificate, one precertificate.
func referenceEntries(t testing.TB) []LogEntry {
	t.Helper()
	v := loadVectors(t)
	ca := mustCert(t, v.CA)
	var list []LogEntry
	for _, c := range []struct {
		leaf []byte
		sct  string
	}{{v.Certificate, v.CertificateSCT}, {v.Precertificate, v.PrecertificateSCT}} {
		s, err := ParseSCT(unhex(t, c.sct))
		if err != nil {
			t.Fatal(err)
		}
		leaf := mustCert(t, c.leaf)
		entry, err := EntryOf(leaf, ca, Extension)
		if err != nil {
			t.Fatal(err)
		}
		e := LogEntry{Entry: entry, Timestamp: s.Timestamp, Extensions: s.Extensions, Chain: [][]byte{v.CA}, Fingerprints: [][32]byte{{1}, {2}}}
		if entry.Precertificate {
			e.Submitted = c.leaf
		}
		list = append(list, e)
	}
	return list
}

func TestLeavesOfTheReferenceLogHaveTheirHashes(t *testing.T) {
	v := loadVectors(t)
	for i, want := range [][]byte{v.CertificateLeafHash, v.PrecertificateLeafHash} {
		e := referenceEntries(t)[i]
		if hash, err := e.Hash(); err != nil || !bytes.Equal(hash[:], want) {
			t.Errorf("%d: %x, %v", i, hash, err)
		}
		leaf, err := e.Leaf()
		if err != nil {
			t.Fatal(err)
		}
		extra, err := e.Extra()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseLogEntry(leaf, extra)
		if err != nil {
			t.Fatal(err)
		}
		if !got.SameEntry() {
			t.Errorf("%d: the precertificate is not that of the entry", i)
		}
		c, err := got.Certificate()
		if err != nil {
			t.Fatal(err)
		}
		if want := mustCert(t, v.Certificate).Subject.String(); c.Subject.String() != want {
			t.Errorf("%d: of %q, not %q", i, c.Subject, want)
		}
		for cut := range leaf {
			if _, err := ParseLogEntry(leaf[:cut], extra); err == nil {
				t.Fatalf("%d: read of %d bytes", i, cut)
			}
		}
	}
	other := referenceEntries(t)[1]
	other.Submitted = v.Certificate
	other.Data = append([]byte(nil), other.Data...)
	other.Data[len(other.Data)-1] ^= 1
	if other.SameEntry() {
		t.Error("another precertificate passes as the entry's")
	}
}

func TestDataTilesAreReadAsTheyAreWritten(t *testing.T) {
	entries := referenceEntries(t)
	var tile []byte
	var err error
	for _, e := range entries {
		if tile, err = e.AppendDataTile(tile); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ParseDataTile(tile, len(entries))
	if err != nil {
		t.Fatal(err)
	}
	for i := range entries {
		entries[i].Chain = nil
		if len(entries[i].Extensions) == 0 {
			entries[i].Extensions, got[i].Extensions = nil, nil
		}
	}
	if diff := cmp.Diff(entries, got); diff != "" {
		t.Error(diff)
	}
	for _, width := range []int{0, 1, 3, 257} {
		if _, err := ParseDataTile(tile, width); err == nil {
			t.Errorf("read as %d entries", width)
		}
	}
}

func TestLeafIndexIsRead(t *testing.T) {
	for _, index := range []uint64{0, 1, 256, 1<<40 - 1} {
		s := SCT{Extensions: append([]byte{7, 0, 1, 9}, LeafIndexExtension(index)...)}
		if got, ok := s.LeafIndex(); !ok || got != index {
			t.Errorf("%d: %d %v", index, got, ok)
		}
	}
	for _, bad := range [][]byte{nil, {0}, {0, 0, 5, 1, 2, 3, 4}, {0, 0, 4, 1, 2, 3, 4}, append(LeafIndexExtension(1), LeafIndexExtension(1)...)} {
		if _, ok := (SCT{Extensions: bad}).LeafIndex(); ok {
			t.Errorf("%x has an index", bad)
		}
	}
}

func TestFrontiersGrowAsTreesDo(t *testing.T) {
	tree := &memoryTree{}
	var grown Frontier
	if grown.Root() != tree.root(t, 0) {
		t.Error("the empty tree has another root")
	}
	for i := range 70 {
		data := []byte{byte(i)}
		tree.add(t, data)
		leaf := leafOf(data)
		grown.Add(leaf)
		size := uint64(i + 1)
		if err := grown.Check(); err != nil || grown.Root() != tree.root(t, int64(size)) {
			t.Fatalf("%d leaves: %v", size, err)
		}
		path := tree.prove(t, int64(size), int64(i))
		f, err := FrontierOf(size, leaf, path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(grown, f); diff != "" {
			t.Fatal(diff)
		}
		if wrong, err := FrontierOf(size, [32]byte{1}, path); err != nil || wrong.Root() == grown.Root() {
			t.Fatalf("a wrong leaf leads to the root (%v)", err)
		}
		if _, err := FrontierOf(size, leaf, append(path, [32]byte{})); err == nil {
			t.Fatal("a path that is too long passes")
		}
	}
}

// leafOf is the hash of a leaf.
func leafOf(data []byte) [32]byte {
	return sha256.Sum256(append([]byte{0}, data...))
}

func TestCheckpointsAreReadAsTheyAreWritten(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, err := LogID(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	h := TreeHead{Size: 77, Timestamp: 1348589667204, Root: [32]byte{5}}
	if err := h.Sign(key); err != nil {
		t.Fatal(err)
	}
	origin := Origin("https://log.example/2026h1/")
	if origin != "log.example/2026h1" {
		t.Errorf("origin %q", origin)
	}
	note, err := h.AppendCheckpoint(nil, origin, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	witnessed := append(bytes.Clone(note), "— witness.example AAAAAAAAAAAA\n"...)
	for _, data := range [][]byte{note, witnessed} {
		got, err := ParseCheckpoint(data, origin, id)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(h, got); diff != "" {
			t.Error(diff)
		}
		if err := got.CheckSignature(key.Public()); err != nil {
			t.Error(err)
		}
	}
	text := string(note)
	for name, bad := range map[string]string{
		"of another log": strings.Replace(text, "log.example", "other.example", 1), "with a line more": strings.Replace(text, "\n\n", "\nextra\n\n", 1),
		"twice signed": text + text[strings.Index(text, "— "):], "unsigned": text[:strings.Index(text, "— ")], "cut off": text[:len(text)-1],
		"signed by another": text[:strings.Index(text, "— ")] + "— " + origin + " AAAAAAAAAAAA\n", "with a size of two spellings": strings.Replace(text, "77", "077", 1),
	} {
		if _, err := ParseCheckpoint([]byte(bad), origin, id); err == nil {
			t.Errorf("a checkpoint %s is read", name)
		}
	}
}

func FuzzParseLogEntry(f *testing.F) {
	for _, e := range referenceEntries(f) {
		leaf, err := e.Leaf()
		if err != nil {
			f.Fatal(err)
		}
		extra, err := e.Extra()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(leaf, extra)
	}
	f.Fuzz(func(t *testing.T, leaf, extra []byte) {
		e, err := ParseLogEntry(leaf, extra)
		if err != nil {
			return
		}
		gotLeaf, err := e.Leaf()
		if err != nil || !bytes.Equal(gotLeaf, leaf) {
			t.Errorf("leaf %x became %x, %v", leaf, gotLeaf, err)
		}
		gotExtra, err := e.Extra()
		if err != nil || !bytes.Equal(gotExtra, extra) {
			t.Errorf("extra data %x became %x, %v", extra, gotExtra, err)
		}
		_ = e.SameEntry()
		_, _ = e.Certificate()
		_, _ = SCT{Extensions: e.Extensions}.LeafIndex()
	})
}

func FuzzParseDataTile(f *testing.F) {
	var tile []byte
	for i, e := range referenceEntries(f) {
		var err error
		if tile, err = e.AppendDataTile(tile); err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.Clone(tile), i+1)
	}
	f.Fuzz(func(t *testing.T, data []byte, width int) {
		entries, err := ParseDataTile(data, width)
		if err != nil {
			return
		}
		var got []byte
		for _, e := range entries {
			if got, err = e.AppendDataTile(got); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got, data) {
			t.Errorf("%x became %x", data, got)
		}
	})
}

func FuzzParseCheckpoint(f *testing.F) {
	f.Add([]byte("log.example\n3\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n— log.example AAAAAAAA\n"))
	id, _ := hex.DecodeString(strings.Repeat("00", 32))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := ParseCheckpoint(data, "log.example", [32]byte(id))
		if err == nil && h.Size > 1<<63 {
			t.Errorf("a tree of %d", h.Size)
		}
	})
}
