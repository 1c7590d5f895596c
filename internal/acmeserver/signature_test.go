package acmeserver

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	jose "github.com/go-jose/go-jose/v4"
)

// everyAlgorithm are those of accounts and of bindings.
func everyAlgorithm() []jose.SignatureAlgorithm {
	return append(algorithms(), jose.HS256, jose.HS384, jose.HS512)
}

// signers gives a key to sign and one to verify for each algorithm.
func signers(t testing.TB) map[jose.SignatureAlgorithm][2]any {
	t.Helper()
	keys := make(map[jose.SignatureAlgorithm][2]any)
	for a, curve := range map[jose.SignatureAlgorithm]elliptic.Curve{jose.ES256: elliptic.P256(), jose.ES384: elliptic.P384(), jose.ES512: elliptic.P521()} {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys[a] = [2]any{k, k.Public()}
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys[jose.EdDSA] = [2]any{private, public}
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	keys[jose.RS256], keys[jose.PS256] = [2]any{k, k.Public()}, [2]any{k, k.Public()}
	for _, a := range []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512} {
		secret := bytes.Repeat([]byte(a), 16)
		keys[a] = [2]any{secret, secret}
	}
	return keys
}

func signedText(t testing.TB, a jose.SignatureAlgorithm, key any, payload string) []byte {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: a, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return []byte(signed.FullSerialize())
}

// TestSignaturesOfEveryAlgorithm has the library sign and us verify, with the right key and with every other one.
func TestSignaturesOfEveryAlgorithm(t *testing.T) {
	keys := signers(t)
	for a, pair := range keys {
		text := signedText(t, a, pair[0], `{"a":1}`)
		parsed, _, problem := parseJWS(text, everyAlgorithm())
		if problem != nil {
			t.Fatalf("%s: %v", a, problem)
		}
		if payload, err := parsed.verify(pair[1]); err != nil || string(payload) != `{"a":1}` {
			t.Errorf("%s: %s %v", a, payload, err)
		}
		for other, wrong := range keys {
			if other == a || (a == jose.RS256 || a == jose.PS256) && (other == jose.RS256 || other == jose.PS256) {
				continue
			}
			if _, err := parsed.verify(wrong[1]); err == nil {
				t.Errorf("a signature by %s is taken with the key of %s", a, other)
			}
		}
		for _, none := range []any{nil, "", crypto.SHA256, &jose.JSONWebKey{Key: pair[1]}} {
			if _, err := parsed.verify(none); err == nil {
				t.Errorf("%s: a signature is taken with %T as its key", a, none)
			}
		}
		// Each bit of what is signed and of the signature counts.
		for _, part := range []*[]byte{&parsed.signed, &parsed.signature} {
			for _, i := range []int{0, len(*part) / 2, len(*part) - 1} {
				(*part)[i] ^= 1
				if _, err := parsed.verify(pair[1]); err == nil {
					t.Errorf("%s: damaged byte %d is not noticed", a, i)
				}
				(*part)[i] ^= 1
			}
		}
		for _, cut := range [][]byte{nil, parsed.signature[:len(parsed.signature)-1], append([]byte{0}, parsed.signature...), append(bytes.Clone(parsed.signature), 0), make([]byte, len(parsed.signature))} {
			short := *parsed
			short.signature = cut
			if _, err := short.verify(pair[1]); err == nil {
				t.Errorf("%s: a signature of %d bytes is taken", a, len(cut))
			}
		}
	}
}

// TestPublicKeysAreNoMACs holds a well-known trick against us: a MAC keyed with the text of a public key.
func TestPublicKeysAreNoMACs(t *testing.T) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := (&jose.JSONWebKey{Key: k.Public()}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	text := signedText(t, jose.HS256, jwk, "{}")
	if _, _, problem := parseJWS(text, algorithms()); problem == nil {
		t.Error("a MAC is taken where signatures belong")
	}
	parsed, _, problem := parseJWS(text, everyAlgorithm())
	if problem != nil {
		t.Fatal(problem)
	}
	if _, err := parsed.verify(k.Public()); err == nil {
		t.Error("a MAC passes for a signature")
	}
}

// TestMembersAreReadStrictly has members twice and under other spellings.
func TestMembersAreReadStrictly(t *testing.T) {
	keys := signers(t)
	text := string(signedText(t, jose.ES256, keys[jose.ES256][0], "{}"))
	var m map[string]string
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		strings.Replace(text, `"payload"`, `"payload":"e30","payload"`, 1),
		strings.Replace(text, `"payload"`, `"Payload"`, 1),
		strings.Replace(text, `"protected"`, `"PROTECTED"`, 1),
		fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q} {}`, m["protected"], m["payload"], m["signature"]),
	} {
		if _, _, problem := parseJWS([]byte(bad), algorithms()); problem == nil {
			t.Errorf("taken: %s", bad)
		}
	}
}

// FuzzParseJWS compares us with the library: what we take and find well signed, it takes, too, with the same payload.
func FuzzParseJWS(f *testing.F) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), bytes.NewReader(make([]byte, 256)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signedText(f, jose.ES256, k, "{}"))
	f.Add(signedText(f, jose.HS256, []byte("0123456789abcdef0123456789abcdef"), `{"a":1}`))
	f.Add([]byte(`{"protected":"e30","payload":"","signature":""}`))
	f.Add([]byte(`{"protected":"eyJhbGciOiJFUzI1NiIsImI2NCI6ZmFsc2V9","payload":"AA","signature":"AA"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, key := range []any{k.Public(), []byte("0123456789abcdef0123456789abcdef")} {
			parsed, h, problem := parseJWS(text, everyAlgorithm())
			if problem != nil {
				return
			}
			if h.Critical != nil || h.B64 != nil {
				t.Fatal("an extension is taken")
			}
			payload, err := parsed.verify(key)
			if err != nil {
				continue
			}
			theirs, err := jose.ParseSignedJSON(string(text), everyAlgorithm())
			if err != nil {
				t.Fatalf("taken, but not by the library: %v", err)
			}
			if same, err := theirs.Verify(key); err != nil || !bytes.Equal(same, payload) {
				t.Fatalf("well signed, but not for the library: %q and %q, %v", payload, same, err)
			}
		}
	})
}
