package relay

import (
	"bytes"
	"net/http"
)

// A head is scanned for its end first, line by line and as it comes, and parsed once it is there whole. Its parts are
// known by their place, so that the same parser serves those who need strings and those who copy bytes.

// span is a part of a head.
type span struct{ from, to int32 }

// fieldSpan is one field line.
type fieldSpan struct {
	name, value span
	kind        fieldKind
}

// fieldKind tells the fields that this package acts upon from all others.
type fieldKind uint8

const (
	otherField fieldKind = iota
	fieldHost
	fieldContentLength
	fieldTransferEncoding
	fieldConnection
	fieldUpgrade
	fieldExpect
	fieldTrailer
	fieldTE
	fieldKeepAlive
	fieldProxy // Proxy-Connection, Proxy-Authorization, Proxy-Authenticate
	fieldDate
)

// head is what was parsed of a message's beginning. Its spans are places in the bytes that were parsed.
type head struct {
	method, target span // of a request
	status         int  // of a response
	reason         span
	minor          int // of the version HTTP/1.x
	fields         []fieldSpan

	length    int64 // the Content-Length; -1: none
	chunked   bool
	hosts     int
	hostValue span
	close     bool // Connection: close
	keepAlive bool // Connection: keep-alive
	upgrade   bool // Connection: upgrade
	coded     bool // there is a Transfer-Encoding
}

// lineScanner looks for the end of a head.
type lineScanner struct {
	line int // where the present line begins
	seen int // what was looked at
}

// find looks for the empty line that ends a head, and returns the place behind it; 0: it has not come. A line that ends
// in LF alone is an error at once: where one program sees a line's end there, and another none, a request can be hidden.
func (s *lineScanner) find(b []byte) (end int, err error) {
	for {
		i := bytes.IndexByte(b[s.seen:], '\n')
		if i < 0 {
			s.seen = len(b)
			return 0, nil
		}
		i += s.seen
		s.seen = i + 1
		// RFC 9112, Section 2.2: a recipient MAY recognize a single LF as a line terminator. We do not.
		if i == 0 || b[i-1] != '\r' || i-1 < s.line {
			return 0, bad(ReasonLine, "a line of the header ends in a line feed alone")
		}
		if i-1 == s.line {
			return i + 1, nil
		}
		s.line = i + 1
	}
}

// line cuts the next line off b[at:]. The scanner has seen to it that there is one.
func line(b []byte, at int) (from, to, next int) {
	i := bytes.IndexByte(b[at:], '\n') + at
	return at, i - 1, i + 1
}

// parseRequest parses a request's head, which ends in an empty line, and judges its framing (RFC 9112, Section 3).
func (h *head) parseRequest(b []byte, maxFields int) error {
	h.reset()
	from, to, next := line(b, 0)
	if err := h.parseRequestLine(b, from, to); err != nil {
		return err
	}
	if err := h.parseFields(b, next, maxFields); err != nil {
		return err
	}
	// RFC 9112, Section 3.2: 400 to any request message that lacks a Host header field, that has more than one, or an
	// invalid one.
	switch {
	case h.hosts > 1:
		return bad(ReasonHost, "there is more than one Host field")
	case h.hosts == 0 && h.minor > 0:
		return bad(ReasonHost, "there is no Host field")
	case h.coded && h.minor == 0:
		return bad(ReasonCoding, "Transfer-Encoding does not exist in HTTP/1.0")
	}
	return h.checkFraming()
}

// parseResponse parses a response's head (RFC 9112, Section 4).
func (h *head) parseResponse(b []byte, maxFields int) error {
	h.reset()
	from, to, next := line(b, 0)
	if err := h.parseStatusLine(b, from, to); err != nil {
		return err
	}
	if err := h.parseFields(b, next, maxFields); err != nil {
		return err
	}
	if h.coded && h.minor == 0 {
		return bad(ReasonCoding, "Transfer-Encoding does not exist in HTTP/1.0")
	}
	return h.checkFraming()
}

