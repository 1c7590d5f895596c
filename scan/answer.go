package scan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/wire"
)

// outcome is what became of a hello.
type outcome uint8

const (
	accepted outcome = iota + 1 // a ServerHello came, or a HelloRetryRequest
	alerted                     // an alert came instead
	closed                      // the connection was closed in order, without a word
	reset                       // it was reset
	timedOut                    // nothing came in time
	notTLS                      // what came is no TLS, or is malformed
)

// String names the outcome as a person would.
func (o outcome) String() string {
	return [...]string{"", "accepted", "refused with an alert", "closed without an alert", "reset", "no answer in time",
		"answered with something that is not TLS"}[o]
}

// answer is what a server made of an offer.
type answer struct {
	Outcome    outcome
	Alert      wire.AlertCode // of alerted; and of an alert in the middle of the flight
	AlertLevel wire.AlertLevel
	Warnings   []wire.AlertCode // that came before the ServerHello and changed nothing

	Version       wire.Version // chosen, supported_versions counted in
	RecordVersion wire.Version // of the record that the ServerHello came in
	Hello         *wire.ServerHello
	Suite         wire.CipherSuite
	Retry         bool       // what came is a HelloRetryRequest (Until: untilHello), or one was answered
	RetryGroup    wire.Group // that it asked for; 0: none
	Group         wire.Group // of the key exchange, in any version; 0: none, or not by a number

	Chain       [][]byte // DER, as sent
	Staple      []byte   // OCSP response, DER
	SCTs        []byte   // data of the extension
	KeyExchange *keyExchange
	Scheme      wire.SignatureScheme // of ServerKeyExchange or CertificateVerify; 0 before TLS 1.2
	SignatureOK grade.Answer         // of it, with Verify; Unknown: the algorithm is none of ours
	ClientAuth  bool
	Request     []byte // the CertificateRequest, header included

	EncryptedExtensions wire.Extensions
	Compressed          wire.CompressionAlgorithm // of a CompressedCertificate; 0: it was not
	Resumed             bool                      // the server goes on with the session that was offered
	EarlyAccepted       bool                      // and takes the early data

	Sent   *sentHello
	Flight [][]byte // the server's messages, headers included, for the transcript
	Raw    []byte   // the first bytes that came, for evidence; at most maxEvidence
	// Err is why the answer ends early: nil where all came that Until asks for.
	Err error

	state *flight13
}

// keyExchange is a ServerKeyExchange.
type keyExchange struct {
	Group                    wire.Group // named curve; 0: none
	Public                   []byte     // point, or Ys
	Prime, Generator         []byte
	RSAModulus, RSAExponent  []byte // export suites' temporary key
	Explicit                 bool   // explicit curve parameters
	Hint                     []byte // of a pre-shared key
	Scheme                   wire.SignatureScheme
	Params, Signature        []byte // what is signed, and with what
	SignatureOK              grade.Answer
	SRPSalt, SRPN, SRPG, SRB []byte
}

const maxEvidence = 4096

// ext gives the data of an extension of the server, wherever it stood.
func (a *answer) ext(t wire.ExtensionType) ([]byte, bool) {
	if a.Hello != nil {
		if data, ok := a.Hello.Extensions.Find(t); ok {
			return data, true
		}
	}
	return a.EncryptedExtensions.Find(t)
}

// ok reports whether the offer was accepted in the version that it was made for.
func (a *answer) ok(v wire.Version) bool { return a != nil && a.Outcome == accepted && a.Version == v }

// refused reports a clear no: an alert, or a close that was made sure of.
func (a *answer) refused() bool {
	return a != nil && (a.Outcome == alerted || a.Outcome == closed || a.Outcome == reset)
}

// words says what came, in words fit to print.
func (a *answer) words() string {
	if a.Outcome == alerted {
		return a.Outcome.String() + ": " + a.Alert.String()
	}
	return a.Outcome.String()
}

// What ask does where it hears nothing.
const (
	askTries   = 3
	firstTries = 2 // before the server has answered anything
)

