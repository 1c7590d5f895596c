package tlscore

import (
	"bytes"
	"errors"
	"slices"

	"github.com/tlswright/tlswright/internal/ech"
	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/wire"
)

// serverECH is what a server has made of the encrypted_client_hello of the first ClientHello. nil: there was none, or it
// is nothing to us.
type serverECH struct {
	opener *ech.Opener // nil: a backend's, or rejected
	// accepted: the handshake goes on from the inner hello, whose random is that.
	accepted bool
	random   [32]byte
}

// openECH puts the inner ClientHello into the place of the outer one, if there is one that we can read (RFC 9849,
// Section 7). What it returns is used for all that follows.
func (t *turn) openECH(m message, o *offer) (message, *offer, *serverECH, error) {
	if len(t.params.echKeys) == 0 && !t.params.c.ECHBackend {
		return m, o, nil, nil
	}
	var v wire.ECHClientHello
	present, err := decoded(o.hello.Ext(&v))
	if err != nil || !present {
		return m, o, nil, err
	}
	switch v.Type {
	case wire.ECHOuter:
	case wire.ECHInner:
		// RFC 9849, Section 7: a shared mode server MUST abort: nobody sends this over the network.
		if !t.params.c.ECHBackend {
			return m, o, nil, fail(CodeBadECH, "an inner ClientHello that nobody has decrypted")
		}
		t.facts.ECH.Status = ECHAccepted
		return m, o, &serverECH{accepted: true, random: o.hello.Random}, nil // who decrypted it has checked it
	default:
		return m, o, nil, fail(CodeBadECH, "type %v", v.Type)
	}
	if len(t.params.echKeys) == 0 {
		return m, o, nil, nil
	}
	t.facts.ECH = ECHFacts{Status: ECHRejected, PublicName: o.wanted.name, ConfigID: v.ConfigID, Suite: v.CipherSuite}
	opener, encoded := ech.Open(t.params.echKeys, m.raw, &v)
	if opener == nil {
		return m, o, &serverECH{}, nil
	}
	t.facts.ECH.Status = ECHAccepted
	m, inner, err := t.innerOffer(o, encoded)
	if err != nil {
		return m, o, nil, err
	}
	return m, inner, &serverECH{opener: opener, accepted: true, random: inner.hello.Random}, nil
}

// innerOffer reads a decrypted inner ClientHello.
func (t *turn) innerOffer(outer *offer, encoded []byte) (message, *offer, error) {
	m, o, err := readInner(outer.hello, encoded)
	if err != nil {
		return m, nil, err
	}
	t.facts.ClientRandom = o.hello.Random
	t.innerHello(outer.hello.Random, encoded)
	return m, o, checkInner(o)
}

// readInner puts together what was decrypted with what the outer ClientHello has.
func readInner(outer *wire.ClientHello, encoded []byte) (m message, o *offer, err error) {
	m.kind = wire.TypeClientHello
	if m.raw, err = ech.Decode(encoded, outer); err != nil {
		if errors.Is(err, ech.ErrOuter) {
			return m, nil, because(CodeBadOuterExtensions, err)
		}
		return m, nil, because(CodeBadInnerHello, err)
	}
	o, err = readOffer(m)
	return m, o, err
}

// InnerHello decrypts the ClientHello inside of another one, which is a message with its header, by the ECHKeys of the
// configuration. nil: they do not fit, or what is inside cannot stand. It is for who chooses among configurations before
// there is a machine, which decrypts it again, and says what is wrong.
func (p *Params) InnerHello(raw []byte) *wire.ClientHello {
	var outer wire.ClientHello
	var v wire.ECHClientHello
	if len(p.echKeys) == 0 || parse(&outer, raw) != nil {
		return nil
	}
	if _, twice := outer.Extensions.Duplicate(); twice {
		return nil
	}
	if present, err := decoded(outer.Ext(&v)); err != nil || !present || v.Type != wire.ECHOuter {
		return nil
	}
	opener, encoded := ech.Open(p.echKeys, raw, &v)
	if opener == nil {
		return nil
	}
	_, o, err := readInner(&outer, encoded)
	if err != nil || checkInner(o) != nil {
		return nil
	}
	return o.hello
}

