package cli

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/gateway"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/revoked"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// tourAPI is the API of the lesson: an application behind a gateway, for two clients that certificates tell apart.
type tourAPI struct {
	*tourGateway
	records *authority.Authority
	clients map[string]*keystore.Identity
}

// tourGateway is a gateway of the tour's, and whom it refused.
type tourGateway struct {
	addr string // 127.0.0.1:port
	url  string
	stop func() error

	mu      sync.Mutex
	denials []*gateway.Denial
}

// tourAPIFile is what a person would write.
const tourAPIFile = `gateway:
  listeners: ["127.0.0.1:0"]
  sites:
    api:
      hosts: localhost
      certificate: {chain: %q, key: %q}
      clients: {ca: own, allow: [{cn: [alice, bob]}], close-on-revoke: true}
      target: %s
      routes:
        - {path: /admin, allow: [{cn: alice}]}
`

func (t *tour) guardAPI() {
	if !t.check("gateway", func() (detail string, err error) {
		if t.api, err = t.startAPI(); err != nil {
			return "", err
		}
		return "an API at " + t.api.url + ", for alice and bob; /admin for alice alone", nil
	}) {
		return
	}
	api := t.api
	for _, c := range []struct {
		what, name, path string
		status           int
	}{
		{"alice", "alice", "/orders", http.StatusOK}, {"bob", "bob", "/orders", http.StatusOK},
		{"alice, as admin", "alice", "/admin", http.StatusOK}, {"bob, as admin", "bob", "/admin", http.StatusForbidden},
	} {
		t.check(c.what, func() (string, error) {
			id, err := api.client(t.ctx, c.name)
			if err != nil {
				return "", err
			}
			return t.askAPI(api, id, c.name, c.path, c.status)
		})
	}
	for _, c := range []struct {
		what, name string
		alert      wire.AlertCode
	}{{"mallory", "mallory", wire.AlertAccessDenied}, {"nobody", "", wire.AlertCertificateRequired}} {
		t.check(c.what, func() (string, error) {
			id, err := api.client(t.ctx, c.name)
			if err != nil {
				return "", err
			}
			return t.refusedByAPI(api, id, c.name, c.alert)
		})
	}
}

// client is a client's certificate, on record; "" has none.
func (a *tourAPI) client(ctx context.Context, name string) (*keystore.Identity, error) {
	if name == "" || a.clients[name] != nil {
		return a.clients[name], nil
	}
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		return nil, err
	}
	issued, err := a.records.Order(ctx, authority.Order{Request: pki.Request{Profile: pki.ProfileClient, CommonName: name, Key: key.Public()}})
	if err != nil {
		return nil, err
	}
	a.clients[name] = &keystore.Identity{Chain: issued.Chain, Key: key}
	return a.clients[name], nil
}

// askAPI makes a request with a client's certificate, and compares the status. Where it is let in the application must
// know the client; where it is not, the gateway must have said why.
func (t *tour) askAPI(api *tourAPI, id *keystore.Identity, name, path string, status int) (string, error) {
	resp, body, err := t.getAPI(api, id, path)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != status {
		return "", fmt.Errorf("%s answers %s, not %d", path, resp.Status, status)
	}
	if status == http.StatusOK {
		if body != "hello, "+name {
			return "", fmt.Errorf("the application takes %s for somebody else: %q", name, body)
		}
		return fmt.Sprintf("GET %s: %s, %q", path, resp.Status, body), nil
	}
	d, err := api.lastDenial(t.ctx, "CN="+name)
	if err != nil {
		return "", err
	}
	if !strings.Contains(body, d.ID) || d.Nearest == "" || d.Fix == "" {
		return "", fmt.Errorf("the refusal explains nothing: %q, %+v", body, d)
	}
	return fmt.Sprintf("GET %s: %s; %s", path, resp.Status, d.Nearest), nil
}

// refusedByAPI makes a connection that the gateway must not let in.
func (t *tour) refusedByAPI(api *tourAPI, id *keystore.Identity, name string, alert wire.AlertCode) (string, error) {
	api.forgetDenials()
	resp, _, err := t.getAPI(api, id, "/orders")
	if err == nil {
		return "", fmt.Errorf("was let in: %s", resp.Status)
	}
	var told *tlscore.Error
	if !errors.As(err, &told) || !told.Received() {
		return "", fmt.Errorf("the client got no alert, but: %w", err)
	}
	if got, _ := told.Alert(); got != alert {
		return "", fmt.Errorf("the client got the alert %v, not %v", got, alert)
	}
	who := ""
	if name != "" {
		who = "CN=" + name
	}
	d, err := api.lastDenial(t.ctx, who)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("refused by TLS, alert %v: %s", alert, d.Text), nil
}

