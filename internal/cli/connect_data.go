package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/tlswright/tlswright/tlsnet"
)

// exchange carries data over an established connection: everything of src to the peer, then close_notify for our
// direction, and everything the peer sends to dst until it closes as well. TLS 1.2 has no closing of one direction: a
// peer that gets close_notify answers no more (RFC 5246, Section 7.2.1). There we close once the peer has fallen silent,
// and with mail servers and their kin, too, which take close_notify for a client that has gone away.
type exchange struct {
	conn     *tlsnet.Conn
	src      io.Reader
	dst      io.Writer
	patience time.Duration // how long the peer may be silent once we have nothing more to say

	closesLast bool // only when the peer has fallen silent

	sent     atomic.Int64
	received int64
	isSent   atomic.Bool
	wentMute bool // the peer neither sent nor closed within patience
}

// run carries the data. It returns nil where both directions ended in order, or where the peer only did not close.
func (e *exchange) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { e.conn.Close() })
	defer stop()
	sending := make(chan error, 1)
	go func() { sending <- e.send() }()
	err := e.receive()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	// The peer has closed. A sender that is still waiting for input has nobody left to send it to.
	select {
	case err := <-sending:
		return err
	default:
		return nil
	}
}

func (e *exchange) send() error {
	buf := make([]byte, 64<<10)
	for {
		n, err := e.src.Read(buf)
		if err == io.EOF { // before the last bytes leave: their answer may be here before we are back
			if derr := e.lastWord(); derr != nil {
				return derr
			}
		}
		if n > 0 {
			if _, werr := e.conn.Write(buf[:n]); werr != nil {
				return werr
			}
			e.sent.Add(int64(n))
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return cannotRun(err, "reading what to send")
		}
	}
	if e.closesLast {
		return nil
	}
	return e.conn.CloseWrite()
}

// lastWord notes that we have nothing to say but what is being sent, and begins to lose patience.
func (e *exchange) lastWord() error {
	e.isSent.Store(true)
	return e.conn.SetReadDeadline(time.Now().Add(e.patience))
}

// wholeText reads a text. Its end comes along with the last of it, and not behind.
type wholeText struct{ *strings.Reader }

// Read implements io.Reader.
func (t wholeText) Read(p []byte) (int, error) {
	n, err := t.Reader.Read(p)
	if err == nil && t.Len() == 0 {
		err = io.EOF
	}
	return n, err
}

// silence is how long a peer that has begun to answer must say nothing to be done, where we close last.
const silence = 500 * time.Millisecond

func (e *exchange) receive() error {
	buf := make([]byte, 64<<10)
	for {
		n, err := e.conn.Read(buf)
		if n > 0 {
			e.received += int64(n)
			if _, werr := e.dst.Write(buf[:n]); werr != nil {
				return cannotRun(werr, "writing what was received")
			}
			if e.isSent.Load() {
				patience := e.patience
				if e.closesLast {
					patience = min(patience, silence)
				}
				e.conn.SetReadDeadline(time.Now().Add(patience))
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded) && e.closesLast:
			return e.conn.CloseWrite()
		case errors.Is(err, os.ErrDeadlineExceeded):
			e.wentMute = true
			if e.received == 0 && e.sent.Load() > 0 {
				return err
			}
			return nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return &failure{kind: kindTLS, err: err, text: "the peer broke off without close_notify: what it sent may be incomplete"}
		case err != nil:
			return err
		}
	}
}

// dataJSON is the data of a connection in --json.
type dataJSON struct {
	Sent           int64  `json:"sent_bytes"`
	Received       int64  `json:"received_bytes"`
	ReceivedSHA256 string `json:"received_sha256"`
	Text           string `json:"received_text,omitempty"`   // where it is UTF-8
	Base64         string `json:"received_base64,omitempty"` // where it is not
	IsCut          bool   `json:"received_is_cut"`           // text or base64 hold only the beginning
}

// collector keeps what --json shows of received data: the beginning, and the digest of all.
type collector struct {
	kept bytes.Buffer
	sum  hash.Hash
}

const keptData = 1 << 20 // bytes

func newCollector() *collector { return &collector{sum: sha256.New()} }

func (c *collector) Write(p []byte) (int, error) {
	c.sum.Write(p)
	c.kept.Write(p[:min(len(p), keptData-c.kept.Len())])
	return len(p), nil
}

func (c *collector) json(e *exchange) *dataJSON {
	j := &dataJSON{
		Sent: e.sent.Load(), Received: e.received, ReceivedSHA256: hex.EncodeToString(c.sum.Sum(nil)),
		IsCut: int64(c.kept.Len()) < e.received,
	}
	if utf8.Valid(c.kept.Bytes()) {
		j.Text = c.kept.String()
	} else {
		j.Base64 = base64.StdEncoding.EncodeToString(c.kept.Bytes())
	}
	return j
}

// firstWord is how long a pipe may say nothing, not even that it is empty, before it is taken for one that will say something.
// Whoever starts a program closes the pipe's other end a moment later, and on a busy machine not before a few hundred
// milliseconds have passed: a report that went to stderr then, though nothing was sent, would depend on that.
const firstWord = time.Second

// pipedData returns what is piped in, or nil where that is nothing: programs often start others with an empty pipe as
// standard input and mean nothing by it. A pipe that says nothing at first is taken for one that will.
func pipedData(in io.Reader) io.Reader {
	type piece struct {
		data []byte
		err  error
	}
	first := make(chan piece, 1)
	go func() {
		buf := make([]byte, 64<<10)
		n, err := in.Read(buf)
		first <- piece{buf[:n], err}
	}()
	rest := func(p piece) io.Reader {
		if p.err != nil {
			return io.MultiReader(bytes.NewReader(p.data), failingReader{p.err})
		}
		return io.MultiReader(bytes.NewReader(p.data), in)
	}
	select {
	case p := <-first:
		if len(p.data) == 0 && p.err == io.EOF {
			return nil
		}
		return rest(p)
	case <-time.After(firstWord):
		return &lateReader{open: func() io.Reader { return rest(<-first) }}
	}
}

// failingReader has only an error to give.
type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

// lateReader is a reader that is there once somebody reads from it.
type lateReader struct {
	open func() io.Reader
	r    io.Reader
}

func (l *lateReader) Read(p []byte) (int, error) {
	if l.r == nil {
		l.r = l.open()
	}
	return l.r.Read(p)
}
