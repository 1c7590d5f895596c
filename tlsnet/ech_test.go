package tlsnet_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// echKey makes a key for the public name of the tests, with what is told of it.
func echKey(t testing.TB, id uint8, change ...func(*wire.ECHConfig)) tlscore.ECHKey {
	t.Helper()
	template := wire.ECHConfig{ConfigID: id, PublicName: "public.example", MaximumNameLength: 40}
	for _, f := range change {
		f(&template)
	}
	k, err := tlscore.GenerateECHKey(template)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// echList is what a server with these keys publishes.
func echList(t testing.TB, keys ...tlscore.ECHKey) []byte {
	t.Helper()
	list, err := tlscore.ECHConfigList(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func stdKeys(keys ...tlscore.ECHKey) (out []tls.EncryptedClientHelloKey) {
	for _, k := range keys {
		out = append(out, tls.EncryptedClientHelloKey{Config: k.Config, PrivateKey: k.PrivateKey, SendAsRetry: k.Retry})
	}
	return out
}

// stdListener serves with crypto/tls, and tells what became of each connection, in the order in which they came.
func stdListener(t testing.TB, sc *tls.Config) (addr string, states <-chan tls.ConnectionState) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	out := make(chan tls.ConnectionState, 10)
	go func() {
		turn := make(chan struct{}) // closed when those before have been told of
		close(turn)
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			sv, mine, next := tls.Server(nc, sc), turn, make(chan struct{})
			turn = next
			go func() {
				if err := sv.Handshake(); err == nil {
					sv.Write([]byte("hello"))
				}
				<-mine
				out <- sv.ConnectionState()
				close(next)
				buf := make([]byte, 1)
				sv.Read(buf)
				sv.Close()
			}()
		}
	}()
	return l.Addr().String(), out
}

func TestOurClientEncryptsItsHelloToCryptoTLS(t *testing.T) {
	s := newSite(t)
	key, old := echKey(t, 1), echKey(t, 2)
	sc := s.stdServer()
	public := s.ca.Server(pkitest.P256, "public.example")
	sc.Certificates = append(sc.Certificates, stdCertificate(public))
	sc.EncryptedClientHelloKeys = stdKeys(key)
	for name, c := range map[string]struct {
		key      tlscore.ECHKey
		groups   []tls.CurveID
		rejected bool
	}{
		"accepted":                          {key: key},
		"accepted behind HelloRetryRequest": {key: key, groups: []tls.CurveID{tls.CurveP384}},
		"rejected":                          {key: old, rejected: true},
		"rejected behind HelloRetryRequest": {key: old, groups: []tls.CurveID{tls.CurveP384}, rejected: true},
	} {
		t.Run(name, func(t *testing.T) {
			sc := sc.Clone()
			sc.CurvePreferences = c.groups
			addr, states := stdListener(t, sc)
			cc := s.clientConfig()
			cc.ECHConfigList = echList(t, c.key)
			conn, err := tlsnet.Dial(context.Background(), "tcp", addr, cc)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if c.rejected {
				if cs := <-states; cs.ECHAccepted || cs.ServerName != "public.example" {
					t.Errorf("the server says of the first %v, name %q", cs.ECHAccepted, cs.ServerName)
				}
			}
			if cs := <-states; !cs.ECHAccepted || cs.ServerName != "localhost" {
				t.Errorf("the server says %v, name %q", cs.ECHAccepted, cs.ServerName)
			}
			f := conn.Facts()
			if f.ECH.Status != tlscore.ECHAccepted || f.ServerName != "localhost" || f.ECH.PublicName != "public.example" || f.HelloRetried != (c.groups != nil) {
				t.Errorf("facts: %+v", f)
			}
			if before := conn.ECHRejected(); (before != nil) != c.rejected || before != nil && !bytes.Equal(before.RetryConfigs, echList(t, key)) {
				t.Errorf("the connection before: %+v", before)
			}
			buf := make([]byte, 5)
			if _, err := conn.Read(buf); err != nil || string(buf) != "hello" {
				t.Errorf("%q, %v", buf, err)
			}
		})
	}
}

func TestCryptoTLSEncryptsItsHelloToOurServer(t *testing.T) {
	s := newSite(t)
	public := s.ca.Server(pkitest.P256, "public.example")
	sc := s.serverConfig()
	sc.Identities = append(sc.Identities, identity(public))
	key, old, unknown := echKey(t, 1), echKey(t, 2), echKey(t, 3)
	old.Retry = false
	same := echKey(t, 1) // with the config_id of another
	sc.Core.ECHKeys = []tlscore.ECHKey{same, key, old}
	for name, c := range map[string]struct {
		key    tlscore.ECHKey
		groups []wire.Group
	}{
		"the second key of an id":           {key: key},
		"the first one":                     {key: same},
		"an old one":                        {key: old},
		"HelloRetryRequest":                 {key: key, groups: []wire.Group{wire.GroupSecp384r1}},
		"rejected":                          {key: unknown},
		"rejected behind HelloRetryRequest": {key: unknown, groups: []wire.Group{wire.GroupSecp384r1}},
	} {
		t.Run(name, func(t *testing.T) {
			sc := *sc
			sc.Core.Groups = c.groups
			a, b := tcpPair(t)
			sv, err := tlsnet.Server(b, &sc)
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- sv.Handshake() }()
			cc := s.stdClient()
			cc.EncryptedClientHelloConfigList = echList(t, c.key)
			client := tls.Client(a, cc)
			err = client.Handshake()
			if bytes.Equal(c.key.Config, unknown.Config) {
				var rejection *tls.ECHRejectionError
				if !errors.As(err, &rejection) || !bytes.Equal(rejection.RetryConfigList, echList(t, same, key)) {
					t.Errorf("crypto/tls says %v", err)
				}
				<-done
				if f := sv.Facts(); f.ECH.Status != tlscore.ECHRejected || f.ServerName != "public.example" || f.ECH.ConfigID != 3 {
					t.Errorf("facts: %+v", f)
				}
				return
			}
			if err := errors.Join(err, <-done); err != nil {
				t.Fatal(err)
			}
			if cs := client.ConnectionState(); !cs.ECHAccepted {
				t.Error("crypto/tls says it was not accepted")
			}
			if f := sv.Facts(); f.ECH.Status != tlscore.ECHAccepted || f.ServerName != "localhost" || f.ECH.PublicName != "public.example" {
				t.Errorf("facts: %+v", f)
			}
			exchange(t, client, sv, 1<<16)
		})
	}
}

