package tlscore

import (
	"time"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/record"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// RecordKeys are what protects the records of one direction: for somebody else who does so, such as the kernel. They are
// secrets.
type RecordKeys struct {
	Version     wire.Version
	CipherSuite wire.CipherSuite
	Key         []byte
	IV          []byte // 12 bytes; 4 bytes, the salt, where each record carries the rest (RFC 5288, Section 3)
	Sequence    uint64 // of the next record
}

func (k *RecordKeys) wipe() {
	clear(k.Key)
	clear(k.IV)
}

// offload is a direction whose records somebody else protects.
type offload struct {
	sequence, limit uint64 // the number of the next record, and how many the key bears; 0: any number
}

// Offload hands the protection of one direction to somebody else, for good: take gets the keys, which are wiped when it
// returns. If it fails, it has not used them, and all is as before. Otherwise the machine forgets them, so that no nonce
// is used twice. It belongs to the half of that direction of an established connection.
//
// Of what is sent, Seal and its kin then append records that are not protected, with their header: who has the keys
// protects each of them by itself, with its type. Of what is received, [Machine.FeedOpened] takes the place of Feed; bytes
// that have come before must have been fed.
//
// It is a [MisuseError] where Facts.PostHandshakeAuth is set: a certificate after the handshake is bound to the secrets
// that the keys come from (RFC 8446, Section 4.4).
//
// From then on keys cannot change any more: KeyUpdate and Suspend are a [MisuseError], and a KeyUpdate of the peer, or its
// request of one, ends the connection with CodeInternal.
func (m *Machine) Offload(d Direction, take func(RecordKeys) error) error {
	w, r := &m.write, &m.read
	switch {
	case !m.established || m.over != nil:
		return misuse("Offload other than on an established connection")
	case m.late != nil:
		return misuse("Offload where a certificate may be asked for: the secrets in it are needed then")
	case d == Sent && w.pad != nil && !w.v12:
		return misuse("Offload of what Config.Padding is to hide the length of")
	case d == Sent && (w.offload != nil || w.closed), d == Received && (r.offload != nil || r.err != nil || r.closed || !r.joiner.Empty()):
		return misuse("Offload of a direction that has ended, or was offloaded, or in the middle of a message")
	}
	var k RecordKeys
	if d == Sent {
		k = m.recordKeys(w.suite, w.traffic, w.sealer.Sequence(), m.role == RoleClient)
	} else {
		k = m.recordKeys(r.suite, r.traffic, r.opener.Sequence(), m.role == RoleServer)
	}
	defer k.wipe()
	if err := take(k); err != nil {
		return err
	}
	if d == Sent {
		w.offload = &offload{sequence: k.Sequence, limit: w.suite.MaxRecords}
		w.sealer.Wipe()
		w.traffic.Wipe()
		w.sealer = nil
		return nil
	}
	r.offload = &offload{sequence: k.Sequence}
	r.opener.Wipe()
	r.traffic.Wipe()
	r.opener = nil
	return nil
}

// recordKeys derives the keys of a direction again.
func (m *Machine) recordKeys(s *suite.Suite, t keys.Traffic, sequence uint64, client bool) RecordKeys {
	k := RecordKeys{Version: s.Version, CipherSuite: s.ID, Sequence: sequence, Key: make([]byte, s.KeyLen), IV: make([]byte, s.IVLen)}
	if s.Version == wire.VersionTLS13 {
		t.KeysInto(k.Key, k.IV)
		return k
	}
	block := m.state.(established12).master.KeyBlock(&keys.Randoms{Client: m.facts.ClientRandom, Server: m.facts.ServerRandom}, s.KeyLen, s.IVLen)
	defer block.Wipe()
	if client {
		copy(k.Key, block.ClientKey)
		copy(k.IV, block.ClientIV)
	} else {
		copy(k.Key, block.ServerKey)
		copy(k.IV, block.ServerIV)
	}
	return k
}

// FeedOpened is Feed for a connection whose records somebody else opens, one at a time or a piece of one: its content, and
// its type. Step.N is the length of the content, or 0 where a message from before has caused an event first: the same
// content is fed again then.
func (m *Machine) FeedOpened(now time.Time, kind wire.ContentType, content, out []byte) (Step, error) {
	step := Step{Out: out}
	switch {
	case m.read.err != nil:
		return step, m.read.err
	case m.read.offload == nil:
		return step, misuse("FeedOpened before Offload")
	case m.question != nil:
		return step, nil
	case m.read.closed:
		step.Event.Kind = PeerClosed
		return step, nil
	}
	if m.messages(now, &step); m.read.err != nil || step.Event.Kind != NoEvent {
		return step, m.read.err
	}
	step.now, step.N = now, len(content)
	m.read.offset += uint64(len(content))
	if kind == 0 {
		m.fail(fail(CodeUnexpectedRecord, "%v", kind), &step)
	} else if err := m.dispatch(now, kind, content, &step); err != nil {
		m.fail(err, &step)
	}
	return step, m.read.err
}

// FailOpened is for a record that who opens them has found to be forged: it ends the connection as Feed would, with an alert
// that waits for Flush, and returns why.
func (m *Machine) FailOpened() error {
	if m.read.offload == nil {
		return misuse("FailOpened before Offload")
	}
	if m.read.err == nil {
		m.fail(fail(CodeBadRecordMAC, ""), new(Step))
	}
	return m.read.err
}

// next counts a record that somebody else will protect.
func (o *offload) next() error {
	if o.limit != 0 && o.sequence >= o.limit {
		return record.ErrLimit
	}
	o.sequence++
	return nil
}
