package grade

import (
	"slices"
	"strings"
)

// scopeRules say what the judgement covers and what it does not.
var scopeRules = []rule{
	{id: "unreachable", severity: Info, title: "There is nothing to judge", reference: []string{ourRule},
		fix: "Check name, port and STARTTLS protocol, and that a firewall lets you through.", check: checkUnreachable},
	{id: "starttls-scope", severity: Info, title: "STARTTLS: encryption by agreement", reference: []string{"RFC 3207, Section 6", "RFC 8461, Section 1", "RFC 7672, Section 1"},
		fix: "For mail, publish TLSA records or an MTA-STS policy, so that senders insist on TLS.", check: checkStartTLS},
	{id: "client-auth", severity: Info, title: "The server asks for a client certificate", reference: []string{"RFC 8446, Section 4.3.2"},
		check: checkClientAuth},
	{id: "incomplete", severity: Info, title: "Some questions have no answer", reference: []string{ourRule},
		fix: "Scan again, more slowly (--rate, --concurrency): the grade is the best it can be, not what it must be.", check: checkIncompleteScan},
}

func checkUnreachable(s *subject) *hit {
	if s.judgeable() {
		return nil
	}
	return fired("No version of TLS is known to be offered.", orElse(s.f.Unreachable, "no version was accepted"))
}

// opportunistic are the protocols whose clients, other servers mostly, take any certificate unless told otherwise.
var opportunistic = [...]string{"smtp", "lmtp", "xmpp-server"}

func checkStartTLS(s *subject) *hit {
	if s.f.StartTLS == "" {
		return nil
	}
	if !slices.Contains(opportunistic[:], strings.ToLower(s.f.StartTLS)) {
		return fired("The grade is for the TLS after the upgrade. A client has to insist on the upgrade, or somebody in between can leave it out.", "upgraded by "+s.f.StartTLS)
	}
	return fired("The grade is for the TLS after the upgrade, and as strict about the certificate as for a web site. Servers that deliver to each other mostly take any certificate, or none, unless DANE or MTA-STS tells them otherwise.",
		"upgraded by "+s.f.StartTLS)
}

func checkClientAuth(s *subject) *hit {
	switch {
	case s.f.Features.ClientAuthMust == Yes:
		return fired("Who has none is refused, so what comes after the handshake could not be seen.", "CertificateRequest, and the connection ends without a certificate")
	case s.f.Features.ClientAuth == Yes:
		return fired("Who has none is let in all the same.", "CertificateRequest")
	}
	return nil
}

func checkIncompleteScan(s *subject) *hit {
	if s.f.Quick || !s.judgeable() {
		return nil
	}
	return firedIf("What is not known counts neither for nor against the server.", s.incomplete())
}
