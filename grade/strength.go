package grade

import (
	"strconv"
	"strings"

	"github.com/tlswright/tlswright/wire"
)

// groupStrength gives the strength of a group in bits of an RSA key that is as hard to break; 0: not known. A hybrid
// counts as its classical half.
func groupStrength(g wire.Group) int {
	switch g {
	case wire.GroupX25519, wire.GroupX25519MLKEM768, wire.GroupSecp256r1MLKEM768, wire.GroupX25519Kyber768Draft,
		wire.GroupCurveSM2, wire.GroupCurveSM2MLKEM768, wire.GroupMLKEM512:
		return 3072
	case wire.GroupSecp384r1MLKEM1024, wire.GroupMLKEM768, wire.GroupX448:
		return 7680
	case wire.GroupMLKEM1024:
		return 15360
	case wire.GroupFFDHE2048:
		return 2048
	case wire.GroupFFDHE3072:
		return 3072
	case wire.GroupFFDHE4096:
		return 4096
	case wire.GroupFFDHE6144:
		return 6144
	case wire.GroupFFDHE8192:
		return 8192
	}
	return curveStrength(curveBits(g.String()))
}

// curveBits reads the size of a curve from its registered name: "secp256r1", "sect163k1", "brainpoolP384r1tls13", "GC512A";
// 0: the name does not say.
func curveBits(name string) int {
	for _, prefix := range []string{"secp", "sect", "brainpoolP", "GC", "SecP"} {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		bits, _ := strconv.Atoi(rest[:digits]) // no digits: 0
		return bits
	}
	return 0
}

// curveStrength turns the size of an elliptic curve into bits of RSA, by the table of NIST SP 800-57.
func curveStrength(bits int) int {
	switch {
	case bits <= 0:
		return 0
	case bits < 160:
		return 512
	case bits < 192:
		return 1024
	case bits < 224:
		return 1536
	case bits < 256:
		return 2048
	case bits < 384:
		return 3072
	case bits < 512:
		return 7680
	}
	return 15360
}

// strengthPoints is the guide's table for key exchange.
func strengthPoints(bits int) float64 {
	switch {
	case bits <= 0:
		return 0
	case bits < 512:
		return 20
	case bits < 1024:
		return 40
	case bits < 2048:
		return 80
	case bits < 4096:
		return 90
	}
	return 100
}

// cipherPoints is the guide's table for encryption.
func cipherPoints(bits int) float64 {
	switch {
	case bits <= 0:
		return 0
	case bits < 128:
		return 20
	case bits < 256:
		return 80
	}
	return 100
}

// keyStrength is the strength of a certificate's key in bits of RSA; 0: not known.
func keyStrength(c *Certificate) int {
	if c.KeyStrength > 0 {
		return c.KeyStrength
	}
	if strings.HasPrefix(c.Key, "EC") || strings.HasPrefix(c.Key, "Ed") {
		return curveStrength(c.KeyBits)
	}
	return max(0, c.KeyBits)
}

// ssl2Kind is a cipher kind of SSL 2.0.
type ssl2Kind struct {
	name   string
	bits   int
	export bool
}

// readKind takes the name of a cipher kind apart. An unknown one counts as no encryption: it cannot be any good.
func readKind(k Numbered) ssl2Kind {
	kind := ssl2Kind{name: wire.SSL2CipherKind(k.ID).String()}
	switch wire.SSL2CipherKind(k.ID) {
	case wire.SSL_CK_RC4_128_WITH_MD5, wire.SSL_CK_RC2_128_CBC_WITH_MD5, wire.SSL_CK_IDEA_128_CBC_WITH_MD5:
		kind.bits = 128
	case wire.SSL_CK_RC4_128_EXPORT40_WITH_MD5, wire.SSL_CK_RC2_128_CBC_EXPORT40_WITH_MD5:
		kind.bits, kind.export = 40, true
	case wire.SSL_CK_DES_64_CBC_WITH_MD5, wire.SSL_CK_DES_64_CBC_WITH_SHA, wire.SSL_CK_DES_64_CFB64_WITH_MD5_1:
		kind.bits = 56
	case wire.SSL_CK_DES_192_EDE3_CBC_WITH_MD5, wire.SSL_CK_DES_192_EDE3_CBC_WITH_SHA:
		kind.bits = 112
	case wire.SSL_CK_RC4_64_WITH_MD5:
		kind.bits = 64
	}
	return kind
}
