package scan

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/tlswright/tlswright/wire"
)

// session is a finished handshake: application data can be written and read.
type session interface {
	io.ReadWriteCloser
	// Answer is what the server said in the handshake.
	Answer() *answer
	// Version is what was negotiated.
	Version() wire.Version
}

// refusedError is an offer that was not accepted.
type refusedError struct{ a *answer }

func (e *refusedError) Error() string {
	if e.a.Outcome == accepted && e.a.Err != nil {
		return "the handshake broke off: " + e.a.Err.Error()
	}
	return e.a.words()
}

// finish makes a handshake to its end, with whatever of the offer the server chooses. The error is a *refusedError where
// the server refuses. Where it hangs up without a word, it is asked again.
func (h *host) finish(ctx context.Context, o *offer) (session, error) {
	const tries = 5
	backOff := firstBackOff
	for try := 1; ; try++ {
		s, err := h.finishOnce(ctx, o)
		if a, refused := refusal(err); err == nil || try == tries || !refused || !a.wordless() || !h.seen.hasAnswered() {
			return s, err
		}
		h.door.slow()
		if err := wait(ctx, backOff); err != nil {
			return nil, err
		}
		backOff *= 2
	}
}

func (h *host) finishOnce(ctx context.Context, o *offer) (session, error) {
	o = o.clone()
	o.Until = untilFlight
	l, err := h.dial(ctx)
	if err != nil {
		return nil, err
	}
	a := l.exchange(o)
	if a.Outcome != accepted || a.Err != nil {
		l.Close()
		return nil, &refusedError{a}
	}
	if a.Version >= wire.VersionTLS13 {
		s, err := continue13(l, o, a)
		if err != nil {
			l.Close()
			return nil, &unfinishedError{a, err}
		}
		return s, nil
	}
	s, err := continue12(l, o, a)
	if err != nil {
		l.Close()
		return nil, &unfinishedError{a, err}
	}
	return s, nil
}

// unfinishedError is a handshake that ended behind the server's flight, as where it wants a client certificate. What the
// server showed is known all the same.
type unfinishedError struct {
	a   *answer
	err error
}

// Error implements error.
func (e *unfinishedError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *unfinishedError) Unwrap() error { return e.err }

// shownIn gives the server's flight, where a handshake that failed came so far; nil: it did not.
func shownIn(err error) *answer {
	var unfinished *unfinishedError
	if errors.As(err, &unfinished) {
		return unfinished.a
	}
	if a, ok := refusal(err); ok && a.Outcome == accepted {
		return a
	}
	return nil
}

// errNo13 is why there is no shared session.
var errNo13 = errors.New("TLS 1.3 is not offered")

// sharedSession is the one finished TLS 1.3 handshake of a scan that several probes look at.
type sharedSession struct {
	mu    sync.Mutex
	tried bool
	s     *session13
	err   error
}

// shared13 lets use work with the one finished TLS 1.3 handshake of this scan, which is made for the first caller: with
// SNI, and http/1.1 in ALPN. Callers come one after the other. The request is the first caller's; those who want the
// tickets of the session look at tickets13, which waits for that.
func (h *host) shared13(ctx context.Context, use func(*session13) error) error {
	h.session.mu.Lock()
	defer h.session.mu.Unlock()
	if !h.session.tried {
		h.session.tried = true
		h.session.s, h.session.err = h.open13(ctx)
	}
	if h.session.err != nil {
		return h.session.err
	}
	err := use(h.session.s)
	if h.door.full == 1 {
		// One connection at a time was asked for: what is kept for later would be a second one.
		h.session.s.finishReading()
	}
	return err
}

func (h *host) open13(ctx context.Context) (*session13, error) {
	o := h.working(wire.VersionTLS13)
	if o == nil {
		return nil, errNo13
	}
	o.ALPN, o.PSKModes, o.Verify = []string{"http/1.1"}, true, true
	s, err := h.finish(ctx, o)
	if err != nil {
		return nil, err
	}
	s13, ok := s.(*session13)
	if !ok {
		s.Close()
		return nil, errNo13
	}
	if h.door.full > 1 {
		s13.stepAside()
	}
	return s13, nil
}

// close ends the session at the end of the scan.
func (s *sharedSession) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.s != nil {
		s.s.Close()
	}
}

// observations are what connections showed about the server's manners.
type observations struct {
	mu       sync.Mutex
	any      bool
	silently int // how often that was made sure of
	aloud    bool
}

// answered notes that the server has said something in TLS.
func (o *observations) answered() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.any = true
}

func (o *observations) hasAnswered() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.any
}

// refusedSilently notes that the server was caught refusing without an alert.
func (o *observations) refusedSilently() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.silently++
}

// manners says how sure it must be made of a refusal without words: how often the server must refuse again what it
// refused, and accept what it accepted before, and how long to wait in between. Who was caught at it needs less, who sends
// alerts as a rule needs more.
func (o *observations) manners() (times int, pause time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.silently > 0 && !o.aloud:
		return 1, 0
	case o.silently > 2:
		return 1, firstBackOff / 4
	case o.silently > 0:
		return 2, firstBackOff / 2
	case o.aloud:
		return 3, firstBackOff
	}
	return 2, firstBackOff
}

// refusedAloud notes that the server refused with an alert.
func (o *observations) refusedAloud() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.aloud = true
}

// tickets13 gives the tickets of the shared session, and ends that: there are servers that serve one connection after the
// other. It waits for the probes that use the session, because a server may send tickets with its first answer; where
// nobody asked for anything it listens for a moment.
func (h *host) tickets13(ctx context.Context) ([]*ticket13, error) {
	for _, name := range []string{"HTTP", "greeting"} {
		if err := h.await(ctx, name); err != nil {
			return nil, err
		}
	}
	var tickets []*ticket13
	err := h.shared13(ctx, func(s *session13) error {
		s.finishReading()
		tickets = slices.Clone(s.Tickets)
		return nil
	})
	return tickets, err
}

// finishReading takes the tickets that are there or come in a moment, and ends the session.
func (s *session13) finishReading() {
	const moment = time.Second
	if s.ended != nil {
		return
	}
	s.ended = s.patience(moment)
	for (len(s.Tickets) == 0 || s.hasRecord()) && s.ended == nil {
		s.ended = s.next()
	}
	s.Close()
	if s.ended == nil {
		s.ended = io.EOF
	}
}

// refusal finds the answer of a server that did not go along.
func refusal(err error) (*answer, bool) {
	var refused *refusedError
	if errors.As(err, &refused) {
		return refused.a, true
	}
	return nil, false
}

// asAlert finds the alert in an error.
func asAlert(err error) (wire.Alert, bool) {
	var alert *alertError
	if errors.As(err, &alert) {
		return alert.Alert, true
	}
	return wire.Alert{}, false
}
