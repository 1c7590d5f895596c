package trace

import (
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/wire"
)

// summarize says what was agreed on.
func (d *decoder) summarize() {
	s := &d.r.Summary
	s.ClientBytes, s.ServerBytes = d.bytesOf(Client), d.bytesOf(Server)
	s.AnnotatedBytes = d.annotated()
	for i := range d.r.Rest {
		s.AnnotatedBytes += uint64(len(d.r.Rest[i].Raw))
	}
	if n := len(d.r.Records); n > 0 {
		s.Duration = d.r.Records[n-1].At - d.r.Records[0].At
	}
	if d.hello != nil {
		s.ClientRandom = Hex(d.hello.Random[:])
		var names wire.ServerNames
		if _, err := d.hello.Ext(&names); err == nil {
			name, _ := names.HostName()
			s.ServerName = pki.Printable(name)
		}
	}
	s.HelloRetry = d.retry != nil
	if d.version != 0 {
		s.Version = d.version.String()
	}
	if hello := d.answer; hello != nil {
		s.CipherSuite = hello.CipherSuite.String()
	} else if d.retry != nil {
		s.CipherSuite = d.retry.CipherSuite.String()
	}
	d.agreed(s)
	d.finished(s)
	for i := range d.r.Keys {
		d.r.HasSecrets = d.r.HasSecrets || len(d.r.Keys[i].Output) > 0
	}
}

func (d *decoder) bytesOf(side Side) (n uint64) {
	for i := range d.r.Records {
		if d.r.Records[i].From == side {
			n += uint64(len(d.r.Records[i].Raw))
		}
	}
	for i := range d.r.Rest {
		if d.r.Rest[i].From == side {
			n += uint64(len(d.r.Rest[i].Raw))
		}
	}
	return n
}

// annotated is how many bytes of the records have a name: those outside in the fields of the record, and all of them only
// if what is inside is taken apart without a gap, too.
func (d *decoder) annotated() (n uint64) {
	inside := make([]int, len(d.r.Records)) // bytes of the content that have a name
	for i := range d.r.Messages {
		m := &d.r.Messages[i]
		if !tiles(m.Fields, len(m.Raw)) {
			continue
		}
		for _, span := range m.Spans {
			inside[span.Record] += span.Length
		}
	}
	for i := range d.r.Records {
		rec := &d.r.Records[i]
		for _, f := range rec.Inside {
			inside[i] += f.Length
		}
		if inside[i] == rec.ContentLength && tiles(rec.Fields, len(rec.Raw)) {
			n += uint64(len(rec.Raw))
		}
	}
	return n
}

// tiles reports whether the fields cover size bytes in order, each once.
func tiles(fields []Field, size int) bool {
	at := 0
	for _, f := range fields {
		if f.Offset != at || f.Length <= 0 {
			return false
		}
		at += f.Length
	}
	return at == size
}

// externalPSK is the identity of an accepted key that is no ticket's: it says so itself (RFC 9258), or has no age. Empty: it
// is a ticket, for all that can be seen.
func (d *decoder) externalPSK(index int) string {
	m := d.lastIn(Client, wire.TypeClientHello)
	if m == nil {
		return ""
	}
	hello, _ := d.parse(m).(*wire.ClientHello)
	var offer wire.PreSharedKeys
	if hello == nil {
		return ""
	}
	if ok, err := hello.Ext(&offer); !ok || err != nil || index >= len(offer.Identities) {
		return ""
	}
	name := offer.Identities[index].Identity
	if id, ok := imported(name); ok {
		return pki.Printable(string(id.External))
	}
	// RFC 8446, Section 4.2.11: for externally established keys an obfuscated_ticket_age of 0 SHOULD be used. A ticket's is 0
	// once in 2^32.
	if offer.Identities[index].ObfuscatedAge == 0 {
		return pki.Printable(string(name))
	}
	return ""
}

// imported reads an identity of RFC 9258. Nothing in it says what it is, but nothing else looks like it by chance.
func imported(name []byte) (id wire.ImportedIdentity, ok bool) {
	err := id.Parse(name)
	return id, err == nil && id.Protocol == wire.VersionTLS13 && (id.KDF == wire.KDFHKDFSHA256 || id.KDF == wire.KDFHKDFSHA384)
}

// agreed finds group, signature, protocol and the rest in the messages.
func (d *decoder) agreed(s *Summary) {
	if d.answer != nil {
		var share wire.KeyShareHello
		if ok, err := d.answer.Ext(&share); ok && err == nil {
			s.Group = share.Entry.Group.String()
		}
		var psk wire.PreSharedKeySelected
		if ok, _ := d.answer.Ext(&psk); ok {
			s.PSK = d.externalPSK(int(psk.Index))
			s.Resumed = s.PSK == ""
		}
		d.protocol(s, d.answer)
		s.RecordLimits = d.limits(d.answer)
	}
	early := false
	if d.hello != nil {
		early, _ = d.hello.Ext(&wire.EarlyData{})
	}
	for i := range d.r.Messages {
		m := &d.r.Messages[i]
		switch parsed := d.parse(m).(type) {
		case *wire.EncryptedExtensions:
			d.protocol(s, parsed)
			s.RecordLimits = d.limits(parsed)
			if early {
				s.EarlyData = "rejected"
				if ok, _ := parsed.Ext(&wire.EarlyData{}); ok {
					s.EarlyData = "accepted"
				}
			}
		case *wire.ServerKeyExchange:
			s.Group, s.Signature = parsed.Group.String(), parsed.Scheme.String()
		case *wire.CertificateVerify:
			if m.From == Server {
				s.Signature = parsed.Scheme.String()
			} else {
				s.ClientAuth = true
			}
		}
	}
}

// protocol takes the application protocol from a message.
func (d *decoder) protocol(s *Summary, m interface {
	Ext(wire.ExtensionView) (bool, error)
}) {
	var alpn wire.ALPN
	if ok, err := m.Ext(&alpn); ok && err == nil && len(alpn.Protocols) > 0 {
		s.ALPN = pki.Printable(alpn.Protocols[0])
	}
}

// finished says whether and when the handshake was complete, and in TLS 1.2 whether it was a short one.
func (d *decoder) finished(s *Summary) {
	first := map[Side]*Message{}
	for i := range d.r.Messages {
		m := &d.r.Messages[i]
		if first[m.From] == nil && d.is(m, wire.TypeFinished) {
			first[m.From] = m
		}
	}
	c, v := first[Client], first[Server]
	if c == nil || v == nil {
		return
	}
	s.Complete = true
	s.HandshakeTime = max(c.At, v.At) - d.r.Records[0].At
	if d.old() && v.ID < c.ID {
		s.Resumed = true
	}
}

// is reports whether a message is of this type.
func (d *decoder) is(m *Message, t wire.HandshakeType) bool {
	return len(m.Raw) >= handshakeHeader && wire.HandshakeType(m.Raw[0]) == t
}

// parse reads a message; nil if it is malformed.
func (d *decoder) parse(m *Message) wire.Message {
	read := wire.ParseMessage
	if d.old() {
		read = wire.ParseMessage12
	}
	if d.isRawKey12(m.From, m.Raw) {
		read = func(raw []byte) (wire.Message, error) {
			m := new(wire.RawPublicKey12)
			return m, m.Parse(raw)
		}
	}
	parsed, err := read(d.said(m))
	if err != nil {
		return nil
	}
	return parsed
}
