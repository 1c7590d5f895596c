package pkcs12

import (
	"crypto/hmac"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlswright/tlswright/pki"
)

var errShape = errors.New("not the structure of a PKCS #12 file")

// tag0 is [0] constructed: the explicit tag around most contents.
var tag0 = struct{ explicit, implicit cbasn1.Tag }{cbasn1.Tag(0).ContextSpecific().Constructed(), cbasn1.Tag(0).ContextSpecific()}

// Is reports whether data looks like a PKCS #12 file. Only its beginning is looked
// at.
func Is(data []byte) bool {
	if len(data) > maxFile || len(data) < 8 || data[0] != 0x30 {
		return false
	}
	header := 2
	if data[1] > 0x80 {
		header += int(data[1] & 0x7f)
	}
	// INTEGER 3, then a ContentInfo; PrivateKeyInfo has 0 or 1 there.
	return len(data) > header+4 && data[header] == 2 && data[header+1] == 1 && data[header+2] == 3 && data[header+3] == 0x30
}

// Decode reads a file, DER or BER, of at most 8 MiB. The password is UTF-8 and may
// be empty; one that does not fit gives [ErrWrongPassword]. More than one private
// key, public-key protection and whatever costs more than ten million iterations
// are errors. A file without a MAC is read with an empty password only: nothing
// vouches for it.
func Decode(data, secret []byte) (Bundle, error) {
	b, err := decode(data, secret, maxWork)
	if err != nil {
		return Bundle{}, fmt.Errorf("read PKCS #12: %w", err)
	}
	return b, nil
}

func decode(data, secret []byte, limit int) (Bundle, error) {
	if len(data) > maxFile {
		return Bundle{}, fmt.Errorf("%d bytes, more than the limit of %d", len(data), maxFile)
	}
	pass, err := newPassword(secret)
	if err != nil {
		return Bundle{}, err
	}
	r := &reader{pass: pass, limit: limit}
	safe, mac, err := openPFX(data)
	if err != nil {
		return Bundle{}, err
	}
	if err := r.verify(safe, mac); err != nil {
		return Bundle{}, err
	}
	contents, err := r.containers(safe)
	if err != nil {
		return Bundle{}, err
	}
	for _, c := range contents {
		if err := r.container(c); err != nil {
			return Bundle{}, err
		}
	}
	return r.bundle()
}

// reader collects what the bags hold, and counts what it costs.
type reader struct {
	pass  password
	limit int // iterations
	work  int // iterations so far
	bags  int

	key      *keyBag
	certs    []certBag
	trusted  []*x509.Certificate
	trustees []string // friendly names of the trusted
}

// spend adds to the work and refuses too much, before it is done.
func (r *reader) spend(iterations, times int) error {
	if iterations < 1 || iterations > r.limit {
		return fmt.Errorf("%d iterations, not from 1 to the limit of %d", iterations, r.limit)
	}
	if r.work += iterations * times; r.work > r.limit {
		return fmt.Errorf("more than %d iterations in all", r.limit)
	}
	return nil
}

// contentInfo is one ContentInfo (RFC 7292, Section 4 and RFC 2315, Section 7).
type contentInfo struct {
	kind    asn1.ObjectIdentifier
	content cryptobyte.String // of [0]
}

func readContentInfo(s *cryptobyte.String) (contentInfo, error) {
	var c contentInfo
	var info cryptobyte.String
	if !s.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1ObjectIdentifier(&c.kind) ||
		!info.ReadASN1(&c.content, tag0.explicit) || !info.Empty() {
		return c, errShape
	}
	return c, nil
}

// openPFX returns the octets of the authenticated safe and the MacData element,
// empty if there is none.
func openPFX(data []byte) (safe, mac cryptobyte.String, err error) {
	der, err := pki.NormalizeBER(data)
	if err != nil {
		return nil, nil, err
	}
	s, pfx := cryptobyte.String(der), cryptobyte.String(nil)
	var version int
	if !s.ReadASN1(&pfx, cbasn1.SEQUENCE) || !pfx.ReadASN1Integer(&version) {
		return nil, nil, errShape
	}
	if version != 3 {
		return nil, nil, fmt.Errorf("version %d, not 3", version)
	}
	info, err := readContentInfo(&pfx)
	if err != nil {
		return nil, nil, err
	}
	if info.kind.Equal(oidSignedData()) {
		return nil, nil, errors.New("it is protected by a signature, not by a password")
	}
	if !info.kind.Equal(oidData()) || !info.content.ReadASN1(&safe, cbasn1.OCTET_STRING) || !info.content.Empty() {
		return nil, nil, errShape
	}
	if !pfx.Empty() && (!pfx.ReadASN1(&mac, cbasn1.SEQUENCE) || !pfx.Empty()) {
		return nil, nil, errShape
	}
	return safe, mac, nil
}

