package trace_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/trace"
	"github.com/tlswright/tlswright/wire"
)

// mishap is a handshake that fails.
type mishap struct {
	name           string
	client, server tlscore.Config
	prepare        func(w *watched)

	by     trace.Side
	alert  string
	after  string // type of the message
	check  string // for the side that stopped
	change string // is part of what is to be changed
}

func mishaps(t *testing.T) []mishap {
	reject := func(of func(*watched) *tlstest.End, alert wire.AlertCode) func(*watched) {
		return func(w *watched) {
			of(w).Answer = func(q *tlscore.Question) tlscore.Answer {
				if q.Kind == tlscore.NeedVerify {
					return tlscore.Verified{Err: errors.New("nobody \x1b[31mtrusts it"), Alert: alert}
				}
				return nil
			}
		}
	}
	client := func(w *watched) *tlstest.End { return w.Client }
	server := func(w *watched) *tlstest.End { return w.Server }
	own := []tlscore.Identity{selfSigned(t, "ed25519", "client")}
	old := tlscore.Config{MaxVersion: wire.VersionTLS12}
	return []mishap{
		{name: "client distrusts", prepare: reject(client, wire.AlertUnknownCA),
			by: trace.Client, alert: "unknown_ca", after: "Certificate", check: "certificate_rejected", change: "root"},
		{name: "client distrusts in 1.2", client: old, prepare: reject(client, wire.AlertCertificateExpired),
			by: trace.Client, alert: "certificate_expired", check: "certificate_rejected", change: "renew"},
		{name: "server distrusts", client: tlscore.Config{Identities: own}, server: tlscore.Config{ClientAuth: tlscore.RequireClientCert}, prepare: reject(server, wire.AlertAccessDenied),
			by: trace.Server, alert: "access_denied", after: "Certificate", check: "certificate_rejected", change: "allow"},
		{name: "certificate required", server: tlscore.Config{ClientAuth: tlscore.RequireClientCert},
			by: trace.Server, alert: "certificate_required", after: "Certificate", check: "certificate_required", change: "certificate"},
		{name: "no suite", client: tlscore.Config{CipherSuites: []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256}}, server: tlscore.Config{CipherSuites: []wire.CipherSuite{wire.TLS_AES_256_GCM_SHA384}},
			by: trace.Server, alert: "handshake_failure", after: "ClientHello", check: "no_shared_suite", change: "TLS_AES_128_GCM_SHA256"},
		{name: "no group", client: tlscore.Config{Groups: []wire.Group{wire.GroupX25519}}, server: tlscore.Config{Groups: []wire.Group{wire.GroupSecp384r1}},
			by: trace.Server, alert: "handshake_failure", after: "ClientHello", check: "no_shared_group", change: "x25519"},
		{name: "no protocol", client: tlscore.Config{ALPN: []string{"h2"}}, server: tlscore.Config{ALPN: []string{"imap"}},
			by: trace.Server, alert: "no_application_protocol", after: "ClientHello", check: "no_shared_protocol", change: "h2"},
		{name: "no version", client: tlscore.Config{MinVersion: wire.VersionTLS13}, server: old,
			by: trace.Server, alert: "protocol_version", after: "ClientHello", check: "unsupported_version", change: "TLS 1.3"},
		{name: "no name", server: tlscore.Config{StrictServerName: true, Identities: []tlscore.Identity{selfSigned(t, "ecdsa", "other.example")}},
			by: trace.Server, alert: "unrecognized_name", after: "ClientHello", check: "no_identity", change: "name"},
		{name: "server's flight changed", prepare: damage(server, 2), by: trace.Client, alert: "bad_record_mac", check: "bad_record_mac", change: "proxy"},
		{name: "client's Finished changed", prepare: damage(client, 2), by: trace.Server, alert: "bad_record_mac", check: "bad_record_mac", change: "proxy"},
		{name: "client's Finished changed in 1.2", client: old, prepare: damage(client, 3), by: trace.Server, alert: "bad_record_mac", check: "bad_record_mac", change: "proxy"},
		{name: "offer changed on the way", prepare: rewriteOffer, by: trace.Client, alert: "illegal_parameter", after: "ServerHello", check: "downgraded", change: "on the way"},
		{name: "not TLS", prepare: func(w *watched) {
			w.Mutate = func(from *tlstest.End, rec []byte) []byte {
				if from == w.Server {
					return []byte("HTTP/1.1 400 Bad Request\r\n\r\n")
				}
				return []byte("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
			}
		}, by: trace.Server, alert: "unexpected_message", check: "not_tls", change: "STARTTLS"},
	}
}

