package trace

import (
	"strings"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// codeNamed finds a failure of tlscore by its name.
func codeNamed(name string) (tlscore.Code, bool) {
	for c := tlscore.CodeInternal; c.String() != "unknown"; c++ {
		if c.String() == name {
			return c, true
		}
	}
	return 0, false
}

// sectionOfCode is where the rule stands that a failure is about.
func sectionOfCode(name string) string {
	code, ok := codeNamed(name)
	if !ok {
		return ""
	}
	return (&tlscore.Error{Code: code}).RFC()
}

// offers says what a client offered, for people: "TLS_AES_128_GCM_SHA256, …".
func (d *decoder) offers() (versions, suites, groups, schemes, protocols string) {
	if d.hello == nil {
		return "", "", "", "", ""
	}
	var v wire.SupportedVersions
	versions = d.hello.LegacyVersion.String()
	if ok, err := d.hello.Ext(&v); ok && err == nil {
		versions = list(v.Versions)
	}
	var g wire.SupportedGroups
	if _, err := d.hello.Ext(&g); err == nil {
		groups = list(g.Groups)
	}
	var s wire.SignatureAlgorithms
	if _, err := d.hello.Ext(&s); err == nil {
		schemes = list(s.Schemes)
	}
	var a wire.ALPN
	if _, err := d.hello.Ext(&a); err == nil {
		protocols = pki.Printable(strings.Join(a.Protocols, ", "))
	}
	return versions, list(d.hello.CipherSuites), groups, schemes, shorten(protocols)
}

// list joins names.
func list[T interface{ String() string }](values []T) string {
	const most = 24
	var names []string
	for i, v := range values {
		if i == most {
			names = append(names, "…")
			break
		}
		names = append(names, v.String())
	}
	return strings.Join(names, ", ")
}

// changeForCode says what to change after a failure that one of our machines found.
func (d *decoder) changeForCode(name string) string {
	code, ok := codeNamed(name)
	if !ok {
		return ""
	}
	versions, suites, groups, schemes, protocols := d.offers()
	switch code {
	case tlscore.CodeNotTLS:
		return "connect to a port that speaks TLS from the first byte, or use the STARTTLS of its protocol"
	case tlscore.CodeUnsupportedVersion, tlscore.CodeInappropriateFallback:
		return "allow a version on one side that the other speaks; the client offers " + versions
	case tlscore.CodeNoSharedSuite:
		return "allow a cipher suite on one side that the other has, and that goes with the server's kind of key; the client offers " + suites
	case tlscore.CodeNoSharedGroup:
		return "allow a group on one side that the other has; the client offers " + groups
	case tlscore.CodeNoSharedScheme:
		return "give the server a certificate whose key signs in a way that the client takes; the client offers " + schemes
	case tlscore.CodeNoSharedProtocol:
		return "let both sides name an application protocol in common; the client offers " + protocols
	case tlscore.CodeNoIdentity:
		return "give the server a certificate for the name that the client asks for, or ask for a name it serves"
	case tlscore.CodeCertificateRequired, tlscore.CodeNoCertificate:
		return "present a certificate: the other side will not go on without one"
	case tlscore.CodeBadCertificate, tlscore.CodeUnsupportedKey, tlscore.CodeKeyUsage, tlscore.CodeWrongKeyForSuite:
		return "issue the certificate anew: with a key of a kind that TLS uses (ECDSA P-256, Ed25519, RSA from 2048 bits), allowed to sign"
	case tlscore.CodeCertificateRejected:
		return "see which check of the certificate path failed: send the intermediates, renew what is expired, issue for the right name, or add the root to the trust store of the side that refused"
	case tlscore.CodeBadSignature, tlscore.CodeSigningFailed:
		return "check that the private key belongs to the certificate, and that nothing between the two changes the messages"
	case tlscore.CodeBadFinished, tlscore.CodeBadRecordMAC, tlscore.CodeHelloChanged:
		return "look for what lies between the two and changes bytes (a proxy, an inspecting firewall); if nothing does, one implementation is at fault"
	case tlscore.CodeBadBinder, tlscore.CodeBadResumption, tlscore.CodeBadPSKSelected, tlscore.CodeBadPSKOffer:
		return "forget the stored session and connect anew; servers that share tickets must share their keys, too"
	case tlscore.CodeDowngraded:
		return "find out who changes the offer on the way: both sides speak a later version than was agreed on"
	case tlscore.CodeTooMuchEarlyData:
		return "send less early data than the ticket allows"
	case tlscore.CodePeerClosedEarly:
		return "look into the log of the side that closed: it gave no reason; it may not speak TLS here, or not take this address"
	case tlscore.CodeRenegotiation:
		return "turn renegotiation off at the other side; a client certificate can be asked for in the first handshake"
	case tlscore.CodeAborted:
		return ""
	case tlscore.CodePeerAlert:
		return "look at what its alert says"
	}
	if (&tlscore.Error{Code: code}).Blame() == tlscore.BlamePeer {
		return "the other side does not keep to the RFC; try a newer version of it, and tell its authors"
	}
	return ""
}

// meaningOfAlert says what an alert means (RFC 8446, Section 6.2).
func meaningOfAlert(a wire.AlertCode) string {
	switch a {
	case wire.AlertUnexpectedMessage:
		return "a message came that may not come now"
	case wire.AlertBadRecordMAC, wire.AlertDecryptionFailed:
		return "a record did not authenticate"
	case wire.AlertRecordOverflow:
		return "a record was too long"
	case wire.AlertHandshakeFailure, wire.AlertInsufficientSecurity:
		return "there is nothing in common to agree on"
	case wire.AlertBadCertificate, wire.AlertCertificateUnknown:
		return "the certificate is not acceptable"
	case wire.AlertUnsupportedCertificate:
		return "the certificate is of a kind that is not supported"
	case wire.AlertCertificateRevoked:
		return "the certificate is revoked"
	case wire.AlertCertificateExpired:
		return "the certificate is not valid at this time"
	case wire.AlertIllegalParameter:
		return "a field has a value that it must not have"
	case wire.AlertUnknownCA:
		return "the certificate leads to no trusted root"
	case wire.AlertAccessDenied:
		return "the certificate is good, but not allowed here"
	case wire.AlertDecodeError:
		return "a message could not be read"
	case wire.AlertDecryptError:
		return "a signature or a MAC of the handshake did not hold"
	case wire.AlertProtocolVersion:
		return "there is no protocol version in common"
	case wire.AlertInternalError:
		return "something went wrong that has nothing to do with the other side"
	case wire.AlertInappropriateFallback:
		return "the client fell back to an older version without need"
	case wire.AlertMissingExtension:
		return "an extension is missing that must be there"
	case wire.AlertUnsupportedExtension:
		return "an extension was answered that nobody asked for"
	case wire.AlertUnrecognizedName:
		return "the server serves no such name"
	case wire.AlertBadCertificateStatusResponse:
		return "the OCSP response that came with the certificate is not acceptable"
	case wire.AlertUnknownPSKIdentity:
		return "the pre-shared key is not known"
	case wire.AlertCertificateRequired:
		return "the client has to present a certificate"
	case wire.AlertNoApplicationProtocol:
		return "there is no application protocol in common"
	case wire.AlertECHRequired:
		return "the server could not decrypt the inner ClientHello"
	}
	return "something that this program has no words for"
}

// changeForAlert says what to change after an alert of one side.
func (d *decoder) changeForAlert(a wire.AlertCode, by Side) string {
	other := string(by.Other())
	switch a {
	case wire.AlertHandshakeFailure, wire.AlertInsufficientSecurity:
		_, suites, groups, schemes, _ := d.offers()
		return "compare with what the server allows: the client offers the cipher suites " + suites + "; the groups " + groups + "; the signature schemes " + schemes
	case wire.AlertProtocolVersion:
		return d.changeForCode(tlscore.CodeUnsupportedVersion.String())
	case wire.AlertNoApplicationProtocol:
		return d.changeForCode(tlscore.CodeNoSharedProtocol.String())
	case wire.AlertUnrecognizedName:
		return d.changeForCode(tlscore.CodeNoIdentity.String())
	case wire.AlertCertificateRequired:
		return "configure a certificate and its key at the client"
	case wire.AlertUnknownCA:
		return "add the root of the " + other + "'s certificate to the trust store of the " + string(by) + ", or let the " + other + " send its intermediates, too"
	case wire.AlertCertificateExpired:
		return "renew the certificate of the " + other + ", and compare the clocks of the two"
	case wire.AlertCertificateRevoked:
		return "issue a new certificate to the " + other
	case wire.AlertBadCertificate, wire.AlertCertificateUnknown, wire.AlertUnsupportedCertificate:
		return "check the certificate of the " + other + ": path, dates, name, usage and kind of key; the log of the " + string(by) + " may say which"
	case wire.AlertAccessDenied:
		return "allow this " + other + " at the " + string(by) + ", whose rules refused it"
	case wire.AlertDecryptError:
		return d.changeForCode(tlscore.CodeBadSignature.String())
	case wire.AlertBadRecordMAC:
		return d.changeForCode(tlscore.CodeBadRecordMAC.String())
	case wire.AlertInternalError:
		return "look into the log of the " + string(by)
	case wire.AlertUnknownPSKIdentity:
		return d.changeForCode(tlscore.CodeBadBinder.String())
	case wire.AlertUnexpectedMessage, wire.AlertIllegalParameter, wire.AlertDecodeError, wire.AlertMissingExtension, wire.AlertUnsupportedExtension, wire.AlertRecordOverflow:
		return "one of the two does not keep to the RFC: look at what the " + other + " sent last, and try a newer version of both"
	}
	return "look into the log of the " + string(by)
}
