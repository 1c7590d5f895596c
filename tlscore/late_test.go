package tlscore_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// lateLink is a link whose client may be asked for a certificate after the handshake, which is done.
func lateLink(t testing.TB, change func(c, s *tlscore.Config)) *tlstest.Link {
	t.Helper()
	c, s := tlscore.Config{PostHandshakeAuth: true}, serverConfig(t)
	s.PostHandshakeAuth = true
	c.Identities = []tlscore.Identity{selfSigned(t, ed(t), "late")}
	if change != nil {
		change(&c, &s)
	}
	l := link(t, c, s)
	if err := l.Handshake(); err != nil {
		t.Fatal(err)
	}
	return l
}

// request has the server ask, and carries what follows.
func request(t testing.TB, l *tlstest.Link) []byte {
	t.Helper()
	context, out, err := l.Server.Machine.RequestCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Carry(l.Server, out)
	if err := l.Run(); err != nil {
		t.Fatal(err)
	}
	return context
}

// answered checks that both ends have seen a certain number of answers, and what the last was.
func answered(t *testing.T, l *tlstest.Link, times int, want []byte) {
	t.Helper()
	for _, e := range []*tlstest.End{l.Client, l.Server} {
		f := e.Machine.Facts()
		if n := count(e.Events, tlscore.RequestAnswered.String()); n != times || f.LateRequests != times || !f.PostHandshakeAuth {
			t.Errorf("%v: %d answers were told of, %d are in the facts, want %d", f.Role, n, f.LateRequests, times)
		}
	}
	if chain := l.Server.Machine.Facts().PeerChain; want == nil && len(chain) > 0 || want != nil && (len(chain) == 0 || !bytes.Equal(chain[0], want)) {
		t.Errorf("the server knows a chain of %d", len(chain))
	}
	own := l.Client.Machine.Facts().OwnIdentity
	if want == nil && own != nil || want != nil && (own == nil || !bytes.Equal(own.Chain[0], want)) {
		t.Errorf("the client has presented %v", own)
	}
}

func count(all []string, one string) (n int) {
	for _, s := range all {
		if s == one {
			n++
		}
	}
	return n
}

func TestCertificatesAreShownAfterTheHandshake(t *testing.T) {
	own := []tlscore.Identity{selfSigned(t, p256(t), "late")}
	first, times := selfSigned(t, ed(t), "first"), 0
	zip := []tlscore.CertificateCompression{deflate(&times)}
	raw := rawKey(t)
	for name, c := range map[string]struct {
		change func(c, s *tlscore.Config)
		shows  []byte
	}{
		"a certificate":             {func(c, _ *tlscore.Config) { c.Identities = own }, own[0].Chain[0]},
		"none":                      {func(c, _ *tlscore.Config) { c.Identities = nil }, nil},
		"after another":             {func(c, s *tlscore.Config) { c.Identities, s.ClientAuth = own, tlscore.RequireClientCert }, own[0].Chain[0]},
		"after a HelloRetryRequest": {func(c, s *tlscore.Config) { c.Identities, s.RetryAlways = own, true }, own[0].Chain[0]},
		"compressed": {func(c, s *tlscore.Config) {
			c.Identities, c.CertificateCompression, s.CertificateCompression = own, zip, zip
		}, own[0].Chain[0]},
		"SHA-384": {func(c, _ *tlscore.Config) {
			c.Identities, c.CipherSuites = own, []wire.CipherSuite{wire.TLS_AES_256_GCM_SHA384}
		}, own[0].Chain[0]},
		"a raw public key": {func(c, s *tlscore.Config) {
			c.Identities, s.PeerCertificateTypes = []tlscore.Identity{first, raw}, bothTypes
		}, raw.Chain[0]},
		"not a CA's": {func(c, s *tlscore.Config) {
			c.Identities, s.CertificateAuthorities = own, [][]byte{[]byte("\x30\x0e\x31\x0c0\x0a\x06\x03\x55\x04\x03\x0c\x03abc")}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			l := lateLink(t, c.change)
			context := request(t, l)
			if len(context) < 16 {
				t.Errorf("the context has %d bytes", len(context))
			}
			answered(t, l, 1, c.shows)
			exchange(t, l)
			if name == "compressed" {
				if l.Client.Machine.Facts().OwnCompression != wire.CompressionZlib || l.Server.Machine.Facts().PeerCompression != wire.CompressionZlib {
					t.Error("nothing was compressed")
				}
			}
			if again := request(t, l); bytes.Equal(again, context) {
				t.Error("two requests have one context")
			}
			answered(t, l, 2, c.shows)
			exchange(t, l)
		})
	}
}

