package relay

import (
	"bytes"
	"errors"
	"maps"
	"net/http"
	"strconv"
)

// handBack hands the answer to the client. Its head is the first n bytes that are buffered.
func (x *hop) handBack(n int) error {
	l := x.link
	raw := l.in.buffered()[:n]
	if x.bodiless() {
		x.content.start(&l.in, &head{length: 0}, answerFields)
	} else {
		x.content.start(&l.in, &l.head, answerFields)
	}
	x.begun = true
	if x.front != nil {
		x.front.beginRelay(x, raw)
	} else {
		x.beginPlain(raw)
	}
	l.in.take(n)
	if err := x.handContent(); err != nil {
		return err
	}
	x.handTrailers()
	if x.pump != nil {
		x.stopPump()
	}
	if x.stopWatching() && x.reusable() {
		x.up.park(l)
	} else {
		l.drop()
	}
	return nil
}

// bodiless reports whether no content follows the head, whatever it says (RFC 9112, Section 6.3).
func (x *hop) bodiless() bool {
	s := x.link.head.status
	return x.r.Method == http.MethodHead || s == http.StatusNoContent || s == http.StatusNotModified
}

// reusable reports whether another request can go over the link: both sides have said all that they had to.
func (x *hop) reusable() bool {
	h, in := &x.link.head, &x.link.in
	return h.minor > 0 && !h.close && x.content.done() && (h.chunked || h.length >= 0 || x.bodiless()) &&
		len(in.buffered()) == 0 && !in.has && (x.pump == nil || x.pump.finished() && x.pump.whole)
}

// handContent hands the content on as it comes.
func (x *hop) handContent() error {
	if x.content.done() {
		return nil
	}
	var scratch []byte
	defer func() { x.up.pool.put(scratch) }()
	for waits := true; ; {
		p, err := x.nextContent(&scratch, waits)
		if len(p) > 0 {
			if _, werr := x.w.Write(p); werr != nil {
				return &Error{Reason: ReasonClient, Text: "the client went away", Err: werr}
			}
		}
		switch {
		case x.content.done():
			return nil
		case err == nil:
			waits = len(p) >= largeBuffer // much has come, and so will more
		case waits || !isTimeout(err):
			return x.contentFailed(err)
		default: // what follows may take its time: the client gets what there is
			if err := x.flush(); err != nil {
				return &Error{Reason: ReasonClient, Text: "the client went away", Err: err}
			}
			waits = true
		}
	}
}

// nextContent returns more of the answer's content. Unless it waits for that, only what is there: else it times out.
func (x *hop) nextContent(scratch *[]byte, waits bool) (p []byte, err error) {
	next := func() error {
		p, err = x.content.next(scratch, &x.up.pool)
		return err
	}
	if waits {
		err = x.patiently(x.up.o.Stall, next)
		return p, err
	}
	in := &x.link.in
	in.dry = true
	err = next()
	in.dry = false
	return p, err
}

func (x *hop) flush() error {
	if x.front != nil {
		return x.front.FlushError()
	}
	err := http.NewResponseController(x.w).Flush()
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}

// contentFailed says what an error means that came inside the answer's content.
func (x *hop) contentFailed(err error) error {
	var e *Error
	switch {
	case x.deserted.Load():
		return &Error{Reason: ReasonClient, Text: "the client went away", Err: err}
	case x.pump != nil && x.pump.clientError() != nil:
		return x.pump.clientError()
	case errors.As(err, &e):
		return &Error{Status: http.StatusBadGateway, Reason: ReasonBroken, Text: "the upstream's answer cannot be passed on", Err: e}
	case isTimeout(err):
		return &Error{Status: http.StatusGatewayTimeout, Reason: ReasonSlow, Text: "the upstream stopped in the middle of its answer", Err: err}
	}
	return &Error{Status: http.StatusBadGateway, Reason: ReasonNoAnswer, Text: "the upstream's answer was cut off", Err: err}
}

