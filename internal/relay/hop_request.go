package relay

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// appendRequest appends the request's head, made anew. Whatever the request came over, HTTP/1.1 or HTTP/2, its parts are
// looked at as if nobody had before (RFC 9113, Section 10.3).
func (x *hop) appendRequest(out []byte) ([]byte, error) {
	r := x.r
	switch {
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		return out, &Error{Status: http.StatusNotImplemented, Reason: ReasonMethod, Text: "the method cannot be passed on"}
	case len(r.Method) > maxMethod || !isToken(r.Method):
		return out, bad(ReasonMethod, "the method is not a name")
	}
	out = append(out, r.Method...)
	out = append(out, ' ')
	out, err := x.appendTarget(out)
	if err != nil {
		return out, err
	}
	out = append(out, " HTTP/1.1\r\n"...)
	if out, err = x.appendHost(out); err != nil {
		return out, err
	}
	x.wantsUpgrade()
	if out, err = x.appendFields(out); err != nil {
		return out, err
	}
	out = x.appendClient(out)
	if x.upgrade != "" {
		out = append(out, "Connection: Upgrade\r\n"...)
		out = appendField(out, "Upgrade", x.upgrade)
	} else if slices.ContainsFunc(r.Header["Te"], func(v string) bool { return lists(v, "trailers") }) {
		out = append(out, "TE: trailers\r\nConnection: TE\r\n"...)
	}
	return append(x.appendLength(out), "\r\n"...), nil
}

// appendTarget appends the path and the query.
func (x *hop) appendTarget(out []byte) ([]byte, error) {
	u := x.r.URL
	// RFC 9113, Section 8.3.1: the path of HTTP/2 MUST begin with a slash; another host in it is for no good.
	if u == nil || u.Opaque != "" || x.r.ProtoMajor > 1 && (u.Host != "" || u.Scheme != "") {
		return out, bad(ReasonTarget, "the target is no path")
	}
	path := u.EscapedPath()
	if path == "*" && x.r.Method == http.MethodOptions && u.RawQuery == "" {
		return append(out, '*'), nil
	}
	if path == "" && x.up.base == "" {
		path = "/"
	}
	if path != "" && (path[0] != '/' || !all(path, inTarget) || strings.IndexByte(path, '?') >= 0) {
		return out, bad(ReasonTarget, "the path has a character that must be percent-encoded")
	}
	if u.RawQuery != "" && !all(u.RawQuery, inTarget) {
		return out, bad(ReasonTarget, "the query has a character that must be percent-encoded")
	}
	out = append(out, x.up.base...)
	out = append(out, path...)
	if u.RawQuery != "" || u.ForceQuery {
		out = append(out, '?')
		out = append(out, u.RawQuery...)
	}
	return out, nil
}

// appendHost appends the Host field.
func (x *hop) appendHost(out []byte) ([]byte, error) {
	host := x.up.o.Host
	if host == "" {
		host = x.r.Host
	}
	if host == "" && x.r.ProtoMajor == 1 && x.r.ProtoMinor == 0 {
		host = x.up.host
	}
	if !isHost(host) {
		return out, bad(ReasonHost, "the request's host is no host")
	}
	return appendField(out, "Host", host), nil
}

// wantsUpgrade notes the protocol that the client wants to change to, where we let it. All others, h2c above all, would
// open a way to the upstream that nobody looks at; those who ask for them get an ordinary answer.
func (x *hop) wantsUpgrade() {
	r := x.r
	if r.ProtoMajor != 1 || r.ProtoMinor == 0 || len(r.Header["Upgrade"]) != 1 || r.Method != http.MethodGet || hasContent(r) {
		return
	}
	if !slices.ContainsFunc(r.Header["Connection"], func(v string) bool { return lists(v, "upgrade") }) {
		return
	}
	if want := strings.ToLower(trim(r.Header["Upgrade"][0])); isToken(want) && slices.Contains(x.up.o.Upgrades, want) {
		x.upgrade = want
	}
}

// appendFields appends the client's fields, but for those about its connection and those that only we may write.
func (x *hop) appendFields(out []byte) ([]byte, error) {
	connection := x.r.Header["Connection"]
	for name, values := range x.r.Header {
		if !isToken(name) {
			return out, bad(ReasonField, "a field's name has a character that no name has")
		}
		switch kindOf(name) {
		case otherField, fieldDate:
		case fieldExpect:
			if !hasContent(x.r) {
				continue
			}
		default:
			continue // ours to say
		}
		switch {
		case isTwin(name):
			return out, bad(ReasonField, "a field's name could be taken for one about framing")
		case isIdentity(name), name == "Early-Data", name == "Http2-Settings", x.strips(name), named(connection, name):
			continue
		case name == "Cookie" && len(values) > 1: // RFC 9113, Section 8.2.3
			values = []string{strings.Join(values, "; ")}
		}
		for _, v := range values {
			if !isValue(v) {
				return out, bad(ReasonField, "a field's value has a control character")
			}
			out = appendField(out, name, v)
		}
	}
	return out, nil
}

// strips reports whether the options say that a field is not passed on.
func (x *hop) strips(name string) bool {
	for _, s := range x.up.o.Strip {
		if strings.EqualFold(s, name) {
			return true
		}
	}
	return false
}

// named reports whether Connection fields name another field as being about this connection only (RFC 9110, Section 7.6.1).
func named(connection []string, name string) bool {
	for _, list := range connection {
		for list != "" {
			e, rest, _ := strings.Cut(list, ",")
			if strings.EqualFold(trim(e), name) {
				return true
			}
			list = rest
		}
	}
	return false
}

// appendClient appends who asks.
func (x *hop) appendClient(out []byte) []byte {
	var c Client
	if x.up.o.Client != nil {
		c = x.up.o.Client(x.r)
	}
	host := c.Host
	if host == "" {
		host = x.r.Host
	}
	if isHost(host) {
		out = appendField(out, "X-Forwarded-Host", host)
	}
	c.Early = c.Early || isEarly(x.r)
	if x.up.o.Client == nil {
		if c.Early {
			out = append(out, "Early-Data: 1\r\n"...)
		}
		return out
	}
	return appendIdentity(out, &c)
}

// appendLength appends how the content is framed, which the client's fields have no part in.
func (x *hop) appendLength(out []byte) []byte {
	switch {
	case hasContent(x.r) && x.r.ContentLength < 0:
		return append(out, "Transfer-Encoding: chunked\r\n"...)
	case hasContent(x.r):
		out = append(out, "Content-Length: "...)
		out = strconv.AppendInt(out, x.r.ContentLength, 10)
		return append(out, "\r\n"...)
	}
	switch x.r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		// RFC 9110, Section 8.6: a user agent SHOULD send 0 when the method anticipates content.
		return append(out, "Content-Length: 0\r\n"...)
	}
	return out
}
