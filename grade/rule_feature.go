package grade

import (
	"fmt"
	"time"

	"github.com/tlswright/tlswright/wire"
)

// featureRules judge single features of the protocol.
var featureRules = []rule{
	{id: "A-1", severity: Low, cap: "A-", title: "Secure renegotiation is not supported", reference: []string{guide, "RFC 5746, Section 3.6"},
		fix: "Update the TLS library: it has to answer renegotiation_info, even if it never renegotiates.", snippets: fixRenegotiation, check: checkNoSecureRenegotiation},
	{id: "client-renegotiation", severity: Low, title: "Clients may begin handshakes again and again", reference: []string{"CVE-2011-1473", "RFC 9325, Section 3.5"},
		fix: "Refuse renegotiation that the client begins: it costs the server more than the client.", snippets: fixRenegotiation, check: checkClientRenegotiation},
	{id: "early-data-425", severity: Medium, title: "Early data is taken without a word about replay", reference: []string{"RFC 8470, Section 5.2", "RFC 8446, Section 8"},
		fix: "Switch early data off, or answer 425 to requests in it that must not be repeated.", snippets: fixEarlyData, check: checkEarlyData},
	{id: "no-resumption", severity: Info, title: "Sessions are not resumed", reference: []string{"RFC 9325, Section 3.4"},
		fix: "Switch session tickets or a session cache on: clients that come back save a signature and a round trip.", snippets: fixResumption, check: checkNoResumption},
	{id: "ticket-lifetime", severity: Low, title: "Session tickets live too long", reference: []string{"RFC 8446, Section 4.6.1", "RFC 9325, Section 3.4"},
		fix: "Let tickets live for a day at most, and change the key that seals them as often.", snippets: fixResumption, check: checkTicketLifetime},
	{id: "ems-missing", severity: Low, title: "No extended master secret", reference: []string{"RFC 7627, Section 4"},
		fix: "Update the TLS library: every maintained one has it (OpenSSL since 1.1.0).", snippets: fixUpdate, check: checkNoExtendedMasterSecret},
	{id: "truncated-hmac", severity: Low, title: "Truncated HMACs are accepted", reference: []string{"RFC 9325, Section 4.6"},
		fix: "Switch the extension off, or update the TLS library.", snippets: fixUpdate, check: checkTruncated},
	{id: "heartbeat", severity: Info, title: "The heartbeat extension is on", reference: []string{"RFC 6520, Section 2"},
		fix: "Build the library without heartbeats, or update it: TLS over TCP has no use for them.", snippets: fixUpdate, check: checkHeartbeat},
	{id: "npn", severity: Info, title: "The predecessor of ALPN is still spoken", reference: []string{"RFC 7301, Section 1"},
		fix: "Update the software: clients have dropped NPN since 2016.", snippets: fixUpdate, check: checkNPN},
	{id: "no-http2", severity: Info, title: "No HTTP/2", reference: []string{"RFC 9113, Section 3.2"},
		fix: "Switch HTTP/2 on: one connection serves many requests at once.", snippets: fixHTTP2, check: checkNoHTTP2},
}

// speaksOld reports whether a version before TLS 1.3 is on offer; renegotiation exists there alone.
func (s *subject) speaksOld() bool {
	for _, v := range []wire.Version{wire.VersionSSL30, wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12} {
		if s.f.Offers(v) {
			return true
		}
	}
	return false
}

func checkNoSecureRenegotiation(s *subject) *hit {
	if s.f.Features.SecureRenegotiation != No || !s.speaksOld() {
		return nil
	}
	return fired("A client cannot tell whether somebody slipped requests in front of its own.", "the ServerHello has no renegotiation_info, though the client offered it")
}

func checkClientRenegotiation(s *subject) *hit {
	if h := vulnerable("client-renegotiation", Info)(s); h != nil {
		return h
	}
	if s.f.Features.ClientRenegotiation != Yes {
		return nil
	}
	return fired("One client can keep the server busy with handshakes over a single connection.", "a handshake that the client began on an open connection was completed")
}

// checkEarlyData fires by the scan's verdict, else by its facts: early data was really taken, and no 425 came.
func checkEarlyData(s *subject) *hit {
	if v := s.f.Vulnerability("early-data-425"); v != nil {
		return vulnerable("early-data-425", Low)(s)
	}
	if s.f.Features.EarlyDataAccepted != Yes || s.f.HTTP == nil || s.f.HTTP.TooEarly != No {
		return nil
	}
	return fired("Who records early data can send it again, and the server acted on a request in it.", "a request in early data was answered, not with 425")
}

// checkNoResumption fires if every way that was tried failed, and one was.
func checkNoResumption(s *subject) *hit {
	f := &s.f.Features
	tried := false
	for _, a := range []Answer{f.SessionIDs, f.SessionTickets, f.Resumption13} {
		switch a {
		case Yes, Unknown:
			return nil
		case No:
			tried = true
		}
	}
	if !tried || s.f.Quick {
		return nil
	}
	return fired("Each connection costs a full handshake.", "neither session identifiers nor tickets led to a resumed session")
}

// The longest lives of tickets that are let pass. RFC 8446, Section 4.6.1: servers MUST NOT use more than seven days.
const (
	maxTicket13 = 7 * 24 * 3600 // seconds
	maxTicket12 = 24 * 3600     // seconds
)

func checkTicketLifetime(s *subject) *hit {
	var evidence []string
	if n := s.f.Features.TicketLifetime13; n > maxTicket13 {
		evidence = append(evidence, fmt.Sprintf("TLS 1.3: %s, seven days are the limit", seconds(n)))
	}
	if n := s.f.Features.TicketLifetime; n > maxTicket12 {
		evidence = append(evidence, fmt.Sprintf("TLS 1.2: %s", seconds(n)))
	}
	return firedIf("Before TLS 1.3 a ticket's key opens every session it sealed, so forward secrecy begins only when that key is gone.", evidence)
}

// seconds words a number of seconds: "172800 seconds (2 days)".
func seconds(n int64) string {
	if n < 0 || n >= 1<<32 {
		return fmt.Sprintf("%d seconds", n)
	}
	return fmt.Sprintf("%d seconds (%s)", n, days(time.Duration(n)*time.Second))
}

func checkNoExtendedMasterSecret(s *subject) *hit {
	if s.f.Features.ExtendedMasterSecret != No || !s.speaksOld() {
		return nil
	}
	return fired("Without it two connections can be made to share a master secret (triple handshake).", "the ServerHello has no extended_master_secret, though the client offered it")
}

func checkTruncated(s *subject) *hit {
	if s.f.Features.TruncatedHMAC != Yes {
		return nil
	}
	return fired("Tags of 80 bits are short enough to be guessed in some settings.", "truncated_hmac was answered")
}

func checkHeartbeat(s *subject) *hit {
	if s.f.Features.Heartbeat != Yes {
		return nil
	}
	return fired("Not a fault by itself: Heartbleed was one of a single library, and has a verdict of its own here.", "the ServerHello has the heartbeat extension")
}

func checkNPN(s *subject) *hit {
	if s.f.Features.NextProtocol != Yes {
		return nil
	}
	return fired("A sign of software from before 2016.", "the ServerHello has next_protocol_negotiation")
}

func checkNoHTTP2(s *subject) *hit {
	if !s.isHTTP() || s.f.Quick || len(s.f.Features.ALPN) == 0 {
		return nil
	}
	for _, p := range s.f.Features.ALPN {
		if p == "h2" {
			return nil
		}
	}
	return fired("Pages with many parts load slower than they could.", "protocols: "+several(s.f.Features.ALPN, maxEvidence))
}
