package wire

// CipherSuite is the registered number of a cipher suite (RFC 8446, Section 4.1.2). The constants carry the registered
// names verbatim, TLS_AES_128_GCM_SHA256.
type CipherSuite uint16

// String gives the registered name, "GREASE 0x0a0a" for a reserved number and "0x1234" for an unknown one.
func (s CipherSuite) String() string {
	name, ok := cipherSuiteName(s)
	return name16(uint16(s), name, ok)
}
