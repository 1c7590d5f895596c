package fetch

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
)

// private asks the loopback servers of a test.
func private(t *testing.T) *Fetcher {
	t.Helper()
	f := New(Options{AllowPrivate: true})
	t.Cleanup(f.Close)
	return f
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func wantError(t *testing.T, err error, part string) {
	t.Helper()
	var known *Error
	if !errors.As(err, &known) {
		t.Fatalf("error %v is not an *Error", err)
	}
	if !strings.Contains(err.Error(), part) {
		t.Fatalf("error %q does not say %q", err, part)
	}
}

func TestWhatIsFetchedArrives(t *testing.T) {
	der := pkitest.New(t, pkitest.P256).Root.Raw
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/der":
			_, _ = w.Write(der)
		case "/pem":
			_, _ = w.Write(pki.AppendCertificatePEM(nil, der))
		case "/moved":
			http.Redirect(w, r, "/der", http.StatusFound)
		case "/crl":
			_, _ = w.Write([]byte("crl"))
		case "/ocsp":
			body, _ := io.ReadAll(r.Body)
			if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/ocsp-request" {
				w.WriteHeader(http.StatusBadRequest)
			}
			_, _ = w.Write(append([]byte("answer to "), body...))
		}
	})
	f := private(t)
	for _, path := range []string{"/der", "/pem", "/moved"} {
		got, err := f.Issuers(t.Context(), url+path)
		if err != nil || len(got) != 1 || string(got[0].Raw) != string(der) {
			t.Errorf("%s: %d certificates, error %v", path, len(got), err)
		}
	}
	if got, err := f.CRL(t.Context(), url+"/crl"); err != nil || string(got) != "crl" {
		t.Errorf("CRL: %q, %v", got, err)
	}
	if got, err := f.OCSP(t.Context(), url+"/ocsp", []byte("question")); err != nil || string(got) != "answer to question" {
		t.Errorf("OCSP: %q, %v", got, err)
	}
}

func TestPrivateAddressesAreNotAsked(t *testing.T) {
	url := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the server was asked") })
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	f := New(Options{LookUp: func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}})
	defer f.Close()
	for _, target := range []string{url, "http://innocent.example:" + port, "http://[::1]:" + port, "http://[::ffff:127.0.0.1]:" + port} {
		_, err := f.CRL(t.Context(), target)
		wantError(t, err, "loopback")
	}
}

func TestRedirectsAreJudgedAsTheFirstAddressIs(t *testing.T) {
	inner := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the inner server was asked") })
	_, innerPort, _ := net.SplitHostPort(strings.TrimPrefix(inner, "http://"))
	outer := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/in":
			http.Redirect(w, r, "http://10.0.0.1:"+innerPort, http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/post":
			http.Redirect(w, r, "/other", http.StatusSeeOther)
		default:
			http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
		}
	})
	// The outer server stands for a public one: only its own address is let through.
	f := private(t)
	dial := Gate{}.Dial
	f.transport.Connect = func(ctx context.Context, network, hostport string) (net.Conn, error) {
		if hostport == strings.TrimPrefix(outer, "http://") {
			return (&net.Dialer{}).DialContext(ctx, network, hostport)
		}
		return dial(ctx, network, hostport)
	}
	_, err := f.CRL(t.Context(), outer+"/in")
	wantError(t, err, "private address")
	_, err = f.CRL(t.Context(), outer+"/file")
	wantError(t, err, "not http or https")
	_, err = f.CRL(t.Context(), outer+"/loop")
	wantError(t, err, "redirects more than 3 times")
	_, err = f.OCSP(t.Context(), outer+"/post", []byte("q"))
	wantError(t, err, "as if it were a GET")
}

func TestAnswersAreBounded(t *testing.T) {
	stuck := make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/long":
			w.Header().Set("Content-Length", "1000000000")
		case "/endless":
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		case "/never":
			select {
			case <-stuck:
			case <-r.Context().Done():
			}
		case "/gone":
			w.WriteHeader(http.StatusGone)
		}
	})
	t.Cleanup(func() { close(stuck) }) // before the server closes, which waits for its handlers
	f := private(t)
	for path, want := range map[string]string{"/long": "more than", "/endless": "more than", "/gone": "status 410", "/empty": "nothing"} {
		_, err := f.OCSP(t.Context(), url+path, []byte("q"))
		wantError(t, err, want)
	}
	// For this one alone: on a busy machine the others would not answer within that time either.
	f.o.Timeout = 100 * time.Millisecond // a bound, not a measure: what is stuck stays so
	_, err := f.OCSP(t.Context(), url+"/never", []byte("q"))
	wantError(t, err, "does not answer in time")
}

