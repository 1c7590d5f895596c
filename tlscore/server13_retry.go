package tlscore

import (
	"bytes"
	"crypto/subtle"
	"slices"

	"github.com/tlswright/tlswright/wire"
)

// retry answers a ClientHello with HelloRetryRequest (RFC 8446, Section 4.1.4).
func (hs *serverHandshake) retry(t *turn, m message, o *offer) (state, error) {
	// HelloRetryRequest names the cipher suite, so what a PSK needs is settled here.
	if found := hs.externalPSK(t, o); found != nil {
		hs.suite, hs.promised = found.suite, true
	}
	request := &wire.ServerHello{
		LegacyVersion: wire.VersionTLS12, Random: wire.HelloRetryRequestRandom(),
		SessionID: hs.sessionID, CipherSuite: hs.suite.ID, Extensions: wire.Extensions{},
	}
	next := expectRetriedHello{serverHandshake: hs, first: m.raw}
	request.Extensions.Add(&wire.SelectedVersion{Version: wire.VersionTLS13})
	if hs.group != 0 && o.share(hs.group) == nil {
		next.newShare = true
		request.Extensions.Add(&wire.KeyShareRetry{Group: hs.group})
	}
	if t.params.c.RetryAlways {
		next.cookie = make([]byte, 32)
		randomBytes(next.cookie)
		request.Extensions.Add(&wire.Cookie{Cookie: next.cookie})
	}
	t.facts.HelloRetried = true
	if o.early {
		t.want(effectSkipEarlyData)
		t.facts.EarlyData = EarlyDataRejected
	}
	t.want(effectAligned)
	t.transcript.Begin(hs.suite.Hash)
	t.absorb(m)
	t.transcript.Retry()
	hs.ech.confirmRetry(t, request)
	t.send(request)
	hs.sendChangeCipherSpec(t)
	return next, nil
}

// expectRetriedHello awaits the second ClientHello.
type expectRetriedHello struct {
	*serverHandshake
	first    []byte // the first ClientHello, raw
	cookie   []byte // nil: none was sent
	newShare bool   // a share for the chosen group was asked for
}

func (expectRetriedHello) name() string { return "RECVD_CH after HelloRetryRequest" }
func (expectRetriedHello) expects() []wire.HandshakeType {
	return []wire.HandshakeType{wire.TypeClientHello}
}

func (s expectRetriedHello) on(t *turn, m message) (state, error) {
	o, err := readOffer(m)
	if err != nil {
		return nil, err
	}
	if m, o, err = s.ech.openAgain(t, m, o); err != nil {
		return nil, err
	}
	if version, err := chooseVersion(t.params, o.hello); err != nil || version != wire.VersionTLS13 {
		return nil, fail(CodeHelloChanged, "%v", wire.ExtSupportedVersions)
	}
	if err := o.check13(t.params); err != nil {
		return nil, err
	}
	var first wire.ClientHello
	if err := parse(&first, s.first); err != nil {
		return nil, err
	}
	if what := changedBeyondRetry(&first, o.hello); what != "" {
		return nil, fail(CodeHelloChanged, "%s", what)
	}
	if subtle.ConstantTimeCompare(s.cookie, o.cookie) != 1 {
		return nil, fail(CodeBadCookie, "")
	}
	// RFC 8446, Section 4.2.8: a single share, of the group that was asked for.
	if s.newShare && (len(o.shares) != 1 || o.shares[0].Group != s.group) {
		return nil, fail(CodeBadGroup, "second ClientHello has no single share for %v", s.group)
	}
	if s.group != 0 && o.share(s.group) == nil {
		return nil, fail(CodeHelloChanged, "key_share")
	}
	// RFC 8446, Section 4.2.10: a client MUST NOT offer early data again after HelloRetryRequest.
	if o.early {
		return nil, fail(CodeHelloChanged, "early_data")
	}
	if s.promised && o.psk == nil {
		return nil, fail(CodeMissingExtension, "%v, which the first ClientHello had", wire.ExtPreSharedKey)
	}
	return s.settle(t, m, o)
}

// changedBeyondRetry names what differs between the two ClientHellos although it must not, or "".
//
// RFC 8446, Section 4.1.2: only key_share, cookie, pre_shared_key, early_data and padding may differ.
func changedBeyondRetry(a, b *wire.ClientHello) string {
	switch {
	case a.LegacyVersion != b.LegacyVersion:
		return "legacy_version"
	case a.Random != b.Random:
		return "random"
	case !bytes.Equal(a.SessionID, b.SessionID):
		return "legacy_session_id"
	case !slices.Equal(a.CipherSuites, b.CipherSuites):
		return "cipher_suites"
	case !bytes.Equal(a.CompressionMethods, b.CompressionMethods):
		return "legacy_compression_methods"
	}
	x, y := lasting(a.Extensions), lasting(b.Extensions)
	for i := range max(len(x), len(y)) {
		if i >= len(x) || i >= len(y) || x[i].Type != y[i].Type || !bytes.Equal(x[i].Data, y[i].Data) {
			if i < len(x) {
				return x[i].Type.String()
			}
			return y[i].Type.String()
		}
	}
	return ""
}

// lasting returns the extensions that a second ClientHello must repeat as they were.
func lasting(es wire.Extensions) []wire.Extension {
	var out []wire.Extension
	for _, e := range es {
		switch e.Type {
		case wire.ExtKeyShare, wire.ExtCookie, wire.ExtPreSharedKey, wire.ExtEarlyData, wire.ExtPadding:
		case wire.ExtEncryptedClientHello:
			// Of an outer ClientHello it is looked at no more (RFC 9849, Section 7.1.1); an inner one repeats it.
			if len(e.Data) == 0 || wire.ECHClientHelloType(e.Data[0]) != wire.ECHOuter {
				out = append(out, e)
			}
		default:
			out = append(out, e)
		}
	}
	return out
}
