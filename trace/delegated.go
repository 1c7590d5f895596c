package trace

import (
	"fmt"
	"time"

	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/wire"
)

// delegated is the delegated credential that came with the certificate of a side; nil: there is none that can be read.
func (d *decoder) delegated(side Side) *wire.DelegatedCredential {
	m := d.certificate(side)
	if m == nil {
		return nil
	}
	msg, _ := d.parse(m).(*wire.Certificate)
	if packed, ok := d.parse(m).(*wire.CompressedCertificate); ok && packed != nil {
		msg = new(wire.Certificate)
		if plain := unpacked(m.Raw); plain == nil || msg.Parse(plain) != nil {
			return nil
		}
	}
	if msg == nil || len(msg.Entries) == 0 {
		return nil
	}
	var dc wire.DelegatedCredential
	if present, err := msg.Entries[0].Ext(&dc); !present || err != nil {
		return nil
	}
	return &dc
}

// delegation verifies the delegated credential of a side.
func (d *decoder) delegation(side Side, dc *wire.DelegatedCredential, certificate []byte) (*verify.Delegation, error) {
	if err := verify.MayDelegate(certificate); err != nil {
		return nil, err
	}
	leaf, err := d.leafKey(side, certificate)
	if err != nil {
		return nil, err
	}
	is, err := verify.Delegated(signerOf(side), certificate, leaf, dc)
	if at := d.at(); err == nil && !at.IsZero() {
		err = is.In(at)
	}
	return is, err
}

// checkDelegated says whether the certificate of a side vouches for the key that signs in its place.
func (d *decoder) checkDelegated(side Side) {
	dc, chain := d.delegated(side), d.chain(side)
	if dc == nil || len(chain) == 0 {
		return
	}
	c := Check{
		Name: string(side) + " delegated credential", Message: d.certificate(side).ID, Section: "RFC 9345, Section 4.1.3",
		Expected: Hex(verify.DelegatedInput(signerOf(side), chain[0], dc)), Got: Hex(dc.Signature),
	}
	is, err := d.delegation(side, dc, chain[0])
	if err != nil {
		c.Text = fmt.Sprintf("the certificate does not vouch for the key that signs in its place: %v", err)
	} else {
		c.Text = fmt.Sprintf("the certificate's key has signed, with %v, the key that signs in its place until %s", dc.Algorithm, is.Until.UTC().Format(time.RFC3339))
	}
	d.holds(c, err == nil)
}

// signingKey is the key that signs the handshake for a side: its certificate's, or that of a delegated credential.
func (d *decoder) signingKey(side Side, certificate []byte) (verify.LeafKey, error) {
	dc := d.delegated(side)
	if dc == nil {
		return d.leafKey(side, certificate)
	}
	is, err := d.delegation(side, dc, certificate)
	if err != nil {
		return verify.LeafKey{}, err
	}
	return is.Key, nil
}

func signerOf(side Side) verify.Signer {
	if side == Client {
		return verify.ClientSigner
	}
	return verify.ServerSigner
}

// delegatedMeaning is about the fields of a delegated credential.
func delegatedMeaning(key string) (meaning, section string) {
	switch key {
	case "delegated_credential.supported_signature_algorithms":
		return "A kind of signature that a delegated credential may make.", "RFC 9345, Section 4.1.1"
	case "delegated_credential.cred.valid_time":
		return "When the credential is over, in seconds from the notBefore of the certificate.", "RFC 9345, Section 4"
	case "delegated_credential.cred.dc_cert_verify_algorithm":
		return "What the credential's key signs the handshake with.", "RFC 9345, Section 4"
	case "delegated_credential.cred.ASN1_subjectPublicKeyInfo":
		return "The key that signs the handshake in the place of the certificate's.", "RFC 9345, Section 4"
	case "delegated_credential.algorithm":
		return "What the certificate's key signed the credential with.", "RFC 9345, Section 4"
	case "delegated_credential.signature":
		return "By the certificate's key, over the certificate and the credential.", "RFC 9345, Section 4"
	}
	return "", ""
}
