package notify

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/starttls"
	"github.com/tlswright/tlswright/tlsnet"
)

// email sends by a mail server. TLS is our own: the library is given a connection that is protected already.
type email struct {
	config.Channel
	host    string
	port    int
	dialer  *tlsnet.Dialer
	now     func() time.Time
	timeout time.Duration
}

func newEmail(c config.Channel, o Options, roots []*x509.Certificate) (*email, error) {
	host, port, err := net.SplitHostPort(c.Server)
	number, portErr := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil || portErr != nil || host == "" || number == 0:
		return nil, fmt.Errorf("server %q is no host and port, as smtp.example:587", c.Server)
	case c.From == "" || len(c.To) == 0:
		return nil, errors.New("from and to are needed")
	case c.User != "" && c.Security == "none":
		return nil, errors.New("a password is not sent without TLS: take security starttls or tls")
	}
	e := &email{Channel: c, host: host, port: int(number), now: o.Now, timeout: o.Timeout}
	switch c.Security {
	case "", "starttls", "tls", "none":
	default:
		return nil, fmt.Errorf("security %q is none of starttls, tls and none", c.Security)
	}
	if e.dialer, err = tlsnet.NewDialer(client(roots, o.Now)); err != nil {
		return nil, err
	}
	if c.Password != "" {
		if _, err := Secret(c.Password); err != nil {
			return nil, err
		}
	}
	_, err = e.compose(&Message{Test: true}, e.To)
	return e, err
}

// Send implements Channel. Where a server knows one of the recipients and not another, each gets a message of his own.
func (e *email) Send(ctx context.Context, m Message) error {
	err := e.send(ctx, &m, e.To)
	var refused *mail.SendError
	if len(e.To) < 2 || !errors.As(err, &refused) || refused.Reason != mail.ErrSMTPRcptTo || refused.IsTemp() {
		return err
	}
	var failed []error
	for _, to := range e.To {
		if err := e.send(ctx, &m, []string{to}); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", to, err))
		}
	}
	switch len(failed) {
	case 0:
		return nil
	case len(e.To):
		return err
	}
	return &PartialError{errors.Join(failed...)}
}

// send brings a message to some of the recipients, to all of them or to none.
func (e *email) send(ctx context.Context, m *Message, to []string) error {
	message, err := e.compose(m, to)
	if err != nil {
		return &RefusedError{err}
	}
	options := []mail.Option{mail.WithPort(e.port), mail.WithTLSPolicy(mail.NoTLS), mail.WithDialContextFunc(e.dial), mail.WithoutNoop(), mail.WithTimeout(e.timeout)}
	if e.User != "" {
		password, err := Secret(e.Password)
		if err != nil {
			return &RefusedError{err}
		}
		// The connection is protected, which the library cannot see.
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthPlainNoEnc), mail.WithUsername(e.User), mail.WithPassword(password))
	}
	c, err := mail.NewClient(e.host, options...)
	if err != nil {
		return &RefusedError{err}
	}
	if err := c.DialAndSendWithContext(ctx, message); err != nil {
		return e.explain(err)
	}
	return nil
}

// explain tells what will not go away by itself: a server that refuses for good (RFC 5321, Section 4.2.1).
func (e *email) explain(err error) error {
	var send *mail.SendError
	if errors.As(err, &send) && !send.IsTemp() && send.ErrorCode() >= 500 {
		return &RefusedError{fmt.Errorf("%s: %w", e.Server, err)}
	}
	return fmt.Errorf("%s: %w", e.Server, err)
}

// compose writes the message.
func (e *email) compose(m *Message, to []string) (*mail.Msg, error) {
	message := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := message.From(e.From); err != nil {
		return nil, fmt.Errorf("from: %w", err)
	}
	if err := message.To(to...); err != nil {
		return nil, fmt.Errorf("to: %w", err)
	}
	message.Subject(Subject(m))
	message.SetDateWithValue(e.now())
	message.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834, Section 5
	message.SetGenHeader("X-Tlswright-Notice", m.ID)
	_, domain, _ := strings.Cut(e.From, "@")
	domain = strings.Trim(domain, "> ")
	if m.ID != "" {
		message.SetMessageIDWithValue(m.ID + "@" + domain)
	}
	if m.Incident != "" && m.number() > 0 {
		// Mail programs put what is told of one incident together.
		first := "<" + m.Incident + ".0@" + domain + ">"
		message.SetGenHeader("In-Reply-To", first)
		message.SetGenHeader("References", first)
	}
	message.SetBodyString(mail.TypeTextPlain, Body(m))
	return message, nil
}

// number is which of its incident's messages it is, from 0.
func (m *Message) number() int {
	n, _ := strconv.Atoi(strings.TrimPrefix(m.ID, m.Incident+".")) // what is no number is the first
	return n
}

// dial connects, and goes over to TLS as far as the channel asks for it.
func (e *email) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if e.Security == "tls" {
		return e.dialer.Dial(ctx, network, address)
	}
	nc, err := e.dialer.Net.DialContext(ctx, network, address)
	if err != nil || e.Security == "none" {
		return nc, err
	}
	c, err := e.upgrade(ctx, nc)
	if err != nil {
		return nil, errors.Join(err, nc.Close())
	}
	return c, nil
}

func (e *email) upgrade(ctx context.Context, nc net.Conn) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok {
		if err := nc.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	if _, err := starttls.Negotiate(nc, starttls.SMTP, e.host); err != nil {
		return nil, err
	}
	c, err := e.dialer.Upgrade(nc, e.host)
	if err != nil {
		return nil, err
	}
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	// RFC 3207, Section 4.2: the client begins anew with EHLO. The library waits for a greeting first, which a server does
	// not say twice.
	return &greeted{Conn: c, greeting: strings.NewReader("220 ready\r\n")}, nil
}

// greeted is a connection that begins with a greeting.
type greeted struct {
	net.Conn
	greeting *strings.Reader
}

func (g *greeted) Read(p []byte) (int, error) {
	if g.greeting.Len() > 0 {
		return g.greeting.Read(p)
	}
	return g.Conn.Read(p)
}

var _ io.Reader = (*greeted)(nil)
