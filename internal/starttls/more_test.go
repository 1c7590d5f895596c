package starttls

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// TestRefusalsOfTheOthersAreLocated is TestRefusalsAreLocated for the protocols that are neither mail nor directory.
func TestRefusalsOfTheOthersAreLocated(t *testing.T) {
	const (
		features = "<stream:features>"
		rdpHead  = "\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00"
	)
	for _, c := range []struct {
		protocol Protocol
		answers  []string
		kind     Kind
		want     string
	}{
		{LMTP, []string{"220 a\r\n", "500 what?\r\n"}, Refused, `lmtp, answer to LHLO: the server does not know LHLO, and so no TLS: "500 what?"`},
		{LMTP, []string{"220 a\r\n", "250 PIPELINING\r\n"}, NotOffered, `lmtp, answer to LHLO: the server does not offer TLS`},
		{Sieve, []string{"\"SASL\" \"\"\r\nOK\r\n"}, NotOffered, `sieve, greeting: the server does not offer TLS`},
		{Sieve, []string{"BYE \"busy\"\r\n"}, Refused, `sieve, greeting: the server is not ready: "BYE \"busy\""`},
		{Sieve, []string{"220 a\r\n"}, Malformed, `sieve, greeting: a capability must be a quoted string: "220 a"`},
		{Sieve, []string{"\"A\" {9999}\r\n"}, TooLong, `sieve, greeting: the string is too long: "\"A\" {9999}"`},
		{Sieve, []string{"\"A\" {x}\r\n"}, Malformed, `sieve, greeting: a length must be a number: "\"A\" {x}"`},
		{Sieve, []string{"\"A\" }\r\n"}, Malformed, `sieve, greeting: a length must stand in braces: "\"A\" }"`},
		{Sieve, []string{"\"STARTTLS\"\r\nOK\r\n", "NO\r\n"}, Refused, `sieve, answer to STARTTLS: the server refuses to go over to TLS: "NO"`},
		{Sieve, []string{"\"STARTTLS\"\r\nOK\r\n", "+\r\n"}, Malformed, `sieve, answer to STARTTLS: an answer must begin with OK, NO or BYE: "+"`},
		{XMPP, []string{"", xmppOpen + features + "<mechanisms xmlns='x'><mechanism>PLAIN</mechanism></mechanisms></stream:features>"}, NotOffered, `xmpp, answer to stream: the server does not offer TLS`},
		{XMPP, []string{"", xmppOpen + "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"}, Refused, `xmpp, answer to stream: the server ends the stream: "host-unknown"`},
		{XMPP, []string{"", xmppOpen + features + "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>", "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>"}, Refused, `xmpp, answer to starttls: the server refuses to go over to TLS`},
		{XMPP, []string{"", xmppOpen + features + "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>", "<proceed xmlns='x'/>"}, Malformed, `xmpp, answer to starttls: the answer must be proceed or failure: "proceed"`},
		{XMPP, []string{"", "HTTP/1.1 400 Bad Request\r\n\r\n<html>"}, Malformed, `xmpp, answer to stream: the server does not speak XMPP: "HTTP/1.1 400 Bad Request"`},
		{XMPP, []string{"", "<html></html>"}, Malformed, `xmpp, answer to stream: the answer is no stream: "html"`},
		{XMPP, []string{"", "<!DOCTYPE a><a>"}, Malformed, `xmpp, answer to stream: the stream has something that is not allowed there`},
		{XMPP, []string{"", xmppOpen + "<stream:features></stream>"}, Malformed, `xmpp, answer to stream: the stream is no XML: element <features> closed by </stream>`},
		{XMPP, []string{"", xmppOpen + "<message/>"}, Malformed, `xmpp, answer to stream: the stream does not begin with its features: "message"`},
		{XMPP, []string{"", xmppOpen}, Broken, `xmpp, answer to stream: the server closed the connection: unexpected EOF`},
		{XMPP, []string{"", xmppOpen + strings.Repeat("<!-- -->", 1)}, Malformed, `xmpp, answer to stream: the stream has something that is not allowed there`},
		{XMPP, []string{"", xmppOpen + features + strings.Repeat("<a>", 40000)}, TooLong, `xmpp, answer to stream: the server talks without end`},
		{IRC, []string{"", ":s CAP * LS :sasl\r\n"}, NotOffered, `irc, answer to CAP LS: the server does not offer TLS`},
		{IRC, []string{"", ":s CAP * ACK :tls\r\n"}, Malformed, `irc, answer to CAP LS: CAP must be answered with a list: ":s CAP * ACK :tls"`},
		{IRC, []string{"", "ERROR :closing link\r\n"}, Refused, `irc, answer to CAP LS: the server ends the connection: "ERROR :closing link"`},
		{IRC, []string{"", "220 mail\r\n"}, Malformed, `irc, answer to CAP LS: the line is no answer to ours: "220 mail"`},
		{IRC, []string{"", ":s 421 * CAP :?\r\n", ":s 421 * STARTTLS :?\r\n"}, NotOffered, `irc, answer to STARTTLS: the server does not offer TLS: ":s 421 * STARTTLS :?"`},
		{IRC, []string{"", ":s CAP * LS tls\r\n", ":s 691 * :failed\r\n"}, Refused, `irc, answer to STARTTLS: the server refuses to go over to TLS: ":s 691 * :failed"`},
		{IRC, []string{"", strings.Repeat("PING :x\r\n", 300)}, TooLong, `irc, answer to CAP LS, line 257: the answer has too many lines`},
		{MySQL, []string{mysqlGreeting(0xfffe &^ mysqlSSL)}, NotOffered, `mysql, greeting: the server does not offer TLS`},
		{MySQL, []string{"\x20\x00\x00\x00\xff\x10\x04Too many conns"}, Broken, `mysql, greeting: the server closed the connection: unexpected EOF`},
		{MySQL, []string{"\x0b\x00\x00\x00\xff\x10\x04Too many"}, Refused, `mysql, greeting: the server is not ready: "Too many"`},
		{MySQL, []string{"\x04\x00\x00\x00\x0910\x00"}, Malformed, `mysql, greeting: the greeting must be of version 10 of the protocol`},
		{MySQL, []string{"\x04\x00\x00\x00\x0a10\x00"}, Malformed, `mysql, greeting: the greeting is truncated`},
		{MySQL, []string{"220 mail\r\n"}, Malformed, `mysql, greeting: the first packet must have the number 0`},
		{MySQL, []string{"\xff\xff\x00\x00"}, TooLong, `mysql, greeting: the greeting is too long`},
		{RDP, []string{"", "HTTP/1.1"}, Malformed, `rdp, answer to connection request: the answer begins with 0x48, which is not RDP`},
		{RDP, []string{"", "\x03\x00\x00\x0b\x06\xd0\x00\x00\x12\x34\x00"}, NotOffered, `rdp, answer to connection request: the server does not offer TLS`},
		{RDP, []string{"", rdpHead + "\x02\x00\x08\x00\x00\x00\x00\x00"}, NotOffered, `rdp, answer to connection request: the server does not offer TLS`},
		{RDP, []string{"", rdpHead + "\x02\x00\x08\x00\x08\x00\x00\x00"}, Malformed, `rdp, answer to connection request: the server chose protocol 8, which was not asked for`},
		{RDP, []string{"", rdpHead + "\x03\x00\x08\x00\x02\x00\x00\x00"}, NotOffered, `rdp, answer to connection request: the server does not offer TLS (failure code 2)`},
		{RDP, []string{"", rdpHead + "\x03\x00\x08\x00\x06\x00\x00\x00"}, Refused, `rdp, answer to connection request: the server refuses to go over to TLS (failure code 6)`},
		{RDP, []string{"", rdpHead + "\x07\x00\x08\x00\x06\x00\x00\x00"}, Malformed, `rdp, answer to connection request: the negotiation has the type 7`},
		{RDP, []string{"", "\x03\x00\x00\x0b\x06\x80\x00\x00\x12\x34\x00"}, Refused, `rdp, answer to connection request: the server does not confirm the connection`},
		{RDP, []string{"", "\x03\x00\x00\x0d\x08\xd0\x00\x00\x12\x34\x00\x02\x00"}, Malformed, `rdp, answer to connection request: the answer is truncated`},
		{RDP, []string{"", "\x03\x00\x00\x04"}, Malformed, `rdp, answer to connection request: the answer is truncated`},
		{RDP, []string{"", "\x03\x00\xff\xff"}, TooLong, `rdp, answer to connection request: the answer is too long`},
		{Telnet, []string{"", "login: \xff\xfe\x2e"}, NotOffered, `telnet, answer to WILL START_TLS: the server does not offer TLS`},
		{Telnet, []string{"", "login: "}, Broken, `telnet, answer to WILL START_TLS: the server closed the connection: unexpected EOF`},
		{Telnet, []string{"", "\xff\xfd\x2e", "\xff\xfa\x2e\x02\xff\xf0"}, Malformed, `telnet, answer to FOLLOWS: the server does not say FOLLOWS`},
		{Telnet, []string{"", "\xff\xfd\x2e", "login: "}, Injected, `telnet, answer to FOLLOWS: the server goes on in plain text after its agreement: "l"`},
		{Telnet, []string{"", strings.Repeat("x", maxTotal+1)}, TooLong, `telnet, answer to WILL START_TLS: the server talks without end`},
	} {
		_, err := Negotiate(newServer(c.answers...), c.protocol, "me")
		var e *Error
		if !errors.As(err, &e) || e.Kind != c.kind || err.Error() != c.want {
			t.Errorf("%v %.60q:\n got %v\nwant %s", c.protocol, c.answers, err, c.want)
		}
	}
}

