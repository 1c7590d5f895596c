package scan

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/legacy"
	"github.com/tlswright/tlswright/wire"
)

// CCS injection (OpenSSL before 0.9.8za, 1.0.0m and 1.0.1h, 2014).
//
// Sent: behind ServerHelloDone, and instead of a ClientKeyExchange, change_cipher_spec; then a record of noise. Concluded: a
// sound server refuses the first with unexpected_message (RFC 5246, Section 7.1). One with the flaw switches its keys on,
// made from an empty secret, and so complains of the noise as of a protected record that does not authenticate:
// bad_record_mac or decryption_failed. A second connection sends the noise alone, to see that the server does not say that
// of anything; only the difference is proof.
//
// Some servers hang up without an alert either way. With these, and with those that were caught, a handshake of our own is
// made with an early change_cipher_spec and the keys of the empty secret. If the server ends it with a Finished under these
// keys, whoever sits in the middle can do the same: the flaw is exploitable.

var ccsInjection = attack{"ccs-injection", "CCS injection", []string{"CVE-2014-0224"}, "https://www.openssl.org/news/secadv/20140605.txt"}

// errNoOffer is why a version that is offered cannot be asked about.
var errNoOffer = errors.New("no hello of this version is known to be accepted")

func probeCCSInjection(ctx context.Context, h *host) {
	v, ok := h.bestOld()
	if !ok {
		h.verdict(ccsInjection.is(grade.NotApplicable, "No version below TLS 1.3 is offered."))
		return
	}
	row, err := h.ccsInjection(ctx, v)
	if err != nil {
		h.gap("ccs-injection", err)
		row = ccsInjection.unknown("The server could not be asked: " + reasonOf(err) + ".")
	}
	h.verdict(row)
}

// ccsInjection asks in one version.
func (h *host) ccsInjection(ctx context.Context, v wire.Version) (grade.Vulnerability, error) {
	early, err := h.noise(ctx, v, true)
	if err != nil {
		return grade.Vulnerability{}, err
	}
	refused := ccsInjection.is(grade.NotVulnerable, "ChangeCipherSpec before there are keys is not taken: "+early.words()+".")
	if early.alert != nil && !early.isMAC() {
		return refused, nil
	}
	proven, err := h.emptyKeys(ctx, v)
	if err != nil {
		return grade.Vulnerability{}, err
	}
	evidence := fmt.Sprintf("%s: ChangeCipherSpec and a record of noise: %s", v, early.words())
	if proven {
		row := ccsInjection.is(grade.Vulnerable, "A handshake could be finished with keys that come from no secret: somebody in the middle can read and change what both sides say.",
			evidence, "the server's Finished came under keys made from an empty master secret")
		row.Strength = "exploitable"
		return row, nil
	}
	if !early.isMAC() {
		return refused, nil
	}
	control, err := h.noise(ctx, v, false)
	switch {
	case err != nil:
		return grade.Vulnerability{}, err
	case control.isMAC():
		return ccsInjection.unknown("The server complains of a wrong MAC where there are no keys: what it does with an early ChangeCipherSpec cannot be told."), nil
	}
	row := ccsInjection.is(grade.Vulnerable, "ChangeCipherSpec was taken before there were keys: somebody in the middle may make both sides use keys that he knows.",
		evidence, "the same record alone: "+control.words())
	row.Strength = "taken early"
	return row, nil
}

// emptyKeys tries to finish a handshake with an early ChangeCipherSpec and the keys of an empty master secret.
func (h *host) emptyKeys(ctx context.Context, v wire.Version) (bool, error) {
	o := h.finishable(v, nil)
	if o == nil {
		return false, nil // no suite that we could do it with: not proven
	}
	o.EMS = false
	l, a, _, err := h.flight(ctx, o)
	if err != nil {
		return false, err
	}
	defer l.Close()
	s := &session12{link: l, messages: wire.Joiner{Max: maxMessage}}
	hs, err := s.begin(o, a)
	if err != nil {
		return false, nil
	}
	keys := hs.suite.Keys(a.Version, nil, &hs.randoms)
	if err := hs.sendUnder(keys.Client); err != nil {
		return false, nil
	}
	if err := hs.untilChange(); err != nil {
		return false, nil // the server does not go along
	}
	if s.in, err = legacy.NewCipher(hs.suite, a.Version, keys.Server, false, nil); err != nil {
		return false, nil
	}
	raw, err := s.nextMessage()
	want := legacy.Finished(a.Version, hs.suite.Hash, s.master, false, hs.transcript)
	return err == nil && wire.HandshakeType(raw[0]) == wire.TypeFinished && bytes.Equal(raw[4:], want), nil
}

