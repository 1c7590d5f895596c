package dashboard

import (
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/trace"
)

// record makes a handshake with a server and gives its recording, as the monitor keeps it.
func (l *lab) record(t *testing.T) []byte {
	t.Helper()
	leaf := pkitest.New(t, pkitest.P256).Server(pkitest.P256)
	nl, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: leaf.Chain, PrivateKey: leaf.Key}}})
	l.must(err)
	defer nl.Close()
	go func() {
		if c, err := nl.Accept(); err == nil {
			_ = c.(*tls.Conn).Handshake()
			_, _ = c.Read(make([]byte, 1)) // until the other side has had enough
			_ = c.Close()
		}
	}()
	nc, err := net.Dial("tcp", nl.Addr().String())
	l.must(err)
	r := trace.NewRecorder(trace.Client, trace.Endpoint{}, trace.Endpoint{Name: "localhost", Address: nl.Addr().String()}, time.Now)
	c, err := tlsnet.Client(nc, &tlsnet.Config{ServerName: "localhost", Insecure: true, Observer: func() tlscore.Observer { return r }, Secrets: func() tlscore.Secrets { return r }})
	l.must(err)
	l.must(c.HandshakeContext(t.Context()))
	_ = c.Close()
	recording, err := trace.Decode(r.Capture())
	l.must(err)
	body, err := recording.WithoutSecrets().JSON()
	l.must(err)
	return body
}

func TestTheLastHandshakeIsExplained(t *testing.T) {
	l := newLab(t, nil)
	l.watch("shop.example:443")
	l.look("shop.example:443", time.Minute, l.served("shop.example", 60), func(r *history.Result) {
		r.Traces = []history.Trace{{Place: "192.0.2.7:443", At: l.now, Why: "the server was graded", Body: l.record(t)}}
	})
	page := l.get("/target?name=shop.example:443")
	for _, want := range []string{"The last recorded handshake", "the server was graded", "X25519MLKEM768", "/target/handshake?name=shop.example%3A443&amp;place=192.0.2.7%3A443"} {
		if !strings.Contains(page, want) {
			t.Errorf("the target's page says nothing of %q", want)
		}
	}
	const path = "/target/handshake?name=shop.example:443&place=192.0.2.7:443"
	r, text := l.ask(http.MethodGet, path, nil, nil)
	own := r.Header.Get("Content-Security-Policy")
	if !strings.Contains(own, "script-src 'sha256-") || !strings.Contains(own, "sandbox allow-scripts") || strings.Contains(own, "unsafe") || strings.Contains(own, "allow-same-origin") || !strings.Contains(text, "ServerHello") {
		t.Errorf("%s: %s", r.Status, own)
	}
	if api := l.get("/api/v1/target/handshake?name=shop.example:443&place=192.0.2.7:443"); !strings.Contains(api, trace.Schema) || strings.Contains(api, `"has_secrets":true`) {
		t.Errorf("%.200s", api)
	}
	b := l.browse(t)
	b.open(path)
	b.until(`document.documentElement.dataset.drawn === "yes" || document.body.dataset.drawn === "yes" || document.querySelector("[data-drawn=yes]") !== null`)
	b.keep("handshake")
	b.open("/")
	b.open("/targets")
	b.quiet()
}
