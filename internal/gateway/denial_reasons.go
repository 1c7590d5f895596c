package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/tlswright/tlswright/internal/access"
	"github.com/tlswright/tlswright/internal/revoked"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// The reasons of refusals, as stable words. Those of rules are package access's: no-certificate, no-rule, denied.
const (
	reasonUnknownCA     = "unknown-ca"
	reasonExpired       = "expired"
	reasonNotYetValid   = "not-yet-valid"
	reasonUsage         = "wrong-usage"
	reasonConstraint    = "constraint"
	reasonMalformedCert = "malformed-certificate"
	reasonSignature     = "bad-signature"
	reasonTooLarge      = "chain-too-large"
	reasonRevoked       = "revoked"
	reasonStatus        = "status-unknown"
	reasonKey           = "unsupported-key"
	reasonProof         = "no-proof-of-key"

	reasonUnknownName = "unknown-name"
	reasonNoName      = "no-name"
	reasonPending     = "no-certificate-yet"
	reasonChallenge   = "unexpected-challenge"
	reasonNotTLS      = "not-tls"
	reasonVersion     = "old-version"
	reasonNothing     = "nothing-in-common"
	reasonProtocol    = "no-shared-protocol"
	reasonBroken      = "broken-handshake"
	reasonByClient    = "refused-by-client"
	reasonOurs        = "our-key"

	reasonMisdirected   = "misdirected"
	reasonAmbiguousPath = "ambiguous-path"
	reasonMalformed     = "malformed-request"
)

// Reasons lists the reasons of refusals with what each usually takes to put right.
func Reasons() map[string]string {
	return map[string]string{
		string(access.NoCertificate): "give the client a certificate of one of the site's CAs, and its key: curl --cert FILE --key FILE; many clients send none if theirs is of another CA",
		string(access.NoRule):        "add a rule that fits this client, or give the client a certificate that fits a rule; `tlswright gateway check` shows what would happen",
		string(access.Denied):        "if it should be let in, narrow the rule that denies it",

		reasonUnknownCA:     "let the CA that issued the certificate issue one that the site trusts, or add that CA's root to the site's clients.ca; a missing intermediate must be sent by the client",
		reasonExpired:       "renew the client's certificate; if its dates look right, compare the clocks",
		reasonNotYetValid:   "wait until the certificate's first day, or set the clock that is wrong",
		reasonUsage:         "issue the client a certificate for client authentication (extended key usage clientAuth): this one is for something else",
		reasonConstraint:    "the CA may not issue such a certificate: have it issued by another, or with names that its constraints allow",
		reasonMalformedCert: "issue a new certificate: this one cannot be read",
		reasonSignature:     "issue a new certificate: a signature in this chain is wrong",
		reasonTooLarge:      "send the leaf and its intermediates only, without other certificates",
		reasonRevoked:       "issue the client a new certificate with a new key; this one is never valid again",
		reasonStatus:        "make the CA's CRL or OCSP responder reachable, name a current CRL under clients.crl, or set clients.revocation to soft",
		reasonKey:           "issue a certificate with an ECDSA P-256 key or an RSA key of 2048 bits or more",
		reasonProof:         "the client did not prove that it has the certificate's key: check that certificate and key belong together",

		reasonUnknownName: "add the name to a site's hosts, or a site without hosts for all names; if the client asks for the wrong name, correct its URL or SNI",
		reasonNoName:      "have the client send the server's name (SNI), or add a site without hosts for those who send none",
		reasonPending:     "wait for the CA, and look into the log for what keeps the certificate",
		reasonChallenge:   "nothing, unless a certificate is being ordered: then the order is made elsewhere than here",
		reasonNotTLS:      "speak TLS on this port: https:// instead of http://",
		reasonVersion:     "the client must speak TLS 1.2 or 1.3; a site with profile modern takes TLS 1.3 only",
		reasonNothing:     "update the client, or choose the profile old-but-sound",
		reasonProtocol:    "the client offers no application protocol (ALPN) that is spoken here: h2 and http/1.1 for https",
		reasonBroken:      "what the client sent is not right TLS: look for a broken middlebox, or record the handshake: tlswright serve --trace",
		reasonByClient:    "the client does not trust the certificate of the site: it needs the root of the CA, or the certificate does not fit the name",
		reasonOurs:        "look at the key of the site: it could not sign",

		reasonMisdirected:   "nothing, if the client asks again on a connection of its own, as browsers do; else use one connection for each host name",
		reasonAmbiguousPath: "ask for the path without encoded slashes, dots, double slashes or semicolons",
		reasonMalformed:     "correct the client: such requests mean different things to different programs, and are a way to get past rules",
	}
}