func (h *head) reset() { *h = head{fields: h.fields[:0], length: -1} }

// checkFraming refuses what makes the end of the content a matter of opinion.
func (h *head) checkFraming() error {
	if h.coded && h.length >= 0 {
		return bad(ReasonCoding, "there is a Transfer-Encoding beside a Content-Length")
	}
	return nil
}

// parseRequestLine parses "GET /path HTTP/1.1", single spaces and nothing else.
func (h *head) parseRequestLine(b []byte, from, to int) error {
	l := b[from:to]
	i := bytes.IndexByte(l, ' ')
	j := bytes.LastIndexByte(l, ' ')
	if i <= 0 || j == i {
		return bad(ReasonStart, "the first line is not a method, a target and a version")
	}
	if i > maxMethod || !isToken(l[:i]) {
		return bad(ReasonStart, "the method is not a name")
	}
	minor, err := parseVersion(l[j+1:])
	if err != nil {
		return err
	}
	if !all(l[i+1:j], inTarget) {
		return bad(ReasonTarget, "the target has a space or another character that must be percent-encoded")
	}
	h.minor = minor
	h.method = span{int32(from), int32(from + i)}
	h.target = span{int32(from + i + 1), int32(from + j)}
	return nil
}

// maxMethod bounds a method's name, in bytes.
const maxMethod = 32

// parseVersion returns x of HTTP/1.x.
func parseVersion(v []byte) (minor int, err error) {
	switch string(v) {
	case "HTTP/1.1":
		return 1, nil
	case "HTTP/1.0":
		return 0, nil
	}
	if len(v) == 8 && string(v[:5]) == "HTTP/" && isDigits(v[5:6]) && v[6] == '.' && isDigits(v[7:]) {
		return 0, &Error{Status: http.StatusHTTPVersionNotSupported, Reason: ReasonVersion, Text: "the version is neither HTTP/1.1 nor HTTP/1.0"}
	}
	return 0, bad(ReasonStart, "the first line does not end in a version of HTTP")
}

// parseStatusLine parses "HTTP/1.1 200 OK"; the reason may be missing, and then its space, too.
func (h *head) parseStatusLine(b []byte, from, to int) error {
	l := b[from:to]
	const status = 9 // where the number stands
	if len(l) < status+3 || l[status-1] != ' ' || !isDigits(l[status:status+3]) || len(l) > status+3 && l[status+3] != ' ' {
		return bad(ReasonStart, "the first line is not a version and a status")
	}
	minor, err := parseVersion(l[:status-1])
	if err != nil {
		return err
	}
	h.minor = minor
	h.status = int(l[status]-'0')*100 + int(l[status+1]-'0')*10 + int(l[status+2]-'0')
	if h.status < 100 || h.status > 599 {
		return bad(ReasonStart, "the status lies outside of 100 to 599")
	}
	h.reason = span{int32(from + status + 3), int32(to)}
	if len(l) > status+3 {
		h.reason.from++
		if !isValue(l[status+4:]) {
			return bad(ReasonStart, "the words behind the status have a control character")
		}
	}
	return nil
}

// parseFields parses the field lines from b[at:] up to the empty one.
func (h *head) parseFields(b []byte, at, maxFields int) error {
	for {
		from, to, next := line(b, at)
		if from == to {
			return nil
		}
		if len(h.fields) == maxFields {
			return &Error{Status: http.StatusRequestHeaderFieldsTooLarge, Reason: ReasonTooLarge, Text: "there are too many fields"}
		}
		f, err := parseField(b, from, to)
		if err != nil {
			return err
		}
		if f.kind != otherField {
			if err := h.note(f, b[f.value.from:f.value.to]); err != nil {
				return err
			}
		}
		h.fields = append(h.fields, f)
		at = next
	}
}

