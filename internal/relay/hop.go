package relay

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"
)

// hop is one request on its way to an upstream, and the response on its way back.
type hop struct {
	up    *Upstream
	w     http.ResponseWriter
	r     *http.Request
	front *response // w, where it is one of ours; nil: it is not

	link    *link
	out     []byte // the request's head
	upgrade string // the protocol that the client wants to change to, lower case; "": none
	pump    *pump  // sends the content; nil: there is none, or it went with the head
	inline  bool   // there is content, and it goes with the head
	content content

	heard    bool // something of an answer has come
	begun    bool // the client has got something of the answer
	disarm   func() bool
	deserted atomic.Bool // the client has gone
}

const (
	// answerHead and answerFields bound the head of a response.
	answerHead   = 64 << 10
	answerFields = 256
	// maxInforms bounds the informational responses before the one that counts.
	maxInforms = 16
	// hopBrief is how long an answer is waited for before the client is watched, too: most come sooner.
	hopBrief = time.Second
)

// run makes the exchange.
func (x *hop) run() error {
	out := x.up.pool.get(smallBuffer)
	defer func() { x.up.pool.put(x.out) }()
	var err error
	if x.out, err = x.appendRequest(out[:0]); err != nil {
		return err
	}
	// Content that has come already goes along, if it is the front's own and nobody has touched it.
	if b, ok := x.r.Body.(*requestBody); ok && x.front != nil && b == &x.front.x.body && hasContent(x.r) {
		if p := b.takeWhole(x.r.ContentLength); p != nil {
			x.out, x.inline = append(x.out, p...), true
		}
	}
	defer x.stopWatching()
	for fresh := false; ; fresh = true {
		if err := x.connect(fresh); err != nil {
			return err
		}
		err := x.exchange()
		if err == nil {
			return nil
		}
		x.link.drop()
		if !x.mayRepeat(err) {
			return err
		}
	}
}

// connect gets a connection: a kept one, or with fresh always a new one.
func (x *hop) connect(fresh bool) error {
	if !fresh {
		if x.link = x.up.take(); x.link != nil {
			return nil
		}
	}
	l, err := x.up.dial(x.r.Context())
	switch {
	case err == nil:
		x.link = l
		return nil
	case x.r.Context().Err() != nil:
		return &Error{Reason: ReasonClient, Text: "the client went away", Err: err}
	case isTimeout(err) || errors.Is(err, context.DeadlineExceeded):
		return &Error{Status: http.StatusGatewayTimeout, Reason: ReasonConnect, Text: "the upstream could not be connected to in time", Err: err}
	}
	return &Error{Status: http.StatusBadGateway, Reason: ReasonConnect, Text: "the upstream could not be connected to", Err: err}
}

