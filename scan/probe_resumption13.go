package scan

import (
	"context"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/wire"
)

// The most that is waited for a ticket where nobody says anything: servers send it right behind the handshake.
const ticketPatience = time.Second

// early13 reports whether early data is allowed by a server that is not asked for a page, where the request itself tells.
func early13(h *host) bool {
	f := h.facts()
	return f.Features.EarlyData == grade.Yes && (f.HTTP == nil || f.HTTP.Status == 0)
}

// probeEarly13 resumes a session of TLS 1.3 with the offer of early data, of which it sends none: whether the server would
// take it stands in its EncryptedExtensions (RFC 8446, Section 4.2.10). What an application makes of a stranger's bytes
// need not be tried.
func probeEarly13(ctx context.Context, h *host) {
	taken, err := h.takesEarly(ctx)
	h.gap("early data", err)
	h.record(func(f *grade.Facts) { f.Features.EarlyDataAccepted = taken })
}

func (h *host) takesEarly(ctx context.Context) (grade.Answer, error) {
	o := h.working(wire.VersionTLS13)
	if o == nil {
		return grade.Unknown, errNo13
	}
	o.PSKModes = true
	ticket, group, err := h.freshTicket(ctx, o)
	switch {
	case err != nil:
		return grade.Unknown, err
	case ticket == nil || ticket.MaxEarly == 0:
		return grade.No, nil
	}
	// A HelloRetryRequest would be the end of early data, so the share is of the group that the server wants.
	o.Resume13, o.EarlyData, o.Shares, o.Until = ticket, []byte{}, []wire.Group{group}, untilFlight
	a, err := h.ask(ctx, o)
	if err != nil || a.Outcome != accepted || a.Err != nil {
		return grade.Unknown, err
	}
	return grade.AnswerOf(a.EarlyAccepted), nil
}

// freshTicket gives a ticket that nobody has used, nil if none comes, and the group of the handshake.
func (h *host) freshTicket(ctx context.Context, o *offer) (*ticket13, wire.Group, error) {
	s, err := h.finish(ctx, o)
	if err != nil {
		return nil, 0, err
	}
	defer s.Close()
	s13, ok := s.(*session13)
	if !ok {
		return nil, 0, errNo13
	}
	if err := s13.patience(ticketPatience); err != nil {
		return nil, 0, err
	}
	for len(s13.Tickets) == 0 && s13.ended == nil {
		if err := s13.next(); err != nil {
			break
		}
	}
	if len(s13.Tickets) == 0 {
		return nil, 0, nil
	}
	return s13.Tickets[0], s13.Answer().Group, nil
}