func (t *tour) getAPI(api *tourAPI, id *keystore.Identity, path string) (*http.Response, string, error) {
	c := t.clientConfig()
	if id != nil {
		c = t.clientWith(*id)
	}
	c.Core.ALPN = []string{tlsnet.ProtocolHTTP1}
	tr := &tlsnet.Transport{Config: c}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr, Timeout: tourPatience}).Get(api.url + path)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return resp, string(body), err
}

// startAPI runs an application that greets whom the gateway says it is, and the gateway in front of it.
func (t *tour) startAPI() (*tourAPI, error) {
	target, err := t.startApplication(greet)
	if err != nil {
		return nil, err
	}
	api := &tourAPI{clients: map[string]*keystore.Identity{}}
	if api.records, err = authority.OpenHome(t.ctx, t.home, authority.HomeOptions{Now: t.app.now, Actor: "tour"}); err != nil {
		return nil, err
	}
	t.later(api.records.Close)
	chain, key := t.liveFiles()
	api.tourGateway, err = t.startGateway(fmt.Appendf(nil, tourAPIFile, chain, key, target), api.records.Store)
	return api, err
}

// liveFiles are the certificate and the key of localhost, as a server's configuration names them.
func (t *tour) liveFiles() (chain, key string) {
	live := filepath.Join(t.home, "live", "localhost")
	return filepath.Join(live, keystore.FullChainFile), filepath.Join(live, keystore.KeyFile)
}

// startApplication serves plain HTTP, as applications behind a gateway do, until the tour ends.
func (t *tour) startApplication(h http.HandlerFunc) (url string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	app := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go app.Serve(l)
	t.later(app.Close)
	return "http://" + l.Addr().String(), nil
}

// startGateway runs a gateway of a file with one listener, until stop, or the tour's end.
func (t *tour) startGateway(file []byte, live ...revoked.Live) (*tourGateway, error) {
	c, err := config.ReadGateway(file)
	if err != nil {
		return nil, err
	}
	g := &tourGateway{}
	listening := make(chan string, 1)
	gw, err := gateway.New(c, gateway.Options{OwnRoots: rootsOf(t.ca), Live: live, Now: t.app.now, Grace: 2 * time.Second, Events: func(e gateway.Event) {
		switch e.Kind {
		case "listening":
			listening <- e.Address
		case "denied":
			g.mu.Lock()
			defer g.mu.Unlock()
			g.denials = append(g.denials, e.Denial)
		}
	}})
	if err != nil {
		return nil, err
	}
	if err := gw.Listen(); err != nil {
		return nil, errors.Join(err, gw.Close())
	}
	ctx, cancel := context.WithCancel(t.ctx)
	done := make(chan error, 1)
	go func() { done <- gw.Serve(ctx) }()
	g.stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.later(g.stop)
	select {
	case g.addr = <-listening:
		_, port, err := net.SplitHostPort(g.addr)
		g.url = "https://localhost:" + port
		return g, err
	case err := <-done:
		done <- nil
		return nil, errors.Join(err, errors.New("the gateway ended at once"))
	}
}

// greet is the application: it reads the client's certificate from the header of RFC 9440, Section 2.2, which the
// gateway sets, and nobody else can.
func greet(w http.ResponseWriter, r *http.Request) {
	value := strings.Trim(r.Header.Get("Client-Cert"), ":")
	der, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		http.Error(w, "who are you?", http.StatusBadRequest)
		return
	}
	c, err := cert.ParseX509(der)
	if err != nil {
		http.Error(w, "who are you?", http.StatusBadRequest)
		return
	}
	fmt.Fprint(w, "hello, "+c.Subject.CommonName)
}

// forgetDenials makes the next refusal the first.
func (g *tourGateway) forgetDenials() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.denials = nil
}

// lastDenial is the last refusal of a subject, "" being nobody. The client may hear of it a moment before we do.
func (g *tourGateway) lastDenial(ctx context.Context, subject string) (*gateway.Denial, error) {
	for deadline := time.Now().Add(tourPatience); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
		g.mu.Lock()
		for i := len(g.denials) - 1; i >= 0; i-- {
			d := g.denials[i]
			if d.Cert == nil && subject == "" || d.Cert != nil && d.Cert.Subject == subject {
				g.mu.Unlock()
				return d, nil
			}
		}
		g.mu.Unlock()
	}
	return nil, errors.New("the gateway did not say why")
}