// ask makes a connection for one offer and reads the answer. The error is not nil only where no answer could be had: then
// the question is a gap. A close or reset without an alert is an answer where it happens again and again, while the server
// accepts in between what it has accepted before.
func (h *host) ask(ctx context.Context, o *offer) (*answer, error) {
	return h.insist(ctx, func() (*answer, error) { return h.askOnce(ctx, o) })
}

// insist is ask for any way to ask.
func (h *host) insist(ctx context.Context, askOnce func() (*answer, error)) (*answer, error) {
	var a *answer
	backOff, tries := firstBackOff, askTries
	if !h.seen.hasAnswered() {
		tries = firstTries
	}
	for try := 1; ; try++ {
		var err error
		if a, err = askOnce(); err != nil {
			return nil, err
		}
		switch a.Outcome {
		case accepted:
			return a, nil
		case alerted:
			h.seen.refusedAloud()
			return a, nil
		}
		if try == tries || (a.Outcome == timedOut || a.Outcome == notTLS) && try > 1 || a.wordless() && h.isSilent() {
			break
		}
		if h.seen.hasAnswered() {
			h.door.slow()
			if err := wait(ctx, backOff); err != nil {
				return nil, err
			}
			backOff *= 2
		}
	}
	if !a.wordless() {
		return nil, &silenceError{a}
	}
	return h.judgeSilence(ctx, a, askOnce)
}

// wordless reports that the server closed or reset the connection without an alert.
func (a *answer) wordless() bool { return a.Outcome == closed || a.Outcome == reset }

// judgeSilence finds out whether a server that closes or resets every connection with an offer refuses the offer, or is
// tired of us: it must accept what it accepted before and refuse this, several times in turn and with the same pause
// before each.
func (h *host) judgeSilence(ctx context.Context, a *answer, askOnce func() (*answer, error)) (*answer, error) {
	const rounds = 6
	need, pause := h.seen.manners()
	for range rounds {
		if len(h.versionsSeen()) == 0 {
			break // nothing to compare with
		}
		if err := wait(ctx, pause); err != nil {
			return nil, err
		}
		isAlive := h.control(ctx)
		if err := wait(ctx, pause); err != nil {
			return nil, err
		}
		pause *= 2
		if !isAlive {
			continue
		}
		again, err := askOnce()
		if err != nil {
			return nil, err
		}
		switch a = again; {
		case a.Outcome == accepted || a.Outcome == alerted:
			return a, nil
		case !a.wordless():
			return nil, &silenceError{a}
		}
		if need--; need == 0 {
			h.seen.refusedSilently()
			h.door.reopen() // it was not the number of connections
			return a, nil
		}
	}
	return nil, &silenceError{a}
}

// isSilent reports whether the server was caught refusing without words.
func (h *host) isSilent() bool {
	need, _ := h.seen.manners()
	return need == 1
}

// silenceError is the lack of an answer.
type silenceError struct{ a *answer }

func (e *silenceError) Error() string { return e.a.words() }

// hangs reports whether an error is that of a server that kept silent.
func hangs(err error) bool {
	var silence *silenceError
	return errors.As(err, &silence) && silence.a.Outcome == timedOut
}

// control reports whether the server accepts, now, what it has accepted before.
func (h *host) control(ctx context.Context) bool {
	h.mu.Lock()
	var o *offer
	for v := wire.VersionTLS13; v >= wire.VersionSSL30 && o == nil; v-- {
		o = h.offers[v]
	}
	h.mu.Unlock()
	if o == nil {
		return false
	}
	o = o.clone()
	o.Until = untilHello
	a, err := h.askOnce(ctx, o)
	return err == nil && a.Outcome == accepted
}

// versionsSeen are those in which an offer was accepted.
func (h *host) versionsSeen() []wire.Version {
	h.mu.Lock()
	defer h.mu.Unlock()
	vs := make([]wire.Version, 0, len(h.offers))
	for v := range h.offers {
		vs = append(vs, v)
	}
	return vs
}

// askOnce is ask without second tries: silence is an answer, too. The error is that of the connection's beginning.
func (h *host) askOnce(ctx context.Context, o *offer) (*answer, error) {
	l, err := h.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	a := l.exchange(o)
	if err := ctx.Err(); err != nil && a.Outcome != accepted {
		return nil, err
	}
	return a, nil
}