// checkInner: RFC 9849, Section 7.1: the inner ClientHello must have a well-formed extension of type inner, and not offer
// TLS 1.2 or below.
func checkInner(o *offer) error {
	var v wire.ECHClientHello
	present, err := decoded(o.hello.Ext(&v))
	if err != nil {
		return err
	}
	if !present || v.Type != wire.ECHInner {
		return fail(CodeBadInnerHello, "it does not say that it is one")
	}
	var versions wire.SupportedVersions
	if _, err := decoded(o.hello.Ext(&versions)); err != nil {
		return err
	}
	old := func(v wire.Version) bool { return v <= wire.VersionTLS12 }
	if !slices.Contains(versions.Versions, wire.VersionTLS13) || slices.ContainsFunc(versions.Versions, old) {
		return fail(CodeBadInnerHello, "it offers %v", versions.Versions)
	}
	return nil
}

// openAgain decrypts the inner ClientHello behind a HelloRetryRequest (RFC 9849, Section 7.1.1).
func (s *serverECH) openAgain(t *turn, m message, o *offer) (message, *offer, error) {
	if s == nil || s.opener == nil {
		return m, o, nil
	}
	var v wire.ECHClientHello
	if present, err := decoded(o.hello.Ext(&v)); err != nil {
		return m, o, err
	} else if !present {
		return m, o, missing(v.Extension())
	}
	encoded, err := s.opener.Again(m.raw, &v)
	switch {
	case errors.Is(err, ech.ErrChanged):
		return m, o, because(CodeBadECH, err)
	case err != nil:
		return m, o, because(CodeECHDecrypt, err)
	}
	return t.innerOffer(o, encoded)
}

// confirm says in the ServerHello that it answers the inner ClientHello (RFC 9849, Section 7.2).
func (s *serverECH) confirm(t *turn, hello *wire.ServerHello) {
	if s == nil || !s.accepted {
		return
	}
	clear(hello.Random[24:])
	c := s.confirmation(t, hello, false)
	copy(hello.Random[24:], c[:])
}

// confirmRetry does so in a HelloRetryRequest, or makes up something as long (RFC 9849, Section 7.2.1).
func (s *serverECH) confirmRetry(t *turn, request *wire.ServerHello) {
	if s == nil {
		return
	}
	var v wire.ECHConfirmation
	if !s.accepted {
		// RFC 9849, Section 7.1: it MAY include eight random bytes, so that nobody sees which it was.
		randomBytes(v.Confirmation[:])
		request.Extensions.Add(&v)
		return
	}
	request.Extensions.Add(&v)
	v.Confirmation = s.confirmation(t, request, true)
	request.Extensions[len(request.Extensions)-1].Data = v.AppendBody(nil)
}

func (s *serverECH) confirmation(t *turn, hello *wire.ServerHello, retry bool) [8]byte {
	transcript := t.transcript.Clone()
	transcript.Add(wire.AppendMessage(nil, hello))
	return keys.ECHConfirmation(transcript.Hash(), s.random, retry, transcript.Sum())
}

// addRetryConfigs tells a client that came with other configurations which ones to use (RFC 9849, Section 7.1).
func (s *serverECH) addRetryConfigs(p *Params, es *wire.Extensions) {
	if s != nil && !s.accepted {
		*es = append(*es, wire.Extension{Type: wire.ExtEncryptedClientHello, Data: bytes.Clone(p.echRetry)})
	}
}

// Inner answers NeedInner: which of the two ClientHellos the handshake goes on from (RFC 9849, Section 7).
type Inner uint8

// What Inner can say.
const (
	// InnerDeclined takes the outer one, and tells the client that there is no configuration for it: connecting once more with
	// what it has would lead here again.
	InnerDeclined Inner = iota
	// InnerTaken takes the inner one.
	InnerTaken
	// InnerStale takes the outer one, and tells the client which configurations to use, as if its hello had not been decrypted:
	// who the inner one is for has other keys by now, or not yet these.
	InnerStale
)

func (Inner) answers() EventKind { return NeedInner }

// decidingInner awaits the word on a decrypted ClientHello.
type decidingInner struct {
	awaitsAnswer
	outer, inner []byte // the messages
	ech          *serverECH
}

func (decidingInner) name() string { return "choosing between two ClientHellos" }

func (s decidingInner) answered(t *turn, a Answer) (state, error) {
	m, encrypted := message{wire.TypeClientHello, s.inner}, s.ech
	switch a.(Inner) {
	case InnerTaken:
	case InnerStale:
		m.raw, encrypted, t.facts.ECH.Status = s.outer, &serverECH{}, ECHRejected
	default:
		m.raw, encrypted, t.facts.ECH.Status = s.outer, nil, ECHRejected
	}
	o, err := readOffer(m)
	if err != nil {
		return nil, err
	}
	return expectClientHello{}.negotiate(t, m, o, encrypted)
}
