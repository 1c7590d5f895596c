package tlstest

import (
	"bytes"
	"crypto"
	"errors"
	"slices"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/record"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// Puppet speaks TLS by a fixed script against one machine, and lets a test put any bytes in the place of any message. It
// uses wire, keys and record directly, so that it can say what no machine would. It derives its keys from what it really
// sent, edits included, and believes whatever the machine says.
type Puppet struct {
	// Edit sees each handshake message before it is sent, header included, and returns what is sent (and hashed) in its
	// place: several messages, changed ones, or nothing. Nil: the message as it is.
	Edit func(kind wire.HandshakeType, raw []byte) []byte
	// Before returns records, in the clear, to be sent before a message; nil: none.
	Before func(kind wire.HandshakeType) []byte
	// Aside returns content to be sent before a message under the keys of the moment, not hashed; no content: nothing.
	Aside func(kind wire.HandshakeType) (wire.ContentType, []byte)
	// Behind returns bytes to send in the same record behind a message; they are not hashed.
	Behind func(kind wire.HandshakeType) []byte
	// Change sees the change_cipher_spec record of TLS 1.2 and returns what is sent in its place. Where that is nothing,
	// the keys do not change either. Nil: the record as it is.
	Change func(rec []byte) []byte
	// Answer answers the machine's questions; nil, or a nil answer: kindly, with Session as the one that is known.
	Answer func(*tlscore.Question) tlscore.Answer

	Version  wire.Version     // zero: TLS 1.3
	Suite    wire.CipherSuite // zero: as server the client's first that fits, as client one with AES-128-GCM
	Identity tlscore.Identity // of a server, or of a client that is asked; its Tag is the crypto.Signer
	Request  bool             // as server: ask for a certificate
	Retry    wire.Group       // as server: ask for a share of this group first; zero: do not
	Session  *tlscore.Session // as client: offered; as server: accepted where it is offered

	Late      bool     // as client: offer to be asked for a certificate after the handshake
	Early     [][]byte // as client: records of early data; nil: none is offered
	TakeEarly bool     // as server: accept early data
	Ticket    []byte   // as server of TLS 1.2: announced and sent in NewSessionTicket; nil: none
	Staple    []byte   // as server of TLS 1.2: announced and sent in CertificateStatus; nil: none

	random     [32]byte // the client's
	suite      *suite.Suite
	transcript keys.Transcript
	sealer     *record.Sealer
	traffic    keys.Traffic     // of the sealer
	theirs     keys.Traffic     // of the newest opener
	openers    []*record.Opener // of TLS 1.3, tried in turn: which one fits depends on how far the machine came
	opener12   *record.Opener   // of TLS 1.2
	next12     *record.Opener   // likewise, from the machine's change_cipher_spec on
	plain      []byte           // the machine's output, not read yet
	joiner     wire.Joiner
	outcome    Outcome
}

// Outcome is what became of the machine.
type Outcome struct {
	Err   error       // the machine's error
	Alert *wire.Alert // the alert it sent, as the puppet could read it
	Done  bool        // it reported HandshakeDone
	Early []byte      // the early data that it reported
	Stuck error       // why the puppet could not go on, though the machine had not failed
}

// errSilence: the machine has said less than the script needs.
var errSilence = errors.New("tlstest: the machine says nothing")

// say sends a message in the current epoch, and feeds it to the machine. It returns what was sent.
func (p *Puppet) say(m *tlscore.Machine, msg wire.Message) []byte {
	raw := wire.AppendMessage(nil, msg)
	if p.Before != nil {
		p.feed(m, p.Before(msg.Type()))
	}
	if p.Aside != nil {
		if kind, content := p.Aside(msg.Type()); content != nil {
			p.feed(m, p.protect(kind, content))
		}
	}
	if p.Edit != nil {
		raw = p.Edit(msg.Type(), raw)
	}
	if len(raw) == 0 {
		return nil
	}
	p.transcript.Add(raw)
	sent := raw
	if p.Behind != nil {
		sent = append(bytes.Clone(raw), p.Behind(msg.Type())...)
	}
	p.feed(m, p.protect(wire.ContentHandshake, sent))
	return raw
}

// Say sends any content in the current epoch, after the script has ended.
func (p *Puppet) Say(m *tlscore.Machine, kind wire.ContentType, content []byte) Outcome {
	p.feed(m, p.protect(kind, content))
	p.read()
	return p.outcome
}

// Feed gives the machine any bytes, after the script has ended.
func (p *Puppet) Feed(m *tlscore.Machine, b []byte) Outcome {
	p.feed(m, b)
	p.read()
	return p.outcome
}

// ClientRandom is that of the client's last ClientHello, for a puppet that serves.
func (p *Puppet) ClientRandom() [32]byte { return p.random }

// Protect returns content as records under the keys of the moment.
func (p *Puppet) Protect(kind wire.ContentType, content []byte) []byte {
	return p.protect(kind, content)
}

func (p *Puppet) protect(kind wire.ContentType, content []byte) []byte {
	var out []byte
	for first := true; first || len(content) > 0; first = false {
		n := min(len(content), wire.MaxPlaintext)
		if p.sealer == nil {
			out = record.AppendPlaintext(out, kind, wire.VersionTLS12, content[:n])
		} else {
			var err error
			if out, err = p.sealer.Seal(out, kind, content[:n], 0); err != nil {
				panic(err)
			}
		}
		content = content[n:]
	}
	return out
}

// feed gives bytes to the machine, answers its questions, and keeps what it sends.
func (p *Puppet) feed(m *tlscore.Machine, b []byte) {
	for p.outcome.Err == nil {
		step, err := m.Feed(Now, b, nil)
		n := step.N
		for {
			p.plain = append(p.plain, step.Out...)
			p.outcome.Done = p.outcome.Done || step.Event.Kind == tlscore.HandshakeDone
			if step.Event.Kind == tlscore.EarlyDataReceived {
				p.outcome.Early = append(p.outcome.Early, step.Event.Data...)
			}
			q := step.Event.Question
			if err != nil || q == nil {
				break
			}
			step, err = m.Resume(Now, q.ID, (&End{Answer: p.answer}).answer(q), nil)
		}
		if p.outcome.Err = err; m.Pending() {
			out, _ := m.Flush(nil)
			p.plain = append(p.plain, out...)
		}
		if b = b[n:]; n == 0 {
			return
		}
	}
}

func (p *Puppet) answer(q *tlscore.Question) tlscore.Answer {
	if p.Answer != nil {
		if a := p.Answer(q); a != nil {
			return a
		}
	}
	switch {
	case q.Kind == tlscore.NeedSession && p.Session != nil:
		return tlscore.Found{Session: p.Session}
	case q.Kind == tlscore.NeedFresh:
		return tlscore.Fresh(true)
	}
	return nil
}

// read takes in the machine's output: an alert into the outcome, handshake messages into the joiner.
func (p *Puppet) read() {
	for len(p.plain) > 0 {
		rec, _, err := wire.Deframe(p.plain, wire.MaxCiphertext12)
		if err != nil || rec == nil {
			return
		}
		kind, content := wire.ContentType(rec[0]), rec[wire.RecordHeaderLen:]
		switch {
		case p.opener12 != nil:
			if kind, content, err = p.opener12.Open(bytes.Clone(rec)); err != nil {
				return
			}
		case kind == wire.ContentChangeCipherSpec && p.Version == wire.VersionTLS12:
			if p.next12 == nil {
				return // its keys are not known yet
			}
			p.opener12 = p.next12
		case kind == wire.ContentApplicationData:
			if kind, content = p.open(rec); kind == 0 {
				return
			}
		}
		p.plain = p.plain[len(rec):]
		switch kind {
		case wire.ContentAlert:
			if a, err := wire.ParseAlert(content); err == nil && p.outcome.Alert == nil {
				p.outcome.Alert = &a
			}
		case wire.ContentHandshake:
			p.joiner.Add(content)
			if wire.HandshakeType(content[0]) == wire.TypeKeyUpdate && !p.theirs.IsZero() {
				p.learn(p.suite, p.theirs.Next())
			}
		}
	}
}

// open tries the keys of TLS 1.3 in turn; type 0: none fits.
func (p *Puppet) open(rec []byte) (wire.ContentType, []byte) {
	for _, o := range p.openers {
		if kind, content, err := o.Open(bytes.Clone(rec)); err == nil {
			return kind, content
		}
	}
	return 0, nil
}

// hear reads the machine's next handshake message, or nil.
func (p *Puppet) hear() []byte {
	if raw, ok, _ := p.joiner.Next(); ok {
		return bytes.Clone(raw)
	}
	p.read()
	raw, ok, _ := p.joiner.Next()
	if !ok {
		return nil
	}
	return bytes.Clone(raw)
}

// hearAs reads the machine's next handshake message into msg and hashes it.
func (p *Puppet) hearAs(msg interface{ Parse([]byte) error }) error {
	raw := p.hear()
	if raw == nil {
		return errSilence
	}
	if err := msg.Parse(raw); err != nil {
		return err
	}
	p.transcript.Add(raw)
	return nil
}

// Serve plays the server against a client machine that was not started yet.
func (p *Puppet) Serve(m *tlscore.Machine) Outcome {
	hello, err := m.Start(Now, nil)
	if err != nil {
		p.outcome.Err = err
		return p.outcome
	}
	p.plain = append(p.plain, hello...)
	if p.Version == wire.VersionTLS12 {
		return p.ended(p.serve12(m))
	}
	return p.ended(p.serve13(m))
}

// Connect plays the client against a server machine.
func (p *Puppet) Connect(m *tlscore.Machine) Outcome {
	if _, err := m.Start(Now, nil); err != nil {
		p.outcome.Err = err
		return p.outcome
	}
	if p.Version == wire.VersionTLS12 {
		return p.ended(p.connect12(m))
	}
	return p.ended(p.connect13(m))
}

func (p *Puppet) ended(stuck error) Outcome {
	p.read()
	if p.outcome.Err == nil {
		p.outcome.Stuck = stuck
	}
	return p.outcome
}

// sign makes a signature with the identity's key, nil without one. The scheme is the first that fits the key.
func (p *Puppet) sign(input []byte) (wire.SignatureScheme, []byte, error) {
	key, ok := p.Identity.Tag.(crypto.Signer)
	if !ok {
		return 0, nil, nil
	}
	leaf, err := verify.Leaf(p.Identity.Chain[0])
	if err != nil {
		return 0, nil, err
	}
	if own, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); ok && !own.Equal(leaf.Public) {
		leaf = verify.LeafKey{Public: key.Public(), Kind: suite.KindOf(key.Public(), false)} // a delegated credential's, or a stranger's
	}
	fits, sign := leaf.Fits, suite.Sign
	if p.Version == wire.VersionTLS12 {
		fits, sign = leaf.FitsTLS12, suite.SignTLS12
	}
	i := slices.IndexFunc(suite.DefaultSchemes(), func(id wire.SignatureScheme) bool { return fits(suite.SchemeByID(id)) })
	scheme := suite.SchemeByID(suite.DefaultSchemes()[i])
	sig, err := sign(key, scheme, input)
	return scheme.ID, sig, err
}

// offers reports whether a ClientHello carries an extension.
func offers(hello *wire.ClientHello, kind wire.ExtensionType) bool {
	_, ok := hello.Extensions.Find(kind)
	return ok
}
