package trace

import (
	"crypto"
	"hash"
	"slices"

	"github.com/tlswright/tlswright/wire"
)

// thread is the transcript of the handshake. What is not in it - what came after the handshake, or after a record that
// could not be opened - is not in order.
type thread struct {
	hash  crypto.Hash
	order []int          // IDs of messages
	sums  map[int][]byte // by ID: the hash up to and including the message
	ends  map[string]int // by hash: the ID
	// synthetic is the message_hash that stands for the first ClientHello after a HelloRetryRequest; nil: none.
	synthetic []byte
}

// messageHashType is the type of that message (RFC 8446, Section 4.4.1).
const messageHashType = 254

// transcript computes the hash after each message of the handshake.
func (d *decoder) transcript() {
	t := &thread{sums: map[int][]byte{}, ends: map[string]int{}}
	d.thread = t
	t.order = d.handshakeOrder()
	if t.hash = d.transcriptHash(); t.hash == 0 {
		return
	}
	w := newHash(t.hash)()
	for _, id := range t.order {
		m := &d.r.Messages[id]
		if t.synthetic == nil && d.isRetry(m) {
			t.synthetic = append([]byte{messageHashType, 0, 0, byte(t.hash.Size())}, w.Sum(nil)...)
			w.Reset()
			w.Write(t.synthetic)
		}
		w.Write(d.said(m))
		t.note(m, d.said(m), w)
	}
}

func (t *thread) note(m *Message, said []byte, w hash.Hash) {
	h := w.Sum(nil)
	m.Transcript = Hex(h)
	t.sums[m.ID], t.ends[string(h)] = h, m.ID
	if m.ID == t.order[0] { // early data may be for another hash than the cipher suite has
		t.ends[string(sum(crypto.SHA256, said))], t.ends[string(sum(crypto.SHA384, said))] = m.ID, m.ID
	}
}

// transcriptHash is that of the cipher suite; before one is chosen that of the pre-shared key.
func (d *decoder) transcriptHash() crypto.Hash {
	if d.suite != nil {
		return d.suite.Hash
	}
	if d.version != 0 {
		return 0
	}
	return d.offeredHash(0)
}

// offeredHash is that of a pre-shared key that the client offers, which its binder shows; 0: there is none.
func (d *decoder) offeredHash(index int) crypto.Hash {
	if d.hello == nil {
		return 0
	}
	var offer wire.PreSharedKeys
	if ok, err := d.hello.Ext(&offer); !ok || err != nil || len(offer.Binders) <= index {
		return 0
	}
	switch len(offer.Binders[index]) {
	case crypto.SHA256.Size():
		return crypto.SHA256
	case crypto.SHA384.Size():
		return crypto.SHA384
	}
	return 0
}

func (d *decoder) isRetry(m *Message) bool {
	return m.From == Server && d.retry != nil && m.Type == "HelloRetryRequest"
}

// handshakeOrder gives the messages of the handshake in the order of the transcript. It looks at who says what to whom
// and not at the time: a capture can have mixed up the two directions.
func (d *decoder) handshakeOrder() []int {
	c, s := d.readable(Client), d.readable(Server)
	var order []int
	take := func(from *[]int, upTo ...wire.HandshakeType) bool {
		for len(*from) > 0 {
			id := (*from)[0]
			*from = (*from)[1:]
			m := &d.r.Messages[id]
			if d.is(m, wire.TypeHelloRequest) && d.old() { // RFC 5246, Section 7.4.1.1: it is in no hash
				continue
			}
			order = append(order, id)
			if slices.ContainsFunc(upTo, func(t wire.HandshakeType) bool { return d.is(m, t) }) {
				return true
			}
		}
		return false
	}
	if !take(&c, wire.TypeClientHello) {
		return order
	}
	if len(s) > 0 && d.isRetry(&d.r.Messages[s[0]]) {
		take(&s, wire.TypeServerHello)
		if !take(&c, wire.TypeClientHello) {
			return order
		}
	}
	if !d.old() {
		if take(&s, wire.TypeFinished) {
			take(&c, wire.TypeFinished)
		}
		return order
	}
	short := d.finishesFirst(s)
	if take(&s, wire.TypeServerHelloDone, wire.TypeFinished) && take(&c, wire.TypeFinished) && !short {
		take(&s, wire.TypeFinished)
	}
	return order
}

// finishesFirst reports whether the server's Finished comes without a ServerHelloDone: the session is resumed.
func (d *decoder) finishesFirst(server []int) bool {
	for _, id := range server {
		m := &d.r.Messages[id]
		if d.is(m, wire.TypeServerHelloDone) {
			return false
		}
		if d.is(m, wire.TypeFinished) {
			return true
		}
	}
	return false
}

// readable gives the messages of a side up to the first record that could not be opened.
func (d *decoder) readable(side Side) []int {
	end := len(d.r.Records)
	for i := range d.r.Records {
		rec := &d.r.Records[i]
		if rec.From == side && rec.Problem != "" && !rec.Opened && rec.Epoch != epochEarly && rec.Epoch != epochPlaintext {
			end = i
			break
		}
	}
	var ids []int
	for i := range d.r.Messages {
		m := &d.r.Messages[i]
		if m.From != side {
			continue
		}
		if len(m.Spans) == 0 || m.Spans[len(m.Spans)-1].Record >= end {
			break
		}
		ids = append(ids, i)
	}
	return ids
}

// settle names, after everything was seen, the early data that the server refused: it is under keys that nobody but
// the client has.
func (d *decoder) settle() {
	if d.hello == nil {
		return
	}
	if early, _ := d.hello.Ext(&wire.EarlyData{}); !early {
		return
	}
	for i := range d.r.Records {
		rec := &d.r.Records[i]
		if rec.From != Client || rec.Epoch == epochPlaintext {
			continue
		}
		if rec.Opened && rec.Epoch != epochEarly {
			return
		}
		if rec.Epoch == epochUnknown {
			rec.Epoch = epochEarly
			rec.Problem = "early data, for whose keys no secret is at hand"
			d.sealedFields(rec)
		}
	}
}

// before is the transcript hash of all that comes before a message; nil: that is not known.
func (t *thread) before(id int) []byte {
	i := slices.Index(t.order, id)
	if i < 0 || t.hash == 0 {
		return nil
	}
	if i == 0 {
		return sum(t.hash)
	}
	return t.sums[t.order[i-1]]
}

// cutShort is the transcript hash up to a message that ends after n bytes, as for binders. The hash may be that of a
// pre-shared key.
func (d *decoder) cutShort(hash crypto.Hash, id, n int) []byte {
	t := d.thread
	i := slices.Index(t.order, id)
	if i < 0 {
		return nil
	}
	parts := [][]byte{}
	for _, before := range t.order[:i] {
		m := &d.r.Messages[before]
		if d.isRetry(m) {
			parts = [][]byte{t.synthetic}
		}
		parts = append(parts, d.said(m))
	}
	return sum(hash, append(parts, d.said(&d.r.Messages[id])[:n])...)
}

// renew makes the keys that follow after a KeyUpdate (RFC 8446, Section 7.2).
func (d *decoder) renew(s *stream) {
	if s.current < 0 || s.renewals == maxRenewals {
		return
	}
	s.renewals++
	p := s.keys[s.current]
	epoch, name := nextGeneration(p.name)
	if epoch == "" {
		return
	}
	next := newProtection(p.suite, epoch, name, expandLabel(p.suite.Hash, p.secret, "traffic upd", nil, p.suite.Hash.Size()))
	if next != nil {
		next.after = p
		s.keys = append(s.keys[:s.current+1:s.current+1], next)
	}
}
