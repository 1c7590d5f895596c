package minitls

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"hash"
	"io"
	"slices"
	"time"
)

// state reads the one line that may come now, and names the state after it.
type state func(line []byte, now time.Time) (state, *Error)

// machine is what both sides share. A line goes in; lines to send, and data, come out.
type machine struct {
	expects        state            // reads the next line
	failed         *Error           // why no further line is taken
	random         []byte           // 32 bytes of ours for the hello
	private        *ecdh.PrivateKey // ours for this handshake
	transcript     hash.Hash        // over every line, as it was on the wire (step 6)
	keys           keys
	sealer, opener *direction // nil until the handshake is done
	result         Result     // of the line that is read
	steps          func(step int, what string, value []byte)
}

// Options are what is not part of the protocol. The zero value is right for everybody but tests and teachers.
type Options struct {
	Rand  io.Reader                                 // where randoms and keys come from; nil: crypto/rand
	Steps func(step int, what string, value []byte) // is told of each step of the lesson, with a public or SECRET value
}

func newMachine(o Options) (machine, error) {
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Steps == nil {
		o.Steps = func(int, string, []byte) {}
	}
	random := make([]byte, 64)
	if _, err := io.ReadFull(o.Rand, random); err != nil {
		return machine{}, err
	}
	private, err := ecdh.X25519().NewPrivateKey(random[32:]) // every 32 bytes are one
	return machine{random: random[:32], private: private, transcript: sha256.New(), steps: o.Steps}, err
}

// Result is what came of one line.
type Result struct {
	Send   []byte // lines for the peer
	Data   []byte // what the peer said; nil if it was no Data message
	Done   bool   // the handshake is complete
	Closed bool   // the peer has said that it is done
}

// Feed takes one line of the peer, its end included. An error is an [*Error] and final.
func (m *machine) Feed(line []byte, now time.Time) (Result, error) {
	if m.failed != nil {
		return Result{}, m.failed
	}
	m.result = Result{Closed: m.result.Closed}
	next, err := m.expects(line, now)
	if err != nil {
		m.failed, m.sealer, m.opener = err, nil, nil
		return Result{}, err
	}
	m.expects, m.result.Done = next, m.opener != nil
	return m.result, nil
}

// Seal makes the Data lines for text, which may be long. Nothing can be sealed before the handshake is done.
func (m *machine) Seal(text []byte) (lines []byte, err error) {
	if m.sealer == nil {
		return nil, fail(CheckOrder, "nothing can be sent before the handshake is done")
	}
	for piece := range slices.Chunk(text, MaxPlaintext) {
		lines = append(lines, m.sealer.seal(piece)...)
	}
	return lines, nil
}

// Close makes the line that says nothing more will come. Without it a peer cannot tell the end from a cut wire.
func (m *machine) Close() []byte {
	if m.sealer == nil {
		return nil
	}
	return m.sealer.seal(nil)
}

// send takes a message of ours into the transcript and puts it on the wire.
func (m *machine) send(message any) {
	line := encode(message)
	m.add(line)
	m.result.Send = append(m.result.Send, line...)
}

// add takes a line into the transcript; sum is the hash over all lines so far, and more may follow.
func (m *machine) add(line []byte) { m.transcript.Write(line) }
func (m *machine) sum() []byte     { return m.transcript.Sum(nil) }

// openData is the state after the handshake.
func (m *machine) openData(line []byte, _ time.Time) (state, *Error) {
	if m.result.Closed {
		return nil, fail(CheckOrder, "a line arrives after the peer said it was done")
	}
	text, err := m.opener.open(line)
	if err != nil {
		return nil, err
	}
	m.steps(15, "a record was opened: its tag is right", text)
	m.result.Data, m.result.Closed = text, len(text) == 0
	return m.openData, nil
}

// share computes the secret of both and everything that follows from it (steps 8 and 9).
func (m *machine) share(peer []byte) *Error {
	shared, err := sharedSecret(m.private, peer)
	if err != nil {
		return err
	}
	m.steps(8, "shared secret (X25519)", shared)
	m.keys = expand(shared, "Handshake Data", 32)
	m.steps(9, "derived key (HKDF-SHA-256, \"Handshake Data\")", m.keys)
	return nil
}

func checkHello(version string, random []byte) *Error {
	if version != Version {
		return fail(CheckVersion, "the peer speaks %.40q, not %s", version, Version)
	}
	if len(random) != 32 {
		return fail(CheckRandom, "the random has %d bytes, not 32", len(random))
	}
	return nil
}
