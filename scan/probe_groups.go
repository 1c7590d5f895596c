package scan

import (
	"context"
	"slices"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// Groups are found by elimination, too. In TLS 1.3 a hello without key shares makes the server name the group it wants in
// a HelloRetryRequest, so that groups are found which nobody here can compute with. Before TLS 1.3 the group stands in the
// ServerKeyExchange of an ECDHE suite.

// groupHunt is the search for the groups of one version.
type groupHunt struct {
	h     *host
	v     wire.Version
	base  *offer
	found []wire.Group
}

// probeGroups finds the groups of TLS 1.3 and of the best version below, and whose order counts.
func probeGroups(ctx context.Context, h *host) {
	var hunts []*groupHunt
	if h.offersAny(wire.VersionTLS13) {
		g := &groupHunt{h: h, v: wire.VersionTLS13, base: h.working(wire.VersionTLS13)}
		g.base.Suites = suites13()
		g.base.Until = untilHello
		g.sweep(ctx, groups13())
		hunts = append(hunts, g)
	}
	if v, ok := h.bestOld(); ok && v > wire.VersionSSL30 {
		g := &groupHunt{h: h, v: v, base: h.working(v)}
		if g.base.Suites = h.suitesOf(v, "ECDHE"); len(g.base.Suites) > 0 {
			g.sweep(ctx, curves())
			hunts = append(hunts, g)
		}
	}
	var order grade.Answer
	for _, g := range hunts {
		if order = g.order(ctx); order != grade.Unasked {
			break
		}
	}
	h.record(func(f *grade.Facts) {
		f.GroupOrder = order
		for _, g := range hunts {
			for _, id := range g.found {
				f.Groups = addGroup(f.Groups, id, g.v)
			}
		}
	})
}

// suitesOf gives the suites of a version with this key exchange, pre-shared keys or not, or all that there may be while
// they are not known.
func (h *host) suitesOf(v wire.Version, exchange string) []wire.CipherSuite {
	return slices.DeleteFunc(h.candidates(v), func(id wire.CipherSuite) bool { return h.kindOf(id).base != exchange })
}

// candidates are the suites that the server has in a version before TLS 1.3, or may have while that is not known.
func (h *host) candidates(v wire.Version) []wire.CipherSuite {
	if known := h.suites(v); len(known) > 0 {
		return known
	}
	if h.takesRich() {
		return slices.Clone(h.scanner.old)
	}
	return h.working(v).Suites
}

// addGroup adds a group to the list, or a version to one that is there.
func addGroup(list []grade.Group, id wire.Group, v wire.Version) []grade.Group {
	for i := range list {
		if list[i].ID == id {
			if !slices.Contains(list[i].Versions, v) {
				list[i].Versions = append([]wire.Version{v}, list[i].Versions...)
				slices.Sort(list[i].Versions)
			}
			return list
		}
	}
	g := suite.GroupByID(id)
	return append(list, grade.Group{ID: id, Name: id.String(), Versions: []wire.Version{v}, Hybrid: g != nil && g.Hybrid || isHybrid(id)})
}

// isHybrid reports whether a group that is none of ours joins a curve and a post-quantum KEM.
func isHybrid(id wire.Group) bool {
	switch id {
	case wire.GroupCurveSM2MLKEM768, wire.GroupX25519Kyber768Draft, 0x639a, 0xfe30, 0xfe31, 0xfe32, 0x4138:
		return true
	}
	return id >= 0x2f00 && id <= 0x2fff
}

// ask offers groups.
func (g *groupHunt) ask(ctx context.Context, list []wire.Group) (*answer, error) {
	o := g.base.clone()
	o.Groups = list
	if g.v >= wire.VersionTLS13 {
		o.Shares = []wire.Group{}
	}
	a, err := g.h.ask(ctx, o)
	if err == nil {
		g.h.learn(o, a)
	}
	return a, err
}

// sweep finds the groups of a list.
func (g *groupHunt) sweep(ctx context.Context, list []wire.Group) {
	for len(list) > 0 {
		a, err := g.ask(ctx, list)
		if err != nil {
			g.h.gap("groups of "+g.v.String(), err)
			return
		}
		if !a.ok(g.v) || a.Group == 0 {
			break
		}
		if !slices.Contains(list, a.Group) {
			g.h.learnIgnored(a.Group)
			g.found = append(g.found, a.Group)
			return
		}
		g.found = append(g.found, a.Group)
		list = without(list, a.Group)
	}
	if g.v >= wire.VersionTLS13 && len(g.found) == 0 {
		g.byShare(ctx)
	}
}

// byShare asks for each group that is ours with a share of it: there are servers that know no HelloRetryRequest.
func (g *groupHunt) byShare(ctx context.Context) {
	for _, id := range suite.DefaultGroups() {
		o := g.base.clone()
		o.Groups, o.Shares = []wire.Group{id}, []wire.Group{id}
		a, err := g.h.ask(ctx, o)
		if err != nil {
			g.h.gap("groups of "+g.v.String(), err)
			return
		}
		g.h.learn(o, a)
		if a.ok(g.v) && a.Group == id {
			g.found = append(g.found, id)
		}
	}
}

// learnIgnored notes a server that uses a group that the client does not have.
func (h *host) learnIgnored(id wire.Group) {
	h.record(func(f *grade.Facts) {
		f.Features.Tolerance = append(f.Features.Tolerance, grade.Tolerance{
			Probe: "groups heeded", OK: grade.No, Text: "the server used " + id.String() + ", which was not offered", Required: "RFC 8422, Section 4",
		})
	})
}

// order finds out whose order counts, by offering what was found the other way round.
func (g *groupHunt) order(ctx context.Context) grade.Answer {
	if len(g.found) < 2 {
		return grade.Unasked
	}
	back := slices.Clone(g.found)
	slices.Reverse(back)
	a, err := g.ask(ctx, back)
	if err != nil || !a.ok(g.v) || a.Group == 0 {
		return grade.Unknown
	}
	return grade.AnswerOf(a.Group != back[0])
}
