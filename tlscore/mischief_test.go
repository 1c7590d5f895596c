package tlscore_test

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// trick is one thing that a puppet does to its flight.
type trick uint8

const (
	trickDrop trick = iota
	trickDouble
	trickHold // until the next message is out
	trickReplace
	trickInsert
	trickAppend
	trickFlip
	trickCut
	trickExtend
	trickData      // application data before it
	trickEmpty     // an empty record before it
	trickWarn      // a warning before it
	trickChange    // a change_cipher_spec in the clear before it
	trickSpill     // a first byte of something more in its record
	trickNoChange  // change_cipher_spec of TLS 1.2 left out
	trickTwoChange // and twice
	trickRaw       // the bytes of the fuzzer in its place
	trickCount
)

// op is a trick played on the message of a number, counted from 0. Beyond the script's end, it is played there.
type op struct {
	at   int
	what trick
	arg  byte // a sample, or a place
}

// mischief plays tricks on a puppet's script.
type mischief struct {
	ops     []op
	samples [][]byte
	raw     []byte
	n       int // messages so far
	held    []byte
}

func (x *mischief) sample(o op) []byte { return bytes.Clone(x.samples[int(o.arg)%len(x.samples)]) }

func (x *mischief) edit(_ wire.HandshakeType, raw []byte) []byte {
	out, held := bytes.Clone(raw), x.held
	x.held = nil
	for _, o := range x.ops {
		if o.at == x.n {
			out = x.play(o, out)
		}
	}
	x.n++
	return append(out, held...)
}

func (x *mischief) play(o op, out []byte) []byte {
	switch o.what {
	case trickDrop:
		return nil
	case trickDouble:
		return append(out, out...)
	case trickHold:
		x.held = append(x.held, out...)
		return nil
	case trickReplace:
		return x.sample(o)
	case trickInsert:
		return append(x.sample(o), out...)
	case trickAppend:
		return append(out, x.sample(o)...)
	case trickRaw:
		return bytes.Clone(x.raw)
	case trickFlip:
		if len(out) > 0 {
			out[int(o.arg)*7%len(out)] ^= 1 << (o.arg % 8)
		}
	case trickCut:
		return out[:len(out)*int(o.arg)/256]
	case trickExtend:
		if len(out) >= 4 && out[3] < 255 {
			out = addTrailing(out)
		}
	}
	return out
}

// before is for what goes into records of its own.
func (x *mischief) before(wire.HandshakeType) (out []byte) {
	for _, o := range x.ops {
		if o.at == x.n && o.what == trickChange {
			out = append(out, ccs()...)
		}
	}
	return out
}

func (x *mischief) aside(wire.HandshakeType) (wire.ContentType, []byte) {
	for _, o := range x.ops {
		if o.at != x.n {
			continue
		}
		switch o.what {
		case trickData:
			return wire.ContentApplicationData, []byte{o.arg}
		case trickEmpty:
			return wire.ContentType(20 + o.arg%5), []byte{}
		case trickWarn:
			return wire.ContentAlert, []byte{byte(wire.AlertLevelWarning), o.arg}
		}
	}
	return 0, nil
}

func (x *mischief) behind(wire.HandshakeType) []byte {
	for _, o := range x.ops {
		if o.at == x.n-1 && o.what == trickSpill {
			return []byte{o.arg}
		}
	}
	return nil
}

func (x *mischief) change(rec []byte) []byte {
	for _, o := range x.ops {
		switch o.what {
		case trickNoChange:
			return nil
		case trickTwoChange:
			return append(rec, rec...)
		}
	}
	return rec
}

// run plays a script with the mischief, and at its end what is left of that.
func (x *mischief) run(t testing.TB, s *script, params *tlscore.Params) {
	t.Helper()
	var w witness
	p, m, o := s.play(t, params, &w, func(p *tlstest.Puppet) {
		p.Edit, p.Before, p.Aside, p.Behind, p.Change = x.edit, x.before, x.aside, x.behind, x.change
	})
	if x.held != nil {
		o = p.Say(m, wire.ContentHandshake, x.held)
	}
	for _, op := range x.ops {
		if op.at < x.n {
			continue
		}
		x.n = op.at
		if kind, content := x.aside(0); content != nil {
			p.Say(m, kind, content)
		}
		o = p.Feed(m, x.before(0))
		if content := x.play(op, nil); len(content) > 0 {
			o = p.Say(m, wire.ContentHandshake, content)
		}
	}
	w.judge(t, s, o)
}

// witness is an observer that knows the grammar of a handshake.
type witness struct {
	steps
	done string // the steps when the handshake was done
	sent alerts
}

