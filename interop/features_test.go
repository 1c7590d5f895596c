package interop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// feature is one line of the second table: something beyond the plain handshake, with every peer that can do it.
type feature struct {
	what string
	role role
	// run returns what goes into the cell: "ok", or a few words where the peer does it its own way.
	run     func(ctx context.Context, p *pki, pr peer) (cell string, err error)
	version wire.Version // zero: that of the table
}

// errNotThere says that the peer cannot do it; the cell is a dash.
var errNotThere = errors.New("the peer cannot do this")

func allFeatures() []feature {
	var fs []feature
	for _, g := range allGroups {
		fs = append(fs,
			feature{what: "HelloRetryRequest to " + g.String(), role: weAreClient, run: retriedClient(g)},
			feature{what: "HelloRetryRequest to " + g.String(), role: weAreServer, run: retriedServer(g)})
	}
	fs = append(fs,
		feature{what: "HelloRetryRequest for a cookie alone", role: weAreServer, run: cookieServer},
		feature{what: "HelloRetryRequest for a cookie and P-384", role: weAreServer, run: cookieAndGroupServer})
	for _, k := range allKinds {
		fs = append(fs,
			feature{what: "client certificate " + string(k), role: weAreClient, run: clientCertificate(k)},
			feature{what: "client certificate " + string(k), role: weAreServer, run: clientCertificateChecked(k)})
	}
	return append(fs,
		feature{what: "no client certificate: refused, the client reads the alert", role: weAreClient, run: refusedClient(false)},
		feature{what: "an impostor's client certificate: refused, the client reads the alert", role: weAreClient, run: refusedClient(true)},
		feature{what: "no client certificate: refused, the client reads the alert", role: weAreServer, run: refusedByServer(false)},
		feature{what: "an impostor's client certificate: refused, the client reads the alert", role: weAreServer, run: refusedByServer(true)},
		feature{what: "ALPN agreed", role: weAreClient, run: alpnClient},
		feature{what: "ALPN agreed", role: weAreServer, run: alpnServer},
		feature{what: "ALPN without a common protocol: refused", role: weAreClient, run: alpnRefusedClient},
		feature{what: "ALPN without a common protocol: refused", role: weAreServer, run: alpnRefusedServer},
		feature{what: "KeyUpdate in the middle, and the peer's in return", role: weAreClient, run: updateClient},
		feature{what: "KeyUpdate in the middle, and the peer's in return", role: weAreServer, run: updateServer},
		feature{what: "HTTP/1.1 under net/http", role: weAreClient, run: httpClient("http/1.1")},
		feature{what: "HTTP/1.1 under net/http", role: weAreServer, run: httpServer("http/1.1")},
		feature{what: "HTTP/2 under net/http", role: weAreClient, run: httpClient("h2")},
		feature{what: "HTTP/2 under net/http", role: weAreServer, run: httpServer("h2")},
		feature{what: "no server_name, the address is verified", role: weAreClient, run: addressClient},
		feature{what: "no server_name, the address is verified", role: weAreServer, run: addressServer},
		feature{what: "wrong name: the client refuses, the server reads the alert", role: weAreClient, run: wrongNameClient},
		feature{what: "wrong name: the client refuses, the server reads the alert", role: weAreServer, run: wrongNameServer},
		feature{what: "unknown CA: the client refuses, the server reads the alert", role: weAreClient, run: unknownCAClient},
		feature{what: "unknown CA: the client refuses, the server reads the alert", role: weAreServer, run: unknownCAServer},
	)
}

// TestFeaturesWithEveryPeer provokes what the plain handshake of TLS 1.3 does not show, and keeps a table of the page.
func TestFeaturesWithEveryPeer(t *testing.T) {
	runFeatures(t, "features", wire.VersionTLS13, allFeatures())
}

