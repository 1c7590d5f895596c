package tlscore_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// steps is an observer that writes down the steps of a handshake, in the one vocabulary that both versions share: messages
// and change_cipher_spec with their direction, new keys, and apart from them the states.
type steps struct {
	lines  []string
	states []string
}

func (s *steps) Observe(o tlscore.Observation) {
	arrow := func(d tlscore.Direction) string {
		return map[tlscore.Direction]string{tlscore.Sent: "> ", tlscore.Received: "< "}[d]
	}
	switch o := o.(type) {
	case tlscore.MessageObserved:
		name := wire.HandshakeType(o.Raw[0]).String()
		var hello wire.ServerHello
		if hello.Parse(o.Raw) == nil && hello.IsHelloRetryRequest() {
			name = "hello_retry_request"
		}
		s.lines = append(s.lines, arrow(o.Direction)+name)
	case tlscore.RecordObserved:
		if wire.ContentType(o.Raw[0]) == wire.ContentChangeCipherSpec {
			s.lines = append(s.lines, arrow(o.Direction)+"change_cipher_spec")
		}
	case tlscore.KeyChanged:
		s.lines = append(s.lines, arrow(o.Direction)+"("+o.Epoch.String()+" keys)")
	case tlscore.StateChanged:
		if len(s.states) == 0 {
			s.states = append(s.states, o.From)
		}
		s.states = append(s.states, o.To)
	}
}

// golden reads a golden list.
func golden(list string) []string {
	var out []string
	for _, line := range strings.Split(strings.TrimSpace(list), "\n") {
		out = append(out, strings.TrimSpace(line))
	}
	return out
}

// only leaves out the keys, and in TLS 1.3 the change_cipher_spec that says nothing.
func only(lines []string, change bool) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
		return strings.HasSuffix(line, " keys)") || !change && strings.HasSuffix(line, "change_cipher_spec")
	})
}

// mirrored is what the other end must have seen.
func mirrored(lines []string) []string {
	out := slices.Clone(lines)
	for i, line := range out {
		out[i] = map[byte]string{'>': "<", '<': ">"}[line[0]] + line[1:]
	}
	return out
}

const steps12 = `
	> client_hello
	< server_hello
	< certificate
	< server_key_exchange
	< server_hello_done
	> client_key_exchange
	> change_cipher_spec
	> (application keys)
	> finished
	< change_cipher_spec
	< (application keys)
	< finished`

const steps13 = `
	> client_hello
	< server_hello
	< (handshake keys)
	> change_cipher_spec
	> (handshake keys)
	< change_cipher_spec
	< encrypted_extensions
	< certificate
	< certificate_verify
	< finished
	> finished
	> (application keys)
	< (application keys)`

func TestStepsAreVisibleInOneVocabulary(t *testing.T) {
	for _, c := range []struct {
		name    string
		version wire.Version
		want    string
		count   int // of messages and, in TLS 1.2, change_cipher_spec
		states  []string
	}{
		{"TLS 1.2", wire.VersionTLS12, steps12, 10, []string{"START", "WAIT_SH", "1.2: WAIT_CERT", "1.2: WAIT_SKE", "1.2: WAIT_SHD", "1.2: verifying the server's certificate", "1.2: WAIT_CCS", "1.2: WAIT_FINISHED", "1.2: CONNECTED"}},
		{"TLS 1.3", wire.VersionTLS13, steps13, 7, []string{"START", "WAIT_SH", "WAIT_EE", "WAIT_CERT_CR", "WAIT_CV", "verifying the server's certificate", "WAIT_FINISHED", "CONNECTED"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := serverConfig(t)
			config.MaxVersion = c.version
			var client, server steps
			l := tlstest.New(compile(t, tlscore.Config{}), compile(t, config), tlscore.Options{ServerName: "a.example", Observer: &client}, tlscore.Options{Observer: &server})
			if err := l.Handshake(); err != nil {
				t.Fatal(err)
			}
			if want := golden(c.want); !slices.Equal(client.lines, want) {
				t.Errorf("the client saw\n%s\nwant\n%s", strings.Join(client.lines, "\n"), strings.Join(want, "\n"))
			}
			if !slices.Equal(client.states, c.states) {
				t.Errorf("the client went through %q", client.states)
			}
			counts := c.version == wire.VersionTLS12
			mine, theirs := only(client.lines, counts), only(server.lines, counts)
			if !slices.Equal(mirrored(mine), theirs) {
				t.Errorf("the server saw\n%s", strings.Join(theirs, "\n"))
			}
			if len(mine) != c.count {
				t.Errorf("%d steps, want %d", len(mine), c.count)
			}
		})
	}
}

