package tlsnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/tlswright/tlswright/tlscore"
)

// maxAhead is how many bytes of data are read ahead of an answer to [Conn.RequestClientCertificate], about.
const maxAhead = 128 << 10

// aheadTimeout is how long nobody may come to read what was read ahead, once it is too much.
const aheadTimeout = time.Second

// ErrDataFirst is returned by [Conn.RequestClientCertificate] where the client has sent more than 128 KiB of data before
// its answer, and nobody reads them: what is there must be read first.
var ErrDataFirst = errors.New("tlsnet: data of the client stand before its certificate: read them first")

// late is what a connection has where certificates may be asked for after the handshake (RFC 8446, Section 4.6.2).
type late struct {
	mu      sync.Mutex
	waiting map[string]chan lateAnswer // by certificate_request_context
	reading bool                       // readAhead runs
	came    chan struct{}              // holds one element after a Read
	cancel  context.CancelFunc         // of the question that is being answered; nil: none is
	closed  bool

	judged *Peer  // whose Finished has not come; of the read half
	ahead  []byte // data that came before an answer; of the read half
}

// lateAnswer is what became of a request.
type lateAnswer struct {
	peer *Peer
	err  error
}

// RequestClientCertificate asks the client, on a server, for a certificate now, after the handshake, and waits for its
// answer (RFC 8446, Section 4.6.2). The result is nil if the client has none to show; else Peer and
// Facts are about it from then on, too. A session is not: who resumes it is asked again. A certificate that is refused ends
// the connection, as in a handshake; where Config.Insecure takes any, [Peer.Problem] says why it is not trusted.
//
// Core.PostHandshakeAuth must be set, with the ClientRoots that the certificate is verified by, and the client must have
// offered it: else the error is tlscore.ErrNoLateRequest. Over HTTP/2 it is always tlscore.ErrLateOverHTTP2.
//
// The client may take its time: a person may have to choose. Bound it with ctx; a request that nobody waits for any more
// stays open, and tlscore.MaxOpenRequests of them are the most there can be. What the client sends before the answer is
// read ahead, within bounds ([ErrDataFirst]), if nobody else reads; the read deadline holds.
func (c *Conn) RequestClientCertificate(ctx context.Context) (*Peer, error) {
	if c.set.role != tlscore.RoleServer {
		return nil, errors.New("tlsnet: only a server asks for a certificate")
	}
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	name, answer, err := c.sendRequest()
	if err != nil {
		return nil, err
	}
	select {
	case a := <-answer:
		return a.peer, a.err
	case <-ctx.Done():
		c.late.forget(name)
		return nil, context.Cause(ctx)
	}
}

// sendRequest sends a request, and waits for nothing.
func (c *Conn) sendRequest() (name string, answer chan lateAnswer, err error) {
	c.out.mu.Lock()
	defer c.unlockWrite()
	if c.out.err != nil {
		return "", nil, c.out.err
	}
	b := c.pool.record()
	defer c.pool.giveRecord(b)
	out, err := c.heldFirst(b[:0])
	if err != nil {
		return "", nil, err
	}
	context, out, err := c.machine.RequestCertificate(out)
	if err == nil {
		name, answer = string(context), make(chan lateAnswer, 1)
		c.late.await(name, answer)
	}
	if werr := c.transmit(out); werr != nil {
		err = werr
	}
	if errors.Is(err, tlscore.ErrWriteClosed) {
		err = errWriteClosed
	}
	if err != nil {
		c.late.forget(name)
		return "", nil, err
	}
	if c.late.mayRead() {
		go c.readAhead()
	}
	return name, answer, nil
}

// await notes who waits for an answer.
func (l *late) await(name string, answer chan lateAnswer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting == nil {
		l.waiting = make(map[string]chan lateAnswer)
	}
	l.waiting[name] = answer
}

// forget gives up on an answer.
func (l *late) forget(name string) {
	if l != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.waiting, name)
	}
}

// tell gives the answer to whoever waits for it.
func (l *late) tell(name string, a lateAnswer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w := l.waiting[name]; w != nil {
		w <- a
		delete(l.waiting, name)
	}
}