// TestXMPPAsksForTheServer gives the name of the server, with what has a meaning in XML.
func TestXMPPAsksForTheServer(t *testing.T) {
	s := newServer("", xmppOpen)
	_, err := NegotiateFor(s, XMPP, "me", "chat.test'><evil a='")
	var e *Error
	if !errors.As(err, &e) || e.Kind != Broken {
		t.Errorf("%v", err)
	}
	if !strings.Contains(s.heard[0], " to='chat.test&#39;&gt;&lt;evil a=&#39;' ") {
		t.Errorf("said %s", s.heard[0])
	}
}

func TestGreetingsAreKept(t *testing.T) {
	for _, c := range []struct {
		protocol Protocol
		want     string
	}{{LMTP, "mx.test LMTP"}, {Sieve, "Pigeonhole"}, {MySQL, "10.11.6-MariaDB"}, {Telnet, "hello\r\n"}, {XMPP, ""}} {
		for _, a := range agreements {
			if a.protocol != c.protocol {
				continue
			}
			if u, err := Negotiate(newServer(a.answers...), a.protocol, "me"); err != nil || u.Greeting != c.want || u.Command == "" {
				t.Errorf("%v: %+v, %v", c.protocol, u, err)
			}
			break
		}
	}
}

// TestTheXMLSourceDoesNotReadAhead holds what the check for injected plain text rests on.
func TestTheXMLSourceDoesNotReadAhead(t *testing.T) {
	s := newServer("<a/>rest")
	d := &dialogue{conn: s, protocol: XMPP}
	source := xmlSource{d}
	var piece [4]byte
	if n, err := source.Read(piece[:]); n != 1 || err != nil || string(d.buf) != "a/>rest" {
		t.Errorf("%d, %v, %q", n, err, d.buf)
	}
	if n, err := source.Read(nil); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := io.ReadAll(source); err == nil {
		t.Error("the end is no error")
	}
}
