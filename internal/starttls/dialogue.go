package starttls

import (
	"bytes"
	"errors"
	"io"
	"strings"
)

// The limits on what a server may say before TLS. The largest greeting and list of capabilities seen is below 2 KiB.
const (
	maxLine  = 4 << 10  // bytes
	maxTotal = 64 << 10 // bytes
	maxLines = 256      // of one answer
)

// Upgrade is a plain-text dialogue that led to TLS.
type Upgrade struct {
	// Greeting is how the server introduced itself, not made safe for a terminal: its first line, the version of MySQL.
	// Empty where the client speaks first.
	Greeting string
	Command  string // that the server agreed to: "STARTTLS", "STLS", "AUTH TLS" …
}

// Negotiate leads the dialogue of p over conn up to the point where both sides begin the TLS handshake. name is how the
// client calls itself where the protocol wants that (SMTP: a host name or "[192.0.2.1]"). It blocks until the server has
// answered: the caller sets a deadline. The error is an *[Error]; the connection is good for nothing then.
//
// The agreement must be the last thing the server said. What comes behind it in the same breath was not protected by
// TLS, and is refused instead of being thrown away (RFC 3207, Section 6, and CVE-2011-0411).
//
// XMPP asks for a server by its name; see [NegotiateFor].
func Negotiate(conn io.ReadWriter, p Protocol, name string) (Upgrade, error) {
	return NegotiateFor(conn, p, name, "")
}

// NegotiateFor is Negotiate with the name of the server that is asked for: XMPP servers serve many, and refuse a name that
// is none of theirs. Without one, name is sent.
func NegotiateFor(conn io.ReadWriter, p Protocol, name, server string) (Upgrade, error) {
	if server == "" {
		server = name
	}
	d := &dialogue{conn: conn, protocol: p, name: name, server: server, step: "greeting"}
	run := p.about().dialogue
	if run == nil {
		return Upgrade{}, &Error{Protocol: p, Step: "greeting", Reason: "this protocol has no upgrade to TLS"}
	}
	if err := run(d); err != nil {
		return Upgrade{}, err
	}
	if err := d.nothingLeft(); err != nil {
		return Upgrade{}, err
	}
	return Upgrade{Greeting: d.greeting, Command: d.step}, nil
}

// dialogue is a conversation with a server in plain text.
type dialogue struct {
	conn     io.ReadWriter
	protocol Protocol
	name     string
	server   string // that is asked for
	greeting string

	step  string // whose answer is read
	line  int    // of that answer
	buf   []byte // read, but not looked at yet
	total int    // bytes read so far
}

func (d *dialogue) fail(kind Kind, answer, reason string) error {
	return &Error{Kind: kind, Protocol: d.protocol, Step: d.step, Line: d.line, Reason: reason, Answer: answer}
}

func (d *dialogue) broken(err error, reason string) error {
	return &Error{Kind: Broken, Protocol: d.protocol, Step: d.step, Line: d.line, Reason: reason, Err: err}
}

const moreThanAnswer = "the server says more than its answer, which may be injected plain text"

// nothingLeft refuses what the server said beyond its answer.
func (d *dialogue) nothingLeft() error {
	if len(d.buf) == 0 {
		return nil
	}
	return d.fail(Injected, string(d.buf[:min(len(d.buf), 80)]), moreThanAnswer)
}

// send says something, once all that the server said before is understood.
func (d *dialogue) send(step string, message []byte) error {
	if err := d.nothingLeft(); err != nil {
		return err
	}
	d.step, d.line = step, 0
	if _, err := d.conn.Write(message); err != nil {
		return d.broken(err, "the connection failed")
	}
	return nil
}

// command sends a line.
func (d *dialogue) command(step, line string) error { return d.send(step, []byte(line+"\r\n")) }

// fill reads some more.
func (d *dialogue) fill() error {
	if d.total >= maxTotal {
		return d.fail(TooLong, "", "the server talks without end")
	}
	var chunk [2048]byte
	for range 16 { // a reader may return nothing a few times
		n, err := d.conn.Read(chunk[:])
		d.buf = append(d.buf, chunk[:n]...)
		d.total += n
		if n > 0 {
			return nil
		}
		if err == io.EOF {
			return d.broken(io.ErrUnexpectedEOF, "the server closed the connection")
		}
		if err != nil {
			return d.broken(err, "the connection failed")
		}
	}
	return d.broken(io.ErrNoProgress, "the connection failed")
}

// take returns the next n bytes.
func (d *dialogue) take(n int) ([]byte, error) {
	for len(d.buf) < n {
		if err := d.fill(); err != nil {
			return nil, err
		}
	}
	taken := d.buf[:n]
	d.buf = d.buf[n:]
	return taken, nil
}

// readLine returns the next line without its end.
func (d *dialogue) readLine() (string, error) {
	d.line++
	if d.line > maxLines {
		return "", d.fail(TooLong, "", "the answer has too many lines")
	}
	for {
		if end := bytes.IndexByte(d.buf, '\n'); end >= 0 && end <= maxLine {
			line, hasCR := strings.CutSuffix(string(d.buf[:end]), "\r")
			d.buf = d.buf[end+1:]
			if !hasCR || strings.ContainsRune(line, '\r') {
				return "", d.fail(Malformed, line, "a line must end in CR LF")
			}
			return line, nil
		} else if end > maxLine || len(d.buf) > maxLine {
			return "", d.fail(TooLong, string(d.buf[:80]), "the line is too long")
		}
		if err := d.fill(); err != nil {
			var e *Error
			if errors.As(err, &e) && e.Kind == Broken && len(d.buf) > 0 {
				e.Answer = string(d.buf[:min(len(d.buf), 80)])
			}
			return "", err
		}
	}
}

// hasWord reports whether a line has a word, in small or capital letters.
func hasWord(line, word string) bool {
	for f := range strings.FieldsSeq(line) {
		if strings.EqualFold(f, word) {
			return true
		}
	}
	return false
}
