package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/tlswright/tlswright/internal/gateway"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/tlsnet"
)

// tourSite is `serve --dir`, running inside the tour.
type tourSite struct {
	addr string // 127.0.0.1:port
	port string
	page string // content of page.txt
}

func (t *tour) serveHTTP() {
	if !t.check("server", func() (string, error) {
		var err error
		t.site, err = t.startSite()
		if err != nil {
			return "", err
		}
		return "a folder at https://localhost:" + t.site.port + "/", nil
	}) {
		return
	}
	for _, p := range []struct{ what, alpn, proto string }{
		{"HTTP/1.1", tlsnet.ProtocolHTTP1, "HTTP/1.1"}, {"HTTP/2", tlsnet.ProtocolHTTP2, "HTTP/2.0"},
	} {
		t.check(p.what, func() (string, error) {
			return fetch("https://localhost:"+t.site.port+"/page.txt", p.proto, t.site.page, t.httpTransport(p.alpn))
		})
	}
	t.check("secrets", func() (string, error) {
		tr := t.httpTransport(tlsnet.ProtocolHTTP2)
		defer tr.CloseIdleConnections()
		for _, name := range []string{".hidden", "privkey.pem", "elsewhere/page.txt/../.hidden"} {
			resp, err := (&http.Client{Transport: tr}).Get("https://localhost:" + t.site.port + "/" + name)
			if err != nil {
				return "", err
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusNotFound {
				return "", fmt.Errorf("%s: %s", name, resp.Status)
			}
		}
		return "a private key and a dotfile there are not served", nil
	})
}

// httpTransport is an HTTP client that trusts the tour's CA and speaks one version of HTTP.
func (t *tour) httpTransport(alpn string) *tlsnet.Transport {
	c := t.clientConfig()
	c.Core.ALPN = []string{alpn}
	return &tlsnet.Transport{Config: c, DisableCompression: true}
}

// fetch reads a page and compares it.
func fetch(url, proto, want string, tr *tlsnet.Transport) (string, error) {
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK || resp.Proto != proto || string(body) != want {
		return "", fmt.Errorf("got %s %s with %d bytes, wanted %s 200 with %d", resp.Proto, resp.Status, len(body), proto, len(want))
	}
	info, ok := tlsnet.InfoFromResponse(resp)
	if !ok || !info.Peer.Verified() {
		return "", errors.New("the server was not verified")
	}
	return fmt.Sprintf("%s, %s, intact", resp.Status, byteCount(int64(len(body)))), nil
}

// startSite makes a folder with a page, a dotfile and a key, and serves it as `serve --dir` does.
func (t *tour) startSite() (*tourSite, error) {
	dir := filepath.Join(t.home, "..", filepath.Base(t.home)+"-site") // not below the home, which is never served
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	t.later(func() error { return errors.Join(os.RemoveAll(dir), gone(dir)) })
	random := make([]byte, 64<<10)
	rand.Read(random)
	site := &tourSite{page: hex.EncodeToString(random) + "\n"}
	for name, text := range map[string]string{"page.txt": site.page, ".hidden": "hidden\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	if err := keystore.WriteKey(filepath.Join(dir, "privkey.pem"), t.server.Key); err != nil {
		return nil, err
	}
	files, err := gateway.NewFiles(dir, t.home)
	if err != nil {
		return nil, err
	}
	t.later(files.Close)
	config := t.serverConfig()
	config.Core.ALPN = tlsnet.HTTPProtocols()
	l, err := tlsnet.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		return nil, err
	}
	site.addr = l.Addr().String()
	site.port = portOf(l.Addr())
	ctx, cancel := context.WithCancel(t.ctx)
	done := make(chan error, 1)
	go func() {
		done <- serveHTTP(ctx, l, files, &serveLog{app: t.quiet(), isQuiet: true})
	}()
	t.later(func() error { cancel(); return <-done })
	return site, nil
}
