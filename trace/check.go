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
	d.checkECH()
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

// ending is a message at which transcript hashes end that keys are derived from.
type ending struct {
	message *Message
	where   string
}

// endings says, by label, where the transcript hash of a step has to end.
func (d *decoder) endings() map[string]ending {
	ends := map[string]ending{}
	set := func(m *Message, where string, labels ...string) {
		for _, label := range labels {
			if m != nil {
				ends[label] = ending{m, where}
			}
		}
	}
	set(d.in(Client, wire.TypeClientHello), "the ClientHello", "c e traffic", "e exp master")
	set(d.lastIn(Server, wire.TypeServerHello), "the ServerHello", "c hs traffic", "s hs traffic")
	set(d.in(Server, wire.TypeFinished), "the server's Finished", "c ap traffic", "s ap traffic", "exp master")
	set(d.in(Client, wire.TypeFinished), "the client's Finished", "res master")
	set(d.in(Client, wire.TypeClientKeyExchange), "the ClientKeyExchange", "extended master secret")
	return ends
}

// checkTranscripts compares the transcript hashes that a machine of ours derived its keys from with those of the bytes.
func (d *decoder) checkTranscripts() {
	const most = 32
	ends := d.endings()
	at := map[string]int{} // by place and hash: the check
	for i := range d.r.Keys {
		k := &d.r.Keys[i]
		end, ok := ends[k.Label]
		if !ok || len(k.Context) == 0 {
			continue
		}
		place := end.where + string(k.Context)
		if id, ok := at[place]; ok {
			d.r.Checks[id].Keys = append(d.r.Checks[id].Keys, i)
			continue
		}
		if len(at) == most {
			return
		}
		at[place] = len(d.r.Checks)
		d.compared(Check{
			Name: "transcript hash", Message: end.message.ID, Keys: []int{i}, Section: "RFC 8446, Section 4.4.1",
			Text: "the hash over all messages up to " + end.where + ", against the one that keys were derived from",
		}, d.cutShort(hashOfSize(len(k.Context)), end.message.ID, len(d.said(end.message))), k.Context)
	}
}

// checkSchedule says whether all steps of the key schedule come out the same.
func (d *decoder) checkSchedule() {
	if len(d.r.Keys) == 0 {
		return
	}
	var wrong []int
	unproved := 0
	for i := range d.r.Keys {
		switch k := &d.r.Keys[i]; {
		case k.Agrees:
		case k.How == howGiven, k.How == howECDH:
			unproved++
		default:
			wrong = append(wrong, i)
		}
	}
	c := Check{Name: "key schedule", Message: -1, Keys: wrong, Section: "RFC 8446, Section 7.1", Text: fmt.Sprintf("each of %d steps, computed anew from its inputs, comes out the same", len(d.r.Keys))}
	if d.old() {
		c.Section = "RFC 5246, Section 8.1"
	}
	if unproved > 0 {
		c.Text += fmt.Sprintf("; %d given secrets were used for nothing that was seen", unproved)
	}
	if len(wrong) > 0 {
		c.Text = fmt.Sprintf("%d of %d steps, computed anew from their inputs, do not come out the same", len(wrong), len(d.r.Keys))
	}
	d.holds(c, len(wrong) == 0)
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
	tags.Text = fmt.Sprintf("all %d records of the %s under the keys of epoch %q are authentic", len(p.used), s.side, p.epoch)
	if len(p.used) == 1 {
		tags.Text = fmt.Sprintf("the one record of the %s under the keys of epoch %q is authentic", s.side, p.epoch)
	}
	if len(p.failed) > 0 {
		tags.Records = p.failed
		tags.Text = fmt.Sprintf("of the records of the %s behind the keys of epoch %q, %d of %d do not authenticate: they were changed on the way, or are under other keys",
			s.side, p.epoch, len(p.failed), len(p.used)+len(p.failed))
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
