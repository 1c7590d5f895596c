package grade

import (
	"slices"

	"github.com/tlswright/tlswright/internal/ciphers"
	"github.com/tlswright/tlswright/wire"
)

// meeting is what a client came to with the server.
type meeting struct {
	client    string
	reference bool
	version   wire.Version
	parts     ciphers.Parts
}

// modelSuites is what the model of a client offers where no real hello was sent: what browsers of the last ten years have
// in common, in their order, with the suites at the end that they gave up last.
var modelSuites = [...]wire.CipherSuite{
	wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256,
	wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	wire.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	wire.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, wire.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
	wire.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	wire.TLS_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_RSA_WITH_AES_256_GCM_SHA384,
	wire.TLS_RSA_WITH_AES_128_CBC_SHA, wire.TLS_RSA_WITH_AES_256_CBC_SHA,
	wire.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA, wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA,
}

// modelName is how the model is called in evidence.
const modelName = "our model of a current client"

// meetClients collects the simulations; without any of a reference client it asks the model.
func (s *subject) meetClients() {
	hasReference := false
	for i := range s.f.Simulations {
		sim := &s.f.Simulations[i]
		hasReference = hasReference || sim.Reference
		if sim.OK != Yes {
			continue
		}
		if parts, ok := ciphers.Apart(sim.Suite); ok {
			s.clients = append(s.clients, meeting{sim.Client, sim.Reference, sim.Version, parts})
		}
	}
	if hasReference {
		return
	}
	s.modelled = true
	for i := len(s.f.Protocols) - 1; i >= 0; i-- {
		p := &s.f.Protocols[i]
		if p.Offered != Yes || p.Version < wire.VersionTLS10 || p.Version != s.best() {
			continue
		}
		if u := s.modelChoice(p); u != nil {
			s.clients = append(s.clients, meeting{modelName, true, p.Version, u.parts})
		}
	}
}

// modelChoice is the suite that the model and the server would agree on in a version; nil: none.
func (s *subject) modelChoice(p *Protocol) *usedSuite {
	var choice *usedSuite
	choicePlace := 0
	for i := range s.used {
		u := &s.used[i]
		mine := slices.Index(modelSuites[:], u.parts.Suite)
		if u.version != p.Version || mine < 0 {
			continue
		}
		place := mine
		if p.Order == Yes {
			place = u.place
		}
		if choice == nil || place < choicePlace {
			choice, choicePlace = u, place
		}
	}
	return choice
}

// references are the meetings with reference clients.
func (s *subject) references(match func(*meeting) bool) []*meeting {
	var list []*meeting
	for i := range s.clients {
		if m := &s.clients[i]; m.reference && match(m) {
			list = append(list, m)
		}
	}
	return list
}

// met words a meeting as evidence: "Firefox 128 ESR: TLS 1.2, TLS_RSA_WITH_AES_128_CBC_SHA".
func met(list []*meeting) []string {
	lines := make([]string, 0, len(list))
	for _, m := range list {
		lines = append(lines, m.client+": "+versionName(m.version)+", "+m.parts.Suite.String())
	}
	return lines
}

// byModel says where the clients came from, for the end of a reason.
func (s *subject) byModel() string {
	if !s.modelled {
		return ""
	}
	return " No client's own hello was sent; this follows from the server's suites and order."
}
