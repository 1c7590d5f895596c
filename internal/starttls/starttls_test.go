package starttls

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// server plays the other side: the first answer is its greeting, each of the others comes after one thing said to it.
type server struct {
	answers []string
	out     bytes.Buffer // said, but not read yet
	heard   []string
	piece   int // bytes given at a time; 0: all
	given   int // bytes
}

func newServer(answers ...string) *server {
	s := &server{answers: answers[1:]}
	s.out.WriteString(answers[0])
	return s
}

func (s *server) Write(p []byte) (int, error) {
	s.heard = append(s.heard, string(p))
	if len(s.answers) > 0 {
		s.out.WriteString(s.answers[0])
		s.answers = s.answers[1:]
	}
	return len(p), nil
}

func (s *server) Read(p []byte) (int, error) {
	if s.piece > 0 && len(p) > s.piece {
		p = p[:s.piece]
	}
	n, err := s.out.Read(p)
	s.given += n
	return n, err
}

// agreements are dialogues that lead to TLS: what the server says, and what it must hear.
var agreements = []struct {
	protocol Protocol
	answers  []string
	heard    []string
}{
	{SMTP, []string{"220-mx.test\r\n220 ESMTP\r\n", "250-mx.test\r\n250-SIZE 100\r\n250-starttls\r\n250 HELP\r\n", "220 2.0.0 Ready\r\n"},
		[]string{"EHLO me\r\n", "STARTTLS\r\n"}},
	{SMTP, []string{"220\r\n", "250-\r\n250 STARTTLS\r\n", "220\r\n"}, []string{"EHLO me\r\n", "STARTTLS\r\n"}},
	{IMAP, []string{"* OK [CAPABILITY IMAP4rev1] ready\r\n", "* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\na1 OK done\r\n", "a2 OK Begin\r\n"},
		[]string{"a1 CAPABILITY\r\n", "a2 STARTTLS\r\n"}},
	{POP3, []string{"+OK ready\r\n", "+OK\r\nTOP\r\nSTLS\r\n.\r\n", "+OK Begin\r\n"}, []string{"CAPA\r\n", "STLS\r\n"}},
	{POP3, []string{"+OK\r\n", "-ERR what?\r\n", "+OK\r\n"}, []string{"CAPA\r\n", "STLS\r\n"}},
	{FTP, []string{"220-Hello\r\n 221 is no answer\r\nwhatever\r\n220 ready\r\n", "234 go\r\n"}, []string{"AUTH TLS\r\n"}},
	{NNTP, []string{"201 no posting\r\n", "101 list:\r\nVERSION 2\r\nSTARTTLS\r\n.\r\n", "382 go\r\n"}, []string{"CAPABILITIES\r\n", "STARTTLS\r\n"}},
	{NNTP, []string{"200 hi\r\n", "500 what?\r\n", "382 go\r\n"}, []string{"CAPABILITIES\r\n", "STARTTLS\r\n"}},
	{LDAP, []string{"", "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"}, []string{ldapRequest}},
	{LDAP, []string{"", "\x30\x84\x00\x00\x00\x28\x02\x01\x01\x78\x84\x00\x00\x00\x1f\x0a\x01\x00\x04\x00\x04\x00\x8a\x16" + "1.3.6.1.4.1.1466.20037"}, []string{ldapRequest}},
	{Postgres, []string{"", "S"}, []string{"\x00\x00\x00\x08\x04\xd2\x16\x2f"}},
	{LMTP, []string{"220 mx.test LMTP\r\n", "250-mx.test\r\n250 STARTTLS\r\n", "220 go\r\n"}, []string{"LHLO me\r\n", "STARTTLS\r\n"}},
	{Sieve, []string{"\"IMPLEMENTATION\" \"Pigeonhole\"\r\n\"SIEVE\" {8+}\r\nfile\r\nin\r\n\"starttls\"\r\nOK \"ready\"\r\n", "OK \"begin\"\r\n"}, []string{"STARTTLS\r\n"}},
	{XMPP, []string{"", xmppOpen + "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls><a xmlns='b'/></stream:features>", "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"},
		[]string{xmppHello("jabber:client"), xmppStart}},
	{XMPPServer, []string{"", xmppOpen + "\n<stream:features><t:starttls xmlns:t='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>", " <proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'></proceed>"},
		[]string{xmppHello("jabber:server"), xmppStart}},
	{IRC, []string{"", ":s NOTICE * :*** Looking up your hostname\r\n:s CAP * LS * :multi-prefix\r\n:s CAP * LS :sasl=PLAIN tls\r\n", ":s NOTICE * :found\r\n:s 670 * :go ahead\r\n"},
		[]string{"CAP LS 302\r\n", "STARTTLS\r\n"}},
	{IRC, []string{"", ":s 421 * CAP :Unknown command\r\nPING :x\r\n", "@time=now :s 670 :STARTTLS successful\r\n"}, []string{"CAP LS 302\r\n", "STARTTLS\r\n"}},
	{MySQL, []string{mysqlGreeting(0xfffe)}, []string{"\x20\x00\x00\x01\x01\x8a\x00\x00\xff\xff\xff\x00\x21" + strings.Repeat("\x00", 23)}},
	{RDP, []string{"", "\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x1f\x08\x00\x01\x00\x00\x00"}, []string{rdpRequest}},
	{RDP, []string{"", "\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x1f\x08\x00\x02\x00\x00\x00"}, []string{rdpRequest}},
	{Telnet, []string{"", "\xff\xfd\x18\xff\xfa\x20\x01\xff\xff\xff\xf0\xff\xf1hello\r\n\xff\xfd\x2e\xff\xfb\x03", "\xff\xfd\x1f\xff\xfa\x2e\x01\xff\xf0"}, []string{"\xff\xfb\x2e", "\xff\xfa\x2e\x01\xff\xf0"}},
}

