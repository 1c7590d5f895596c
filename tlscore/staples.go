package tlscore

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// Stapled is what goes along with one certificate of a chain (RFC 8446, Section 4.4.2.1).
type Stapled struct {
	Staple []byte   // an OCSP response for it, DER; nil: none
	SCTs   [][]byte // signed certificate timestamps of it (RFC 6962, Section 3.3)
}

// Stapling answers NeedStaple: the OCSP responses for the certificates of Question.Identity, leaf first, DER; nil, or an
// empty one, sends none. TLS 1.2 has room for the leaf's alone. They take the place of all that the identity has itself.
// A non-nil Err ends the handshake with internal_error.
type Stapling struct {
	Staples [][]byte
	Err     error
}

func (Stapling) answers() EventKind { return NeedStaple }

// staples is what a peer wants with our certificate, and what there is to give in the place of the identity's own.
type staples struct {
	status, scts bool
	compress     *CertificateCompression // nil: as it is
	answered     bool                    // the caller was asked, and said given
	given        [][]byte
	delegated    *delegation // that goes along; nil: none
}

// askedStaples reads that out of a ClientHello or CertificateRequest.
func askedStaples(es wire.Extensions) (s staples) {
	_, s.status = es.Find(wire.ExtStatusRequest)
	_, s.scts = es.Find(wire.ExtSignedCertificateTimestamp)
	return s
}

// of gives what goes with certificate number i of an identity.
func (s *staples) of(id *Identity, i int) (out Stapled) {
	switch {
	case i == 0:
		out = Stapled{id.Staple, id.SCTs}
	case i <= len(id.Above):
		out = id.Above[i-1]
	}
	if s.answered {
		out.Staple = nil
		if i < len(s.given) {
			out.Staple = s.given[i]
		}
	}
	if !s.status {
		out.Staple = nil
	}
	if !s.scts {
		out.SCTs = nil
	}
	return out
}

// asksStaple reports whether the caller has to be asked for the OCSP responses of an identity first.
func (t *turn) asksStaple(id *identity, s *staples) bool {
	return t.params.c.AskStaple && s.status && !s.answered && id != nil && id.public.Type == wire.CertificateTypeX509
}

// askStaple asks for them.
func (t *turn) askStaple(id *identity, serverName string, v wire.Version) {
	t.ask(Question{Kind: NeedStaple, Identity: id.public, ServerName: serverName, Version: v})
}

// take keeps the answer.
func (s *staples) take(a Stapling, id *identity) error {
	if a.Err != nil {
		return because(CodeStapleFailed, a.Err)
	}
	if len(a.Staples) > len(id.public.Chain) {
		return fail(CodeStapleFailed, "%d of them for %d certificates", len(a.Staples), len(id.public.Chain))
	}
	if n := sizeOf(id.public.Chain) + sizeOf(a.Staples); n > maxOwnChain {
		return fail(CodeStapleFailed, "chain and staples have %d bytes, more than %d", n, maxOwnChain)
	}
	s.answered, s.given = true, a.Staples
	return nil
}

func sizeOf(list [][]byte) (n int) {
	for _, b := range list {
		n += len(b)
	}
	return n
}

// checkSize bounds what an identity can make us send.
func (in *Identity) checkSize() error {
	size := sizeOf(in.Chain) + sizeOf(in.SCTs) + len(in.Staple)
	for _, s := range in.Above {
		size += sizeOf(s.SCTs) + len(s.Staple)
	}
	lists := append([]Stapled{{SCTs: in.SCTs}}, in.Above...)
	for _, s := range lists {
		if slices.ContainsFunc(s.SCTs, func(sct []byte) bool { return len(sct) == 0 }) {
			return errors.New("an empty SCT")
		}
	}
	if size > maxOwnChain {
		return fmt.Errorf("chain and staples have %d bytes, more than %d", size, maxOwnChain)
	}
	if len(in.Above) > 0 && len(in.Above) >= len(in.Chain) {
		return fmt.Errorf("staples for %d certificates above the leaf, of which there are %d", len(in.Above), len(in.Chain)-1)
	}
	return nil
}

