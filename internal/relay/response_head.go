package relay

import (
	"net/http"
	"strconv"
	"strings"
)

// appendStatus appends a status line.
func appendStatus(out []byte, status int) []byte {
	if status == http.StatusOK {
		return append(out, "HTTP/1.1 200 OK\r\n"...)
	}
	out = append(out, "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(status), 10)
	out = append(out, ' ')
	out = append(out, http.StatusText(status)...)
	return append(out, "\r\n"...)
}

// appendHeader appends the fields that a handler has set, but for those about the connection and the framing, which are
// ours, and those that cannot be: nothing that a handler says can end a line or a head.
func appendHeader(out []byte, h http.Header) []byte {
	for name, values := range h {
		if !isToken(name) || isConnectionField(name) || kindOf(name) == fieldContentLength || strings.HasPrefix(name, http.TrailerPrefix) {
			continue
		}
		for _, v := range values {
			out = appendField(out, name, v)
		}
	}
	return out
}

// appendField appends a field line, if its value can be one.
func appendField[T text](out []byte, name, value T) []byte {
	if !isValue(value) {
		return out
	}
	out = append(out, name...)
	out = append(out, ": "...)
	out = append(out, value...)
	return append(out, "\r\n"...)
}

// isConnectionField reports whether a field is about one connection, or the framing on it, and so is never passed on
// (RFC 9110, Section 7.6.1).
func isConnectionField[T text](name T) bool {
	switch kindOf(name) {
	case fieldTransferEncoding, fieldConnection, fieldUpgrade, fieldTrailer, fieldTE, fieldKeepAlive, fieldProxy:
		return true
	}
	return false
}

// appendTrailers appends what a handler wants behind the content: the fields that it announced in Trailer, and those
// with net/http's prefix.
func appendTrailers(out []byte, h http.Header) []byte {
	for name, values := range h {
		if plain, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			out = appendTrailer(out, plain, values)
		}
	}
	for _, list := range h["Trailer"] {
		elements(list, func(name string) bool {
			name = http.CanonicalHeaderKey(name)
			out = appendTrailer(out, name, h[name])
			return true
		})
	}
	return out
}

func appendTrailer(out []byte, name string, values []string) []byte {
	if !isToken(name) || !mayTrail(name) {
		return out
	}
	for _, v := range values {
		out = appendField(out, name, v)
	}
	return out
}

// mayTrail reports whether a field may come behind the content: what is about framing, routing, authentication or the
// content may not (RFC 9110, Section 6.5.1). Some programs take trailers for headers.
func mayTrail(name string) bool {
	if k := kindOf(name); k != otherField && k != fieldDate {
		return false
	}
	low := strings.ToLower(name)
	return !strings.HasPrefix(low, "content-") && !strings.HasPrefix(low, "if-") && !strings.HasPrefix(low, "x-http-method") && !notTrailing[low] &&
		!isIdentity(name) && !isTwin(name)
}

// notTrailing are other names of fields that may not come behind the content.
var notTrailing = map[string]bool{
	"age": true, "authorization": true, "cache-control": true, "cookie": true, "early-data": true, "expires": true, "location": true,
	"max-forwards": true, "pragma": true, "range": true, "retry-after": true, "set-cookie": true, "vary": true, "warning": true,
	"www-authenticate": true, "x-method-override": true,
}
