package relay_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/tlswright/tlswright/internal/relay"
)

// smuggling is a request that two programs could read in two ways, or that is no request at all. What follows it on the
// connection must not be taken for another one.
type smuggling struct {
	name   string
	text   string // CRLF is written as \n; \N is a line feed alone, \R a carriage return alone
	status string
}

const hidden = "GET /hidden HTTP/1.1\nHost: a\n\n"

var smugglings = []smuggling{
	// RFC 9112, Section 6.3, and what became of it in practice
	{"length and chunked", "POST / HTTP/1.1\nHost: a\nContent-Length: 5\nTransfer-Encoding: chunked\n\n0\n\n", "400"},
	{"chunked and length", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nContent-Length: 5\n\n0\n\n", "400"},
	{"chunked and length 0", "POST / HTTP/1.1\nHost: a\nContent-Length: 0\nTransfer-Encoding: chunked\n\n0\n\n", "400"},
	{"two lengths", "POST / HTTP/1.1\nHost: a\nContent-Length: 0\nContent-Length: 30\n\n", "400"},
	{"two equal lengths", "POST / HTTP/1.1\nHost: a\nContent-Length: 0\nContent-Length: 0\n\n", "400"},
	{"list of lengths", "POST / HTTP/1.1\nHost: a\nContent-Length: 0, 30\n\n", "400"},
	{"list of equal lengths", "POST / HTTP/1.1\nHost: a\nContent-Length: 0,0\n\n", "400"},
	{"length with a sign", "POST / HTTP/1.1\nHost: a\nContent-Length: +0\n\n", "400"},
	{"negative length", "POST / HTTP/1.1\nHost: a\nContent-Length: -1\n\n", "400"},
	{"negative zero", "POST / HTTP/1.1\nHost: a\nContent-Length: -0\n\n", "400"},
	{"hexadecimal length", "POST / HTTP/1.1\nHost: a\nContent-Length: 0x0\n\n", "400"},
	{"length with a fraction", "POST / HTTP/1.1\nHost: a\nContent-Length: 0.0\n\n", "400"},
	{"length with an exponent", "POST / HTTP/1.1\nHost: a\nContent-Length: 1e1\n\n", "400"},
	{"length with a space inside", "POST / HTTP/1.1\nHost: a\nContent-Length: 0 0\n\n", "400"},
	{"length with words", "POST / HTTP/1.1\nHost: a\nContent-Length: 0 bytes\n\n", "400"},
	{"empty length", "POST / HTTP/1.1\nHost: a\nContent-Length: \n\n", "400"},
	{"length beyond 64 bits", "POST / HTTP/1.1\nHost: a\nContent-Length: 18446744073709551616\n\n", "400"},
	{"length beyond any", "POST / HTTP/1.1\nHost: a\nContent-Length: 99999999999999999999999999999999\n\n", "400"},
	{"length in other digits", "POST / HTTP/1.1\nHost: a\nContent-Length: \u0660\n\n", "400"},
	{"length behind a vertical tab", "POST / HTTP/1.1\nHost: a\nContent-Length: \v0\n\n", "400"},
	{"length with an underscore", "POST / HTTP/1.1\nHost: a\nContent_Length: 30\n\n", "400"},
	{"length with a dot", "POST / HTTP/1.1\nHost: a\nContent.Length: 30\n\n", "400"},
	{"coding with an underscore", "POST / HTTP/1.1\nHost: a\nTransfer_Encoding: chunked\n\n0\n\n", "400"},
	{"coding with a plus", "POST / HTTP/1.1\nHost: a\nTransfer+Encoding: chunked\n\n0\n\n", "400"},

	// codings
	{"another coding", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: gzip\n\n0\n\n", "501"},
	{"two codings", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: gzip, chunked\n\n0\n\n", "501"},
	{"chunked is not last", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked, identity\n\n0\n\n", "501"},
	{"chunked twice", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked, chunked\n\n0\n\n", "501"},
	{"two fields of chunked", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked\n\n0\n\n", "501"},
	{"chunked, then another", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nTransfer-Encoding: x\n\n0\n\n", "501"},
	{"identity", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: identity\nContent-Length: 0\n\n", "501"},
	{"almost chunked", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: xchunked\n\n0\n\n", "501"},
	{"chunked with a comma", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked,\n\n0\n\n", "501"},
	{"chunked behind a comma", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: ,chunked\n\n0\n\n", "501"},
	{"chunked in quotes", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: \"chunked\"\n\n0\n\n", "501"},
	{"chunked with a parameter", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked;q=1\n\n0\n\n", "501"},
	{"empty coding", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding:\n\n0\n\n", "501"},
	{"chunked behind a vertical tab", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: \vchunked\n\n0\n\n", "400"},
	{"chunked behind a form feed", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding:\fchunked\n\n0\n\n", "400"},
	{"chunked before a null", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\x00\n\n0\n\n", "400"},
	{"chunked before 0x85", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\x85\n\n0\n\n", "501"},
	{"chunked in HTTP/1.0", "POST / HTTP/1.0\nHost: a\nTransfer-Encoding: chunked\n\n0\n\n", "400"},

	// fields
	{"space before the colon", "POST / HTTP/1.1\nHost: a\nContent-Length : 30\n\n", "400"},
	{"tab before the colon", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding\t: chunked\n\n0\n\n", "400"},
	{"space before the name", "POST / HTTP/1.1\nHost: a\n Content-Length: 30\n\n", "400"},
	{"space before the first name", "POST / HTTP/1.1\n Host: a\n\n", "400"},
	{"folded line", "POST / HTTP/1.1\nHost: a\nX: y\n\tContent-Length: 30\n\n", "400"},
	{"folded coding", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding:\n chunked\n\n0\n\n", "501"},
	{"no colon", "POST / HTTP/1.1\nHost: a\nContent-Length\n\n", "400"},
	{"no name", "POST / HTTP/1.1\nHost: a\n: x\n\n", "400"},
	{"null in a name", "POST / HTTP/1.1\nHost: a\nContent-Length\x00: 30\n\n", "400"},
	{"null in a value", "GET / HTTP/1.1\nHost: a\nX: a\x00b\n\n", "400"},
	{"letter beyond ASCII in a name", "POST / HTTP/1.1\nHost: a\nTran\u017ffer-Encoding: chunked\n\n0\n\n", "400"},
	{"name in quotes", "POST / HTTP/1.1\nHost: a\n\"Content-Length\": 30\n\n", "400"},
	{"DEL in a value", "GET / HTTP/1.1\nHost: a\nX: a\x7fb\n\n", "400"},

	// line ends
	{"line feed alone behind the request line", "GET / HTTP/1.1\\NHost: a\n\n", "400"},
	{"line feed alone behind a field", "POST / HTTP/1.1\nHost: a\\NContent-Length: 30\n\n", "400"},
	{"line feed alone inside a value", "GET / HTTP/1.1\nHost: a\nX: y\\NTransfer-Encoding: chunked\n\n", "400"},
	{"line feeds alone everywhere", "GET / HTTP/1.1\\NHost: a\\N\\N", "400"},
	{"line feed alone as the last line", "GET / HTTP/1.1\nHost: a\n\\N", "400"},
	{"carriage return alone in a value", "GET / HTTP/1.1\nHost: a\nX: y\\RTransfer-Encoding: chunked\n\n", "400"},
	{"carriage return alone in the request line", "GET / HTTP/1.1\\RHost: a\n\n", "400"},
	{"two carriage returns", "GET / HTTP/1.1\nHost: a\\R\n\n", "400"},
	{"carriage return before a name", "GET / HTTP/1.1\nHost: a\n\\RX: y\n\n", "400"},
	{"two empty lines in front", "\n\nGET / HTTP/1.1\nHost: a\n\n", "400"},
	{"line feed alone in front", "\\NGET / HTTP/1.1\nHost: a\n\n", "400"},

	// the request line
	{"HTTP/0.9", "GET /\n\n", "400"},
	{"HTTP/1.2", "GET / HTTP/1.2\nHost: a\n\n", "505"},
	{"HTTP/2.0", "GET / HTTP/2.0\nHost: a\n\n", "505"},
	{"the preface of HTTP/2", "PRI * HTTP/2.0\n\nSM\n\n", "505"},
	{"HTTP/1.10", "GET / HTTP/1.10\nHost: a\n\n", "400"},
	{"HTTP/01.1", "GET / HTTP/01.1\nHost: a\n\n", "400"},
	{"version in lower case", "GET / http/1.1\nHost: a\n\n", "400"},
	{"another protocol", "GET / ICY/1.1\nHost: a\n\n", "400"},
	{"two spaces", "GET  / HTTP/1.1\nHost: a\n\n", "400"},
	{"space behind the version", "GET / HTTP/1.1 \nHost: a\n\n", "400"},
	{"tab for a space", "GET\t/ HTTP/1.1\nHost: a\n\n", "400"},
	{"space in the target", "GET /a b HTTP/1.1\nHost: a\n\n", "400"},
	{"a request in the target", "GET / HTTP/1.1 GET /hidden HTTP/1.1\nHost: a\n\n", "400"},
	{"target with a fragment", "GET /#x HTTP/1.1\nHost: a\n\n", "400"},
	{"target beyond ASCII", "GET /\xe9 HTTP/1.1\nHost: a\n\n", "400"},
	{"target with broken encoding", "GET /%zz HTTP/1.1\nHost: a\n\n", "400"},
	{"target with cut-off encoding", "GET /%a HTTP/1.1\nHost: a\n\n", "400"},
	{"target without a slash", "GET x HTTP/1.1\nHost: a\n\n", "400"},
	{"star for GET", "GET * HTTP/1.1\nHost: a\n\n", "400"},
	{"method with a colon", "GE:T / HTTP/1.1\nHost: a\n\n", "400"},
	{"method with a null", "GE\x00T / HTTP/1.1\nHost: a\n\n", "400"},
	{"method without end", strings.Repeat("A", 40) + " / HTTP/1.1\nHost: a\n\n", "400"},
	{"CONNECT", "CONNECT b:443 HTTP/1.1\nHost: b:443\n\n", "501"},
	{"space in front", " GET / HTTP/1.1\nHost: a\n\n", "400"},
	{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\\N", "400"},

	// hosts
	{"no host", "GET / HTTP/1.1\nX: y\n\n", "400"},
	{"two hosts", "GET / HTTP/1.1\nHost: a\nHost: b\n\n", "400"},
	{"two equal hosts", "GET / HTTP/1.1\nHost: a\nHost: a\n\n", "400"},
	{"empty host", "GET / HTTP/1.1\nHost:\n\n", "400"},
	{"list of hosts", "GET / HTTP/1.1\nHost: a, b\n\n", "400"},
	{"host with a user", "GET / HTTP/1.1\nHost: a@b\n\n", "400"},
	{"host with a path", "GET / HTTP/1.1\nHost: a/b\n\n", "400"},
	{"host with a space", "GET / HTTP/1.1\nHost: a b\n\n", "400"},
	{"host with two ports", "GET / HTTP/1.1\nHost: a:80:90\n\n", "400"},
	{"host with a name as port", "GET / HTTP/1.1\nHost: a:b\n\n", "400"},
	{"host with a query", "GET / HTTP/1.1\nHost: a?b\n\n", "400"},
	{"host with a backslash", "GET / HTTP/1.1\nHost: a\\b\n\n", "400"},
	{"host with percent-encoding", "GET / HTTP/1.1\nHost: a%00\n\n", "400"},
	{"unclosed IPv6", "GET / HTTP/1.1\nHost: [::1\n\n", "400"},
	{"absolute target of another host", "GET http://b/ HTTP/1.1\nHost: a\n\n", "400"},
	{"absolute target with another port", "GET http://a:81/ HTTP/1.1\nHost: a\n\n", "400"},
	{"absolute target with a user", "GET http://a@a/ HTTP/1.1\nHost: a\n\n", "400"},
	{"absolute target of another scheme", "GET ftp://a/ HTTP/1.1\nHost: a\n\n", "400"},
	{"absolute target without a host", "GET http:///x HTTP/1.1\nHost: a\n\n", "400"},
	{"absolute target, no Host field", "GET http://a/ HTTP/1.0\n\n", "400"},

	// expectations
	{"another expectation", "POST / HTTP/1.1\nHost: a\nExpect: 200-ok\nContent-Length: 3\n\n", "417"},
	{"two expectations", "POST / HTTP/1.1\nHost: a\nExpect: 100-continue\nExpect: 100-continue\nContent-Length: 3\n\n", "417"},

	// limits
	{"too many fields", "GET / HTTP/1.1\nHost: a\n" + strings.Repeat("X: y\n", 200) + "\n", "431"},
	{"too long a line", "GET / HTTP/1.1\nHost: a\nX: " + strings.Repeat("y", 40_000) + "\n\n", "431"},
	{"too long a target", "GET /" + strings.Repeat("y", 40_000) + " HTTP/1.1\nHost: a\n\n", "431"},
	{"no line at all", strings.Repeat("y", 40_000), "431"},
}

// written makes the bytes of a case.
func written(text string) string {
	return strings.NewReplacer(`\N`, "\n", `\R`, "\r", "\n", "\r\n").Replace(text)
}

func TestSmuggledRequestsAreRefused(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	addr := serve(t, &relay.Front{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.Method+" "+r.RequestURI)
	})})
	for _, s := range smugglings {
		t.Run(s.name, func(t *testing.T) {
			answer := raw(t, addr, written(s.text)+written(hidden))
			if !strings.HasPrefix(answer, "HTTP/1.1 "+s.status+" ") {
				t.Errorf("answer %q, want %s", answer, s.status)
			}
			if !strings.Contains(answer, "\r\nConnection: close\r\n") || strings.Count(answer, "\r\n\r\n") != 1 {
				t.Errorf("the connection goes on: %q", answer)
			}
			mu.Lock()
			defer mu.Unlock()
			if len(seen) > 0 {
				t.Errorf("handled %q", seen)
				seen = nil
			}
		})
	}
	if len(smugglings) < 60 {
		t.Errorf("only %d cases", len(smugglings))
	}
}

// badContent are requests whose head is in order, and whose content is not: a handler learns of it, nothing that follows
// is handled.
var badContent = []smuggling{
	{name: "no size", text: "\nabc\n0\n\n"},
	{name: "size with a sign", text: "+3\nabc\n0\n\n"},
	{name: "negative size", text: "-3\nabc\n0\n\n"},
	{name: "size with 0x", text: "0x3\nabc\n0\n\n"},
	{name: "size with a space in front", text: " 3\nabc\n0\n\n"},
	{name: "size with a space behind", text: "3 \nabc\n0\n\n"},
	{name: "size with a space and an extension", text: "3 ;x\nabc\n0\n\n"},
	{name: "size with a null", text: "3\x00\nabc\n0\n\n"},
	{name: "size with an underscore", text: "0_3\nabc\n0\n\n"},
	{name: "size that is too large", text: "ffffffffffffffff3\nabc\n0\n\n"},
	{name: "size that overflows to 3", text: "10000000000000003\nabc\n0\n\n"},
	{name: "size in another script", text: "\u0663\nabc\n0\n\n"},
	{name: "line feed alone behind a size", text: "3\\Nabc\n0\n\n"},
	{name: "line feed alone behind a chunk", text: "3\nabc\\N0\n\n"},
	{name: "line feed alone in an extension", text: "3;a\\Nabc\n0\n\n"},
	{name: "carriage return alone in an extension", text: "3;a\\Rb\nabc\n0\n\n"},
	{name: "null in an extension", text: "3;a\x00b\nabc\n0\n\n"},
	{name: "extension without end", text: "3;" + strings.Repeat("a", 300) + "\nabc\n0\n\n"},
	{name: "chunk that is too long", text: "3\nabcd\n0\n\n"},
	{name: "chunk that is too short", text: "3\nab\n0\n\n"},
	{name: "two line ends behind a chunk", text: "3\nabc\n\n0\n\n"},
	{name: "line feed alone at the end", text: "3\nabc\n0\n\\N"},
	{name: "line feed alone behind the last size", text: "3\nabc\n0\\N\n"},
	{name: "trailer with a length", text: "3\nabc\n0\nContent-Length: 3\n\n"},
	{name: "trailer with a coding", text: "3\nabc\n0\nTransfer-Encoding: chunked\n\n"},
	{name: "trailer with a host", text: "3\nabc\n0\nHost: b\n\n"},
	{name: "trailer with a folded line", text: "3\nabc\n0\nX: y\n z\n\n"},
	{name: "trailer that is none", text: "3\nabc\n0\nGET /hidden HTTP/1.1\n\n"},
	{name: "trailer with a line feed alone", text: "3\nabc\n0\nX: y\\NZ: 1\n\n"},
	{name: "trailer without end", text: "3\nabc\n0\nX: " + strings.Repeat("y", 9000) + "\n\n"},
	{name: "framing without content", text: strings.Repeat("1;"+strings.Repeat("x", 200)+"\na\n", 400) + "0\n\n"},
}

func TestBrokenContentEndsTheConnection(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	addr := serve(t, &relay.Front{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.RequestURI)
		if err == nil {
			seen = append(seen, "no error")
		}
		w.WriteHeader(http.StatusBadRequest)
	})})
	for _, s := range badContent {
		t.Run(s.name, func(t *testing.T) {
			answer := raw(t, addr, written("POST /first HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n"+s.text)+written(hidden))
			mu.Lock()
			defer mu.Unlock()
			if len(seen) != 1 || !strings.HasPrefix(answer, "HTTP/1.1 400 ") || !strings.Contains(answer, "\r\nConnection: close\r\n") {
				t.Errorf("handled %q, answered %q", seen, answer)
			}
			seen = nil
		})
	}
}

func TestProperRequestsAreTaken(t *testing.T) {
	addr := serve(t, &relay.Front{Handler: http.HandlerFunc(echo)})
	for text, want := range map[string]string{
		"GET /a HTTP/1.1\nHost: a\n\n":                                                             "GET /a host=a len=0 te=[] body=0 err=<nil>\n",
		"\nGET /a HTTP/1.1\nHost: a\n\n":                                                           "GET /a host=a len=0 te=[] body=0 err=<nil>\n",
		"GET /a?b=c&d=%20 HTTP/1.1\nhost:a:80\n\n":                                                 "GET /a?b=c&d=%20 host=a:80 len=0 te=[] body=0 err=<nil>\n",
		"GET http://A:80/a?b HTTP/1.1\nHost: a:80\n\n":                                             "GET /a?b host=a:80 len=0 te=[] body=0 err=<nil>\n",
		"GET https://a HTTP/1.1\nHost: a\n\n":                                                      "GET / host=a len=0 te=[] body=0 err=<nil>\n",
		"OPTIONS * HTTP/1.1\nHost: a\n\n":                                                          "OPTIONS * host=a len=0 te=[] body=0 err=<nil>\n",
		"GET / HTTP/1.0\n\n":                                                                       "GET / host= len=0 te=[] body=0 err=<nil>\n",
		"GET / HTTP/1.1\nHost: [::1]:80\n\n":                                                       "GET / host=[::1]:80 len=0 te=[] body=0 err=<nil>\n",
		"POST / HTTP/1.1\nHost: a\nContent-Length: 3\n\nabc":                                       "POST / host=a len=3 te=[] body=3 err=<nil>\nabc",
		"POST / HTTP/1.1\nHost: a\nContent-Length: \t003 \t\n\nabc":                                "POST / host=a len=3 te=[] body=3 err=<nil>\nabc",
		"POST / HTTP/1.1\nHost: a\nTransfer-Encoding: Chunked\n\n3\nabc\n0\n\n":                    "POST / host=a len=-1 te=[chunked] body=3 err=<nil>\nabc",
		"POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n3;x=\"y\"\nabc\n00\nX: y\n\n":     "POST / host=a len=-1 te=[chunked] body=3 err=<nil>\nabc",
		"POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n1\na\n02\nbc\n0;last\n\n":         "POST / host=a len=-1 te=[chunked] body=3 err=<nil>\nabc",
		"POST / HTTP/1.1\nHost: a\nExpect: 100-Continue\nContent-Length: 3\nX: \xe9 \tz\n\nabc":    "POST / host=a len=3 te=[] body=3 err=<nil>\nabc",
		"M-SEARCH /a HTTP/1.1\nHost: a\nX-Y_Z: 1\n!#$%&'*+-.^_`|~09: x\nEmpty:\nConnection: x\n\n": "M-SEARCH /a host=a len=0 te=[] body=0 err=<nil>\n",
	} {
		answer := raw(t, addr, written(text))
		answer = strings.TrimPrefix(answer, "HTTP/1.1 100 Continue\r\n\r\n")
		head, body, _ := strings.Cut(answer, "\r\n\r\n")
		if !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") || body != want {
			t.Errorf("%q\nanswered %q\nwith %q\nwant %q", text, head, body, want)
		}
	}
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	addr := serve(t, &relay.Front{Handler: http.HandlerFunc(echo)})
	answer := raw(t, addr, written("GET /1 HTTP/1.1\nHost: a\n\nPOST /2 HTTP/1.1\nHost: a\nContent-Length: 3\n\nabcPOST /3 HTTP/1.1\nHost: a\n"+
		"Transfer-Encoding: chunked\n\n3\nabc\n0\n\n\nGET /4 HTTP/1.1\nHost: a\nConnection: close\n\nGET /5 HTTP/1.1\nHost: a\n\n"))
	var got []string
	for _, line := range strings.Split(answer, "\n") {
		if strings.Contains(line, " host=a") {
			got = append(got, strings.Fields(line)[1])
		}
	}
	if strings.Join(got, "") != "/1/2/3/4" {
		t.Errorf("answered %q: %s", got, answer)
	}
}
