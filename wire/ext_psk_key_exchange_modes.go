package wire

// PSKKeyExchangeMode is the registered number of a way to use a pre-shared key (RFC 8446, Section 4.2.9).
type PSKKeyExchangeMode uint8

// The two modes.
const (
	PSKModeKE    PSKKeyExchangeMode = 0 // psk_ke: the key alone, no forward secrecy
	PSKModeDHEKE PSKKeyExchangeMode = 1 // psk_dhe_ke: the key and a fresh key exchange
)

// String gives the registered name, "psk_dhe_ke", or "0x0b".
func (m PSKKeyExchangeMode) String() string {
	name, ok := pskModeName(m)
	return name8(uint8(m), name, ok)
}

// PSKKeyExchangeModes is psk_key_exchange_modes in a ClientHello (RFC 8446, Section 4.2.9).
//
//	enum { psk_ke(0), psk_dhe_ke(1), (255) } PskKeyExchangeMode;
//
//	struct {
//	    PskKeyExchangeMode ke_modes<1..255>;
//	} PskKeyExchangeModes;
type PSKKeyExchangeModes struct {
	Modes []PSKKeyExchangeMode
}

// Extension gives ExtPSKKeyExchangeModes.
func (v *PSKKeyExchangeModes) Extension() ExtensionType { return ExtPSKKeyExchangeModes }

// AppendBody appends extension_data.
func (v *PSKKeyExchangeModes) AppendBody(b []byte) []byte { return appendList8(b, v.Modes) }

func (v *PSKKeyExchangeModes) decode(c *cursor) {
	v.Modes = list8[PSKKeyExchangeMode](c, "ke_modes", bounds{1, 1, max8}, KindPSKKeyExchangeMode)
}
