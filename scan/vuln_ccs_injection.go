package scan

import (
	"context"
	"errors"
	"fmt"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/wire"
)

// CCS injection (OpenSSL before 0.9.8za, 1.0.0m and 1.0.1h, 2014).
//
// Sent: behind ServerHelloDone, and instead of a ClientKeyExchange, change_cipher_spec; then a record of noise. Concluded: a
// sound server refuses the first with unexpected_message (RFC 5246, Section 7.1). One with the flaw switches its keys on,
// made from an empty secret, and so complains of the noise as of a protected record that does not authenticate:
// bad_record_mac or decryption_failed. Whoever sits in the middle knows these keys, too. A second connection sends the noise
// alone, to see that the server does not say that of anything; only the difference is proof.

var ccsInjection = attack{"ccs-injection", "CCS injection", []string{"CVE-2014-0224"}, "https://www.openssl.org/news/secadv/20140605.txt"}

// errNoOffer is why a version that is offered cannot be asked about.
var errNoOffer = errors.New("no hello of this version is known to be accepted")

func probeCCSInjection(ctx context.Context, h *host) {
	v, ok := h.bestOld()
	if !ok {
		h.verdict(ccsInjection.is(grade.NotApplicable, "No version below TLS 1.3 is offered."))
		return
	}
	early, err := h.noise(ctx, v, true)
	if err != nil {
		h.gap("ccs-injection", err)
		h.verdict(ccsInjection.unknown("The server could not be asked: " + reasonOf(err) + "."))
		return
	}
	if !early.isMAC() {
		h.verdict(ccsInjection.is(grade.NotVulnerable, "ChangeCipherSpec before there are keys is not taken: "+early.words()+"."))
		return
	}
	control, err := h.noise(ctx, v, false)
	switch {
	case err != nil:
		h.gap("ccs-injection", err)
		h.verdict(ccsInjection.unknown("The server could not be asked again: " + reasonOf(err) + "."))
	case control.isMAC():
		h.verdict(ccsInjection.unknown("The server complains of a wrong MAC where there are no keys: what it does with an early ChangeCipherSpec cannot be told."))
	default:
		h.verdict(ccsInjection.is(grade.Vulnerable, "ChangeCipherSpec was taken before there were keys: somebody in the middle can make both sides use keys that he knows.",
			fmt.Sprintf("%s: ChangeCipherSpec and a record of noise: %s", v, early.words()), "the same record alone: "+control.words()))
	}
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
	l, err := h.dial(ctx)
	if err != nil {
		return noiseResult{}, err
	}
	defer l.Close()
	o := h.working(v)
	if o == nil {
		return noiseResult{}, errNoOffer
	}
	o.Until = untilFlight
	a := l.exchange(o)
	if a.Outcome != accepted || a.Err != nil {
		return noiseResult{}, &refusedError{a}
	}
	if early {
		if err := l.step(); err != nil {
			return noiseResult{}, err
		}
		if err := l.writeRecord(wire.ContentChangeCipherSpec, a.Version, []byte{1}); err != nil {
			return noiseResult{err: err}, nil
		}
		// Whoever refuses it does so at once. Who says nothing may have taken it, or may be far away: the alert that comes in the
		// end tells, however late.
		if r, ended := l.awaitEnd(); ended {
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
func (l *link) awaitEnd() (noiseResult, bool) {
	if err := l.patience(shortPatience); err != nil {
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
