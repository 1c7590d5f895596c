package tlscore_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/tlswright/tlswright/wire"
)

// mutateHello makes a ClientHello out of the seeds, of sound syntax in most parts.
func mutateHello(r *rand.Rand, seeds [][]byte) []byte {
	raw := bytes.Clone(seeds[r.IntN(len(seeds))])
	var h, other wire.ClientHello
	if h.Parse(raw) != nil || other.Parse(bytes.Clone(seeds[r.IntN(len(seeds))])) != nil {
		panic("a seed is no ClientHello")
	}
	for range 1 + r.IntN(3) {
		mutateFields(r, &h, &other)
	}
	out, err := wire.TryAppendMessage(nil, &h)
	if err != nil {
		return raw
	}
	if r.IntN(8) == 0 { // and something that no encoder makes
		for range 1 + r.IntN(3) {
			out[4+r.IntN(len(out)-4)] = byte(r.Uint32())
		}
	}
	return out
}

// pick returns one of the values.
func pick[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

func mutateFields(r *rand.Rand, h, other *wire.ClientHello) {
	switch r.IntN(9) {
	case 0:
		h.LegacyVersion = pick(r, wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12, wire.VersionTLS13, 0x0305, 0x0300, 0x0200, 0x7f1c)
	case 1:
		h.SessionID = make([]byte, pick(r, 0, 1, 16, 31, 32))
	case 2:
		h.CompressionMethods = pick(r, []byte{0}, []byte{0, 1}, []byte{1, 0}, []byte{1}, []byte{0, 0})
	case 3:
		mutateSuites(r, h, other)
	default:
		mutateExtensions(r, &h.Extensions, other.Extensions)
	}
}

func mutateSuites(r *rand.Rand, h, other *wire.ClientHello) {
	h.CipherSuites = slices.Clone(h.CipherSuites)
	switch r.IntN(5) {
	case 0:
		r.Shuffle(len(h.CipherSuites), func(i, j int) { h.CipherSuites[i], h.CipherSuites[j] = h.CipherSuites[j], h.CipherSuites[i] })
	case 1:
		h.CipherSuites = h.CipherSuites[:1+r.IntN(len(h.CipherSuites))]
	case 2:
		h.CipherSuites = append(h.CipherSuites, pick(r, wire.TLS_FALLBACK_SCSV, wire.TLS_EMPTY_RENEGOTIATION_INFO_SCSV, 0x0a0a, wire.TLS_RSA_WITH_AES_128_CBC_SHA))
	case 3:
		h.CipherSuites = slices.Clone(other.CipherSuites)
	default:
		h.CipherSuites = []wire.CipherSuite{pick(r, wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256,
			wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_RSA_WITH_RC4_128_SHA, wire.TLS_AES_128_CCM_SHA256)}
	}
}

func mutateExtensions(r *rand.Rand, es *wire.Extensions, other wire.Extensions) {
	if len(*es) == 0 {
		*es = slices.Clone(other)
		return
	}
	*es = slices.Clone(*es)
	i := r.IntN(len(*es))
	switch r.IntN(8) {
	case 0:
		*es = slices.Delete(*es, i, i+1)
	case 1:
		*es = append(*es, (*es)[i])
	case 2:
		j := r.IntN(len(*es))
		(*es)[i], (*es)[j] = (*es)[j], (*es)[i]
	case 3:
		if len(other) > 0 {
			e := other[r.IntN(len(other))]
			*es = slices.DeleteFunc(*es, func(x wire.Extension) bool { return x.Type == e.Type })
			*es = append(*es, e)
		}
	case 4:
		e := randomExtension(r)
		*es = slices.DeleteFunc(*es, func(x wire.Extension) bool { return x.Type == e.Type })
		*es = append(*es, e)
	case 5:
		data := bytes.Clone((*es)[i].Data)
		if len(data) > 0 {
			data[r.IntN(min(len(data), 12))] = byte(r.Uint32())
		}
		(*es)[i].Data = data
	case 6:
		(*es)[i].Data = bytes.Clone((*es)[i].Data[:r.IntN(len((*es)[i].Data)+1)])
	default:
		(*es)[i].Data = append(bytes.Clone((*es)[i].Data), byte(r.Uint32()))
	}
}

// randomExtension is one of sound syntax with other contents, or of any contents.
func randomExtension(r *rand.Rand) wire.Extension {
	groups := []wire.Group{wire.GroupX25519, wire.GroupSecp256r1, wire.GroupX448, wire.GroupX25519MLKEM768, 0x0a0a, wire.GroupSecp521r1}
	schemes := []wire.SignatureScheme{wire.SchemeECDSASecp256r1SHA256, wire.SchemeEd25519, wire.SchemeRSAPSSRSAESHA256, wire.SchemeECDSASHA1, wire.SchemeRSAPKCS1SHA256, 0x0a0a}
	versions := []wire.Version{wire.VersionTLS13, wire.VersionTLS12, wire.VersionTLS11, 0x0a0a, 0x0305, wire.VersionSSL30}
	some := func(n int) int { return 1 + r.IntN(n) }
	shuffled := func(n int, swap func(i, j int)) { r.Shuffle(n, swap) }
	var es wire.Extensions
	switch r.IntN(14) {
	case 0:
		shuffled(len(groups), func(i, j int) { groups[i], groups[j] = groups[j], groups[i] })
		es.Add(&wire.SupportedGroups{Groups: groups[:some(len(groups))]})
	case 1:
		shuffled(len(schemes), func(i, j int) { schemes[i], schemes[j] = schemes[j], schemes[i] })
		es.Add(&wire.SignatureAlgorithms{Schemes: schemes[:some(len(schemes))]})
	case 2:
		shuffled(len(versions), func(i, j int) { versions[i], versions[j] = versions[j], versions[i] })
		es.Add(&wire.SupportedVersions{Versions: versions[:some(len(versions))]})
	case 3:
		es.Add(&wire.KeyShares{Entries: make([]wire.KeyShareEntry, 0)})
	case 4:
		share := wire.KeyShareEntry{Group: pick(r, groups...), KeyExchange: make([]byte, pick(r, 1, 31, 32, 33, 65))}
		share.KeyExchange[0] = pick[byte](r, 0, 4, 9)
		es.Add(&wire.KeyShares{Entries: slices.Repeat([]wire.KeyShareEntry{share}, some(2))})
	case 5:
		es.Add(&wire.ServerNames{Names: []wire.ServerName{{Name: []byte(pick(r, "a.example", "b.example", "192.0.2.1", "a.example.", "\x00", "A.EXAMPLE"))}}})
	case 6:
		es.Add(&wire.ALPN{Protocols: pick(r, []string{"h2"}, []string{"x"}, []string{"http/1.1", "h2"}, []string{"acme-tls/1"})})
	case 7:
		es.Add(&wire.PSKKeyExchangeModes{Modes: []wire.PSKKeyExchangeMode{pick(r, wire.PSKModeDHEKE, wire.PSKModeKE, 9)}})
	case 8:
		es.Add(&wire.RenegotiationInfo{Data: make([]byte, pick(r, 0, 1, 12))})
	case 9:
		es.Add(&wire.ECPointFormats{Formats: pick(r, []byte{0}, []byte{1}, []byte{1, 0})})
	case 10:
		es.Add(&wire.PreSharedKeys{Identities: make([]wire.PSKIdentity, 0), Binders: [][]byte{make([]byte, 32)}})
	case 11:
		es.Add(&wire.PreSharedKeys{
			Identities: slices.Repeat([]wire.PSKIdentity{{Identity: make([]byte, some(40))}}, some(2)),
			Binders:    slices.Repeat([][]byte{make([]byte, pick(r, 32, 48))}, some(2)),
		})
	case 12:
		es.Add(&wire.Cookie{Cookie: make([]byte, some(4))})
	default:
		data := make([]byte, r.IntN(6))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		es = append(es, wire.Extension{Type: wire.ExtensionType(pick(r, r.IntN(60), 65281, 0x0a0a, 17513)), Data: data})
	}
	return es[0]
}

// outline is a ClientHello in few words.
func outline(raw []byte) string {
	var h wire.ClientHello
	if err := h.Parse(raw); err != nil {
		return err.Error()
	}
	s := fmt.Sprintf("legacy_version %04x, session id of %d, compression %x, suites", uint16(h.LegacyVersion), len(h.SessionID), h.CompressionMethods)
	for _, id := range h.CipherSuites {
		s += fmt.Sprintf(" %04x", uint16(id))
	}
	return s + outlineExtensions(h.Extensions)
}

func outlineExtensions(es wire.Extensions) (s string) {
	for _, e := range es {
		s += fmt.Sprintf(", %v %x", e.Type, e.Data[:min(len(e.Data), 24)])
	}
	return s
}
