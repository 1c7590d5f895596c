package pkcs12

import (
	"crypto"
	"errors"
	"math/big"
	"unicode/utf16"
	"unicode/utf8"
)

// purpose is what bytes are derived for (RFC 7292, Appendix B.3).
type purpose byte

const (
	forKey purpose = 1
	forIV  purpose = 2
	forMAC purpose = 3
)

// derive is the key derivation of PKCS #12 (RFC 7292, Appendix B.2); password is
// as [bmp] made it. The caller has bounded salt and iterations.
func derive(h crypto.Hash, salt, password []byte, iterations int, what purpose, length int) []byte {
	digest := h.New()
	u, v := digest.Size(), digest.BlockSize()
	diversifier := make([]byte, v)
	for i := range diversifier {
		diversifier[i] = byte(what)
	}
	input := append(fill(salt, v), fill(password, v)...)
	var out []byte
	one := big.NewInt(1)
	modulus := new(big.Int).Lsh(one, uint(8*v))
	for {
		digest.Reset()
		digest.Write(diversifier)
		digest.Write(input)
		a := digest.Sum(nil)
		for range iterations - 1 {
			digest.Reset()
			digest.Write(a)
			a = digest.Sum(a[:0])
		}
		out = append(out, a[:u]...)
		if len(out) >= length {
			return out[:length]
		}
		b := new(big.Int).SetBytes(fill(a, v))
		b.Add(b, one)
		for at := 0; at < len(input); at += v {
			n := new(big.Int).SetBytes(input[at : at+v])
			n.Add(n, b)
			n.Mod(n, modulus)
			n.FillBytes(input[at : at+v])
		}
	}
}

// fill repeats s up to the next multiple of v bytes; nothing stays nothing.
func fill(s []byte, v int) []byte {
	if len(s) == 0 {
		return nil
	}
	out := make([]byte, (len(s)+v-1)/v*v)
	for i := range out {
		out[i] = s[i%len(s)]
	}
	return out
}

// password is a password in both its spellings: BMP string with the final zero
// for the old derivation (RFC 7292, Appendix B.1), UTF-8 for PBES2 and PBMAC1.
type password struct {
	utf8, bmp []byte
}

func newPassword(text []byte) (password, error) {
	if !utf8.Valid(text) {
		return password{}, errors.New("the password is not UTF-8")
	}
	wide, err := bmp(string(text))
	if err != nil {
		return password{}, errors.New("the password is too long")
	}
	return password{utf8: text, bmp: append(wide, 0, 0)}, nil
}

// bmp writes a string in UTF-16, big-endian, as OpenSSL and Java do for characters
// outside the basic plane too.
func bmp(s string) ([]byte, error) {
	units := utf16.Encode([]rune(s))
	if len(units) > maxName {
		return nil, errors.New("the name is too long")
	}
	out := make([]byte, 0, 2*len(units)+2)
	for _, u := range units {
		out = append(out, byte(u>>8), byte(u))
	}
	return out, nil
}

// fromBMP reads a string in UTF-16, big-endian.
func fromBMP(b []byte) (string, error) {
	if len(b)%2 != 0 || len(b) > 2*maxName {
		return "", errors.New("a name is not a BMP string")
	}
	units := make([]uint16, 0, len(b)/2)
	for i := 0; i < len(b); i += 2 {
		units = append(units, uint16(b[i])<<8|uint16(b[i+1]))
	}
	return string(utf16.Decode(units)), nil
}
