package record

import "github.com/tlswright/tlswright/wire"

// AppendPlaintext appends records without protection, those of epoch 0: the payload in pieces of at most 2^14 bytes.
// The legacy version is 0x0301 for a first ClientHello and 0x0303 for all else (RFC 8446, Section 5.1).
// An empty payload gives one empty record, which only application data may be; so do not pass one.
func AppendPlaintext(out []byte, typ wire.ContentType, legacy wire.Version, payload []byte) []byte {
	for {
		n := min(len(payload), wire.MaxPlaintext)
		out = wire.AppendRecordHeader(out, wire.RecordHeader{Type: typ, Version: legacy, Length: n})
		out = append(out, payload[:n]...)
		if payload = payload[n:]; len(payload) == 0 {
			return out
		}
	}
}