// TestLateAnswersHoldUnderNewKeys changes the keys of both directions around requests, some of which cross data on the way.
func TestLateAnswersHoldUnderNewKeys(t *testing.T) {
	l := lateLink(t, nil)
	leaf := l.Client.Machine
	for i := range 3 {
		update := func(e *tlstest.End, ask bool) {
			t.Helper()
			out, err := e.Machine.KeyUpdate(ask, nil)
			if err != nil {
				t.Fatal(err)
			}
			l.Carry(e, out)
		}
		update(l.Client, i == 1)
		_, out, err := l.Server.Machine.RequestCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		l.Carry(l.Server, out)
		update(l.Server, true)
		for _, e := range []*tlstest.End{l.Client, l.Server} {
			if err := l.Send(e, []byte("between")); err != nil {
				t.Fatal(err)
			}
		}
		if f := leaf.Facts(); f.LateRequests != i+1 {
			t.Fatalf("%d answers after %d requests", f.LateRequests, i+1)
		}
	}
	if f := l.Server.Machine.Facts(); f.LateRequests != 3 || len(f.PeerChain) != 1 {
		t.Errorf("%d answers, chain of %d", f.LateRequests, len(f.PeerChain))
	}
	exchange(t, l)
}

// TestLateAnswersWaitForTheWriteHalf: whatever the write half does first comes first, and Finished is made with the keys
// of the moment.
func TestLateAnswersWaitForTheWriteHalf(t *testing.T) {
	l := lateLink(t, nil)
	context, out, err := l.Server.Machine.RequestCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	step := settle(t, l.Client, out)
	if step.Event.Kind != tlscore.RequestAnswered || !bytes.Equal(step.Event.Late.Context, context) || !step.Event.Late.Presented || len(step.Out) > 0 {
		t.Fatalf("%v, %+v, %d bytes from the read half", step.Event.Kind, step.Event.Late, len(step.Out))
	}
	if !l.Client.Machine.Pending() {
		t.Fatal("nothing is pending")
	}
	_, out, err = l.Client.Machine.Seal([]byte("data"), nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Carry(l.Client, out)
	if err := l.Run(); err != nil || string(l.Server.Received) != "data" {
		t.Fatalf("%q, %v", l.Server.Received, err)
	}
	if want := []string{"need_verify", "request_answered", "data"}; !slices.Equal(l.Server.Events[len(l.Server.Events)-3:], want) {
		t.Errorf("the server saw %v", l.Server.Events)
	}
	if l.Client.Machine.Pending() {
		t.Error("something is still pending")
	}
}

// TestLateAnswersGoBeforeTheFarewell: who was asked, and closes, has answered.
func TestLateAnswersGoBeforeTheFarewell(t *testing.T) {
	l := lateLink(t, nil)
	_, out, err := l.Server.Machine.RequestCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	settle(t, l.Client, out)
	if out, err = l.Client.Machine.CloseWrite(nil); err != nil {
		t.Fatal(err)
	}
	l.Carry(l.Client, out)
	if err := l.Run(); err != nil {
		t.Fatal(err)
	}
	if f := l.Server.Machine.Facts(); f.LateRequests != 1 || len(f.PeerChain) != 1 {
		t.Errorf("%d answers, chain of %d", f.LateRequests, len(f.PeerChain))
	}
}

// settle feeds an end bytes and answers its questions until there is an event.
func settle(t *testing.T, e *tlstest.End, in []byte) tlscore.Step {
	t.Helper()
	step, err := e.Machine.Feed(tlstest.Now, in, nil)
	for err == nil && step.Event.Question != nil {
		step, err = e.Machine.Resume(tlstest.Now, step.Event.Question.ID, e.Reply(step.Event.Question), step.Out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return step
}

func TestWhoCannotBeAskedLaterIsNot(t *testing.T) {
	for name, c := range map[string]struct {
		change func(c, s *tlscore.Config)
		want   error
	}{
		"the client does not offer it": {func(c, _ *tlscore.Config) { c.PostHandshakeAuth = false }, tlscore.ErrNoLateRequest},
		"the server does not want it":  {func(_, s *tlscore.Config) { s.PostHandshakeAuth = false }, tlscore.ErrNoLateRequest},
		"TLS 1.2":                      {func(c, _ *tlscore.Config) { c.MaxVersion = wire.VersionTLS12 }, tlscore.ErrNoLateRequest},
		"no type in common":            {func(_, s *tlscore.Config) { s.PeerCertificateTypes = bothTypes[:1] }, tlscore.ErrNoLateRequest},
		"HTTP/2":                       {func(c, s *tlscore.Config) { c.ALPN, s.ALPN = []string{"h2"}, []string{"h2"} }, tlscore.ErrLateOverHTTP2},
	} {
		t.Run(name, func(t *testing.T) {
			l := lateLink(t, c.change)
			if _, out, err := l.Server.Machine.RequestCertificate(nil); !errors.Is(err, c.want) || len(out) > 0 {
				t.Errorf("%v, with %d bytes", err, len(out))
			}
			exchange(t, l)
		})
	}
	l := lateLink(t, nil)
	var misuse *tlscore.MisuseError
	if _, _, err := l.Client.Machine.RequestCertificate(nil); !errors.As(err, &misuse) {
		t.Errorf("on a client: %v", err)
	}
}

func TestOpenRequestsAreBounded(t *testing.T) {
	l := lateLink(t, nil)
	ask := func() error {
		_, out, err := l.Server.Machine.RequestCertificate(nil)
		l.Carry(l.Server, out)
		return err
	}
	for range tlscore.MaxOpenRequests {
		if err := ask(); err != nil {
			t.Fatal(err)
		}
	}
	if err := ask(); !errors.Is(err, tlscore.ErrTooManyRequests) {
		t.Errorf("one more: %v", err)
	}
	if err := l.Run(); err != nil {
		t.Fatal(err)
	}
	answered(t, l, tlscore.MaxOpenRequests, l.Client.Machine.Facts().OwnIdentity.Chain[0])
	if err := ask(); err != nil {
		t.Errorf("after the answers: %v", err)
	}
}

// TestLateChoiceIsTheCallers: with AskIdentity the client's caller chooses, and may show nothing, or end the connection.
func TestLateChoiceIsTheCallers(t *testing.T) {
	id := selfSigned(t, ed(t), "chosen")
	for name, c := range map[string]struct {
		answer tlscore.Chosen
		shows  []byte
		code   tlscore.Code
	}{
		"one":     {answer: tlscore.Chosen{Identity: &id}, shows: id.Chain[0]},
		"none":    {},
		"refused": {answer: tlscore.Chosen{Err: errors.New("no")}, code: tlscore.CodeNoIdentity},
	} {
		t.Run(name, func(t *testing.T) {
			l := lateLink(t, func(c, _ *tlscore.Config) { c.AskIdentity, c.Identities = true, nil })
			l.Client.Answer = func(q *tlscore.Question) tlscore.Answer {
				if q.Kind == tlscore.NeedIdentity {
					if !q.Late || len(q.Schemes) == 0 {
						t.Errorf("%+v", q)
					}
					return c.answer
				}
				return nil
			}
			_, out, err := l.Server.Machine.RequestCertificate(nil)
			if err != nil {
				t.Fatal(err)
			}
			l.Carry(l.Server, out)
			err = l.Run()
			if code, _ := tlscore.CodeOf(err); code != c.code {
				t.Fatal(err)
			}
			if err == nil {
				answered(t, l, 1, c.shows)
			}
		})
	}
}

// TestRefusedLateCertificateEndsTheConnection: the server's verdict is final, as in a handshake, and reaches the client.
func TestRefusedLateCertificateEndsTheConnection(t *testing.T) {
	l := lateLink(t, nil)
	l.Server.Answer = func(q *tlscore.Question) tlscore.Answer {
		if q.Kind == tlscore.NeedVerify && q.Late {
			return tlscore.Verified{Err: errors.New("unknown"), Alert: wire.AlertUnknownCA}
		}
		return nil
	}
	_, out, err := l.Server.Machine.RequestCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Carry(l.Server, out)
	if code, _ := tlscore.CodeOf(l.Run()); code != tlscore.CodeCertificateRejected {
		t.Errorf("the server ended with %v", l.Server.Err)
	}
	var e *tlscore.Error
	if !errors.As(l.Client.Err, &e) || e.Code != tlscore.CodePeerAlert {
		t.Fatalf("the client ended with %v", l.Client.Err)
	}
	if f := l.Server.Machine.Facts(); len(f.PeerChain) > 0 || f.LateRequests != 0 {
		t.Error("the refused chain is among the facts")
	}
}

// TestTicketsKeepTheHandshakesClient: what was shown later is asked for again on a resumed connection.
func TestTicketsKeepTheHandshakesClient(t *testing.T) {
	l := lateLink(t, nil)
	request(t, l)
	s, err := l.Server.Machine.NewSession(tlstest.Now, tlscore.MaxTicketLifetime)
	if err != nil || len(s.PeerChain) != 0 {
		t.Errorf("a session with a chain of %d: %v", len(s.PeerChain), err)
	}
	m := l.Server.Machine
	for range 2 { // nor does a handover change that
		state, err := m.Suspend()
		if err != nil {
			t.Fatal(err)
		}
		if m, err = tlscore.Restore(compile(t, serverConfig(t)), tlscore.Options{}, state); err != nil {
			t.Fatal(err)
		}
		if f := m.Facts(); f.LateRequests != 1 || len(f.PeerChain) != 1 || !f.HandshakeComplete {
			t.Errorf("handed over: %d requests, chain of %d", f.LateRequests, len(f.PeerChain))
		}
		if s, err := m.NewSession(tlstest.Now, tlscore.MaxTicketLifetime); err != nil || len(s.PeerChain) != 0 {
			t.Errorf("handed over, a session with a chain of %d: %v", len(s.PeerChain), err)
		}
	}
}

// TestHandedOverConnectionCannotBeAsked: the transcript of its handshake does not go with it.
func TestHandedOverConnectionCannotBeAsked(t *testing.T) {
	l := lateLink(t, nil)
	request(t, l)
	_, out, err := l.Server.Machine.RequestCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	var misuse *tlscore.MisuseError
	if _, err := l.Server.Machine.Suspend(); !errors.As(err, &misuse) {
		t.Errorf("with an open request: %v", err)
	}
	l.Carry(l.Server, out)
	if err := l.Run(); err != nil {
		t.Fatal(err)
	}
	state, err := l.Server.Machine.Suspend()
	if err != nil {
		t.Fatal(err)
	}
	m, err := tlscore.Restore(compile(t, serverConfig(t)), tlscore.Options{}, state)
	if err != nil {
		t.Fatal(err)
	}
	if f := m.Facts(); f.PostHandshakeAuth || f.LateRequests != 2 || len(f.PeerChain) != 1 {
		t.Errorf("%+v", f)
	}
	if _, _, err := m.RequestCertificate(nil); !errors.Is(err, tlscore.ErrNoLateRequest) {
		t.Error(err)
	}
}

// TestSuspendInTheMiddleOfAnAnswerChangesNothing: what is refused goes on as it was.
func TestSuspendInTheMiddleOfAnAnswerChangesNothing(t *testing.T) {
	middle := 0
	for whole := range 20 {
		l := lateLink(t, func(c, _ *tlscore.Config) { c.MaxRecord = 64 })
		records := 0
		l.Mutate = func(from *tlstest.End, rec []byte) []byte {
			if from != l.Client {
				return rec
			}
			if records++; records > whole {
				return nil
			}
			return rec
		}
		request(t, l)
		_, err := l.Server.Machine.Suspend()
		if err == nil {
			continue // all of it has come
		}
		if strings.Contains(err.Error(), "exchange") {
			middle++
		}
		if !l.Server.Machine.Facts().PostHandshakeAuth {
			t.Errorf("after %d records: %v, but the facts have changed", whole, err)
		}
	}
	if middle == 0 {
		t.Error("no answer was cut off in its middle")
	}
}
