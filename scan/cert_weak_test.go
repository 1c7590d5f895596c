package scan

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/pkitest"
)

// rocaPrime makes a prime as the flawed library did: k*M + (65537^a mod M), M the product of the first n primes.
func rocaPrime(t *testing.T, n int, bits int) *big.Int {
	t.Helper()
	m := big.NewInt(2)
	for p, found := int64(3), 1; found < n; p += 2 {
		if big.NewInt(p).ProbablyPrime(10) {
			m.Mul(m, big.NewInt(p))
			found++
		}
	}
	low := new(big.Int).Lsh(big.NewInt(3), uint(bits-2))
	span := new(big.Int).Rsh(low, 2)
	for range 100000 {
		a, err := rand.Int(rand.Reader, m)
		if err != nil {
			t.Fatal(err)
		}
		rest := new(big.Int).Exp(big.NewInt(65537), a, m)
		k, err := rand.Int(rand.Reader, span)
		if err != nil {
			t.Fatal(err)
		}
		p := new(big.Int).Add(low, k)
		p.Div(p, m)
		p.Mul(p, m)
		p.Add(p, rest)
		if p.BitLen() == bits && p.ProbablyPrime(20) {
			return p
		}
	}
	t.Fatal("no prime was found")
	return nil
}

// The library took the product of the first 39, 71, 126 and 225 primes for keys from 512, 992, 1984 and 3968 bits on.
func TestKeysOfTheROCALibraryAreFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ primes, bits int }{{39, 512}, {71, 1024}, {126, 2048}} {
		n := new(big.Int).Mul(rocaPrime(t, c.primes, c.bits/2), rocaPrime(t, c.primes, c.bits/2))
		k := publicKey{modulus: n, exponent: big.NewInt(65537), bits: n.BitLen()}
		if !isROCA(n) || k.weakness() != "ROCA (CVE-2017-15361)" {
			t.Errorf("%d bits: not found, but %q", c.bits, k.weakness())
		}
		// One such prime alone does not make the modulus one of them.
		half := new(big.Int).Mul(rocaPrime(t, c.primes, c.bits/2), mustPrime(t, c.bits/2))
		if isROCA(half) {
			t.Errorf("%d bits: found in a modulus with one prime of another source", c.bits)
		}
	}
}