// damage changes the last byte of the record number n that an end sends.
func damage(of func(*watched) *tlstest.End, n int) func(*watched) {
	return func(w *watched) {
		seen := 0
		w.Mutate = func(from *tlstest.End, rec []byte) []byte {
			if from == of(w) {
				if seen++; seen == n+1 {
					rec[len(rec)-1] ^= 1
				}
			}
			return rec
		}
	}
}

// rewriteOffer takes TLS 1.3 out of the versions that the client offers.
func rewriteOffer(w *watched) {
	w.Mutate = func(from *tlstest.End, rec []byte) []byte {
		if from != w.Client || rec[0] != 22 {
			return rec
		}
		return []byte(strings.Replace(string(rec), "\x00\x2b\x00\x05\x04\x03\x04\x03\x03", "\x00\x2b\x00\x05\x04\x03\x03\x03\x03", 1))
	}
}

func TestFailuresAreExplained(t *testing.T) {
	for _, m := range mishaps(t) {
		t.Run(m.name, func(t *testing.T) {
			if m.server.Identities == nil {
				m.server.Identities = serverConfig(t).Identities
			}
			w := watch(t, m.client, m.server, tlscore.Options{})
			if m.prepare != nil {
				m.prepare(w)
			}
			if w.Handshake() == nil {
				t.Fatal("it did not fail")
			}
			w.client.Fail(w.Client.Err)
			w.server.Fail(w.Server.Err)
			for _, side := range []struct {
				name trace.Side
				rec  *trace.Recorder
			}{{trace.Client, w.client}, {trace.Server, w.server}} {
				r := decode(t, side.rec.Capture())
				s := r.Summary
				if s.AnnotatedBytes != s.ClientBytes+s.ServerBytes {
					t.Errorf("%d of %d bytes are annotated", s.AnnotatedBytes, s.ClientBytes+s.ServerBytes)
				}
				f := r.Failure
				if f == nil {
					t.Fatalf("%s: no failure", side.name)
				}
				story := strings.Join(trace.Explain(r), "\n")
				if testing.Verbose() {
					t.Logf("%s:\n%s", side.name, story)
				}
				if strings.ContainsRune(story, '\x1b') {
					t.Errorf("%s: the story is not printable: %q", side.name, story)
				}
				if m.name == "not TLS" {
					continue // no record was observed
				}
				if f.By != m.by || f.Alert != m.alert || !strings.Contains(f.Change, m.change) || f.Section == "" {
					t.Errorf("%s: %+v", side.name, f)
				}
				if f.By == side.name && f.Check != m.check {
					t.Errorf("%s: check %q", side.name, f.Check)
				}
				if m.after != "" && f.By == side.name && (f.After < 0 || r.Messages[f.After].Type != m.after) {
					t.Errorf("%s: after %d", side.name, f.After)
				}
				sameTwice(t, r)
			}
		})
	}
}

func TestWhatIsNotTLSIsExplained(t *testing.T) {
	for _, c := range []struct {
		name            string
		client, server  string
		check, contains string
	}{
		{"nothing", "", "", "", "nothing was sent"},
		{"plain HTTP", "GET / HTTP/1.1\r\n\r\n", "", "not_tls", "plain HTTP"},
		{"mail", "", "220 mail.example ESMTP\r\n", "not_tls", "plain text first"},
		{"rubbish", "\x00\x01\x02", "", "not_tls", "not a TLS record"},
		{"half a record", "\x16\x03\x01\x00\x10\x01\x00", "", "not_tls", "not whole"},
	} {
		capture := &trace.Capture{Segments: []trace.Segment{{From: trace.Client, Data: []byte(c.client)}, {From: trace.Server, Data: []byte(c.server)}}}
		r := decode(t, capture)
		if r.Failure == nil || r.Failure.Check != c.check || !strings.Contains(r.Failure.Text, c.contains) {
			t.Errorf("%s: %+v", c.name, r.Failure)
		}
		if s := r.Summary; s.AnnotatedBytes != uint64(len(c.client)+len(c.server)) {
			t.Errorf("%s: %d bytes annotated", c.name, s.AnnotatedBytes)
		}
	}
}

func TestAnErrorFromOutsideIsNobodysFault(t *testing.T) {
	w := watch(t, tlscore.Config{}, serverConfig(t), tlscore.Options{})
	w.Mutate = func(from *tlstest.End, rec []byte) []byte {
		if from == w.Server {
			return nil
		}
		return rec
	}
	if err := w.Handshake(); !errors.Is(err, tlstest.ErrStalled) {
		t.Fatal(err)
	}
	w.client.Fail(errors.New("connection reset by peer"))
	for _, rec := range []*trace.Recorder{w.client, w.server} {
		r := decode(t, rec.Capture())
		if r.Failure == nil || r.Failure.Change == "" || r.Failure.After < 0 || rec == w.client && r.Failure.By != "" {
			t.Errorf("%+v", r.Failure)
		}
		sameTwice(t, r)
	}
}
