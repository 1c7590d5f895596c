package cert

import (
	"crypto"
	"encoding/asn1"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// PSSParameters restrict what a key of type id-RSASSA-PSS may sign.
//
//	RSASSA-PSS-params  ::=  SEQUENCE  {
//	   hashAlgorithm      [0] HashAlgorithm DEFAULT sha1Identifier,
//	   maskGenAlgorithm   [1] MaskGenAlgorithm DEFAULT mgf1SHA1Identifier,
//	   saltLength         [2] INTEGER DEFAULT 20,
//	   trailerField       [3] INTEGER DEFAULT 1  }
//
// RFC 4055, Section 3.1.
type PSSParameters struct {
	Hash    crypto.Hash // 0: an unknown hash
	MGFHash crypto.Hash // hash of MGF1; 0: an unknown one
	// SaltLength is the smallest salt a signature of this key may have, in bytes
	// (RFC 4055, Section 3.3).
	SaltLength int
}

const oidMGF1 = "1.2.840.113549.1.1.8" // RFC 4055, Section 2.2

// parsePSS reads the parameters of an id-RSASSA-PSS key; absent ones (nil, no
// error) leave the key unrestricted.
func parsePSS(params cryptobyte.String) (*PSSParameters, error) {
	if len(params) == 0 {
		return nil, nil
	}
	bad := fmt.Errorf("malformed RSASSA-PSS parameters")
	var s cryptobyte.String
	if !params.ReadASN1(&s, cbasn1.SEQUENCE) || !params.Empty() {
		return nil, bad
	}
	p := &PSSParameters{Hash: crypto.SHA1, MGFHash: crypto.SHA1, SaltLength: 20}
	context := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).Constructed().ContextSpecific() }
	var field cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&field, &present, context(0)) {
		return nil, bad
	}
	if present {
		var oid asn1.ObjectIdentifier
		var none []byte
		if !readAlgorithm(&field, &oid, &none) || !field.Empty() {
			return nil, bad
		}
		p.Hash = hashByOID(oid)
	}
	if !s.ReadOptionalASN1(&field, &present, context(1)) {
		return nil, bad
	}
	if present {
		var mgf, hash asn1.ObjectIdentifier
		var inner, none []byte
		if !readAlgorithm(&field, &mgf, &inner) || !field.Empty() {
			return nil, bad
		}
		in := cryptobyte.String(inner)
		if mgf.String() != oidMGF1 || !readAlgorithm(&in, &hash, &none) || !in.Empty() {
			return nil, fmt.Errorf("the RSASSA-PSS mask generation function is not MGF1")
		}
		p.MGFHash = hashByOID(hash)
	}
	trailer := 1
	if !s.ReadOptionalASN1Integer(&p.SaltLength, context(2), 20) ||
		!s.ReadOptionalASN1Integer(&trailer, context(3), 1) || !s.Empty() {
		return nil, bad
	}
	if p.SaltLength < 0 || trailer != 1 {
		return nil, fmt.Errorf("unusable RSASSA-PSS salt length %d or trailer field %d", p.SaltLength, trailer)
	}
	return p, nil
}

func hashByOID(oid asn1.ObjectIdentifier) crypto.Hash {
	switch oid.String() {
	case "1.3.14.3.2.26":
		return crypto.SHA1
	case "2.16.840.1.101.3.4.2.1":
		return crypto.SHA256
	case "2.16.840.1.101.3.4.2.2":
		return crypto.SHA384
	case "2.16.840.1.101.3.4.2.3":
		return crypto.SHA512
	}
	return 0
}