// parseField parses one field line (RFC 9112, Section 5).
func parseField(b []byte, from, to int) (f fieldSpan, err error) {
	if b[from] == ' ' || b[from] == '\t' {
		return f, bad(ReasonField, "a field line begins with a space: lines are not folded")
	}
	colon := from
	for colon < to && classes[b[colon]]&inToken != 0 {
		colon++
	}
	switch {
	case colon == to:
		return f, bad(ReasonField, "a field line has no colon")
	case b[colon] == ' ' || b[colon] == '\t':
		// RFC 9112, Section 5.1: a server MUST reject any request with whitespace between a name and the colon.
		return f, bad(ReasonField, "a field's name is followed by a space")
	case b[colon] != ':' || colon == from:
		return f, bad(ReasonField, "a field's name has a character that no name has")
	}
	start, end := colon+1, to
	for start < end && (b[start] == ' ' || b[start] == '\t') {
		start++
	}
	for end > start && (b[end-1] == ' ' || b[end-1] == '\t') {
		end--
	}
	if !isValue(b[start:end]) {
		return f, bad(ReasonField, "a field's value has a control character")
	}
	f.name, f.value = span{int32(from), int32(colon)}, span{int32(start), int32(end)}
	f.kind = kindOf(b[from:colon])
	return f, nil
}

// kindOf recognizes a field by its name.
func kindOf[T text](name T) fieldKind {
	switch len(name) {
	case 2:
		return ifFold(name, "te", fieldTE)
	case 4:
		if lower(name[0]) == 'h' {
			return ifFold(name, "host", fieldHost)
		}
		return ifFold(name, "date", fieldDate)
	case 6:
		return ifFold(name, "expect", fieldExpect)
	case 7:
		if lower(name[0]) == 'u' {
			return ifFold(name, "upgrade", fieldUpgrade)
		}
		return ifFold(name, "trailer", fieldTrailer)
	case 10:
		if lower(name[0]) == 'k' {
			return ifFold(name, "keep-alive", fieldKeepAlive)
		}
		return ifFold(name, "connection", fieldConnection)
	case 14:
		return ifFold(name, "content-length", fieldContentLength)
	case 16:
		return ifFold(name, "proxy-connection", fieldProxy)
	case 17:
		return ifFold(name, "transfer-encoding", fieldTransferEncoding)
	case 18:
		return ifFold(name, "proxy-authenticate", fieldProxy)
	case 19:
		return ifFold(name, "proxy-authorization", fieldProxy)
	}
	return otherField
}

func ifFold[T text](name T, low string, k fieldKind) fieldKind {
	if isFold(name, low) {
		return k
	}
	return otherField
}

// note keeps what a field says of the message's framing and its connection.
func (h *head) note(f fieldSpan, value []byte) error {
	switch f.kind {
	case fieldHost:
		h.hosts++
		h.hostValue = f.value
	case fieldContentLength:
		n, ok := parseLength(value)
		if !ok {
			return bad(ReasonLength, "the Content-Length is not one number")
		}
		if h.length >= 0 { // equal ones, too: whoever sends two wants to be misunderstood
			return bad(ReasonLength, "there is more than one Content-Length")
		}
		h.length = n
	case fieldTransferEncoding:
		// RFC 9112, Section 6.1: other codings than chunked we do not understand.
		if h.coded || !isFold(value, "chunked") {
			return &Error{Status: http.StatusNotImplemented, Reason: ReasonCoding, Text: "the Transfer-Encoding is not chunked and nothing else"}
		}
		h.coded, h.chunked = true, true
	case fieldConnection:
		elements(string(value), func(e string) bool {
			switch {
			case isFold(e, "close"):
				h.close = true
			case isFold(e, "keep-alive"):
				h.keepAlive = true
			case isFold(e, "upgrade"):
				h.upgrade = true
			}
			return true
		})
	}
	return nil
}
