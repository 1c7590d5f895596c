// Package tlstest joins two machines of tlscore in memory, so that a test is a dialogue: the bytes can be cut into
// pieces, changed, dropped or doubled on the way, time stands where the test puts it, and nothing sleeps.
//
// It is for tests only. It does not know sockets (see tlsnet's tests for those) nor real peers (interop).
package tlstest

import (
	"crypto"
	"errors"
	"fmt"
	"time"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// Now is the time at which tests happen.
var Now = time.Date(2026, time.November, 21, 12, 0, 0, 0, time.UTC)

// End is one end of a link, with what happened at it so far.
type End struct {
	Machine *tlscore.Machine
	// Answer answers the machine's questions. Nil: accept every chain, sign with the crypto.Signer in the identity's
	// Tag, present no identity, know no session, and take no early data.
	Answer func(*tlscore.Question) tlscore.Answer

	Done     bool               // HandshakeDone was seen
	Closed   bool               // PeerClosed was seen
	Err      error              // of Feed, Resume or Start
	Received []byte             // application data, concatenated
	Events   []string           // names of the events in order
	Sent     []byte             // every byte this end sent
	Early    []byte             // 0-RTT data, concatenated
	Sessions []*tlscore.Session // that tickets brought

	in []byte // arrived, not consumed
}

// Link joins a client and a server.
type Link struct {
	Client, Server *End
	// Chunk says how many of the n bytes under way arrive in the next piece; nil: all of them.
	Chunk func(n int) int
	// Mutate sees each record that was sent, and returns the bytes that arrive in its place; nil: the record itself.
	Mutate func(from *End, record []byte) []byte
	// Later is how long after Now the link lives.
	Later time.Duration
}

// New joins two machines made of the two parameter sets.
func New(client, server *tlscore.Params, c, s tlscore.Options) *Link {
	return &Link{
		Client: &End{Machine: tlscore.NewClient(client, c)},
		Server: &End{Machine: tlscore.NewServer(server, s)},
	}
}

// ErrStalled is returned when neither end has anything more to say and the handshake is not done.
var ErrStalled = errors.New("tlstest: both ends wait")

// Handshake runs until both ends are done or one fails, and carries out what is on the way even then, so that an alert
// arrives. It returns the first error.
func (l *Link) Handshake() error {
	if err := l.Start(); err != nil {
		return err
	}
	first := l.Run()
	if first == nil && !(l.Client.Done && l.Server.Done) {
		return ErrStalled
	}
	return first
}

// Start makes the ends' first bytes and puts them on the way, without delivering them.
func (l *Link) Start() error {
	for _, e := range []*End{l.Server, l.Client} {
		out, err := e.Machine.Start(l.now(), nil)
		if err != nil {
			e.Err = err
			return err
		}
		l.carry(e, out)
	}
	return nil
}

func (l *Link) now() time.Time { return Now.Add(l.Later) }

// Run delivers what is under way until nothing moves any more. It returns the first error of an end.
func (l *Link) Run() error {
	var first error
	note := func(err error) {
		if first == nil {
			first = err
		}
	}
	for moved := true; moved; {
		moved = false
		for _, e := range []*End{l.Server, l.Client} {
			if e.Err != nil {
				continue
			}
			progressed := l.deliver(e)
			moved = moved || progressed
			if e.Err != nil {
				note(e.Err)
			}
		}
	}
	return first
}

// deliver feeds an end all that has arrived, in pieces.
func (l *Link) deliver(e *End) (progressed bool) {
	arrived := 0
	for e.Err == nil && (arrived < len(e.in) || !progressed) {
		if arrived < len(e.in) {
			n := len(e.in) - arrived
			if l.Chunk != nil {
				n = min(n, max(1, l.Chunk(n)))
			}
			arrived += n
		} else if len(e.in) == 0 {
			return progressed
		}
		for {
			step, err := e.Machine.Feed(l.now(), e.in[:arrived:arrived], nil)
			moved := step.N > 0 || step.Event.Kind != tlscore.NoEvent && !(step.Event.Kind == tlscore.PeerClosed && e.Closed)
			l.handle(e, &step, err)
			e.in, arrived = e.in[step.N:], arrived-step.N
			progressed = progressed || moved
			if e.Err != nil || !moved {
				break
			}
		}
		if arrived == len(e.in) {
			break
		}
	}
	return progressed
}

// handle notes a step's outcome and answers its question.
func (l *Link) handle(e *End, step *tlscore.Step, err error) {
	for {
		l.carry(e, step.Out)
		if e.Machine.Pending() {
			out, ferr := e.Machine.Flush(nil)
			l.carry(e, out)
			err = errors.Join(err, ferr)
		}
		if step.Event.Kind != tlscore.NoEvent && !(step.Event.Kind == tlscore.PeerClosed && e.Closed) {
			e.Events = append(e.Events, step.Event.Kind.String())
		}
		switch step.Event.Kind {
		case tlscore.HandshakeDone:
			e.Done = true
			if step.Event.Session != nil {
				e.Sessions = append(e.Sessions, step.Event.Session)
			}
		case tlscore.Data:
			e.Received = append(e.Received, step.Event.Data...)
		case tlscore.EarlyDataReceived:
			e.Early = append(e.Early, step.Event.Data...)
		case tlscore.TicketReceived:
			e.Sessions = append(e.Sessions, step.Event.Session)
		case tlscore.PeerClosed:
			e.Closed = true
		}
		if err != nil {
			e.Err = err
			return
		}
		q := step.Event.Question
		if q == nil {
			return
		}
		n := step.N
		*step, err = e.Machine.Resume(l.now(), q.ID, e.answer(q), nil)
		step.N = n
	}
}

// Drive feeds bytes to the end's machine alone, answering its questions, until it fails or consumes no more. What it
// sends is added to Sent.
func (e *End) Drive(in []byte) error {
	for {
		step, err := e.Machine.Feed(Now, in, nil)
		in = in[step.N:]
		n, kind := step.N, step.Event.Kind
		for {
			e.Sent = append(e.Sent, step.Out...)
			if err != nil {
				return err
			}
			q := step.Event.Question
			if q == nil {
				break
			}
			step, err = e.Machine.Resume(Now, q.ID, e.answer(q), nil)
		}
		if n == 0 && (kind == tlscore.NoEvent || kind == tlscore.PeerClosed) {
			return nil
		}
	}
}

// Reply is how this end answers a question.
func (e *End) Reply(q *tlscore.Question) tlscore.Answer { return e.answer(q) }

func (e *End) answer(q *tlscore.Question) tlscore.Answer {
	if e.Answer != nil {
		if a := e.Answer(q); a != nil {
			return a
		}
	}
	switch q.Kind {
	case tlscore.NeedSignature:
		key, ok := q.KeyTag().(crypto.Signer)
		if !ok {
			return tlscore.Signed{Err: fmt.Errorf("tlstest: identity's tag is %T, no crypto.Signer", q.KeyTag())}
		}
		sig, err := tlscore.SignWith(key, q)
		return tlscore.Signed{Signature: sig, Err: err}
	case tlscore.NeedIdentity:
		return tlscore.Chosen{}
	case tlscore.NeedSession:
		return tlscore.Found{}
	case tlscore.NeedFresh:
		return tlscore.Fresh(false)
	case tlscore.NeedTicket:
		return tlscore.Issued{}
	case tlscore.NeedInner:
		return tlscore.InnerTaken
	case tlscore.NeedStaple:
		return tlscore.Stapling{}
	}
	return tlscore.Verified{}
}

// carry brings sent bytes to the other end, record by record.
func (l *Link) carry(from *End, out []byte) {
	to := l.Server
	if from == l.Server {
		to = l.Client
	}
	for len(out) > 0 {
		rec := out
		if h, ok := wire.ParseRecordHeader(out); ok && len(out) >= wire.RecordHeaderLen+h.Length {
			rec = out[:wire.RecordHeaderLen+h.Length]
		}
		out = out[len(rec):]
		from.Sent = append(from.Sent, rec...)
		if l.Mutate != nil {
			rec = l.Mutate(from, append([]byte(nil), rec...))
		}
		to.in = append(to.in, rec...)
	}
}

// Send seals data at one end, puts it on the way and delivers it.
func (l *Link) Send(from *End, data []byte) error {
	_, out, err := from.Machine.Seal(data, nil)
	l.carry(from, out)
	if err != nil {
		return err
	}
	return l.Run()
}

// Inject puts bytes on the way to an end, as if the other had sent them.
func (l *Link) Inject(to *End, b []byte) { to.in = append(to.in, b...) }

// Carry puts bytes that a call of the write half returned on the way.
func (l *Link) Carry(from *End, out []byte) { l.carry(from, out) }
