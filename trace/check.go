package trace

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/tlswright/tlswright/wire"
)

// Results of a Check.
const (
	resultRight      = "right"
	resultWrong      = "wrong"
	resultImpossible = "not possible"
)

// Names of checks that are asked for by name.
const (
	checkTags   = "record tags"
	checkNonces = "record nonces"
	checkPath   = "certificate path"
)

// check computes anew what the two sides had to check.
func (d *decoder) check() {
	d.checkHellos()
	d.checkTranscripts()
	if d.old() {
		d.check12()
	} else {
		d.check13()
	}
	d.checkPaths()
	for _, s := range []*stream{d.client, d.server} {
		for _, p := range s.keys {
			d.checkProtection(s, p)
		}
	}
	d.checkSchedule()
}

// checked adds a check.
func (d *decoder) checked(c Check) {
	c.ID = len(d.r.Checks)
	d.r.Checks = append(d.r.Checks, c)
}

// compared adds a check that compares two values; a nil want says that it is not known.
func (d *decoder) compared(c Check, want, got []byte) {
	c.Expected, c.Got = Hex(want), Hex(got)
	switch {
	case want == nil:
		c.Result = resultImpossible
	case bytes.Equal(want, got):
		c.Result = resultRight
	default:
		c.Result = resultWrong
	}
	d.checked(c)
}

// holds adds a check with a yes or no.
func (d *decoder) holds(c Check, ok bool) {
	c.Result = resultRight
	if !ok {
		c.Result = resultWrong
	}
	d.checked(c)
}

// secret reports whether what was compared gives a secret away.
func (c *Check) secret() bool { return c.Name == checkNonces }

// in returns the first message of a side and type in the transcript; nil: there is none.
func (d *decoder) in(side Side, t wire.HandshakeType) *Message {
	for _, id := range d.thread.order {
		if m := &d.r.Messages[id]; m.From == side && d.is(m, t) {
			return m
		}
	}
	return nil
}

// lastIn is in for the last such message.
func (d *decoder) lastIn(side Side, t wire.HandshakeType) *Message {
	for _, id := range slices.Backward(d.thread.order) {
		if m := &d.r.Messages[id]; m.From == side && d.is(m, t) {
			return m
		}
	}
	return nil
}

// endOf says at which message the transcript hash of a step has to end; nil: this step has none.
func (d *decoder) endOf(label string) (m *Message, where string) {
	switch label {
	case "c e traffic", "e exp master":
		return d.in(Client, wire.TypeClientHello), "the ClientHello"
	case "c hs traffic", "s hs traffic":
		return d.lastIn(Server, wire.TypeServerHello), "the ServerHello"
	case "c ap traffic", "s ap traffic", "exp master":
		return d.in(Server, wire.TypeFinished), "the server's Finished"
	case "res master":
		return d.in(Client, wire.TypeFinished), "the client's Finished"
	case "extended master secret":
		return d.in(Client, wire.TypeClientKeyExchange), "the ClientKeyExchange"
	}
	return nil, ""
}

// checkTranscripts compares the transcript hashes that a machine of ours derived its keys from with those of the bytes.
func (d *decoder) checkTranscripts() {
	done := map[string]bool{}
	for i := range d.r.Keys {
		k := &d.r.Keys[i]
		m, where := d.endOf(k.Label)
		if m == nil || len(k.Context) == 0 {
			continue
		}
		at := where + string(k.Context)
		if done[at] {
			continue
		}
		done[at] = true
		var ids []int
		for j := range d.r.Keys {
			if _, same := d.endOf(d.r.Keys[j].Label); same == where && bytes.Equal(d.r.Keys[j].Context, k.Context) {
				ids = append(ids, j)
			}
		}
		d.compared(Check{
			Name: "transcript hash", Message: m.ID, Keys: ids, Section: "RFC 8446, Section 4.4.1",
			Text: "the hash over all messages up to " + where + ", against the one that keys were derived from",
		}, d.thread.sums[m.ID], k.Context)
	}
}

// checkSchedule says whether all steps of the key schedule come out the same.
func (d *decoder) checkSchedule() {
	if len(d.r.Keys) == 0 {
		return
	}
	var wrong []int
	for i := range d.r.Keys {
		if !d.r.Keys[i].Agrees {
			wrong = append(wrong, i)
		}
	}
	c := Check{Name: "key schedule", Message: -1, Keys: wrong, Section: "RFC 8446, Section 7.1", Text: fmt.Sprintf("all %d steps, computed anew from their inputs, come out the same", len(d.r.Keys))}
	if d.old() {
		c.Section = "RFC 5246, Section 8.1"
	}
	if len(wrong) > 0 {
		c.Text = fmt.Sprintf("%d of %d steps do not come out the same, or nothing proves them", len(wrong), len(d.r.Keys))
		c.Result = resultWrong
		if !slices.ContainsFunc(wrong, func(id int) bool { return d.r.Keys[id].How != howGiven && d.r.Keys[id].How != howECDH }) {
			c.Result = resultImpossible // given, and not used for anything that was seen
		}
		d.checked(c)
		return
	}
	d.holds(c, true)
}

// checkProtection says of the keys of one epoch whether the records under them are authentic, and their nonces single.
func (d *decoder) checkProtection(s *stream, p *protection) {
	if len(p.used)+len(p.failed) == 0 {
		return
	}
	name, section := p.name+" key", "RFC 8446, Section 5.2"
	if d.old() {
		name, section = p.name+"_key", "RFC 5246, Section 6.2.3.3"
	}
	tags := Check{Name: checkTags, Message: -1, Records: p.used, Keys: d.named(name), Section: section}
	tags.Text = fmt.Sprintf("%d records of the %s under the keys of epoch %q are authentic", len(p.used), s.side, p.epoch)
	if len(p.failed) > 0 {
		tags.Records = p.failed
		tags.Text = fmt.Sprintf("%d of %d records of the %s under the keys of epoch %q do not authenticate: they were changed on the way, or are under other keys",
			len(p.failed), len(p.used)+len(p.failed), s.side, p.epoch)
	}
	d.holds(tags, len(p.failed) == 0)
	if len(p.used) == 0 {
		return
	}
	seen := map[string]bool{}
	for _, id := range p.used {
		seen[string(d.r.Records[id].Nonce)] = true
	}
	last := &d.r.Records[p.used[len(p.used)-1]]
	nonces := Check{
		Name: checkNonces, Message: -1, Records: p.used, Keys: d.named(p.name + " iv"), Section: "RFC 8446, Section 5.3",
		Expected: Hex(p.nonce(last.Sequence, nil)), Got: last.Nonce,
		Text: fmt.Sprintf("no nonce of the %s in epoch %q comes twice: each is the IV with the record's number in it; the last is shown", s.side, p.epoch),
	}
	if d.old() {
		nonces.Section, nonces.Keys = "RFC 5288, Section 3", d.named(p.name+"_IV")
		if p.suite.ExplicitLen > 0 {
			nonces.Expected = nil
			nonces.Text = fmt.Sprintf("no nonce of the %s comes twice: the first 4 bytes are secret, the others stand in the record; the last is shown", s.side)
		}
	}
	d.holds(nonces, len(seen) == len(p.used))
}
