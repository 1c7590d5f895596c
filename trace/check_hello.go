package trace

import (
	"bytes"
	"slices"

	"github.com/tlswright/tlswright/wire"
)

// checkHellos looks at what the server chose: it must be something that the client offered.
func (d *decoder) checkHellos() {
	answer := d.in(Server, wire.TypeServerHello)
	if d.hello == nil || answer == nil {
		return
	}
	final := d.lastIn(Server, wire.TypeServerHello)
	hello := d.answer
	if hello == nil {
		hello = d.retry
	}
	if hello == nil {
		return
	}
	d.checkVersion(hello, final)
	d.holds(Check{
		Name: "cipher suite", Message: final.ID, Section: "RFC 8446, Section 4.1.3",
		Text: "the server chose " + hello.CipherSuite.String() + ", which the client must have offered",
	}, slices.Contains(d.hello.CipherSuites, hello.CipherSuite))
	if d.version == wire.VersionTLS13 {
		d.compared(Check{
			Name: "session id", Message: final.ID, Section: "RFC 8446, Section 4.1.3",
			Text: "the server sends legacy_session_id back as it came",
		}, notNil(d.hello.SessionID), hello.SessionID)
		d.checkGroup(final)
	}
	d.checkSentinel(final)
	d.checkRetry()
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// checkVersion looks whether the version was offered.
func (d *decoder) checkVersion(hello *wire.ServerHello, m *Message) {
	offered := d.hello.LegacyVersion >= d.version && d.version < wire.VersionTLS13
	var versions wire.SupportedVersions
	if ok, err := d.hello.Ext(&versions); ok && err == nil {
		offered = slices.Contains(versions.Versions, d.version)
	}
	d.holds(Check{
		Name: "version", Message: m.ID, Section: "RFC 8446, Section 4.2.1",
		Text: "the server chose " + d.version.String() + ", which the client must have offered",
	}, offered)
}

// checkGroup looks whether the server's share is for a group that the client sent one for.
func (d *decoder) checkGroup(m *Message) {
	var chosen wire.KeyShareHello
	if d.answer == nil {
		return
	}
	if ok, err := d.answer.Ext(&chosen); !ok || err != nil {
		return
	}
	last := d.lastIn(Client, wire.TypeClientHello)
	if last == nil {
		return
	}
	hello, _ := d.parse(last).(*wire.ClientHello)
	var shares wire.KeyShares
	if hello == nil {
		return
	}
	if _, err := hello.Ext(&shares); err != nil {
		return
	}
	d.holds(Check{
		Name: "key share", Message: m.ID, Section: "RFC 8446, Section 4.2.8",
		Text: "the server's share is for " + chosen.Entry.Group.String() + ", for which the client must have sent one",
	}, slices.ContainsFunc(shares.Entries, func(e wire.KeyShareEntry) bool { return e.Group == chosen.Entry.Group }))
}

// The last bytes of a server's random that say what it could have spoken (RFC 8446, Section 4.1.3).
const (
	sentinel12 = "DOWNGRD\x01" // TLS 1.3, and it was made to speak TLS 1.2
	sentinel11 = "DOWNGRD\x00" // TLS 1.2 or later, and it was made to speak less
)

// marked reports whether the server's random says that it speaks a later version than was agreed on.
func (d *decoder) marked() bool {
	if d.answer == nil {
		return false
	}
	end := string(d.answer.Random[24:])
	return end == sentinel12 || end == sentinel11
}

// checkSentinel looks for the mark of a downgrade.
func (d *decoder) checkSentinel(m *Message) {
	if d.answer == nil {
		return
	}
	marked := d.marked()
	offers13 := false
	var versions wire.SupportedVersions
	if ok, err := d.hello.Ext(&versions); ok && err == nil {
		offers13 = slices.Contains(versions.Versions, wire.VersionTLS13)
	}
	c := Check{Name: "downgrade sentinel", Message: m.ID, Section: "RFC 8446, Section 4.1.3", Got: Hex(d.answer.Random[24:])}
	switch {
	case d.version == wire.VersionTLS13:
		c.Text = "TLS 1.3 was agreed on: there is nothing to be downgraded from, and no mark in the server's random"
		d.holds(c, !marked)
	case marked && offers13:
		c.Text = "the server's random ends with the mark of a server that speaks a later version, and the client offers TLS 1.3: somebody between them has changed the offer"
		d.holds(c, false)
	case marked:
		c.Text = "the server's random ends with the mark of a server that speaks a later version; the client does not offer TLS 1.3, so all is as it should be"
		d.holds(c, true)
	case offers13:
		c.Text = "the server's random does not end with the mark: it speaks nothing later than " + d.version.String()
		d.holds(c, true)
	default:
		c.Text = "neither side speaks of anything later than " + d.version.String()
		d.holds(c, true)
	}
}

// checkRetry looks at a second ClientHello: what it has to keep, and the hash that stands for the first.
func (d *decoder) checkRetry() {
	first, second := d.in(Client, wire.TypeClientHello), d.lastIn(Client, wire.TypeClientHello)
	if d.retry == nil || first == nil {
		return
	}
	if d.thread.synthetic != nil {
		c := Check{
			Name: "message_hash", Message: first.ID, Section: "RFC 8446, Section 4.4.1", Expected: Hex(d.thread.synthetic), Result: resultImpossible,
			Text: "after a HelloRetryRequest this message stands for the first ClientHello in all transcript hashes; the checks of those hashes prove it",
		}
		if d.retryProved() {
			c.Result = resultRight
		}
		d.checked(c)
	}
	if second == nil || second == first {
		return
	}
	hello, _ := d.parse(second).(*wire.ClientHello)
	if hello == nil {
		return
	}
	d.holds(Check{
		Name: "second ClientHello", Message: second.ID, Section: "RFC 8446, Section 4.1.2",
		Text: "random, session id, cipher suites and version of the second ClientHello are those of the first",
	}, hello.Random == d.hello.Random && bytes.Equal(hello.SessionID, d.hello.SessionID) &&
		slices.Equal(hello.CipherSuites, d.hello.CipherSuites) && hello.LegacyVersion == d.hello.LegacyVersion)
	var cookie, echo wire.Cookie
	if ok, err := d.retry.Ext(&cookie); ok && err == nil {
		_, err := hello.Ext(&echo)
		if err != nil {
			return
		}
		d.compared(Check{
			Name: "cookie", Message: second.ID, Section: "RFC 8446, Section 4.2.2", Text: "the client sends the server's cookie back as it came",
		}, cookie.Cookie, echo.Cookie)
	}
}

// retryProved reports whether keys were derived from a hash that begins with the synthetic message.
func (d *decoder) retryProved() bool {
	m := d.lastIn(Server, wire.TypeServerHello)
	if m == nil {
		return false
	}
	want := d.thread.sums[m.ID]
	for i := range d.r.Keys {
		if bytes.Equal(d.r.Keys[i].Context, want) && d.r.Keys[i].UpTo == m.ID {
			return true
		}
	}
	fin, secret := d.in(Server, wire.TypeFinished), d.known.byName[nameServerHS]
	for _, s := range secret {
		if fin != nil && bytes.Equal(d.finished13(s, fin), fin.Raw[handshakeHeader:]) {
			return true
		}
	}
	return false
}
