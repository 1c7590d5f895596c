package tlscore

import (
	"cmp"
	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/record"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// writeHalf is what belongs to the direction towards the peer. During the handshake the driver uses it; after
// HandshakeDone only the calls of the write half do.
type writeHalf struct {
	sealer  *record.Sealer // nil in plaintext
	first   record.Sealer  // memory of the sealer until the first KeyUpdate
	offload *offload       // nil: the machine seals what goes out
	suite   *suite.Suite
	traffic keys.Traffic
	epoch   Epoch
	v12     bool // the keys are of TLS 1.2
	limit   limits
	most    int      // content of a record, by our own wish; 0: the protocol's limit
	pad     *Padding // nil: none
	offset  uint64
	hello   bool // the first ClientHello is out
	closed  bool // close_notify or a fatal alert is out
	resting bool // the sealer has no AEAD, see Rest
	early   int  // bytes of early data sent
	tickets int  // sent
	message []byte
}

func (w *writeHalf) install(m *Machine, e *effect) error {
	sealer, err := e.sealer(cmp.Or(w.sealer, &w.first))
	if err != nil {
		return because(CodeInternal, err)
	}
	if w.epoch == EpochEarlyData {
		w.traffic.Wipe()
	}
	w.sealer, w.suite, w.traffic, w.epoch, w.v12 = sealer, e.suite, e.traffic, e.epoch, e.key != nil
	if o := m.options.Observer; o != nil {
		o.Observe(KeyChanged{Sent, w.epoch, suiteCode(w.suite), false})
	}
	return nil
}

// plaintext leaves the early keys before there are others.
func (w *writeHalf) plaintext() {
	w.traffic.Wipe()
	w.sealer.Wipe()
	w.sealer, w.epoch = nil, EpochPlaintext
}

// sealer makes the sealer of an effect's keys, of either version, if it can of the one before, which is over.
func (e *effect) sealer(last *record.Sealer) (*record.Sealer, error) {
	if e.key != nil {
		return record.NewSealer12(e.suite, e.key, e.iv)
	}
	return last, last.Reset(e.suite, e.traffic)
}

// append puts content into one record of the current epoch and appends it.
func (w *writeHalf) append(m *Machine, out []byte, kind wire.ContentType, content []byte) ([]byte, error) {
	from, sequence := len(out), uint64(0)
	if w.offload != nil {
		sequence = w.offload.sequence
		if err := w.offload.next(); err != nil {
			return out, err
		}
	}
	if w.sealer == nil {
		out = record.AppendPlaintext(out, kind, w.recordVersion(m), content)
	} else {
		sequence = w.sealer.Sequence()
		err := w.wake()
		if err != nil {
			return out, err
		}
		if out, err = w.sealer.Seal(out, kind, content, w.padding(kind, len(content))); err != nil {
			return out[:from], err
		}
	}
	w.sent(m, out[from:], w.epoch, sequence)
	return out, nil
}

// recordVersion is what legacy_record_version says in plaintext.
//
// RFC 8446, Section 5.1: MUST be 0x0303 for all records other than an initial ClientHello, where it MAY also be 0x0301
// for compatibility purposes.
func (w *writeHalf) recordVersion(m *Machine) wire.Version {
	if m.role == RoleClient && !w.hello {
		w.hello = true
		return wire.VersionTLS10
	}
	return wire.VersionTLS12
}

func (w *writeHalf) sent(m *Machine, rec []byte, e Epoch, sequence uint64) {
	if o := m.options.Observer; o != nil {
		o.Observe(RecordObserved{Sent, e, sequence, w.offset, rec})
	}
	w.offset += uint64(len(rec))
}

// alert appends an alert and closes the half.
func (w *writeHalf) alert(m *Machine, out []byte, code wire.AlertCode) ([]byte, error) {
	if w.closed {
		return out, nil
	}
	w.closed = true
	a := wire.Alert{Level: wire.AlertLevelFatal, Code: code}
	if code == wire.AlertCloseNotify || code == wire.AlertUserCanceled {
		a.Level = wire.AlertLevelWarning
	}
	if o := m.options.Observer; o != nil {
		o.Observe(AlertObserved{Sent, a})
	}
	if w.epoch == EpochEarlyData {
		if err := w.leaveEarlyKeys(m); err != nil {
			return out, err
		}
	}
	var buf [2]byte
	return w.append(m, out, wire.ContentAlert, a.Append(buf[:0]))
}

// update sends KeyUpdate and moves to the next generation of keys (RFC 8446, Section 4.6.3).
func (w *writeHalf) update(m *Machine, out []byte, ask bool) ([]byte, error) {
	msg := wire.KeyUpdate{}
	if ask {
		msg.Request = wire.UpdateRequested
	}
	w.addMessage(m, &msg)
	out, err := w.sendMessages(m, out)
	if err != nil {
		return out, err
	}
	next := w.traffic.Next()
	sealer, err := record.NewSealer(w.suite, next)
	if err != nil {
		return out, err
	}
	w.traffic.Wipe()
	w.sealer.Wipe()
	w.sealer, w.traffic = sealer, next
	if o := m.options.Observer; o != nil {
		o.Observe(KeyChanged{Sent, w.epoch, suiteCode(w.suite), true})
	}
	return out, nil
}

// sendRaw sends encoded handshake messages after the handshake.
func (w *writeHalf) sendRaw(m *Machine, out, raw []byte) ([]byte, error) {
	m.observeSent(raw)
	w.message = append(w.message, raw...)
	defer func() { w.message = nil }() // an idle connection need not hold it
	return w.sendMessages(m, out)
}

// addMessage readies a handshake message to be sent after the handshake.
func (w *writeHalf) addMessage(m *Machine, msg wire.Message) {
	from := len(w.message)
	w.message = wire.AppendMessage(w.message, msg)
	if o := m.options.Observer; o != nil {
		o.Observe(MessageObserved{Sent, w.epoch, w.message[from:]})
	}
}

// sendMessages sends the messages that were added, in as few records as there can be.
func (w *writeHalf) sendMessages(m *Machine, out []byte) ([]byte, error) {
	rest := w.message
	w.message = w.message[:0]
	for len(rest) > 0 {
		n := min(len(rest), w.room())
		var err error
		if out, err = w.append(m, out, wire.ContentHandshake, rest[:n]); err != nil {
			return out, err
		}
		rest = rest[n:]
	}
	return out, nil
}

// control appends what the read half queued, and a KeyUpdate where the keys are nearly used up.
func (w *writeHalf) control(m *Machine, out []byte) ([]byte, error) {
	// This comes with every record, and to look costs less than to take.
	if !m.control.pending() && (w.closed || w.v12 || w.offload != nil || !w.sealer.KeyUpdateDue()) {
		return out, nil
	}
	if code, ok := m.control.takeAlert(); ok {
		return w.alert(m, out, code)
	}
	if w.closed {
		m.control.answerUpdate.Store(false)
		m.takeAnswers()
		return out, nil
	}
	for _, x := range m.takeAnswers() {
		var err error
		if out, err = w.answer(m, out, x); err != nil {
			return out, err
		}
	}
	// One answer serves however many requests came since the last: RFC 8446, Section 4.6.3 allows it, and it bounds
	// what a flood of requests can make us send.
	if m.control.answerUpdate.Swap(false) || w.offload == nil && w.sealer.KeyUpdateDue() && !w.v12 {
		return w.update(m, out, false)
	}
	return out, nil
}

// Seal protects application data, after HandshakeDone or as a server's answer to early data, and appends the records to out, before them whatever the queue holds. n is the number
// of bytes of data consumed: all, or fewer with an error. The appended bytes are committed: they must be written
// in order and whole, also when an error comes with them. Seal returns [ErrWriteClosed] after CloseWrite or an alert.
func (m *Machine) Seal(data, out []byte) (n int, o []byte, err error) {
	w := &m.write
	if !m.established && !m.mayAnswerEarly() {
		return 0, out, misuse("Seal before HandshakeDone")
	}
	for {
		if out, err = w.control(m, out); err != nil {
			return n, out, err
		}
		if w.closed {
			return n, out, ErrWriteClosed
		}
		if n == len(data) {
			return n, out, nil
		}
		chunk := data[n:min(len(data), n+w.room())]
		if out, err = w.append(m, out, wire.ContentApplicationData, chunk); err != nil {
			return n, out, err
		}
		n += len(chunk)
	}
}

// mayAnswerEarly: a server that took early data may answer it before the client's Finished, for it knows the client by
// its PSK (RFC 8446, Section 2.3).
func (m *Machine) mayAnswerEarly() bool {
	return m.role == RoleServer && m.facts.EarlyData == EarlyDataAccepted && m.write.epoch == EpochApplication && m.read.err == nil
}

// KeyUpdate appends a KeyUpdate message and changes the sending keys; with ask the peer is requested to do the same
// (RFC 8446, Section 4.6.3).
func (m *Machine) KeyUpdate(ask bool, out []byte) ([]byte, error) {
	if !m.established {
		return out, misuse("KeyUpdate before HandshakeDone")
	}
	if m.write.v12 {
		return out, misuse("KeyUpdate in TLS 1.2")
	}
	if m.write.offload != nil {
		return out, misuse("KeyUpdate after Offload")
	}
	out, err := m.write.control(m, out)
	if err != nil {
		return out, err
	}
	if m.write.closed {
		return out, ErrWriteClosed
	}
	return m.write.update(m, out, ask)
}

// CloseWrite appends close_notify: no more data follows, but the peer may go on sending (RFC 8446, Section 6.1). An answer to
// a CertificateRequest that waits in the queue goes before it. The second call does nothing.
func (m *Machine) CloseWrite(out []byte) ([]byte, error) {
	if m.established && m.control.answers.Load() {
		var err error
		if out, err = m.write.control(m, out); err != nil {
			return out, err
		}
	}
	return m.Abort(wire.AlertCloseNotify, out)
}

// Abort appends an alert of the caller's choice and closes the write half. It may be called at any time after
// Start, also during the handshake, and does nothing once the half is closed.
func (m *Machine) Abort(code wire.AlertCode, out []byte) ([]byte, error) {
	if pending, ok := m.control.takeAlert(); ok {
		code = pending
	}
	early := code == wire.AlertCloseNotify && m.mayAnswerEarly() // our answer is complete; the rest of the handshake still comes
	if !m.established && !early && m.read.err == nil {
		m.read.err = fail(CodeAborted, "%v", code)
		m.question = nil
	}
	return m.write.alert(m, out, code)
}

// Flush appends what the read half queued: an alert, or the answer to a KeyUpdate or a CertificateRequest. It belongs to the write half.
func (m *Machine) Flush(out []byte) ([]byte, error) {
	if !m.established {
		return out, nil
	}
	return m.write.control(m, out)
}

// Pending reports whether Flush has something to append. Either half may ask.
func (m *Machine) Pending() bool { return m.established && m.control.pending() }
