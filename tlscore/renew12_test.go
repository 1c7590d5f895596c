package tlscore_test

import (
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// withoutRenegotiationInfo lets a client meet a server of TLS 1.2 that does not indicate RFC 5746.
func withoutRenegotiationInfo(t *testing.T, insists bool) error {
	t.Helper()
	p := &tlstest.Puppet{Version: wire.VersionTLS12, Identity: selfSigned(t, ed(t)), Edit: inServerHello(func(h *wire.ServerHello) {
		var kept wire.Extensions
		for _, e := range h.Extensions {
			if e.Type != wire.ExtRenegotiationInfo {
				kept = append(kept, e)
			}
		}
		h.Extensions = kept
	})}
	c := tlscore.Config{MaxVersion: wire.VersionTLS12, RequireSecureRenegotiation: insists}
	return p.Serve(tlscore.NewClient(compile(t, c), tlscore.Options{})).Err
}

func TestSecureRenegotiationCanBeInsistedOn(t *testing.T) {
	if err := withoutRenegotiationInfo(t, false); err != nil {
		t.Error(err)
	}
	p := &tlstest.Puppet{Version: wire.VersionTLS12, Edit: inHello(func(h *wire.ClientHello) {
		var kept wire.Extensions
		for _, e := range h.Extensions {
			if e.Type != wire.ExtRenegotiationInfo {
				kept = append(kept, e)
			}
		}
		h.Extensions = kept
	})}
	server := serverConfig(t)
	server.RequireSecureRenegotiation = true
	if o := p.Connect(tlscore.NewServer(compile(t, server), tlscore.Options{})); !codeIs(o.Err, tlscore.CodeNoSecureRenegotiation) {
		t.Error(o.Err)
	}
}

// TestTicketOfTLS12IsRenewed resumes with a ticket, gets another for the same session, and resumes with that.
func TestTicketOfTLS12IsRenewed(t *testing.T) {
	for _, renew := range []bool{false, true} {
		server := serverConfig(t)
		server.AskSession, server.MaxVersion = true, wire.VersionTLS12
		kept := map[string]*tlscore.Session{}
		answer := func(q *tlscore.Question) tlscore.Answer {
			switch q.Kind {
			case tlscore.NeedTicket:
				name := "ticket " + string(rune('0'+len(kept)))
				kept[name] = q.Resumed
				return tlscore.Issued{Ticket: []byte(name), Lifetime: time.Hour}
			case tlscore.NeedSession:
				return tlscore.Found{Session: kept[string(q.Tickets[0])], Renew: renew}
			}
			return nil
		}
		visit := func(s *tlscore.Session, resumed bool) *tlscore.Session {
			l := tlstest.New(compile(t, tlscore.Config{}), compile(t, server), tlscore.Options{ServerName: "a.example", Session: s}, tlscore.Options{})
			l.Server.Answer = answer
			if err := l.Handshake(); err != nil {
				t.Fatal(err)
			}
			exchange(t, l)
			if l.Client.Machine.Facts().Resumed != resumed {
				t.Fatalf("resumed: %v", !resumed)
			}
			if len(l.Client.Sessions) == 0 {
				return nil
			}
			return l.Client.Sessions[0]
		}
		first := visit(nil, false)
		second := visit(first, true)
		if renew != (second != nil) || renew && string(second.Ticket) != "ticket 1" {
			t.Fatalf("renew %v: %+v", renew, second)
		}
		if renew {
			visit(second, true)
		}
	}
}
