package tlscore_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/tlswright/tlswright/wire"
)

// inPlace gives the extensions with e where its type stands, or at the end.
func inPlace(es wire.Extensions, e wire.Extension) wire.Extensions {
	es = slices.Clone(es)
	if i := slices.IndexFunc(es, func(x wire.Extension) bool { return x.Type == e.Type }); i >= 0 {
		es[i] = e
		return es
	}
	return append(es, e)
}

// cornerTypes are the extensions that either stack knows, and some that neither does.
func cornerTypes() []wire.ExtensionType {
	var out []wire.ExtensionType
	for kind := range wire.ExtensionType(64) {
		out = append(out, kind)
	}
	return append(out, wire.ExtRenegotiationInfo, wire.ExtEncryptedClientHello, wire.ExtECHOuterExtensions, 0x0a0a, 13172, 17513)
}

// cornerBodies are short contents of an extension: all of up to two of these bytes, and some that begin like a list.
func cornerBodies() [][]byte {
	out := [][]byte{nil}
	some := []byte{0, 1, 2, 3, 0xff}
	for _, a := range some {
		out = append(out, []byte{a})
		for _, b := range some {
			out = append(out, []byte{a, b}, []byte{0, a, b}, []byte{1, a, b}, []byte{0, 2, a, b}, []byte{2, a, b}, []byte{1, 0, 0, a, b})
		}
	}
	return append(out,
		[]byte("\x00\x08\x07\x00\x01a\x07\x00\x01b"), []byte("\x00\x08\x07\x00\x01a\x00\x00\x01b"), []byte("\x00\x08\x00\x00\x01a\x00\x00\x01b"), []byte("\x00\x05\x00\x00\x02a."), // names
		[]byte("\x01\x00\x02\x00\x00\x00\x00"), []byte("\x01\x00\x01\x00\x00\x00"), []byte("\x01\x00\x03\x00\x01a\x00\x00"), []byte("\x02\x00\x01\x00\x00\x00"), // status requests
		[]byte("\x00\x03\x02h2"), []byte("\x00\x03\x02h3"), []byte("\x00\x06\x02h2\x02h2"), []byte("\x00\x04\x02h2\x00"), []byte("\x00\x03\x00\x01a"))
}

// withSessionID puts a legacy_session_id of n bytes into a message that has one of none, whatever its length.
func withSessionID(raw []byte, n int) []byte {
	const at = 4 + 2 + 32
	out := slices.Concat(raw[:at], []byte{byte(n)}, make([]byte, n), raw[at+1:])
	length := len(out) - 4
	out[1], out[2], out[3] = byte(length>>16), byte(length>>8), byte(length)
	return out
}

// offerOf is a pre_shared_key of one identity with a binder of n bytes.
func offerOf(n int) wire.Extension {
	return wire.Extension{Type: wire.ExtPreSharedKey, Data: slices.Concat([]byte("\x00\x09\x00\x03abc\x00\x00\x00\x00"), []byte{0, byte(n + 1), byte(n)}, make([]byte, n))}
}

// TestCornersOfHellosAreJudgedAsByCryptoTLS goes through what a random search finds once in a million: every extension with
// short contents, and lengths that no encoder makes.
func TestCornersOfHellosAreJudgedAsByCryptoTLS(t *testing.T) {
	p, seeds, j := newPair(t), helloSeeds(t), newJury(t)
	dense := []wire.ExtensionType{wire.ExtServerName, wire.ExtStatusRequest, wire.ExtALPN, wire.ExtPSKKeyExchangeModes, wire.ExtClientCertificateType, wire.ExtServerCertificateType, wire.ExtEncryptedClientHello}
	for _, seed := range seeds[:2] { // of TLS 1.3, and of TLS 1.2 alone
		var h wire.ClientHello
		if err := h.Parse(bytes.Clone(seed)); err != nil {
			t.Fatal(err)
		}
		weigh := func(hello []byte) {
			ours, theirs := p.judge(t, hello)
			j.weigh(ours, theirs, func() string { return explainHello(hello, ours, theirs) }, func() string { return outline(hello) })
		}
		with := func(e wire.Extension) {
			changed := h
			changed.Extensions = inPlace(h.Extensions, e)
			weigh(wire.AppendMessage(nil, &changed))
		}
		for _, kind := range cornerTypes() {
			for i, body := range cornerBodies() {
				if i%8 != int(kind)%8 && len(body) != 0 && (brief || !slices.Contains(dense, kind)) {
					continue // one in eight
				}
				with(wire.Extension{Type: kind, Data: body})
			}
		}
		for _, n := range []int{0, 1, 31, 32, 33, 255} {
			bare := h
			bare.SessionID = nil
			weigh(withSessionID(wire.AppendMessage(nil, &bare), n))
			with(offerOf(n % 255))
		}
	}
	j.sum()
}

// TestCornersOfAnswersAreJudgedAsByCryptoTLS does the same with ServerHellos.
func TestCornersOfAnswersAreJudgedAsByCryptoTLS(t *testing.T) {
	p, j := newClientPair(t), newJury(t)
	for kind := range answerKinds {
		for _, extension := range cornerTypes() {
			for i, body := range cornerBodies() {
				if i%8 != int(extension)%8 && len(body) != 0 && extension != wire.ExtALPN {
					continue
				}
				p.weigh(t, j, kind, func(sh *wire.ServerHello) []byte {
					sh.Extensions = inPlace(sh.Extensions, wire.Extension{Type: extension, Data: body})
					return wire.AppendMessage(nil, sh)
				})
			}
		}
		for _, n := range []int{0, 1, 31, 32, 33, 255} {
			p.weigh(t, j, kind, func(sh *wire.ServerHello) []byte {
				sh.SessionID = nil
				return withSessionID(wire.AppendMessage(nil, sh), n)
			})
		}
	}
	j.sum()
}