// TestStepsOfEveryShapeAreVisible compares what both ends of the other handshakes see, with the keys and states left out.
func TestStepsOfEveryShapeAreVisible(t *testing.T) {
	for _, c := range []struct {
		name    string
		version wire.Version
		change  func(c, s *tlscore.Config)
		session bool
		early   bool
		want    string
	}{
		{"1.2 with a client certificate and a ticket", wire.VersionTLS12, func(_, s *tlscore.Config) { s.ClientAuth, s.AskSession = tlscore.RequireClientCert, true }, false, false, `
			> client_hello
			< server_hello
			< certificate
			< server_key_exchange
			< certificate_request
			< server_hello_done
			> certificate
			> client_key_exchange
			> certificate_verify
			> change_cipher_spec
			> finished
			< new_session_ticket
			< change_cipher_spec
			< finished`},
		{"1.2 resumed", wire.VersionTLS12, func(_, s *tlscore.Config) { s.AskSession = true }, true, false, `
			> client_hello
			< server_hello
			< change_cipher_spec
			< finished
			> change_cipher_spec
			> finished`},
		{"1.3 retried, with a client certificate", wire.VersionTLS13, func(_, s *tlscore.Config) { s.ClientAuth, s.RetryAlways = tlscore.RequireClientCert, true }, false, false, `
			> client_hello
			< hello_retry_request
			> client_hello
			< server_hello
			< encrypted_extensions
			< certificate_request
			< certificate
			< certificate_verify
			< finished
			> certificate
			> certificate_verify
			> finished`},
		{"1.3 resumed with early data", wire.VersionTLS13, func(_, _ *tlscore.Config) {}, true, true, `
			> client_hello
			< server_hello
			< encrypted_extensions
			< finished
			> end_of_early_data
			> finished`},
	} {
		t.Run(c.name, func(t *testing.T) {
			config, own := serverConfig(t), tlscore.Config{Identities: []tlscore.Identity{selfSigned(t, ed(t))}}
			config.MaxVersion = c.version
			if c.early {
				config.AskSession, config.MaxEarlyData = true, 40_000
				own.CipherSuites = []wire.CipherSuite{sessionOf(c.version).CipherSuite}
			}
			c.change(&own, &config)
			var client, server steps
			options := tlscore.Options{Observer: &client, EarlyData: c.early}
			if c.session {
				options.Session = sessionOf(c.version)
			}
			l := tlstest.New(compile(t, own), compile(t, config), options, tlscore.Options{Observer: &server})
			l.Server.Answer = knowing(c.version)
			if err := l.Handshake(); err != nil {
				t.Fatal(err)
			}
			is12 := c.version == wire.VersionTLS12
			mine, theirs := only(client.lines, is12), only(server.lines, is12)
			if want := golden(c.want); !slices.Equal(mine, want) {
				t.Errorf("the client saw\n%s\nwant\n%s", strings.Join(mine, "\n"), strings.Join(want, "\n"))
			}
			if !slices.Equal(mirrored(mine), theirs) {
				t.Errorf("the server saw\n%s", strings.Join(theirs, "\n"))
			}
		})
	}
}

// knowing answers for a server that knows the session of sessionOf, and hands out tickets.
func knowing(v wire.Version) func(*tlscore.Question) tlscore.Answer {
	return func(q *tlscore.Question) tlscore.Answer {
		switch q.Kind {
		case tlscore.NeedSession:
			session := sessionOf(v)
			session.ServerName = q.ServerName
			return tlscore.Found{Session: session}
		case tlscore.NeedFresh:
			return tlscore.Fresh(true)
		case tlscore.NeedTicket:
			return tlscore.Issued{Ticket: []byte("another ticket"), Lifetime: time.Hour}
		}
		return nil
	}
}