// runFeatures tries every feature with every peer, which speaks no other version than this one unless the feature has it
// otherwise.
func runFeatures(t *testing.T, page string, v wire.Version, features []feature) {
	p := newPKI(t)
	p.recorded = &recorded{}
	cells := newGrid()
	t.Run("feature", func(t *testing.T) {
		for _, pr := range allPeers() {
			for _, f := range features {
				pr := pr.at(cmp.Or(f.version, v))
				if f.role == weAreClient && pr.serve == nil || f.role == weAreServer && pr.dial == nil {
					continue
				}
				t.Run(fmt.Sprintf("%s/we are %s/%s", pr.name, f.role, f.what), func(t *testing.T) {
					pr.need(t)
					t.Parallel()
					ctx, cancel := context.WithTimeout(t.Context(), caseTimeout)
					defer cancel()
					cell, err := f.run(ctx, p, pr)
					if errors.Is(err, errNotThere) {
						t.Skip(err)
					}
					if err != nil {
						cells.set(f.line(), pr.name, "FAIL")
						t.Fatal(err)
					}
					cells.set(f.line(), pr.name, cell)
				})
			}
		}
	})
	checkPage(t, page, featureTable(features, cells))
	p.recorded.check(t)
}

func (f feature) line() string { return fmt.Sprintf("| %s | %s |", f.what, f.role) }

func featureTable(features []feature, cells *grid) []string {
	lines := []string{"| what | we are |", "| --- | --- |"}
	for _, pr := range allPeers() {
		lines[0] += " " + pr.name + " |"
		lines[1] += " --- |"
	}
	for _, f := range features {
		line := f.line()
		for _, pr := range allPeers() {
			line += " " + cells.get(f.line(), pr.name) + " |"
		}
		lines = append(lines, line)
	}
	return lines
}

// withServer runs a peer's server for one case and adds what it printed to the error.
func withServer(ctx context.Context, p *pki, pr peer, a asks, run func(s peerServer) error) error {
	s, err := pr.serve(ctx, p, a)
	if err != nil {
		return err
	}
	err = run(s)
	s.stop()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, s.log())
	}
	return nil
}

func okIf(err error) (string, error) { return "ok", err }

// otherGroup returns a group for the first flight that leads to HelloRetryRequest for g. A Go client ignores the order
// that it is given and has its own, in which nothing comes before X25519MLKEM768.
func otherGroup(pr peer, g wire.Group) (wire.Group, error) {
	switch {
	case !slices.Contains(pr.groups(), g):
		return 0, errNotThere
	case !pr.ownOrder:
		if g == wire.GroupX25519 {
			return wire.GroupSecp256r1, nil
		}
		return wire.GroupX25519, nil
	case g == wire.GroupX25519MLKEM768:
		return 0, errNotThere
	case g == wire.GroupX25519:
		return wire.GroupSecp384r1MLKEM1024, nil
	case g == wire.GroupSecp256r1MLKEM768 || g == wire.GroupSecp384r1MLKEM1024:
		return wire.GroupX25519MLKEM768, nil
	}
	return wire.GroupX25519, nil
}

func retriedClient(g wire.Group) func(context.Context, *pki, peer) (string, error) {
	return func(ctx context.Context, p *pki, pr peer) (string, error) {
		if !slices.Contains(pr.groups(), g) {
			return "", errNotThere
		}
		other := wire.GroupX25519
		if g == other {
			other = wire.GroupSecp256r1
		}
		theirs := asks{identity: p.leaves[ecdsaP256], groups: one(g)}
		return okIf(withServer(ctx, p, pr, theirs, func(s peerServer) error {
			ours := asks{groups: []wire.Group{other, g}, shares: one(other), name: serverName}
			return weConnect(ctx, p, pr, s, ours, verdict{group: g, retried: true})
		}))
	}
}

func retriedServer(g wire.Group) func(context.Context, *pki, peer) (string, error) {
	return func(ctx context.Context, p *pki, pr peer) (string, error) {
		other, err := otherGroup(pr, g)
		if err != nil {
			return "", err
		}
		ours := asks{identity: p.leaves[ecdsaP256], groups: one(g)}
		theirs := asks{groups: []wire.Group{other, g}, shares: one(other), name: serverName}
		return okIf(weServe(ctx, p, pr, ours, theirs, verdict{group: g, retried: true, name: serverName}))
	}
}

