package notify

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/freeport"
	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/pkitest"
)

var when = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func message() Message {
	return Message{Link: "https://monitor.example/incidents/i1", Notice: incident.Notice{ID: "i1.1", Incident: "i1", Key: incident.Key{Kind: "expiry", Subject: "abc"}, Event: incident.Raised,
		At: when, Since: when.Add(-time.Hour), Severity: incident.Critical, Step: "7d", Title: "the certificate of a.example runs out", Text: "6 days are left\x1b[2J", Targets: []string{"a.example:443"}, Affected: 3}}
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, c config.Channel) Channel {
	t.Helper()
	c.Name = "test"
	ch, err := New(c, Options{Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// mailServer speaks enough SMTP to take messages, over TLS by crypto/tls: at once, after STARTTLS, or never.
type mailServer struct {
	net.Listener
	security string
	config   *tls.Config
	answer   string // to DATA's end; "": 250
	refuse   string // recipients with this in them are unknown; "": none is
	got      chan string
	login    chan string
}

func newMailServer(t *testing.T, security string) (*mailServer, string) {
	t.Helper()
	ca := pkitest.New(t, pkitest.P256)
	leaf := ca.Server(pkitest.P256)
	roots := ca.RootFile()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &mailServer{Listener: l, security: security, got: make(chan string, 4), login: make(chan string, 4),
		config: &tls.Config{Certificates: []tls.Certificate{{Certificate: leaf.Chain, PrivateKey: leaf.Key}}}}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s, roots
}

func (s *mailServer) serve(c net.Conn) {
	defer c.Close()
	if s.security == "tls" {
		c = tls.Server(c, s.config)
	}
	isSecure := s.security == "tls"
	r := bufio.NewReader(c)
	say := func(text string) { fmt.Fprintf(c, "%s\r\n", text) }
	say("220 test ready")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch strings.ToUpper(verb) {
		case "EHLO":
			say("250-test")
			if s.security == "starttls" && !isSecure {
				say("250-STARTTLS")
			}
			say("250 AUTH PLAIN")
		case "STARTTLS":
			say("220 go on")
			c = tls.Server(c, s.config)
			r, isSecure = bufio.NewReader(c), true
		case "AUTH":
			s.login <- rest
			say("235 welcome")
		case "DATA":
			say("354 go on")
			var text strings.Builder
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				text.WriteString(line)
			}
			if s.answer != "" {
				say(s.answer)
				continue
			}
			s.got <- fmt.Sprintf("secure=%v\r\n%s", isSecure, text.String())
			say("250 taken")
		case "RCPT":
			if s.refuse != "" && strings.Contains(rest, s.refuse) {
				say("550 no such user")
				continue
			}
			say("250 ok")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func TestEmailArrives(t *testing.T) {
	for _, security := range []string{"starttls", "tls", "none"} {
		t.Run(security, func(t *testing.T) {
			s, roots := newMailServer(t, security)
			_, port, _ := net.SplitHostPort(s.Addr().String())
			c := config.Channel{Kind: "email", Server: "localhost:" + port, Security: security, From: "monitor@a.example", To: []string{"ops@a.example"}, CA: roots}
			if security != "none" {
				c.User, c.Password = "monitor", file(t, "very secret\n")
			}
			if err := open(t, c).Send(t.Context(), message()); err != nil {
				t.Fatal(err)
			}
			got := <-s.got
			for _, want := range []string{"secure=" + strconv.FormatBool(security != "none"), "Subject: [CRITICAL] the certificate of a.example runs out", "X-Tlswright-Notice: i1.1", "Message-ID: <i1.1@a.example>",
				"In-Reply-To: <i1.0@a.example>", "Auto-Submitted: auto-generated", `6 days are left\x1b`, "a.example:443 and 2 more", "tlswright monitor ack i1"} {
				if !strings.Contains(strings.ReplaceAll(got, "=\r\n", ""), want) {
					t.Errorf("%q is not in the message:\n%s", want, got)
				}
			}
			if security != "none" {
				_, proof, _ := strings.Cut(<-s.login, " ")
				if text, _ := base64.StdEncoding.DecodeString(proof); string(text) != "\x00monitor\x00very secret" {
					t.Errorf("logged in with %q", text)
				}
			}
		})
	}
}

func TestEmailIsNotSentInTheClear(t *testing.T) {
	s, roots := newMailServer(t, "none") // it offers no STARTTLS
	_, port, _ := net.SplitHostPort(s.Addr().String())
	c := config.Channel{Kind: "email", Server: "localhost:" + port, From: "monitor@a.example", To: []string{"ops@a.example"}, CA: roots}
	if err := open(t, c).Send(t.Context(), message()); err == nil {
		t.Error("a message went over a connection without TLS")
	}
	other, _ := newMailServer(t, "starttls") // of another CA
	_, port, _ = net.SplitHostPort(other.Addr().String())
	c.Server = "localhost:" + port
	if err := open(t, c).Send(t.Context(), message()); err == nil {
		t.Error("a message went to a server that is not trusted")
	}
	if len(s.got)+len(other.got) > 0 {
		t.Error("something arrived")
	}
}

func TestAServerThatRefusesForGoodIsToldApart(t *testing.T) {
	for answer, isFinal := range map[string]bool{"550 go away": true, "451 try later": false} {
		s, roots := newMailServer(t, "tls")
		s.answer = answer
		_, port, _ := net.SplitHostPort(s.Addr().String())
		err := open(t, config.Channel{Kind: "email", Security: "tls", Server: "localhost:" + port, From: "m@a.example", To: []string{"o@a.example"}, CA: roots}).Send(t.Context(), message())
		var refused *RefusedError
		if err == nil || errors.As(err, &refused) != isFinal {
			t.Errorf("%s: %v, refused %v", answer, err, refused != nil)
		}
	}
}

// receiver is a web server that answers with a status, and keeps what came.
func receiver(t *testing.T, status int) (url string, got chan *http.Request, bodies chan []byte) {
	t.Helper()
	got, bodies = make(chan *http.Request, 4), make(chan []byte, 4)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- r
		bodies <- body
		w.WriteHeader(status)
		io.WriteString(w, "because\x1b")
	}))
	t.Cleanup(s.Close)
	return s.URL, got, bodies
}

func TestAWebhookIsSigned(t *testing.T) {
	url, got, bodies := receiver(t, http.StatusNoContent)
	ch := open(t, config.Channel{Kind: "webhook", URLFile: file(t, url+"/hook?token=hidden\n"), Secret: file(t, "key")})
	if err := ch.Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	r, body := <-got, <-bodies
	at, err := strconv.ParseInt(r.Header.Get(TimeHeader), 10, 64)
	if err != nil || r.Header.Get(SignatureHeader) != Sign("key", at, body) || Sign("key", at, body) == Sign("other", at, body) || Sign("key", at, body) == Sign("key", at+1, body) {
		t.Errorf("the signature %q of %d does not fit", r.Header.Get(SignatureHeader), at)
	}
	var p Payload
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatal(err)
	}
	if r.Header.Get(IDHeader) != "i1.1" || p.ID != "i1.1" || p.Severity != incident.Critical || p.Event != incident.Raised || p.Affected != 3 || r.URL.RawQuery != "token=hidden" {
		t.Errorf("it got %+v with %v", p, r.Header)
	}
}

