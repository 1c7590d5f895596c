package interop

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/tlswright/tlswright/wire"
)

// role says what we are in a case.
type role string

const (
	weAreClient role = "client"
	weAreServer role = "server"
)

// sweep is a table of every suite, group and certificate of one version.
type sweep struct {
	page     string // its block on the page
	version  wire.Version
	suites   []wire.CipherSuite
	groups   []wire.Group
	versions []wire.Version // that the peer is limited to
}

func sweep13() sweep {
	return sweep{page: "matrix", version: wire.VersionTLS13, suites: allSuites, groups: allGroups}
}

func sweep12() sweep {
	return sweep{page: "matrix12", version: wire.VersionTLS12, suites: allSuites12, groups: ecGroups, versions: one(wire.VersionTLS12)}
}

// TestEverySuiteGroupAndCertificateWithEveryPeer moves 1 MB each way with every combination that both ends support in
// TLS 1.3, and keeps a table of docs/interop.md. A combination that silently negotiated something else fails.
func TestEverySuiteGroupAndCertificateWithEveryPeer(t *testing.T) { sweep13().run(t) }

// TestEverySuiteCurveAndCertificateOfTLS12WithEveryPeer is the same for TLS 1.2.
func TestEverySuiteCurveAndCertificateOfTLS12WithEveryPeer(t *testing.T) { sweep12().run(t) }

func (sw sweep) run(t *testing.T) {
	p := newPKI(t)
	all := newGrid()
	t.Run("matrix", func(t *testing.T) {
		for _, pr := range allPeers() {
			for _, kind := range pr.kinds {
				if pr.serve != nil {
					t.Run(fmt.Sprintf("%s serves %s", pr.name, kind), func(t *testing.T) {
						pr.need(t)
						t.Parallel()
						sw.asClient(t, p, pr, kind, all)
					})
				}
				if pr.dial != nil {
					t.Run(fmt.Sprintf("%s connects to %s", pr.name, kind), func(t *testing.T) {
						pr.need(t)
						t.Parallel()
						sw.asServer(t, p, pr, kind, all)
					})
				}
			}
		}
	})
	checkPage(t, sw.page, sw.table(all))
}

// asClient starts the peer's server once for the certificate and steers it from our side. A server that failed a
// case is started anew: it may still hold that case's bytes.
func (sw sweep) asClient(t *testing.T, p *pki, pr peer, kind keyKind, all *grid) {
	var server peerServer
	defer func() {
		if server != nil {
			server.stop()
		}
	}()
	sw.everyTerm(t, pr, weAreClient, kind, all, func(ctx context.Context, tm terms) error {
		theirs := asks{identity: p.leaves[kind], versions: sw.versions, suites: sw.shared(pr)}
		if server != nil && sw.steered(pr) {
			server.stop()
			server = nil
		}
		if server == nil {
			if sw.steered(pr) {
				theirs.groups = sw.asked(tm)
			}
			s, err := pr.serve(t.Context(), p, theirs)
			if err != nil {
				return err
			}
			server = s
		}
		ours := asks{suites: one(tm.suite), groups: sw.asked(tm), name: serverName}
		err := weConnect(ctx, p, pr, server, ours, verdict{version: sw.version, suite: tm.suite, group: sw.due(pr, weAreClient, tm), peer: kind.schemes(sw.version)})
		if err != nil {
			server.stop()
			err = fmt.Errorf("%w\n%s", err, server.log())
			server = nil
		}
		return err
	})
}

// asServer lets our server offer all it has, and steers the peer's client.
func (sw sweep) asServer(t *testing.T, p *pki, pr peer, kind keyKind, all *grid) {
	sw.everyTerm(t, pr, weAreServer, kind, all, func(ctx context.Context, tm terms) error {
		ours := asks{identity: p.leaves[kind], suites: slices.Concat(allSuites, allSuites12)}
		theirs := asks{versions: sw.versions, suites: one(tm.suite), groups: sw.asked(tm), name: serverName, theirKind: kind}
		if pr.alpn != "" {
			ours.alpn, theirs.alpn = one(pr.alpn), one(pr.alpn)
		}
		if sw.version == wire.VersionTLS12 {
			ours.groups = one(tm.group)
		} else if pr.steerless {
			ours.suites = one(tm.suite)
		}
		want := verdict{version: sw.version, suite: tm.suite, group: tm.group, own: kind.schemes(sw.version), name: serverName, alpn: pr.alpn}
		return weServe(ctx, p, pr, ours, theirs, want)
	})
}

// steered says that the peer's server has to be told the group of each case.
func (sw sweep) steered(pr peer) bool { return sw.version == wire.VersionTLS12 && pr.ownGroup != nil }

// due is the group that a case ends with.
func (sw sweep) due(pr peer, r role, tm terms) wire.Group {
	if r == weAreClient && sw.steered(pr) {
		return pr.ownGroup(tm)
	}
	return tm.group
}

// shared are the table's suites that the peer has.
func (sw sweep) shared(pr peer) []wire.CipherSuite {
	return slices.DeleteFunc(slices.Clone(sw.suites), func(id wire.CipherSuite) bool { return !slices.Contains(pr.suites, id) })
}

// asked are the groups that a client lists. In TLS 1.2 that of an ECDSA certificate has to be among them, too (RFC 8422,
// Section 5.1); the key exchange goes by the first one.
func (sw sweep) asked(tm terms) []wire.Group {
	if g := tm.kind.curve(); sw.version == wire.VersionTLS12 && g != 0 && g != tm.group {
		return []wire.Group{tm.group, g}
	}
	return one(tm.group)
}

func (sw sweep) everyTerm(t *testing.T, pr peer, r role, kind keyKind, all *grid, run func(context.Context, terms) error) {
	for _, suite := range sw.shared(pr) {
		if sw.version == wire.VersionTLS12 && isRSASuite(suite) != kind.isRSA() {
			continue
		}
		for _, group := range pr.groups() {
			if !slices.Contains(sw.groups, group) {
				continue
			}
			tm := terms{suite, group, kind}
			at := matrixLine(pr, r, kind, suite)
			all.set(at, group.String(), "FAIL")
			t.Run(fmt.Sprintf("%v/%v", suite, group), func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), caseTimeout)
				defer cancel()
				if err := run(ctx, tm); err != nil {
					t.Fatal(err)
				}
				cell := "ok"
				if due := sw.due(pr, r, tm); due != group {
					cell = due.String()
				}
				all.set(at, group.String(), cell)
			})
		}
	}
}

func one[T any](v T) []T { return []T{v} }

func matrixLine(pr peer, r role, kind keyKind, suite wire.CipherSuite) string {
	return fmt.Sprintf("| %s | %s | %s | %s |", pr.name, r, kind, suite)
}

// table has a line per peer, role, certificate and suite, and a column per group.
func (sw sweep) table(all *grid) []string {
	lines := []string{"| peer | we are | certificate | suite |", "| --- | --- | --- | --- |"}
	for _, g := range sw.groups {
		lines[0] += " " + g.String() + " |"
		lines[1] += " --- |"
	}
	for _, pr := range allPeers() {
		for _, r := range []role{weAreClient, weAreServer} {
			for _, kind := range allKinds {
				for _, suite := range sw.suites {
					line := matrixLine(pr, r, kind, suite)
					if !all.has(line) {
						continue
					}
					cells := ""
					for _, g := range sw.groups {
						cells += " " + all.get(line, g.String()) + " |"
					}
					lines = append(lines, line+cells)
				}
			}
		}
	}
	return lines
}
