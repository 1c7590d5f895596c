package suite

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/ecdh"
	"crypto/mlkem"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tlswright/tlswright/wire"
)

// hexBytes is a byte string as the vectors write it.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// vector is a test case of Project Wycheproof: the fields of all the files we read.
type vector struct {
	TcID    int
	Comment string
	Result  string

	Key, IV, AAD, Msg, CT, Tag hexBytes // AEAD
	Public, Private, Shared    hexBytes // ECDH
	Seed, EK, C, K             hexBytes // ML-KEM
}

// forEach calls f for every case of the file and fails if there were fewer than least.
func forEach(t *testing.T, name string, least int, f func(t *testing.T, v vector)) {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name+".json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		TestGroups []struct{ Tests []vector }
	}
	if err := json.NewDecoder(z).Decode(&all); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	n := 0
	for _, g := range all.TestGroups {
		for _, v := range g.Tests {
			n++
			f(t, v)
		}
	}
	if n < least {
		t.Errorf("%s: %d cases, want at least %d", name, n, least)
	}
}

func TestAEADsAgreeWithWycheproof(t *testing.T) {
	used := map[wire.CipherSuite]int{}
	check := func(ids ...wire.CipherSuite) func(*testing.T, vector) {
		return func(t *testing.T, v vector) {
			for _, id := range ids {
				s := cmp.Or(ByID(id), ByID12(id))
				if len(v.Key) != s.KeyLen || len(v.IV) != 12 || len(v.Tag) != s.TagLen {
					continue
				}
				used[id]++
				aead, err := s.NewAEAD(v.Key)
				if err != nil {
					t.Fatal(err)
				}
				sealed := slices.Concat(v.CT, v.Tag)
				opened, err := aead.Open(nil, v.IV, sealed, v.AAD)
				switch {
				case v.Result == "valid" && (err != nil || !bytes.Equal(opened, v.Msg)):
					t.Errorf("%v %d: does not open: %v", id, v.TcID, err)
				case v.Result == "invalid" && err == nil:
					t.Errorf("%v %d (%s): opens", id, v.TcID, v.Comment)
				}
				if v.Result == "valid" && !bytes.Equal(aead.Seal(nil, v.IV, v.Msg, v.AAD), sealed) {
					t.Errorf("%v %d: sealed differently", id, v.TcID)
				}
			}
		}
	}
	forEach(t, "aes_gcm_test", 316, check(wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384))
	forEach(t, "chacha20_poly1305_test", 325, check(wire.TLS_CHACHA20_POLY1305_SHA256))
	forEach(t, "aes_ccm_test", 510, check(wire.TLS_AES_128_CCM_SHA256, wire.TLS_AES_128_CCM_8_SHA256,
		wire.TLS_ECDHE_ECDSA_WITH_AES_256_CCM, wire.TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8))
	// The tags of 8 bytes have only a few cases.
	least := map[wire.CipherSuite]int{wire.TLS_AES_128_CCM_8_SHA256: 8, wire.TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8: 8}
	for id, n := range used {
		if n < cmp.Or(least[id], 60) {
			t.Errorf("%v: only %d cases", id, n)
		}
	}
	if len(used) != 7 {
		t.Errorf("%d AEADs, want 7", len(used))
	}
}

func TestX25519AgreesWithWycheproof(t *testing.T) {
	zero := 0
	forEach(t, "x25519_test", 518, func(t *testing.T, v vector) {
		key, err := ecdh.X25519().NewPrivateKey(v.Private)
		if err != nil {
			t.Fatal(err)
		}
		share := &ecShare{g: GroupByID(wire.GroupX25519), key: key}
		got, err := share.Shared(v.Public)
		if bytes.Equal(v.Shared, make([]byte, 32)) {
			zero++
			if err == nil {
				t.Errorf("%d (%s): a secret of zeros is accepted", v.TcID, v.Comment)
			}
			return
		}
		if err != nil || !bytes.Equal(got, v.Shared) {
			t.Errorf("%d (%s): got %x, %v", v.TcID, v.Comment, got, err)
		}
	})
	if zero == 0 {
		t.Error("no case with a secret of zeros")
	}
}

func TestP256AgreesWithWycheproof(t *testing.T) {
	forEach(t, "ecdh_secp256r1_ecpoint_test", 355, func(t *testing.T, v vector) {
		scalar := bytes.TrimLeft(v.Private, "\x00")
		scalar = append(make([]byte, 32-len(scalar)), scalar...)
		key, err := ecdh.P256().NewPrivateKey(scalar)
		if err != nil {
			t.Fatal(err)
		}
		share := &ecShare{g: GroupByID(wire.GroupSecp256r1), key: key}
		got, err := share.Shared(v.Public)
		// The acceptable one is a compressed point, which TLS does not know (RFC 8446, Section 4.2.8.2).
		if v.Result != "valid" {
			if err == nil {
				t.Errorf("%d (%s): accepted", v.TcID, v.Comment)
			}
			return
		}
		if err != nil || !bytes.Equal(got, v.Shared) {
			t.Errorf("%d (%s): got %x, %v", v.TcID, v.Comment, got, err)
		}
	})
}

func TestHybridAgreesWithWycheproof(t *testing.T) {
	g := GroupByID(wire.GroupX25519MLKEM768)
	server, err := ecdh.X25519().NewPrivateKey(bytes.Repeat([]byte{5}, 32))
	if err != nil {
		t.Fatal(err)
	}
	client, err := ecdh.X25519().NewPrivateKey(bytes.Repeat([]byte{6}, 32))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := client.ECDH(server.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	forEach(t, "mlkem_768_test", 20, func(t *testing.T, v vector) {
		key, err := mlkem.NewDecapsulationKey768(v.Seed)
		if err != nil {
			t.Fatal(err)
		}
		share := &hybridShare{g: g, ec: client, kem: private768{key}}
		if want := slices.Concat(v.EK, client.PublicKey().Bytes()); !bytes.Equal(share.Public(), want) {
			t.Errorf("%d (%s): wrong share", v.TcID, v.Comment)
		}
		got, err := share.Shared(slices.Concat(v.C, server.PublicKey().Bytes()))
		if v.Result != "valid" {
			if err == nil {
				t.Errorf("%d (%s): accepted", v.TcID, v.Comment)
			}
			return
		}
		if err != nil || !bytes.Equal(got, slices.Concat(v.K, secret)) {
			t.Errorf("%d (%s): got %x, %v", v.TcID, v.Comment, got, err)
		}
	})
}
