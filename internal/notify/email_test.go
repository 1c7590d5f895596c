package notify

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/config"
)

// A server that says nothing any more, at any point, is given up in time: other messages wait behind it.
func TestASilentMailServerIsGivenUp(t *testing.T) {
	for _, security := range []string{"starttls", "tls", "none"} {
		for _, last := range []string{"", "EHLO", "STARTTLS", "MAIL", "DATA"} {
			t.Run(security+" "+last, func(t *testing.T) {
				t.Parallel()
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				stop := make(chan struct{})
				defer close(stop)
				go func() {
					for {
						c, err := l.Accept()
						if err != nil {
							return
						}
						go func() {
							defer c.Close()
							go func() { <-stop; c.Close() }()
							if last == "" {
								<-stop
								return
							}
							r := bufio.NewReader(c)
							fmt.Fprint(c, "220 test\r\n")
							for {
								line, err := r.ReadString('\n')
								if err != nil {
									return
								}
								if strings.HasPrefix(line, last) {
									<-stop
									return
								}
								fmt.Fprint(c, map[bool]string{true: "250-test\r\n250 STARTTLS\r\n", false: "250 ok\r\n"}[strings.HasPrefix(line, "EHLO")])
							}
						}()
					}
				}()
				c := config.Channel{Name: "test", Kind: "email", Server: l.Addr().String(), Security: security, From: "a@a.example", To: []string{"b@a.example"}}
				ch, err := New(c, Options{Timeout: time.Second})
				if err != nil {
					t.Fatal(err)
				}
				ended := make(chan error, 1)
				go func() { ended <- ch.Send(t.Context(), message()) }()
				select {
				case err := <-ended:
					if err == nil {
						t.Error("it was delivered")
					}
				case <-time.After(time.Minute):
					t.Error("it waits for ever")
				}
			})
		}
	}
}

// One who has left the firm keeps nobody else from being told.
func TestARecipientWhoIsRefusedKeepsNothingFromTheOthers(t *testing.T) {
	s, roots := newMailServer(t, "tls")
	s.refuse = "gone@"
	_, port, _ := net.SplitHostPort(s.Addr().String())
	c := config.Channel{Kind: "email", Security: "tls", Server: "localhost:" + port, From: "m@a.example", To: []string{"one@a.example", "gone@a.example", "two@a.example"}, CA: roots}
	err := open(t, c).Send(t.Context(), message())
	var partial *PartialError
	if !errors.As(err, &partial) || !strings.Contains(err.Error(), "gone@a.example") {
		t.Errorf("it says %v", err)
	}
	if len(s.got) != 2 {
		t.Errorf("%d of 2 got it", len(s.got))
	}
	c.To = []string{"gone@a.example"}
	var refused *RefusedError
	if err := open(t, c).Send(t.Context(), message()); !errors.As(err, &refused) || errors.As(err, &partial) {
		t.Errorf("where nobody is left it says %v", err)
	}
}