func fixOf(reason string) string { return Reasons()[reason] }

// handshakeFailed tells why a handshake failed, if we refused the client or it refused us.
func (l *listener) handshakeFailed(tc *tlsnet.Conn, err error) {
	c := connOf(tc)
	l.g.metrics.handshakeFailed(l, err)
	d := &Denial{ID: newID(), Time: l.g.o.Now().UTC(), Listener: l.name, Layer: "tls", Remote: c.who()}
	if !d.explain(err) {
		return
	}
	if dr, ok := tc.Tag().(*door); ok {
		d.Site = dr.site.name
	}
	f := tc.Facts()
	if d.ServerName == "" {
		d.ServerName = clip(pki.Printable(f.ServerName), 256)
	}
	d.Resumed = f.Resumed
	if d.Cert == nil {
		d.Cert = certificateOf(tc.Peer().Leaf)
	}
	l.g.deny(d)
}

// explain finds the words for an error. It reports false for what is no refusal: clients that went away, time that ran
// out, our own end.
func (d *Denial) explain(err error) bool {
	var refusal *tlsnet.RefusalError
	var te *tlscore.Error
	if errors.As(err, &refusal) {
		d.Alert = refusal.Alert.String()
	} else if errors.As(err, &te) {
		if a, ok := te.Alert(); ok {
			d.Alert = a.String()
		}
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, tlsnet.ErrHandshakeTimeout):
		return false
	case d.explainOwn(err), d.explainCheck(err), d.explainChain(err):
	case te != nil:
		if !d.explainTLS(te) {
			return false
		}
	default:
		var ne net.Error
		if errors.As(err, &ne) || !strings.HasPrefix(err.Error(), "tls") {
			return false // the network
		}
		d.Reason, d.Text = reasonBroken, pki.Printable(err.Error())
	}
	if d.Fix == "" {
		d.Fix = fixOf(d.Reason)
	}
	return true
}

// explainOwn explains what the gateway decided by itself.
func (d *Denial) explainOwn(err error) bool {
	var name *nameError
	var pending *pendingError
	var challenge *challengeError
	var policy *policyError
	switch {
	case errors.As(err, &name):
		d.Reason, d.Text, d.ServerName, d.Alert = reasonUnknownName, name.Error(), clip(name.name, 256), wire.AlertUnrecognizedName.String()
		if name.name == "" {
			d.Reason = reasonNoName
		}
		if name.served != "" {
			d.Nearest = "served here: " + clip(pki.Printable(name.served), 512)
		}
	case errors.As(err, &pending):
		d.Reason, d.Text, d.Site = reasonPending, pending.Error(), pending.site
	case errors.As(err, &challenge):
		d.Reason, d.Text = reasonChallenge, challenge.Error()
	case errors.As(err, &policy):
		d.decided(policy.decision)
		d.Site = policy.site
		if d.Alert == "" {
			d.Alert = wire.AlertAccessDenied.String()
		}
	default:
		return false
	}
	return true
}

// explainChain explains what was wrong with the client's chain.
func (d *Denial) explainChain(err error) bool {
	var gone *revoked.Error
	var v *pki.VerifyError
	switch {
	case errors.As(err, &gone):
		v = &gone.VerifyError
		d.Rule = "clients.revocation"
	case errors.As(err, &v):
		d.Rule = "clients.ca"
	default:
		return false
	}
	d.Reason, d.Text = reasonOfChain(v.Reason), v.Text
	d.Fix = fixOf(d.Reason)
	if d.Alert == "" {
		d.Alert = alertOfChain(v.Reason).String()
	}
	if v.Depth > 0 && v.Certificate != nil {
		d.Text += " (" + v.Subject + ")"
	}
	return true
}

