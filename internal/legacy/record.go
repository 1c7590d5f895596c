package legacy

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rc4"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/tlswright/tlswright/wire"
)

// The errors of Open.
var (
	// ErrRecord is returned for bytes that are no record, or one too short or of a length the cipher cannot have made.
	ErrRecord = errors.New("legacy: malformed record")
	// ErrMAC is returned for a record whose MAC or tag is wrong.
	ErrMAC = errors.New("legacy: wrong MAC")
	// ErrPadding is returned for a record whose padding is wrong.
	ErrPadding = errors.New("legacy: wrong padding")
	// ErrParts is returned where content, MAC and padding do not fill whole blocks.
	ErrParts = errors.New("legacy: parts do not fill whole blocks")
)

// Cipher protects the records of one direction. It seals or it opens; never both.
type Cipher struct {
	suite   *Suite
	version wire.Version
	keys    DirectionKeys
	etm     bool
	random  io.Reader
	seq     uint64

	stream cipher.Stream
	block  cipher.Block
	aead   cipher.AEAD
}

// NewCipher makes one direction of a connection. etm: the MAC comes after encryption (RFC 7366). random gives the IVs
// that records carry; one that only opens needs none.
func NewCipher(s *Suite, v wire.Version, k DirectionKeys, etm bool, random io.Reader) (*Cipher, error) {
	c := &Cipher{suite: s, version: v, keys: k, etm: etm && s.Mode == ModeCBC, random: random}
	if len(k.Key) != s.KeyLen {
		return nil, fmt.Errorf("key of %d bytes for %v, want %d", len(k.Key), s.ID, s.KeyLen)
	}
	// CBC is chained from record to record, so the first IV is changed as it goes.
	c.keys.IV = append([]byte(nil), k.IV...)
	var err error
	switch {
	case s.Mode == ModeAEAD:
		c.aead, err = s.newAEAD(k.Key)
	case s.Mode == ModeCBC:
		c.block, err = s.newBlock(k.Key)
	case s.Encryption == "RC4":
		c.stream, err = rc4.NewCipher(k.Key)
	}
	return c, err
}

// Parts are what a record with CBC is made of before it is encrypted.
type Parts struct {
	Content, MAC []byte
	// Padding holds the byte that tells its length, at its end.
	Padding []byte
}

// Seal appends one record to out. The content has at most 2^14 bytes.
func (c *Cipher) Seal(out []byte, typ wire.ContentType, content []byte) ([]byte, error) {
	return c.SealCrafted(out, typ, content, nil)
}

// SealCrafted is Seal with a hand in it: craft is called with the parts of a record with CBC, and what it leaves is
// encrypted. It must fill whole blocks, else the error is ErrParts. In other modes, and where the MAC comes after
// encryption, craft is not called.
func (c *Cipher) SealCrafted(out []byte, typ wire.ContentType, content []byte, craft func(*Parts)) ([]byte, error) {
	if len(content) > wire.MaxPlaintext {
		return out, ErrRecord
	}
	var fragment []byte
	var err error
	switch {
	case c.aead != nil:
		fragment = c.sealAEAD(typ, content)
	case c.block != nil:
		fragment, err = c.sealCBC(typ, content, craft)
	default:
		fragment = append(append(fragment, content...), c.mac(typ, content)...)
		if c.stream != nil {
			c.stream.XORKeyStream(fragment, fragment)
		}
	}
	if err != nil {
		return out, err
	}
	c.seq++
	out = wire.AppendRecordHeader(out, wire.RecordHeader{Type: typ, Version: c.version, Length: len(fragment)})
	return append(out, fragment...), nil
}