func mustPrime(t *testing.T, bits int) *big.Int {
	t.Helper()
	p, err := rand.Prime(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestHonestKeysAreNotWeak(t *testing.T) {
	t.Parallel()
	for range 20 {
		key, err := rsa.GenerateKey(rand.Reader, 1024)
		if err != nil {
			t.Fatal(err)
		}
		k := publicKey{modulus: key.N, exponent: big.NewInt(int64(key.E)), bits: key.N.BitLen()}
		if w := k.weakness(); w != "" {
			t.Errorf("%s: %v", w, key.N)
		}
	}
	// A number that is a power of 65537 to every prime by itself, its exponents at odds with each other, is no such key.
	odd := new(big.Int).Exp(big.NewInt(65537), big.NewInt(5), nil)
	if !isROCA(odd) {
		t.Error("a power of the generator is none")
	}
	m, other := big.NewInt(1), big.NewInt(0)
	for _, p := range rocaPrimes {
		m.Mul(m, new(big.Int).SetUint64(p))
	}
	for i, p := range rocaPrimes {
		// 65537^i mod p, put together by the Chinese remainder theorem
		prime := new(big.Int).SetUint64(p)
		part := new(big.Int).Div(m, prime)
		part.Mul(part, new(big.Int).ModInverse(part, prime))
		part.Mul(part, new(big.Int).Exp(big.NewInt(65537), big.NewInt(int64(i)), prime))
		other.Add(other, part)
	}
	if isROCA(other.Mod(other, m)) {
		t.Error("exponents that are at odds pass")
	}
}

func TestOtherWeakModuliAreFound(t *testing.T) {
	p := mustPrime(t, 512)
	next := new(big.Int).Add(p, big.NewInt(2))
	for !next.ProbablyPrime(20) {
		next.Add(next, big.NewInt(2))
	}
	seven := new(big.Int).Mul(mustPrime(t, 1020), big.NewInt(7))
	large := new(big.Int).Mul(mustPrime(t, 1014), big.NewInt(997))
	e := big.NewInt(65537)
	for want, k := range map[string]publicKey{
		"the primes of the RSA modulus lie next to each other (CVE-2022-26320)": {modulus: new(big.Int).Mul(p, next), exponent: e},
		"the RSA modulus is divisible by 7":                                     {modulus: seven, exponent: e},
		"the RSA modulus is divisible by 997":                                   {modulus: large, exponent: e},
		"RSA exponent 1: the signature is the message":                          {modulus: seven, exponent: big.NewInt(1)},
	} {
		if got := k.weakness(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if !isClose(new(big.Int).Mul(p, p)) {
		t.Error("a square is not found")
	}
}

func BenchmarkWeakness(b *testing.B) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	k := publicKey{modulus: key.N, exponent: big.NewInt(65537), bits: 2048}
	for b.Loop() {
		k.weakness()
	}
}

func TestListedKeysAreFound(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	leaf, other := ca.Server(pkitest.RSA2048, "lab.test"), ca.Server(pkitest.P256, "lab.test")
	suffix := modulusSuffix(leaf.Certificate.PublicKey.(*rsa.PublicKey).N)
	spki := sha256.Sum256(other.Certificate.RawSubjectPublicKeyInfo)
	list, err := ParseWeakKeys(fmt.Appendf(nil, "# made up\n\n%x\r\n00112233445566778899\n%X", suffix, spki))
	if err != nil {
		t.Fatal(err)
	}
	look := func(w *WeakKeys, l *pkitest.Leaf) grade.Certificate {
		o := Options{Offline: true, WeakKeys: w}.filled()
		c := newJudge(&o).chain(t.Context(), chainQuestion{sent: &sentChain{DER: l.Chain}, name: "lab.test", now: ca.Now})
		return *c.facts.Leaf()
	}
	if c := look(list, leaf); c.KeyListed != grade.Yes || c.WeakKey != "Debian OpenSSL flaw (CVE-2008-0166)" {
		t.Errorf("by its modulus: %s, %q", c.KeyListed, c.WeakKey)
	}
	if c := look(list, other); c.KeyListed != grade.Yes || c.WeakKey != "the private key is published" {
		t.Errorf("by its key: %s, %q", c.KeyListed, c.WeakKey)
	}
	if c := look(list, ca.Server(pkitest.P384, "lab.test")); c.KeyListed != grade.No || c.WeakKey != "" {
		t.Errorf("not listed: %s, %q", c.KeyListed, c.WeakKey)
	}
	if c := look(nil, leaf); c.KeyListed != grade.Unasked || c.WeakKey != "" {
		t.Errorf("without a list: %s, %q", c.KeyListed, c.WeakKey)
	}
	for _, text := range []string{"", "# nothing", "0011", "0011223344556677889g", "00112233445566778899 x"} {
		if _, err := ParseWeakKeys([]byte(text)); !errors.Is(err, ErrWeakKeys) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// The example of the manual of Debian's tool: SHA-1 over the line that "openssl rsa -modulus" prints, its first ten bytes cut off.
func TestModuliAreNamedAsOpensslPrintsThem(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	leaf := pkitest.New(t, pkitest.P256).Server(pkitest.RSA2048, "lab.test")
	line, err := pkitest.Run(t, openssl, "x509", "-in", leaf.Files().Cert, "-noout", "-modulus")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha1.Sum([]byte(line + "\n"))
	if suffix := modulusSuffix(leaf.Certificate.PublicKey.(*rsa.PublicKey).N); suffix != [10]byte(sum[10:]) {
		t.Errorf("%x, want %x", suffix, sum[10:])
	}
}

func FuzzWeakKeys(f *testing.F) {
	f.Add([]byte("# x\n00112233445566778899\n"))
	f.Add([]byte(strings.Repeat("0a", 32) + "\r\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if w, err := ParseWeakKeys(text); (w == nil) == (err == nil) {
			t.Errorf("%v, %v", w, err)
		}
	})
}