// alertOfChain is the alert that tlsnet sends for a reason.
func alertOfChain(r pki.Reason) wire.AlertCode {
	switch r {
	case pki.ReasonUnknownAuthority:
		return wire.AlertUnknownCA
	case pki.ReasonExpired, pki.ReasonNotYetValid:
		return wire.AlertCertificateExpired
	case pki.ReasonRevoked:
		return wire.AlertCertificateRevoked
	case pki.ReasonMalformed, pki.ReasonSignature, pki.ReasonUsage, pki.ReasonConstraint, pki.ReasonLimit:
		return wire.AlertBadCertificate
	}
	return wire.AlertCertificateUnknown
}

func reasonOfChain(r pki.Reason) string {
	switch r {
	case pki.ReasonUnknownAuthority:
		return reasonUnknownCA
	case pki.ReasonExpired:
		return reasonExpired
	case pki.ReasonNotYetValid:
		return reasonNotYetValid
	case pki.ReasonUsage:
		return reasonUsage
	case pki.ReasonConstraint, pki.ReasonNameMismatch:
		return reasonConstraint
	case pki.ReasonSignature:
		return reasonSignature
	case pki.ReasonLimit:
		return reasonTooLarge
	case pki.ReasonRevoked:
		return reasonRevoked
	case pki.ReasonStatus, pki.ReasonStaple:
		return reasonStatus
	}
	return reasonMalformedCert
}

// explainTLS explains a failure of the protocol.
func (d *Denial) explainTLS(e *tlscore.Error) bool {
	d.Text = pki.Printable(strings.TrimPrefix(e.Error(), "tls: "))
	switch e.Code {
	case tlscore.CodePeerClosedEarly, tlscore.CodeAborted:
		return false
	case tlscore.CodePeerAlert:
		a, _ := e.Alert()
		if a == wire.AlertCloseNotify || a == wire.AlertUserCanceled {
			return false
		}
		d.Reason, d.Text = reasonByClient, fmt.Sprintf("the client ended the handshake with the alert %v", a)
		switch a {
		case wire.AlertUnknownCA:
			d.Text = "the client does not know the CA of the site's certificate"
		case wire.AlertCertificateExpired:
			d.Text = "the client says that the site's certificate has expired"
		case wire.AlertBadCertificate, wire.AlertCertificateUnknown:
			d.Text = fmt.Sprintf("the client does not accept the site's certificate (alert %v)", a)
		}
	case tlscore.CodeCertificateRequired:
		d.Reason, d.Text, d.Rule = string(access.NoCertificate), "the client sent no certificate, and the site lets nobody in without one", "clients.mode: require"
	case tlscore.CodeNotTLS, tlscore.CodeRecordVersion:
		d.Reason, d.Text = reasonNotTLS, "what the client sent is not TLS"
	case tlscore.CodeUnsupportedVersion, tlscore.CodeInappropriateFallback:
		d.Reason = reasonVersion
	case tlscore.CodeNoSharedSuite, tlscore.CodeNoSharedGroup, tlscore.CodeNoSharedScheme:
		d.Reason = reasonNothing
	case tlscore.CodeNoSharedProtocol:
		d.Reason = reasonProtocol
	case tlscore.CodeNoIdentity:
		d.Reason = reasonUnknownName
	case tlscore.CodeBadCertificate:
		d.Reason = reasonMalformedCert
	case tlscore.CodeUnsupportedKey, tlscore.CodeKeyUsage:
		d.Reason = reasonKey
	case tlscore.CodeBadSignature, tlscore.CodeBadSchemeUsed:
		d.Reason = reasonProof
	case tlscore.CodeSigningFailed:
		d.Reason = reasonOurs
	default:
		d.Reason = reasonBroken
	}
	return true
}

// denyRevoked begins the refusal of somebody whose certificate was revoked while the connection was open.
func (g *Gateway) denyRevoked(q *request, why error) *Denial {
	d := q.denial(reasonRevoked, "")
	d.explain(why)
	d.Status = http.StatusForbidden
	return d
}