func TestWhatAWebhookAnswersIsJudged(t *testing.T) {
	for status, isFinal := range map[int]bool{http.StatusBadRequest: true, http.StatusNotFound: true, http.StatusFound: true, http.StatusTooManyRequests: false, http.StatusServiceUnavailable: false} {
		url, _, _ := receiver(t, status)
		err := open(t, config.Channel{Kind: "webhook", URL: url + "/hidden"}).Send(t.Context(), message())
		var refused *RefusedError
		if err == nil || errors.As(err, &refused) != isFinal || strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%d: %v, refused %v", status, err, refused != nil)
		}
	}
	closed, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	err = open(t, config.Channel{Kind: "webhook", URL: "http://" + closed + "/hidden"}).Send(t.Context(), message())
	if err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestSlackGetsBlocks(t *testing.T) {
	url, _, bodies := receiver(t, http.StatusOK)
	m := message()
	m.Title = "<!everyone> & *bold*"
	if err := open(t, config.Channel{Kind: "slack", URL: url}).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	body := <-bodies
	var got struct {
		Text   string
		Blocks []map[string]any
	}
	if err := json.Unmarshal(body, &got); err != nil || got.Text == "" || len(got.Blocks) != 3 {
		t.Fatalf("%v: %s", err, body)
	}
	text := got.Blocks[0]["text"].(map[string]any)["text"].(string)
	if strings.Contains(text, "<!") || strings.Contains(text, "*bold*") || !strings.Contains(text, "&lt;!everyone&gt;") {
		t.Errorf("a title means something to Slack: %s", text)
	}
}