// Pieces of dialogues.
const (
	xmppOpen   = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='1' from='me' version='1.0'>"
	xmppStart  = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
	rdpRequest = "\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00"
)

func xmppHello(namespace string) string {
	return "<?xml version='1.0'?><stream:stream xmlns='" + namespace + "' xmlns:stream='http://etherx.jabber.org/streams' to='me' version='1.0'>"
}

// mysqlGreeting is that of a server with some flags.
func mysqlGreeting(flags int) string {
	body := "\x0a10.11.6-MariaDB\x00" + "\x01\x00\x00\x00" + "12345678\x00" + string([]byte{byte(flags), byte(flags >> 8)}) + "\x21\x02\x00" + strings.Repeat("\x00", 32)
	return string([]byte{byte(len(body)), 0, 0, 0}) + body
}

const ldapRequest = "\x30\x1d\x02\x01\x01\x77\x18\x80\x16" + "1.3.6.1.4.1.1466.20037"

func TestEveryProtocolGoesOverToTLS(t *testing.T) {
	for _, c := range agreements {
		for _, piece := range []int{0, 1, 3} {
			s := newServer(c.answers...)
			s.piece = piece
			u, err := Negotiate(s, c.protocol, "me")
			if err != nil {
				t.Errorf("%v in pieces of %d: %v", c.protocol, piece, err)
				continue
			}
			if diff := cmp.Diff(c.heard, s.heard); diff != "" {
				t.Errorf("%v: the server heard\n%s", c.protocol, diff)
			}
			if u.Command == "" {
				t.Errorf("%v: no command", c.protocol)
			}
		}
	}
	if u, err := Negotiate(newServer(agreements[0].answers...), SMTP, "me"); err != nil || u != (Upgrade{"mx.test", "STARTTLS"}) {
		t.Errorf("%+v, %v", u, err)
	}
}

