package tlscore

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/wire"
)

// Client authentication after the handshake (RFC 8446, Sections 4.2.6 and 4.6.2): a server asks, at any time, a client
// that has offered to be asked. The read half takes what comes; what has to be sent goes through the queue to the write
// half, which alone knows the keys that its Finished is made with.

// MaxOpenRequests is how many certificate requests a server may have open after the handshake, and how many answers of a
// client may wait to be sent.
const MaxOpenRequests = 4

// Late is the outcome of one certificate request after the handshake.
type Late struct {
	Context   []byte // certificate_request_context, as [Machine.RequestCertificate] returned it
	Presented bool   // the client showed a certificate, and it was accepted; false: it has none to show
}

// The errors of [Machine.RequestCertificate]; the connection goes on.
var (
	ErrNoLateRequest   = errors.New("tlscore: the client cannot be asked for a certificate after the handshake: it has not offered that, or Config.PostHandshakeAuth is not set")
	ErrTooManyRequests = errors.New("tlscore: too many certificate requests are open")
	ErrLateOverHTTP2   = errors.New("tlscore: over HTTP/2 no certificate can be asked for after the handshake (RFC 9113, Section 9.2.3)")
)

// protocolHTTP2 is HTTP/2 in ALPN.
const protocolHTTP2 = "h2"

// rememberedContexts is how many contexts of requests a client remembers, to refuse one that comes twice.
const rememberedContexts = 8

// lateAuth is what an established connection holds where a certificate may be asked for. It is nil on all others.
type lateAuth struct {
	transcript *keys.Transcript     // up to the client's Finished; never changed
	kind       wire.CertificateType // of the client's certificate
	facts      atomic.Pointer[Facts]

	mu       sync.Mutex
	requests []*lateExchange // server: open; the write half adds, the read half takes away
	answers  []*lateExchange // client: to be sent; the read half adds, the write half takes away

	seen [][sha256.Size]byte // client: contexts, the last ones; of the read half
}

// lateExchange is one request and its answer.
type lateExchange struct {
	context    []byte
	transcript *keys.Transcript // that of the handshake, the request, and what has come or goes of the answer
	facts      Facts            // that will hold once the answer is whole
	request    *certificateRequest
	flight     []byte // client: Certificate and CertificateVerify
	presented  bool
}

// enter makes a turn one of the exchange: what it sends, hashes and notes does not touch that of the handshake.
func (x *lateExchange) enter(t *turn) {
	t.exchange, t.transcript, t.facts = x, x.transcript, &x.facts
}

// newLateAuth keeps the transcript of a handshake that is done.
func newLateAuth(t *turn, kind wire.CertificateType) *lateAuth {
	kept := t.transcript.Clone()
	kept.Forget()
	t.facts.PostHandshakeAuth = true
	return &lateAuth{transcript: kept, kind: kind}
}

// now returns the facts that hold, out of those of the handshake.
func (l *lateAuth) now(f *Facts) Facts {
	if l != nil {
		if late := l.facts.Load(); late != nil {
			return *late
		}
	}
	return *f
}

// begin starts an exchange with the request as it is on the wire.
func (l *lateAuth) begin(context, request []byte) *lateExchange {
	x := &lateExchange{context: bytes.Clone(context), transcript: l.transcript.Clone()}
	x.transcript.Add(request)
	return x
}

// expects lists what the peer may send because of the requests.
func (l *lateAuth) expects(r Role, compressed bool) []wire.HandshakeType {
	if l == nil {
		return nil
	}
	if r == RoleClient {
		return []wire.HandshakeType{wire.TypeCertificateRequest}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case len(l.requests) == 0:
		return nil
	case compressed:
		return []wire.HandshakeType{wire.TypeCertificate, wire.TypeCompressedCertificate}
	}
	return []wire.HandshakeType{wire.TypeCertificate}
}

// take removes the open request with a context, and returns it; nil: there is none.
func (l *lateAuth) take(context []byte) *lateExchange {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.requests, func(x *lateExchange) bool { return bytes.Equal(x.context, context) })
	if i < 0 {
		return nil
	}
	x := l.requests[i]
	l.requests = slices.Delete(l.requests, i, i+1)
	return x
}

// isNew remembers the context of a request, and reports whether it has not come before, as far as that is remembered.
//
// RFC 8446, Section 4.3.2: the context MUST be unique within the scope of this connection, thus preventing replay of
// client CertificateVerify messages.
func (l *lateAuth) isNew(context []byte) bool {
	sum := sha256.Sum256(context)
	if slices.Contains(l.seen, sum) {
		return false
	}
	if len(l.seen) == rememberedContexts {
		l.seen = slices.Delete(l.seen, 0, 1)
	}
	l.seen = append(l.seen, sum)
	return true
}

