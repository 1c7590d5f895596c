package challenge

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// tlsALPN01 makes a handshake for the protocol "acme-tls/1" and looks at the certificate (RFC 8737, Section 3): it must be
// self-signed for this name alone, with the proof in an extension. Nothing is sent over the connection.
func (p *place) tlsALPN01(ctx context.Context, t Task) *acme.Problem {
	name := t.Identifier.Value
	conn, err := p.dial(ctx, "tcp", net.JoinHostPort(name, strconv.Itoa(p.tlsPort)))
	if err != nil {
		return failed(name, err)
	}
	defer func() { _ = conn.Close() }()
	c, err := tlsnet.Client(conn, &tlsnet.Config{ServerName: acme.TLSALPN01ServerName(t.Identifier), Insecure: true,
		Core: tlscore.Config{ALPN: []string{acme.ALPNProtocol}, InsecureKeyUsage: true}})
	if err != nil {
		return acme.NewProblem(acme.ServerInternal, err.Error())
	}
	if err := c.HandshakeContext(ctx); err != nil {
		return acme.NewProblem(acme.TLS, failed(name, err).Detail)
	}
	if got := c.Facts().ALPN; got != acme.ALPNProtocol {
		return acme.NewProblem(acme.Unauthorized, fmt.Sprintf("the server of %s does not speak %s", name, acme.ALPNProtocol))
	}
	if reason := faultInProof(c.Peer().Leaf, t); reason != "" {
		return acme.NewProblem(acme.IncorrectResponse, fmt.Sprintf("the certificate that %s shows for %s %s", name, acme.ALPNProtocol, reason))
	}
	return nil
}

// faultInProof says what is wrong with the certificate; "" if it is the proof.
func faultInProof(leaf *x509.Certificate, t Task) string {
	if leaf == nil {
		return "cannot be read"
	}
	if !namesOnly(leaf, t.Identifier) {
		return "is not for this name alone"
	}
	seen := make(map[string]bool)
	found := false
	for _, e := range leaf.Extensions {
		id := e.Id.String()
		if seen[id] {
			return "repeats an extension"
		}
		seen[id] = true
		if !e.Id.Equal(acme.ACMEIdentifierOID()) {
			continue
		}
		if !e.Critical {
			return "has the proof in an extension that is not critical"
		}
		found = bytes.Equal(e.Value, acme.ACMEIdentifierValue(t.keyAuthorization()))
		if !found {
			return "has another proof than that of this account"
		}
	}
	if !found {
		return "has no proof (the extension acmeIdentifier)"
	}
	return ""
}

// namesOnly reports a certificate for this name, with no other entry beside it, of whatever kind (RFC 8737, Section 3; RFC
// 8738, Section 6).
func namesOnly(leaf *x509.Certificate, id acme.Identifier) bool {
	if !hasOneName(leaf) {
		return false
	}
	if id.Type == acme.TypeIP {
		a, err := netip.ParseAddr(id.Value)
		return err == nil && len(leaf.DNSNames) == 0 && len(leaf.IPAddresses) == 1 && slices.Equal(leaf.IPAddresses[0].To16(), net.IP(a.AsSlice()).To16())
	}
	return len(leaf.IPAddresses) == 0 && len(leaf.DNSNames) == 1 && strings.EqualFold(leaf.DNSNames[0], id.Value)
}

// hasOneName counts the alternative names as they are sent: crypto/x509 passes over those of kinds that it does not know.
func hasOneName(leaf *x509.Certificate) bool {
	for _, e := range leaf.Extensions {
		if !e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) {
			continue
		}
		var names []asn1.RawValue
		rest, err := asn1.Unmarshal(e.Value, &names)
		return err == nil && len(rest) == 0 && len(names) == 1
	}
	return false
}