// handTrailers hands on what came behind the content.
func (x *hop) handTrailers() {
	c := &x.content
	for _, f := range c.trailer {
		name := http.CanonicalHeaderKey(string(c.raw[f.name.from:f.name.to]))
		h, key := x.w.Header(), http.TrailerPrefix+name
		h[key] = append(h[key], string(c.raw[f.value.from:f.value.to]))
	}
}

// beginPlain begins the response of a ResponseWriter that is not ours.
func (x *hop) beginPlain(raw []byte) {
	h, lh := x.w.Header(), &x.link.head
	maps.Copy(h, x.fields(raw))
	delete(h, "Content-Length")
	if lh.length >= 0 && lh.status != http.StatusNoContent {
		h["Content-Length"] = []string{strconv.FormatInt(lh.length, 10)}
	}
	if names := announcedTrailers(lh, raw); len(names) > 0 {
		h["Trailer"] = names
	}
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = nil // net/http is not to guess
	}
	x.w.WriteHeader(lh.status)
}

// fields returns the answer's fields that are passed on, with canonical names.
func (x *hop) fields(raw []byte) http.Header {
	h, passed := &x.link.head, make(http.Header, len(x.link.head.fields))
	own := x.w.Header()
	hidden := connectionNames(h, raw)
	for _, s := range h.fields {
		if s.kind != otherField && s.kind != fieldDate {
			continue
		}
		name := http.CanonicalHeaderKey(string(raw[s.name.from:s.name.to]))
		if _, ours := own[name]; ours || named(hidden, name) {
			continue
		}
		passed[name] = append(passed[name], string(raw[s.value.from:s.value.to]))
	}
	return passed
}

// announcedTrailers returns the names that a chunked answer says will come behind its content.
func announcedTrailers(h *head, raw []byte) (names []string) {
	for _, f := range h.fields {
		if f.kind == fieldTrailer && h.chunked {
			elements(string(raw[f.value.from:f.value.to]), func(name string) bool {
				if isToken(name) && kindOf(name) == otherField {
					names = append(names, http.CanonicalHeaderKey(name))
				}
				return true
			})
		}
	}
	return names
}

// connectionNames returns the values of Connection, if they name other fields.
func connectionNames(h *head, raw []byte) (lists []string) {
	for _, s := range h.fields {
		if s.kind != fieldConnection {
			continue
		}
		switch v := string(bytes.ToLower(raw[s.value.from:s.value.to])); v {
		case "close", "keep-alive", "upgrade", "":
		default:
			lists = append(lists, v)
		}
	}
	return lists
}

// change changes the protocol: the connections are joined from here on. The answer's head is the first n bytes buffered.
func (x *hop) change(n int) error {
	l := x.link
	raw := l.in.buffered()[:n]
	if !l.head.upgrade || !x.answersUpgrade(raw) {
		return x.noAnswer(bad(ReasonStart, "the protocol was changed to another one than was asked for"))
	}
	out := appendStatus(nil, http.StatusSwitchingProtocols)
	out = appendHeader(out, x.fields(raw))
	out = append(out, "Connection: Upgrade\r\n"...)
	out = append(appendField(out, "Upgrade", x.upgrade), "\r\n"...)
	conn, rw, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		return &Error{Status: http.StatusBadGateway, Reason: ReasonBroken, Text: "the protocol cannot be changed here", Err: err}
	}
	x.begun = true
	x.up.pool.put(x.out) // a tunnel may last, and says nothing for long
	x.out = nil
	if x.front != nil {
		x.front.changed()
	}
	l.in.take(n)
	early := append([]byte(nil), l.in.buffered()...)
	l.in.drop()
	x.tunnel(conn, rw, append(out, early...))
	return nil
}

// answersUpgrade reports whether the answer agrees to the protocol that was asked for.
func (x *hop) answersUpgrade(raw []byte) bool {
	found := 0
	for _, f := range x.link.head.fields {
		if f.kind == fieldUpgrade {
			if !isFold(raw[f.value.from:f.value.to], x.upgrade) {
				return false
			}
			found++
		}
	}
	return found == 1
}
