package tlscore

import (
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/tlswright/tlswright/wire"
)

// CertificateCompression is one algorithm to compress Certificate messages with (RFC 8879, TLS 1.3 only). The machine
// brings none itself; package tlsnet has zlib, brotli and zstd.
type CertificateCompression struct {
	Algorithm wire.CompressionAlgorithm
	// Compress appends the message compressed to out; nil: we send none of it. What it returns is kept for the identity and
	// the choice of staples; connections that begin together may call it at the same time. nil stands for a failure: the
	// message goes as it is then.
	Compress func(out, message []byte) []byte
	// Decompress fills out with what compressed stands for, and fails if that is one byte more or less; nil: we take none of
	// it. The length of out is what the peer declared, at most Config.MaxHandshakeMessage.
	Decompress func(out, compressed []byte) error
}

// checkCompression refuses what cannot be negotiated.
func (c *Config) checkCompression() error {
	if len(c.CertificateCompression) > 127 {
		return fmt.Errorf("certificate compression: %d algorithms, more than 127", len(c.CertificateCompression))
	}
	for i, a := range c.CertificateCompression {
		same := func(b CertificateCompression) bool { return b.Algorithm == a.Algorithm }
		if slices.ContainsFunc(c.CertificateCompression[:i], same) {
			return fmt.Errorf("certificate compression[%d]: %v appears twice", i, a.Algorithm)
		}
	}
	return nil
}

// decompresses lists the algorithms that we take.
func (p *Params) decompresses() (out []wire.CompressionAlgorithm) {
	for _, a := range p.c.CertificateCompression {
		if a.Decompress != nil {
			out = append(out, a.Algorithm)
		}
	}
	return out
}

// addCompression asks the peer to compress its certificate, if we can decompress it.
func (p *Params) addCompression(es *wire.Extensions) {
	if algorithms := p.decompresses(); len(algorithms) > 0 {
		es.Add(&wire.CompressCertificate{Algorithms: algorithms})
	}
}

// askedCompression chooses the algorithm for our own certificate out of what the peer takes: the first of ours; nil: none.
func (p *Params) askedCompression(m extended, es wire.Extensions) (*CertificateCompression, error) {
	if _, present := es.Find(wire.ExtCompressCertificate); !present {
		return nil, nil
	}
	var theirs wire.CompressCertificate
	if _, err := decoded(m.Ext(&theirs)); err != nil {
		return nil, err
	}
	if err := checkCompressionList(theirs.Algorithms); err != nil {
		return nil, err
	}
	for i := range p.c.CertificateCompression {
		if a := &p.c.CertificateCompression[i]; a.Compress != nil && slices.Contains(theirs.Algorithms, a.Algorithm) {
			return a, nil
		}
	}
	return nil, nil
}

// checkCompressionList refuses an algorithm that appears twice.
func checkCompressionList(list []wire.CompressionAlgorithm) error {
	for i, a := range list {
		if slices.Contains(list[:i], a) {
			return fail(CodeBadCompressionList, "%v", a)
		}
	}
	return nil
}

// certificateHeader is the length of the header of a handshake message.
const certificateHeader = 4

// sendCertificate sends the Certificate message of an identity, compressed if that was agreed on. An empty one never is.
func (t *turn) sendCertificate(context []byte, id *identity, asked *staples) {
	msg := certificateMessage(context, publicOf(id), asked)
	if id == nil || asked.compress == nil {
		t.send(msg)
		return
	}
	if packed := id.compressed(msg, asked); packed != nil {
		t.facts.OwnCompression = asked.compress.Algorithm
		t.send(packed)
		return
	}
	t.send(msg)
}

// packedKey tells apart what a Certificate message of an identity can be in the main handshake, where it has no context.
type packedKey struct {
	algorithm    wire.CompressionAlgorithm
	status, scts bool
	delegated    bool
}

// packedCertificates keeps what has been compressed: the same few messages go to everybody. Nobody waits for anybody: where
// two compress the same message at once, one result is kept, and they are alike.
type packedCertificates struct {
	known atomic.Pointer[map[packedKey]*wire.CompressedCertificate] // never changed, only replaced
}

func (p *packedCertificates) find(key packedKey) (packed *wire.CompressedCertificate, ok bool) {
	if known := p.known.Load(); known != nil {
		packed, ok = (*known)[key]
	}
	return packed, ok
}

func (p *packedCertificates) add(key packedKey, packed *wire.CompressedCertificate) {
	for {
		old := p.known.Load()
		next := make(map[packedKey]*wire.CompressedCertificate)
		if old != nil {
			maps.Copy(next, *old)
		}
		next[key] = packed
		if p.known.CompareAndSwap(old, &next) {
			return
		}
	}
}

// compressed returns the message compressed, nil if that cannot be.
func (id *identity) compressed(msg *wire.Certificate, asked *staples) *wire.CompressedCertificate {
	key := packedKey{asked.compress.Algorithm, asked.status, asked.scts, asked.delegated != nil}
	cached := len(msg.Context) == 0 && !asked.answered
	if cached {
		if packed, ok := id.packed.find(key); ok {
			return packed
		}
	}
	var packed *wire.CompressedCertificate
	if raw, err := wire.TryAppendMessage(nil, msg); err == nil {
		body := raw[certificateHeader:]
		if small := asked.compress.Compress(nil, body); len(small) > 0 {
			packed = &wire.CompressedCertificate{Algorithm: asked.compress.Algorithm, UncompressedLength: uint32(len(body)), Compressed: small}
		}
	}
	if cached {
		id.packed.add(key, packed)
	}
	return packed
}

// unpack makes the Certificate message that a CompressedCertificate stands for. What is declared is checked before
// anything is allocated.
//
// RFC 8879, Section 4: if the received CompressedCertificate message cannot be decompressed, the connection MUST be
// terminated with the bad_certificate alert.
func (t *turn) unpack(m message) (message, error) {
	if m.kind != wire.TypeCompressedCertificate {
		return m, nil
	}
	var packed wire.CompressedCertificate
	if err := parse(&packed, m.raw); err != nil {
		return m, err
	}
	i := slices.IndexFunc(t.params.c.CertificateCompression, func(a CertificateCompression) bool {
		return a.Algorithm == packed.Algorithm && a.Decompress != nil
	})
	if i < 0 {
		return m, fail(CodeBadCompressionAlgorithm, "%v", packed.Algorithm)
	}
	if n := int(packed.UncompressedLength); n > t.params.c.MaxHandshakeMessage {
		return m, fail(CodeBadCompressedCertificate, "%d bytes are declared, more than %d", n, t.params.c.MaxHandshakeMessage)
	}
	n := packed.UncompressedLength
	raw := make([]byte, certificateHeader+int(n))
	raw[0], raw[1], raw[2], raw[3] = byte(wire.TypeCertificate), byte(n>>16), byte(n>>8), byte(n)
	if err := t.params.c.CertificateCompression[i].Decompress(raw[certificateHeader:], packed.Compressed); err != nil {
		return m, because(CodeBadCompressedCertificate, err)
	}
	t.facts.PeerCompression = packed.Algorithm
	return message{wire.TypeCertificate, raw}, nil
}
