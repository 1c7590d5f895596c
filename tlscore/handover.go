package tlscore

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/record"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// ErrSuspended is what a machine says to everything after Suspend: what it was has gone to another one.
var ErrSuspended = errors.New("tlscore: the connection was handed over")

// ErrNotSuspended is returned by Restore for bytes that Suspend of this version has not made.
var ErrNotSuspended = errors.New("tlscore: not the state of a suspended connection")

// suspendedFormat is the first number in the state of a suspended connection; another layout gets another one.
const suspendedFormat = 1

// Suspend ends the machine and returns all that another one needs to go on with the connection, for [Restore], in this
// process or another: the secrets of both directions with their sequence numbers, exporter and resumption secrets,
// limits, [Facts], the beginning of a handshake message that has not come whole, and what the queue holds. Bytes that
// have come but were not fed are with the caller, who hands them on.
//
// The machine has forgotten all secrets then: Feed returns [ErrSuspended], Seal and its kin [ErrWriteClosed], Facts goes
// on to answer. So no nonce is used twice, as long as the state is restored once. It lets whoever has it read, write
// and resume as this end: it is a secret, to be sent over what only the two processes see, and wiped.
//
// What the handshake was made of is not handed over: from then on no certificate can be asked for any more (RFC 8446,
// Section 4.6.2), and Facts.PostHandshakeAuth is false.
//
// It is for an established connection with no question open, that has not failed. No other call may be under way in
// either half.
func (m *Machine) Suspend() ([]byte, error) {
	switch {
	case !m.established:
		return nil, misuse("Suspend before HandshakeDone")
	case m.read.err != nil:
		return nil, m.read.err
	case m.question != nil:
		return nil, misuse("Suspend while a question is open")
	case m.read.offload != nil || m.write.offload != nil:
		return nil, misuse("Suspend after Offload")
	case m.late.busy():
		return nil, misuse("Suspend while a certificate request is open")
	}
	var f frozen
	switch s := m.state.(type) {
	case established:
	case established12:
		f.master = s.master.Secret()
	default:
		return nil, misuse("Suspend in the middle of an exchange")
	}
	f.freeze(m)
	c := coder{}
	m.code(&c, &f)
	m.end(ErrSuspended)
	return c.bytes, nil
}

// Restore makes a machine that goes on where one ended by [Machine.Suspend] has stopped. Of the options Observer and Secrets
// count. The parameters need not be those of the other machine: what was agreed on stays as it was, and limits and
// padding are theirs. Facts.OwnIdentity and Facts.PSKTag are found among theirs, or have no Tag.
//
// A state must be restored once: two machines of one state would use nonces twice, which gives the keys away. This
// cannot be checked here. The error is [ErrNotSuspended].
func Restore(p *Params, o Options, state []byte) (*Machine, error) {
	var f frozen
	defer f.wipe()
	m := newMachine(RoleClient, p, o)
	c := coder{reading: true, bytes: state}
	m.code(&c, &f)
	m.facts = f.facts
	if c.bad || len(c.bytes) > 0 || !f.sound(m) {
		return nil, ErrNotSuspended
	}
	m.started, m.established = true, true
	m.facts.HandshakeComplete = true
	m.facts.PSKTag = p.tagOf(&m.facts)
	if f.late {
		shown := f.shown
		shown.HandshakeComplete, shown.PSKTag = true, m.facts.PSKTag
		m.shown = &shown
	}
	if err := f.thaw(m); err != nil {
		m.Wipe()
		return nil, ErrNotSuspended
	}
	return m, nil
}

// frozen is what of a machine's state is not simply a number in it.
type frozen struct {
	facts                        Facts // of the handshake, which sessions are of
	late                         bool  // certificates were asked for after it: shown is what Facts says then
	shown                        Facts
	master, exporter, resumption []byte // master: of TLS 1.2, which needs nothing else
	early                        []byte // early exporter; nil: none
	read, write                  frozenHalf
	partial                      []byte // of a handshake message
	resumed                      bool
	authenticated                uint64 // Unix time in milliseconds, where resumed
	ownType                      wire.CertificateType
	answer                       bool
	alert                        uint32
	tickets                      int // received
}

type frozenHalf struct {
	secret     []byte // of TLS 1.3
	generation int
	sequence   uint64
}