// sendUnder sends ChangeCipherSpec, and then what belongs in front of it, and Finished, under keys.
func (hs *handshake12) sendUnder(keys legacy.DirectionKeys) error {
	s, v := hs.s, hs.a.Version
	if err := s.step(); err != nil {
		return err
	}
	out, err := s.appendRecord(nil, v, wire.ContentChangeCipherSpec, []byte{1})
	if err != nil {
		return err
	}
	if s.out, err = legacy.NewCipher(hs.suite, v, keys, false, rand.Reader); err != nil {
		return err
	}
	flight, err := hs.clientFlight()
	if err != nil {
		return err
	}
	if out, err = s.appendRecord(out, v, wire.ContentHandshake, flight); err != nil {
		return err
	}
	finished := appendMessage(nil, wire.TypeFinished, legacy.Finished(v, hs.suite.Hash, s.master, true, hs.transcript))
	hs.transcript = append(hs.transcript, finished...)
	if out, err = s.appendRecord(out, v, wire.ContentHandshake, finished); err != nil {
		return err
	}
	_, err = s.link.Write(out)
	return err
}

// noiseResult is how a server ends a connection with a record of noise.
type noiseResult struct {
	alert *wire.Alert // nil: it ends without one
	err   error
}

func (r noiseResult) isMAC() bool {
	return r.alert != nil && (r.alert.Code == wire.AlertBadRecordMAC || r.alert.Code == wire.AlertDecryptionFailed)
}

func (r noiseResult) words() string {
	if r.alert != nil {
		return "alert " + r.alert.Code.String()
	}
	return (&answer{}).failed(r.err).words()
}

// noise sends a record that no server can make sense of behind the server's flight, with an early ChangeCipherSpec in front
// or without.
func (h *host) noise(ctx context.Context, v wire.Version, early bool) (noiseResult, error) {
	o := h.working(v)
	if o == nil {
		return noiseResult{}, errNoOffer
	}
	l, a, moment, err := h.flight(ctx, o)
	if err != nil {
		return noiseResult{}, err
	}
	defer l.Close()
	if early {
		if err := l.step(); err != nil {
			return noiseResult{}, err
		}
		if err := l.writeRecord(wire.ContentChangeCipherSpec, a.Version, []byte{1}); err != nil {
			return noiseResult{err: err}, nil
		}
		// Whoever refuses it does so at once. Who says nothing may have taken it, or may be far away: the alert that comes in the
		// end tells, however late.
		if r, ended := l.awaitEnd(moment); ended {
			return r, nil
		}
	}
	if err := l.step(); err != nil {
		return noiseResult{}, err
	}
	noise := make([]byte, 64) // zeros: a handshake message of no type; of a length that all block ciphers have
	noise[0] = 0xf0
	if err := l.writeRecord(wire.ContentHandshake, a.Version, noise); err != nil {
		return noiseResult{err: err}, nil
	}
	return l.readEnd(), nil
}

// awaitEnd waits a moment for the end of the connection; false: nothing came.
func (l *link) awaitEnd(moment time.Duration) (noiseResult, bool) {
	if err := l.patience(moment); err != nil {
		return noiseResult{err: err}, true
	}
	r := l.readEnd()
	if r.alert == nil && isTimeout(r.err) {
		return noiseResult{}, false
	}
	return r, true
}

// readEnd reads up to a fatal alert or the end.
func (l *link) readEnd() noiseResult {
	for range maxMessages {
		typ, _, payload, err := l.readRecord()
		if err != nil {
			return noiseResult{err: err}
		}
		if typ == wire.ContentAlert {
			if alert, err := wire.ParseAlert(payload); err == nil {
				return noiseResult{alert: &alert}
			}
		}
	}
	return noiseResult{err: errTooMuch}
}
