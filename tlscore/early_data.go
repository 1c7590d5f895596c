package tlscore

import (
	"errors"

	"github.com/tlswright/tlswright/wire"
)

// EarlyData says what became of 0-RTT data on a connection (RFC 8446, Section 2.3).
type EarlyData uint8

// The fates of early data.
const (
	EarlyDataNone     EarlyData = iota // not offered
	EarlyDataOffered                   // the client sends some; the server has not decided
	EarlyDataAccepted                  // the server takes it
	EarlyDataRejected                  // the server has dropped it: what was sent must be sent again, if at all
)

var earlyDataNames = [...]string{"none", "offered", "accepted", "rejected"}

// String returns "none", "offered", "accepted" or "rejected".
func (e EarlyData) String() string {
	if int(e) < len(earlyDataNames) {
		return earlyDataNames[e]
	}
	return "unknown"
}

// ErrEarlyDataOver is returned by SealEarly once no early data can be sent any more: none was offered, the limit is
// reached, or the server has refused it or finished its own handshake.
var ErrEarlyDataOver = errors.New("tlscore: no early data can be sent now")

// earlyState is a client's own view of its early data.
type earlyState uint8

const (
	earlyNone earlyState = iota
	earlyOffered
	earlyAccepted
	earlyRejected
)

// beginEarlyData moves a client's write half to the early keys, right behind its ClientHello.
func (hs *clientHandshake) beginEarlyData(t *turn) {
	transcript := t.transcript.Clone()
	transcript.Begin(hs.psk.suite.Hash)
	hs.sendChangeCipherSpec(t)
	th := transcript.Sum()
	t.writeKeys(EpochEarlyData, hs.psk.suite, hs.psk.early.ClientEarlyTraffic(th))
	t.exportEarly(hs.psk.early.Exporter(th))
	t.facts.EarlyData = EarlyDataOffered
}

// rejectEarlyData notes that the server will not take the early data. The write half leaves the early keys.
func (hs *clientHandshake) rejectEarlyData(t *turn) {
	if hs.early != earlyOffered {
		return
	}
	hs.early = earlyRejected
	if hs.keyed == nil || hs.retry != nil {
		t.exportEarly(nil)
	}
	t.facts.EarlyData = EarlyDataRejected
	t.want(effectWritePlaintext)
}

// onEarlyData reads the server's decision out of EncryptedExtensions (RFC 8446, Section 4.2.10).
func (s expectEncryptedExtensions) onEarlyData(t *turn, ee *wire.EncryptedExtensions) error {
	accepted, err := decoded(ee.Ext(&wire.EarlyData{}))
	if err != nil {
		return err
	}
	if s.early != earlyOffered {
		if accepted { // it was offered, or else it was refused before as unsolicited
			return fail(CodeMisplacedExtension, "%v, although the early data could not be accepted", wire.ExtEarlyData)
		}
		return nil
	}
	if !accepted {
		s.rejectEarlyData(t)
		t.writeKeys(EpochHandshake, s.suite, s.client)
		return nil
	}
	s.early = earlyAccepted
	// RFC 8446, Section 4.2.10: the protocol must be the one that the early data was sent for.
	if t.facts.ALPN != s.resumed.ALPN {
		return fail(CodeBadProtocolSelected, "%q, but the early data was for %q", t.facts.ALPN, s.resumed.ALPN)
	}
	t.facts.EarlyData = EarlyDataAccepted
	return nil
}

// endEarlyData ends accepted early data and moves the write half to the handshake keys (RFC 8446, Section 4.5).
func (hs *clientKeys) endEarlyData(t *turn) {
	if hs.early != earlyAccepted {
		return
	}
	t.send(&wire.EndOfEarlyData{})
	t.writeKeys(EpochHandshake, hs.suite, hs.client)
}

// leaveEarlyKeys changes the keys for an alert that ends early data.
//
// Before a ServerHello that we can accept, nothing says that the server has the early keys: one of TLS 1.2 cannot have
// them, nor can one that does not know the session, and both would take the alert for data. So it goes out in the clear,
// as it would without early data. After the ServerHello the handshake keys are known; they give way to the early keys
// only where the server has told that it reads with those.
//
// RFC 8446, Appendix A.1: clients that would send such alerts in the clear or with the early data keys SHOULD first rekey
// to the handshake keys if possible.
func (w *writeHalf) leaveEarlyKeys(m *Machine) error {
	switch s := m.state.(type) {
	case expectServerHello:
		w.plaintext()
	case expectEncryptedExtensions:
		if s.early == earlyOffered {
			return w.install(m, &effect{epoch: EpochHandshake, suite: s.suite, traffic: s.client})
		}
	}
	return nil
}

// SealEarly protects 0-RTT data and appends the records to out. It may be called between Start and the server's refusal,
// or else its Finished; n is less than len(data), with [ErrEarlyDataOver], where the server's limit ends it (RFC 8446,
// Section 4.2.10).
//
// Early data can be replayed by an attacker: send only what may happen twice (RFC 8446, Section 8).
func (m *Machine) SealEarly(data, out []byte) (n int, o []byte, err error) {
	w := &m.write
	if m.role == RoleClient && !m.established && (m.read.err != nil || w.closed) {
		return 0, out, ErrWriteClosed
	}
	if m.role != RoleClient || m.established || w.epoch != EpochEarlyData {
		return 0, out, ErrEarlyDataOver
	}
	for n < len(data) {
		room := int(m.options.Session.MaxEarlyData) - w.early
		if room <= 0 {
			return n, out, ErrEarlyDataOver
		}
		chunk := data[n:min(len(data), n+w.room(), n+room)]
		if out, err = w.append(m, out, wire.ContentApplicationData, chunk); err != nil {
			return n, out, err
		}
		n += len(chunk)
		w.early += len(chunk)
	}
	return n, out, nil
}

// minSkip is how many bytes of refused early data a server skips at least: a ticket from before a change of
// configuration may allow some although this one does not.
const minSkip = 16 << 10

// skipEarlyData lets the driver drop what it cannot read: early data that the server refuses (RFC 8446, Section 4.2.10).
func (m *Machine) skipEarlyData() {
	m.read.skip = max(minSkip, int(min(m.params.c.MaxEarlyData, 1<<30)))
}

// skipped drops a record of refused early data. ok is false for one that may not be dropped any more.
func (r *readHalf) skipped(fragment []byte) (ok bool, err error) {
	if r.skip == 0 {
		return false, nil
	}
	if r.skip -= max(1, len(fragment)-16); r.skip <= 0 {
		return false, fail(CodeTooMuchEarlyData, "skipped, that is")
	}
	return true, nil
}

// earlyData reports accepted early data, within the limit (RFC 8446, Section 4.2.10: unexpected_message beyond it).
func (m *Machine) earlyData(content []byte, step *Step) error {
	if len(content) == 0 {
		return m.uselessRecord()
	}
	if m.read.early += len(content); m.read.early > int(m.read.earlyLimit) {
		return fail(CodeTooMuchEarlyData, "more than %d bytes", m.read.earlyLimit)
	}
	m.read.useless = 0
	step.Event = Event{Kind: EarlyDataReceived, Data: content}
	return nil
}
