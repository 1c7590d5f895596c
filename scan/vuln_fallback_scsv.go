package scan

import (
	"context"
	"fmt"
	"slices"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/wire"
)

// TLS_FALLBACK_SCSV (RFC 7507): protection against being talked down.
//
// Sent: a hello of a version below the server's best, with the signal that the client has tried better before. Concluded: RFC
// 7507, Section 3: a server MUST refuse it with inappropriate_fallback. One that goes on lets somebody in the middle talk
// down clients that try again with less. Clients stopped doing so about 2015: a condition, and none at all where nothing
// below TLS 1.2 is offered.

var fallbackSCSV = attack{"fallback-scsv", "Downgrade without TLS_FALLBACK_SCSV", nil, "https://www.rfc-editor.org/rfc/rfc7507"}

func probeFallback(ctx context.Context, h *host) {
	versions := h.versions()
	if len(versions) < 2 {
		h.verdict(fallbackSCSV.is(grade.NotApplicable, "The server offers one version: there is nothing to fall back to."))
		return
	}
	lower := versions[len(versions)-2]
	a, err := h.askFallback(ctx, lower)
	if err != nil {
		h.gap("fallback-scsv", err)
		h.record(func(f *grade.Facts) { f.Features.FallbackSCSV = grade.Unknown })
		h.verdict(fallbackSCSV.unknown("The server could not be asked: " + reasonOf(err) + "."))
		return
	}
	h.record(func(f *grade.Facts) { f.Features.FallbackSCSV = grade.AnswerOf(a.Outcome != accepted) })
	evidence := fmt.Sprintf("hello of %s with TLS_FALLBACK_SCSV: %s", lower, a.words())
	switch {
	case a.Outcome != accepted:
		h.verdict(fallbackSCSV.is(grade.NotVulnerable, "A needless fallback is refused.", evidence))
	case versions[0] >= wire.VersionTLS12:
		h.verdict(fallbackSCSV.is(grade.NotVulnerable, "The signal is passed over, but there is nothing below TLS 1.2 to fall back to.", evidence))
	default:
		h.verdict(fallbackSCSV.is(grade.Potential, "The signal is passed over: clients that try again with less can be talked down to "+versions[0].String()+".", evidence))
	}
}

// askFallback sends the signal in a version; its own hello without the signal was accepted before.
func (h *host) askFallback(ctx context.Context, v wire.Version) (*answer, error) {
	o := h.working(v)
	if o == nil {
		return nil, errNoOffer
	}
	o.Suites = append(slices.Clone(o.Suites), wire.TLS_FALLBACK_SCSV)
	o.Until = untilHello
	return h.ask(ctx, o)
}
