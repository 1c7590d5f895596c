package suite

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"math/big"
	"testing"

	"filippo.io/mldsa"

	"github.com/tlswright/tlswright/wire"
)

// signers makes one key of every kind. Making RSA keys is slow, hence the one size.
func signers(t testing.TB) map[KeyKind]crypto.Signer {
	t.Helper()
	out := map[KeyKind]crypto.Signer{}
	add := func(k KeyKind, s crypto.Signer, err error) {
		if err != nil {
			t.Fatal(err)
		}
		out[k] = s
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	add(KeyRSA, r, err)
	out[KeyRSAPSS] = r
	for kind, curve := range map[KeyKind]elliptic.Curve{
		KeyECDSAP256: elliptic.P256(), KeyECDSAP384: elliptic.P384(), KeyECDSAP521: elliptic.P521(),
	} {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		add(kind, k, err)
	}
	_, e, err := ed25519.GenerateKey(rand.Reader)
	add(KeyEd25519, e, err)
	for kind, set := range map[KeyKind]mldsa.Parameters{KeyMLDSA44: mldsa.MLDSA44(), KeyMLDSA65: mldsa.MLDSA65(), KeyMLDSA87: mldsa.MLDSA87()} {
		k, err := mldsa.GenerateKey(set)
		add(kind, k, err)
	}
	return out
}

func TestEverySchemeSignsWithItsOwnKindOnly(t *testing.T) {
	keys := signers(t)
	message := []byte("what both sides have seen")
	for _, id := range DefaultSchemes() {
		s := SchemeByID(id)
		if s == nil {
			t.Fatalf("%v is offered but unknown", id)
		}
		for kind, key := range keys {
			sig, err := Sign(key, s, message)
			// A bare RSA key does not show whether a certificate binds it to PSS.
			fits := s.Fits(kind) || (kind == KeyRSA && s.Fits(KeyRSAPSS)) || (kind == KeyRSAPSS && s.Fits(KeyRSA))
			if !fits {
				if !errors.Is(err, ErrKeyMismatch) {
					t.Errorf("%v signs with %v: %v", id, kind, err)
				}
				if err := s.Verify(key.Public(), message, sig); !errors.Is(err, ErrKeyMismatch) {
					t.Errorf("%v verifies with %v: %v", id, kind, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%v with %v: %v", id, kind, err)
				continue
			}
			if err := s.Verify(key.Public(), message, sig); err != nil {
				t.Errorf("%v with %v: %v", id, kind, err)
			}
			if err := s.Verify(key.Public(), append(message, 'x'), sig); !errors.Is(err, ErrSignature) {
				t.Errorf("%v: another message: %v", id, err)
			}
			for _, bad := range [][]byte{nil, sig[:len(sig)-1], append(bytes.Clone(sig), 0), make([]byte, len(sig))} {
				if err := s.Verify(key.Public(), message, bad); !errors.Is(err, ErrSignature) {
					t.Errorf("%v: a signature of %d bytes: %v", id, len(bad), err)
				}
			}
			for i := range sig {
				sig[i] ^= 1
				if err := s.Verify(key.Public(), message, sig); !errors.Is(err, ErrSignature) {
					t.Errorf("%v: byte %d changed: %v", id, i, err)
				}
				sig[i] ^= 1
			}
		}
	}
	if len(DefaultSchemes()) != len(schemes) {
		t.Error("a scheme is known but not offered")
	}
}

func TestFitsFollowsTheTable(t *testing.T) {
	keys := signers(t)
	for _, id := range DefaultSchemes() {
		s := SchemeByID(id)
		n := 0
		for kind, key := range keys {
			if s.Fits(kind) {
				n++
			}
			if s.Usable(key.Public(), kind == KeyRSAPSS) != s.Fits(kind) {
				t.Errorf("%v, %v: Usable and Fits differ for a key of a good size", id, kind)
			}
			if KindOf(key.Public(), kind == KeyRSAPSS) != kind {
				t.Errorf("%v is taken for %v", kind, KindOf(key.Public(), kind == KeyRSAPSS))
			}
		}
		if n != 1 {
			t.Errorf("%v fits %d kinds of keys", id, n)
		}
		if s.Fits(0) {
			t.Errorf("%v fits an unknown key", id)
		}
	}
}

func TestPKCS1NeverSignsHandshakes(t *testing.T) {
	for _, id := range DefaultSchemes() {
		pkcs1 := id == wire.SchemeRSAPKCS1SHA256 || id == wire.SchemeRSAPKCS1SHA384 || id == wire.SchemeRSAPKCS1SHA512
		if SchemeByID(id).TLS13 == pkcs1 {
			t.Errorf("%v: allowed in TLS 1.3: %v", id, !pkcs1)
		}
	}
	for _, id := range []wire.SignatureScheme{wire.SchemeRSAPKCS1SHA1, wire.SchemeECDSASHA1, wire.SchemeEd448, 0} {
		if SchemeByID(id) != nil {
			t.Errorf("%v is known", id)
		}
	}
}

func TestPSSSaltIsAsLongAsTheHash(t *testing.T) {
	key := signers(t)[KeyRSA].(*rsa.PrivateKey)
	message := []byte("message")
	for _, id := range []wire.SignatureScheme{wire.SchemeRSAPSSRSAESHA256, wire.SchemeRSAPSSRSAESHA384, wire.SchemeRSAPSSRSAESHA512} {
		s := SchemeByID(id)
		for _, salt := range []int{s.Hash.Size() - 1, s.Hash.Size(), s.Hash.Size() + 1} {
			sig, err := rsa.SignPSS(rand.Reader, key, s.Hash, s.Digest(message), &rsa.PSSOptions{SaltLength: salt})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Verify(key.Public(), message, sig); (err == nil) != (salt == s.Hash.Size()) {
				t.Errorf("%v: a salt of %d bytes: %v", id, salt, err)
			}
		}
	}
}

func TestRSAKeysOfUnsuitableSizeAreRefused(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	// RFC 8017: 1024 bits hold PSS with SHA-384 (778) but not with SHA-512 (1034).
	for id, fits := range map[wire.SignatureScheme]bool{
		wire.SchemeRSAPSSRSAESHA256: true, wire.SchemeRSAPSSRSAESHA384: true, wire.SchemeRSAPSSRSAESHA512: false,
		wire.SchemeRSAPKCS1SHA512: true,
	} {
		s := SchemeByID(id)
		if s.Usable(small.Public(), false) != fits {
			t.Errorf("%v: usable: %v", id, !fits)
		}
		sig, err := Sign(small, s, []byte("message"))
		if fits != (err == nil) || (!fits && !errors.Is(err, ErrKeySize)) {
			t.Errorf("%v: sign: %v", id, err)
		}
		err = s.Verify(small.Public(), []byte("message"), sig)
		if fits != (err == nil) || (!fits && !errors.Is(err, ErrKeySize)) {
			t.Errorf("%v: verify: %v", id, err)
		}
	}
	for bits, refused := range map[uint]bool{MaxRSABits: false, MaxRSABits + 1: true} {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		huge := &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537}
		err := SchemeByID(wire.SchemeRSAPSSRSAESHA256).Verify(huge, []byte("message"), make([]byte, (bits+7)/8))
		if errors.Is(err, ErrKeySize) != refused || err == nil {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
	if err := SchemeByID(wire.SchemeRSAPSSRSAESHA256).Verify(&rsa.PublicKey{}, nil, nil); !errors.Is(err, ErrKeySize) {
		t.Errorf("no modulus: %v", err)
	}
}

func TestUnknownKeysHaveNoKind(t *testing.T) {
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, pub := range []crypto.PublicKey{nil, p224.Public(), "key", rsa.PublicKey{}} {
		if k := KindOf(pub, false); k != 0 || k.String() != "unknown key" {
			t.Errorf("%T is %v", pub, k)
		}
		for _, id := range DefaultSchemes() {
			if SchemeByID(id).Usable(pub, false) {
				t.Errorf("%T is usable for %v", pub, id)
			}
			if err := SchemeByID(id).Verify(pub, nil, nil); !errors.Is(err, ErrKeyMismatch) {
				t.Errorf("%T with %v: %v", pub, id, err)
			}
		}
	}
	if err := SchemeByID(wire.SchemeEd25519).Verify(ed25519.PublicKey{1}, nil, nil); !errors.Is(err, ErrKeyMismatch) {
		t.Errorf("a short Ed25519 key: %v", err)
	}
}

// broken is a signer that fails, as a token that was pulled out.
type broken struct{ crypto.Signer }

var errBroken = errors.New("token is gone")

func (broken) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, errBroken }

func TestErrorsOfTheSignerAreKept(t *testing.T) {
	key := broken{signers(t)[KeyEd25519]}
	if _, err := Sign(key, SchemeByID(wire.SchemeEd25519), nil); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	keys := signers(f)
	kinds := []KeyKind{KeyRSA, KeyRSAPSS, KeyECDSAP256, KeyECDSAP384, KeyECDSAP521, KeyEd25519}
	for i := range schemes {
		for j, kind := range kinds {
			if schemes[i].Fits(kind) {
				sig, err := Sign(keys[kind], &schemes[i], []byte("message"))
				if err != nil {
					f.Fatal(err)
				}
				f.Add(uint8(i), uint8(j), append(sig, 0))
			}
		}
	}
	// No signature over this message was ever made, so whatever the fuzzer finds must be refused.
	f.Fuzz(func(t *testing.T, i, j uint8, sig []byte) {
		s, kind := &schemes[int(i)%len(schemes)], kinds[int(j)%len(kinds)]
		if s.Verify(keys[kind].Public(), []byte("never signed"), sig) == nil {
			t.Errorf("%v with %v: forged", s.ID, kind)
		}
	})
}

// In TLS 1.2 an ECDSA scheme is a hash and goes with every curve (RFC 8446, Section 4.2.3); nothing else changes.
func TestTLS12UnbindsTheCurveAndNothingElse(t *testing.T) {
	keys := signers(t)
	message := []byte("randoms and parameters")
	curve := func(k KeyKind) bool { return k == KeyECDSAP256 || k == KeyECDSAP384 || k == KeyECDSAP521 }
	for _, id := range DefaultSchemes() {
		s := SchemeByID(id)
		if s.TLS12 == (s.alg == algMLDSA) {
			t.Errorf("%v: allowed in TLS 1.2: %v", id, s.TLS12)
		}
		if s.FitsTLS12(0) {
			t.Errorf("%v fits an unknown key", id)
		}
		for kind, key := range keys {
			want := s.Fits(kind) || (s.alg == algECDSA && curve(kind))
			if s.FitsTLS12(kind) != want || s.UsableTLS12(key.Public(), kind == KeyRSAPSS) != want {
				t.Errorf("%v and %v: fits %v, want %v", id, kind, s.FitsTLS12(kind), want)
			}
			if !want || s.Fits(kind) {
				continue
			}
			sig, err := SignTLS12(key, s, message)
			if err != nil {
				t.Errorf("%v with %v: %v", id, kind, err)
				continue
			}
			if err := s.VerifyTLS12(key.Public(), message, sig); err != nil {
				t.Errorf("%v with %v: %v", id, kind, err)
			}
			if err := s.VerifyTLS12(key.Public(), message[1:], sig); !errors.Is(err, ErrSignature) {
				t.Errorf("%v with %v: another message: %v", id, kind, err)
			}
			// TLS 1.3 goes on to bind them.
			if err := s.Verify(key.Public(), message, sig); !errors.Is(err, ErrKeyMismatch) {
				t.Errorf("%v with %v in TLS 1.3: %v", id, kind, err)
			}
			if _, err := Sign(key, s, message); !errors.Is(err, ErrKeyMismatch) {
				t.Errorf("%v with %v in TLS 1.3: %v", id, kind, err)
			}
		}
		for kind, key := range keys {
			if s.FitsTLS12(kind) || kind == KeyRSA || kind == KeyRSAPSS {
				continue // a bare RSA key does not show whether a certificate binds it to PSS
			}
			if _, err := SignTLS12(key, s, message); !errors.Is(err, ErrKeyMismatch) {
				t.Errorf("%v signs with %v: %v", id, kind, err)
			}
			if err := s.VerifyTLS12(key.Public(), message, nil); !errors.Is(err, ErrKeyMismatch) {
				t.Errorf("%v verifies with %v: %v", id, kind, err)
			}
		}
	}
}
