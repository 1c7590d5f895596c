package cli

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// startHTTP serves h with a certificate for localhost, as `serve` does. It returns the address, a client's
// configuration that trusts it, and what ends the server and returns its error.
func startHTTP(t *testing.T, h http.Handler) (addr string, client *tlsnet.Config, end func() error) {
	t.Helper()
	a, _, _ := newTestApp()
	ca, err := keystore.CreateCA(t.TempDir(), keystore.CAOptions{}, a.now())
	if err != nil {
		t.Fatal(err)
	}
	id, err := issueFrom(ca, pki.Request{Profile: pki.ProfileServer, CommonName: "localhost", SANs: []string{"localhost"}}, pki.P256, a.now())
	if err != nil {
		t.Fatal(err)
	}
	config := &tlsnet.Config{Identities: []tlsnet.Identity{netIdentity(id)}}
	config.Core.ALPN = tlsnet.HTTPProtocols()
	l, err := tlsnet.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serveHTTP(ctx, l, h, &serveLog{app: a}) }()
	end = func() error { cancel(); return <-ended }
	t.Cleanup(cancel)
	return l.Addr().String(), &tlsnet.Config{Roots: rootsOf(ca), ServerName: "localhost", Time: a.now}, end
}

func TestRequestUnderWayIsFinishedWhenTheServerEnds(t *testing.T) {
	for _, alpn := range tlsnet.HTTPProtocols() {
		t.Run(strings.ReplaceAll(alpn, "/", ""), func(t *testing.T) {
			arrived, finish := make(chan struct{}), make(chan struct{})
			addr, client, end := startHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				close(arrived)
				<-finish
				io.WriteString(w, "finished")
			}))
			client.Core.ALPN = []string{alpn}
			tr := &tlsnet.Transport{Config: client}
			defer tr.CloseIdleConnections()
			answer := make(chan string, 1)
			go func() {
				resp, err := (&http.Client{Transport: tr}).Get("https://" + addr + "/")
				if err != nil {
					answer <- err.Error()
					return
				}
				defer resp.Body.Close()
				b, _ := io.ReadAll(resp.Body)
				answer <- string(b)
			}()
			<-arrived
			ended := make(chan error, 1)
			go func() { ended <- end() }()
			close(finish)
			if got := <-answer; got != "finished" {
				t.Errorf("the client got %q", got)
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}