// verify checks the password and the integrity of the file.
func (r *reader) verify(safe, mac cryptobyte.String) error {
	if len(mac) == 0 {
		if len(r.pass.utf8) > 0 {
			return errors.New("it has no MAC: nothing shows that password and content belong together")
		}
		return nil
	}
	m, err := parseMAC(mac)
	if err != nil {
		return err
	}
	if err := r.spend(m.iterations, m.rounds()); err != nil {
		return err
	}
	if hmac.Equal(m.compute(safe, r.pass), m.digest) {
		return nil
	}
	if len(r.pass.utf8) == 0 {
		// Some write nothing at all where others write the final zero.
		if err := r.spend(m.iterations, m.rounds()); err != nil {
			return err
		}
		r.pass.bmp = nil
		if hmac.Equal(m.compute(safe, r.pass), m.digest) {
			return nil
		}
	}
	return ErrWrongPassword
}

// containers takes the authenticated safe apart (RFC 7292, Section 4.1).
func (r *reader) containers(safe []byte) ([]contentInfo, error) {
	der, err := pki.NormalizeBER(safe)
	if err != nil {
		return nil, err
	}
	s, list := cryptobyte.String(der), cryptobyte.String(nil)
	if !s.ReadASN1(&list, cbasn1.SEQUENCE) {
		return nil, errShape
	}
	var all []contentInfo
	for !list.Empty() {
		if len(all) == maxContainers {
			return nil, fmt.Errorf("more than %d containers", maxContainers)
		}
		c, err := readContentInfo(&list)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// container reads the bags of one container.
func (r *reader) container(c contentInfo) error {
	var plain []byte
	switch {
	case c.kind.Equal(oidData()):
		var octets cryptobyte.String
		if !c.content.ReadASN1(&octets, cbasn1.OCTET_STRING) || !c.content.Empty() {
			return errShape
		}
		plain = octets
	case c.kind.Equal(oidEncryptedData()):
		e, err := parseEncryptedData(c.content)
		if err != nil {
			return err
		}
		if plain, err = r.open(e); err != nil {
			return err
		}
	case c.kind.Equal(oidEnvelopedData()):
		return errors.New("a part of it is encrypted to a public key, not under a password")
	default:
		return fmt.Errorf("a container of type %s", c.kind)
	}
	der, err := pki.NormalizeBER(plain)
	if err != nil {
		return err
	}
	s, list := cryptobyte.String(der), cryptobyte.String(nil)
	if !s.ReadASN1(&list, cbasn1.SEQUENCE) {
		return errShape
	}
	for !list.Empty() {
		if r.bags++; r.bags > maxBags {
			return fmt.Errorf("more than %d bags", maxBags)
		}
		if err := r.bag(&list); err != nil {
			return err
		}
	}
	return nil
}

// parseEncryptedData reads EncryptedData (RFC 2315, Section 13) and turns its
// content into the shape of an EncryptedPrivateKeyInfo.
func parseEncryptedData(s cryptobyte.String) (encrypted, error) {
	var e encrypted
	var data, info, algorithm cryptobyte.String
	var version int
	var kind asn1.ObjectIdentifier
	if !s.ReadASN1(&data, cbasn1.SEQUENCE) || !s.Empty() || !data.ReadASN1Integer(&version) || version != 0 ||
		!data.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1ObjectIdentifier(&kind) || !kind.Equal(oidData()) ||
		!info.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) {
		return e, errShape
	}
	e.algorithm = algorithm
	var pieces cryptobyte.String
	switch {
	case info.PeekASN1Tag(tag0.implicit):
		if !info.ReadASN1(&pieces, tag0.implicit) {
			return e, errShape
		}
		e.data = pieces
	case info.ReadASN1(&pieces, tag0.explicit): // BER in parts, under its implicit tag
		for !pieces.Empty() {
			var piece cryptobyte.String
			if !pieces.ReadASN1(&piece, cbasn1.OCTET_STRING) {
				return e, errShape
			}
			e.data = append(e.data, piece...)
		}
	}
	if !info.Empty() {
		return e, errShape
	}
	return e, nil
}
