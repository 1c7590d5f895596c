package relay

import (
	"bytes"
	"net/http"
)

// beginRelay writes the head of an upstream's answer, straight from its bytes: nothing is made a map of, and back. raw
// is the head, which x.link.head was parsed from.
func (w *response) beginRelay(x *hop, raw []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h, c := &x.link.head, w.x.conn
	w.status, w.begun = h.status, true
	w.bodiless = h.status == http.StatusNoContent || h.status == http.StatusNotModified
	if h.status != http.StatusNoContent {
		w.length = h.length
	}
	if !w.duplex && !w.x.body.settle() || !c.goesOn() {
		w.keeps = false
	}
	w.room()
	c.out = appendStatusLine(c.out, h.status, raw[h.reason.from:h.reason.to])
	hidden := connectionNames(h, raw)
	dated := false
	for _, f := range h.fields {
		if f.kind != otherField && f.kind != fieldDate {
			continue
		}
		name := raw[f.name.from:f.name.to]
		if hasName(w.header, name) || len(hidden) > 0 && named(hidden, string(name)) {
			continue
		}
		dated = dated || f.kind == fieldDate
		c.out = append(c.out, name...)
		c.out = append(c.out, ": "...)
		c.out = append(c.out, raw[f.value.from:f.value.to]...)
		c.out = append(c.out, "\r\n"...)
	}
	if !dated {
		if _, ok := w.header["Date"]; !ok {
			c.out = append(c.out, c.front.dateField()...)
		}
	}
	c.out = appendHeader(c.out, w.header)
	for _, d := range w.defaults {
		if _, ok := w.header[d.name]; !ok && !h.has(raw, d.name) {
			c.out = appendField(c.out, d.name, d.value)
		}
	}
	if w.x.minor > 0 {
		for _, name := range announcedTrailers(h, raw) {
			c.out = appendField(c.out, "Trailer", name)
		}
	}
	w.appendFraming()
}

// hasName reports whether a header has a field of this name, in whatever case.
func hasName(h http.Header, name []byte) bool {
	for own := range h {
		if sameName(name, own) {
			return true
		}
	}
	return false
}

// sameName reports whether two names are the same but for the case of ASCII letters.
func sameName[T text](a T, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if a[i] != b[i] && lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

// has reports whether there is a field of this name.
func (h *head) has(raw []byte, name string) bool {
	for _, f := range h.fields {
		if sameName(raw[f.name.from:f.name.to], name) {
			return true
		}
	}
	return false
}

// appendStatusLine appends a status line with the words of the one who answered.
func appendStatusLine(out []byte, status int, reason []byte) []byte {
	if len(reason) == 0 || status == http.StatusOK && bytes.Equal(reason, []byte("OK")) {
		return appendStatus(out, status)
	}
	out = append(out, "HTTP/1.1 "...)
	out = append(out, byte('0'+status/100), byte('0'+status/10%10), byte('0'+status%10), ' ')
	out = append(out, reason...)
	return append(out, "\r\n"...)
}

// breakOff ends the connection so that nobody takes what was sent for the whole.
func (w *response) breakOff() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = http.ErrAbortHandler
	}
}

// takeBack forgets a response of which nothing has left yet, and reports whether that was so.
func (w *response) takeBack() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left || w.hijacked || w.err != nil {
		return false
	}
	w.x.conn.out = w.x.conn.out[:0]
	w.status, w.begun, w.bodiless, w.chunked, w.trails, w.length, w.written = 0, false, false, false, false, -1, 0
	return true
}

// changed notes, for those who ask for the outcome, that the protocol was changed.
func (w *response) changed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status = http.StatusSwitchingProtocols
}

// carried notes how much content a changed protocol has brought the client.
func (w *response) carried(n int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.written += n
}
