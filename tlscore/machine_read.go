package tlscore

import (
	"cmp"
	"errors"
	"time"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/record"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// readHalf is what belongs to the direction from the peer. After HandshakeDone only Feed touches it.
type readHalf struct {
	joiner  wire.Joiner
	opener  *record.Opener // nil in plaintext
	first   record.Opener  // memory of the opener until the first KeyUpdate
	offload *offload       // nil: the machine opens what comes
	suite   *suite.Suite
	traffic keys.Traffic
	epoch   Epoch
	v12     bool   // the keys are of TLS 1.2
	offset  uint64 // bytes consumed so far
	limit   int    // of a protected record, see limits; 0: the protocol's

	skip       int    // bytes of refused early data that may still be dropped unread
	early      int    // bytes of accepted early data that came
	earlyLimit uint32 // and may come

	useless   int  // records in a row that carried nothing
	warnings  int  // user_canceled alerts in a row
	updates   int  // KeyUpdates in a row without data
	tickets   int  // NewSessionTickets in a row without data
	requests  int  // CertificateRequests after the handshake, likewise
	answering bool // nothing but the next message of an answer may come
	resting   bool // the opener has no AEAD, see Rest
	closed    bool
	err       error
}

// maxFragment is the longest record the peer may send now (RFC 8446, Sections 5.1 and 5.2).
func (r *readHalf) maxFragment() int {
	if r.opener == nil && r.skip == 0 {
		return wire.MaxPlaintext
	}
	if r.v12 {
		return wire.MaxCiphertext12
	}
	return wire.MaxCiphertext13
}

func (r *readHalf) install(m *Machine, e *effect) error {
	// RFC 8446, Section 5.1: handshake messages MUST NOT span key changes.
	if err := r.aligned(); err != nil {
		return err
	}
	opener, err := e.opener(cmp.Or(r.opener, &r.first))
	if err != nil {
		return because(CodeInternal, err)
	}
	if r.epoch == EpochEarlyData {
		r.traffic.Wipe()
	}
	r.opener, r.suite, r.traffic, r.epoch, r.v12 = opener, e.suite, e.traffic, e.epoch, e.key != nil
	if o := m.options.Observer; o != nil {
		o.Observe(KeyChanged{Received, r.epoch, suiteCode(r.suite), false})
	}
	return nil
}

// opener makes the opener of an effect's keys, of either version, if it can of the one before, which is over.
func (e *effect) opener(last *record.Opener) (*record.Opener, error) {
	if e.key != nil {
		return record.NewOpener12(e.suite, e.key, e.iv)
	}
	return last, last.Reset(e.suite, e.traffic)
}

// aligned refuses what came in one piece with a message although the peer could not know yet what to say next.
func (r *readHalf) aligned() error {
	if !r.joiner.Empty() {
		return fail(CodeExcessHandshakeData, "%d bytes left", r.joiner.Buffered())
	}
	return nil
}

// update moves to the next generation of application keys (RFC 8446, Section 7.2).
func (r *readHalf) update(m *Machine) error {
	if err := r.aligned(); err != nil {
		return err
	}
	if r.offload != nil {
		return fail(CodeInternal, "the peer changes its keys, and ours have been handed out")
	}
	if r.updates++; r.updates > m.params.c.MaxUselessRecords {
		return fail(CodeTooManyKeyUpdates, "")
	}
	next := r.traffic.Next()
	opener, err := record.NewOpener(r.suite, next)
	if err != nil {
		return because(CodeInternal, err)
	}
	r.traffic.Wipe()
	r.opener.Wipe()
	r.opener, r.traffic = opener, next
	if o := m.options.Observer; o != nil {
		o.Observe(KeyChanged{Received, r.epoch, suiteCode(r.suite), true})
	}
	return nil
}

// ticket counts a NewSessionTicket: each costs a key derivation and the memory of a session.
func (r *readHalf) ticket(m *Machine) error {
	if r.tickets++; r.tickets > m.params.c.MaxUselessRecords {
		return fail(CodeTooManyTickets, "%d", r.tickets)
	}
	m.control.tickets.Add(1)
	return nil
}

// record opens the next record, if it is whole, and acts on it.
func (m *Machine) record(now time.Time, in []byte, step *Step) {
	step.now = now
	rec, need, err := wire.Deframe(in, m.read.maxFragment())
	if err != nil {
		m.fail(m.deframeError(err, in), step)
		return
	}
	if rec == nil {
		step.Need = need
		return
	}
	step.N = len(rec)
	if o := m.options.Observer; o != nil {
		o.Observe(RecordObserved{Received, m.read.epoch, m.read.sequence(), m.read.offset, rec})
	}
	m.read.offset += uint64(len(rec))
	kind, content, err := m.open(rec, step)
	if err == nil {
		err = m.dispatch(now, kind, content, step)
	}
	if err != nil {
		m.fail(err, step)
	}
}

// deframeError says why bytes are not a record. At the start of a stream they may not be TLS at all.
func (m *Machine) deframeError(err error, in []byte) *Error {
	var r *wire.RecordError
	errors.As(err, &r)
	switch {
	case m.read.offset == 0 && httpRequest(in):
		return fail(CodeNotTLS, "it looks like plain HTTP")
	case r.Kind == wire.RecordTooLong:
		return because(CodeRecordTooLong, err)
	case r.Kind == wire.RecordUnknownVersion:
		return because(CodeRecordVersion, err)
	case m.read.offset == 0:
		return because(CodeNotTLS, err)
	}
	return because(CodeUnexpectedRecord, err)
}

func (r *readHalf) sequence() uint64 {
	if r.opener == nil {
		return 0
	}
	return r.opener.Sequence()
}

// open returns the content of a record. ContentType zero without an error means: nothing to act on.
func (m *Machine) open(rec []byte, step *Step) (wire.ContentType, []byte, error) {
	outer, fragment := wire.ContentType(rec[0]), rec[wire.RecordHeaderLen:]
	if outer == wire.ContentChangeCipherSpec {
		return 0, nil, m.changeCipherSpec(fragment, step)
	}
	if m.read.opener == nil {
		if outer == wire.ContentApplicationData {
			if !m.read.joiner.Empty() {
				return 0, nil, fail(CodeInterleaved, "%v", outer)
			}
			if ok, err := m.read.skipped(fragment); ok || err != nil {
				return 0, nil, err
			}
		}
		if outer != wire.ContentHandshake && outer != wire.ContentAlert {
			return 0, nil, fail(CodeUnexpectedRecord, "%v in plaintext", outer)
		}
		if len(fragment) > wire.MaxPlaintext { // only early data to be skipped may be longer
			return 0, nil, fail(CodeRecordTooLong, "record of %d bytes", len(fragment))
		}
		return outer, fragment, nil
	}
	if m.read.v12 {
		kind, content, err := m.read.opener.OpenInto(step.room, rec)
		if err != nil {
			return 0, nil, openError(err)
		}
		return kind, content, m.read.within(len(content))
	}
	if outer == wire.ContentAlert && m.plaintextAlertIsPlausible() {
		return outer, fragment, nil
	}
	if outer != wire.ContentApplicationData {
		return 0, nil, fail(CodeUnexpectedRecord, "%v without protection", outer)
	}
	if err := m.read.wake(); err != nil {
		return 0, nil, err
	}
	first := m.read.opener.Sequence() == 0
	kind, content, err := m.read.opener.OpenInto(step.room, rec)
	if errors.Is(err, record.ErrBadMAC) && first {
		if ok, err := m.read.skipped(fragment); ok || err != nil {
			return 0, nil, err
		}
	}
	if err != nil {
		return 0, nil, openError(err)
	}
	m.read.skip = 0
	if m.read.epoch == EpochEarlyData { // which was sent before anything was agreed on
		return kind, content, nil
	}
	return kind, content, m.read.within(len(fragment) - m.read.suite.TagLen)
}

// plaintextAlertIsPlausible: a client that cannot read our ServerHello has no keys to protect its alert with, or only
// those of early data, which it may well not use for that. The connection ends in either case; hearing the reason helps
// people.
func (m *Machine) plaintextAlertIsPlausible() bool {
	return m.role == RoleServer && (m.read.epoch == EpochEarlyData || m.read.epoch == EpochHandshake && m.read.opener.Sequence() == 0)
}

// within refuses a protected record beyond our limit.
//
// RFC 8449, Section 4: an endpoint MUST treat receipt of a larger record as a fatal error, with record_overflow.
func (r *readHalf) within(n int) error {
	if r.limit != 0 && n > r.limit {
		return fail(CodeRecordTooLong, "plaintext of %d bytes, more than %d", n, r.limit)
	}
	return nil
}

func openError(err error) *Error {
	switch {
	case errors.Is(err, record.ErrNoContentType):
		return because(CodeUnexpectedRecord, err)
	case errors.Is(err, record.ErrEmpty):
		return fail(CodeEmptyFragment, "")
	case errors.Is(err, record.ErrTooLong):
		return because(CodeRecordTooLong, err)
	case errors.Is(err, record.ErrLimit):
		return because(CodeKeysExhausted, err)
	}
	return fail(CodeBadRecordMAC, "")
}

// changeCipherSpec drops the compatibility record where it may come.
//
// RFC 8446, Section 5: it may come at any time after the first ClientHello and before the peer's Finished, and MUST be
// dropped without further processing.
//
// In TLS 1.2 it changes the keys, at one place only.
func (m *Machine) changeCipherSpec(fragment []byte, step *Step) error {
	if m.facts.Version == wire.VersionTLS12 {
		return m.change12(fragment, step)
	}
	if m.established || m.read.offset == uint64(wire.RecordHeaderLen+len(fragment)) && m.role == RoleServer {
		return fail(CodeUnexpectedRecord, "%v", wire.ContentChangeCipherSpec)
	}
	if len(fragment) != 1 || fragment[0] != 1 {
		return fail(CodeBadChangeCipherSpec, "")
	}
	if !m.read.joiner.Empty() {
		return fail(CodeInterleaved, "%v", wire.ContentChangeCipherSpec)
	}
	return m.uselessRecord()
}

// change12 is the change_cipher_spec of TLS 1.2 (RFC 5246, Section 7.1).
func (m *Machine) change12(fragment []byte, step *Step) error {
	s, ok := m.state.(changing)
	switch {
	case !ok || m.question != nil:
		return fail(CodeUnexpectedRecord, "%v while awaiting %s", wire.ContentChangeCipherSpec, m.state.name())
	case len(fragment) != 1 || fragment[0] != 1:
		return fail(CodeBadChangeCipherSpec, "")
	case !m.read.joiner.Empty():
		return fail(CodeInterleaved, "%v", wire.ContentChangeCipherSpec)
	}
	t := m.turn(step.now)
	next, err := s.onChange(t)
	m.finishTurn(t, next, err, step)
	return nil
}

// uselessRecord counts a record that carried nothing: each costs us work and the peer next to nothing.
func (m *Machine) uselessRecord() error {
	if m.read.useless++; m.read.useless > m.params.c.MaxUselessRecords {
		return fail(CodeTooManyUselessRecords, "%d", m.read.useless)
	}
	return nil
}

func (m *Machine) dispatch(now time.Time, kind wire.ContentType, content []byte, step *Step) error {
	switch kind {
	case 0:
		return nil
	case wire.ContentAlert:
		return m.alert(content, step)
	case wire.ContentHandshake:
		// RFC 8446, Section 5.1: zero-length fragments of Handshake types MUST NOT be sent.
		if len(content) == 0 {
			return fail(CodeEmptyFragment, "%v", kind)
		}
		m.read.useless = 0
		m.read.joiner.Add(content)
		m.messages(now, step)
		return nil
	case wire.ContentApplicationData:
		return m.applicationData(content, step)
	}
	return fail(CodeUnexpectedRecord, "%v", kind)
}

func (m *Machine) applicationData(content []byte, step *Step) error {
	if m.read.epoch == EpochEarlyData && m.read.joiner.Empty() {
		return m.earlyData(content, step)
	}
	if !m.established {
		return fail(CodeUnexpectedRecord, "%v before the handshake is done", wire.ContentApplicationData)
	}
	if !m.read.joiner.Empty() || m.read.answering {
		return fail(CodeInterleaved, "%v", wire.ContentApplicationData)
	}
	if len(content) == 0 {
		return m.uselessRecord()
	}
	m.read.useless, m.read.warnings, m.read.updates, m.read.tickets, m.read.requests = 0, 0, 0, 0, 0
	step.Event = Event{Kind: Data, Data: content}
	return nil
}

func (m *Machine) alert(content []byte, step *Step) error {
	a, err := wire.ParseAlert(content)
	if err != nil {
		return because(CodeBadAlert, err)
	}
	if !m.read.joiner.Empty() {
		return fail(CodeInterleaved, "%v", wire.ContentAlert)
	}
	if o := m.options.Observer; o != nil {
		o.Observe(AlertObserved{Received, a})
	}
	switch a.Code {
	case wire.AlertCloseNotify:
		if m.facts.Version == wire.VersionTLS12 {
			// RFC 5246, Section 7.2.1: the other party MUST respond with a close_notify of its own.
			m.control.queueAlert(wire.AlertCloseNotify)
		}
		if !m.established {
			return &Error{Code: CodePeerClosedEarly, received: true}
		}
		m.read.closed = true
		m.read.joiner.Release()
		step.Event.Kind = PeerClosed
		return nil
	case wire.AlertUserCanceled:
		// RFC 8446, Section 6.1: it is followed by a close_notify.
		if m.read.warnings++; m.read.warnings > maxWarnings {
			return fail(CodeTooManyWarnings, "")
		}
		return nil
	}
	// RFC 6066, Section 3: a server may warn of unrecognized_name before it answers. Until then it may be one of TLS 1.2.
	older := m.facts.Version == wire.VersionTLS12 || m.facts.Version == 0 && m.params.allows(wire.VersionTLS12)
	if older && a.Level == wire.AlertLevelWarning {
		if m.read.warnings++; m.read.warnings > maxWarnings {
			return fail(CodeTooManyWarnings, "")
		}
		return nil
	}
	// RFC 8446, Section 6: the level can be ignored; every other alert is an error.
	return &Error{Code: CodePeerAlert, alert: a.Code, received: true}
}

// tooLong reports whether the joiner refused a message for its size.
func tooLong(err error) bool { return errors.Is(err, wire.ErrMessageTooLong) }
