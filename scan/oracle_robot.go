package scan

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/legacy"
	"github.com/tlswright/tlswright/wire"
)

// ROBOT (Böck, Somorovsky, Young 2017), Bleichenbacher's attack of 1998.
//
// Sent: ClientKeyExchange messages whose block, under the RSA key, is right or wrong in one of four ways, each followed by
// ChangeCipherSpec and a Finished of random bytes; and two of them alone. Concluded: RFC 5246, Section 7.4.7.1, wants a
// server to go on with a random secret where the block is wrong, so that nothing of it can be seen. One that reacts
// differently decrypts for an attacker, and signs: an oracle. It is strong where wrong blocks can be told apart by how they
// are wrong, weak where only the one right form can be told from the rest, which takes more questions. Nothing is decrypted.

var robot = attack{"robot", "ROBOT", []string{"CVE-2017-13099", "CVE-2017-6168", "CVE-2017-17382", "CVE-2016-6883"}, "https://robotattack.org/"}

// The forms of the block.
const (
	blockRight    = "right block"
	blockStart    = "wrong first bytes"
	blockZero     = "zero in the wrong place"
	blockNoZero   = "no zero"
	blockVersion  = "wrong version"
	withoutFinish = ", alone" // no ChangeCipherSpec behind it
)

// robotOracle asks a server about blocks.
type robotOracle struct {
	oracle
	offer *offer
}

func newRobot(h *host, o *offer) *robotOracle {
	q := &robotOracle{offer: o}
	q.h, q.ask = h, q.connect
	return q
}

// probeROBOT asks in the highest version with RSA key exchange.
func probeROBOT(ctx context.Context, h *host) {
	isRSA := func(s *legacy.Suite) bool { return s.Exchange == legacy.ExchangeRSA && s.ExportBits == 0 }
	var o *offer
	for _, v := range h.versions() {
		if v <= wire.VersionTLS12 {
			if better := h.finishable(v, isRSA); better != nil {
				o = better
			}
		}
	}
	if o == nil {
		if h.surelyWithout(wire.VersionSSL30) {
			h.verdict(robot.is(grade.NotApplicable, "No suite with RSA key exchange is offered."))
		} else {
			h.verdict(robot.unknown("No suite with RSA key exchange was seen, but not all suites could be asked about."))
		}
		return
	}
	o.Suites = withoutSignals(o.Suites)[:1]
	verdict, err := newRobot(h, o).judge(ctx)
	if err != nil {
		h.gap("robot", err)
		verdict = robot.unknown("The server could not be asked: " + reasonOf(err) + ".")
	}
	h.verdict(verdict)
}

// judge asks, and concludes.
func (q *robotOracle) judge(ctx context.Context) (grade.Vulnerability, error) {
	for _, behind := range []string{"", withoutFinish} {
		forms := []string{blockRight + behind, blockStart + behind, blockZero + behind, blockNoZero + behind, blockVersion + behind}
		first := forms
		if behind != "" {
			first = forms[:2] // where these two get the same answer, the others do
		}
		if err := q.all(ctx, first...); err != nil {
			return grade.Vulnerability{}, err
		}
		if !q.anyDiffers(first) {
			continue
		}
		if err := q.all(ctx, forms...); err != nil {
			return grade.Vulnerability{}, err
		}
		steady, err := q.steady(ctx, forms...)
		if err != nil {
			return grade.Vulnerability{}, err
		}
		if !steady {
			return robot.is(grade.Inconclusive, "In "+q.where()+" the server reacts now so, now otherwise: nothing can be concluded.", q.evidence(forms...)...), nil
		}
		v := robot.is(grade.Vulnerable, "In "+q.where()+" the answer to a ClientKeyExchange tells what is in its encrypted block.", q.evidence(forms...)...)
		v.Strength = "strong oracle"
		if !q.differ(forms[1], forms[2]) && !q.differ(forms[2], forms[3]) {
			v.Strength = "weak oracle"
		}
		return v, nil
	}
	return robot.is(grade.NotVulnerable, "In "+q.where()+" right and wrong blocks get the same answer: "+q.seen[blockRight].String()+"."), nil
}

func (q *robotOracle) anyDiffers(forms []string) bool {
	for _, f := range forms[1:] {
		if q.differ(forms[0], f) {
			return true
		}
	}
	return false
}

func (q *robotOracle) where() string {
	return fmt.Sprintf("%v with %v", q.offer.Version, q.offer.Suites[0])
}

// connect begins a handshake, sends a block and looks what comes.
func (q *robotOracle) connect(ctx context.Context, form string, patience time.Duration) (reaction, error) {
	o := q.offer.clone()
	o.Until = untilFlight
	l, err := q.h.dial(ctx)
	if err != nil {
		return reaction{}, err
	}
	defer l.Close()
	a := l.exchange(o)
	if a.Outcome != accepted || a.Err != nil {
		return reaction{}, &refusedError{a}
	}
	s := &session12{link: l}
	hs, err := s.begin(o, a)
	if err != nil {
		return reaction{}, err
	}
	out, err := hs.robotFlight(form)
	if err != nil {
		return reaction{}, err
	}
	if err := l.step(); err != nil {
		return reaction{}, err
	}
	if _, err := l.Write(out); err != nil && !connectionReset(err) {
		return reaction{}, err
	}
	began := time.Now()
	r, err := s.react(patience, s.record)
	q.took(time.Since(began), r)
	return r, err
}

// robotFlight makes the records that are sent: all at once, so that nothing depends on how far the server has come.
func (hs *handshake12) robotFlight(form string) ([]byte, error) {
	key, err := hs.rsaKey()
	if err != nil {
		return nil, err
	}
	form, alone := cutSuffix(form, withoutFinish)
	block, err := hs.robotBlock(key, form)
	if err != nil {
		return nil, err
	}
	v := hs.a.Version
	message := appendMessage(nil, wire.TypeClientKeyExchange, hs.rsaBody(key.raw(block)))
	out, err := hs.s.appendRecord(nil, v, wire.ContentHandshake, message)
	if err != nil || alone {
		return out, err
	}
	const finishedLen = 64 // as long as one with CBC, and longer than any other needs to be
	finished := make([]byte, finishedLen)
	if _, err := rand.Read(finished); err != nil {
		return nil, err
	}
	if out, err = hs.s.appendRecord(out, v, wire.ContentChangeCipherSpec, []byte{1}); err != nil {
		return nil, err
	}
	return hs.s.appendRecord(out, v, wire.ContentHandshake, finished)
}

// robotBlock makes a block of a form.
func (hs *handshake12) robotBlock(key rsaPublic, form string) ([]byte, error) {
	secret, err := hs.rsaPremaster()
	if err != nil {
		return nil, err
	}
	block, err := key.padded(secret)
	if err != nil {
		return nil, err
	}
	at := len(block) - legacy.MasterLen // of the secret
	// No zero may come about by chance where its place is what matters.
	for i := at + 2; i < len(block); i++ {
		if block[i] == 0 {
			block[i] = 1
		}
	}
	switch form {
	case blockRight:
	case blockStart:
		block[0], block[1] = 0x41, 0x17 // less than the modulus all the same, if its first byte is as it should be
	case blockZero:
		block[at-1], block[len(block)-2] = 0x11, 0
	case blockNoZero:
		block[at-1] = 0x11
	case blockVersion:
		block[at], block[at+1] = 2, 2
	default:
		return nil, errors.New("no such form: " + form)
	}
	return block, nil
}