// wipe overwrites the secrets that were read: the machine has copies.
func (f *frozen) wipe() {
	for _, secret := range [][]byte{f.master, f.exporter, f.resumption, f.early, f.read.secret, f.write.secret} {
		clear(secret)
	}
}

// freeze looks at a machine.
func (f *frozen) freeze(m *Machine) {
	f.facts, f.shown = m.facts, m.Facts()
	f.late = f.shown.LateRequests > 0
	f.facts.PostHandshakeAuth, f.shown.PostHandshakeAuth = false, false // the transcript stays here
	f.read.sequence, f.write.sequence = m.read.opener.Sequence(), m.write.sealer.Sequence()
	if !m.read.v12 {
		f.exporter, f.resumption = m.exporter13.Secret(), m.resumption.Secret()
		f.read.secret, f.read.generation = m.read.traffic.Secret(), m.read.traffic.Generation()
		f.write.secret, f.write.generation = m.write.traffic.Secret(), m.write.traffic.Generation()
	}
	f.early = earlySecret(m.early)
	f.partial = m.read.joiner.Waiting()
	if f.resumed = m.resumed != nil; f.resumed {
		f.authenticated, f.ownType = uint64(m.resumed.Authenticated.UnixMilli()), m.resumed.OwnType
	}
	f.answer, f.alert, f.tickets = m.control.answerUpdate.Load(), m.control.alert.Load(), int(m.control.tickets.Load())
}

// code is the format.
func (m *Machine) code(c *coder, f *frozen) {
	format := uint8(suspendedFormat)
	number(c, &format)
	c.bad = c.bad || format != suspendedFormat
	number(c, &m.role)
	f.facts.code(c, m.params)
	if c.flag(&f.late); f.late {
		f.shown.code(c, m.params)
	}
	for _, secret := range []*[]byte{&f.master, &f.exporter, &f.resumption, &f.early, &f.partial} {
		text(c, secret)
	}
	for _, half := range []*frozenHalf{&f.read, &f.write} {
		text(c, &half.secret)
		number(c, &half.generation)
		number(c, &half.sequence)
	}
	number(c, &m.read.offset)
	number(c, &m.write.offset)
	for _, n := range []*int{&m.read.limit, &m.write.limit.read, &m.write.limit.write, &m.read.useless, &m.read.warnings,
		&m.read.updates, &m.read.tickets, &m.write.tickets, &f.tickets} {
		number(c, n)
	}
	for _, b := range []*bool{&m.write.limit.plain, &m.read.closed, &m.write.closed, &f.resumed, &f.answer} {
		c.flag(b)
	}
	number(c, &f.authenticated)
	number(c, &f.ownType)
	number(c, &f.alert)
}

// sound reports whether what was read can be the state of a connection.
func (f *frozen) sound(m *Machine) bool {
	s := suiteOf(m.facts.Version, m.facts.CipherSuite)
	if s == nil || s.Version != m.facts.Version || m.role > RoleServer || m.facts.Role != m.role {
		return false
	}
	// What is known of later certificates stands in shown alone, and nobody can be asked for another: so freeze has it.
	if f.facts.LateRequests != 0 || f.facts.PostHandshakeAuth || f.shown.PostHandshakeAuth || f.late && f.shown.TicketsReceived != f.tickets {
		return false
	}
	if f.late && (s.Version != wire.VersionTLS13 || f.shown.LateRequests == 0 || f.shown.Role != m.role || f.shown.Version != m.facts.Version || f.shown.CipherSuite != s.ID) {
		return false
	}
	if s.Version == wire.VersionTLS12 {
		const masterLen = 48
		none := f.exporter == nil && f.early == nil && f.resumption == nil && f.read.secret == nil && f.write.secret == nil
		return none && len(f.master) == masterLen && f.read.generation == 0 && f.write.generation == 0 && f.sane(m)
	}
	for _, secret := range [][]byte{f.exporter, f.resumption, f.read.secret, f.write.secret} {
		if len(secret) != s.Hash.Size() {
			return false
		}
	}
	if f.early != nil && len(f.early) != s.Hash.Size() {
		return false
	}
	return f.master == nil && f.sane(m)
}

