package scan

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/wire"
)

// 0-RTT data without 425 Too Early (RFC 8446, Section 8; RFC 8470).
//
// Sent: a GET of "/" as early data, with a fresh ticket. Concluded: early data can be recorded and sent again by anybody. RFC
// 8470, Section 5.2: a server says 425 to a request that must not happen twice. One that answers the request like any other
// may do so with every request, or look at the method first; only who knows the application can tell: a condition.

var earlyData425 = attack{"early-data-425", "0-RTT data without 425 Too Early", nil, "https://www.rfc-editor.org/rfc/rfc8470"}

func probeEarlyData(ctx context.Context, h *host) {
	f := h.facts()
	switch {
	case !f.Offers(wire.VersionTLS13):
		h.verdict(earlyData425.is(grade.NotApplicable, "TLS 1.3 is not offered."))
		return
	case f.Features.EarlyData == grade.No:
		h.verdict(earlyData425.is(grade.NotVulnerable, "The server's tickets allow no early data."))
		return
	case f.HTTP == nil || f.HTTP.Status == 0:
		h.verdict(earlyData425.is(grade.NotApplicable, "This is no web server, or it gave no page."))
		return
	}
	status, taken, err := h.askEarly(ctx)
	if errors.Is(err, errNoEarlyTicket) {
		h.verdict(earlyData425.is(grade.NotVulnerable, "The server's tickets allow no early data."))
		return
	}
	if err != nil {
		h.gap("early-data-425", err)
		h.verdict(earlyData425.unknown("The server could not be asked: " + reasonOf(err) + "."))
		return
	}
	h.record(func(f *grade.Facts) {
		f.Features.EarlyDataAccepted = grade.AnswerOf(taken)
		if f.HTTP != nil && taken {
			http := *f.HTTP // others read the one that was there
			http.TooEarly = grade.AnswerOf(status == tooEarly)
			f.HTTP = &http
		}
	})
	switch {
	case !taken:
		h.verdict(earlyData425.is(grade.NotVulnerable, "Early data was not taken."))
	case status == tooEarly:
		h.verdict(earlyData425.is(grade.NotVulnerable, "A request in early data is answered with 425 Too Early."))
	case status == 0:
		h.verdict(earlyData425.unknown("Early data was taken, and not answered."))
	default:
		h.verdict(earlyData425.is(grade.Potential, "A request in early data is answered like any other. Whoever records it can send it again: it must not change anything.",
			fmt.Sprintf("GET / as 0-RTT data: HTTP %d", status)))
	}
}

// tooEarly is the status code of RFC 8470.
const tooEarly = 425

// errNoEarlyTicket is why no early data can be sent.
var errNoEarlyTicket = errors.New("no ticket that allows early data")

// askEarly sends a request as early data. status 0: no answer.
func (h *host) askEarly(ctx context.Context) (status int, taken bool, err error) {
	o := h.working(wire.VersionTLS13)
	if o == nil {
		return 0, false, errNoOffer
	}
	o.ALPN, o.PSKModes = []string{"http/1.1"}, true
	request := fmt.Appendf(nil, "GET / HTTP/1.1\r\nHost: %s\r\nUser-Agent: tlswright\r\nConnection: close\r\n\r\n", h.hostHeader())
	ticket, err := h.earlyTicket(ctx, o, request)
	if err != nil {
		return 0, false, err
	}
	o.Resume13, o.EarlyData = ticket, request
	s, err := h.finish(ctx, o)
	if err != nil {
		return 0, false, err
	}
	defer s.Close()
	if !s.Answer().EarlyAccepted {
		return 0, false, nil
	}
	return readStatus(s), true, nil
}

// hostHeader is what goes into the Host field.
func (h *host) hostHeader() string {
	if name := h.target.name(); name != "" {
		return name
	}
	return h.addr.String()
}

// earlyTicket makes a connection and a request for a ticket that nobody has used. The offer is left with a share of the group
// that the server wants: a HelloRetryRequest is the end of early data (RFC 8446, Section 4.2.10).
func (h *host) earlyTicket(ctx context.Context, o *offer, request []byte) (*ticket13, error) {
	s, err := h.finish(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	s13, ok := s.(*session13)
	if !ok {
		return nil, errNo13
	}
	if g := s.Answer().Group; g != 0 {
		o.Shares = []wire.Group{g}
	}
	if _, err := s.Write(request); err != nil {
		return nil, err
	}
	// Tickets come before the answer, or anywhere behind it.
	const enough = 64 << 10
	buf := make([]byte, 4096)
	for n := 0; n < enough && len(s13.Tickets) == 0; {
		got, err := s.Read(buf)
		if n += got; err != nil {
			break
		}
	}
	i := slices.IndexFunc(s13.Tickets, func(t *ticket13) bool { return t.MaxEarly >= uint32(len(request)) })
	if i < 0 {
		return nil, errNoEarlyTicket
	}
	return s13.Tickets[i], nil
}

// readStatus reads the status of an answer; 0: none came.
func readStatus(r io.Reader) int {
	const maxHead = 1 << 10
	line, _ := bufio.NewReader(io.LimitReader(r, maxHead)).ReadString('\n')
	var minor, status int
	if n, _ := fmt.Sscanf(line, "HTTP/1.%d %d", &minor, &status); n != 2 {
		return 0
	}
	return status
}
