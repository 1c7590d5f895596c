package starttls

import "strings"

// Protocol is a protocol that can go over to TLS on its plain-text port.
type Protocol uint8

// The protocols.
const (
	SMTP Protocol = iota + 1
	IMAP
	POP3
	FTP
	NNTP
	LDAP
	Postgres
	LMTP
	Sieve // ManageSieve
	XMPP  // of clients
	XMPPServer
	IRC
	MySQL // and MariaDB
	RDP
	Telnet
)

// row is what there is to know about a protocol.
type row struct {
	name     string
	port     string // of the plain-text protocol
	tlsPort  string // where TLS begins with the first byte; empty: there is no such port
	dialogue func(*dialogue) error
}

// about returns the row of p; an unknown protocol has an empty one.
func (p Protocol) about() row {
	switch p {
	case SMTP:
		return row{"smtp", "25", "465", (*dialogue).smtp}
	case IMAP:
		return row{"imap", "143", "993", (*dialogue).imap}
	case POP3:
		return row{"pop3", "110", "995", (*dialogue).pop3}
	case FTP:
		return row{"ftp", "21", "990", (*dialogue).ftp}
	case NNTP:
		return row{"nntp", "119", "563", (*dialogue).nntp}
	case LDAP:
		return row{"ldap", "389", "636", (*dialogue).ldap}
	case Postgres:
		return row{"postgres", "5432", "", (*dialogue).postgres}
	case LMTP:
		return row{"lmtp", "24", "", (*dialogue).lmtp}
	case Sieve:
		return row{"sieve", "4190", "", (*dialogue).sieve}
	case XMPP:
		return row{"xmpp", "5222", "5223", (*dialogue).xmpp}
	case XMPPServer:
		return row{"xmpp-server", "5269", "5270", (*dialogue).xmppServer}
	case IRC:
		return row{"irc", "6667", "6697", (*dialogue).irc}
	case MySQL:
		return row{"mysql", "3306", "", (*dialogue).mysql}
	case RDP:
		return row{"rdp", "3389", "", (*dialogue).rdp}
	case Telnet:
		return row{"telnet", "23", "992", (*dialogue).telnet}
	}
	return row{}
}

// String returns the name that Parse reads: "smtp".
func (p Protocol) String() string {
	if name := p.about().name; name != "" {
		return name
	}
	return "unknown protocol"
}

// Port is the port of the plain-text protocol, in digits.
func (p Protocol) Port() string { return p.about().port }

// Protocols lists all of them.
func Protocols() []Protocol {
	return []Protocol{SMTP, LMTP, IMAP, POP3, Sieve, FTP, NNTP, LDAP, XMPP, XMPPServer, IRC, Postgres, MySQL, RDP, Telnet}
}

// Parse finds a protocol by its name, in small or capital letters.
func Parse(name string) (Protocol, bool) {
	for _, p := range Protocols() {
		if strings.EqualFold(p.String(), name) {
			return p, true
		}
	}
	return 0, false
}

// ByTLSPort finds the protocol that speaks TLS from the first byte on a port: 465, 993, 995, 990, 563, 636,
// 992, 5223, 5270 and 6697.
func ByTLSPort(port string) (Protocol, bool) {
	for _, p := range Protocols() {
		if port != "" && p.about().tlsPort == port {
			return p, true
		}
	}
	return 0, false
}
