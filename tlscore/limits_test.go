package tlscore_test

import (
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// longest watches the records that an end sends: the longest fragment that is protected, and the longest that is not.
type longest struct{ protected, plain int }

func (l *longest) Observe(o tlscore.Observation) {
	r, ok := o.(tlscore.RecordObserved)
	if !ok || r.Direction != tlscore.Sent || wire.ContentType(r.Raw[0]) == wire.ContentChangeCipherSpec {
		return
	}
	n := len(r.Raw) - wire.RecordHeaderLen
	if r.Epoch == tlscore.EpochPlaintext {
		l.plain = max(l.plain, n)
	} else {
		l.protected = max(l.protected, n)
	}
}

func TestRecordsKeepToTheLimitsAgreedOn(t *testing.T) {
	for _, v := range []wire.Version{wire.VersionTLS12, wire.VersionTLS13} {
		for name, c := range map[string]struct {
			client, server tlscore.Config
			down, up       int // of the facts of the client
		}{
			"none":                      {},
			"the client's":              {client: tlscore.Config{RecordSizeLimit: 100}, down: 100, up: wire.MaxPlaintext},
			"both, padded":              {client: tlscore.Config{RecordSizeLimit: 64, Padding: tlscore.Padding{To: 1000}}, server: tlscore.Config{RecordSizeLimit: 2000, Padding: tlscore.Padding{To: 700}}, down: 64, up: 2000},
			"the server's is not asked": {server: tlscore.Config{RecordSizeLimit: 64}},
			"max_fragment_length":       {client: tlscore.Config{MaxFragmentLength: 512}, down: 512, up: 512},
			"record_size_limit first":   {client: tlscore.Config{MaxFragmentLength: 512, RecordSizeLimit: 3000}, down: 3000, up: wire.MaxPlaintext},
		} {
			t.Run(v.String()+"/"+name, func(t *testing.T) {
				server := c.server
				server.MaxVersion, server.Identities = v, serverConfig(t).Identities
				more := 0
				if v == wire.VersionTLS13 {
					more = 1
				}
				var client, serving longest
				l := tlstest.New(compile(t, c.client), compile(t, server), tlscore.Options{ServerName: "a.example", Observer: &client}, tlscore.Options{Observer: &serving})
				if err := l.Handshake(); err != nil {
					t.Fatal(err)
				}
				exchange(t, l)
				down, up := c.down, c.up
				if up == wire.MaxPlaintext || c.client.RecordSizeLimit == 0 && up > 0 {
					up += more
				}
				if c.client.RecordSizeLimit == 0 && down > 0 {
					down += more
				}
				f, s := l.Client.Machine.Facts(), l.Server.Machine.Facts()
				if f.RecordLimitRead != down || f.RecordLimitWrite != up || s.RecordLimitRead != up || s.RecordLimitWrite != down {
					t.Errorf("the client reads %d and writes %d, the server reads %d and writes %d; want %d and %d", f.RecordLimitRead, f.RecordLimitWrite, s.RecordLimitRead, s.RecordLimitWrite, down, up)
				}
				const overhead = 8 + 16
				if down > 0 && serving.protected > down+overhead || up > 0 && client.protected > up+overhead {
					t.Errorf("records of %d and %d bytes", serving.protected, client.protected)
				}
				if c.client.MaxFragmentLength > 0 && v == wire.VersionTLS12 && c.client.RecordSizeLimit == 0 && serving.plain > 512 {
					t.Errorf("a plain record of %d bytes", serving.plain)
				}
			})
		}
	}
}

func TestLimitsAreHeldToTheRules(t *testing.T) {
	for name, c := range limitRefusals() {
		t.Run(name, func(t *testing.T) {
			if err := c.run(t); !codeIs(err, c.code) {
				t.Errorf("ended with %v, want %v", err, c.code)
			}
		})
	}
	for want, c := range map[string]tlscore.Config{
		"record size": {RecordSizeLimit: 63}, "16385": {RecordSizeLimit: 16386}, "max fragment": {MaxFragmentLength: 1000},
	} {
		if _, err := tlscore.Compile(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

type limitRefusal struct {
	code tlscore.Code
	run  func(t *testing.T) error
}

func limitRefusals() map[string]limitRefusal {
	toServer := func(e wire.ExtensionView) func(*testing.T) error {
		return func(t *testing.T) error {
			p := &tlstest.Puppet{Edit: inHello(func(h *wire.ClientHello) { h.Extensions.Add(e) })}
			return p.Connect(tlscore.NewServer(compile(t, serverConfig(t)), tlscore.Options{})).Err
		}
	}
	toClient := func(c tlscore.Config, es ...wire.ExtensionView) func(*testing.T) error {
		return func(t *testing.T) error {
			p := &tlstest.Puppet{Identity: selfSigned(t, ed(t)), Edit: func(kind wire.HandshakeType, raw []byte) []byte {
				for _, e := range es {
					raw = inEE(e)(kind, raw)
				}
				return raw
			}}
			return p.Serve(tlscore.NewClient(compile(t, c), tlscore.Options{})).Err
		}
	}
	both := tlscore.Config{RecordSizeLimit: 1000, MaxFragmentLength: 512}
	return map[string]limitRefusal{
		"63 bytes, of a client":     {tlscore.CodeBadRecordLimit, toServer(&wire.RecordSizeLimit{Limit: 63})},
		"no such length":            {tlscore.CodeBadRecordLimit, toServer(&wire.MaxFragmentLength{Code: 5})},
		"63 bytes, of a server":     {tlscore.CodeBadRecordLimit, toClient(both, &wire.RecordSizeLimit{Limit: 63})},
		"16386 bytes, of a server":  {tlscore.CodeBadRecordLimit, toClient(both, &wire.RecordSizeLimit{Limit: 16386})},
		"another length than asked": {tlscore.CodeBadRecordLimit, toClient(both, &wire.MaxFragmentLength{Code: 2})},
		"both":                      {tlscore.CodeBadRecordLimit, toClient(both, &wire.RecordSizeLimit{Limit: 1000}, &wire.MaxFragmentLength{Code: 1})},
		"unasked":                   {tlscore.CodeUnsupportedExtension, toClient(tlscore.Config{}, &wire.RecordSizeLimit{Limit: 1000})},
		"a record that is too long": {tlscore.CodeRecordTooLong, toClient(tlscore.Config{RecordSizeLimit: 64}, &wire.RecordSizeLimit{Limit: 1000})},
	}
}
