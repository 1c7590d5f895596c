package scan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Bounds on what an HTTP server may answer.
const (
	maxHead        = 64 << 10 // bytes up to the end of the headers
	maxFields      = 100      // that are kept
	maxFieldValue  = 2000     // bytes that are kept of one
	maxInterim     = 5        // answers 1xx before the real one
	maxFieldsRead  = 1000
	userAgent      = "tlswright"
	acceptEncoding = "gzip, deflate, br, zstd"
)

var (
	errNotHTTP  = errors.New("what came is not HTTP")
	errHeadSize = errors.New("the headers are longer than 64 KiB")
)

// httpField is a header field, its value as it came but for white space around it.
type httpField struct{ name, value string }

// httpAnswer is an answer without its body.
type httpAnswer struct {
	status int
	fields []httpField
}

// first gives the first field of a name, in any case; ok is false if there is none.
func (a *httpAnswer) first(name string) (value string, ok bool) {
	for _, f := range a.fields {
		if strings.EqualFold(f.name, name) {
			return f.value, true
		}
	}
	return "", false
}

// all gives the values of all fields of a name.
func (a *httpAnswer) all(name string) []string {
	var values []string
	for _, f := range a.fields {
		if strings.EqualFold(f.name, name) {
			values = append(values, f.value)
		}
	}
	return values
}

// getHTTP asks for a path and reads the head of the answer. The body is not read: the connection is of no more use.
func getHTTP(rw io.ReadWriter, host, path string) (*httpAnswer, error) {
	request := "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: " + userAgent + "\r\nAccept: */*\r\nAccept-Encoding: " +
		acceptEncoding + "\r\nConnection: close\r\n\r\n"
	if _, err := io.WriteString(rw, request); err != nil {
		return nil, err
	}
	r := headReader{r: rw}
	for range maxInterim {
		head, err := r.next()
		if err != nil {
			return nil, err
		}
		a, err := parseHead(head)
		if err != nil {
			return nil, err
		}
		// RFC 9110, Section 15.2: a client MUST be able to parse interim responses before the final one.
		if a.status >= 200 || a.status == 101 {
			return a, nil
		}
	}
	return nil, fmt.Errorf("%w: only interim answers", errNotHTTP)
}

// headReader reads the heads of answers off a connection, within maxHead bytes in all.
type headReader struct {
	r    io.Reader
	buf  []byte
	line int // where the line begins whose end has not come yet
}

// next gives the next head, the empty line at its end included.
func (h *headReader) next() ([]byte, error) {
	for {
		if n := h.end(); n > 0 {
			head := h.buf[:n]
			h.buf, h.line = h.buf[n:], 0
			return head, nil
		}
		if len(h.buf) > 0 && !bytes.HasPrefix(h.buf, []byte("HTTP/")[:min(len(h.buf), 5)]) {
			return nil, errNotHTTP
		}
		if len(h.buf) >= maxHead {
			return nil, errHeadSize
		}
		part := make([]byte, 4096)
		n, err := h.r.Read(part)
		h.buf = append(h.buf, part[:n]...)
		if n > 0 {
			continue
		}
		switch {
		case err == nil:
			return nil, io.ErrNoProgress
		case len(h.buf) > 0 && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)):
			return nil, fmt.Errorf("%w: it ends in the middle of the headers", errNotHTTP)
		}
		return nil, err
	}
}

// end finds the end of the empty line; 0: it has not come yet. Bare line feeds are taken, as browsers do.
func (h *headReader) end() int {
	for {
		n := bytes.IndexByte(h.buf[h.line:], '\n')
		if n < 0 {
			return 0
		}
		line := bytes.TrimRight(h.buf[h.line:h.line+n], "\r")
		first := h.line == 0
		h.line += n + 1
		if len(line) == 0 && !first {
			return h.line
		}
	}
}

// parseHead reads a status line and header fields (RFC 9112, Sections 4 and 5). Lines that are no fields are passed over, as
// browsers do; folded ones are joined.
func parseHead(head []byte) (*httpAnswer, error) {
	lines := strings.Split(strings.ReplaceAll(string(head), "\r\n", "\n"), "\n")
	status := strings.SplitN(lines[0], " ", 3)
	if len(status) < 2 || !strings.HasPrefix(status[0], "HTTP/") || len(status[1]) != 3 {
		return nil, errNotHTTP
	}
	code, err := strconv.ParseUint(status[1], 10, 16)
	if err != nil || code < 100 {
		return nil, errNotHTTP
	}
	a := &httpAnswer{status: int(code)}
	for _, line := range lines[1:] {
		if line == "" || len(a.fields) >= maxFieldsRead {
			break
		}
		if line[0] == ' ' || line[0] == '\t' {
			if n := len(a.fields); n > 0 {
				a.fields[n-1].value = trimBlank(a.fields[n-1].value + " " + trimBlank(line))
			}
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || !isToken(name) {
			continue
		}
		a.fields = append(a.fields, httpField{name, trimBlank(value)})
	}
	return a, nil
}

// trimBlank takes optional white space off both ends (RFC 9110, Section 5.6.3).
func trimBlank(s string) string { return strings.Trim(s, " \t\r") }

// isToken reports whether s is a token (RFC 9110, Section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}