// sealCBC pads to whole blocks with as few bytes as can be, and encrypts.
func (c *Cipher) sealCBC(typ wire.ContentType, content []byte, craft func(*Parts)) ([]byte, error) {
	size := c.block.BlockSize()
	p := Parts{Content: content}
	if !c.etm {
		p.MAC = c.mac(typ, content)
	}
	n := size - (len(content)+len(p.MAC))%size
	p.Padding = make([]byte, n)
	for i := range p.Padding {
		p.Padding[i] = byte(n - 1)
	}
	if craft != nil && !c.etm {
		craft(&p)
	}
	plain := append(append(append([]byte(nil), p.Content...), p.MAC...), p.Padding...)
	if len(plain)%size != 0 || len(plain) == 0 || len(plain) > wire.MaxCiphertext12-size {
		return nil, ErrParts
	}
	var fragment []byte
	iv := c.keys.IV
	if c.version >= wire.VersionTLS11 {
		iv = make([]byte, size)
		if _, err := io.ReadFull(c.random, iv); err != nil {
			return nil, err
		}
		fragment = append(fragment, iv...)
	}
	cipher.NewCBCEncrypter(c.block, iv).CryptBlocks(plain, plain)
	if c.version < wire.VersionTLS11 {
		c.keys.IV = append([]byte(nil), plain[len(plain)-size:]...)
	}
	fragment = append(fragment, plain...)
	if c.etm {
		fragment = append(fragment, c.mac(typ, fragment)...)
	}
	return fragment, nil
}

// mac is the MAC of a record: that of SSL 3.0 (RFC 6101, Section 5.2.3.1), which leaves the version out, or HMAC
// (RFC 5246, Section 6.2.3.1).
func (c *Cipher) mac(typ wire.ContentType, content []byte) []byte {
	header := append(binary.BigEndian.AppendUint64(nil, c.seq), byte(typ))
	if c.version > wire.VersionSSL30 {
		header = binary.BigEndian.AppendUint16(header, uint16(c.version))
	}
	header = binary.BigEndian.AppendUint16(header, uint16(len(content)))
	if c.version == wire.VersionSSL30 {
		pad1, pad2 := pads30(c.suite.MAC)
		return hashOf(c.suite.MAC, c.keys.MAC, pad2, hashOf(c.suite.MAC, c.keys.MAC, pad1, header, content))
	}
	w := hmac.New(c.suite.MAC.New, c.keys.MAC)
	w.Write(header)
	w.Write(content)
	return w.Sum(nil)
}

// nonce is that of an AEAD: the salt and what the record carries, or the IV combined with the sequence number
// (RFC 7905, Section 2).
func (c *Cipher) nonce(explicit []byte) []byte {
	if c.suite.ExplicitIV > 0 {
		return append(append([]byte(nil), c.keys.IV...), explicit...)
	}
	n := append([]byte(nil), c.keys.IV...)
	at := n[len(n)-8:]
	binary.BigEndian.PutUint64(at, binary.BigEndian.Uint64(at)^c.seq)
	return n
}

// additional is what an AEAD authenticates besides the content (RFC 5246, Section 6.2.3.3).
func (c *Cipher) additional(typ wire.ContentType, length int) []byte {
	b := binary.BigEndian.AppendUint64(nil, c.seq)
	return wire.AppendRecordHeader(b, wire.RecordHeader{Type: typ, Version: c.version, Length: length})
}

func (c *Cipher) sealAEAD(typ wire.ContentType, content []byte) []byte {
	var fragment []byte
	if c.suite.ExplicitIV > 0 {
		fragment = binary.BigEndian.AppendUint64(nil, c.seq)
	}
	return c.aead.Seal(fragment, c.nonce(fragment), content, c.additional(typ, len(content)))
}

// Opened is a record taken apart, whatever is wrong with it.
type Opened struct {
	Type    wire.ContentType
	Content []byte
	// Padding is what stood at the end, as long as it says, its length included; nil where it says more than there is.
	Padding []byte
	// MACOK: the MAC or tag is right, if the padding is as long as it says, whatever its other bytes are.
	MACOK bool
	// PaddingOK: every byte of the padding is as it should be. True where there is none. In SSL 3.0 only its length
	// counts.
	PaddingOK bool
	// NoRoom: the padding claims so many bytes that no MAC can be in the record.
	NoRoom bool
}

