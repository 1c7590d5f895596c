package interop

import (
	"context"
	"fmt"
	"testing"

	"github.com/tlswright/tlswright/wire"
)

// role says what we are in a case.
type role string

const (
	weAreClient role = "client"
	weAreServer role = "server"
)

// TestEverySuiteGroupAndCertificateWithEveryPeer moves 1 MB each way with every combination that both ends support, and
// keeps the table of docs/interop.md. A combination that silently negotiated something else fails.
func TestEverySuiteGroupAndCertificateWithEveryPeer(t *testing.T) {
	p := newPKI(t)
	all := newGrid()
	t.Run("matrix", func(t *testing.T) {
		for _, pr := range allPeers() {
			for _, kind := range pr.kinds {
				if pr.serve != nil {
					t.Run(fmt.Sprintf("%s serves %s", pr.name, kind), func(t *testing.T) {
						pr.need(t)
						t.Parallel()
						matrixAsClient(t, p, pr, kind, all)
					})
				}
				if pr.dial != nil {
					t.Run(fmt.Sprintf("%s connects to %s", pr.name, kind), func(t *testing.T) {
						pr.need(t)
						t.Parallel()
						matrixAsServer(t, p, pr, kind, all)
					})
				}
			}
		}
	})
	checkPage(t, "matrix", matrixTable(all))
}

// matrixAsClient starts the peer's server once for the certificate and steers it from our side. A server that failed a
// case is started anew: it may still hold that case's bytes.
func matrixAsClient(t *testing.T, p *pki, pr peer, kind keyKind, all *grid) {
	var server peerServer
	defer func() {
		if server != nil {
			server.stop()
		}
	}()
	everyTerm(t, pr, weAreClient, kind, all, func(ctx context.Context, tm terms) error {
		if server == nil {
			s, err := pr.serve(t.Context(), p, asks{identity: p.leaves[kind]})
			if err != nil {
				return err
			}
			server = s
		}
		ours := asks{suites: one(tm.suite), groups: one(tm.group), name: serverName}
		err := weConnect(ctx, p, server, ours, verdict{suite: tm.suite, group: tm.group, peer: kind.schemes()})
		if err != nil {
			server.stop()
			err = fmt.Errorf("%w\n%s", err, server.log())
			server = nil
		}
		return err
	})
}

// matrixAsServer lets our server offer all it has, and steers the peer's client.
func matrixAsServer(t *testing.T, p *pki, pr peer, kind keyKind, all *grid) {
	everyTerm(t, pr, weAreServer, kind, all, func(ctx context.Context, tm terms) error {
		ours := asks{identity: p.leaves[kind]}
		theirs := asks{suites: one(tm.suite), groups: one(tm.group), name: serverName}
		if pr.alpn != "" {
			ours.alpn, theirs.alpn = one(pr.alpn), one(pr.alpn)
		}
		if pr.steerless {
			ours.suites = one(tm.suite)
		}
		want := verdict{suite: tm.suite, group: tm.group, own: kind.schemes(), name: serverName, alpn: pr.alpn}
		return weServe(ctx, p, pr, ours, theirs, want)
	})
}

func everyTerm(t *testing.T, pr peer, r role, kind keyKind, all *grid, run func(context.Context, terms) error) {
	for _, suite := range allSuites {
		for _, group := range pr.groups() {
			tm := terms{suite, group, kind}
			at := matrixLine(pr, r, kind, suite)
			all.set(at, group.String(), "FAIL")
			t.Run(fmt.Sprintf("%v/%v", suite, group), func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), caseTimeout)
				defer cancel()
				if err := run(ctx, tm); err != nil {
					t.Fatal(err)
				}
				all.set(at, group.String(), "ok")
			})
		}
	}
}

func one[T any](v T) []T { return []T{v} }

func matrixLine(pr peer, r role, kind keyKind, suite wire.CipherSuite) string {
	return fmt.Sprintf("| %s | %s | %s | %s |", pr.name, r, kind, suite)
}

// matrixTable has a line per peer, role, certificate and suite, and a column per group.
func matrixTable(all *grid) []string {
	lines := []string{"| peer | we are | certificate | suite |", "| --- | --- | --- | --- |"}
	for _, g := range allGroups {
		lines[0] += " " + g.String() + " |"
		lines[1] += " --- |"
	}
	for _, pr := range allPeers() {
		for _, r := range []role{weAreClient, weAreServer} {
			for _, kind := range allKinds {
				for _, suite := range allSuites {
					line := matrixLine(pr, r, kind, suite)
					if !all.has(line) {
						continue
					}
					cells := ""
					for _, g := range allGroups {
						cells += " " + all.get(line, g.String()) + " |"
					}
					lines = append(lines, line+cells)
				}
			}
		}
	}
	return lines
}