// add puts it into the entry of the certificate.
func (s Stapled) add(es *wire.Extensions) {
	if len(s.Staple) > 0 {
		es.Add(&wire.CertificateStatus{Response: s.Staple})
	}
	if len(s.SCTs) > 0 {
		es.Add(&wire.SCTs{List: s.SCTs})
	}
}

// readStaples reads what came with each certificate (RFC 8446, Section 4.4.2.1; RFC 6962, Section 3.3).
func (peer *peerCertificate) readStaples(entries []wire.CertificateEntry) error {
	for i := range entries {
		if len(entries[i].Extensions) == 0 {
			continue
		}
		s, err := readStapled(&entries[i])
		switch {
		case err != nil:
			return err
		case i == 0:
			peer.staple, peer.scts = s.Staple, s.SCTs
		case s.Staple != nil || s.SCTs != nil:
			if peer.above == nil {
				peer.above = make([]Stapled, len(entries)-1)
			}
			peer.above[i-1] = s
		}
	}
	return nil
}

func readStapled(entry *wire.CertificateEntry) (s Stapled, err error) {
	var status wire.CertificateStatus
	if _, err := decoded(entry.Ext(&status)); err != nil {
		return s, err
	}
	var scts wire.SCTs
	if _, err := decoded(entry.Ext(&scts)); err != nil {
		return s, err
	}
	s.Staple = bytes.Clone(status.Response)
	for _, sct := range scts.List {
		s.SCTs = append(s.SCTs, bytes.Clone(sct))
	}
	return s, nil
}

// addStaples asks the peer for what it has to go with its certificate. A server has no use for SCTs.
func (c *Config) addStaples(es *wire.Extensions, role Role) {
	switch {
	case c.NoOCSP:
	case role == RoleServer:
		es.Add(&wire.EmptyStatusRequest{})
	default:
		es.Add(&wire.StatusRequest{Type: wire.StatusTypeOCSP})
	}
	if !c.NoSCTs && role == RoleClient {
		es.Add(&wire.EmptySCT{})
	}
}

// requested reports whether our CertificateRequest carried an extension that a certificate can come with.
func (p *Params) requested(kind wire.ExtensionType) bool {
	switch kind {
	case wire.ExtStatusRequest:
		return !p.c.NoOCSP
	case wire.ExtDelegatedCredential:
		return len(p.c.DelegatedSchemes) > 0
	}
	return false
}

// staplingServer awaits the OCSP responses for a server's certificates.
type staplingServer struct {
	awaitsAnswer
	*serverHandshake
	share  []byte
	id     *identity
	scheme *suite.Scheme
	wanted wanted
}

func (staplingServer) name() string { return "stapling as server" }

func (s staplingServer) answered(t *turn, a Answer) (state, error) {
	if err := s.staples.take(a.(Stapling), s.id); err != nil {
		return nil, err
	}
	return s.hello(t, s.share, s.id, s.scheme, s.wanted)
}

// staplingServer12 does so in TLS 1.2.
type staplingServer12 struct {
	awaitsAnswer
	*server12
	offer  *offer12
	chosen *identity
	by     *suite.Scheme
}

func (staplingServer12) name() string { return "1.2: stapling as server" }

func (s staplingServer12) answered(t *turn, a Answer) (state, error) {
	if err := s.staples.take(a.(Stapling), s.chosen); err != nil {
		return nil, err
	}
	return s.present(t, s.offer, s.chosen, s.by)
}

// staplingClient awaits the OCSP responses for a client's certificates.
type staplingClient struct {
	awaitsAnswer
	clientFlight
	id     *identity
	scheme *suite.Scheme
}

func (staplingClient) name() string { return "stapling as client" }

func (s staplingClient) answered(t *turn, a Answer) (state, error) {
	if err := s.request.staples.take(a.(Stapling), s.id); err != nil {
		return nil, err
	}
	return s.certificate(t, s.id, s.scheme)
}