func TestWhatIsNoAddressIsRefused(t *testing.T) {
	f := private(t)
	for url, want := range map[string]string{
		"ldap://directory.example/cn=CA": "not http or https", "http://": "no host", "http://u:p@host.example/": "user name",
		"http://\x1b[2J": "not a URL", "http://host.example/" + strings.Repeat("a", 3000): "longer",
	} {
		_, err := f.CRL(t.Context(), url)
		wantError(t, err, want)
		if strings.ContainsRune(err.Error(), '\x1b') {
			t.Errorf("%q lets an escape through", err)
		}
	}
}

func TestOneQuestionIsAskedOnce(t *testing.T) {
	var asked atomic.Int32
	all, go1 := make(chan struct{}, 20), make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		<-go1
		_, _ = w.Write([]byte("crl"))
	})
	f := private(t)
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			all <- struct{}{}
			if got, err := f.CRL(t.Context(), url); err != nil || string(got) != "crl" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	for range 20 {
		<-all
	}
	close(go1)
	wait.Wait()
	// Late starters may ask anew once the first answer is in; twenty questions would mean nothing was shared.
	if n := asked.Load(); n < 1 || n > 19 {
		t.Errorf("20 callers, %d requests", n)
	}
}

func TestAFailureIsRememberedForAWhile(t *testing.T) {
	var asked atomic.Int32
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusInternalServerError)
	})
	now := time.Unix(1_800_000_000, 0)
	f := New(Options{AllowPrivate: true, Now: func() time.Time { return now }})
	defer f.Close()
	for range 5 {
		_, err := f.CRL(t.Context(), url)
		wantError(t, err, "status 500")
	}
	if n := asked.Load(); n != 1 {
		t.Fatalf("asked %d times within a minute", n)
	}
	now = now.Add(negativeFor)
	_, _ = f.CRL(t.Context(), url)
	if n := asked.Load(); n != 2 {
		t.Fatalf("asked %d times, not again after a minute", n)
	}
}

func TestFailuresAreBounded(t *testing.T) {
	var f failures
	now := time.Unix(1_800_000_000, 0)
	for i := range 3 * maxRemembered {
		f.remember(strings.Repeat("k", i%7)+string(rune(i)), errors.New("no"), now.Add(time.Duration(i)*time.Millisecond))
	}
	if len(f.known) > maxRemembered {
		t.Errorf("%d failures kept", len(f.known))
	}
}

func TestACallerMayGiveUp(t *testing.T) {
	asked, stuck := make(chan struct{}), make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-stuck
		_, _ = w.Write([]byte("crl"))
	})
	t.Cleanup(func() { close(stuck) })
	f := private(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	_, err := f.CRL(ctx, url)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
}

func TestPublicAddressesAreTold(t *testing.T) {
	for text, public := range map[string]bool{
		"93.184.216.34": true, "2606:2800:220:1::1": true, "1.1.1.1": true,
		"127.0.0.1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "100.64.1.1": false,
		"0.0.0.0": false, "224.0.0.1": false, "255.255.255.255": false, "::1": false, "::": false, "fe80::1": false, "fc00::1": false,
		"::ffff:10.0.0.1": false, "64:ff9b::a00:1": false, "2002:a00:1::": false, "ff02::1": false, "fec0::1": false, "198.18.0.1": false,
	} {
		if got := forbidden(netip.MustParseAddr(text)) == ""; got != public {
			t.Errorf("%s: public %v", text, got)
		}
	}
}

func TestGatesOpenWhatTheyAreTold(t *testing.T) {
	g := Gate{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}}
	for address, open := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "::1": true, "127.0.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "8.8.8.8": true} {
		if why := g.Refuses(netip.MustParseAddr(address)); (why == "") != open {
			t.Errorf("%s: %q", address, why)
		}
	}
	if (Gate{AllowPrivate: true}).Refuses(netip.Addr{}) == "" {
		t.Error("no address at all is let through")
	}
}
