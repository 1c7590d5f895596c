package relay

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// exchange is one request with its answer. It is made anew for each: handlers may hold on to what they got.
type exchange struct {
	conn *frontConn
	req  *http.Request
	url  url.URL
	ctx  requestContext
	body requestBody
	resp response

	keeps bool // the client wants the connection to go on
	minor int  // of the version HTTP/1.x
}

// parse makes a request of a head.
func (c *frontConn) parse(raw []byte) (*exchange, error) {
	h := &c.head
	if err := h.parseRequest(raw, c.front.limits.HeaderFields); err != nil {
		return nil, err
	}
	all := string(raw) // every string below is a part of this one
	x := &exchange{conn: c, minor: h.minor, keeps: !h.close && (h.minor > 0 || h.keepAlive)}
	x.ctx.init(c.ctx, x)
	x.body.x = x
	r := new(http.Request).WithContext(&x.ctx)
	r.Method = all[h.method.from:h.method.to]
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, h.minor
	if h.minor == 0 {
		r.Proto = "HTTP/1.0"
	}
	if h.hosts > 0 {
		r.Host = all[h.hostValue.from:h.hostValue.to]
		if !isHost(r.Host) {
			return nil, bad(ReasonHost, "the Host field is no host")
		}
	}
	r.RemoteAddr, r.Close = c.remote, !x.keeps
	if err := x.takeTarget(r, all[h.target.from:h.target.to]); err != nil {
		return nil, err
	}
	header, err := fieldMap(h, all)
	if err != nil {
		return nil, err
	}
	r.Header = header
	if err := x.frame(r, h); err != nil {
		return nil, err
	}
	x.req = r
	x.resp.init(x)
	return x, nil
}

// takeTarget judges what is asked for (RFC 9112, Section 3.2), and makes the origin-form of it.
func (x *exchange) takeTarget(r *http.Request, target string) error {
	r.RequestURI, r.URL = target, &x.url
	switch {
	case r.Method == http.MethodConnect:
		return &Error{Status: http.StatusNotImplemented, Reason: ReasonMethod, Text: "this is no proxy to connect through"}
	case target[0] == '/':
	case target == "*" && r.Method == http.MethodOptions:
		x.url.Path = "*"
		return nil
	default:
		var err error
		if target, err = originForm(target, r.Host); err != nil {
			return err
		}
		r.RequestURI = target
	}
	path, query, has := strings.Cut(target, "?")
	if isPlainPath(path) {
		x.url = url.URL{Path: path, RawQuery: query, ForceQuery: has && query == ""}
		return nil
	}
	u, err := url.ParseRequestURI(target)
	if err != nil || u.Path == "" || u.Path[0] != '/' || u.Host != "" {
		return bad(ReasonTarget, "the target's percent-encoding is wrong")
	}
	x.url = *u
	return nil
}

// originForm cuts "http://host" off a target, if it is the same host as the Host field's.
func originForm(target, host string) (string, error) {
	scheme, rest, ok := strings.Cut(target, "://")
	if !ok || !isFold(scheme, "http") && !isFold(scheme, "https") {
		return "", bad(ReasonTarget, "the target does not begin with a slash")
	}
	i := strings.IndexAny(rest, "/?")
	if i < 0 {
		i = len(rest)
	}
	authority, rest := rest[:i], rest[i:]
	// RFC 9112, Section 3.2.2: the target's host counts, not the field's. Where they differ somebody is to be deceived.
	if host != "" && !strings.EqualFold(authority, host) {
		return "", bad(ReasonHost, "the target has another host than the Host field")
	}
	if !isHost(authority) || host == "" {
		return "", bad(ReasonHost, "the target's host is no host")
	}
	if rest == "" || rest[0] == '?' {
		rest = "/" + rest
	}
	return rest, nil
}

// isPlainPath reports whether a path means what is written, without percent-encoding on either way.
func isPlainPath(p string) bool {
	for i := range len(p) {
		switch c := p[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '/', c == '-', c == '_', c == '.', c == '~':
		default:
			return false
		}
	}
	return true
}

// fieldMap returns the fields as net/http has them: without Host, Transfer-Encoding and Trailer.
func fieldMap(h *head, all string) (http.Header, error) {
	m := make(http.Header, len(h.fields))
	values := make([]string, len(h.fields))
	for i, f := range h.fields {
		switch f.kind {
		case fieldHost, fieldTransferEncoding, fieldTrailer:
			continue
		}
		name := all[f.name.from:f.name.to]
		if f.kind == otherField && isTwin(name) {
			// A gateway behind us that turns dashes into underscores, as CGI does, could not tell the two apart.
			return nil, bad(ReasonField, "a field's name could be taken for one about framing")
		}
		name = http.CanonicalHeaderKey(name)
		values[i] = all[f.value.from:f.value.to]
		if old := m[name]; old != nil {
			m[name] = append(old, values[i])
		} else {
			m[name] = values[i : i+1 : i+1]
		}
	}
	return m, nil
}

// isTwin reports whether a field's name looks like one about framing, or the Host, once punctuation is the same.
func isTwin(name string) bool {
	switch len(name) {
	case len("content-length"):
		return isAlike(name, "content-length")
	case len("transfer-encoding"):
		return isAlike(name, "transfer-encoding")
	}
	return false
}

// isAlike reports whether name is low, whatever stands in the place of its dashes, and whatever its case.
func isAlike(name, low string) bool {
	if len(name) != len(low) {
		return false
	}
	for i := range len(name) {
		if c := lower(name[i]); c != low[i] && (low[i] != '-' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9') {
			return false
		}
	}
	return true
}

// frame says how the content is framed, and what the client expects (RFC 9112, Section 6).
func (x *exchange) frame(r *http.Request, h *head) error {
	limits := &x.conn.front.limits
	r.Body, r.ContentLength = http.NoBody, max(h.length, 0)
	if expect, ok := r.Header["Expect"]; ok {
		if len(expect) != 1 || !isFold(expect[0], "100-continue") {
			return &Error{Status: http.StatusExpectationFailed, Reason: ReasonExpectation, Text: "something else is expected than 100-continue"}
		}
	}
	if !h.chunked && h.length <= 0 {
		x.body.content.err = io.EOF
		return nil
	}
	if limits.BodyBytes > 0 && h.length > limits.BodyBytes {
		return &Error{Status: http.StatusRequestEntityTooLarge, Reason: ReasonTooLarge, Text: "the content is too large"}
	}
	r.Body = &x.body
	if h.chunked {
		r.ContentLength, r.TransferEncoding = -1, []string{"chunked"}
		r.Trailer = announced(h, x.conn.in.buffered())
	}
	x.body.expects = h.minor > 0 && r.Header["Expect"] != nil
	if limits.BodyTime > 0 {
		x.body.until = time.Now().Add(limits.BodyTime)
	}
	x.ctx.reading = true
	x.body.content.start(&x.conn.in, h, limits.HeaderFields)
	x.body.left = limits.BodyBytes
	return nil
}

// announced returns the names of the fields that are to follow the content. It is never nil, so that copies of the
// request see the fields, too, when they have come.
func announced(h *head, raw []byte) http.Header {
	m := make(http.Header)
	for _, f := range h.fields {
		if f.kind != fieldTrailer {
			continue
		}
		elements(string(raw[f.value.from:f.value.to]), func(name string) bool {
			if isToken(name) && kindOf(name) == otherField {
				m[http.CanonicalHeaderKey(name)] = nil
			}
			return true
		})
	}
	return m
}