// What a stranger's certificate says must not make a message that Slack refuses, nor call everybody.
func TestSlackTakesHostileTexts(t *testing.T) {
	url, _, bodies := receiver(t, http.StatusOK)
	m := message()
	m.Title, m.Text = strings.Repeat("<!channel>&@all ", 500), strings.Repeat("&<>", 2000)
	m.Targets = []string{strings.Repeat("&", 3000)}
	if err := open(t, config.Channel{Kind: "slack", URL: url}).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Text   string
		Blocks []struct {
			Text   struct{ Text string }
			Fields []struct{ Text string }
		}
	}
	if err := json.Unmarshal(<-bodies, &got); err != nil {
		t.Fatal(err)
	}
	// Slack's bounds: 3000 letters for the text of a section, 2000 for one of its fields.
	for _, b := range got.Blocks {
		if n := len([]rune(b.Text.Text)); n > 3000 {
			t.Errorf("a section has %d letters", n)
		}
		for _, f := range b.Fields {
			if n := len([]rune(f.Text)); n > 2000 {
				t.Errorf("a field has %d letters", n)
			}
			if strings.HasSuffix(strings.TrimSuffix(f.Text, "…"), "&am") {
				t.Error("an entity is cut in two")
			}
		}
	}
	for _, text := range []string{got.Text, got.Blocks[0].Text.Text} {
		if strings.Contains(text, "<!") || strings.Contains(text, "@all") {
			t.Errorf("somebody is called: %.60s", text)
		}
	}
}

func TestLongTextsAreCut(t *testing.T) {
	m := message()
	m.Title, m.Text = strings.Repeat("very long ", 1000), strings.Repeat("ä", 100_000)
	if n := len(Subject(&m)); n > 400 {
		t.Errorf("a subject has %d bytes", n)
	}
	if n := len(Body(&m)); n > 20_000 {
		t.Errorf("a message has %d bytes", n)
	}
	if p := payload(&m); len(p.Text) > 20_000 || len(p.Title) > 4000 {
		t.Errorf("a payload has a text of %d bytes", len(p.Text))
	}
}

func TestSecretsComeFromTheEnvironmentToo(t *testing.T) {
	url, got, bodies := receiver(t, http.StatusOK)
	t.Setenv("TEST_HOOK", strings.Replace(url, "http://", "http://me:my%20word@", 1)+"/hidden")
	t.Setenv("TEST_KEY", "key")
	if err := open(t, config.Channel{Kind: "webhook", URLFile: "env:TEST_HOOK", Secret: "env:TEST_KEY"}).Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	r, body := <-got, <-bodies
	at, _ := strconv.ParseInt(r.Header.Get(TimeHeader), 10, 64)
	if r.Header.Get(SignatureHeader) != Sign("key", at, body) {
		t.Error("the signature does not fit")
	}
	if user, word, ok := r.BasicAuth(); !ok || user != "me" || word != "my word" {
		t.Errorf("it came as %q, %v", user, ok)
	}
	_, err := New(config.Channel{Name: "x", Kind: "webhook", URL: url, Secret: "env:TEST_MISSING"}, Options{})
	if err == nil || !strings.Contains(err.Error(), "TEST_MISSING") {
		t.Errorf("a variable that is not set: %v", err)
	}
}