// sane reports whether the numbers are such as a connection can have.
func (f *frozen) sane(m *Machine) bool {
	for _, limit := range []int{m.read.limit, m.write.limit.read, m.write.limit.write} {
		if limit != 0 && (limit < minRecordLimit || limit > maxRecordLimit) {
			return false
		}
	}
	alert := f.alert == 0 || f.alert&^0xff == alertPending
	return alert && m.write.tickets <= maxTicketsSent && f.tickets <= 1<<31-1 &&
		(f.resumed || f.authenticated == 0 && f.ownType == 0) && f.authenticated <= 1<<62
}

// thaw makes the machine what the state says.
func (f *frozen) thaw(m *Machine) error {
	s := suiteOf(m.facts.Version, m.facts.CipherSuite)
	var trace func(keys.Derivation)
	if m.options.Secrets != nil {
		trace = m.derived
	}
	for _, half := range []struct {
		suite **suite.Suite
		epoch *Epoch
		v12   *bool
	}{{&m.read.suite, &m.read.epoch, &m.read.v12}, {&m.write.suite, &m.write.epoch, &m.write.v12}} {
		*half.suite, *half.epoch, *half.v12 = s, EpochApplication, s.Version == wire.VersionTLS12
	}
	if f.resumed {
		m.resumed = &Session{Authenticated: time.UnixMilli(int64(f.authenticated)), OwnType: f.ownType}
	}
	m.read.joiner.Add(f.partial)
	m.write.hello = true
	m.control.answerUpdate.Store(f.answer)
	m.control.alert.Store(f.alert)
	m.control.tickets.Store(int32(f.tickets))
	err := f.keys13(m, s, trace)
	if s.Version == wire.VersionTLS12 {
		err = f.keys12(m, s, trace)
	}
	if err == nil {
		err = errors.Join(m.read.opener.Skip(f.read.sequence), m.write.sealer.Skip(f.write.sequence))
	}
	return err
}

func (f *frozen) keys13(m *Machine, s *suite.Suite, trace func(keys.Derivation)) (err error) {
	if s.Version != wire.VersionTLS13 {
		return nil
	}
	client := m.role == RoleClient
	m.exporter13 = keys.RestoreExporter(s.Hash, f.exporter, trace)
	m.exporter = &m.exporter13
	m.resumption = keys.RestoreResumption(s.Hash, f.resumption, trace)
	if f.early != nil {
		m.early = keys.RestoreExporter(s.Hash, f.early, trace)
	}
	m.read.traffic = keys.RestoreTraffic(s.Hash, f.read.secret, !client, f.read.generation, trace)
	m.write.traffic = keys.RestoreTraffic(s.Hash, f.write.secret, client, f.write.generation, trace)
	m.state = established{role: m.role}
	if client {
		m.state = established{role: m.role, resumption: m.resumption, resumed: m.resumed}
	}
	if m.read.opener, err = record.NewOpener(s, m.read.traffic); err != nil {
		return err
	}
	m.write.sealer, err = record.NewSealer(s, m.write.traffic)
	return err
}

func (f *frozen) keys12(m *Machine, s *suite.Suite, trace func(keys.Derivation)) (err error) {
	randoms := keys.Randoms{Client: m.facts.ClientRandom, Server: m.facts.ServerRandom}
	master := keys.ResumeMaster12Traced(s.Hash, f.master, trace)
	m.state = established12{m.role, master}
	if m.facts.ExtendedMasterSecret {
		m.exporter = master.Exporter(&randoms)
	}
	block := master.KeyBlock(&randoms, s.KeyLen, s.IVLen)
	defer block.Wipe()
	in, inIV, out, outIV := block.ServerKey, block.ServerIV, block.ClientKey, block.ClientIV
	if m.role == RoleServer {
		in, inIV, out, outIV = out, outIV, in, inIV
	}
	if m.read.opener, err = record.NewOpener12(s, in, inIV); err != nil {
		return err
	}
	m.write.sealer, err = record.NewSealer12(s, out, outIV)
	return err
}

// tagOf finds the Tag of the external PSK that a connection rests on; nil: it is none of these.
func (p *Params) tagOf(f *Facts) any {
	s := Session{PSKIdentity: f.PSKIdentity, pskCheck: f.pskCheck}
	for _, entries := range []func(func(*pskEntry) bool){slices.Values(p.offers), maps.Values(p.accepts)} {
		if e, ok := s.stillKeyed(entries); ok && e != nil {
			return e.psk.Tag
		}
	}
	return nil
}
