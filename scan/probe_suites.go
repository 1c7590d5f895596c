package scan

import (
	"context"
	"errors"
	"slices"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/wire"
)

// Suites are found by elimination: the server is offered all there are, names one, is offered the others, and so on until
// it refuses. That takes one connection a suite and one more, and where the server has an order of its own the suites come
// out in that order. What each of these connections shows besides, from parameters to certificates, is kept.

// suiteProbes are the rows for suites, one a version.
func suiteProbes() []probe {
	var ps []probe
	for v := wire.VersionSSL30; v <= wire.VersionTLS13; v++ {
		ps = append(ps, probe{
			name: "suites of " + v.String(), phase: phaseSuites,
			run:     func(ctx context.Context, h *host) { h.probeSuites(ctx, v) },
			applies: func(h *host) bool { return h.offersAny(v) },
		})
	}
	return ps
}

// suiteHunt is the search for the suites of one version.
type suiteHunt struct {
	h     *host
	v     wire.Version
	base  *offer
	found []wire.CipherSuite
	err   error // why it is not complete
	// isShuffled says that the suites were not asked for in one list, so that their order says nothing yet.
	isShuffled bool
}

var errOdd = errors.New("the server chose a suite that was not offered")

func (h *host) probeSuites(ctx context.Context, v wire.Version) {
	h.mu.Lock()
	s := &suiteHunt{h: h, v: v, base: h.base[v].clone()}
	first, rich := h.first[v], h.rich
	h.mu.Unlock()
	all := h.scanner.old
	if v >= wire.VersionTLS13 {
		all = suites13()
		// Without a key share the server names the suite in a HelloRetryRequest, and signs nothing.
		s.base.Shares, s.base.Until = []wire.Group{}, untilHello
	}
	size := len(all)
	if !rich {
		size, first = shortList, nil
	}
	for at := 0; at < len(all) && s.err == nil; at += size {
		before := len(s.found)
		s.sweep(ctx, slices.Clone(all[at:min(at+size, len(all))]), first, 0)
		s.isShuffled = s.isShuffled || before > 0 && len(s.found) > before
	}
	if v <= wire.VersionTLS12 && s.err == nil {
		s.inParts(ctx, all, size)
	}
	if v >= wire.VersionTLS13 && len(s.found) <= 1 && s.err == nil {
		s.withShares(ctx)
	}
	p := grade.Protocol{Complete: s.err == nil}
	s.order(ctx, &p)
	h.gap("suites of "+v.String(), s.err)
	h.record(func(f *grade.Facts) {
		have := f.Protocol(v)
		have.Complete, have.Order, have.PrioritizesChaCha = p.Complete, p.Order, p.PrioritizesChaCha
		have.Suites = nil
		for _, id := range s.found {
			fact, ok := h.known.suites[versionSuite{v, id}]
			if !ok {
				fact = grade.Suite{ID: id, Name: id.String()}
			}
			have.Suites = append(have.Suites, fact)
		}
	})
}

// inParts asks once more for what was refused, by kinds of key exchange: some servers choose a suite and find out only then
// that they lack what it takes, such as parameters for DHE; that hides every suite behind it. DHE is asked about with
// the groups of RFC 7919, without which servers that have no other parameters do not choose it, while with them a server
// need not show its own.
func (s *suiteHunt) inParts(ctx context.Context, all []wire.CipherSuite, size int) {
	rest := slices.DeleteFunc(slices.Clone(all), func(id wire.CipherSuite) bool { return slices.Contains(s.found, id) })
	own := s.base.Groups
	for i, part := range s.h.parts(rest) {
		s.base.Groups = own
		if i == 1 && own != nil {
			s.base.Groups = slices.Concat(own, ffdheGroups())
		}
		for at := 0; at < len(part) && s.err == nil; at += size {
			before := len(s.found)
			s.sweep(ctx, slices.Clone(part[at:min(at+size, len(part))]), nil, 0)
			if len(s.found) > before {
				s.isShuffled = true
				if i == 1 && own != nil {
					s.h.useFFDHE()
					own = s.base.Groups
				}
			}
		}
	}
	s.base.Groups = own
}

// parts divides suites by their key exchange: over elliptic curves, over finite fields, and the others.
func (h *host) parts(list []wire.CipherSuite) [3][]wire.CipherSuite {
	var parts [3][]wire.CipherSuite
	for _, id := range list {
		i := 2
		switch h.kindOf(id).base {
		case "ECDHE", "ECDH":
			i = 0
		case "DHE", "DH":
			i = 1
		}
		parts[i] = append(parts[i], id)
	}
	return parts
}

// ask offers a list.
func (s *suiteHunt) ask(ctx context.Context, list []wire.CipherSuite) (*answer, error) {
	o := s.base.clone()
	o.Suites = list
	if s.v == wire.VersionSSL30 {
		o.Suites = append(slices.Clone(list), wire.TLS_EMPTY_RENEGOTIATION_INFO_SCSV)
	}
	a, err := s.h.ask(ctx, o)
	if err == nil {
		s.h.learn(o, a)
	}
	return a, err
}

// maxDepth is how often a list is cut in two because of an alert that says nothing about suites.
const maxDepth = 3