func cookieServer(ctx context.Context, p *pki, pr peer) (string, error) {
	if pr.needsRetryGroup {
		return "", errNotThere
	}
	ours := asks{identity: p.leaves[ecdsaP256], cookie: true}
	return okIf(weServe(ctx, p, pr, ours, asks{name: serverName}, verdict{retried: true, name: serverName}))
}

func cookieAndGroupServer(ctx context.Context, p *pki, pr peer) (string, error) {
	g := wire.GroupSecp384r1
	ours := asks{identity: p.leaves[ecdsaP256], cookie: true, groups: one(g)}
	theirs := asks{groups: []wire.Group{wire.GroupX25519, g}, shares: one(wire.GroupX25519), name: serverName}
	return okIf(weServe(ctx, p, pr, ours, theirs, verdict{group: g, retried: true, name: serverName}))
}

func clientCertificate(k keyKind) func(context.Context, *pki, peer) (string, error) {
	return func(ctx context.Context, p *pki, pr peer) (string, error) {
		if !pr.knows(k) {
			return "", errNotThere
		}
		theirs := asks{identity: p.leaves[ecdsaP256], requireClient: true}
		return okIf(withServer(ctx, p, pr, theirs, func(s peerServer) error {
			ours := asks{identity: p.leaves[k], name: serverName}
			return weConnect(ctx, p, pr, s, ours, verdict{own: k.schemes(pr.speaks)})
		}))
	}
}

func clientCertificateChecked(k keyKind) func(context.Context, *pki, peer) (string, error) {
	return func(ctx context.Context, p *pki, pr peer) (string, error) {
		if !pr.knows(k) {
			return "", errNotThere
		}
		ours := asks{identity: p.leaves[ecdsaP256], requireClient: true}
		theirs := asks{identity: p.leaves[k], name: serverName}
		return okIf(weServe(ctx, p, pr, ours, theirs, verdict{peer: k.schemes(pr.speaks), name: serverName}))
	}
}

// refusedClient: in TLS 1.3 the server's refusal comes after our handshake is done (RFC 8446, Section 4.4.2.4 leaves it that
// way), so it arrives with the first Read; in TLS 1.2 it comes in the handshake.
func refusedClient(impostor bool) func(context.Context, *pki, peer) (string, error) {
	return func(ctx context.Context, p *pki, pr peer) (cell string, err error) {
		theirs := asks{identity: p.leaves[ecdsaP256], requireClient: true}
		ours := asks{name: serverName}
		want := one(wire.AlertCertificateRequired)
		if pr.speaks == wire.VersionTLS12 {
			want = []wire.AlertCode{wire.AlertHandshakeFailure, wire.AlertBadCertificate} // RFC 5246 has no alert for this
		}
		if impostor {
			ours.identity = p.impostor
			want = []wire.AlertCode{wire.AlertUnknownCA, wire.AlertBadCertificate, wire.AlertAccessDenied} // RFC 8446 leaves a choice
		}
		err = withServer(ctx, p, pr, theirs, func(s peerServer) error {
			c, err := ours.dial(ctx, p, s.addr())
			if err != nil {
				if pr.speaks == wire.VersionTLS12 {
					cell, err = pr.alertFor(err, want...)
				}
				return err
			}
			defer c.Close()
			if pr.refusesInHTTP {
				cell = "HTTP 400"
				return wantHTTP400(c, s)
			}
			_, err = c.Read(make([]byte, 1))
			cell = "ok"
			return wantAlert(err, want...)
		})
		return cell, err
	}
}

func wantHTTP400(c *tlsnet.Conn, s peerServer) error {
	if err := s.exchange(c); err == nil || !strings.Contains(err.Error(), "status 400") {
		return fmt.Errorf("not HTTP 400: %w", err)
	}
	return nil
}

// alertFor is wantAlert for a peer that may have an alert of its own for the first of these; then it is what goes into the
// cell.
func (pr peer) alertFor(err error, want ...wire.AlertCode) (cell string, _ error) {
	got, ok := receivedAlert(err)
	if own, has := pr.ownAlert[want[0]]; ok && has && got == own {
		return got.String(), nil
	}
	return okIf(wantAlert(err, want...))
}