// TestInjectedPlainTextIsRefused adds words after the agreement, and after every answer on the way.
func TestInjectedPlainTextIsRefused(t *testing.T) {
	for _, c := range agreements {
		for i := range c.answers {
			if c.answers[i] == "" {
				continue
			}
			answers := append([]string(nil), c.answers...)
			answers[i] += "250 injected\r\n"
			s := newServer(answers...)
			_, err := Negotiate(s, c.protocol, "me")
			var e *Error
			if !errors.As(err, &e) || e.Kind != Injected {
				t.Errorf("%v, answer %d: %v", c.protocol, i, err)
			}
			if len(s.heard) > i {
				t.Errorf("%v: said %q after that", c.protocol, s.heard[len(s.heard)-1])
			}
		}
	}
}

func TestRefusalsAreLocated(t *testing.T) {
	for _, c := range []struct {
		protocol Protocol
		answers  []string
		kind     Kind
		want     string
	}{
		{SMTP, []string{"554 no\r\n"}, Refused, `smtp, greeting: the server is not ready: "554 no"`},
		{SMTP, []string{"220 a\r\n", "500 what?\r\n"}, Refused, `smtp, answer to EHLO: the server does not know EHLO, and so no TLS: "500 what?"`},
		{SMTP, []string{"220 a\r\n", "250-a\r\n250 HELP STARTTLS\r\n"}, NotOffered, `smtp, answer to EHLO: the server does not offer TLS`},
		{SMTP, []string{"220 a\r\n", "250 STARTTLS\r\n"}, NotOffered, `smtp, answer to EHLO: the server does not offer TLS`},
		{SMTP, []string{"220 a\r\n", "250-a\r\n250 STARTTLS\r\n", "454 later\x1b[0m\r\n"}, Refused, `smtp, answer to STARTTLS: the server refuses to go over to TLS: "454 later\x1b[0m"`},
		{SMTP, []string{"SSH-2.0\r\n"}, Malformed, `smtp, greeting: an answer must begin with three digits: "SSH-2.0"`},
		{SMTP, []string{"220 a\r\n", "250-a\r\n251 b\r\n"}, Malformed, `smtp, answer to EHLO, line 2: the answer changes its number: "251 b"`},
		{SMTP, []string{"220 a\n"}, Malformed, `smtp, greeting: a line must end in CR LF: "220 a"`},
		{SMTP, []string{"220 a\rb\r\n"}, Malformed, `smtp, greeting: a line must end in CR LF: "220 a\rb"`},
		{SMTP, []string{"220 "}, Broken, `smtp, greeting: the server closed the connection: "220 ": unexpected EOF`},
		{SMTP, []string{strings.Repeat("x", maxLine+1)}, TooLong, `smtp, greeting: the line is too long: "` + strings.Repeat("x", 80) + `"`},
		{SMTP, []string{strings.Repeat("220-x\r\n", maxLines+1)}, TooLong, `smtp, greeting, line 257: the answer has too many lines`},
		{SMTP, []string{strings.Repeat("220-"+strings.Repeat("y", 2000)+"\r\n", 100)}, TooLong, `smtp, greeting, line 33: the server talks without end`},
		{IMAP, []string{"* PREAUTH hi\r\n"}, Refused, `imap, greeting: the server claims that we are logged in already, where TLS cannot begin any more: "* PREAUTH hi"`},
		{IMAP, []string{"* BYE\r\n"}, Refused, `imap, greeting: the server is not ready: "* BYE"`},
		{IMAP, []string{"+OK\r\n"}, Malformed, `imap, greeting: a greeting must begin with * OK: "+OK"`},
		{IMAP, []string{"* OK\r\n", "* CAPABILITY IMAP4rev1\r\na1 OK\r\n"}, NotOffered, `imap, answer to CAPABILITY: the server does not offer TLS`},
		{IMAP, []string{"* OK\r\n", "* CAPABILITY STARTTLS\r\na1 OK\r\n", "a2 NO\r\n"}, Refused, `imap, answer to STARTTLS: the server refuses to go over to TLS: "a2 NO"`},
		{IMAP, []string{"* OK\r\n", "* X {3}\r\na1 OK\r\n"}, Malformed, `imap, answer to CAPABILITY: an answer must begin with * or with the tag of the command: "* X {3}"`},
		{POP3, []string{"-ERR\r\n"}, Refused, `pop3, greeting: the server is not ready: "-ERR"`},
		{POP3, []string{"220 a\r\n"}, Malformed, `pop3, greeting: an answer must begin with +OK or -ERR: "220 a"`},
		{POP3, []string{"+OK\r\n", "+OK\r\nTOP\r\n.\r\n"}, NotOffered, `pop3, answer to CAPA: the server does not offer TLS`},
		{POP3, []string{"+OK\r\n", "+OK\r\nSTLS\r\n.\r\n", "-ERR no\r\n"}, Refused, `pop3, answer to STLS: the server refuses to go over to TLS: "-ERR no"`},
		{FTP, []string{"220 a\r\n", "530 log in\r\n"}, Refused, `ftp, answer to AUTH TLS: the server refuses to go over to TLS: "530 log in"`},
		{NNTP, []string{"400 down\r\n"}, Refused, `nntp, greeting: the server is not ready: "400 down"`},
		{NNTP, []string{"200\r\n", "101\r\nVERSION 2\r\n.\r\n"}, NotOffered, `nntp, answer to CAPABILITIES: the server does not offer TLS`},
		{NNTP, []string{"200\r\n", "101\r\nSTARTTLS\r\n.\r\n", "580 no\r\n"}, Refused, `nntp, answer to STARTTLS: the server refuses to go over to TLS: "580 no"`},
		{LDAP, []string{"", "HTTP/1.1 400\r\n"}, Malformed, `ldap, answer to StartTLS: the answer begins with 0x48, which is not LDAP`},
		{LDAP, []string{"", "\x30\x84\x7f\xff\xff\xff"}, TooLong, `ldap, answer to StartTLS: the answer is too long`},
		{LDAP, []string{"", "\x30\x89\x7f\xff\xff\xff\x00\x00\x00\x00\x00"}, TooLong, `ldap, answer to StartTLS: the answer is too long`},
		{LDAP, []string{"", "\x30\x03\x02\x01\x02"}, Malformed, `ldap, answer to StartTLS: the message is no answer to ours`},
		{LDAP, []string{"", "\x30\x03\x02\x01\x00"}, Refused, `ldap, answer to StartTLS: the server ends the connection`},
		{LDAP, []string{"", "\x30\x03\x02\x01\x01"}, Malformed, `ldap, answer to StartTLS: extendedResp is missing`},
		{LDAP, []string{"", "\x30\x05\x02\x01\x01\x61\x00"}, Malformed, `ldap, answer to StartTLS: extendedResp has the tag 0x61, not 0x78`},
		{LDAP, []string{"", "\x30\x0e\x02\x01\x01\x78\x09\x0a\x01\x02\x04\x00\x04\x02no"}, NotOffered, `ldap, answer to StartTLS: the server does not offer TLS (result code 2): "no"`},
		{LDAP, []string{"", "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x34\x04\x00\x04\x00"}, Refused, `ldap, answer to StartTLS: the server refuses to go over to TLS (result code 52)`},
		{LDAP, []string{"", "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x01"}, Malformed, `ldap, answer to StartTLS: diagnosticMessage is truncated`},
		{Postgres, []string{"", "N"}, NotOffered, `postgres, answer to SSLRequest: the server does not offer TLS`},
		{Postgres, []string{"", "E"}, Refused, `postgres, answer to SSLRequest: the server answers with an error`},
		{Postgres, []string{"", "H"}, Malformed, `postgres, answer to SSLRequest: the answer must be S or N: "H"`},
		{0, []string{""}, Malformed, `unknown protocol, greeting: this protocol has no upgrade to TLS`},
	} {
		_, err := Negotiate(newServer(c.answers...), c.protocol, "me")
		var e *Error
		if !errors.As(err, &e) || e.Kind != c.kind || err.Error() != c.want {
			t.Errorf("%v %.60q:\n got %v\nwant %s", c.protocol, c.answers, err, c.want)
		}
	}
}