// sweep finds the suites of a list. first is the answer to the whole list, if that is known already.
func (s *suiteHunt) sweep(ctx context.Context, list []wire.CipherSuite, first *answer, depth int) {
	for len(list) > 0 && s.err == nil {
		a, err := first, error(nil)
		if first = nil; a == nil {
			a, err = s.ask(ctx, list)
		}
		switch {
		case err != nil && len(list) > shortList && depth < maxDepth && ctx.Err() == nil:
			// Silence on a long list may be the list's fault.
			s.halves(ctx, list, depth)
			return
		case err != nil:
			s.err = err
			return
		case a.ok(s.v) && slices.Contains(list, a.Suite):
			s.found = append(s.found, a.Suite)
			list = without(list, a.Suite)
		case a.ok(s.v):
			s.err = errOdd
			return
		case a.Outcome == accepted:
			return // in another version: none of these in this one
		case a.Outcome == alerted && a.Alert == wire.AlertUnknownPSKIdentity && s.passwords(ctx, &list):
		case a.Outcome != alerted, !s.doubtful(a.Alert), len(list) == 1, depth == maxDepth:
			return
		default:
			before := len(s.found)
			s.halves(ctx, list, depth)
			if len(s.found) == before && s.err == nil {
				s.h.record(func(*grade.Facts) { s.h.known.noCommon[a.Alert] = true })
			}
			return
		}
	}
}

func (s *suiteHunt) halves(ctx context.Context, list []wire.CipherSuite, depth int) {
	middle := len(list) / 2
	s.sweep(ctx, slices.Clone(list[:middle]), nil, depth+1)
	s.sweep(ctx, slices.Clone(list[middle:]), nil, depth+1)
}

// doubtful reports whether an alert may mean something else than that there is no common suite: a server that trips over
// one suite of the list would hide the others.
func (s *suiteHunt) doubtful(code wire.AlertCode) bool {
	switch code {
	case wire.AlertHandshakeFailure, wire.AlertInsufficientSecurity, wire.AlertProtocolVersion:
		return false
	}
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	return !s.h.known.noCommon[code]
}

// passwords takes the suites of SRP off a list: a server that has them and knows no such user answers
// unknown_psk_identity (RFC 5054, Section 2.5.1.3) - once for every one that it has. False: there were none.
func (s *suiteHunt) passwords(ctx context.Context, list *[]wire.CipherSuite) bool {
	isSRP := func(id wire.CipherSuite) bool { return s.h.scanner.parts[id].KeyExchange == "SRP" }
	var rest []wire.CipherSuite
	for _, id := range *list {
		if !isSRP(id) {
			rest = append(rest, id)
			continue
		}
		a, err := s.ask(ctx, []wire.CipherSuite{id})
		if err != nil {
			s.err = err
			return true
		}
		if a.ok(s.v) || a.Outcome == alerted && a.Alert == wire.AlertUnknownPSKIdentity {
			s.found = append(s.found, id)
		}
	}
	if len(rest) == len(*list) {
		return false
	}
	*list = rest
	return true
}

// withShares looks again with a key share: there are servers that know no HelloRetryRequest.
func (s *suiteHunt) withShares(ctx context.Context) {
	s.base.Shares = nil
	rest := suites13()
	for _, id := range s.found {
		rest = without(rest, id)
	}
	s.sweep(ctx, rest, nil, 0)
}

func without[T comparable](list []T, x T) []T {
	return slices.DeleteFunc(slices.Clone(list), func(y T) bool { return y == x })
}

// order finds out whose order counts, by one more offer: the suites that were found, the other way round. Suites with
// ChaCha20 go to its end, because some servers make an exception for clients that begin with one.
func (s *suiteHunt) order(ctx context.Context, p *grade.Protocol) {
	if len(s.found) < 2 {
		return
	}
	var plain, chacha []wire.CipherSuite
	for _, id := range s.found {
		switch part := s.h.scanner.parts[id]; {
		case part.Encryption == "CHACHA20":
			chacha = append(chacha, id)
		case part.KeyExchange != "SRP":
			plain = append(plain, id)
		}
	}
	if len(plain) == 0 {
		return
	}
	back := slices.Clone(plain)
	slices.Reverse(back)
	back = append(back, chacha...)
	if len(plain) == 1 && s.found[0] == plain[0] {
		back = slices.Concat(chacha, plain)
	}
	if len(back) < 2 {
		return
	}
	a, err := s.ask(ctx, back)
	switch {
	case err != nil || !a.ok(s.v):
		p.Order = grade.Unknown
		return
	case a.Suite == back[0]:
		p.Order = grade.No
		return
	}
	p.Order = grade.Yes
	if s.isShuffled {
		s.sort(ctx, slices.Concat(plain, chacha))
	}
	if len(chacha) == 0 || s.h.scanner.parts[s.found[0]].Encryption == "CHACHA20" {
		return
	}
	p.PrioritizesChaCha = grade.Unknown
	if a, err := s.ask(ctx, slices.Concat(chacha, plain)); err == nil && a.ok(s.v) {
		p.PrioritizesChaCha = grade.AnswerOf(slices.Contains(chacha, a.Suite))
	}
}

// sort brings what was found into the server's order, by asking again with these suites alone.
func (s *suiteHunt) sort(ctx context.Context, list []wire.CipherSuite) {
	again := &suiteHunt{h: s.h, v: s.v, base: s.base}
	again.sweep(ctx, list, nil, 0)
	if again.err == nil && len(again.found) == len(list) {
		s.found = append(again.found, slices.DeleteFunc(s.found, func(id wire.CipherSuite) bool { return slices.Contains(again.found, id) })...)
	}
}
