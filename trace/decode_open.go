package trace

import (
	"crypto/cipher"
	"encoding/binary"
	"slices"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

const (
	nonceLen = 12
	// maxLost is how many records that did not open may lie between two that do.
	maxLost = 4
)

// protection is one direction in one epoch.
type protection struct {
	epoch  string
	name   string // of the traffic secret, or of the write key in TLS 1.2
	secret []byte
	suite  *suite.Suite
	aead   cipher.AEAD
	key    []byte
	iv     []byte
	seq    uint64
	failed []int       // records
	used   []int       // records that opened
	after  *protection // whose keys a KeyUpdate replaced by these; nil: none
}

// newProtection makes the keys of a traffic secret of TLS 1.3; nil where the secret is of the wrong size.
func newProtection(s *suite.Suite, epoch, name string, secret []byte) *protection {
	if s == nil || len(secret) != s.Hash.Size() {
		return nil
	}
	p := &protection{epoch: epoch, name: name, secret: secret, suite: s}
	p.key = expandLabel(s.Hash, secret, "key", nil, s.KeyLen)
	p.iv = expandLabel(s.Hash, secret, "iv", nil, nonceLen)
	return p.ready()
}

// ready makes the AEAD.
func (p *protection) ready() *protection {
	var err error
	if p.aead, err = p.suite.NewAEAD(p.key); err != nil {
		return nil
	}
	return p
}

// nonce is that of a record; explicit is its part that the record carries.
func (p *protection) nonce(seq uint64, explicit []byte) []byte {
	n := make([]byte, nonceLen)
	copy(n, p.iv)
	if len(explicit) > 0 {
		copy(n[nonceLen-len(explicit):], explicit)
		return n
	}
	const at = nonceLen - 8
	binary.BigEndian.PutUint64(n[at:], binary.BigEndian.Uint64(n[at:])^seq)
	return n
}

// open opens a record under one sequence number. The record is not changed.
func (p *protection) open(raw []byte, seq uint64) (inner, nonce []byte, ok bool) {
	fragment := raw[wire.RecordHeaderLen:]
	explicit := p.suite.ExplicitLen
	if len(fragment) < explicit+p.suite.TagLen {
		return nil, nil, false
	}
	nonce = p.nonce(seq, fragment[:explicit])
	additional := raw[:wire.RecordHeaderLen]
	if p.suite.Version == wire.VersionTLS12 {
		h, _ := wire.ParseRecordHeader(raw)
		h.Length -= explicit + p.suite.TagLen
		additional = wire.AppendRecordHeader(binary.BigEndian.AppendUint64(nil, seq), h)
	}
	inner, err := p.aead.Open(nil, nonce, fragment[explicit:], additional)
	return inner, nonce, err == nil
}

// open opens a record with the keys of its stream: those in use, or else those that come after them. A tag cannot be
// right by accident, so the first that fits is the one.
func (d *decoder) open(s *stream, rec *Record) (typ wire.ContentType, content []byte, ok bool) {
	for i := max(s.current, 0); i < len(s.keys); i++ {
		p, most := s.keys[i], 0
		if i <= s.current+1 {
			most = s.lost
		}
		for skip := range uint64(most + 1) {
			inner, nonce, fits := p.open(rec.Raw, p.seq+skip)
			if !fits {
				continue
			}
			rec.Opened, rec.Nonce, rec.Epoch, rec.Sequence = true, Hex(nonce), p.epoch, p.seq+skip
			p.seq += skip + 1
			p.used = append(p.used, rec.ID)
			s.lost = 0
			d.moveTo(s, i)
			return d.opened(p, rec, inner)
		}
	}
	s.lost = min(s.lost+1, maxLost)
	rec.Epoch = epochUnknown
	rec.Problem = d.whyClosed(s)
	if s.current >= 0 {
		p := s.keys[s.current]
		rec.Epoch, rec.Sequence = p.epoch, p.seq
		p.failed = append(p.failed, rec.ID)
	}
	d.sealedFields(rec)
	return 0, nil, false
}

// moveTo makes the keys number i those in use. Others for the same epoch, which were guesses, are dropped.
func (d *decoder) moveTo(s *stream, i int) {
	if i == s.current {
		return
	}
	p := s.keys[i]
	s.keys = slices.DeleteFunc(s.keys, func(o *protection) bool { return o != p && o.epoch == p.epoch })
	s.current = slices.Index(s.keys, p)
}

// whyClosed says why a record could not be opened.
func (d *decoder) whyClosed(s *stream) string {
	switch {
	case d.answer == nil && d.retry == nil && len(s.keys) == 0:
		return "there is no ServerHello that would name the cipher suite"
	case d.version != wire.VersionTLS13 && d.version != wire.VersionTLS12 && len(s.keys) == 0:
		return "records of " + d.version.String() + " are not opened here"
	case d.suite == nil && len(s.keys) == 0:
		return "the cipher suite is none that is opened here"
	case len(s.keys) == 0:
		return "no secret for it is at hand"
	}
	return "the tag does not fit the keys at hand"
}

// opened takes apart what was inside a record, and names the bytes outside accordingly.
func (d *decoder) opened(p *protection, rec *Record, inner []byte) (wire.ContentType, []byte, bool) {
	if p.suite.Version == wire.VersionTLS12 {
		rec.Fields = p.sealedParts(rec, len(inner), 0, 0)
		return wire.ContentType(rec.Raw[0]), inner, true
	}
	end := len(inner)
	for end > 0 && inner[end-1] == 0 {
		end--
	}
	if end == 0 {
		rec.Problem = "nothing but padding is in it"
		rec.Padding = len(inner)
		rec.Fields = p.sealedParts(rec, 0, 0, len(inner))
		return 0, nil, false
	}
	rec.Padding = len(inner) - end
	rec.Fields = p.sealedParts(rec, end-1, 1, rec.Padding)
	return wire.ContentType(inner[end-1]), inner[: end-1 : end-1], true
}

// sealedParts names the bytes of a protected record: an AEAD keeps each byte in its place, and appends its tag.
func (p *protection) sealedParts(rec *Record, content, typ, padding int) []Field {
	fields := headerFields(rec)
	at := wire.RecordHeaderLen
	add := func(path string, n int, meaning, section string) {
		if n > 0 {
			f := Field{Path: path, Offset: at, Length: n, Kind: kindBytes, Meaning: meaning, Section: section}
			fields = append(fields, f)
			at += n
		}
	}
	if p.suite.Version == wire.VersionTLS12 {
		add("fragment.nonce_explicit", p.suite.ExplicitLen, "The part of the nonce that each record carries; the rest is secret.", "RFC 5288, Section 3")
		add("fragment.content", content, "The content, encrypted; the same bytes in the same order are under Content.", "RFC 5246, Section 6.2.3.3")
		add("fragment.tag", p.suite.TagLen, "Nobody without the key can make it: it proves that record, number and header are as they were sent.", "RFC 5246, Section 6.2.3.3")
		return fields
	}
	add("encrypted_record.content", content, "The content, encrypted; the same bytes in the same order are under Content.", "RFC 8446, Section 5.2")
	add("encrypted_record.type", typ, "What the content really is, encrypted.", "RFC 8446, Section 5.2")
	add("encrypted_record.zeros", padding, "Padding: it hides how long the content is.", "RFC 8446, Section 5.4")
	add("encrypted_record.tag", p.suite.TagLen, "Nobody without the key can make it: it proves that record, number and header are as they were sent.", "RFC 8446, Section 5.2")
	return fields
}

// sealedFields names the bytes of a record that stays closed.
func (d *decoder) sealedFields(rec *Record) {
	fields := headerFields(rec)
	if n := len(rec.Raw) - wire.RecordHeaderLen; n > 0 {
		path := "encrypted_record"
		if d.old() {
			path = "fragment"
		}
		fields = append(fields, Field{Path: path, Offset: wire.RecordHeaderLen, Length: n, Kind: kindBytes, Meaning: "Encrypted: " + rec.Problem + "."})
	}
	rec.Fields = fields
}

// headerFields are the fields of the header.
func headerFields(rec *Record) []Field {
	fields := make([]Field, 0, 7)
	for _, f := range rec.Fields {
		if f.Offset+f.Length <= wire.RecordHeaderLen {
			fields = append(fields, f)
		}
	}
	if len(fields) == 0 { // they were not taken apart
		fields = append(fields, Field{Path: "header", Length: wire.RecordHeaderLen, Kind: kindBytes})
	}
	return fields
}
