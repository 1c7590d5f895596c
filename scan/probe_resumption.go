package scan

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/wire"
)

// oldSessions asks about sessions before TLS 1.3: resumption by ticket and by id, and renegotiation on the connections
// that this takes.
type oldSessions struct {
	h *host
	o *offer // that can be finished, with renegotiation_info

	ticket, id *state12
	answersRI  bool // the server knows RFC 5746
	secure     bool // protected renegotiation was asked about
	again      bool // and refused in a way that chance may have a hand in
	insecure   bool // and unprotected

	renegotiation struct {
		client, insecure grade.Answer
		clientVerdict    grade.Vulnerability
		insecureVerdicts []grade.Vulnerability
	}
}

// secureTries is on how many further connections a server is asked that ends them when it is asked to renegotiate.
const secureTries = 2

func probeOldSessions(ctx context.Context, h *host) {
	v, ok := h.bestOld()
	if !ok {
		h.verdict(clientRenegotiation.is(grade.NotApplicable, "Nothing below TLS 1.3 is offered, and that has no renegotiation."))
		h.verdict(insecureRenegotiation.is(grade.NotApplicable, "Nothing below TLS 1.3 is offered, and that has no renegotiation."))
		h.verdict(ticketbleed.is(grade.NotApplicable, "Nothing below TLS 1.3 is offered."))
		return
	}
	p := &oldSessions{h: h, o: h.finishable(v, nil)}
	p.renegotiation.client, p.renegotiation.insecure = grade.Unknown, grade.Unknown
	if err := p.run(ctx); err != nil {
		h.gap("sessions of "+v.String(), err)
		h.record(func(f *grade.Facts) {
			for _, a := range []*grade.Answer{&f.Features.SessionIDs, &f.Features.SessionTickets} {
				if *a == grade.Unasked {
					*a = grade.Unknown
				}
			}
		})
		if h.facts().Vulnerability(ticketbleed.id) == nil {
			h.verdict(ticketbleed.unknown("The server could not be asked: " + reasonOf(err) + "."))
		}
	}
	p.concludeRenegotiation()
}

// run makes the connections. A server that answers renegotiation_info is asked in one of them for protected renegotiation,
// and in one without that extension for the other kind.
func (p *oldSessions) run(ctx context.Context) error {
	if p.o == nil {
		return errUnfinishable
	}
	if err := p.begin(ctx); err != nil {
		return err
	}
	if err := p.byTicket(ctx); err != nil {
		return err
	}
	if err := p.byID(ctx); err != nil {
		return err
	}
	for try := 0; p.answersRI && (!p.secure || p.again && try < secureTries); try++ {
		s, err := p.h.finish12(ctx, p.o, nil)
		if err != nil {
			return err
		}
		p.askSecure(s)
	}
	if !p.insecure {
		if err := p.insecureIn(ctx, p.o); err != nil {
			return err
		}
	}
	return p.lowerVersions(ctx)
}

// begin makes the sessions that are to be resumed. With a ticket many servers give no id, so another one is made without.
func (p *oldSessions) begin(ctx context.Context) error {
	o := p.o.clone()
	o.Tickets = o.Version > wire.VersionSSL30
	s, err := p.h.finish12(ctx, o, nil)
	if err != nil {
		return err
	}
	_, p.answersRI = s.a.Hello.Extensions.Find(wire.ExtRenegotiationInfo)
	st := s.state()
	s.Close()
	if len(st.Ticket) > 0 {
		p.ticket = st
		if s, err = p.h.finish12(ctx, p.o, nil); err != nil {
			return err
		}
		st = s.state()
		s.Close()
	}
	if len(st.SessionID) > 0 {
		p.id = st
	}
	return nil
}

// byTicket resumes by ticket, with a session id of a length that shows Ticketbleed, and asks for protected renegotiation.
func (p *oldSessions) byTicket(ctx context.Context) error {
	if p.ticket == nil {
		p.h.record(func(f *grade.Facts) { f.Features.SessionTickets = grade.No })
		p.h.verdict(ticketbleed.is(grade.NotApplicable, "The server gives no session tickets."))
		return nil
	}
	o := p.o.clone()
	o.Ticket, o.SessionID = p.ticket.Ticket, make([]byte, ticketbleedID)
	if _, err := rand.Read(o.SessionID); err != nil {
		return err
	}
	s, err := p.resume(ctx, o, p.ticket)
	if err != nil {
		return err
	}
	p.h.record(func(f *grade.Facts) {
		f.Features.SessionTickets = grade.AnswerOf(s.resumed)
		f.Features.TicketLifetime = int64(p.ticket.Lifetime)
	})
	p.h.verdict(judgeTicketbleed(s, o.SessionID))
	p.askSecure(s)
	return nil
}

