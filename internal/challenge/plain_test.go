package challenge_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/challenge"
)

// rawServer answers every connection with a text, and then closes it, or holds on to it.
func rawServer(t *testing.T, text string, hold bool) *challenge.Validator {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				r := bufio.NewReader(c)
				for line := ""; line != "\r\n"; {
					if line, err = r.ReadString('\n'); err != nil {
						return
					}
				}
				if _, err := io.WriteString(c, text); err == nil && hold {
					_, _ = io.Copy(io.Discard, c) // until the other side goes
				}
			}()
		}
	}()
	_, r := newZone(t)
	return validator(t, challenge.Options{Gate: loopback(), HTTPPort: port(t, l.Addr().String())}, r)
}

// TestOddAnswers has servers answer in ways that few do.
func TestOddAnswers(t *testing.T) {
	tk := task(acme.HTTP01, "a.example")
	proof := acme.KeyAuthorization(tk.Token, thumbprint)
	whole := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(proof), proof)
	hints := "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
	for _, c := range []struct {
		name, text string
		want       acme.ProblemType
		words      string
	}{
		{"hints before it", hints + hints + whole, "", ""},
		{"hints for ever", strings.Repeat(hints, 100), acme.Connection, "for the time being"},
		{"chunks", fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(proof), proof), "", ""},
		{"until the end", "HTTP/1.0 200 OK\r\n\r\n" + proof, "", ""},
		{"an endless head", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-More: of it\r\n", 10000), acme.Connection, ""},
		{"a head of one line", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20), acme.Connection, ""},
		{"half an answer", whole[:len(whole)-3], acme.Connection, "EOF"},
		{"nothing", "", acme.Connection, "EOF"},
		{"no HTTP", "220 mail.example ESMTP\r\n", acme.Connection, ""},
		{"two lengths", fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: %d\r\n\r\n%s", len(proof), proof), acme.Connection, ""},
	} {
		check(t, c.name, rawServer(t, c.text, false).Validate(t.Context(), tk), c.want, c.words)
	}
	check(t, "a connection that stays", rawServer(t, whole, true).Validate(t.Context(), tk), "", "")
}

// TestIPv6IsAskedForWhereItIsNeeded has names without IPv4, and with IPv4 where nobody listens.
func TestIPv6IsAskedForWhereItIsNeeded(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here: ", err)
	}
	tk := task(acme.HTTP01, "six.example")
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, acme.KeyAuthorization(tk.Token, thumbprint))
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	z, r := newZone(t)
	z.set("six.example. AAAA", "::1")
	z.set("both.example. AAAA", "::1")
	z.set("both.example. A", "127.0.0.77")
	z.set("four.example. A", "127.0.0.77")
	v := validator(t, challenge.Options{Gate: loopback(), HTTPPort: port(t, l.Addr().String())}, r)
	check(t, "IPv6 alone", v.Validate(t.Context(), tk), "", "")
	check(t, "IPv6 besides", v.Validate(t.Context(), task(acme.HTTP01, "both.example")), "", "")
	check(t, "IPv4 alone", v.Validate(t.Context(), task(acme.HTTP01, "four.example")), acme.Connection, "127.0.0.77")
	check(t, "neither", v.Validate(t.Context(), task(acme.HTTP01, "none.example")), acme.DNS, "no address")
}
