package relics

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// dialect is how a protocol goes over to TLS, and how it answers the few commands that these servers know.
type dialect struct {
	greeting string
	again    string // said first inside TLS
	answer   func(line string) (text string, startTLS, quit bool)
}

// dialects are those that [StartTLSInjection] speaks.
func dialects() map[string]dialect {
	return map[string]dialect{
		"smtp":  {"220 mail.test ESMTP\r\n", "", smtp},
		"lmtp":  {"220 mail.test LMTP\r\n", "", smtp},
		"imap":  {"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n", "", imap},
		"pop3":  {"+OK ready\r\n", "", pop3},
		"ftp":   {"220 ready\r\n", "", ftp},
		"nntp":  {"200 ready\r\n", "", nntp},
		"sieve": {"\"IMPLEMENTATION\" \"relic\"\r\n\"STARTTLS\"\r\nOK \"ready\"\r\n", "\"IMPLEMENTATION\" \"relic\"\r\nOK \"secure\"\r\n", sieve},
		"irc":   {"", "", irc},
	}
}

func smtp(line string) (string, bool, bool) {
	switch word, _, _ := strings.Cut(strings.ToUpper(line), " "); word {
	case "EHLO", "LHLO":
		return "250-mail.test\r\n250-PIPELINING\r\n250 STARTTLS\r\n", false, false
	case "STARTTLS":
		return "220 go ahead\r\n", true, false
	case "NOOP", "RSET":
		return "250 ok\r\n", false, false
	case "QUIT":
		return "221 bye\r\n", false, true
	}
	return "502 unknown\r\n", false, false
}

func imap(line string) (string, bool, bool) {
	tag, command, _ := strings.Cut(line, " ")
	switch word, _, _ := strings.Cut(strings.ToUpper(command), " "); word {
	case "CAPABILITY":
		return "* CAPABILITY IMAP4rev1 STARTTLS\r\n" + tag + " OK done\r\n", false, false
	case "STARTTLS":
		return tag + " OK begin\r\n", true, false
	case "NOOP":
		return tag + " OK done\r\n", false, false
	case "LOGOUT":
		return "* BYE\r\n" + tag + " OK bye\r\n", false, true
	}
	return tag + " BAD unknown\r\n", false, false
}

func pop3(line string) (string, bool, bool) {
	switch strings.ToUpper(line) {
	case "CAPA":
		return "+OK list follows\r\nSTLS\r\nUSER\r\n.\r\n", false, false
	case "STLS":
		return "+OK begin\r\n", true, false
	case "QUIT":
		return "+OK bye\r\n", false, true
	}
	return "-ERR unknown\r\n", false, false
}

func ftp(line string) (string, bool, bool) {
	switch strings.ToUpper(line) {
	case "AUTH TLS":
		return "234 begin\r\n", true, false
	case "NOOP":
		return "200 ok\r\n", false, false
	case "QUIT":
		return "221 bye\r\n", false, true
	}
	return "530 log in first\r\n", false, false
}

func nntp(line string) (string, bool, bool) {
	switch strings.ToUpper(line) {
	case "CAPABILITIES":
		return "101 list follows\r\nVERSION 2\r\nREADER\r\nSTARTTLS\r\n.\r\n", false, false
	case "STARTTLS":
		return "382 begin\r\n", true, false
	case "DATE":
		return "111 20261122043100\r\n", false, false
	case "QUIT":
		return "205 bye\r\n", false, true
	}
	return "500 unknown\r\n", false, false
}

func sieve(line string) (string, bool, bool) {
	word, rest, _ := strings.Cut(line, " ")
	switch strings.ToUpper(word) {
	case "STARTTLS":
		return "OK \"begin\"\r\n", true, false
	case "NOOP":
		return "OK (TAG " + rest + ") \"done\"\r\n", false, false
	case "LOGOUT":
		return "OK \"Logout completed.\"\r\n", false, true
	}
	return "NO \"unknown\"\r\n", false, false
}

func irc(line string) (string, bool, bool) {
	word, rest, _ := strings.Cut(line, " ")
	switch strings.ToUpper(word) {
	case "CAP":
		return ":irc.test CAP * LS :tls\r\n", false, false
	case "STARTTLS":
		return ":irc.test 670 * :begin\r\n", true, false
	case "PING":
		return ":irc.test PONG irc.test :" + rest + "\r\n", false, false
	case "QUIT":
		return "ERROR :bye\r\n", false, true
	}
	return ":irc.test 421 * " + word + " :unknown\r\n", false, false
}

// StartTLSInjection speaks one of smtp, lmtp, imap, pop3, ftp, nntp, sieve and irc. What comes behind the command that begins TLS and
// before TLS begins, a sick one carries out as if it had come through TLS (CVE-2011-0411); its twin forgets it.
func StartTLSInjection(t testing.TB, protocol string, sick bool) *Server {
	t.Helper()
	d, ok := dialects()[protocol]
	if !ok {
		t.Fatalf("no dialect for %s", protocol)
	}
	l := listener(t, modern(t))
	return Start(t, func(nc net.Conn) {
		_, _ = io.WriteString(nc, d.greeting)
		in := bufio.NewReader(nc)
		if !d.serve(in, nc) {
			return
		}
		waiting := make([]byte, in.Buffered())
		_, _ = io.ReadFull(in, waiting)
		// The bytes of the client's hello may be among them, behind a command in plain text.
		text, hello := splitHello(waiting)
		c := l.Upgrade(&prefixed{nc, hello})
		defer c.Close()
		secured := io.Reader(c)
		if sick {
			secured = io.MultiReader(strings.NewReader(text), c)
		}
		if c.Handshake() == nil {
			_, _ = io.WriteString(c, d.again)
			d.serve(bufio.NewReader(secured), c)
		}
	})
}

// serve answers commands until the one that begins TLS (true) or the end.
func (d dialect) serve(in *bufio.Reader, out io.Writer) bool {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return false
		}
		text, startTLS, quit := d.answer(strings.TrimRight(line, "\r\n"))
		if _, err := fmt.Fprint(out, text); err != nil || quit {
			return false
		}
		if startTLS {
			return true
		}
	}
}

// splitHello parts text from a TLS record that begins behind it.
func splitHello(b []byte) (text string, hello []byte) {
	if i := strings.IndexByte(string(b), 0x16); i >= 0 {
		return string(b[:i]), b[i:]
	}
	return string(b), nil
}

// prefixed is a connection of which a piece was read already.
type prefixed struct {
	net.Conn
	first []byte
}

// Read gives the piece first.
func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.first) > 0 {
		n := copy(b, p.first)
		p.first = p.first[n:]
		return n, nil
	}
	return p.Conn.Read(b)
}