// byID resumes by id, without a word of RFC 5746, and asks for unprotected renegotiation.
func (p *oldSessions) byID(ctx context.Context) error {
	if p.id == nil {
		p.h.record(func(f *grade.Facts) { f.Features.SessionIDs = grade.No })
		return nil
	}
	o := withoutRenegotiationInfo(p.o)
	o.SessionID = p.id.SessionID
	s, err := p.resume(ctx, o, p.id)
	var refused *refusedError
	if errors.As(err, &refused) && refused.a.Outcome == alerted && p.answersRI {
		// A server may well refuse clients without RFC 5746. Then it is asked again with it.
		p.refusesUnprotected(refused.a)
		o = p.o.clone()
		o.SessionID = p.id.SessionID
		s, err = p.resume(ctx, o, p.id)
	}
	if err != nil {
		return err
	}
	p.h.record(func(f *grade.Facts) { f.Features.SessionIDs = grade.AnswerOf(s.resumed) })
	if p.insecure {
		s.Close()
		return nil
	}
	p.askInsecure(s)
	return nil
}

// resume asks to resume a session, and again if the server begins a new one: behind a balancer of load one of several
// machines may know it, and some servers put a session away only after they have told the client that it is made.
func (p *oldSessions) resume(ctx context.Context, o *offer, st *state12) (*session12, error) {
	s, err := p.h.finish12(ctx, o, st)
	for _, pause := range []time.Duration{firstBackOff / 2, 4 * firstBackOff} {
		if err != nil || s.resumed {
			break
		}
		s.Close()
		if err := wait(ctx, pause); err != nil {
			return nil, err
		}
		s, err = p.h.finish12(ctx, o, st)
	}
	return s, err
}

func (p *oldSessions) askSecure(s *session12) {
	if !p.answersRI {
		s.Close()
		return
	}
	p.secure = true
	p.renegotiation.client, p.renegotiation.clientVerdict, p.again = s.askSecure()
}

func (p *oldSessions) askInsecure(s *session12) {
	p.insecure = true
	answer, verdict := s.askInsecure()
	p.addInsecure(answer, verdict)
}

// addInsecure keeps an answer. One yes is enough, and a no counts for more than silence.
func (p *oldSessions) addInsecure(answer grade.Answer, verdict grade.Vulnerability) {
	r := &p.renegotiation
	if answer == grade.Yes || r.insecure == grade.Unknown {
		r.insecure = answer
	}
	r.insecureVerdicts = append(r.insecureVerdicts, verdict)
}

// insecureIn asks for unprotected renegotiation on a new connection.
func (p *oldSessions) insecureIn(ctx context.Context, o *offer) error {
	s, err := p.h.finish12(ctx, withoutRenegotiationInfo(o), nil)
	var refused *refusedError
	if errors.As(err, &refused) && refused.a.Outcome == alerted {
		p.refusesUnprotected(refused.a)
		return nil
	}
	if err != nil {
		return err
	}
	p.askInsecure(s)
	return nil
}

// refusesUnprotected notes that a client without RFC 5746 gets no connection at all.
func (p *oldSessions) refusesUnprotected(a *answer) {
	p.insecure = true
	p.addInsecure(grade.No, insecureRenegotiation.is(grade.NotVulnerable, "A client that does not know RFC 5746 is refused: "+a.words()+"."))
}

// lowerVersions asks the other old versions for unprotected renegotiation: some servers protect only the newer ones.
func (p *oldSessions) lowerVersions(ctx context.Context) error {
	for _, v := range p.h.versions() {
		if v >= p.o.Version {
			break
		}
		o := p.h.finishable(v, nil)
		if o == nil {
			continue
		}
		if err := p.insecureIn(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// concludeRenegotiation writes down what the attempts came to.
func (p *oldSessions) concludeRenegotiation() {
	r := &p.renegotiation
	switch {
	case r.clientVerdict.ID != "":
	case !p.answersRI && r.insecure == grade.Yes:
		r.client = grade.Yes
		r.clientVerdict = clientRenegotiation.is(grade.Vulnerable, "The client may begin another handshake, and even without the protection of RFC 5746.")
	case !p.answersRI && r.insecure == grade.No:
		r.client = grade.No
		r.clientVerdict = clientRenegotiation.is(grade.NotVulnerable, "The server does not know RFC 5746, and refuses renegotiation without it.")
	default:
		r.clientVerdict = clientRenegotiation.unknown("No handshake could be finished in which to ask for another.")
	}
	verdict := insecureRenegotiation.unknown("No handshake could be finished in which to ask for another.")
	if len(r.insecureVerdicts) > 0 {
		at := max(0, slices.IndexFunc(r.insecureVerdicts, func(v grade.Vulnerability) bool { return v.Verdict == grade.Vulnerable }))
		verdict = r.insecureVerdicts[at]
		for i, v := range r.insecureVerdicts {
			if i != at && v.Verdict == verdict.Verdict {
				verdict.Evidence = append(verdict.Evidence, v.Text)
			}
		}
	}
	p.h.verdict(r.clientVerdict)
	p.h.verdict(verdict)
	p.h.record(func(f *grade.Facts) {
		f.Features.ClientRenegotiation, f.Features.InsecureRenegotiation = r.client, r.insecure
	})
}

// withoutRenegotiationInfo is an offer without a word of RFC 5746.
func withoutRenegotiationInfo(o *offer) *offer {
	o = o.clone()
	o.RenegotiationInfo = false
	o.Suites = withoutSignals(o.Suites)
	return o
}
