package scan

import (
	"bytes"
	"compress/zlib"
	"io"
	"slices"
	"time"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/record"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// preSharedKey makes the extension for o.Resume13, with an empty binder of the right length: setBinder puts it in when the rest
// of the hello is there.
func (h *host) preSharedKey(o *offer) wire.Extension {
	t := o.Resume13
	age := uint32(time.Since(t.Received).Milliseconds()) + t.AgeAdd
	hashLen := len(t.PSK)
	n := len(t.Identity)
	data := []byte{byte((n + 6) >> 8), byte(n + 6), byte(n >> 8), byte(n)}
	data = append(data, t.Identity...)
	data = append(data, byte(age>>24), byte(age>>16), byte(age>>8), byte(age))
	data = append(data, byte((hashLen+1)>>8), byte(hashLen+1), byte(hashLen))
	data = append(data, make([]byte, hashLen)...)
	return wire.Extension{Type: wire.ExtPreSharedKey, Data: data}
}

// setBinder computes the binder at the end of a hello. before is the transcript that goes before it: nothing, or after a
// HelloRetryRequest the synthetic message and that one (RFC 8446, Section 4.2.11.2).
func (s *sentHello) setBinder(t *ticket13, before []byte) {
	known := suite.ByID(t.Suite)
	if known == nil || len(t.PSK) == 0 {
		return
	}
	truncated := s.Raw[:len(s.Raw)-len(t.PSK)-3]
	binder := keys.NewEarly(known.Hash, t.PSK).Binder(false)
	copy(s.Raw[len(s.Raw)-len(t.PSK):], binder.MAC(sum(known.Hash, slices.Concat(before, truncated))))
}

// afterRetry is the transcript before the second hello, for the binder in it.
func afterRetry(t *ticket13, first, retry []byte) []byte {
	known := suite.ByID(t.Suite)
	if known == nil {
		return nil
	}
	digest := sum(known.Hash, first)
	return slices.Concat([]byte{byte(wire.TypeMessageHash), 0, 0, byte(len(digest))}, digest, retry)
}

// earlyTraffic is the secret of the early data that goes with the hello.
func (s *sentHello) earlyTraffic(t *ticket13) (*suite.Suite, keys.Traffic) {
	known := suite.ByID(t.Suite)
	if known == nil {
		return nil, keys.Traffic{}
	}
	return known, keys.NewEarly(known.Hash, t.PSK).ClientEarlyTraffic(sum(known.Hash, s.Raw))
}

// sendEarlyData sends the 0-RTT data of an offer.
func (l *link) sendEarlyData(o *offer) error {
	if o.Resume13 == nil || len(o.EarlyData) == 0 {
		return nil
	}
	known, traffic := l.hello.earlyTraffic(o.Resume13)
	if known == nil {
		return errNoSuite
	}
	sealer, err := record.NewSealer(known, traffic)
	if err != nil {
		return err
	}
	out := record.AppendPlaintext(nil, wire.ContentChangeCipherSpec, wire.VersionTLS12, []byte{1})
	if out, err = sealer.Seal(out, wire.ContentApplicationData, o.EarlyData[:min(len(o.EarlyData), wire.MaxPlaintext)], 0); err != nil {
		return err
	}
	l.early = sealer
	_, err = l.Write(out)
	return err
}

// endEarlyData appends the EndOfEarlyData that is due where early data was accepted (RFC 8446, Section 4.5).
func (l *link) endEarlyData(out []byte, o *offer, a *answer) ([]byte, error) {
	if !a.EarlyAccepted || o.Resume13 == nil {
		return out, nil
	}
	if l.early == nil {
		known, traffic := l.hello.earlyTraffic(o.Resume13)
		if known == nil {
			return out, errNoSuite
		}
		var err error
		if l.early, err = record.NewSealer(known, traffic); err != nil {
			return out, err
		}
	}
	end := wire.AppendMessage(nil, &wire.EndOfEarlyData{})
	a.state.transcript.Add(end)
	return l.early.Seal(out, wire.ContentHandshake, end, 0)
}

// sendSecond sends the ClientHello that answers a HelloRetryRequest: random and session id stay (RFC 8446, Section 4.1.2).
func (l *link) sendSecond(o *offer, first *sentHello) error {
	var before wire.ClientHello
	if err := before.Parse(first.Raw); err != nil {
		return err
	}
	o.SessionID = before.SessionID
	o.random = first.Random[:]
	sent, err := l.host.hello(o)
	if err != nil {
		return err
	}
	l.hello = sent
	return l.writeRecord(wire.ContentHandshake, wire.VersionTLS12, sent.Raw)
}

// unpacked is a CompressedCertificate that was looked into.
type unpacked struct {
	algorithm   wire.CompressionAlgorithm
	certificate *wire.Certificate // nil: the algorithm is none of ours
}

// decompress reads a CompressedCertificate; only zlib is unpacked.
func decompress(raw []byte) (unpacked, error) {
	var m wire.CompressedCertificate
	if err := m.Parse(raw); err != nil {
		return unpacked{}, err
	}
	u := unpacked{algorithm: m.Algorithm}
	if m.Algorithm != wire.CompressionZlib || m.UncompressedLength > maxMessage {
		return u, nil
	}
	r, err := zlib.NewReader(bytes.NewReader(m.Compressed))
	if err != nil {
		return u, err
	}
	n := int(m.UncompressedLength)
	body := make([]byte, 4+n)
	body[0], body[1], body[2], body[3] = byte(wire.TypeCertificate), byte(n>>16), byte(n>>8), byte(n)
	if _, err := io.ReadFull(r, body[4:]); err != nil {
		return u, err
	}
	u.certificate = new(wire.Certificate)
	return u, u.certificate.Parse(body)
}
