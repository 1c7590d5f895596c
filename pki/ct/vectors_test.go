package ct

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// vectors is testdata/vectors.json.
type vectors struct {
	Log, CA, Certificate, Precertificate, Embedded, InvalidEmbedded []byte
	CertificateSCT, PrecertificateSCT, InvalidSCT                   string
	CertificateLeafHash, PrecertificateLeafHash                     []byte
}

func loadVectors(t testing.TB) vectors {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func mustCert(t testing.TB, der []byte) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTimestampsOfTheReferenceLogAreVerified(t *testing.T) {
	v := loadVectors(t)
	key, err := x509.ParsePKIXPublicKey(v.Log)
	if err != nil {
		t.Fatal(err)
	}
	ca := mustCert(t, v.CA)
	for name, c := range map[string]struct {
		leaf     []byte
		sct      string
		source   Source
		leafHash []byte
		ok       bool
	}{
		"certificate":             {v.Certificate, v.CertificateSCT, Extension, v.CertificateLeafHash, true},
		"precertificate":          {v.Precertificate, v.PrecertificateSCT, Embedded, v.PrecertificateLeafHash, true},
		"embedded":                {v.Embedded, v.PrecertificateSCT, Embedded, v.PrecertificateLeafHash, true},
		"embedded, invalid":       {v.InvalidEmbedded, v.InvalidSCT, Embedded, nil, false},
		"of another certificate":  {v.Embedded, v.CertificateSCT, Embedded, nil, false},
		"embedded, not as a leaf": {v.Embedded, v.PrecertificateSCT, Extension, nil, false},
	} {
		leaf := mustCert(t, c.leaf)
		s, err := ParseSCT(unhex(t, c.sct))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if id := sha256.Sum256(v.Log); s.LogID != id {
			t.Errorf("%s: of another log", name)
		}
		entry, err := EntryOf(leaf, ca, c.source)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := CheckSignature(s, entry, key); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if hash, err := entry.LeafHash(s); c.leafHash != nil && (err != nil || !bytes.Equal(hash[:], c.leafHash)) {
			t.Errorf("%s: leaf hash %x, %v", name, hash, err)
		}
	}
	embedded, err := FromCertificate(mustCert(t, v.Embedded))
	if err != nil || len(embedded) != 1 || hex.EncodeToString(embedded[0].Raw) != v.PrecertificateSCT || embedded[0].Source != Embedded {
		t.Errorf("%d embedded, %v", len(embedded), err)
	}
	if !IsPrecertificate(mustCert(t, v.Precertificate)) || IsPrecertificate(mustCert(t, v.Embedded)) {
		t.Error("a precertificate is not told from a certificate")
	}
	if none, err := FromCertificate(ca); err != nil || none != nil {
		t.Errorf("%v %v", none, err)
	}
}

func TestTreeHeadsOfTheReferenceLogAreVerified(t *testing.T) {
	// From signatures_test.go of the same source as testdata/vectors.json.
	der, err := base64.StdEncoding.DecodeString("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAES0AfBkjr7b8b19p5Gk8plSAN16wWXZyhYsH6FMCEUK60t7pem/ckoPX8hupuaiJzJS0ZQ0SEoJGlFxkUFwft5g==")
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		t.Fatal(err)
	}
	h := TreeHead{Size: 42, Timestamp: 1348589667204, Root: [32]byte(unhex(t, "18041bd4665083001fba8c5411d2d748e8abbfdcdfd9218cb02b68a78e7d4c23"))}
	if err := h.SetSignature(unhex(t, "040300483046022100befd8060563763a5e49ba53e6443c13f7624fd6403178113736e16012aca983e022100f572568dbfe9a86490eb915c4ee16ad5ecd708fed35ed4e5cd1b2c3f087b4130")); err != nil {
		t.Fatal(err)
	}
	if err := h.CheckSignature(key); err != nil {
		t.Error(err)
	}
	h.Size++
	if err := h.CheckSignature(key); err == nil {
		t.Error("another size fits the signature")
	}
	if err := h.SetSignature([]byte{4, 3, 0, 1}); err == nil {
		t.Error("a signature that is cut off was read")
	}
}