// echServer serves with ours and answers each connection with the name that it was made for.
func echServer(t testing.TB, sc *tlsnet.Config) (addr string) {
	t.Helper()
	l, err := tlsnet.Listen("tcp", "127.0.0.1:0", sc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				c := nc.(*tlsnet.Conn)
				defer c.Close()
				if c.Handshake() == nil {
					f := c.Facts()
					c.Write([]byte(f.ServerName + " " + f.ECH.Status.String() + "\n"))
				}
				c.Read(make([]byte, 1))
			}()
		}
	}()
	return l.Addr().String()
}

func TestAClientFindsOutWhatTheServerWants(t *testing.T) {
	s := newSite(t)
	public := identity(s.ca.Server(pkitest.P256, "public.example"))
	key, old := echKey(t, 1), echKey(t, 2)
	none := wire.ECHConfigList{Configs: []wire.ECHConfig{{Version: 0xfa0d, Unknown: []byte("?")}}}
	lookUp := func(list []byte, err error) func(context.Context, string) ([]byte, error) {
		return func(_ context.Context, name string) ([]byte, error) {
			if name != "localhost" {
				t.Errorf("looked up %q", name)
			}
			return list, err
		}
	}
	type config = tlsnet.Config
	off := func(c *config) { c.Core.ECHKeys = nil }
	for name, c := range map[string]struct {
		client func(*config)
		server func(*config)
		want   string // what the server says; "": no connection
		code   tlscore.Code
		err    error
		before bool
	}{
		"known":                        {client: func(c *config) { c.ECHConfigList = echList(t, key) }, want: "localhost accepted"},
		"looked up":                    {client: func(c *config) { c.LookUpECH = lookUp(echList(t, key), nil) }, want: "localhost accepted"},
		"none":                         {client: func(c *config) { c.LookUpECH = lookUp(nil, nil) }, want: "localhost none"},
		"none, of a failure":           {client: func(c *config) { c.LookUpECH = lookUp(nil, errors.New("no DNS")) }, want: "localhost none"},
		"none that can be used":        {client: func(c *config) { c.ECHConfigList = none.Append(nil) }, want: "localhost none"},
		"none, insisting":              {client: func(c *config) { c.LookUpECH, c.ECH = lookUp(nil, nil), tlsnet.ECHAlways }, err: tlsnet.ErrNoECH},
		"none can be used, insisting":  {client: func(c *config) { c.LookUpECH, c.ECH = lookUp(none.Append(nil), nil), tlsnet.ECHAlways }, err: tlsnet.ErrNoECH},
		"an old one":                   {client: func(c *config) { c.ECHConfigList = echList(t, old) }, want: "localhost accepted", before: true},
		"an old one, insisting":        {client: func(c *config) { c.ECHConfigList, c.ECH = echList(t, old), tlsnet.ECHAlways }, want: "localhost accepted", before: true},
		"switched off, and left at it": {client: func(c *config) { c.ECHConfigList = echList(t, old) }, server: off, code: tlscore.CodeECHRejected},
		"switched off":                 {client: func(c *config) { c.ECHConfigList, c.ECH = echList(t, old), tlsnet.ECHUnlessDisabled }, server: off, want: "localhost none", before: true},
		"switched off, insisting":      {client: func(c *config) { c.ECHConfigList, c.ECH = echList(t, old), tlsnet.ECHAlways }, server: off, code: tlscore.CodeECHRejected},
		"not for this name": {client: func(c *config) { c.ECHConfigList, c.ECH = echList(t, key), tlsnet.ECHUnlessDisabled }, server: func(c *config) {
			c.AcceptECH = func(h *tlsnet.ClientHello) bool { return h.ServerName != "localhost" }
		}, want: "localhost none", before: true},
		"nobody of the public name": {client: func(c *config) { c.ECHConfigList = echList(t, old) }, server: func(c *config) { c.Identities = c.Identities[:1] }, code: tlscore.CodeCertificateRejected},
		"a pin of the server alone": {client: func(c *config) {
			c.ECHConfigList, c.PinsAlone = echList(t, old), true
			c.Pins = pki.PinSet{pki.PinSPKI(s.server.Certificate)}
		}, want: "localhost accepted", before: true},
		"a pin alone": {client: func(c *config) {
			c.ECHConfigList, c.PinsAlone, c.Insecure = echList(t, old), true, true
			c.Pins = pki.PinSet{pki.PinSPKI(s.server.Certificate)}
		}, code: tlscore.CodeCertificateRejected},
	} {
		t.Run(name, func(t *testing.T) {
			sc, cc := s.serverConfig(), s.clientConfig()
			sc.Identities, sc.Core.ECHKeys = append(sc.Identities, public), []tlscore.ECHKey{key}
			c.client(cc)
			if c.server != nil {
				c.server(sc)
			}
			conn, err := tlsnet.Dial(context.Background(), "tcp", echServer(t, sc), cc)
			if c.want == "" {
				var dial *tlsnet.DialError
				if code, ok := tlscore.CodeOf(err); c.err != nil && !errors.Is(err, c.err) || c.err == nil && (!ok || code != c.code) || !errors.As(err, &dial) {
					t.Fatalf("ended with %v", err)
				}
				if c.err == nil && dial.ECH.Status != tlscore.ECHRejected {
					t.Errorf("%+v", dial.ECH)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			line, err := bufio.NewReader(conn).ReadString('\n')
			if line != c.want+"\n" || (conn.ECHRejected() != nil) != c.before {
				t.Errorf("the server says %q, %v; before: %+v", line, err, conn.ECHRejected())
			}
		})
	}
}

func TestWhatRolesMaySayAboutECH(t *testing.T) {
	s := newSite(t)
	key := echKey(t, 1)
	for name, c := range map[string]func(client, server *tlsnet.Config){
		"a list at a server": func(_, c *tlsnet.Config) { c.ECHConfigList = echList(t, key) },
		"keys at a client":   func(c, _ *tlsnet.Config) { c.Core.ECHKeys = []tlscore.ECHKey{key} },
		"AcceptECH":          func(c, _ *tlsnet.Config) { c.AcceptECH = func(*tlsnet.ClientHello) bool { return true } },
		"two sources": func(c, _ *tlsnet.Config) {
			c.ECHConfigList, c.LookUpECH = echList(t, key), func(context.Context, string) ([]byte, error) { return nil, nil }
		},
		"insisting on what is none": func(c, _ *tlsnet.Config) { c.ECHConfigList, c.ECH = []byte("x"), tlsnet.ECHAlways },
	} {
		client, server := s.clientConfig(), s.serverConfig()
		c(client, server)
		_, clientErr := tlsnet.NewDialer(client)
		_, serverErr := tlsnet.Prepare(server, nil)
		if clientErr == nil && serverErr == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