// wantAlert checks that err is one of these alerts from the peer.
func wantAlert(err error, want ...wire.AlertCode) error {
	got, ok := receivedAlert(err)
	for _, w := range want {
		if ok && got == w {
			return nil
		}
	}
	return fmt.Errorf("no alert %v from the peer, but: %w", want, err)
}

func refusedByServer(impostor bool) func(context.Context, *pki, peer) (string, error) {
	return func(ctx context.Context, p *pki, pr peer) (string, error) {
		ours := asks{identity: p.leaves[ecdsaP256], requireClient: true}
		theirs := asks{name: serverName}
		want := wire.AlertCertificateRequired
		if pr.speaks == wire.VersionTLS12 {
			want = wire.AlertHandshakeFailure
		}
		if impostor {
			theirs.identity = p.impostor
			want = wire.AlertUnknownCA
		}
		return okIf(weRefuse(ctx, p, pr, ours, theirs, want))
	}
}

// weRefuse checks that our server sends an alert and that the peer's client says that it read just that.
func weRefuse(ctx context.Context, p *pki, pr peer, ours, theirs asks, want wire.AlertCode) error {
	addr, result, err := ours.serveOne(ctx, p, pr.http)
	if err != nil {
		return err
	}
	got := pr.dial(ctx, p, addr, theirs)
	s := <-result
	var e *tlscore.Error
	if !errors.As(s.err, &e) || e.Received() {
		return fmt.Errorf("our server ended with %v", s.err)
	}
	if sent, _ := e.Alert(); sent != want {
		return fmt.Errorf("our server sent %v: %w", sent, s.err)
	}
	if got.err == nil {
		return errors.New("the client noticed nothing")
	}
	if !strings.Contains(strings.ToLower(got.log), pr.alertText[want]) || pr.alertText[want] == "" {
		return fmt.Errorf("the client does not speak of %q: %w\n%s", pr.alertText[want], got.err, got.log)
	}
	return nil
}

func alpnClient(ctx context.Context, p *pki, pr peer) (string, error) {
	theirs := asks{identity: p.leaves[ecdsaP256], alpn: []string{"http/1.1"}}
	return okIf(withServer(ctx, p, pr, theirs, func(s peerServer) error {
		ours := asks{alpn: []string{"tlswright/1", "http/1.1"}, name: serverName}
		return weConnect(ctx, p, pr, s, ours, verdict{alpn: "http/1.1"})
	}))
}

func alpnServer(ctx context.Context, p *pki, pr peer) (string, error) {
	if pr.noALPN {
		return "", errNotThere
	}
	ours := asks{identity: p.leaves[ecdsaP256], alpn: []string{"tlswright/1", "http/1.1"}}
	theirs := asks{alpn: []string{"http/1.1"}, name: serverName}
	return okIf(weServe(ctx, p, pr, ours, theirs, verdict{alpn: "http/1.1", name: serverName}))
}

func alpnRefusedClient(ctx context.Context, p *pki, pr peer) (string, error) {
	theirs := asks{identity: p.leaves[ecdsaP256], alpn: []string{"http/1.1"}}
	return okIf(withServer(ctx, p, pr, theirs, func(s peerServer) error {
		c, err := asks{alpn: []string{"tlswright/1"}, name: serverName}.dial(ctx, p, s.addr())
		if err == nil {
			c.Close()
			return fmt.Errorf("the peer took it, with protocol %q", c.Facts().ALPN)
		}
		return wantAlert(err, wire.AlertNoApplicationProtocol)
	}))
}

func alpnRefusedServer(ctx context.Context, p *pki, pr peer) (string, error) {
	if pr.noALPN {
		return "", errNotThere
	}
	ours := asks{identity: p.leaves[ecdsaP256], alpn: []string{"tlswright/1"}}
	theirs := asks{alpn: []string{"http/1.1"}, name: serverName}
	return okIf(weRefuse(ctx, p, pr, ours, theirs, wire.AlertNoApplicationProtocol))
}

func addressClient(ctx context.Context, p *pki, pr peer) (string, error) {
	return okIf(withServer(ctx, p, pr, asks{identity: p.leaves[ecdsaP256]}, func(s peerServer) error {
		return weConnect(ctx, p, pr, s, asks{}, verdict{})
	}))
}