// The leaves and roots that every implementation of RFC 6962 is tried with.
func TestTreesHaveThePublishedRoots(t *testing.T) {
	leaves := []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	roots := []string{
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c", "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	tree := &memoryTree{}
	for i, leaf := range leaves {
		tree.add(t, unhex(t, leaf))
		if got := tree.root(t, int64(i+1)); hex.EncodeToString(got[:]) != roots[i] {
			t.Errorf("%d leaves: %x", i+1, got)
		}
	}
	// RFC 6962, Section 2.1.3 by its picture: the path of leaf 0 in a tree of seven is [b, h, l].
	proof := tree.prove(t, 7, 0)
	if len(proof) != 3 || hex.EncodeToString(proof[0][:]) != "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7" {
		t.Errorf("%x", proof)
	}
}

// memoryTree is a log's tree in memory.
type memoryTree struct {
	size   int64
	stored []tlog.Hash
}

// ReadHashes implements tlog.HashReader.
func (m *memoryTree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, i := range indexes {
		out = append(out, m.stored[i])
	}
	return out, nil
}

func (m *memoryTree) add(t testing.TB, leaf []byte) {
	t.Helper()
	h, err := tlog.StoredHashes(m.size, leaf, m)
	if err != nil {
		t.Fatal(err)
	}
	m.stored = append(m.stored, h...)
	m.size++
}

func (m *memoryTree) root(t testing.TB, size int64) [32]byte {
	t.Helper()
	h, err := tlog.TreeHash(size, m)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (m *memoryTree) prove(t testing.TB, size, index int64) [][32]byte {
	t.Helper()
	p, err := tlog.ProveRecord(size, index, m)
	if err != nil {
		t.Fatal(err)
	}
	return plain(p)
}

func (m *memoryTree) proveGrowth(t testing.TB, newer, older int64) [][32]byte {
	t.Helper()
	p, err := tlog.ProveTree(newer, older, m)
	if err != nil {
		t.Fatal(err)
	}
	return plain(p)
}

func plain[T ~[]tlog.Hash](p T) [][32]byte {
	var out [][32]byte
	for _, h := range p {
		out = append(out, h)
	}
	return out
}

func TestProofsProveOnlyWhatTheySay(t *testing.T) {
	tree := &memoryTree{}
	var leaves [][]byte
	for i := range 40 {
		leaves = append(leaves, []byte{byte(i)})
		tree.add(t, leaves[i])
	}
	for size := int64(1); size <= 40; size++ {
		root := tree.root(t, size)
		for index := range size {
			proof := tree.prove(t, size, index)
			leaf := [32]byte(tlog.RecordHash(leaves[index]))
			if err := CheckInclusion(leaf, uint64(index), uint64(size), proof, root); err != nil {
				t.Fatalf("leaf %d of %d: %v", index, size, err)
			}
			if CheckInclusion(sha256.Sum256(nil), uint64(index), uint64(size), proof, root) == nil ||
				CheckInclusion(leaf, uint64(index+1), uint64(size), proof, root) == nil ||
				CheckInclusion(leaf, uint64(index), uint64(size), append(proof, root), root) == nil ||
				len(proof) > 0 && CheckInclusion(leaf, uint64(index), uint64(size), proof[1:], root) == nil {
				t.Fatalf("leaf %d of %d: a wrong proof passes", index, size)
			}
		}
		for older := int64(1); older < size; older++ {
			proof, before := tree.proveGrowth(t, size, older), tree.root(t, older)
			if err := CheckConsistency(uint64(older), uint64(size), proof, before, root); err != nil {
				t.Fatalf("%d to %d: %v", older, size, err)
			}
			if CheckConsistency(uint64(older), uint64(size), proof, root, before) == nil ||
				CheckConsistency(uint64(older), uint64(size), append(proof, root), before, root) == nil ||
				len(proof) > 0 && CheckConsistency(uint64(older), uint64(size), proof[:len(proof)-1], before, root) == nil {
				t.Fatalf("%d to %d: a wrong proof passes", older, size)
			}
		}
	}
	empty, root := sha256.Sum256(nil), tree.root(t, 40)
	for name, err := range map[string]error{
		"from nothing":    CheckConsistency(0, 40, nil, empty, root),
		"nothing at all":  CheckConsistency(0, 0, nil, empty, empty),
		"nothing changed": CheckConsistency(40, 40, nil, root, root),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"shrunk":         CheckConsistency(40, 39, nil, root, root),
		"same size":      CheckConsistency(40, 40, nil, empty, root),
		"false nothing":  CheckConsistency(0, 40, nil, root, root),
		"grown nothing":  CheckConsistency(0, 0, nil, empty, root),
		"too large":      CheckConsistency(1, 1<<63, nil, root, root),
		"endless":        CheckConsistency(1, 40, make([][32]byte, maxProof+1), root, root),
		"empty tree":     CheckInclusion(root, 0, 0, nil, root),
		"huge tree":      CheckInclusion(root, 0, 1<<63, nil, root),
		"endless path":   CheckInclusion(root, 0, 40, make([][32]byte, maxProof+1), root),
		"beyond the end": CheckInclusion(root, 40, 40, nil, root),
	} {
		if err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

func TestLogListsAreRead(t *testing.T) {
	data, err := os.ReadFile("testdata/loglist3.json")
	if err != nil {
		t.Fatal(err)
	}
	if !IsLogList(data) || IsLogList([]byte(`{"logs":[]}`)) || IsLogList(nil) {
		t.Error("not recognised, or something else was")
	}
	list, err := ParseLogList(data)
	if err != nil {
		t.Fatal(err)
	}
	if list.Version != "9.4" || !list.Timestamp.Equal(time.Date(2022, 5, 6, 12, 55, 11, 0, time.UTC)) {
		t.Errorf("%s %s", list.Version, list.Timestamp)
	}
	states := map[string]State{}
	for _, l := range list.Logs {
		states[l.Description] = l.State
		if list.Find(l.ID) != l || l.Operator == "" || !strings.HasPrefix(l.URL, "https://") {
			t.Errorf("%+v", l)
		}
	}
	aviator := list.Find([32]byte(mustBase64(t, "aPaY+B9kgr46jO65KB1M/HFRXWeT1ETRCmesu09P+8Q=")))
	if aviator == nil || aviator.State != ReadOnly || aviator.MMD != 24*time.Hour || aviator.FinalTree.Size != 46466472 || aviator.Operator != "Google" {
		t.Errorf("%+v", aviator)
	}
	if states["Google 'Argon2020' log"] != Qualified || states["Google 'Icarus' log"] != Usable {
		t.Errorf("%v", states)
	}
	if text := strings.Join(list.Unreadable, "\n"); !strings.Contains(text, "Racketeer") {
		t.Errorf("%s", text)
	}
}

func mustBase64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