func (w *witness) Observe(o tlscore.Observation) {
	w.steps.Observe(o)
	w.sent.Observe(o)
	switch o := o.(type) {
	case tlscore.QuestionAsked:
		w.lines = append(w.lines, "? "+o.Kind.String())
	case tlscore.StateChanged:
		if strings.HasSuffix(o.To, "CONNECTED") {
			w.done = strings.Join(only(w.lines, strings.HasPrefix(o.To, "1.2")), "\n") + "\n"
		}
	}
}

// grammar matches the handshakes that may complete, by version and role: what the peer may leave out, and no more.
func grammar(v12, client bool) *regexp.Regexp {
	lines := `< client_hello
		(> hello_retry_request
		< client_hello
		)?(\? need_session
		)?(\? need_fresh
		)?> server_hello
		(\? need_signature
		> encrypted_extensions
		(> certificate_request
		)?> certificate
		> certificate_verify
		|> encrypted_extensions
		)> finished
		(< end_of_early_data
		)?(< certificate
		(< certificate_verify
		\? need_verify
		)?)?< finished
		`
	switch {
	case client && !v12:
		lines = `> client_hello
		(< hello_retry_request
		> client_hello
		)?< server_hello
		< encrypted_extensions
		((< certificate_request
		)?< certificate
		< certificate_verify
		\? need_verify
		)?< finished
		(> end_of_early_data
		)?(\? need_signature
		> certificate
		> certificate_verify
		|(> certificate
		)?)> finished
		`
	case client:
		lines = `> client_hello
		(< change_cipher_spec
		)*< server_hello
		(< certificate
		(< certificate_status
		)?< server_key_exchange
		(< certificate_request
		)?< server_hello_done
		\? need_verify
		(\? need_signature
		> certificate
		> client_key_exchange
		> certificate_verify
		|(> certificate
		)?> client_key_exchange
		)> change_cipher_spec
		> finished
		(< new_session_ticket
		)?< change_cipher_spec
		< finished
		|\? need_verify
		(< new_session_ticket
		)?< change_cipher_spec
		< finished
		> change_cipher_spec
		> finished
		)`
	case v12:
		lines = `< client_hello
		(\? need_session
		)?(\? need_signature
		> server_hello
		> certificate
		(> certificate_status
		)?> server_key_exchange
		(> certificate_request
		)?> server_hello_done
		(< certificate
		)?< client_key_exchange
		(< certificate_verify
		\? need_verify
		)?< change_cipher_spec
		< finished
		(\? need_ticket
		> new_session_ticket
		)?> change_cipher_spec
		> finished
		|> server_hello
		(> new_session_ticket
		)?> change_cipher_spec
		> finished
		< change_cipher_spec
		< finished
		)`
	}
	return regexp.MustCompile("^" + strings.ReplaceAll(lines, "\t", "") + "$")
}

// judge checks what must hold whatever a peer does: an error is one of ours and not an internal one, it comes with its
// alert and no other, and a handshake is done only along the grammar, with the peer authenticated.
func (w *witness) judge(t testing.TB, s *script, o tlstest.Outcome) {
	t.Helper()
	var e *tlscore.Error
	switch {
	case o.Err == nil && len(w.sent) > 0 && w.sent[0] != wire.AlertCloseNotify:
		t.Errorf("%s: no error, but alerts %v", s.name, w.sent)
	case o.Err == nil:
	case !errors.As(o.Err, &e):
		t.Errorf("%s: %T %v", s.name, o.Err, o.Err)
	case e.Code == tlscore.CodeInternal:
		t.Errorf("%s: %v", s.name, e)
	default:
		want, sends := e.Alert()
		if sends = sends && !e.Received(); sends != (len(w.sent) == 1) || sends && w.sent[0] != want {
			t.Errorf("%s: %v sent alerts %v", s.name, e, w.sent)
		}
	}
	if !o.Done {
		return
	}
	v12 := strings.HasPrefix(w.states[len(w.states)-1], "1.2")
	if !grammar(v12, s.client).MatchString(w.done) {
		t.Errorf("%s was done by\n%s", s.name, w.done)
	}
	certified, verified := strings.Contains(w.done, "< certificate\n"), strings.Contains(w.done, "? need_verify\n")
	session := s.options.Session != nil || s.config.AskSession
	if s.client && !certified && !session || s.config.ClientAuth == tlscore.RequireClientCert && !verified {
		t.Errorf("%s was done without the peer's certificate:\n%s", s.name, w.done)
	}
}