// concluded makes what an exchange has come to the facts of the connection.
func (l *lateAuth) concluded(x *lateExchange) {
	f := x.facts
	f.LateRequests++
	l.facts.Store(&f)
}

// RequestCertificate appends a CertificateRequest to out, on a server after HandshakeDone: the client is to prove who it
// is, now (RFC 8446, Section 4.6.2). context names the request, and comes back with the event [RequestAnswered] of the
// read half; before it there may be a NeedVerify question, as in a handshake. The client may take its time, and say other
// things first. It belongs to the write half.
//
// The client must have offered it, and Config.PostHandshakeAuth must be set: else the error is [ErrNoLateRequest]. It is
// [ErrTooManyRequests] where MaxOpenRequests are open, and [ErrLateOverHTTP2] where ALPN says h2. All three leave the
// connection as it was.
func (m *Machine) RequestCertificate(out []byte) (context, o []byte, err error) {
	switch {
	case !m.established || m.role != RoleServer:
		return nil, out, misuse("RequestCertificate other than on a server after HandshakeDone")
	case m.facts.ALPN == protocolHTTP2:
		return nil, out, ErrLateOverHTTP2
	case m.late == nil:
		return nil, out, ErrNoLateRequest
	}
	if out, err = m.write.control(m, out); err != nil {
		return nil, out, err
	}
	if m.write.closed {
		return nil, out, ErrWriteClosed
	}
	msg := certificateRequestMessage(m.params)
	// RFC 8446, Section 4.3.2: the server SHOULD make the context unpredictable to the client.
	msg.Context = make([]byte, 16)
	randomBytes(msg.Context)
	raw, err := wire.TryAppendMessage(nil, msg)
	if err != nil {
		return nil, out, err
	}
	if !m.late.open(m.late.begin(msg.Context, raw)) {
		return nil, out, ErrTooManyRequests
	}
	out, err = m.write.sendRaw(m, out, raw)
	return msg.Context, out, err
}

// concludeLate ends an exchange: a client's answer goes to the write half, a server's is there.
func (m *Machine) concludeLate(x *lateExchange, step *Step) error {
	if m.role == RoleClient {
		if err := m.queueAnswer(x); err != nil {
			return err
		}
	}
	m.late.concluded(x)
	step.Event = Event{Kind: RequestAnswered, Late: &Late{Context: x.context, Presented: x.presented}}
	return nil
}

// busy reports whether a request waits for its answer, or an answer to be sent.
func (l *lateAuth) busy() bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.requests)+len(l.answers) > 0
}

// open adds a request, if there is room for it.
func (l *lateAuth) open(x *lateExchange) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.requests) == MaxOpenRequests {
		return false
	}
	l.requests = append(l.requests, x)
	return true
}

// queueAnswer leaves an answer to the write half.
func (m *Machine) queueAnswer(x *lateExchange) error {
	l := m.late
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.answers) == MaxOpenRequests {
		return fail(CodeTooManyRequests, "%d answers wait to be sent", len(l.answers))
	}
	l.answers = append(l.answers, x)
	m.control.answers.Store(true)
	return nil
}

// takeAnswers empties the queue.
func (m *Machine) takeAnswers() []*lateExchange {
	if !m.control.answers.Load() {
		return nil
	}
	m.late.mu.Lock()
	defer m.late.mu.Unlock()
	out := m.late.answers
	m.late.answers = nil
	m.control.answers.Store(false)
	return out
}

// answer sends a client's answer, with a Finished under the keys of this moment.
//
// RFC 8446, Section 4.6.2: all of the client's messages for a given response MUST appear consecutively on the wire with no
// intervening messages of other types. Section 4.4: their base key is client_application_traffic_secret_N.
func (w *writeHalf) answer(m *Machine, out []byte, x *lateExchange) ([]byte, error) {
	var room [maxDigest]byte
	flight := wire.AppendMessage(x.flight, &wire.Finished{VerifyData: w.traffic.AppendFinished(room[:0], x.transcript.Sum())})
	return w.sendRaw(m, out, flight)
}

// requested counts a request of the server: each costs us a signature.
func (r *readHalf) requested(m *Machine) error {
	if r.requests++; r.requests > m.params.c.MaxUselessRecords {
		return fail(CodeTooManyRequests, "%d without data", r.requests)
	}
	return nil
}

// takesLate reports whether the client of a hello may be asked later.
func (o *offer) takesLate(p *Params) bool {
	_, offered := o.hello.Extensions.Find(wire.ExtPostHandshakeAuth)
	return offered && p.c.PostHandshakeAuth
}
