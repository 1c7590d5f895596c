package scan

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/wire"
)

// Heartbleed (OpenSSL 1.0.1 to 1.0.1f, 2014).
//
// Sent: behind ServerHelloDone, a heartbeat request that claims 16 bytes of payload and has none, then a sound one with 18
// bytes, then an alert that ends the connection. RFC 6520, Section 4: a message whose payload_length is too large MUST be
// discarded silently. Concluded: an answer with a payload of 16 bytes is memory that nobody sent: proof. Records are
// answered in order, so an answer to the sound one, or an alert, without that is proof of the contrary. Only where neither
// came is the first request sent again, alone, and silence then means that it was discarded.
//
// 16 bytes are what the padding asks for anyway; their content is counted, and neither kept nor shown.

var heartbleed = attack{"heartbleed", "Heartbleed", []string{"CVE-2014-0160"}, "https://www.rfc-editor.org/rfc/rfc6520#section-4"}

const (
	heartbeatRequest  = 1
	heartbeatResponse = 2
	heartbeatPadding  = 16
	claimedPayload    = 16 // of the malformed request
	soundPayload      = 18 // of the sound one: another length, so that the answers can be told apart
)

func probeHeartbleed(ctx context.Context, h *host) {
	f := h.facts()
	versions := slices.DeleteFunc(h.versions(), func(v wire.Version) bool { return v < wire.VersionTLS10 || v > wire.VersionTLS12 })
	switch {
	case len(versions) == 0:
		h.verdict(heartbleed.is(grade.NotApplicable, "No version from TLS 1.0 to TLS 1.2 is offered."))
		return
	case f.Features.Heartbeat == grade.No:
		h.verdict(heartbleed.is(grade.NotVulnerable, "The server does not answer the heartbeat extension."))
		return
	}
	slices.Reverse(versions)
	var last grade.Vulnerability
	for _, v := range versions {
		row, err := h.heartbleed(ctx, v)
		if err != nil {
			h.gap("heartbleed", err)
			row = heartbleed.unknown("The server could not be asked: " + reasonOf(err) + ".")
		}
		if last.ID == "" || row.Verdict == grade.Vulnerable || row.Verdict == grade.Inconclusive {
			last = row
		}
		if row.Verdict != grade.NotVulnerable {
			break
		}
	}
	h.verdict(last)
}

// heartbleed asks in one version.
func (h *host) heartbleed(ctx context.Context, v wire.Version) (grade.Vulnerability, error) {
	first, err := h.beat(ctx, v, true)
	if err != nil {
		return grade.Vulnerability{}, err
	}
	if first == beatSilent {
		if first, err = h.beat(ctx, v, false); err != nil {
			return grade.Vulnerability{}, err
		}
	}
	switch first {
	case beatLeaks:
		return heartbleed.is(grade.Vulnerable, "A heartbeat without payload was answered with 16 bytes of the server's memory. Anybody can read keys and passwords that way.",
			v.String()+": sent 18 03 .. 00 03 01 00 10", fmt.Sprintf("received a heartbeat response with %d bytes of payload that were never sent", claimedPayload)), nil
	case beatNotAgreed:
		return heartbleed.is(grade.NotVulnerable, "The server does not answer the heartbeat extension."), nil
	case beatSound:
		return heartbleed.is(grade.NotVulnerable, "A malformed heartbeat was passed over, and the sound one behind it answered."), nil
	case beatRefused:
		return heartbleed.is(grade.NotVulnerable, "A malformed heartbeat was refused."), nil
	}
	return heartbleed.is(grade.NotVulnerable, "A malformed heartbeat was passed over."), nil
}

// beatResult is what came of a malformed heartbeat.
type beatResult uint8

const (
	beatSilent beatResult = iota
	beatLeaks
	beatSound
	beatRefused
	beatNotAgreed
)

// beat sends the malformed request, with the others behind it if escorted.
func (h *host) beat(ctx context.Context, v wire.Version, escorted bool) (beatResult, error) {
	o := h.working(v)
	if o == nil {
		return 0, errNoOffer
	}
	o.Heartbeat = true
	l, a, _, err := h.flight(ctx, o)
	if err != nil {
		return 0, err
	}
	defer l.Close()
	if _, agreed := a.ext(wire.ExtHeartbeat); !agreed {
		return beatNotAgreed, nil
	}
	if err := l.step(); err != nil {
		return 0, err
	}
	if !escorted { // silence is an answer: the request was discarded
		if err := l.patience(2 * shortPatience); err != nil {
			return 0, err
		}
	}
	marker := make([]byte, soundPayload)
	if _, err := rand.Read(marker); err != nil {
		return 0, err
	}
	out := appendRecord(nil, wire.ContentHeartbeat, a.Version, []byte{heartbeatRequest, 0, claimedPayload})
	if escorted {
		sound := append([]byte{heartbeatRequest, 0, soundPayload}, marker...)
		out = appendRecord(out, wire.ContentHeartbeat, a.Version, append(sound, make([]byte, heartbeatPadding)...))
		out = appendRecord(out, wire.ContentAlert, a.Version, []byte{byte(wire.AlertLevelFatal), byte(wire.AlertUserCanceled)})
	}
	if _, err := l.Write(out); err != nil {
		return beatSilent, nil // it has hung up already, which is for the second try to find out about
	}
	return l.readBeats(marker), nil
}

// readBeats reads what comes behind heartbeats.
func (l *link) readBeats(marker []byte) beatResult {
	for range maxMessages {
		typ, _, payload, err := l.readRecord()
		if err != nil {
			return beatSilent
		}
		switch {
		case typ == wire.ContentAlert:
			return beatRefused
		case typ != wire.ContentHeartbeat || len(payload) < 3 || payload[0] != heartbeatResponse:
		case binary.BigEndian.Uint16(payload[1:]) == soundPayload && bytes.HasPrefix(payload[3:], marker):
			return beatSound
		case len(payload) >= 3+claimedPayload:
			return beatLeaks
		}
	}
	return beatSilent
}

// appendRecord appends a record in the clear.
func appendRecord(out []byte, typ wire.ContentType, v wire.Version, payload []byte) []byte {
	return append(wire.AppendRecordHeader(out, wire.RecordHeader{Type: typ, Version: v, Length: len(payload)}), payload...)
}
