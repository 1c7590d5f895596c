package tlscore

import (
	"errors"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/wire"
)

// ErrNoEarlyExporter is returned by ExportEarly where there is no early keying material; see there.
var ErrNoEarlyExporter = errors.New("tlscore: no early keying material: neither early data nor an external PSK is agreed on")

// ExportEarly returns n bytes of keying material bound to the ClientHello and its PSK, which is there before anything has
// come back (RFC 8446, Section 7.5: early_exporter_master_secret). It is for what goes along with early data: an
// attacker who repeats a ClientHello has both ends of the first connection and the server of the second compute the same,
// and who learns the PSK later computes it, too. After the handshake, [Machine.Export] is better in all respects.
//
// A client that offers early data, or an external PSK first of all, may call it from Start on, at its own risk: whether
// the server computes the same turns out with its answer. From then on it works, at both ends, where early data
// was accepted, or an external PSK chosen by the first ClientHello; otherwise the error is [ErrNoEarlyExporter].
func (m *Machine) ExportEarly(label string, context []byte, n int) ([]byte, error) {
	switch {
	case m.over != nil:
		return nil, m.over
	case m.early == nil || m.facts.Version == wire.VersionTLS12:
		return nil, ErrNoEarlyExporter
	}
	return m.early.Export(label, context, n)
}

// exportEarly sets the early exporter; nil: there is none, or none any more.
func (t *turn) exportEarly(e exporter) {
	t.early = &earlyChange{e}
}

// earlyChange is another early exporter.
type earlyChange struct{ to exporter }

// changeEarly installs another early exporter in the place of the one before.
func (m *Machine) changeEarly(c *earlyChange) {
	if c == nil {
		return
	}
	if m.early != nil {
		m.early.Wipe()
	}
	m.early = c.to
}

// promiseEarlyExporter gives a client the early exporter of the external PSK that it offers first.
func (hs *clientHandshake) promiseEarlyExporter(t *turn) {
	if hs.early == earlyOffered || len(hs.psks) == 0 || hs.psks[0].entry == nil {
		return
	}
	hs.keyedExporter(t, hs.psks[0])
}

// keyedExporter installs the early exporter of an external PSK. The transcript ends at the ClientHello.
func (hs *clientHandshake) keyedExporter(t *turn, p *clientPSK) {
	transcript := t.transcript.Clone()
	transcript.Begin(p.hash)
	t.exportEarly(p.early.Exporter(transcript.Sum()))
}

// settleEarlyExporter follows the server's choice of a PSK; nil: it chose none.
func (hs *clientHandshake) settleEarlyExporter(t *turn, p *clientPSK) {
	promised := hs.early == earlyOffered || len(hs.psks) > 0 && hs.psks[0].entry != nil
	switch {
	case p != nil && p.entry != nil && hs.retry == nil:
		hs.keyedExporter(t, p)
	case promised && (p == nil || p.entry != nil || hs.early != earlyOffered):
		t.exportEarly(nil)
	}
}

// earlySecret is the secret of an early exporter; nil: there is none.
func earlySecret(e exporter) []byte {
	if e, ok := e.(keys.Exporter); ok {
		return e.Secret()
	}
	return nil
}
