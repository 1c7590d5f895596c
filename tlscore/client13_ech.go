package tlscore

import (
	"bytes"
	"crypto/subtle"
	"slices"

	"github.com/tlswright/tlswright/internal/ech"
	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// clientECH is what a client that offers Encrypted ClientHello has beside its inner hello, which is the one of
// clientHandshake until the server rejects it (RFC 9849, Section 6.1).
type clientECH struct {
	sealer     *ech.Sealer
	status     ECHStatus
	outer      wire.ClientHello
	transcript keys.Transcript // with the outer hello in the place of the inner one
	retry      []byte          // the server's retry configurations, which prove nothing before its Finished
}

// echRejected reports whether the handshake goes on from the outer hello.
func (hs *clientHandshake) echRejected() bool { return hs.ech != nil && hs.ech.status == ECHRejected }

// verifies is the name that the server must prove to be.
//
// RFC 9849, Section 6.1.7: where it rejects, the client MUST verify that the certificate is valid for the public name.
func (hs *clientHandshake) verifies(t *turn) string {
	if hs.echRejected() {
		return hs.ech.sealer.Config.PublicName
	}
	return t.options.ServerName
}

// offerECH chooses a configuration out of the options' list, if there is one.
func (hs *clientHandshake) offerECH(t *turn) error {
	if t.options.ECHConfigList == nil {
		return nil
	}
	if !t.params.allows(wire.VersionTLS13) {
		return fail(CodeNoECHConfig, "TLS 1.3 is off")
	}
	choice, err := ech.Choose(t.options.ECHConfigList)
	if err != nil {
		return because(CodeNoECHConfig, err)
	}
	sealer, err := ech.NewSealer(choice)
	if err != nil {
		return because(CodeInternal, err)
	}
	hs.ech = &clientECH{sealer: sealer, status: ECHOffered}
	// RFC 9849, Section 6.1: it MUST generate a fresh ClientHelloOuter.random.
	randomBytes(hs.ech.outer.Random[:])
	t.facts.ECH = ECHFacts{Status: ECHOffered, PublicName: choice.Config.PublicName, ConfigID: choice.Config.ConfigID, Suite: choice.Suite}
	return nil
}

// only13 is the configuration as an inner hello speaks of it.
//
// RFC 9849, Section 6.1: it MUST NOT offer to negotiate TLS 1.2 or below.
func (p *Params) only13() *Params {
	if !p.allows(wire.VersionTLS12) {
		return p
	}
	q := *p
	q.c.MinVersion = wire.VersionTLS13
	q.c.CipherSuites = slices.DeleteFunc(slices.Clone(p.c.CipherSuites), func(id wire.CipherSuite) bool { return suite.ByID(id) == nil })
	q.lasting = q.lastingExtensions()
	return &q
}

// sendHellos sends the inner hello inside of the outer one.
func (hs *clientHandshake) sendHellos(t *turn, cookie []byte) {
	out := *hs
	out.serverName = hs.ech.sealer.Config.PublicName
	outer := out.extensions(t.params, cookie)

	p := t.params.only13()
	hs.hello.CipherSuites = hs.variety.suites(p.c.CipherSuites)
	hs.hello.Extensions = sharedFirst(hs.extensions(p, cookie), outer)
	hs.hello.Extensions.Add(&wire.ECHClientHello{Type: wire.ECHInner})
	if len(hs.psks) > 0 {
		hs.bindPSKs(t)
		outer.Add(hs.greasePSKs())
	}
	raw, err := wire.TryAppendMessage(nil, &hs.hello)
	if err != nil {
		t.unsent = because(CodeTooLongToSend, err)
		return
	}
	t.transcript.Add(raw)

	o := &hs.ech.outer
	o.LegacyVersion, o.SessionID, o.CipherSuites, o.CompressionMethods = hs.hello.LegacyVersion, hs.hello.SessionID, hs.variety.suites(t.params.c.CipherSuites), hs.hello.CompressionMethods
	o.Extensions = outer
	encoded := ech.Encode(&hs.hello, outer, int(hs.ech.sealer.Config.MaximumNameLength))
	t.innerHello(o.Random, encoded)
	raw, err = hs.ech.sealer.Seal(o, encoded)
	if err != nil {
		t.unsent = because(CodeTooLongToSend, err)
		return
	}
	hs.ech.transcript.Add(raw)
	t.emit(raw)
}

// sharedFirst puts those extensions of the inner hello to the front that the outer one has, too, in its order, so that one
// ech_outer_extensions can stand for them (RFC 9849, Section 5.1).
func sharedFirst(inner, outer wire.Extensions) wire.Extensions {
	out := make(wire.Extensions, 0, len(inner)+2)
	same := func(e wire.Extension) func(wire.Extension) bool {
		return func(o wire.Extension) bool { return o.Type == e.Type && bytes.Equal(o.Data, e.Data) }
	}
	for _, e := range outer {
		if e.Type != wire.ExtServerName && slices.ContainsFunc(inner, same(e)) {
			out = append(out, e)
		}
	}
	for _, e := range inner {
		if !slices.ContainsFunc(out, same(e)) {
			out = append(out, e)
		}
	}
	return out
}

// greasePSKs makes a pre_shared_key for the outer hello that looks like that of the inner one (RFC 9849, Section 6.1.2).
func (hs *clientHandshake) greasePSKs() *wire.PreSharedKeys {
	var v wire.PreSharedKeys
	for _, p := range hs.psks {
		id := wire.PSKIdentity{Identity: make([]byte, len(p.identity))}
		var age [4]byte
		randomBytes(id.Identity)
		randomBytes(age[:])
		if p.session != nil { // the age of any other is 0, and seen to be
			id.ObfuscatedAge = uint32(age[0])<<24 | uint32(age[1])<<16 | uint32(age[2])<<8 | uint32(age[3])
		}
		binder := make([]byte, p.hash.Size())
		randomBytes(binder)
		v.Identities, v.Binders = append(v.Identities, id), append(v.Binders, binder)
	}
	return &v
}

// decideECH finds out whether a ServerHello or HelloRetryRequest of TLS 1.3 answers the inner hello (RFC 9849,
// Section 6.1.4). Where it does not, the outer one takes its place.
func (hs *clientHandshake) decideECH(t *turn, m message, hello *wire.ServerHello, chosen *suite.Suite) error {
	if hs.ech == nil || hs.ech.status == ECHRejected {
		return nil
	}
	accepted, err := hs.confirmed(t, m, hello, chosen)
	switch {
	case err != nil:
		return err
	case accepted:
		hs.ech.status, t.facts.ECH.Status = ECHAccepted, ECHAccepted
		hs.ech.transcript = keys.Transcript{}
	// RFC 9849, Section 6.1.5: if the ServerHello does not also indicate acceptance, the client MUST terminate.
	case hs.ech.status == ECHAccepted:
		return fail(CodeECHInconsistent, "")
	default:
		hs.rejectECH(t)
	}
	return nil
}

// confirmed compares what the server has sent with what only one that read the inner hello can send.
func (hs *clientHandshake) confirmed(t *turn, m message, hello *wire.ServerHello, chosen *suite.Suite) (bool, error) {
	transcript := t.transcript.Clone()
	transcript.Begin(chosen.Hash)
	raw := bytes.Clone(m.raw)
	said := hello.Random[24:]
	retry := hello.IsHelloRetryRequest()
	if retry {
		var c wire.ECHConfirmation
		present, err := decoded(hello.Ext(&c))
		if err != nil || !present {
			return false, err
		}
		said = c.Confirmation[:]
		var blank wire.ServerHello
		if err := parse(&blank, raw); err != nil {
			return false, err
		}
		data, _ := blank.Extensions.Find(wire.ExtEncryptedClientHello)
		clear(data) // which lies in raw
		transcript.Retry()
	} else {
		clear(raw[serverRandomEnd-8 : serverRandomEnd])
	}
	transcript.Add(raw)
	want := keys.ECHConfirmation(chosen.Hash, hs.hello.Random, retry, transcript.Sum())
	return subtle.ConstantTimeCompare(want[:], said) == 1, nil
}

// serverRandomEnd is where the random of a ServerHello ends: behind header and legacy_version.
const serverRandomEnd = 4 + 2 + 32

// rejectECH goes on from the outer hello (RFC 9849, Section 6.1.6).
func (hs *clientHandshake) rejectECH(t *turn) {
	if hs.ech == nil {
		return
	}
	hs.ech.status, t.facts.ECH.Status = ECHRejected, ECHRejected
	hs.hello = hs.ech.outer
	*t.transcript, hs.ech.transcript = hs.ech.transcript, keys.Transcript{}
	hs.serverName = hs.ech.sealer.Config.PublicName
	t.facts.ClientRandom, t.facts.ServerName = hs.hello.Random, hs.serverName
	for _, e := range hs.hello.Extensions {
		if e.Type == wire.ExtEncryptedClientHello {
			hs.echSent = &wire.Extension{Type: e.Type, Data: e.Data}
		}
	}
	hs.dropPSKs()
	hs.rejectEarlyData(t)
}

// addECH repeats what encrypted_client_hello was, after a rejection and with GREASE, or makes up the latter (RFC 9849,
// Section 6.2.1: the client copies the entire extension from the first ClientHello).
func (hs *clientHandshake) addECH(t *turn) error {
	if hs.echSent == nil && t.params.c.ECHGrease && t.params.allows(wire.VersionTLS13) {
		v, err := ech.Grease(hs.greaseLength(t.params))
		if err != nil {
			return because(CodeInternal, err)
		}
		hs.echSent = &wire.Extension{Type: v.Extension(), Data: v.AppendBody(nil)}
		t.facts.ECH.Status = ECHGrease
	}
	if hs.echSent != nil {
		hs.hello.Extensions = append(hs.hello.Extensions, *hs.echSent)
	}
	return nil
}

// greaseLength is how long the encoded inner hello would be, if there were one (RFC 9849, Section 6.2.1).
func (hs *clientHandshake) greaseLength(p *Params) int {
	p = p.only13()
	inner := hs.hello
	inner.CipherSuites = hs.variety.suites(p.c.CipherSuites)
	inner.Extensions = sharedFirst(hs.extensions(p, nil), hs.hello.Extensions)
	inner.Extensions.Add(&wire.ECHClientHello{Type: wire.ECHInner})
	if len(hs.psks) > 0 {
		inner.Extensions.Add(hs.greasePSKs())
	}
	return len(ech.Encode(&inner, hs.hello.Extensions, greaseNameLength))
}

// greaseNameLength is the maximum_name_length that GREASE pretends to.
const greaseNameLength = 32

// onRetryConfigs reads encrypted_client_hello out of EncryptedExtensions.
func (hs *clientHandshake) onRetryConfigs(ee *wire.EncryptedExtensions) error {
	var v wire.ECHRetryConfigs
	present, err := decoded(ee.Ext(&v))
	if err != nil || !present {
		return err
	}
	switch {
	case hs.ech == nil:
		// RFC 9849, Section 6.2.1: with GREASE it is checked, and otherwise ignored.
	case hs.ech.status == ECHRejected:
		hs.ech.retry = v.AppendBody(nil)
	default:
		// RFC 9849, Section 5: in response to the inner variant the client MUST abort with unsupported_extension.
		return fail(CodeUnsupportedExtension, "%v in EncryptedExtensions, although it was accepted", wire.ExtEncryptedClientHello)
	}
	return nil
}

// endRejected ends a connection that proved the server to be that of the public name, and nothing else.
//
// RFC 9849, Section 6.1.6: the client MUST abort the connection with an ech_required alert before sending any application
// data.
func (hs *clientHandshake) endRejected(t *turn) {
	f := &t.facts.ECH
	f.RetryConfigs = hs.ech.retry
	if _, err := ech.Choose(f.RetryConfigs); err != nil {
		f.Disabled = true
	}
	why := "it names new configurations"
	if f.Disabled {
		why = "it names no configuration that we can use"
	}
	t.end = fail(CodeECHRejected, "%s is who it claims to be, and %s", hs.serverName, why)
}

// innerHello hands an encoded inner hello to whoever receives the secrets, by the random of the outer one.
func (t *turn) innerHello(outer [32]byte, encoded []byte) {
	if t.trace != nil {
		t.trace(keys.Derivation{Name: innerHelloName, Context: outer[:], Output: encoded})
	}
}

// innerHelloName is the Name of the Derivation that holds an EncodedClientHelloInner; its Context is the outer random.
const innerHelloName = "ech_client_hello_inner"
