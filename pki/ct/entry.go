package ct

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Entry is what a log has put down: a certificate, or a precertificate in the form
// in which both issuer and client can compute it (RFC 6962, Section 3.2).
type Entry struct {
	Precertificate bool
	IssuerKeyHash  [32]byte // of a precertificate: SHA-256 of the issuer's SubjectPublicKeyInfo
	Data           []byte   // the certificate, or the TBSCertificate of the precertificate; DER
}

// EntryOf computes what timestamps from a source are about. The issuer is needed
// for embedded ones only. A precertificate gives the entry of the certificate to
// come, whoever has signed it.
func EntryOf(leaf, issuer *x509.Certificate, source Source) (Entry, error) {
	if leaf == nil {
		return Entry{}, errors.New("no certificate")
	}
	if source != Embedded && !IsPrecertificate(leaf) {
		return Entry{Data: leaf.Raw}, nil
	}
	if issuer == nil {
		return Entry{}, errors.New("the issuer's certificate is needed: a log signs the hash of its key")
	}
	if !bytes.Equal(leaf.RawIssuer, issuer.RawSubject) {
		return Entry{}, errors.New("the second certificate is not the issuer of the first")
	}
	tbs, err := precertificateTBS(leaf.RawTBSCertificate)
	if err != nil {
		return Entry{}, err
	}
	return Entry{Precertificate: true, IssuerKeyHash: sha256.Sum256(issuer.RawSubjectPublicKeyInfo), Data: tbs}, nil
}

// precertificateTBS leaves the timestamps and the poison out of a TBSCertificate;
// all else stays byte for byte.
func precertificateTBS(der []byte) ([]byte, error) {
	broken := errors.New("the certificate cannot be taken apart")
	in, tbs := cryptobyte.String(der), cryptobyte.String(nil)
	if !in.ReadASN1(&tbs, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, broken
	}
	extensionsTag := cbasn1.Tag(3).ContextSpecific().Constructed()
	var kept, extensions []byte
	for !tbs.Empty() {
		var element cryptobyte.String
		var tag cbasn1.Tag
		if !tbs.ReadAnyASN1Element(&element, &tag) {
			return nil, broken
		}
		if tag != extensionsTag {
			kept = append(kept, element...)
			continue
		}
		var explicit, list cryptobyte.String
		if !element.ReadASN1(&explicit, extensionsTag) || !explicit.ReadASN1(&list, cbasn1.SEQUENCE) || !explicit.Empty() || !tbs.Empty() {
			return nil, broken
		}
		for !list.Empty() {
			var extension, inner cryptobyte.String
			var oid asn1.ObjectIdentifier
			if !list.ReadASN1Element(&extension, cbasn1.SEQUENCE) {
				return nil, broken
			}
			whole := extension
			if !extension.ReadASN1(&inner, cbasn1.SEQUENCE) || !inner.ReadASN1ObjectIdentifier(&oid) {
				return nil, broken
			}
			if !oid.Equal(oidSCTList()) && !oid.Equal(oidPoison()) {
				extensions = append(extensions, whole...)
			}
		}
	}
	var out cryptobyte.Builder
	out.AddASN1(cbasn1.SEQUENCE, func(out *cryptobyte.Builder) {
		out.AddBytes(kept)
		if len(extensions) > 0 {
			out.AddASN1(extensionsTag, func(out *cryptobyte.Builder) {
				out.AddASN1(cbasn1.SEQUENCE, func(out *cryptobyte.Builder) { out.AddBytes(extensions) })
			})
		}
	})
	return out.Bytes()
}

// timestamped writes what signature and Merkle leaf have in common: timestamp,
// entry and extensions (RFC 6962, Sections 3.2 and 3.4).
func (e Entry) timestamped(b *cryptobyte.Builder, s SCT) {
	b.AddUint64(s.Timestamp)
	if e.Precertificate {
		b.AddUint16(1)
		b.AddBytes(e.IssuerKeyHash[:])
	} else {
		b.AddUint16(0)
	}
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(e.Data) })
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(s.Extensions) })
}

// signedData is what the log signs.
func (e Entry) signedData(s SCT) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddUint8(0) // version 1
	b.AddUint8(0) // certificate_timestamp
	e.timestamped(&b, s)
	return b.Bytes()
}

// LeafHash is the hash of the log's leaf for this entry, which an inclusion proof
// begins with (RFC 6962, Sections 2.1 and 3.4).
func (e Entry) LeafHash(s SCT) ([32]byte, error) {
	var b cryptobyte.Builder
	b.AddUint8(0) // what is hashed is a leaf
	b.AddUint8(0) // version 1
	b.AddUint8(0) // timestamped_entry
	e.timestamped(&b, s)
	leaf, err := b.Bytes()
	if err != nil {
		return [32]byte{}, err
	}
	return sha256.Sum256(leaf), nil
}
