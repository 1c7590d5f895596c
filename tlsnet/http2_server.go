package tlsnet

import "net/http"

// newHTTP2Server returns the server for connections that negotiated "h2". net/http calls HTTP/2 without its own TLS
// "unencrypted"; here the connection beneath is encrypted already, and a preface that is not HTTP/2's closes it
// (RFC 9113, Section 3.4).
func newHTTP2Server(s *HTTPServer) *http.Server {
	h2 := s.newServer(s.Handler)
	h2.Protocols.SetUnencryptedHTTP2(true)
	return h2
}
