package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/estate"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// serveHTTP serves h over HTTP/1.1 and HTTP/2 until ctx ends, and then lets requests under way finish.
func serveHTTP(ctx context.Context, l *tlsnet.Listener, h http.Handler, told *serveLog) error {
	server := &tlsnet.HTTPServer{
		Handler: told.requests(h),
		HandshakeError: func(c *tlsnet.Conn, err error) {
			if !errors.Is(err, context.Canceled) {
				told.refused(c, err)
			}
		},
		ErrorLog: log.New(&warnings{told.app.ui}, "", 0),
	}
	return estate.ServeUntil(ctx, server, func() error { return server.Serve(l) })
}

// warnings turns what net/http logs into warnings, a line each.
type warnings struct{ ui *ui }

func (w *warnings) Write(p []byte) (int, error) {
	w.ui.warnf("%s", pki.Printable(strings.TrimSpace(string(p))))
	return len(p), nil
}

// clientOf is the verified certificate of the client that made the request, or nil.
func clientOf(r *http.Request) *x509.Certificate {
	info, ok := tlsnet.InfoFromContext(r.Context())
	if !ok || !info.Peer.Verified() {
		return nil
	}
	return info.Peer.Chain[0]
}

// requests tells every request that h answered.
func (l *serveLog) requests(h http.Handler) http.Handler {
	if l.isQuiet {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := l.app.now()
		counted := &countingWriter{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(counted, r)
		l.request(r, counted, l.app.now().Sub(begin))
	})
}

func (l *serveLog) request(r *http.Request, w *countingWriter, took time.Duration) {
	e := event{Event: "request", Address: r.RemoteAddr, Request: &requestJSON{
		Method: r.Method, Path: r.RequestURI, Protocol: r.Proto, Status: w.status, Bytes: w.written,
		Millis: float64(took.Microseconds()) / 1000,
	}}
	text := fmt.Sprintf("%s %s %s %s %d, %s", r.RemoteAddr, pki.Printable(r.Method), pki.Printable(r.RequestURI), r.Proto, w.status, byteCount(w.written))
	if c := clientOf(r); c != nil {
		e.Client = nameOf(c)
		text += ", client " + e.Client
	}
	l.tell(&l.app.ui.out, e, text+"\n")
}

// withheld tells why something that exists was not served.
func (l *serveLog) withheld(r *http.Request, reason string) {
	text := fmt.Sprintf("%s %s: %s\n", l.app.ui.err.paint(caution, "not served"), pki.Printable(r.URL.Path), reason)
	l.tell(&l.app.ui.err, event{Event: "withheld", Address: r.RemoteAddr, Reason: reason, Request: &requestJSON{
		Method: r.Method, Path: r.RequestURI, Protocol: r.Proto, Status: http.StatusNotFound}}, text)
}

// backendFailed tells that the server behind the proxy did not answer.
func (l *serveLog) backendFailed(r *http.Request, err error) {
	if errors.Is(err, context.Canceled) {
		return // the client went away first
	}
	reason := explainConnection(err).text
	text := fmt.Sprintf("%s %s: %s\n", l.app.ui.err.paint(caution, "no answer for"), pki.Printable(r.URL.Path), reason)
	l.tell(&l.app.ui.err, event{Event: "backend", Address: r.RemoteAddr, Reason: reason}, text)
}

// countingWriter notes the status and the length of a response on its way.
type countingWriter struct {
	http.ResponseWriter
	status   int
	written  int64
	hasBegun bool
}

// Unwrap lets http.ResponseController reach the connection: flushing, hijacking, deadlines.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *countingWriter) WriteHeader(status int) {
	if !w.hasBegun {
		w.status = status
		w.hasBegun = status >= 200 || status == http.StatusSwitchingProtocols
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *countingWriter) Write(p []byte) (int, error) {
	w.hasBegun = true
	n, err := w.ResponseWriter.Write(p)
	w.written += int64(n)
	return n, err
}

// ReadFrom keeps the short way that net/http has for copying a file to a connection.
func (w *countingWriter) ReadFrom(r io.Reader) (int64, error) {
	w.hasBegun = true
	n, err := io.Copy(w.ResponseWriter, r)
	w.written += n
	return n, err
}