// mayRepeat reports whether the request may be sent once more: the connection had been used before and ended without a
// byte of an answer, and the request does no more harm twice than once (RFC 9110, Section 9.2.2; RFC 9112, Section 9.3.1).
func (x *hop) mayRepeat(err error) bool {
	if !x.link.reused || x.heard || x.begun || x.deserted.Load() || !isEnd(err) || x.r.Context().Err() != nil {
		return false
	}
	if hasContent(x.r) || x.upgrade != "" {
		return false
	}
	switch x.r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// isEnd reports whether an error is the end of a connection.
func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func hasContent(r *http.Request) bool {
	return r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0
}

// exchange sends the request on the link and hands the answer back.
func (x *hop) exchange() error {
	l := x.link
	l.writing.within(x.up.o.Stall)
	_, werr := l.conn.Write(x.out)
	if werr == nil && hasContent(x.r) && !x.inline {
		x.startPump()
		defer x.stopPump()
	}
	// An upstream that refuses may answer and close before it has read everything.
	if isTimeout(werr) {
		return x.noAnswer(werr)
	}
	n, err := x.answerHead()
	if err != nil {
		return x.noAnswer(errors.Join(werr, err))
	}
	if l.head.status == http.StatusSwitchingProtocols {
		return x.change(n)
	}
	return x.handBack(n)
}

// noAnswer says what an error means that came in the place of an answer.
func (x *hop) noAnswer(err error) error {
	var e *Error
	switch {
	case x.deserted.Load():
		return &Error{Reason: ReasonClient, Text: "the client went away", Err: err}
	case x.pump != nil && x.pump.clientError() != nil:
		return x.pump.clientError()
	case errors.As(err, &e): // it was no HTTP
		return &Error{Status: http.StatusBadGateway, Reason: ReasonBroken, Text: "the upstream's answer cannot be passed on", Err: e}
	case isTimeout(err):
		return &Error{Status: http.StatusGatewayTimeout, Reason: ReasonSlow, Text: "the upstream did not answer in time", Err: err}
	}
	return &Error{Status: http.StatusBadGateway, Reason: ReasonNoAnswer, Text: "the upstream ended the connection without an answer", Err: err}
}

// answerHead reads the head of the answer that counts, and hands informational ones on. The head stays buffered; its
// length is returned.
func (x *hop) answerHead() (int, error) {
	l := x.link
	for range maxInforms {
		var n int
		err := x.patiently(x.up.o.AnswerTime, func() (err error) {
			n, err = l.in.readHead(answerHead, 0)
			return err
		})
		x.heard = x.heard || len(l.in.buffered()) > 0
		if err != nil {
			return 0, err
		}
		if err := l.head.parseResponse(l.in.buffered()[:n], answerFields); err != nil {
			return 0, err
		}
		switch status := l.head.status; {
		case status == http.StatusContinue:
			if x.pump != nil {
				x.pump.release()
			}
		case status == http.StatusSwitchingProtocols:
			if x.upgrade == "" {
				return 0, bad(ReasonStart, "the protocol was changed unasked")
			}
			return n, nil
		case status < 200:
			x.informClient(n)
		default:
			return n, nil
		}
		l.in.take(n)
	}
	return 0, bad(ReasonStart, "there are too many informational responses")
}

// informClient hands an informational response on.
func (x *hop) informClient(n int) {
	h, theirs := x.w.Header(), x.fields(x.link.in.buffered()[:n])
	maps.Copy(h, theirs)
	x.w.WriteHeader(x.link.head.status)
	for name := range theirs {
		delete(h, name)
	}
}

// patiently calls read, which can be repeated after a time-out, for d at most: 0 is for ever. When the first moment is
// over the client is watched as well.
func (x *hop) patiently(d time.Duration, read func() error) error {
	in := &x.link.in
	var waited time.Duration
	for {
		slice := d
		if x.disarm == nil && (d == 0 || d > hopBrief) {
			slice = hopBrief
		}
		in.alarm.within(slice)
		err := read()
		if err == nil || !isTimeout(err) || x.deserted.Load() {
			return err
		}
		if waited += slice; d > 0 && waited >= d {
			if x.pump == nil || x.pump.finished() {
				return err
			}
			waited = 0 // the content is on its way still, and has limits of its own
		}
		if x.disarm == nil {
			x.watchClient()
		}
		in.alarm.forget()
	}
}

// watchClient breaks the exchange off when the client goes away.
func (x *hop) watchClient() {
	conn := x.link.conn
	x.disarm = context.AfterFunc(x.r.Context(), func() {
		x.deserted.Store(true)
		conn.SetDeadline(time.Unix(1, 0))
		conn.Close()
	})
}

// stopWatching reports whether the client was there to the end, and the link is left alone from here on.
func (x *hop) stopWatching() bool {
	if x.disarm == nil {
		return true
	}
	stopped := x.disarm()
	x.disarm = func() bool { return stopped }
	return stopped
}

// drop closes a link whose exchange went wrong.
func (l *link) drop() {
	l.in.drop()
	l.conn.Close()
}

// fail answers for an upstream that has not, or breaks off what cannot be finished.
func (x *hop) fail(err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Status: http.StatusBadGateway, Reason: ReasonBroken, Text: "the exchange failed", Err: err}
	}
	if x.up.o.Failed != nil {
		x.up.o.Failed(x.r, e)
	}
	switch {
	case e.Status == 0, x.begun && (x.front == nil || !x.front.takeBack()):
		x.breakOff()
	case x.up.o.Unanswered != nil && x.up.o.Unanswered(x.w, x.r, e):
	default:
		h := x.w.Header()
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("X-Content-Type-Options", "nosniff")
		x.w.WriteHeader(e.Status)
		io.WriteString(x.w, e.Text+"\n")
	}
}

// breakOff ends the client's connection so that nobody takes what it got for the whole.
func (x *hop) breakOff() {
	if x.front == nil {
		panic(http.ErrAbortHandler) // the way net/http offers
	}
	x.front.breakOff()
}
