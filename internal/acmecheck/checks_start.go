package acmecheck

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/acme"
)

func directoryChecks() []check {
	const group = "directory"
	return []check{
		{group, "RFC 8555, Section 6.1", "the directory is served over https", func(_ context.Context, s *session) error {
			if !isHTTPS(s.o.Directory) {
				return errors.New("it is served over http")
			}
			return nil
		}},
		{group, "RFC 8555, Section 7.1.1", "it is a JSON object", func(_ context.Context, s *session) error {
			if kind := s.dirGot.header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
				return fmt.Errorf("its content type is %q", kind)
			}
			return nil
		}},
		{group, "RFC 8555, Section 7.1.1", "it names all resources, by https URLs", directoryFields},
		{group, "RFC 8555, Section 7.1.1", "meta holds fields of the right types", directoryMeta},
		{group, "RFC 8555, Section 6.3", "it can be read by POST-as-GET, too", func(ctx context.Context, s *session) error {
			if err := s.needAccount(ctx); err != nil {
				return err
			}
			var d acme.Directory
			if _, err := s.read(ctx, s.o.Directory, &d); err != nil {
				return err
			}
			if d.NewOrder != s.dir.NewOrder {
				return errors.New("it is another one then")
			}
			return nil
		}},
	}
}

func directoryFields(_ context.Context, s *session) error {
	for _, name := range []string{"newNonce", "newAccount", "newOrder", "revokeCert", "keyChange"} {
		if s.raw[name] == nil {
			return fmt.Errorf("%s is missing", name)
		}
	}
	for _, name := range []string{"newNonce", "newAccount", "newOrder", "newAuthz", "revokeCert", "keyChange", "renewalInfo"} {
		if s.raw[name] == nil {
			continue
		}
		var u string
		if err := json.Unmarshal(s.raw[name], &u); err != nil || !isHTTPS(u) {
			return fmt.Errorf("%s is %s", name, s.raw[name])
		}
	}
	return nil
}

func directoryMeta(_ context.Context, s *session) error {
	if s.raw["meta"] == nil {
		return inapplicable("there is no meta")
	}
	var meta map[string]json.RawMessage
	if err := json.Unmarshal(s.raw["meta"], &meta); err != nil {
		return errors.New("meta is no object")
	}
	for name, into := range map[string]any{"termsOfService": new(string), "website": new(string), "caaIdentities": new([]string),
		"externalAccountRequired": new(bool), "profiles": new(map[string]string)} {
		if meta[name] != nil && json.Unmarshal(meta[name], into) != nil {
			return fmt.Errorf("%s is %s", name, meta[name])
		}
	}
	for _, id := range s.dir.Meta.CAAIdentities {
		if strings.ContainsFunc(id, func(r rune) bool { return r > 126 || r <= ' ' }) {
			return fmt.Errorf("the CAA identity %q is not ASCII", id)
		}
	}
	return nil
}

func nonceChecks() []check {
	const group = "nonces"
	fetch := func(method string, status int) func(context.Context, *session) error {
		return func(ctx context.Context, s *session) error {
			a, err := s.plain(ctx, method, s.dir.NewNonce)
			switch {
			case err != nil:
				return err
			case a.status != status:
				return fmt.Errorf("status %d instead of %d", a.status, status)
			case a.header.Get("Replay-Nonce") == "":
				return errors.New("there is no Replay-Nonce")
			case !strings.Contains(a.header.Get("Cache-Control"), "no-store"):
				return fmt.Errorf("Cache-Control is %q, without no-store", a.header.Get("Cache-Control"))
			}
			return nil
		}
	}
	// wrong sends a sound request with a nonce that is not.
	wrong := func(text string, kinds ...acme.ProblemType) func(context.Context, *session) error {
		return func(ctx context.Context, s *session) error {
			a, err := s.withNonce(ctx, text)
			return refusedAs(a, err, http.StatusBadRequest, kinds...)
		}
	}
	return []check{
		{group, "RFC 8555, Section 7.2", "HEAD of newNonce gives one, not to be kept", fetch(http.MethodHead, http.StatusOK)},
		{group, "RFC 8555, Section 7.2", "GET of newNonce gives one with status 204, not to be kept", fetch(http.MethodGet, http.StatusNoContent)},
		{group, "RFC 8555, Section 6.5", "a nonce is taken once", nonceOnce},
		{group, "RFC 8555, Section 6.5", "an invented nonce is refused", wrong("aW52ZW50ZWQtYnktYWNtZS1zZWxmdGVzdA", acme.BadNonce)},
		{group, "RFC 8555, Section 6.5.2", "a nonce that is no base64url is refused", wrong("not+base64/url==", acme.Malformed, acme.BadNonce)},
		{group, "RFC 8555, Section 6.5", "a request without a nonce is refused", func(ctx context.Context, s *session) error {
			if err := s.needAccount(ctx); err != nil {
				return err
			}
			none := ""
			a, err := s.send(ctx, message{by: s.who, url: s.who.url, nonce: &none, header: drop("nonce")})
			return refusedAs(a, err, http.StatusBadRequest, acme.BadNonce)
		}},
		{group, "RFC 8555, Section 6.5", "a refused nonce comes with one that is good", nonceOfError},
		{group, "RFC 8555, Section 6.3", "newNonce answers POST-as-GET", func(ctx context.Context, s *session) error {
			if err := s.needAccount(ctx); err != nil {
				return err
			}
			a, err := s.post(ctx, s.dir.NewNonce, nil)
			if err == nil && a.status >= 300 {
				err = fmt.Errorf("it was answered with %s", a)
			}
			return err
		}},
	}
}

func (s *session) withNonce(ctx context.Context, text string) (*answer, error) {
	if err := s.needAccount(ctx); err != nil {
		return nil, err
	}
	return s.send(ctx, message{by: s.who, url: s.who.url, nonce: &text})
}

func nonceOnce(ctx context.Context, s *session) error {
	if err := s.needAccount(ctx); err != nil {
		return err
	}
	// Some servers refuse good nonces now and then: one that is taken is needed.
	for range maxRetries {
		n, err := s.nonce(ctx)
		if err != nil {
			return err
		}
		a, err := s.withNonce(ctx, n)
		if err != nil {
			return err
		}
		if a.problem().Kind() == acme.BadNonce {
			continue
		}
		if a.status != http.StatusOK {
			return fmt.Errorf("a sound request was answered with %s", a)
		}
		a, err = s.withNonce(ctx, n)
		return refusedAs(a, err, http.StatusBadRequest, acme.BadNonce)
	}
	return errors.New("no fresh nonce is ever taken")
}

func nonceOfError(ctx context.Context, s *session) error {
	for range maxRetries {
		a, err := s.withNonce(ctx, "aW52ZW50ZWQtYnktYWNtZS1zZWxmdGVzdA")
		if err := refused(a, err, acme.BadNonce); err != nil {
			return err
		}
		n := a.header.Get("Replay-Nonce")
		if n == "" {
			return errors.New("it comes with none")
		}
		s.nonces = slices.DeleteFunc(s.nonces, func(have string) bool { return have == n })
		if a, err = s.withNonce(ctx, n); err != nil || a.status == http.StatusOK {
			return err
		}
	}
	return errors.New("none that comes with a badNonce is ever taken")
}

func drop(key string) func(map[string]any) {
	return func(m map[string]any) { delete(m, key) }
}

func set(key string, value any) func(map[string]any) {
	return func(m map[string]any) { m[key] = value }
}
