package tlscore

import (
	"fmt"

	"github.com/tlswright/tlswright/wire"
)

// limits are what the two ends have agreed on about the size of records: the longest content of each direction, in bytes,
// 0 for the protocol's own limit. In TLS 1.3 the content type and the padding are counted in.
type limits struct {
	read, write int
	plain       bool // also of records that are not protected: max_fragment_length counts them
}

// The bounds of record_size_limit.
const (
	minRecordLimit = 64                    // RFC 8449, Section 4
	maxRecordLimit = wire.MaxPlaintext + 1 // in TLS 1.3, for the content type
)

// checkLimits checks what a configuration says about the size of records.
func (c *Config) checkLimits() error {
	if l := c.RecordSizeLimit; l != 0 && (l < minRecordLimit || l > maxRecordLimit) {
		return fmt.Errorf("record size limit: %d, want %d to %d bytes (RFC 8449, Section 4)", l, minRecordLimit, maxRecordLimit)
	}
	if l := c.MaxRecord; l != 0 && (l < minRecordLimit || l > wire.MaxPlaintext) {
		return fmt.Errorf("max record: %d, want %d to %d bytes", l, minRecordLimit, wire.MaxPlaintext)
	}
	if l := c.MaxFragmentLength; l != 0 && fragmentCode(l) == 0 {
		return fmt.Errorf("max fragment length: %d, want 512, 1024, 2048 or 4096 bytes (RFC 6066, Section 4)", l)
	}
	return nil
}

// fragmentCode is the code of max_fragment_length for a length, 0 where there is none (RFC 6066, Section 4).
func fragmentCode(length int) uint8 {
	for code := uint8(1); code <= 4; code++ {
		if (wire.MaxFragmentLength{Code: code}).Limit() == length {
			return code
		}
	}
	return 0
}

// addLimits offers the limits of a client.
func (c *Config) addLimits(es *wire.Extensions) {
	if c.RecordSizeLimit != 0 {
		es.Add(&wire.RecordSizeLimit{Limit: uint16(c.RecordSizeLimit)})
	}
	if c.MaxFragmentLength != 0 {
		es.Add(&wire.MaxFragmentLength{Code: fragmentCode(c.MaxFragmentLength)})
	}
}

// offeredLimits is what a client's hello says about the size of records, and what is to be answered.
type offeredLimits struct {
	record   uint16 // 0: no record_size_limit
	fragment uint8  // code, 0: no max_fragment_length
}

// readLimits reads what a client offers.
func readLimits(h *wire.ClientHello) (o offeredLimits, err error) {
	if _, present := h.Extensions.Find(wire.ExtRecordSizeLimit); present {
		var limit wire.RecordSizeLimit
		if _, err := decoded(h.Ext(&limit)); err != nil {
			return o, err
		}
		// RFC 8449, Section 4: a value below 64 MUST be refused with illegal_parameter.
		if limit.Limit < minRecordLimit {
			return o, fail(CodeBadRecordLimit, "%d bytes", limit.Limit)
		}
		o.record = limit.Limit
	}
	if _, present := h.Extensions.Find(wire.ExtMaxFragmentLength); present {
		var fragment wire.MaxFragmentLength
		if _, err := decoded(h.Ext(&fragment)); err != nil {
			return o, err
		}
		// RFC 6066, Section 4: for a value other than the allowed ones the handshake MUST be aborted with illegal_parameter.
		if fragment.Limit() == 0 {
			return o, fail(CodeBadRecordLimit, "code %d", fragment.Code)
		}
		o.fragment = fragment.Code
	}
	return o, nil
}

// answer tells the client what is agreed on, and installs it.
//
// RFC 8449, Section 5: a server that supports record_size_limit MUST ignore max_fragment_length where both are there.
func (o offeredLimits) answer(t *turn, es *wire.Extensions, v wire.Version) {
	switch {
	case o.record != 0:
		own := t.params.c.RecordSizeLimit
		if own == 0 {
			own = maxRecordLimit
		}
		if v == wire.VersionTLS12 {
			own = min(own, wire.MaxPlaintext)
		}
		es.Add(&wire.RecordSizeLimit{Limit: uint16(own)})
		t.limit(limits{read: own, write: int(o.record)})
	case o.fragment != 0:
		view := wire.MaxFragmentLength{Code: o.fragment}
		es.Add(&view)
		t.limit(limits{read: view.Limit() + typeByte(v), write: view.Limit() + typeByte(v), plain: true})
	}
}

// typeByte is the content type inside a record of TLS 1.3, which only record_size_limit counts.
func typeByte(v wire.Version) int {
	if v == wire.VersionTLS13 {
		return 1
	}
	return 0
}

// onLimits reads a server's answer.
func (hs *clientHandshake) onLimits(t *turn, m extended, es wire.Extensions, v wire.Version) error {
	if _, present := es.Find(wire.ExtRecordSizeLimit); present {
		// RFC 8449, Section 5: clients MUST treat receipt of both extensions as a fatal error, with illegal_parameter.
		if _, both := es.Find(wire.ExtMaxFragmentLength); both {
			return fail(CodeBadRecordLimit, "both extensions")
		}
		var limit wire.RecordSizeLimit
		if _, err := decoded(m.Ext(&limit)); err != nil {
			return err
		}
		// RFC 8449, Section 4: a value larger than the protocol's own limit is a fatal error for a client.
		if limit.Limit < minRecordLimit || int(limit.Limit) > wire.MaxPlaintext+typeByte(v) {
			return fail(CodeBadRecordLimit, "%d bytes", limit.Limit)
		}
		t.limit(limits{read: t.params.c.RecordSizeLimit, write: int(limit.Limit)})
		return nil
	}
	if _, present := es.Find(wire.ExtMaxFragmentLength); present {
		var fragment wire.MaxFragmentLength
		if _, err := decoded(m.Ext(&fragment)); err != nil {
			return err
		}
		if fragment.Limit() != t.params.c.MaxFragmentLength {
			return fail(CodeBadRecordLimit, "code %d, not the one asked for", fragment.Code)
		}
		t.limit(limits{read: fragment.Limit() + typeByte(v), write: fragment.Limit() + typeByte(v), plain: true})
	}
	return nil
}

// limit bounds the records from here on.
func (t *turn) limit(l limits) {
	t.effects = append(t.effects, effect{kind: effectLimits, limits: l})
	t.facts.RecordLimitRead, t.facts.RecordLimitWrite = l.read, l.write
}

// LimitRecords bounds the content of the records that we send from now on to n bytes, below what Config.MaxRecord and the
// peer allow; less than 64 bytes: to these alone. It belongs to the write half, and is for short records where the first
// bytes are awaited, and long ones where it is the last.
func (m *Machine) LimitRecords(n int) {
	m.write.most = m.params.c.MaxRecord
	if n >= minRecordLimit && (m.write.most == 0 || n < m.write.most) {
		m.write.most = n
	}
}

// room is the most content of one record now.
func (w *writeHalf) room() int {
	plain := w.sealer == nil && w.offload == nil
	most := wire.MaxPlaintext
	if w.most > 0 {
		most = w.most
	}
	switch {
	case w.limit.write == 0 || plain && !w.limit.plain:
		return most
	case plain || w.v12:
		return min(w.limit.write, most)
	}
	return min(w.limit.write-1, most)
}
