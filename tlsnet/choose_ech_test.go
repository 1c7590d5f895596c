package tlsnet_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// TestTheConfigurationIsChosenByTheHelloThatCounts: a name that is asked for inside of an encrypted hello is had by what its
// own configuration allows, not by what that of the public name does.
func TestTheConfigurationIsChosenByTheHelloThatCounts(t *testing.T) {
	s := newSite(t)
	key := echKey(t, 1)
	type config = tlsnet.Config
	for name, c := range map[string]struct {
		guarded func(*config) // the configuration of the name inside
		client  func(*config)
		refuse  bool
		tag     any // nil: no connection
		server  string
		code    tlscore.Code
	}{
		"with a certificate":    {client: func(c *config) { c.Identities = []tlsnet.Identity{identity(s.client)} }, tag: "guarded", server: "localhost"},
		"without":               {server: "localhost", code: tlscore.CodePeerAlert},
		"no key of that name's": {guarded: func(c *config) { c.Core.ECHKeys = nil }, server: "public.example", code: tlscore.CodeECHRejected},
		"not by that name":      {guarded: func(c *config) { c.AcceptECH = func(*tlsnet.ClientHello) bool { return false } }, server: "public.example", code: tlscore.CodeECHRejected},
		"a name that is not":    {refuse: true, code: tlscore.CodePeerAlert},
		"another hello":         {guarded: func(c *config) { c.Core.ECHKeys = []tlscore.ECHKey{echKey(t, 1)} }, server: "public.example", code: tlscore.CodeECHRejected},
	} {
		t.Run(name, func(t *testing.T) {
			guarded, open, client := s.mutual(), s.serverConfig(), s.clientConfig()
			guarded.Core.ECHKeys, open.Core.ECHKeys = []tlscore.ECHKey{key}, []tlscore.ECHKey{key}
			open.Identities = append(open.Identities, identity(s.ca.Server(pkitest.P256, "public.example")))
			client.ECHConfigList = echList(t, key)
			if c.guarded != nil {
				c.guarded(guarded)
			}
			if c.client != nil {
				c.client(client)
			}
			prepared, err := tlsnet.Prepare(guarded, "guarded")
			if err != nil {
				t.Fatal(err)
			}
			open.ForClient = func(h *tlsnet.ClientHello) (*tlsnet.Prepared, error) {
				switch {
				case h.ServerName != "localhost":
					return nil, nil
				case c.refuse:
					return nil, errors.New("not here")
				}
				return prepared, nil
			}
			a, b := tcpPair(t)
			d, e := ends(t, client, open, a, b)
			a.SetDeadline(time.Now().Add(30 * time.Second))
			done := make(chan error, 1)
			go func() { done <- e.HandshakeContext(context.Background()) }()
			err = d.Handshake()
			if err == nil && c.code == tlscore.CodePeerAlert { // which comes behind the client's own end of the handshake
				_, err = d.Read(make([]byte, 1))
			}
			if (err == nil) != (c.tag != nil) || err != nil && codeOf(err) != c.code {
				t.Errorf("ended with %v", err)
			}
			serr := <-done
			if f := e.Facts(); f.ServerName != c.server || (serr == nil) != (c.tag != nil || c.server == "public.example") {
				t.Errorf("the server takes it for %q, tag %v: %v", f.ServerName, e.Tag(), serr)
			}
			if c.tag != nil && e.Tag() != c.tag {
				t.Errorf("tag %v", e.Tag())
			}
			if c.server == "public.example" && e.Facts().ECH.Status != tlscore.ECHRejected {
				t.Errorf("%+v", e.Facts().ECH)
			}
		})
	}
}
