package legacy

import (
	"crypto"
	_ "crypto/md5" // the hashes of suites and versions, reached through crypto.Hash
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"strings"

	"github.com/tlswright/tlswright/wire"
)

// Exchange is how client and server agree on the premaster secret.
type Exchange uint8

// The key exchanges that a handshake can be finished with.
const (
	ExchangeRSA   Exchange = iota + 1 // the client chooses the secret and encrypts it for the server's key
	ExchangeDHE                       // ephemeral Diffie-Hellman over a prime field, signed or anonymous
	ExchangeECDHE                     // the same over a curve
)

// Auth is the kind of key that signs the server's parameters.
type Auth uint8

// The kinds of authentication.
const (
	AuthRSA Auth = iota + 1
	AuthDSS
	AuthECDSA
	AuthNone // anonymous: nobody signs
)

// Mode is how records are protected.
type Mode uint8

// The modes.
const (
	ModeStream Mode = iota + 1 // a stream cipher, or none at all, over content and MAC
	ModeCBC                    // a block cipher over content, MAC and padding
	ModeAEAD
)

// Suite says what a cipher suite asks for. Sizes are in bytes.
type Suite struct {
	ID       wire.CipherSuite
	Exchange Exchange
	Auth     Auth
	// ExportBits is the largest temporary key of an export suite, 512 or 1024 bits; 0: no export suite.
	ExportBits int
	Mode       Mode
	Encryption string // "AES", "RC4", "NULL", … as in the name
	// KeyMaterial is what the key block gives for one direction; KeyLen is what the cipher takes. They differ in
	// export suites only.
	KeyMaterial, KeyLen int
	BlockLen            int         // of the cipher in ModeCBC, else 0
	MAC                 crypto.Hash // of the HMAC; 0 in ModeAEAD
	// Hash is that of transcript and PRF in TLS 1.2; older versions have MD5 with SHA-1 for every suite.
	Hash crypto.Hash
	// FixedIV and ExplicitIV are the parts of an AEAD's nonce.
	FixedIV, ExplicitIV int
	TagLen              int
}

// ByID gives what is known of a suite. False: not one that a handshake can be finished with - TLS 1.3, a pre-shared key,
// static Diffie-Hellman, Kerberos, GOST and the like.
func ByID(id wire.CipherSuite) (*Suite, bool) {
	name := strings.TrimPrefix(strings.TrimPrefix(id.String(), "TLS_"), "SSL_")
	exchange, words, ok := strings.Cut(name, "_WITH_")
	if !ok {
		return nil, false
	}
	s := &Suite{ID: id, Hash: crypto.SHA256}
	if !s.setExchange(exchange) || !s.setCipher(strings.Split(words, "_")) {
		return nil, false
	}
	if s.ExportBits > 0 {
		s.setExport(words)
	}
	return s, true
}

// setExchange reads what stands before WITH.
func (s *Suite) setExchange(name string) bool {
	if rest, ok := strings.CutSuffix(name, "_EXPORT1024"); ok {
		name, s.ExportBits = rest, 1024
	}
	if rest, ok := strings.CutSuffix(name, "_EXPORT"); ok {
		name, s.ExportBits = rest, 512
	}
	switch name {
	case "RSA", "RSA_FIPS", "RSA_OLDFIPS":
		s.Exchange, s.Auth = ExchangeRSA, AuthRSA
	case "DHE_RSA":
		s.Exchange, s.Auth = ExchangeDHE, AuthRSA
	case "DHE_DSS":
		s.Exchange, s.Auth = ExchangeDHE, AuthDSS
	case "DH_anon":
		s.Exchange, s.Auth = ExchangeDHE, AuthNone
	case "ECDHE_RSA":
		s.Exchange, s.Auth = ExchangeECDHE, AuthRSA
	case "ECDHE_ECDSA":
		s.Exchange, s.Auth = ExchangeECDHE, AuthECDSA
	case "ECDH_anon":
		s.Exchange, s.Auth = ExchangeECDHE, AuthNone
	default:
		return false
	}
	return true
}

// setCipher reads what stands behind WITH.
func (s *Suite) setCipher(words []string) bool {
	s.Encryption = words[0]
	last := words[len(words)-1]
	switch last {
	case "MD5":
		s.MAC = crypto.MD5
	case "SHA":
		s.MAC = crypto.SHA1
	case "SHA256":
		s.MAC = crypto.SHA256
	case "SHA384":
		s.MAC, s.Hash = crypto.SHA384, crypto.SHA384
	case "CCM", "8": // AES_128_CCM, AES_256_CCM_8: RFC 6655, Section 3
	default:
		return false
	}
	switch words[0] {
	case "NULL":
		s.Mode = ModeStream
	case "RC4":
		s.Mode, s.KeyLen = ModeStream, 16
	case "RC2", "IDEA":
		s.Mode, s.KeyLen, s.BlockLen = ModeCBC, 16, 8
	case "DES", "DES40":
		s.Mode, s.KeyLen, s.BlockLen = ModeCBC, 8, 8
	case "3DES":
		s.Mode, s.KeyLen, s.BlockLen = ModeCBC, 24, 8
	case "SEED":
		s.Mode, s.KeyLen, s.BlockLen = ModeCBC, 16, 16
	case "CHACHA20":
		// RFC 7905, Section 2: the whole nonce comes from the key block.
		s.Mode, s.KeyLen, s.FixedIV, s.TagLen, s.MAC = ModeAEAD, 32, 12, 16, 0
	case "AES", "CAMELLIA", "ARIA":
		return s.setModern(words)
	default:
		return false
	}
	s.KeyMaterial = s.KeyLen
	return true
}

// setModern reads the ciphers with blocks of 16 bytes that come in several modes: AES_128_CBC_SHA, ARIA_256_GCM_SHA384.
func (s *Suite) setModern(words []string) bool {
	if len(words) < 3 {
		return false
	}
	s.KeyLen = 16
	if words[1] == "256" {
		s.KeyLen = 32
	}
	s.KeyMaterial = s.KeyLen
	switch words[2] {
	case "CBC":
		s.Mode, s.BlockLen = ModeCBC, 16
	case "GCM", "CCM":
		// RFC 5288, Section 3, and RFC 6655, Section 3.
		s.Mode, s.FixedIV, s.ExplicitIV, s.TagLen, s.MAC = ModeAEAD, 4, 8, 16, 0
		if words[len(words)-1] == "8" {
			s.TagLen = 8
		}
		if words[2] == "CCM" {
			s.Encryption += "-CCM"
		}
	default:
		return false
	}
	return true
}

// setExport weakens the key as the export rules asked for (RFC 2246, Section 6.3.1): 40 bits, or 56 with the larger
// temporary keys.
func (s *Suite) setExport(words string) {
	switch {
	case s.KeyLen == 0:
	case s.ExportBits == 512:
		s.KeyMaterial = 5
	case strings.Contains(words, "_56_"):
		s.KeyMaterial = 7
	}
}

// MACLen is the size of a record's MAC; 0 in ModeAEAD.
func (s *Suite) MACLen() int {
	if s.MAC == 0 {
		return 0
	}
	return s.MAC.Size()
}

// Since is the lowest version in which the suite can be negotiated.
func (s *Suite) Since() wire.Version {
	switch {
	case s.Mode == ModeAEAD || s.MAC == crypto.SHA256 || s.MAC == crypto.SHA384:
		return wire.VersionTLS12
	case s.Exchange == ExchangeECDHE:
		return wire.VersionTLS10
	}
	return wire.VersionSSL30
}
