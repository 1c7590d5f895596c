package cli

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/tlswright/tlswright/internal/ciphers"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// numberedName is a value of a TLS registry in --json.
type numberedName struct {
	Name string `json:"name"`
	ID   string `json:"id"` // "0x1301"
}

type suiteReport struct {
	numberedName
	Bits int `json:"bits"`
}

type groupReport struct {
	numberedName
	PostQuantum bool `json:"post_quantum"`
}

// handshakeReport is what a handshake settled, in --json of every command that reports a connection.
type handshakeReport struct {
	Version        string        `json:"version"`
	CipherSuite    suiteReport   `json:"cipher_suite"`
	Group          groupReport   `json:"group"`
	ForwardSecrecy bool          `json:"forward_secrecy"`
	Compression    string        `json:"compression"`
	Signature      string        `json:"signature_scheme"` // of the server
	ALPN           string        `json:"alpn"`
	ServerName     string        `json:"sni"` // as sent in the ClientHello
	HelloRetry     bool          `json:"hello_retry"`
	Resumed        bool          `json:"resumed"`
	RawKey         string        `json:"raw_public_key,omitempty"`               // pin of the one that the peer shows
	PSK            string        `json:"psk,omitempty"`                          // identity of the external pre-shared key
	CertCompressed string        `json:"peer_certificates_compressed,omitempty"` // with what
	EarlyData      string        `json:"early_data"`                             // none, accepted or rejected
	RecordLimits   *recordLimits `json:"record_limits,omitempty"`

	ECH    *echReport    `json:"ech,omitempty"`
	Late   *lateReport   `json:"post_handshake_auth,omitempty"`
	Kernel *kernelReport `json:"kernel_tls,omitempty"`
	// Delegated credentials (RFC 9345), where they were used:
	PeerDelegation *delegationJSON `json:"peer_delegated_credential,omitempty"`
	OwnDelegation  *delegationJSON `json:"own_delegated_credential,omitempty"`
	// In TLS 1.2 only:
	ExtendedMasterSecret *bool        `json:"extended_master_secret,omitempty"`
	SecureRenegotiation  *bool        `json:"secure_renegotiation,omitempty"`
	PeerChain            []certReport `json:"peer_certificates"` // as sent, leaf first
}

// newHandshakeReport turns facts into words. We never compress, and every key exchange that we speak is ephemeral; a
// handshake that got as far as a group therefore has forward secrecy.
func newHandshakeReport(f tlscore.Facts, now time.Time) handshakeReport {
	r := handshakeReport{
		Version:        f.Version.String(),
		CipherSuite:    suiteReport{numberedName: numberedName{f.CipherSuite.String(), id(f.CipherSuite)}},
		Group:          groupReport{numberedName: numberedName{f.Group.String(), id(f.Group)}},
		ForwardSecrecy: f.Group != 0,
		Compression:    "none",
		ALPN:           f.ALPN,
		ServerName:     f.ServerName,
		HelloRetry:     f.HelloRetried,
		Resumed:        f.Resumed,
		PSK:            pki.Printable(string(f.PSKIdentity)),
		EarlyData:      f.EarlyData.String(),
		PeerChain:      []certReport{},
		PeerDelegation: newDelegationJSON(f.PeerDelegation),
		OwnDelegation:  newDelegationJSON(f.OwnDelegation),
	}
	r.RecordLimits = newRecordLimits(f)
	r.ECH = newECHReport(f.ECH, nil)
	r.RecordLimits, r.Late = newRecordLimits(f), newLateReport(f)
	if f.PeerCompression != 0 {
		r.CertCompressed = f.PeerCompression.String()
	}
	if p, ok := ciphers.Apart(f.CipherSuite); ok {
		r.CipherSuite.Bits = p.Bits
		r.ForwardSecrecy = r.ForwardSecrecy || f.Resumed && p.HasForwardSecrecy
	}
	if f.Version == wire.VersionTLS12 {
		r.ExtendedMasterSecret, r.SecureRenegotiation = &f.ExtendedMasterSecret, &f.SecureRenegotiation
	}
	if g := suite.GroupByID(f.Group); g != nil {
		r.Group.PostQuantum = g.PostQuantum
	}
	if s := serverScheme(f); s != 0 {
		r.Signature = s.String()
	}
	if f.PeerType == wire.CertificateTypeRawPublicKey && len(f.PeerChain) == 1 {
		r.RawKey = pki.Pin{Kind: pki.PinKindSPKI, SHA256: sha256.Sum256(f.PeerChain[0])}.String()
	}
	for _, c := range parseChain(f.PeerChain) {
		r.PeerChain = append(r.PeerChain, newCertReport(c, now))
	}
	return r
}

// serverScheme is the signature scheme by which the server proved who it is, seen from either end; 0: not yet.
func serverScheme(f tlscore.Facts) wire.SignatureScheme {
	if f.Role == tlscore.RoleServer {
		return f.OwnScheme
	}
	return f.PeerScheme
}