func TestACommandGetsTheNotice(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	ch := open(t, config.Channel{Kind: "command", Command: []string{"sh", "-c", `{ cat; echo "$TLSWRIGHT_SEVERITY $TLSWRIGHT_ID"; } > "$0"`, out}})
	if err := ch.Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out)
	if err != nil || !strings.Contains(string(text), `"id":"i1.1"`) || !strings.HasSuffix(string(text), "critical i1.1\n") {
		t.Errorf("it got %s, %v", text, err)
	}
	err = open(t, config.Channel{Kind: "command", Command: []string{"sh", "-c", "echo no way; exit 3"}}).Send(t.Context(), message())
	if err == nil || !strings.Contains(err.Error(), "exit status 3: no way") {
		t.Errorf("a command that fails: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := open(t, config.Channel{Kind: "command", Command: []string{"sleep", "1000"}}).Send(ctx, message()); !errors.Is(err, context.Canceled) {
		t.Errorf("a command that is given up: %v", err)
	}
}

func TestSettingsThatDoNotFit(t *testing.T) {
	everybody := file(t, "secret")
	if err := os.Chmod(everybody, 0o604); err != nil {
		t.Fatal(err)
	}
	for _, c := range []config.Channel{
		{Kind: "pigeon"},
		{Kind: "email", Server: "smtp.example", From: "a@b", To: []string{"c@d"}},
		{Kind: "email", Server: "smtp.example:25", From: "a@b"},
		{Kind: "email", Server: "smtp.example:25", From: "not an address", To: []string{"c@d"}},
		{Kind: "email", Server: "smtp.example:25", From: "a@b", To: []string{"c@d"}, Security: "maybe"},
		{Kind: "email", Server: "smtp.example:25", From: "a@b", To: []string{"c@d"}, Security: "none", User: "u"},
		{Kind: "email", Server: "smtp.example:25", From: "a@b", To: []string{"c@d"}, Password: "/nowhere"},
		{Kind: "webhook", URL: "ftp://a"},
		{Kind: "webhook", URL: "https://a.example", Secret: everybody},
		{Kind: "webhook", URL: "https://a.example", Secret: file(t, "\n")},
		{Kind: "slack"},
		{Kind: "slack", URL: "https://a.example", CA: "/nowhere"},
		{Kind: "command"},
		{Kind: "command", Command: []string{"there-is-no-such-program"}},
	} {
		if _, err := New(c, Options{}); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

func TestWhoIsToldOfWhat(t *testing.T) {
	n := message().Notice
	for _, test := range []struct {
		channel config.Channel
		want    bool
	}{
		{config.Channel{}, true},
		{config.Channel{Least: "critical"}, true},
		{config.Channel{Least: "emergency"}, false},
		{config.Channel{Targets: []string{"*.example:443"}}, true},
		{config.Channel{Targets: []string{"b.*"}}, false},
	} {
		if got := Wants(&test.channel, &n); got != test.want {
			t.Errorf("%+v is told: %v", test.channel, got)
		}
	}
	// Only so many targets are named in a message; all of them choose the channels.
	n.All = []string{"a.example:443", "b.example:443", "z.example:443"}
	if !Wants(&config.Channel{Targets: []string{"z.*"}}, &n) {
		t.Error("a channel is not told of the last of many targets")
	}
}

func TestSubjectsSayWhatHasHappened(t *testing.T) {
	for event, want := range map[incident.Event]string{incident.Opened: "[CRITICAL]", incident.ResolvedNow: "[RESOLVED]", incident.Acknowledged: "[ACKNOWLEDGED]", incident.Escalated: "[CRITICAL, NOT ACKNOWLEDGED]"} {
		m := message()
		m.Event = event
		if got := Subject(&m); !strings.HasPrefix(got, want+" ") {
			t.Errorf("%s: %s", event, got)
		}
	}
	if got := Subject(&Message{Test: true}); !strings.HasPrefix(got, "[TEST]") {
		t.Error(got)
	}
}
