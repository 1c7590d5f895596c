package tlscore

import (
	"errors"
	"slices"
	"time"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/record"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// Options belong to one connection.
type Options struct {
	ServerName string   // client: the DNS name to ask for in server_name and to verify; an IP literal is verified but not sent
	Session    *Session // client: to resume if the server agrees; nil: none
	// ECHConfigList is what the server publishes in the DNS for Encrypted ClientHello, an encoded ECHConfigList (RFC 9849). The
	// client then encrypts what it says, or fails: where the server rejects it, Facts().ECH says what to do. nil: no encryption.
	ECHConfigList []byte
	EarlyData     bool     // client: offer early data with the session, if that allows some; see [Machine.SealEarly]
	Observer      Observer // watches; may be nil
	Secrets       Secrets  // receives the key schedule; nil unless somebody asked for a key log
}

// Machine is one end of one TLS connection (RFC 8446, Appendix A).
//
// Until HandshakeDone all calls must come from one goroutine at a time. From then on the read half ([Machine.Feed]) and
// the write half ([Machine.Seal], [Machine.KeyUpdate], [Machine.CloseWrite], [Machine.Abort], [Machine.Flush]) may be
// driven by two goroutines at once; each half still takes one call at a time. What the read half has to send goes
// through a queue that [Machine.Pending] reports and [Machine.Flush] empties.
//
// An error is final for its half. The zero Machine is not usable; see [NewClient] and [NewServer].
type Machine struct {
	role    Role
	params  *Params
	options Options

	started     bool
	established bool // HandshakeDone was reached; read-only from then on
	state       state
	facts       Facts
	exporter    exporter
	exporter13  keys.Exporter   // memory of exporter in TLS 1.3
	early       exporter        // of early data or an external PSK; nil: none
	resumption  keys.Resumption // of an established connection
	resumed     *Session        // what it resumed; nil: nothing
	question    *Question
	questions   uint64 // asked so far
	over        error  // Suspend or Wipe ended the machine; nil: neither

	read    readHalf
	write   writeHalf
	control control
	late    *lateAuth // nil: no client authentication after the handshake
	shown   *Facts    // of certificates after the handshake, before a handover; nil: facts is what there is to tell

	scratch *scratch // nil: no handshake message has come since the handshake
}

// NewClient returns the client end of a connection. [Machine.Start] makes its first bytes.
func NewClient(p *Params, o Options) *Machine {
	m := newMachine(RoleClient, p, o)
	m.state = clientStart{}
	return m
}

// NewServer returns the server end of a connection. It panics on no input: a server without identities refuses each
// handshake with handshake_failure.
func NewServer(p *Params, o Options) *Machine {
	m := newMachine(RoleServer, p, o)
	m.state = expectClientHello{}
	return m
}

func newMachine(r Role, p *Params, o Options) *Machine {
	m := &Machine{role: r, params: p, options: o}
	m.facts.Role = r
	m.read.joiner.Max = p.c.MaxHandshakeMessage
	m.write.most, m.write.pad = p.c.MaxRecord, p.padding()
	return m
}

// Start begins the connection and appends a client's ClientHello to out; a server has nothing to say yet. It is called
// once, before the first Feed.
func (m *Machine) Start(now time.Time, out []byte) ([]byte, error) {
	if m.started {
		return out, misuse("Start was called before")
	}
	m.started = true
	first, ok := m.state.(clientStart)
	if !ok {
		return out, nil
	}
	step := Step{Out: out}
	t := m.turn(now)
	next, err := first.begin(t)
	m.finishTurn(t, next, err, &step)
	return step.Out, m.read.err
}

// Feed takes the bytes in that arrived and appends what must be sent to out. It opens at most one record and returns at
// most one event, so it is called again with in[N:] until it consumes nothing and reports nothing. in[:N] is
// overwritten. While a question is open nothing is consumed. On error Step.Out may hold an alert that must still be
// written; after HandshakeDone the alert waits in the queue for Flush instead.
func (m *Machine) Feed(now time.Time, in, out []byte) (Step, error) {
	return m.FeedInto(now, in, out, nil)
}

// FeedInto is Feed with room for the content of the record, which then needs not be moved from where it was opened: if all
// that was protected fits into room - in TLS 1.3 that is the content, a byte, and any padding - the data of the event is
// the front of room, and in[:N] is left alone. Otherwise it lies in in[:N], as with Feed. All of room may be overwritten. It must not
// overlap in.
func (m *Machine) FeedInto(now time.Time, in, out, room []byte) (Step, error) {
	step := Step{Out: out, room: room}
	if !m.started {
		return step, misuse("Feed before Start")
	}
	if m.read.err != nil {
		return step, m.read.err
	}
	if m.question != nil {
		return step, nil
	}
	if m.read.closed {
		step.Event.Kind = PeerClosed
		return step, nil
	}
	m.messages(now, &step)
	if m.read.err == nil && step.Event.Kind == NoEvent {
		m.record(now, in, &step)
	}
	return step, m.read.err
}

// Resume answers the open question, named by its id, and goes on. A stale id or an answer of the wrong type is a
// [MisuseError] that leaves the question open.
func (m *Machine) Resume(now time.Time, id uint64, a Answer, out []byte) (Step, error) {
	step := Step{Out: out}
	if m.read.err != nil {
		return step, m.read.err
	}
	if m.question == nil || m.question.ID != id {
		return step, misuse("Resume with an answer to no open question")
	}
	if a == nil || a.answers() != m.question.Kind {
		return step, misuse("Resume with an answer of the wrong type")
	}
	m.question = nil
	t := m.turn(now)
	next, err := m.state.(waiting).answered(t, a)
	m.finishTurn(t, next, err, &step)
	if m.read.err == nil && step.Event.Kind == NoEvent {
		m.messages(now, &step)
	}
	return step, m.read.err
}

// ErrNoExporter is returned by Export on a TLS 1.2 connection without the extended master secret (RFC 7627, Section 5.4).
var ErrNoExporter = errors.New("tlscore: no keying material without the extended master secret")

// Export returns n bytes of keying material bound to the connection (RFC 8446, Section 7.5; RFC 5705), after
// HandshakeDone or, on a server that took early data, from its Finished on.
func (m *Machine) Export(label string, context []byte, n int) ([]byte, error) {
	if m.over != nil {
		return nil, m.over
	}
	if !m.established && !m.mayAnswerEarly() {
		return nil, misuse("Export before HandshakeDone")
	}
	if m.exporter == nil {
		return nil, ErrNoExporter
	}
	return m.exporter.Export(label, context, n)
}

// messages hands complete handshake messages to the state, until one causes an event or none is left.
func (m *Machine) messages(now time.Time, step *Step) {
	for m.read.err == nil && step.Event.Kind == NoEvent {
		raw, ok, err := m.read.joiner.Next()
		if err != nil {
			m.failMessage(err, step)
			return
		}
		if !ok {
			return
		}
		m.message(now, raw, step)
	}
}

func (m *Machine) message(now time.Time, raw []byte, step *Step) {
	if o := m.options.Observer; o != nil {
		o.Observe(MessageObserved{Received, m.read.epoch, raw})
	}
	msg := message{wire.HandshakeType(raw[0]), raw}
	t := m.turn(now)
	if !slices.Contains(m.state.expects(), msg.kind) {
		m.finishTurn(t, nil, fail(CodeUnexpectedMessage, "%v while awaiting %s", msg.kind, m.state.name()), step)
		return
	}
	next, err := m.state.on(t, msg)
	m.finishTurn(t, next, err, step)
}

func (m *Machine) turn(now time.Time) *turn {
	s := m.scratch
	if s == nil {
		s = m.params.takeScratch()
		m.scratch = s
	}
	t := &s.turn
	*t = turn{now: now, params: m.params, options: &m.options, facts: &m.facts, transcript: &s.transcript}
	t.flight, t.effects = s.flight[:s.held], s.effects[:0]
	if s.held > 0 {
		t.effects = append(t.effects, effect{kind: effectSend, to: s.held})
		s.held = 0
	}
	if m.options.Secrets != nil {
		t.trace = m.derived
	}
	if m.late != nil {
		t.incoming = m.read.traffic
	}
	return t
}

// finishTurn carries out what a state asked for, or fails the connection.
func (m *Machine) finishTurn(t *turn, next state, err error, step *Step) {
	m.scratch.flight, m.scratch.effects = t.flight, t.effects
	if err == nil && t.unsent != nil {
		err = t.unsent
	}
	if err != nil {
		m.fail(err, step)
		return
	}
	for i := 0; i < len(t.effects); i++ {
		e := &t.effects[i]
		if e.kind == effectSend { // messages in a row share records
			for i+1 < len(t.effects) && t.effects[i+1].kind == effectSend {
				i++
			}
			if t.question != nil && i+1 == len(t.effects) && !m.established {
				m.scratch.hold(t, e.from, t.effects[i].to)
				break
			}
			err = m.sendFlight(t, t.flight[e.from:t.effects[i].to], step)
		} else {
			err = m.carryOut(t, e, step)
		}
		if err != nil {
			m.fail(err, step)
			return
		}
	}
	switch {
	case t.exporter != nil:
		m.exporter = t.exporter
	case !t.exporter13.IsZero():
		m.exporter13 = t.exporter13
		m.exporter = &m.exporter13
	}
	m.changeEarly(t.early)
	t.wipe()
	if t.scrub {
		scrubStack(int(m.role))
	}
	if t.end != nil {
		m.fail(t.end, step)
		return
	}
	m.enter(next)
	if t.question != nil {
		m.ask(t.question, step)
	}
	if m.established { // what comes from now on comes seldom, and an idle connection holds nothing for it
		m.params.giveScratch(m.scratch)
		m.scratch = nil
	}
}

// carryOut executes one effect that is not a message to send.
func (m *Machine) carryOut(t *turn, e *effect, step *Step) error {
	switch e.kind {
	case effectChangeCipherSpec:
		from := len(step.Out)
		step.Out = record.AppendPlaintext(step.Out, wire.ContentChangeCipherSpec, wire.VersionTLS12, []byte{1})
		m.write.sent(m, step.Out[from:], EpochPlaintext, 0)
	case effectReadKeys:
		return m.read.install(m, e)
	case effectWriteKeys:
		return m.write.install(m, e)
	case effectHandshakeDone:
		m.resumption, m.resumed, m.late = t.resumption, t.resumed, t.late
		m.established, m.facts.HandshakeComplete = true, true
		m.options.Session = nil // it holds a secret
		step.Event = Event{Kind: HandshakeDone, Session: t.received}
	case effectLimits:
		m.read.limit, m.write.limit = e.limits.read, e.limits
	case effectAligned:
		return m.read.aligned()
	case effectUpdateReadKeys:
		t.scrub = true
		return m.read.update(m)
	case effectAnswerUpdate:
		if m.write.offload != nil { // settled before the halves part
			return fail(CodeInternal, "the peer asks for new keys, and ours have been handed out")
		}
		m.control.answerUpdate.Store(true)
	case effectTicket:
		if err := m.read.ticket(m); err != nil {
			return err
		}
		if e.session != nil {
			step.Event = Event{Kind: TicketReceived, Session: e.session}
		}
	case effectRequested:
		return m.read.requested(m)
	case effectLate:
		return m.concludeLate(e.late, step)
	case effectWritePlaintext:
		m.write.plaintext()
	case effectSkipEarlyData:
		m.skipEarlyData()
	case effectAcceptEarlyData:
		m.read.earlyLimit, m.read.skip = e.limit, 0 // from here on it can be read
	}
	return nil
}

func (m *Machine) enter(next state) {
	if o := m.options.Observer; o != nil && next.name() != m.state.name() {
		o.Observe(StateChanged{m.state.name(), next.name()})
	}
	m.state = next
	if m.established {
		_, m.read.answering = next.(interface{ uninterrupted() })
	}
}

func (m *Machine) ask(q *Question, step *Step) {
	m.questions++
	q.ID = m.questions
	m.question = q
	step.Event = Event{Kind: q.Kind, Question: q}
	if o := m.options.Observer; o != nil {
		o.Observe(QuestionAsked{q.Kind})
	}
}

// sendFlight puts encoded handshake messages into records and appends these.
func (m *Machine) sendFlight(t *turn, flight []byte, step *Step) (err error) {
	if m.established { // the write half sends it
		t.exchange.flight = append(t.exchange.flight, flight...)
		return nil
	}
	m.observeSent(flight)
	for len(flight) > 0 {
		n := min(len(flight), m.write.room())
		if step.Out, err = m.write.append(m, step.Out, wire.ContentHandshake, flight[:n]); err != nil {
			return err
		}
		flight = flight[n:]
	}
	return nil
}

// observeSent tells the observer of each message of a flight.
func (m *Machine) observeSent(flight []byte) {
	o := m.options.Observer
	for o != nil && len(flight) >= 4 {
		n := 4 + int(flight[1])<<16 + int(flight[2])<<8 + int(flight[3])
		o.Observe(MessageObserved{Sent, m.write.epoch, flight[:n]})
		flight = flight[n:]
	}
}

// fail ends the read half and tells the peer: at once during the handshake, through the queue later, because then the
// write half may be in other hands.
func (m *Machine) fail(err error, step *Step) {
	e, ok := err.(*Error)
	if !ok {
		e = because(CodeInternal, err)
	}
	m.read.err = e
	m.question = nil
	m.read.joiner.Release()
	code, send := e.Alert()
	if !send || e.received {
		return
	}
	if m.established {
		m.control.queueAlert(code)
		return
	}
	step.Out, _ = m.write.alert(m, step.Out, code)
}

// failMessage turns the joiner's refusal of a message into an error.
func (m *Machine) failMessage(err error, step *Step) {
	if tooLong(err) {
		m.fail(because(CodeMessageTooLong, err), step)
		return
	}
	m.fail(because(CodeMalformed, err), step)
}

// derived passes a step of the key schedule on.
func (m *Machine) derived(d keys.Derivation) {
	name := d.Name
	if name == "" {
		name = d.Label
	}
	m.options.Secrets.Derived(Derivation{
		ClientRandom: m.facts.ClientRandom, Role: m.role, Name: name,
		Label: d.Label, Context: d.Context, Input: d.Input, Output: d.Output,
	})
}

// httpRequest reports whether a stream starts like plain HTTP, the commonest mistake of people: worth a better word than
// "bad record". One letter is enough to guess by, for no TLS record starts with one.
func httpRequest(b []byte) bool {
	for _, method := range []string{"GET ", "HEAD ", "POST ", "PUT ", "CONNECT ", "OPTIONS ", "PATCH ", "DELETE ", "HTTP/"} {
		n := min(len(b), len(method))
		if n > 0 && string(b[:n]) == method[:n] {
			return true
		}
	}
	return false
}

// suiteCode is the suite's code point for observers, zero without keys.
func suiteCode(s *suite.Suite) wire.CipherSuite {
	if s == nil {
		return 0
	}
	return s.ID
}
