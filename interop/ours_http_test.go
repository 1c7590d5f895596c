package interop

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"strconv"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// serveHTTPOnce serves HTTP, by what ALPN settles, until the first request is answered or the first handshake fails.
func (a asks) serveHTTPOnce(ctx context.Context, l *tlsnet.Listener) (tlscore.Facts, error) {
	first := make(chan served, 1)
	report := func(s served) {
		select {
		case first <- s:
		default: // only the first one counts
		}
	}
	server := &tlsnet.HTTPServer{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			report(answer(w, r, a.down(), a.up()))
		}),
		HandshakeError: func(c *tlsnet.Conn, err error) { report(served{facts: c.Facts(), err: err}) },
		ErrorLog:       log.New(io.Discard, "", 0),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	var s served
	select {
	case s = <-first:
	case <-ctx.Done():
		s.err = ctx.Err()
	}
	s.err = errors.Join(s.err, server.Shutdown(ctx))
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		s.err = errors.Join(s.err, err)
	}
	return s.facts, s.err
}

func answer(w http.ResponseWriter, r *http.Request, down, up payload) served {
	info, ok := tlsnet.InfoFromContext(r.Context())
	if !ok {
		return served{err: errors.New("the request knows nothing of its connection")}
	}
	got, err := io.ReadAll(r.Body)
	if err == nil {
		err = up.same("client to us", got)
	}
	if want := "HTTP/1.1"; info.Facts.ALPN != "h2" && r.Proto != want || info.Facts.ALPN == "h2" && r.Proto != "HTTP/2.0" {
		err = errors.Join(err, errors.New("the request came as "+r.Proto+" over "+info.Facts.ALPN))
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(down)))
	_, writeErr := w.Write(down)
	return served{facts: info.Facts, err: errors.Join(err, writeErr)}
}
