package scan

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"sync"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/wire"
)

// simulationProbes send the hellos of well-known clients.
func simulationProbes() []probe {
	return []probe{{
		name: "well-known clients", phase: phaseFeatures, run: probeClients,
		applies: func(h *host) bool { return h.o.Simulate && len(h.versions()) > 0 },
	}}
}

// probeClients sends the hellos of well-known clients and notes what each would come to. A client that has no
// version in common with the server needs no connection: the answer follows from what was found out about the versions.
func probeClients(ctx context.Context, h *host) {
	const name = "well-known clients"
	all, err := h.scanner.clients()
	if err != nil {
		h.gap(name, err)
		return
	}
	results := make([]grade.Simulation, 0, len(all))
	var wg sync.WaitGroup
	for _, k := range all {
		if !k.Default && !h.o.AllClients {
			continue
		}
		results = append(results, k.simulation())
		result := &results[len(results)-1]
		if text := k.nothingCommon(h.facts()); text != "" {
			result.OK, result.Problem = grade.No, text
			continue
		}
		wg.Go(func() {
			defer h.rescue(name + ": " + k.Name)
			if err := k.try(ctx, h, result); err != nil {
				h.gap(name+": "+k.Name, err)
				result.OK, result.Problem = grade.Unknown, reasonOf(err)
			}
		})
	}
	wg.Wait()
	h.record(func(f *grade.Facts) { f.Simulations = results })
}

// nothingCommon says that all the versions a client speaks are known not to be offered; "" where that is not known.
func (k *knownClient) nothingCommon(f *grade.Facts) string {
	isNewer := false
	for _, v := range []wire.Version{wire.VersionSSL30, wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12, wire.VersionTLS13} {
		p := f.Protocol(v)
		switch {
		case k.takes(v) && (p == nil || p.Offered != grade.No):
			return ""
		case p != nil && p.Offered == grade.Yes && v < k.lowest():
			isNewer = true
		}
	}
	if isNewer {
		return fmt.Sprintf("it speaks nothing older than %s, which the server does not", k.lowest())
	}
	return fmt.Sprintf("it speaks %s at most, which the server does not", k.highest())
}

// try sends the hello of a client and judges the answer. The error is that nothing came.
func (k *knownClient) try(ctx context.Context, h *host, s *grade.Simulation) error {
	o := &offer{Version: k.highest(), RecordVersion: wire.Version(k.Record.one()), Until: untilFlight}
	if p := h.facts().Protocol(wire.VersionTLS13); k.highest() >= wire.VersionTLS13 && (p == nil || p.Offered != grade.No) {
		o.Until = untilHello // what follows is encrypted
	}
	if !h.speaksHTTP() {
		k = k.withoutHTTP()
	}
	var err error
	if o.Raw, err = k.hello(h.target.name(), h.scanner.share); err != nil {
		return err
	}
	a, err := h.ask(ctx, o)
	if err != nil {
		return err
	}
	k.judge(a, s)
	return nil
}

// withoutHTTP is the client as another program would use it, which speaks no HTTP and asks for none: mail servers refuse who
// does.
func (k *knownClient) withoutHTTP() *knownClient {
	other := *k
	other.Extensions = slices.DeleteFunc(slices.Clone(k.Extensions), func(e uint16) bool {
		switch wire.ExtensionType(e) {
		case wire.ExtALPN, wire.ExtNextProtocolNegotiation, wire.ExtApplicationSettings, wire.ExtApplicationSettingsOld:
			return true
		}
		return false
	})
	return &other
}

// judge notes what the client would make of the server's answer.
func (k *knownClient) judge(a *answer, s *grade.Simulation) {
	s.OK = grade.No
	if a.Outcome != accepted {
		s.Problem = "the server refuses: " + a.words()
		return
	}
	s.Version, s.Suite, s.SuiteName = a.Version, a.Suite, a.Suite.String()
	if a.Group != 0 {
		s.Group, s.GroupName = a.Group, a.Group.String()
	}
	s.ALPN = chosenALPN(a)
	if len(a.Chain) > 0 {
		if c, err := cert.Parse(a.Chain[0]); err == nil {
			s.KeyType = keyOf(c).kind
		}
	}
	if s.Problem = k.objection(a); s.Problem == "" {
		s.OK = grade.Yes
	}
}

// objection is why the client would end the handshake at this point; "" if it would not.
func (k *knownClient) objection(a *answer) string {
	bits := 0
	if a.KeyExchange != nil && len(a.KeyExchange.Prime) > 0 {
		bits = new(big.Int).SetBytes(a.KeyExchange.Prime).BitLen()
	}
	switch {
	case !k.takes(a.Version):
		return fmt.Sprintf("the server answers with %s, and it speaks %s", a.Version, k.span())
	case !contains(k.Suites, uint16(a.Suite)):
		return "the server answers with a cipher suite that was not offered"
	case a.Group != 0 && len(k.Groups) > 0 && !contains(k.Groups, uint16(a.Group)):
		return "the server answers with a group that was not offered"
	case a.Err != nil:
		return "the server breaks the handshake off: " + reasonOf(a.Err)
	case bits > 0 && bits < k.MinDH:
		return fmt.Sprintf("the Diffie-Hellman parameters have %d bits, and it wants %d", bits, k.MinDH)
	case bits > 0 && k.MaxDH > 0 && bits > k.MaxDH:
		return fmt.Sprintf("the Diffie-Hellman parameters have %d bits, and it can do %d", bits, k.MaxDH)
	}
	return ""
}

// takes reports whether the client speaks a version. One that lists its versions speaks no other (RFC 8446, Section 4.2.1).
func (k *knownClient) takes(v wire.Version) bool {
	if v < k.lowest() || v > k.highest() {
		return false
	}
	return len(k.Versions) == 0 || contains(k.Versions, uint16(v))
}

// span names the versions of a client.
func (k *knownClient) span() string {
	if k.lowest() == k.highest() {
		return k.highest().String() + " alone"
	}
	return fmt.Sprintf("%s to %s", k.lowest(), k.highest())
}

func contains(c codes, n uint16) bool {
	for _, code := range c {
		if code == n && !wire.IsGREASE(code) {
			return true
		}
	}
	return false
}

// chosenALPN is the application protocol of a ServerHello, before TLS 1.3.
func chosenALPN(a *answer) string {
	if a.Hello == nil {
		return ""
	}
	var alpn wire.ALPN
	if present, err := a.Hello.Ext(&alpn); err != nil || !present || len(alpn.Protocols) != 1 {
		return ""
	}
	return shortened(alpn.Protocols[0], maxALPN)
}

// maxALPN is how much of a protocol's name is kept.
const maxALPN = 64