func TestErrorsOfTheConnectionAreFound(t *testing.T) {
	for _, conn := range []io.ReadWriter{
		struct {
			io.Reader
			io.Writer
		}{stuck{}, io.Discard},
		struct {
			io.Reader
			io.Writer
		}{strings.NewReader("220 a\r\n"), stuck{}},
	} {
		_, err := Negotiate(conn, SMTP, "me")
		if !errors.Is(err, io.ErrNoProgress) && !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%v", err)
		}
	}
}

// stuck neither gives nor takes.
type stuck struct{}

func (stuck) Read([]byte) (int, error)  { return 0, nil }
func (stuck) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestProtocolsAreFoundByNameAndPort(t *testing.T) {
	for _, p := range Protocols() {
		if got, ok := Parse(strings.ToUpper(p.String())); !ok || got != p || p.Port() == "" {
			t.Errorf("%v: %v, %v, port %q", p, got, ok, p.Port())
		}
	}
	if _, ok := Parse("gopher"); ok {
		t.Error("gopher has no STARTTLS")
	}
	for port, want := range map[string]Protocol{"465": SMTP, "993": IMAP, "995": POP3, "990": FTP, "563": NNTP, "636": LDAP} {
		if got, ok := ByTLSPort(port); !ok || got != want {
			t.Errorf("%s: %v, %v", port, got, ok)
		}
	}
	for _, port := range []string{"", "25", "443"} {
		if p, ok := ByTLSPort(port); ok {
			t.Errorf("%s is the TLS port of %v", port, p)
		}
	}
	for k := Malformed; k <= Broken; k++ {
		if k.String() == "unknown" {
			t.Errorf("kind %d has no name", k)
		}
	}
}