func addressServer(ctx context.Context, p *pki, pr peer) (string, error) {
	return okIf(weServe(ctx, p, pr, asks{identity: p.leaves[ecdsaP256]}, asks{}, verdict{}))
}

func updateClient(ctx context.Context, p *pki, pr peer) (string, error) {
	return okIf(withServer(ctx, p, pr, asks{identity: p.leaves[ecdsaP256], patient: true}, func(s peerServer) error {
		var seen keyUpdates
		ours := asks{name: serverName, updateKeys: true, observer: &seen}
		return errors.Join(weConnect(ctx, p, pr, s, ours, verdict{}), seen.check())
	}))
}

func updateServer(ctx context.Context, p *pki, pr peer) (string, error) {
	if pr.http {
		return "", errNotThere // its client is served by net/http, which has no hand on the keys
	}
	var seen keyUpdates
	ours := asks{identity: p.leaves[ecdsaP256], updateKeys: true, observer: &seen}
	return okIf(errors.Join(weServe(ctx, p, pr, ours, asks{name: serverName, patient: true}, verdict{name: serverName}), seen.check()))
}

const wrongName = "somebody-else.interop.test"

func wrongNameClient(ctx context.Context, p *pki, pr peer) (string, error) {
	return okIf(withServer(ctx, p, pr, asks{identity: p.leaves[ecdsaP256]}, func(s peerServer) error {
		return weRejectServer(ctx, p, pr, s, asks{name: wrongName}, wire.AlertCertificateUnknown)
	}))
}

func unknownCAClient(ctx context.Context, p *pki, pr peer) (string, error) {
	return okIf(withServer(ctx, p, pr, asks{identity: p.stranger}, func(s peerServer) error {
		return weRejectServer(ctx, p, pr, s, asks{name: serverName}, wire.AlertUnknownCA)
	}))
}

// weRejectServer checks that our client refuses the server with an alert.
func weRejectServer(ctx context.Context, p *pki, pr peer, s peerServer, ours asks, want wire.AlertCode) error {
	c, err := ours.dial(ctx, p, s.addr())
	if err == nil {
		c.Close()
		return errors.New("our client accepted the server")
	}
	var e *tlscore.Error
	if !errors.As(err, &e) || e.Received() {
		return fmt.Errorf("our client ended with: %w", err)
	}
	if sent, _ := e.Alert(); sent != want {
		return fmt.Errorf("our client sent %v: %w", sent, err)
	}
	return s.mentions(ctx, pr.alertText[want])
}

func wrongNameServer(ctx context.Context, p *pki, pr peer) (string, error) {
	ours, theirs := asks{identity: p.leaves[ecdsaP256]}, asks{name: wrongName}
	if !pr.namesLate {
		return okIf(theyReject(ctx, p, pr, ours, theirs))
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	addr, result, err := ours.serveOne(serving, p, pr.http)
	if err != nil {
		return "", err
	}
	got := pr.dial(ctx, p, addr, theirs)
	stop() // our server heard of no failure
	<-result
	if got.err == nil {
		return "", errors.New("the client accepted our server")
	}
	return "no alert", nil
}

func unknownCAServer(ctx context.Context, p *pki, pr peer) (string, error) {
	return okIf(theyReject(ctx, p, pr, asks{identity: p.stranger}, asks{name: serverName}))
}

// theyReject checks that the peer's client refuses our server, and that we read its alert.
func theyReject(ctx context.Context, p *pki, pr peer, ours, theirs asks) error {
	addr, result, err := ours.serveOne(ctx, p, pr.http)
	if err != nil {
		return err
	}
	got := pr.dial(ctx, p, addr, theirs)
	s := <-result
	if got.err == nil {
		return errors.New("the client accepted our server")
	}
	if err := wantAlert(s.err, wire.AlertUnknownCA, wire.AlertBadCertificate, wire.AlertCertificateUnknown, wire.AlertUserCanceled); err != nil {
		return fmt.Errorf("%w\nthe client: %w\n%s", err, got.err, got.log)
	}
	return nil
}

func (pr peer) knows(k keyKind) bool { return slices.Contains(pr.kinds, k) }
