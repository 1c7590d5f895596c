package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/tlswright/tlswright/internal/starttls"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// connectionFailure puts the error of a connection to target into words, and into one of the kinds that scripts tell
// apart: the peer was not trusted, TLS failed, refused, timed out, no address, another trouble of the network.
func connectionFailure(target string, err error) *failure {
	f := explainConnection(err)
	f.err = err
	f.text = target + ": " + f.text
	return f
}

func explainConnection(err error) *failure {
	var own *failure
	var trust *pki.VerifyError
	var tls *tlscore.Error
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	var plain *starttls.Error
	if f := explainNoECH(err); f != nil {
		return f
	}
	switch {
	case errors.As(err, &own):
		return &failure{kind: own.kind, text: own.text, hint: own.hint}
	case errors.As(err, &trust):
		return &failure{kind: kindTrust, text: trust.Text, hint: trust.Hint, err: err}
	case errors.As(err, &plain):
		return explainUpgrade(plain)
	case errors.As(err, &dns):
		return explainDNS(dns)
	case errors.Is(err, context.Canceled):
		return &failure{kind: kindInterrupted, text: "interrupted"}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return &failure{kind: kindTimeout, text: "timed out: no answer in time",
			hint: "is a firewall in the way? a slow server may need a longer --timeout"}
	case errors.As(err, &tls):
		return explainTLS(tls)
	case errors.Is(err, syscall.ECONNREFUSED):
		return &failure{kind: kindRefused, text: "connection refused: nothing listens on this port",
			hint: "is the server running, and is this its port?"}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return &failure{kind: kindNetwork, text: "there is no route to this address"}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return &failure{kind: kindTLS, text: "the peer broke the connection off without a word of TLS",
			hint: "does this port speak TLS?"}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &failure{kind: kindTLS, text: "the peer closed the connection without a word of TLS",
			hint: "does this port speak TLS?"}
	}
	return &failure{kind: kindNetwork, text: pki.Printable(err.Error())}
}

// explainUpgrade says why a server did not go over to TLS.
func explainUpgrade(err *starttls.Error) *failure {
	f := &failure{kind: kindTLS, text: pki.Printable(err.Error())}
	switch err.Kind {
	case starttls.Malformed, starttls.TooLong:
		f.hint = "does this port speak " + err.Protocol.String() + "?"
	case starttls.NotOffered:
		f.hint = "nothing was sent in plain text; has the server a port for TLS alone?"
	case starttls.Injected:
		f.hint = "somebody between here and the server may be tampering; the connection was given up"
	case starttls.Broken:
		f = explainConnection(err.Err)
		f.text = fmt.Sprintf("%v, before TLS: %s", err.Protocol, f.text)
		f.hint = "does this port speak " + err.Protocol.String() + "?"
	}
	return f
}

func explainDNS(err *net.DNSError) *failure {
	f := &failure{kind: kindDNS, text: fmt.Sprintf("the name %s has no address", pki.Printable(err.Name)), hint: "is it spelled right?"}
	if !err.IsNotFound {
		f.text = fmt.Sprintf("the name %s could not be looked up: %s", pki.Printable(err.Name), pki.Printable(err.Err))
		f.hint = "does name resolution work on this machine?"
	}
	return f
}

// explainTLS says what a failed handshake means to the one who made the connection.
func explainTLS(err *tlscore.Error) *failure {
	f := &failure{kind: kindTLS}
	switch err.Code {
	case tlscore.CodePeerAlert:
		alert, _ := err.Alert()
		f.text, f.hint = explainAlert(alert)
	case tlscore.CodeNotTLS:
		f.text, f.hint = "what answers here is not TLS", "does this port speak TLS from the first byte?"
	case tlscore.CodeUnsupportedVersion:
		f.text = "no version in common: " + pki.Printable(err.Detail)
		f.hint = "TLS 1.2 and TLS 1.3 are spoken here, as far as --min and --max allow; older versions are prohibited (RFC 8996)"
	case tlscore.CodeECHRejected:
		return explainECH(err)
	case tlscore.CodePeerClosedEarly:
		f.text, f.hint = "the peer closed the connection during the handshake", "does this port speak TLS? its own log may tell the reason"
	default:
		f.text = pki.Printable(strings.TrimPrefix(err.Error(), "tls: "))
	}
	return f
}

// explainAlert says in words why the peer refused us, and what may help. The alerts are those of RFC 8446, Section 6.2.
func explainAlert(a wire.AlertCode) (text, hint string) {
	switch a {
	case wire.AlertHandshakeFailure, wire.AlertInsufficientSecurity:
		text, hint = "nothing in common to agree on", "is it older than TLS 1.2? otherwise drop --ciphers and --groups"
	case wire.AlertProtocolVersion:
		text, hint = "it speaks none of the versions that were offered", "TLS 1.2 and TLS 1.3 are spoken here; connect --max 1.1 shows what it says to an old client"
	case wire.AlertCertificateRequired:
		text, hint = "it wants a client certificate", "present one with --cert FILE --key FILE"
	case wire.AlertUnknownCA:
		text, hint = "it does not trust the CA of the certificate it was shown", "does it have the right CA file?"
	case wire.AlertBadCertificate, wire.AlertUnsupportedCertificate, wire.AlertCertificateUnknown:
		text, hint = "it does not accept the certificate it was shown", "its own log may tell the reason"
	case wire.AlertCertificateExpired:
		text, hint = "the certificate it was shown is not valid at this time", "renew the certificate"
	case wire.AlertCertificateRevoked:
		text = "the certificate it was shown is revoked"
	case wire.AlertAccessDenied:
		text, hint = "the certificate is valid, but not allowed here", "ask the operator for access"
	case wire.AlertNoApplicationProtocol:
		text, hint = "it speaks none of the application protocols", "name one it speaks with --alpn"
	case wire.AlertUnrecognizedName:
		text, hint = "it serves no host of this name", "name one it serves with --servername"
	case wire.AlertDecryptError:
		text = "a signature or MAC did not verify on its side"
	default:
		return "the peer ended the connection with the alert " + a.String(), ""
	}
	return "the peer refused: " + text + " (alert " + a.String() + ")", hint
}
