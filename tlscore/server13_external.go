package tlscore

import (
	"time"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/wire"
)

// onlyKeyed reports whether a server takes nobody without an external PSK, for it has nothing else to prove itself by.
func (p *Params) onlyKeyed() bool {
	return p.takesPSKs() && len(p.identities) == 0 && !p.c.AskIdentity
}

// takesPSKs reports whether a server takes external PSKs.
func (p *Params) takesPSKs() bool { return len(p.accepts) > 0 || p.c.AskPSK }

// settleWithoutSession goes on where no session is resumed: with an external PSK, or with certificates.
func (hs *serverHandshake) settleWithoutSession(t *turn, raw []byte, o *offer) (state, error) {
	if found := hs.externalPSK(t, o); found != nil {
		return hs.withPSK(t, raw, o, found)
	}
	// RFC 8446, Section 4.1.2: a second ClientHello may leave out only the PSKs that do not go with the cipher suite.
	if hs.promised {
		return nil, fail(CodeHelloChanged, "%v does without the identity that the first one had", wire.ExtPreSharedKey)
	}
	if o.psk != nil && t.params.c.AskPSK && hs.mode(t.params, o) != noPSK && !hs.prefersCertificate(t.params, o, t.now) {
		t.ask(Question{Kind: NeedPSK, ServerName: o.wanted.name, Tickets: o.identities(len(o.psk.keys.Identities))})
		return lookingUpPSK{serverHandshake: hs, offer: o, raw: raw}, nil
	}
	return hs.certified(t, raw, o)
}

// externalPSK finds the one of our own to go on with; nil: none, or a certificate is preferred.
func (hs *serverHandshake) externalPSK(t *turn, o *offer) *foundPSK {
	p := t.params
	if len(p.accepts) == 0 || o.psk == nil || hs.mode(p, o) == noPSK || hs.prefersCertificate(p, o, t.now) {
		return nil
	}
	return hs.findPSK(t, o, p.accepts)
}

// prefersCertificate reports whether a certificate goes before any PSK with this client. The answer is the same before
// and after a HelloRetryRequest. Without a key exchange there can be no certificate.
func (hs *serverHandshake) prefersCertificate(p *Params, o *offer, now time.Time) bool {
	if !p.c.PreferCertificate || hs.group == 0 {
		return false
	}
	w := o.wanted
	w.now = now
	id, _ := p.choose(RoleServer, w)
	return id != nil
}

// certified goes on to a handshake with certificates.
func (hs *serverHandshake) certified(t *turn, raw []byte, o *offer) (state, error) {
	if t.params.onlyKeyed() {
		if o.psk != nil && hs.mode(t.params, o) == noPSK {
			return nil, fail(CodeNoSharedPSK, "the client offers the modes %v", o.psk.modes)
		}
		return nil, fail(CodeNoSharedPSK, "")
	}
	t.transcript.Begin(hs.suite.Hash)
	t.transcript.Add(raw)
	return hs.chooseIdentity(t, o)
}

// withPSK sends the whole flight of a handshake that rests on an external PSK. There are no certificates in it, of either
// end (RFC 8446, Section 4.3.2: servers which are authenticating with a PSK MUST NOT send the CertificateRequest message).
func (hs *serverHandshake) withPSK(t *turn, raw []byte, o *offer, found *foundPSK) (state, error) {
	early := keys.NewEarlyTraced(found.hash, found.secret, t.trace)
	if err := o.checkBinder(t, raw, found.hash, found.binder(early), found.index); err != nil {
		return nil, err
	}
	hs.suite, hs.named = found.suite, o.wanted.name != ""
	t.transcript.Begin(hs.suite.Hash)
	t.transcript.Add(raw)
	t.facts.keyed(found.pskEntry)
	if !t.facts.HelloRetried {
		t.exportEarly(early.Exporter(t.hash()))
	}
	f, err := hs.pskFlight(t, o, early, found.index, false)
	if err != nil {
		return nil, err
	}
	t.readKeys(EpochHandshake, hs.suite, f.client)
	return expectClientFinished{serverFlight: f}, nil
}

// lookingUpPSK awaits the external PSK that one of the client's identities names.
type lookingUpPSK struct {
	awaitsAnswer
	*serverHandshake
	offer *offer
	raw   []byte // the ClientHello
}

func (lookingUpPSK) name() string { return "looking up a pre-shared key" }

func (s lookingUpPSK) answered(t *turn, a Answer) (state, error) {
	psk := a.(Keyed).PSK
	if psk == nil {
		return s.certified(t, s.raw, s.offer)
	}
	if err := checkPSK(psk); err != nil || psk.Role != RoleServer {
		return nil, fail(CodeInternal, "the pre-shared key of the answer is not fit for a server: %v", err)
	}
	known := map[string]*pskEntry{}
	for _, e := range t.params.entries(psk, 0) {
		known[string(e.name)] = e
	}
	found := s.findPSK(t, s.offer, known)
	if found == nil {
		return s.certified(t, s.raw, s.offer)
	}
	return s.withPSK(t, s.raw, s.offer, found)
}