func id[T ~uint16](v T) string { return fmt.Sprintf("0x%04x", uint16(v)) }

// parseChain reads the certificates of a peer as far as they can be read.
func parseChain(chain [][]byte) []*x509.Certificate {
	var certs []*x509.Certificate
	for _, der := range chain {
		c, err := cert.ParseX509(der)
		if err != nil {
			break
		}
		certs = append(certs, c)
	}
	return certs
}

// negotiatedRows are the lines of a report that say what was negotiated. They are short on purpose: what cannot be
// otherwise with a version is left out.
func negotiatedRows(f tlscore.Facts) []row {
	var rows []row
	if f.Version == 0 {
		return nil
	}
	rows = append(rows, row{label: "version", value: f.Version.String()})
	suiteText := f.CipherSuite.String()
	if p, ok := ciphers.Apart(f.CipherSuite); ok {
		suiteText += fmt.Sprintf(", %d bits", p.Bits)
	}
	rows = append(rows, row{label: "cipher suite", value: suiteText})
	if f.Group != 0 {
		kx := f.Group.String() + ", forward secrecy"
		if g := suite.GroupByID(f.Group); g != nil && g.Hybrid {
			kx += ", post-quantum hybrid"
		} else if g != nil && g.PostQuantum {
			kx += ", post-quantum"
		}
		if f.HelloRetried {
			kx += ", after HelloRetryRequest"
		}
		rows = append(rows, row{label: "key exchange", value: kx})
	} else if f.Resumed {
		rows = append(rows, row{label: "key exchange", value: "none of its own: that of the session that is resumed"})
	}
	if f.Group == 0 && f.PSKIdentity != nil && !f.Resumed {
		rows = append(rows, row{label: "key exchange", value: "none: whoever gets the pre-shared key reads this connection", style: caution})
	}
	if f.PSKIdentity != nil {
		rows = append(rows, row{label: "PSK", value: pki.Printable(string(f.PSKIdentity)) + ", in the place of certificates"})
	}
	rows = append(rows, echRows(f)...)
	rows = append(rows, row{label: "compression", value: "none"})
	if f.Version == wire.VersionTLS12 {
		rows = append(rows, tls12Rows(f)...)
	}
	rows = append(rows, compressionRows(f)...)
	rows = append(rows, delegatedRows(f)...)
	rows = append(rows, recordSizeRows(f)...)
	if s := serverScheme(f); s != 0 {
		rows = append(rows, row{label: "signature", value: s.String()})
	}
	alpn := "none"
	if f.ALPN != "" {
		alpn = pki.Printable(f.ALPN)
	}
	return append(rows, row{label: "ALPN", value: alpn})
}

// tls12Rows are the two repairs of TLS 1.2 that TLS 1.3 needs no more: without the first a man in the middle can join two
// sessions (RFC 7627), without the second he can put his words in front of ours (RFC 5746).
func tls12Rows(f tlscore.Facts) []row {
	secret := row{label: "master secret", value: "extended: bound to this handshake"}
	if !f.ExtendedMasterSecret {
		secret = row{label: "master secret", value: "not extended: the peer lacks RFC 7627", style: caution}
	}
	renegotiation := row{label: "renegotiation", value: "refused by us; the peer indicates RFC 5746"}
	if !f.SecureRenegotiation {
		renegotiation = row{label: "renegotiation", value: "refused by us; the peer does not indicate RFC 5746", style: caution}
	}
	return []row{secret, renegotiation}
}

// certificateRows are the lines of a report about a leaf.
func certificateRows(leaf *x509.Certificate, now time.Time) []row {
	rows := []row{{label: "subject", value: pki.Name(leaf.Subject)}}
	if rows[0].value == "" {
		rows[0].value = "(empty)"
	}
	if names := namesOf(leaf); len(names) > 0 {
		for i, name := range names {
			names[i] = withUnicode(name)
		}
		rows = append(rows, row{label: "names", value: listShort(names, 60)})
	}
	return append(rows,
		row{label: "issuer", value: pki.Name(leaf.Issuer)},
		row{label: "valid", value: dateOf(leaf.NotBefore) + " to " + dateOf(leaf.NotAfter) + ", " + lifeLeft(leaf, now), style: lifeStyle(leaf, now)},
		row{label: "key", value: pki.DescribeKey(leaf.PublicKey)},
	)
}

// summary is the facts of a connection in one line.
func summary(f tlscore.Facts) string {
	text := f.Version.String() + ", " + f.CipherSuite.String()
	if f.Group != 0 {
		text += ", " + f.Group.String()
	}
	if f.ALPN != "" {
		text += ", ALPN " + pki.Printable(f.ALPN)
	}
	if f.ECH.Status == tlscore.ECHAccepted {
		text += ", ECH"
	}
	return text
}