// exchange sends a hello and reads the answer, as far as the offer says.
func (l *link) exchange(o *offer) *answer {
	if err := l.sendHello(o); err != nil {
		return (&answer{Sent: l.hello}).failed(err)
	}
	a := l.readAnswer(o)
	if a.Outcome == accepted || a.Outcome == alerted {
		l.host.seen.answered()
	}
	return a
}

// failed notes an error, where nothing was accepted yet as the outcome.
func (a *answer) failed(err error) *answer {
	a.Err = err
	var alert *alertError
	if errors.As(err, &alert) {
		a.Alert, a.AlertLevel = alert.Code, alert.Level
	}
	if a.Outcome == accepted {
		return a
	}
	var netErr net.Error
	switch {
	case alert != nil:
		a.Outcome = alerted
	case errors.Is(err, errNotTLS), errors.Is(err, errTooMuch), errors.Is(err, errTooLong), errors.Is(err, errEncrypted):
		a.Outcome = notTLS
	case errors.Is(err, io.EOF):
		a.Outcome = closed
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrUnexpectedEOF):
		a.Outcome = reset
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		a.Outcome = timedOut
	default:
		a.Outcome = notTLS
	}
	return a
}

// readAnswer reads what the server makes of the hello that was sent last.
func (l *link) readAnswer(o *offer) *answer {
	a := &answer{Sent: l.hello}
	if err := l.fill(wire.RecordHeaderLen); err != nil {
		return a.failed(err)
	}
	raw, err := l.firstMessage(a)
	if err != nil {
		return a.failed(err)
	}
	if err := a.takeHello(raw); err != nil {
		return a.failed(err)
	}
	if o.Until == untilHello {
		return a
	}
	if a.Version >= wire.VersionTLS13 {
		err = l.readFlight13(o, a)
	} else {
		err = l.readFlight12(o, a)
	}
	if err != nil {
		return a.failed(err)
	}
	return a
}

// firstMessage reads up to the first handshake message, past warnings.
func (l *link) firstMessage(a *answer) ([]byte, error) {
	const maxWarnings = 4
	for {
		a.Raw = bytes.Clone(l.waiting()[:min(len(l.waiting()), maxEvidence)])
		_, v, _, err := l.peekRecord()
		if err != nil {
			return nil, err
		}
		a.RecordVersion = v
		raw, err := l.readMessage()
		var alert *alertError
		switch {
		case errors.As(err, &alert) && alert.Level == wire.AlertLevelWarning && alert.Code != wire.AlertCloseNotify && len(a.Warnings) < maxWarnings:
			a.Warnings = append(a.Warnings, alert.Code)
		case err != nil && len(a.Warnings) > 0 && alert == nil:
			// A warning and then nothing more is a refusal all the same.
			return nil, &alertError{wire.Alert{Level: wire.AlertLevelWarning, Code: a.Warnings[len(a.Warnings)-1]}}
		default:
			return raw, err
		}
	}
}

// takeHello reads the ServerHello.
func (a *answer) takeHello(raw []byte) error {
	raw = bytes.Clone(raw)
	m := new(wire.ServerHello)
	if err := m.Parse(raw); err != nil {
		return fmt.Errorf("%w: %w", errNotTLS, err)
	}
	a.Hello, a.Version, a.Suite = m, m.LegacyVersion, m.CipherSuite
	var selected wire.SelectedVersion
	if present, err := m.Ext(&selected); err == nil && present {
		a.Version = selected.Version
	}
	if m.IsHelloRetryRequest() {
		a.Retry = true
		var retry wire.KeyShareRetry
		if present, err := m.Ext(&retry); err == nil && present {
			a.RetryGroup, a.Group = retry.Group, retry.Group
		}
	} else if a.Version >= wire.VersionTLS13 {
		var share wire.KeyShareHello
		if present, err := m.Ext(&share); err == nil && present {
			a.Group = share.Entry.Group
		}
	}
	a.Flight = append(a.Flight, raw)
	a.Outcome = accepted
	return nil
}
