package legacy

import (
	"bytes"
	"crypto"
	"testing"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/wire"
)

// The vector that implementers of TLS 1.0 passed around on the mailing list of its working group.
func TestPRFGivesThePublishedVector(t *testing.T) {
	want := decodeHex(t, "d3d4d1e349b5d515044666d51de32bab258cb521b6b053463e354832fd976754443bcf9a296519bc289abcbc1187e4ebd31e602353776c408aaf"+
		"b74cbc85eff69255f9788faa184cbb957a9819d84a5d7eb006eb459d3ae8de9810454b8b2d8f1afbc655a8c9a013")
	got := PRF(wire.VersionTLS10, 0, bytes.Repeat([]byte{0xab}, 48), "PRF Testvector", bytes.Repeat([]byte{0xcd}, 64), len(want))
	if !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func testRandoms() *Randoms {
	r := &Randoms{}
	for i := range r.Client {
		r.Client[i], r.Server[i] = byte(i), byte(0x80+i)
	}
	return r
}

func TestTLS12AgreesWithTheKeysOfTheCore(t *testing.T) {
	r := testRandoms()
	k := &keys.Randoms{Client: r.Client, Server: r.Server}
	premaster, transcript := bytes.Repeat([]byte{7}, 48), []byte("all messages so far")
	for _, id := range []wire.CipherSuite{wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384} {
		s, _ := ByID(id)
		th := TranscriptHash(wire.VersionTLS12, s.Hash, transcript)
		want := keys.NewPremaster12(s.Hash, premaster).Plain(k)
		master := Master(wire.VersionTLS12, s.Hash, premaster, r)
		if !bytes.Equal(master, want.Secret()) {
			t.Errorf("%v: master secret %x, want %x", id, master, want.Secret())
		}
		if got := ExtendedMaster(wire.VersionTLS12, s.Hash, premaster, transcript); !bytes.Equal(got, keys.NewPremaster12(s.Hash, premaster).Extended(th).Secret()) {
			t.Errorf("%v: extended master secret %x", id, got)
		}
		block := want.KeyBlock(k, s.KeyLen, s.FixedIV)
		got := s.Keys(wire.VersionTLS12, master, r)
		if !bytes.Equal(got.Client.Key, block.ClientKey) || !bytes.Equal(got.Server.Key, block.ServerKey) || !bytes.Equal(got.Client.IV, block.ClientIV) ||
			!bytes.Equal(got.Server.IV, block.ServerIV) {
			t.Errorf("%v: keys %+v, want %+v", id, got, block)
		}
		for _, client := range []bool{true, false} {
			want := want.ServerFinished(th)
			if client {
				want = keys.ResumeMaster12(s.Hash, master).ClientFinished(th)
			}
			if got := Finished(wire.VersionTLS12, s.Hash, master, client, transcript); !bytes.Equal(got, want) {
				t.Errorf("%v: Finished %x, want %x", id, got, want)
			}
		}
	}
}

// RFC 6101, Section 6.1, written out for the first three blocks.
func TestSSL30ExpandsAsWrittenOut(t *testing.T) {
	secret, seed := []byte("secret"), []byte("seed")
	var want []byte
	for _, letters := range []string{"A", "BB", "CCC"} {
		inner := hashOf(crypto.SHA1, append(append([]byte(letters), secret...), seed...))
		want = append(want, hashOf(crypto.MD5, append([]byte("secret"), inner...))...)
	}
	if got := expand30(secret, seed, 48); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	if n := len(Finished(wire.VersionSSL30, 0, secret, true, seed)); n != 36 {
		t.Errorf("Finished of %d bytes", n)
	}
}

func TestExportKeysHaveFewSecretBytes(t *testing.T) {
	for _, c := range []struct {
		id            wire.CipherSuite
		material, key int
	}{
		{wire.TLS_RSA_EXPORT_WITH_RC4_40_MD5, 5, 16}, {wire.TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5, 5, 16}, {wire.TLS_RSA_EXPORT_WITH_DES40_CBC_SHA, 5, 8},
		{wire.TLS_RSA_EXPORT1024_WITH_RC4_56_SHA, 7, 16}, {wire.TLS_RSA_EXPORT1024_WITH_DES_CBC_SHA, 8, 8}, {wire.TLS_RSA_WITH_DES_CBC_SHA, 8, 8},
	} {
		s, ok := ByID(c.id)
		if !ok || s.KeyMaterial != c.material || s.KeyLen != c.key {
			t.Errorf("%v: %+v", c.id, s)
			continue
		}
		for _, v := range []wire.Version{wire.VersionSSL30, wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12} {
			k := s.Keys(v, make([]byte, 48), testRandoms())
			if len(k.Client.Key) != c.key || len(k.Server.Key) != c.key || bytes.Equal(k.Client.Key, k.Server.Key) {
				t.Errorf("%v in %v: keys %x and %x", c.id, v, k.Client.Key, k.Server.Key)
			}
		}
	}
}

func FuzzDerivation(f *testing.F) {
	f.Add(uint16(0x0003), uint16(0x0300), []byte("premaster"), []byte("transcript"))
	f.Add(uint16(0xc02f), uint16(0x0303), []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, id, version uint16, premaster, transcript []byte) {
		s, ok := ByID(wire.CipherSuite(id))
		if !ok {
			return
		}
		v := wire.Version(version)
		master := Master(v, s.Hash, premaster, testRandoms())
		if len(master) != MasterLen || len(ExtendedMaster(v, s.Hash, premaster, transcript)) != MasterLen {
			t.Error("a master secret of another size")
		}
		k := s.Keys(v, master, testRandoms())
		if len(k.Client.Key) != s.KeyLen || len(k.Server.Key) != s.KeyLen || len(k.Client.MAC) != s.MACLen() {
			t.Errorf("%+v", k)
		}
		Finished(v, s.Hash, master, true, transcript)
	})
}