// mayRead reports whether the caller shall run readAhead: nobody else does.
func (l *late) mayRead() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.reading
	l.reading = true
	return !was
}

// stop ends readAhead, if nobody waits any more or err is not nil, which all who wait are told then.
func (l *late) stop(err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && len(l.waiting) > 0 {
		return false
	}
	for name, w := range l.waiting {
		w <- lateAnswer{err: err}
		delete(l.waiting, name)
	}
	l.reading = false
	return true
}

// readAhead reads for as long as an answer is awaited, for there may be nobody else who does. Where there is somebody, and
// he is slower, he is waited for.
func (c *Conn) readAhead() {
	for {
		err := c.readAheadOnce()
		if err == ErrDataFirst && c.late.readerComes() {
			err = nil
		}
		if c.late.stop(err) {
			return
		}
	}
}

// readerComes waits a while for somebody to read.
func (l *late) readerComes() bool {
	timer := time.NewTimer(aheadTimeout)
	defer timer.Stop()
	select {
	case <-l.came:
		return true
	case <-timer.C:
		return false
	}
}

// readAheadOnce reads what comes next and keeps the data in it. The error is why no answer can come.
func (c *Conn) readAheadOnce() error {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	switch {
	case c.late.done():
		return nil
	case len(c.late.ahead) >= maxAhead:
		return ErrDataFirst
	}
	b := c.pool.record()
	defer c.pool.giveRecord(b)
	n, err := c.readOnce(b[:])
	c.late.ahead = append(c.late.ahead, b[:n]...)
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("tlsnet: the client has closed its side without an answer: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// done reports whether nobody waits.
func (l *late) done() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting) == 0
}

// takeAhead returns what was read ahead into p. The lock of the read half is held.
func (l *late) takeAhead(p []byte) int {
	if l == nil {
		return 0
	}
	if len(l.ahead) == 0 {
		return 0
	}
	n := copy(p, l.ahead)
	l.consume(n)
	return n
}

// consume drops what was taken.
func (l *late) consume(n int) {
	if l.ahead = l.ahead[n:]; len(l.ahead) == 0 {
		l.ahead = nil
	}
	select {
	case l.came <- struct{}{}:
	default:
	}
}

// answerLate answers the question of a step, of a certificate after the handshake. Config.HandshakeTimeout bounds it, and
// Close ends it. The lock of the read half is held; the other half goes on.
func (c *Conn) answerLate(step tlscore.Step) (tlscore.Step, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c.late.answering(cancel)
	defer c.late.answering(nil)
	wait := newPatience(ctx, c.set.timeout, nil, &c.pool.alarms)
	defer wait.over()
	q := step.Event.Question
	next, err := c.machine.Resume(c.set.now(), q.ID, c.answer(wait, q), nil)
	next.N = step.N
	return next, err
}

// answering notes how to break off the answering of a question; nil: it is answered.
func (l *late) answering(cancel context.CancelFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cancel = cancel; l.closed && cancel != nil {
		cancel()
	}
}

// close breaks off what is being answered.
func (l *late) close() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.cancel != nil {
		l.cancel()
	}
}

// verifyLate answers whether the chain of a late certificate is acceptable. Who the peer is changes only when its Finished
// has come, too.
func (c *Conn) verifyLate(ctx context.Context, q *tlscore.Question) tlscore.Verified {
	p, err := c.judgeQuestion(q)
	p.Problem = err
	if err != nil && !c.set.insecure {
		return tlscore.Verified{Err: err, Alert: alertFor(err)}
	}
	c.late.judged = p
	return c.askVerifyPeer(ctx, p, q)
}

// requestAnswered settles what became of a request. The lock of the read half is held.
func (c *Conn) requestAnswered(l *tlscore.Late) {
	if c.set.role != tlscore.RoleServer {
		return
	}
	var p *Peer
	if l.Presented {
		p, c.late.judged = c.late.judged, nil
		if p.Problem == nil {
			c.peer.Store(keepPeer(p, c.set.roots))
		} else {
			c.refused.Store(p)
			c.peer.Store(nil)
		}
	}
	c.late.tell(string(l.Context), lateAnswer{peer: p})
}
