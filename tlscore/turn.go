package tlscore

import (
	"time"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// turn is all that a state sees of the machine while it handles one message or answer. What it asks for is collected as
// effects, which the driver carries out in order once the state has returned without an error.
type turn struct {
	now     time.Time
	params  *Params
	options *Options
	facts   *Facts

	transcript *keys.Transcript
	trace      func(keys.Derivation) // nil unless somebody receives the secrets

	flight   []byte // handshake messages to send, encoded
	effects  []effect
	question *Question

	exporter   exporter      // of TLS 1.2
	exporter13 keys.Exporter // of TLS 1.3
	early      *earlyChange  // nil: the early exporter stays
	resumption keys.Resumption
	resumed    *Session
	received   *Session // the ticket of a TLS 1.2 handshake
	spent      []interface{ Wipe() }
	spent13    struct {
		client, server keys.Traffic
		main           keys.Main
	}
	exchange *lateExchange // that the turn belongs to; nil: to none
	late     *lateAuth     // of a connection that is done
	incoming keys.Traffic  // of the records that come, once the connection is established

	scrub  bool   // secrets were at work, see scrubStack
	unsent *Error // a message did not fit its length field
	end    *Error // ends the connection once everything is sent

	digest [maxDigest]byte // what hash returned last
	mac    [maxDigest]byte // verify_data of our Finished
	proof  wire.Finished   // around it
}

// maxDigest is the longest hash of a transcript there is room for; a longer one would be allocated.
const maxDigest = 48

// exporter is that of either version.
type exporter interface {
	Export(label string, context []byte, length int) ([]byte, error)
	Wipe()
}

type effectKind uint8

const (
	effectSend             effectKind = iota // flight[from:to]
	effectChangeCipherSpec                   // the compatibility record (RFC 8446, Appendix D.4)
	effectReadKeys
	effectWriteKeys
	effectHandshakeDone
	effectUpdateReadKeys // the peer's KeyUpdate
	effectAnswerUpdate   // it asks for ours
	effectTicket         // a NewSessionTicket arrived
	effectWritePlaintext // the early keys are over before there are others
	effectSkipEarlyData  // drop what cannot be read
	effectAcceptEarlyData
	effectLimits
	effectRequested // a CertificateRequest arrived after the handshake
	effectLate      // an answer to one is complete
	effectAligned   // no further bytes may have come with the message
)

type effect struct {
	kind     effectKind
	from, to int
	epoch    Epoch
	suite    *suite.Suite
	traffic  keys.Traffic
	key, iv  []byte        // of TLS 1.2, in the place of traffic
	session  *Session      // effectTicket
	limit    uint32        // effectAcceptEarlyData, bytes
	limits   limits        // effectLimits
	late     *lateExchange // effectLate
}

// send encodes a handshake message, adds it to the transcript, and asks for it to be sent.
func (t *turn) send(m wire.Message) {
	from := len(t.flight)
	var err error
	if t.flight, err = wire.TryAppendMessage(t.flight, m); err != nil {
		t.unsent = because(CodeTooLongToSend, err)
		return
	}
	t.transcript.Add(t.flight[from:])
	t.effects = append(t.effects, effect{kind: effectSend, from: from, to: len(t.flight)})
}

// emit asks for an encoded handshake message to be sent, and leaves the transcript alone.
func (t *turn) emit(raw []byte) {
	from := len(t.flight)
	t.flight = append(t.flight, raw...)
	t.effects = append(t.effects, effect{kind: effectSend, from: from, to: len(t.flight)})
}

// absorb adds a received message to the transcript. Each state does so itself, after it took the hash of what came
// before where it needs that: the order is the RFC's, and visible.
func (t *turn) absorb(m message) { t.transcript.Add(m.raw) }

// hash returns the Transcript-Hash of all messages so far (RFC 8446, Section 4.4.1). It is valid until the next call; a
// state that keeps one takes transcript.Sum.
func (t *turn) hash() []byte { return t.transcript.SumInto(t.digest[:0]) }

// finished sends Finished under the traffic secret of our direction (RFC 8446, Section 4.4.4).
func (t *turn) finished(k keys.Traffic) {
	t.proof.VerifyData = k.AppendFinished(t.mac[:0], t.hash())
	t.send(&t.proof)
}

func (t *turn) changeCipherSpec() {
	t.effects = append(t.effects, effect{kind: effectChangeCipherSpec})
}

func (t *turn) readKeys(e Epoch, s *suite.Suite, k keys.Traffic) {
	t.effects = append(t.effects, effect{kind: effectReadKeys, epoch: e, suite: s, traffic: k})
}

func (t *turn) writeKeys(e Epoch, s *suite.Suite, k keys.Traffic) {
	t.effects = append(t.effects, effect{kind: effectWriteKeys, epoch: e, suite: s, traffic: k})
}

// readKeys12 and writeKeys12 are their counterparts in TLS 1.2.
func (t *turn) readKeys12(s *suite.Suite, key, iv []byte) {
	t.effects = append(t.effects, effect{kind: effectReadKeys, epoch: EpochApplication, suite: s, key: key, iv: iv})
}

func (t *turn) writeKeys12(s *suite.Suite, key, iv []byte) {
	t.effects = append(t.effects, effect{kind: effectWriteKeys, epoch: EpochApplication, suite: s, key: key, iv: iv})
}

// done12 ends a TLS 1.2 handshake. Without the extended master secret there is no exporter: what it gave could be the
// same on an attacker's connection (RFC 7627, Section 5.4).
func (t *turn) done12(master keys.Master12, r *keys.Randoms, ems bool, resumed *Session) {
	if ems {
		t.exporter = master.Exporter(r)
	}
	t.resumed, t.scrub = resumed, true
	t.effects = append(t.effects, effect{kind: effectHandshakeDone})
}

func (t *turn) done(exporter keys.Exporter, resumption keys.Resumption, resumed *Session) {
	t.exporter13, t.resumption, t.resumed, t.scrub = exporter, resumption, resumed, true
	t.effects = append(t.effects, effect{kind: effectHandshakeDone})
}

// forget wipes secrets once the effects that may still need them are carried out.
func (t *turn) forget(secrets ...interface{ Wipe() }) { t.spent = append(t.spent, secrets...) }

// forget13 is forget for what a handshake of TLS 1.3 leaves behind.
func (t *turn) forget13(client, server keys.Traffic, main keys.Main) {
	t.spent13.client, t.spent13.server, t.spent13.main = client, server, main
}

// wipe does what forget asked for.
func (t *turn) wipe() {
	for _, secret := range t.spent {
		secret.Wipe()
	}
	t.spent13.client.Wipe()
	t.spent13.server.Wipe()
	t.spent13.main.Wipe()
}

func (t *turn) want(k effectKind) { t.effects = append(t.effects, effect{kind: k}) }

// ask suspends the machine with a question; the state that on returns must be a waiting one.
func (t *turn) ask(q Question) { t.question = &q }

// handshakeKeys turns the result of the key exchange into the stage of the key schedule that follows, and forgets it.
// The shared secret is reported by itself too, for no HKDF step produces it.
func (t *turn) handshakeKeys(early keys.Early, shared []byte) keys.Handshake {
	if t.trace != nil {
		t.trace(keys.Derivation{Name: "shared_secret", Output: shared})
	}
	defer early.Wipe()
	defer clear(shared)
	return early.Handshake(shared)
}
