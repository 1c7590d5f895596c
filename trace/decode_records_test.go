package trace_test

import (
	"testing"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/trace"
)

// recordScenes are those about the size of records, and about what means nothing, in TLS 1.3.
func recordScenes(t *testing.T) []scene {
	own := []tlscore.Identity{selfSigned(t, "ed25519", "client")}
	return []scene{
		{name: "short records", play: plain(tlscore.Config{RecordSizeLimit: 64, Padding: tlscore.Padding{To: 1000}}, tlscore.Config{RecordSizeLimit: 5000, MaxRecord: 3000}), want: trace.Summary{RecordLimits: &trace.RecordLimits{ToClient: 64, ToServer: 5000}}},
		{name: "padding of everything", play: plain(tlscore.Config{Padding: tlscore.Padding{Random: 300, Everything: true}}, tlscore.Config{Padding: tlscore.Padding{AtLeast: 3000, Everything: true}})},
		{name: "max_fragment_length", play: plain(tlscore.Config{MaxFragmentLength: 512}, tlscore.Config{}), want: trace.Summary{RecordLimits: &trace.RecordLimits{ToClient: 513, ToServer: 513}}},
		{name: "reserved values", play: plain(tlscore.Config{Grease: true, PermuteExtensions: true, ALPN: []string{"x"}, Identities: own}, tlscore.Config{Grease: true, ALPN: []string{"x"}, RetryAlways: true, ClientAuth: tlscore.RequireClientCert}), want: trace.Summary{HelloRetry: true, ClientAuth: true, ALPN: "x"}},
		{name: "reserved values, and a ticket with them", play: func(t *testing.T) *watched {
			server := serverConfig(t)
			server.Grease = true
			w := plainOpen(t, tlscore.Config{Grease: true}, server, tlscore.Options{}, nil)
			w.ticket(t)
			w.close(t)
			return w
		}},
	}
}
