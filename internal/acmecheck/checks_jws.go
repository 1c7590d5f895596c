package acmecheck

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/tlswright/tlswright/acme"
)

// jwsChecks damage requests that would do nothing if they were taken: they read the account, or find it by its key.
func jwsChecks() []check {
	const group = "signed requests"
	// broken sends a damaged request for the account.
	broken := func(status int, kinds []acme.ProblemType, edit func(*session, *message)) func(context.Context, *session) error {
		return func(ctx context.Context, s *session) error {
			if err := s.needAccount(ctx); err != nil {
				return err
			}
			m := message{by: s.who, url: s.who.url}
			edit(s, &m)
			a, err := s.send(ctx, m)
			if status == 0 {
				return refused(a, err, kinds...)
			}
			return refusedAs(a, err, status, kinds...)
		}
	}
	header := func(change func(map[string]any)) func(*session, *message) {
		return func(_ *session, m *message) { m.header = change }
	}
	body := func(change func(map[string]any)) func(*session, *message) {
		return func(_ *session, m *message) { m.body = change }
	}
	kinds := func(k ...acme.ProblemType) []acme.ProblemType { return k }
	return []check{
		{group, "RFC 8555, Section 6.2", "another content type is refused with status 415", broken(http.StatusUnsupportedMediaType, nil, func(_ *session, m *message) { m.kind = "application/json" })},
		{group, "RFC 8555, Section 6.2", "alg none is refused as badSignatureAlgorithm, with those that are good", goodAlgorithms("none")},
		{group, "RFC 8555, Section 6.2", "an alg with a MAC is refused as badSignatureAlgorithm, with those that are good", goodAlgorithms("HS256")},
		{group, "RFC 8555, Section 6.2", "an unprotected header is refused", broken(0, nil, body(set("header", map[string]string{"x": "y"})))},
		{group, "RFC 8555, Section 6.2", "several signatures are refused", broken(0, nil, body(func(m map[string]any) {
			m["signatures"] = []any{map[string]any{"protected": m["protected"], "signature": m["signature"]}}
			delete(m, "protected")
			delete(m, "signature")
		}))},
		{group, "RFC 8555, Section 6.2", "an unencoded payload (b64, crit) is refused", broken(0, nil, header(func(h map[string]any) { h["b64"], h["crit"] = false, []string{"b64"} }))},
		{group, "RFC 8555, Section 6.2", "a detached payload is refused", broken(0, nil, body(drop("payload")))},
		{group, "RFC 8555, Section 6.2", "kid and jwk together are refused", broken(0, nil, func(s *session, m *message) { m.header = set("jwk", s.who.jwk()) })},
		{group, "RFC 8555, Section 6.2", "jwk is refused where kid is due", broken(0, nil, func(_ *session, m *message) { m.asKey = true })},
		{group, "RFC 8555, Section 6.2", "kid is refused where jwk is due", broken(0, nil, func(s *session, m *message) {
			m.url, m.payload = s.dir.NewAccount, map[string]any{"onlyReturnExisting": true}
		})},
		{group, "RFC 8555, Section 6.2", "neither kid nor jwk is refused", broken(0, nil, header(drop("kid")))},
		{group, "RFC 8555, Section 6.2", "a kid that nobody has is refused", broken(0, nil, func(s *session, m *message) { m.header = set("kid", s.who.url+"x") })},
		{group, "RFC 8555, Section 6.2", "a signature that does not hold is refused", broken(0, nil, body(func(m map[string]any) { m["signature"] = b64(make([]byte, 64)) }))},
		{group, "RFC 8555, Section 6.2", "a payload that was changed is refused", broken(0, nil, body(set("payload", b64([]byte("{}")))))},
		{group, "RFC 8555, Section 6.4", "the url of another resource is refused as unauthorized", broken(0, kinds(acme.Unauthorized), func(s *session, m *message) { m.header = set("url", s.dir.NewOrder) })},
		{group, "RFC 8555, Section 6.4", "a url of another spelling is refused as unauthorized", broken(0, kinds(acme.Unauthorized), func(s *session, m *message) { m.header = set("url", s.who.url+"?selftest") })},
		{group, "RFC 8555, Section 6.4.1", "a request without url is refused", broken(0, nil, header(drop("url")))},
		{group, "RFC 8555, Section 6.3", "GET is refused with status 405 as malformed", getRefused},
	}
}

// goodAlgorithms sends a request by an algorithm that no server may take.
func goodAlgorithms(alg string) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		if err := s.needAccount(ctx); err != nil {
			return err
		}
		a, err := s.send(ctx, message{by: s.who, url: s.who.url, header: set("alg", alg)})
		if err := refusedAs(a, err, http.StatusBadRequest, acme.BadSignatureAlgorithm); err != nil {
			return err
		}
		if len(a.problem().Algorithms) == 0 {
			return errors.New("the problem document has no algorithms")
		}
		return nil
	}
}

func getRefused(ctx context.Context, s *session) error {
	if err := s.needAccount(ctx); err != nil {
		return err
	}
	for _, url := range []string{s.dir.NewOrder, s.dir.NewAccount, s.who.url} {
		a, err := s.get(ctx, url)
		if err := refusedAs(a, err, http.StatusMethodNotAllowed, acme.Malformed); err != nil {
			return fmt.Errorf("%s: %w", url, err)
		}
	}
	return nil
}