// separator stands between the answers of a fuzzed server.
const separator = "\xff\xfe"

// FuzzNegotiate plays any server: nothing it says may lead anywhere but to an agreement that was its last word, or to an
// error that tells where.
func FuzzNegotiate(f *testing.F) {
	for _, c := range agreements {
		f.Add(uint8(c.protocol), uint8(0), strings.Join(c.answers, separator))
		f.Add(uint8(c.protocol), uint8(1), strings.Join(c.answers, separator)+"x")
	}
	f.Fuzz(func(t *testing.T, protocol, piece uint8, said string) {
		s := newServer(strings.Split(said, separator)...)
		s.piece = int(piece)
		_, err := Negotiate(s, Protocol(int(protocol)%(len(Protocols())+1)), "me")
		var e *Error
		switch {
		case err == nil && piece == 0 && s.out.Len() > 0:
			t.Fatalf("%q was not looked at", s.out.String())
		case err == nil && len(s.heard) == 0:
			t.Fatal("nobody asked for TLS")
		case err != nil && (!errors.As(err, &e) || e.Reason == "" || err.Error() == ""):
			t.Fatalf("%v", err)
		case s.given > maxTotal+2048:
			t.Fatalf("read %d bytes", s.given)
		}
	})
}

// TestBusyServersAreAskedAgainLater tells a server that is busy from one that will say the same tomorrow.
func TestBusyServersAreAskedAgainLater(t *testing.T) {
	for _, c := range []struct {
		protocol Protocol
		answers  []string
		want     bool
	}{
		{SMTP, []string{"421 too many connections\r\n"}, true},
		{FTP, []string{"421 there are too many connections\r\n"}, true},
		{NNTP, []string{"400 idle timeout\r\n"}, true},
		{SMTP, []string{"554 no SMTP service here\r\n"}, false},
		{SMTP, []string{"220 mx\r\n", "421 later\r\n"}, false}, // there was a place
		{NNTP, []string{"502 not for you\r\n"}, false},
		{POP3, []string{"-ERR 421\r\n"}, false},
	} {
		_, err := Negotiate(newServer(c.answers...), c.protocol, "me")
		var e *Error
		if !errors.As(err, &e) || e.IsTemporary() != c.want {
			t.Errorf("%v %q: %v, want %v", c.protocol, c.answers, err, c.want)
		}
	}
}