// Open opens one whole record, header included. The error is ErrRecord, ErrMAC or ErrPadding; after any of them the
// direction is out of step. The version of the header is not looked at.
func (c *Cipher) Open(rec []byte) (typ wire.ContentType, content []byte, err error) {
	o, err := c.Inspect(rec)
	switch {
	case err != nil:
		return 0, nil, err
	case o.NoRoom || !o.PaddingOK:
		return 0, nil, ErrPadding
	case !o.MACOK:
		return 0, nil, ErrMAC
	}
	return o.Type, o.Content, nil
}

// Inspect is Open for one who wants to know what exactly is wrong: a scripted server that errs on purpose. The error is
// ErrRecord where there is nothing to take apart.
func (c *Cipher) Inspect(rec []byte) (Opened, error) {
	h, ok := wire.ParseRecordHeader(rec)
	if !ok || h.Length != len(rec)-wire.RecordHeaderLen || h.Length > wire.MaxCiphertext12 {
		return Opened{}, ErrRecord
	}
	fragment := append([]byte(nil), rec[wire.RecordHeaderLen:]...)
	o := Opened{Type: h.Type, PaddingOK: true}
	var err error
	switch {
	case c.aead != nil:
		err = c.openAEAD(&o, fragment)
	case c.block != nil:
		err = c.openCBC(&o, fragment)
	default:
		if c.stream != nil {
			c.stream.XORKeyStream(fragment, fragment)
		}
		err = c.checkMAC(&o, fragment)
	}
	c.seq++
	return o, err
}

func (c *Cipher) openAEAD(o *Opened, fragment []byte) error {
	n := len(fragment) - c.suite.ExplicitIV - c.suite.TagLen
	if n < 0 {
		return ErrRecord
	}
	explicit, sealed := fragment[:c.suite.ExplicitIV], fragment[c.suite.ExplicitIV:]
	content, err := c.aead.Open(nil, c.nonce(explicit), sealed, c.additional(o.Type, n))
	o.Content, o.MACOK = content, err == nil
	return nil
}

// checkMAC takes the MAC off the end.
func (c *Cipher) checkMAC(o *Opened, b []byte) error {
	n := len(b) - c.suite.MACLen()
	if n < 0 {
		return ErrRecord
	}
	o.Content = b[:n]
	o.MACOK = hmac.Equal(c.mac(o.Type, b[:n]), b[n:])
	return nil
}

func (c *Cipher) openCBC(o *Opened, fragment []byte) error {
	size := c.block.BlockSize()
	if c.etm {
		n := len(fragment) - c.suite.MACLen()
		if n < 0 {
			return ErrRecord
		}
		o.MACOK = hmac.Equal(c.mac(o.Type, fragment[:n]), fragment[n:])
		fragment = fragment[:n]
	}
	iv := c.keys.IV
	if c.version >= wire.VersionTLS11 {
		if len(fragment) < size {
			return ErrRecord
		}
		iv, fragment = fragment[:size], fragment[size:]
	}
	if len(fragment) == 0 || len(fragment)%size != 0 {
		return ErrRecord
	}
	if c.version < wire.VersionTLS11 {
		c.keys.IV = append([]byte(nil), fragment[len(fragment)-size:]...)
	}
	cipher.NewCBCDecrypter(c.block, iv).CryptBlocks(fragment, fragment)
	return c.unpad(o, fragment)
}

// unpad takes the padding off and looks at the MAC before it.
func (c *Cipher) unpad(o *Opened, plain []byte) error {
	pad := int(plain[len(plain)-1]) + 1
	macLen := c.suite.MACLen()
	if c.etm {
		macLen = 0
	}
	for i := range min(pad, len(plain)) {
		if c.version > wire.VersionSSL30 && int(plain[len(plain)-1-i]) != pad-1 {
			o.PaddingOK = false
		}
	}
	// RFC 6101, Section 5.2.3.2: the padding of SSL 3.0 is shorter than a block, its content is left open.
	if c.version == wire.VersionSSL30 && pad > c.block.BlockSize() {
		o.PaddingOK = false
	}
	if pad+macLen > len(plain) {
		o.NoRoom = true
		return nil
	}
	plain, o.Padding = plain[:len(plain)-pad], plain[len(plain)-pad:]
	if c.etm {
		o.Content = plain
		return nil
	}
	return c.checkMAC(o, plain)
}
