package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// poster sends JSON to an address that may be secret.
type poster struct {
	config.Channel
	transport *tlsnet.Transport
	now       func() time.Time
}

func newPoster(c config.Channel, o Options, roots []*x509.Certificate) (*poster, error) {
	p := &poster{Channel: c, now: o.Now, transport: &tlsnet.Transport{Config: client(roots, o.Now), AllowPlaintext: true, IdleConnTimeout: 5 * time.Second}}
	_, err := p.address()
	return p, err
}

// address is where to send. Its errors do not show it: whoever has it may write.
func (p *poster) address() (*url.URL, error) {
	text := p.URL
	if p.URLFile != "" {
		var err error
		if text, err = Secret(p.URLFile); err != nil {
			return nil, err
		}
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("its address is no http or https URL")
	}
	return u, nil
}

// post sends a body and judges the answer.
func (p *poster) post(ctx context.Context, body []byte, header http.Header) error {
	u, err := p.address()
	if err != nil {
		return &RefusedError{err}
	}
	if word, ok := u.User.Password(); ok { // what sends requests without a client leaves that to us
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+word)))
	}
	r := (&http.Request{Method: http.MethodPost, URL: u, Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }}).WithContext(ctx)
	response, err := p.transport.RoundTrip(r) // redirects are not followed: a notice goes where it was meant to go
	if err != nil {
		return fmt.Errorf("%s: %w", u.Host, withoutURL(err))
	}
	defer func() { _ = response.Body.Close() }() // the answer is judged by its status
	text, _ := io.ReadAll(io.LimitReader(response.Body, 512))
	switch code := response.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code >= 500:
		return fmt.Errorf("%s: %d %s", u.Host, code, pki.Printable(string(text)))
	default:
		return &RefusedError{fmt.Errorf("%s: %d %s", u.Host, code, pki.Printable(string(text)))}
	}
}

// withoutURL takes the address out of an error of net/http.
func withoutURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// webhook sends the notice as JSON, signed.
type webhook struct{ *poster }

func newWebhook(c config.Channel, o Options, roots []*x509.Certificate) (*webhook, error) {
	p, err := newPoster(c, o, roots)
	if err != nil {
		return nil, err
	}
	if c.Secret != "" {
		if _, err := Secret(c.Secret); err != nil {
			return nil, err
		}
	}
	return &webhook{p}, nil
}

// Payload is what a webhook gets. The names are stable.
type Payload struct {
	ID       string            `json:"id"` // of the notice: the same when it is sent again
	Event    incident.Event    `json:"event"`
	Severity incident.Severity `json:"severity"`
	Incident string            `json:"incident"`
	Kind     string            `json:"kind"`
	Subject  string            `json:"subject"`
	Title    string            `json:"title"`
	Text     string            `json:"text,omitempty"`
	Step     string            `json:"step,omitempty"`
	Targets  []string          `json:"targets,omitempty"`
	Affected int               `json:"affected"`
	At       time.Time         `json:"at"`
	Since    time.Time         `json:"since"`
	Link     string            `json:"link,omitempty"`
	Test     bool              `json:"test,omitempty"`
}

func payload(m *Message) Payload {
	return Payload{ID: m.ID, Event: m.Event, Severity: m.Severity, Incident: m.Incident, Kind: m.Key.Kind, Subject: m.Key.Subject, Title: cut(m.Title, maxTitle), Text: cut(m.Text, maxText), Step: m.Step,
		Targets: m.Targets, Affected: m.Affected, At: m.At, Since: m.Since, Link: m.Link, Test: m.Test}
}

// The headers of a signed webhook.
const (
	SignatureHeader = "X-Tlswright-Signature" // "sha256=" and the HMAC in hexadecimal, of time, a full stop and the body
	TimeHeader      = "X-Tlswright-Time"      // seconds since 1970, when it was sent: old ones should be refused
	IDHeader        = "Idempotency-Key"
)

// Sign is the signature of a body that is sent at a time.
func Sign(key string, at int64, body []byte) string {
	mac := hmac.New(sha256.New, []byte(key))
	fmt.Fprintf(mac, "%d.", at)
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// Send implements Channel.
func (w *webhook) Send(ctx context.Context, m Message) error {
	body, err := json.Marshal(payload(&m))
	if err != nil {
		return &RefusedError{err}
	}
	at := w.now().Unix()
	header := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"tlswright"}, TimeHeader: {strconv.FormatInt(at, 10)}, IDHeader: {m.ID}}
	if w.Secret != "" {
		key, err := Secret(w.Secret)
		if err != nil {
			return &RefusedError{err}
		}
		header.Set(SignatureHeader, Sign(key, at, body))
	}
	return w.post(ctx, body, header)
}

// slack sends to an incoming webhook of Slack, or of what understands the same (Mattermost, Rocket.Chat).
type slack struct{ *poster }

func newSlack(c config.Channel, o Options, roots []*x509.Certificate) (*slack, error) {
	p, err := newPoster(c, o, roots)
	return &slack{p}, err
}

// Send implements Channel.
func (s *slack) Send(ctx context.Context, m Message) error {
	type field struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	type block struct {
		Type   string  `json:"type"`
		Text   *field  `json:"text,omitempty"`
		Fields []field `json:"fields,omitempty"`
	}
	bold := func(label, text string) field { return field{"mrkdwn", "*" + label + "*\n" + escape(text, 1500)} }
	blocks := []block{{Type: "section", Text: &field{"mrkdwn", sign(&m) + " *" + escape(Subject(&m), 800) + "*\n" + escape(m.Text, 2000)}}}
	fields := []field{bold("Kind", m.Key.Kind)}
	if len(m.Targets) > 0 {
		text := cut(strings.Join(m.Targets, ", "), 1000)
		if m.Affected > len(m.Targets) {
			text += fmt.Sprintf(" and %d more", m.Affected-len(m.Targets))
		}
		fields = append(fields, bold("Affected", text))
	}
	if m.Incident != "" {
		fields = append(fields, bold("Incident", m.Incident))
	}
	blocks = append(blocks, block{Type: "section", Fields: fields})
	if m.Link != "" {
		blocks = append(blocks, block{Type: "section", Text: &field{"mrkdwn", "<" + escape(m.Link, 2000) + "|more>"}})
	}
	body, err := json.Marshal(map[string]any{"text": escape(Subject(&m), 800), "blocks": blocks})
	if err != nil {
		return &RefusedError{err}
	}
	return s.post(ctx, body, http.Header{"Content-Type": {"application/json"}, "User-Agent": {"tlswright"}})
}

// sign is a picture that is seen from afar.
func sign(m *Message) string {
	switch {
	case m.Test:
		return ":wave:"
	case m.Event == incident.ResolvedNow:
		return ":white_check_mark:"
	case m.Severity >= incident.Critical:
		return ":rotating_light:"
	}
	return ":warning:"
}

// escape keeps a text from meaning anything to Slack: emphasis, links, and names that would call everybody. It has at most so
// many letters, as Slack refuses what is longer and nobody would hear of it.
func escape(s string, most int) string {
	special := map[rune]string{'&': "&amp;", '<': "&lt;", '>': "&gt;", '*': "∗", '`': "'", '@': "@\u200b"} // the last: no letter is behind it
	var b strings.Builder
	for _, r := range pki.Printable(s) {
		piece, ok := special[r]
		if !ok {
			piece = string(r)
		}
		if most -= utf8.RuneCountInString(piece); most < 1 {
			b.WriteString("…")
			break
		}
		b.WriteString(piece)
	}
	return b.String()
}
