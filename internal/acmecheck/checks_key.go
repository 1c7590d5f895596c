package acmecheck

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"

	"github.com/tlswright/tlswright/acme"
)

// weakPerson has a key that no server should take.
func weakPerson() (*person, error) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	return &person{key: key}, err
}

func keyChecks() []check {
	const group = "account keys"
	return []check{
		{group, "RFC 8555, Section 6.2", "a public key that is not liked is refused as badPublicKey", func(ctx context.Context, s *session) error {
			if s.bindingRequired() {
				return inapplicable("accounts must be bound, which may be looked at first")
			}
			p, err := weakPerson()
			if err != nil {
				return err
			}
			err = s.noAccount(ctx, p, map[string]any{"termsOfServiceAgreed": true}, http.StatusBadRequest, acme.BadPublicKey)
			if p.url != "" {
				return inapplicable("the server takes RSA keys of 1024 bits, which is bad, but left to it")
			}
			return err
		}},
		{group, "RFC 8555, Section 7.3.5", "a key change with a broken inner JWS is refused", keyBroken},
		{group, "RFC 8555, Section 7.3.5", "the key of another account cannot be taken", keyTaken},
		{group, "RFC 8555, Section 7.3.5", "a key change holds: the new key signs, the old one no more", keyChanged},
		{group, "RFC 8555, Section 7.3.5", "orders outlive a key change", func(ctx context.Context, s *session) error {
			if !s.keyIsNew {
				return inapplicable("the key was not changed")
			}
			if s.pending == nil {
				return inapplicable("there is no order")
			}
			o := acme.Order{}
			before := s.pending.Status
			if _, err := s.read(ctx, s.pending.url, &o); err != nil {
				return err
			}
			if before != o.Status {
				return fmt.Errorf("a %s order is %s", before, o.Status)
			}
			return nil
		}},
	}
}

// inner makes the inner JWS of a key change; change may damage header and payload.
func (s *session) inner(to *person, change func(header, payload map[string]any)) (map[string]any, error) {
	header := map[string]any{"alg": algorithmOf(to.key), "jwk": to.jwk(), "url": s.dir.KeyChange}
	payload := map[string]any{"account": s.who.url, "oldKey": s.who.jwk()}
	if change != nil {
		change(header, payload)
	}
	return seal(to.key, header, payload)
}

func (s *session) changeKey(ctx context.Context, to *person, change func(header, payload map[string]any)) (*answer, error) {
	if s.dir.KeyChange == "" {
		return nil, errors.New("the directory has no keyChange")
	}
	if err := s.needAccount(ctx); err != nil {
		return nil, err
	}
	jws, err := s.inner(to, change)
	if err != nil {
		return nil, err
	}
	return s.post(ctx, s.dir.KeyChange, jws)
}

func keyBroken(ctx context.Context, s *session) error {
	to, err := newPerson()
	if err != nil {
		return err
	}
	stranger, err := newPerson()
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name   string
		change func(header, payload map[string]any)
	}{
		{"another url", func(h, _ map[string]any) { h["url"] = s.dir.NewAccount }},
		{"no jwk", func(h, _ map[string]any) { delete(h, "jwk"); h["kid"] = s.who.url }},
		{"the jwk of another key", func(h, _ map[string]any) { h["jwk"] = stranger.jwk() }},
		{"another account", func(_, p map[string]any) { p["account"] = s.who.url + "x" }},
		{"another oldKey", func(_, p map[string]any) { p["oldKey"] = stranger.jwk() }},
		{"no oldKey", func(_, p map[string]any) { delete(p, "oldKey") }},
	} {
		a, err := s.changeKey(ctx, to, f.change)
		if err := refused(a, err); err != nil {
			if a != nil && a.status < 300 {
				s.who.key = to.key // else nothing signed from here on would count
			}
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

func keyTaken(ctx context.Context, s *session) error {
	if err := s.needOther(ctx); err != nil {
		return err
	}
	a, err := s.changeKey(ctx, s.other, nil)
	if err != nil || a.status >= 300 {
		return refused(a, err)
	}
	still, err := s.post(ctx, s.who.url, nil)
	if err != nil {
		return err
	}
	if still.status == http.StatusOK {
		return fmt.Errorf("it was answered with status %d, as if it were taken; the old key still signs", a.status)
	}
	s.who.key = s.other.key // else nothing signed from here on would count
	return fmt.Errorf("it was taken: %s", a)
}

func keyChanged(ctx context.Context, s *session) error {
	to, err := newPerson()
	if err != nil {
		return err
	}
	if err := s.needAccount(ctx); err != nil {
		return err
	}
	if s.pending, _, err = s.place(ctx, acme.NewOrder{}); err != nil {
		s.pending = nil // the rule about orders does not apply then
	}
	a, err := s.changeKey(ctx, to, nil)
	if err != nil {
		return err
	}
	if a.status != http.StatusOK {
		return fmt.Errorf("it was answered with %s", a)
	}
	old := &person{key: s.who.key, url: s.who.url}
	s.who.key, s.keyIsNew = to.key, true
	var got acme.Account
	if _, err := s.read(ctx, s.who.url, &got); err != nil {
		return fmt.Errorf("with the new key: %w", err)
	}
	a, err = s.postAs(ctx, old, old.url, nil)
	if err := refused(a, err); err != nil {
		return fmt.Errorf("with the old key: %w", err)
	}
	return nil
}
