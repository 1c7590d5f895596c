package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// httpProtocols offers proto alone, or HTTP/2 first.
func httpProtocols(proto string) []string {
	if proto == "h2" {
		return tlsnet.HTTPProtocols()
	}
	return one(proto)
}

// httpServer lets the peer's HTTP client post to our HTTPServer.
func httpServer(proto string) func(context.Context, *pki, peer) (string, error) {
	return func(ctx context.Context, p *pki, pr peer) (string, error) {
		if pr.httpDial == nil {
			return "", errNotThere
		}
		ours := asks{identity: p.leaves[ecdsaP256], alpn: tlsnet.HTTPProtocols()}
		theirs := asks{name: serverName, alpn: httpProtocols(proto)}
		pr.http, pr.dial = true, pr.httpDial
		return okIf(weServe(ctx, p, pr, ours, theirs, verdict{alpn: proto, name: serverName}))
	}
}

// httpClient lets our Transport put the payload to the peer's HTTP server and get it back.
func httpClient(proto string) func(context.Context, *pki, peer) (string, error) {
	return func(ctx context.Context, p *pki, pr peer) (string, error) {
		if pr.httpServe == nil {
			return "", errNotThere
		}
		pr.serve = pr.httpServe
		theirs := asks{identity: p.leaves[ecdsaP256], alpn: tlsnet.HTTPProtocols()}
		return okIf(withServer(ctx, p, pr, theirs, func(s peerServer) error {
			ours := asks{name: serverName, alpn: httpProtocols(proto)}
			t := &tlsnet.Transport{Config: ours.config(p, tlscore.RoleClient), DisableCompression: true}
			defer t.CloseIdleConnections()
			return moveByHTTP(ctx, t, s.addr(), proto)
		}))
	}
}

func moveByHTTP(ctx context.Context, t *tlsnet.Transport, addr, proto string) error {
	up := upPayload()
	url := "https://" + addr + "/moved"
	if _, err := transportDo(ctx, t, http.MethodPut, url, up, proto); err != nil {
		return err
	}
	got, err := transportDo(ctx, t, http.MethodGet, url, nil, proto)
	if err != nil {
		return err
	}
	return up.same("us to server and back", got)
}

func transportDo(ctx context.Context, t *tlsnet.Transport, method, url string, body []byte, proto string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := t.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("%s: after %d bytes: %w", method, len(got), err)
	}
	if resp.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s: %s", method, resp.Status)
	}
	info, ok := tlsnet.InfoFromResponse(resp)
	if !ok || info.Facts.ALPN != proto || resp.ProtoMajor == 2 != (proto == "h2") {
		return nil, fmt.Errorf("%s: spoke %s over %q", method, resp.Proto, info.Facts.ALPN)
	}
	return got, nil
}

// goHTTPServer is net/http over crypto/tls.
type goHTTPServer struct {
	*http.Server
	l net.Listener
}

func goHTTPServe(_ context.Context, p *pki, a asks) (peerServer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &http.Server{Handler: &oneFile{}, TLSConfig: goConfig(p, a)}
	go s.ServeTLS(l, "", "")
	return &goHTTPServer{s, l}, nil
}

func (s *goHTTPServer) addr() string                           { return s.l.Addr().String() }
func (s *goHTTPServer) log() string                            { return "" }
func (s *goHTTPServer) stop()                                  { s.Close() }
func (s *goHTTPServer) exchange(net.Conn) error                { return errors.New("it is asked through a Transport") }
func (s *goHTTPServer) mentions(context.Context, string) error { return errors.New("it has no log") }

// oneFile hands out what was put last.
type oneFile struct {
	mu   sync.Mutex
	body []byte
}

func (f *oneFile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Method == http.MethodPut {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		f.body = body
		w.WriteHeader(http.StatusCreated)
		return
	}
	w.Write(f.body)
}

func goHTTPDial(ctx context.Context, p *pki, addr string, a asks) told {
	c := goConfig(p, a)
	t := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: slices.Contains(a.alpn, "h2"), DisableCompression: true}
	defer t.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+addr+"/", bytes.NewReader(a.up()))
	if err != nil {
		return told{err: err}
	}
	resp, err := t.RoundTrip(req)
	if err != nil {
		return told{err: err, log: err.Error()}
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err == nil {
		err = a.down().same("us to client", got)
	}
	return told{err: err}
}

// TestHTTPBetweenOurEnds: our Transport against our HTTPServer, with many requests at once on one HTTP/2 connection and
// on several of HTTP/1.1.
func TestHTTPBetweenOurEnds(t *testing.T) {
	p := newPKI(t)
	for _, proto := range tlsnet.HTTPProtocols() {
		t.Run(proto, func(t *testing.T) {
			ours := asks{identity: p.leaves[ecdsaP256], alpn: tlsnet.HTTPProtocols()}
			l, err := tlsnet.Listen("tcp", "127.0.0.1:0", ours.config(p, tlscore.RoleServer))
			if err != nil {
				t.Fatal(err)
			}
			var server tlsnet.HTTPServer
			server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
			go server.Serve(l)
			defer server.Close()
			client := asks{name: serverName, alpn: httpProtocols(proto)}
			tr := &tlsnet.Transport{Config: client.config(p, tlscore.RoleClient), DisableCompression: true}
			defer tr.CloseIdleConnections()
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					got, err := transportDo(t.Context(), tr, http.MethodPost, "https://"+l.Addr().String()+"/", upPayload(), proto)
					if err == nil {
						err = upPayload().same("to our server and back", got)
					}
					if err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		})
	}
}
