package acmecheck

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/acme"
)

// needAccount makes the account of the run, once.
func (s *session) needAccount(ctx context.Context) error {
	if s.who != nil && s.who.url != "" {
		return nil
	}
	if s.registered != nil {
		return inapplicable("there is no account")
	}
	if s.bindingRequired() && s.o.Binding == nil {
		return inapplicable("accounts must be bound, and no key for that was given")
	}
	p, err := newPerson()
	if err != nil {
		return err
	}
	s.who = p
	a, err := s.register(ctx, p, nil)
	if err != nil {
		return err
	}
	s.registered = a
	if p.url == "" {
		s.who = nil
		return inapplicable("there is no account: " + a.String())
	}
	return nil
}

// needOther makes a second account, for what one must not do to another.
func (s *session) needOther(ctx context.Context) error {
	if s.other != nil {
		return nil
	}
	if s.bindingRequired() {
		return inapplicable("a second account would need a second key to bind it")
	}
	p, err := newPerson()
	if err != nil {
		return err
	}
	a, err := s.register(ctx, p, nil)
	if err != nil {
		return err
	}
	if p.url == "" {
		return inapplicable("there is no second account: " + a.String())
	}
	s.other = p
	return nil
}

func (s *session) bindingRequired() bool {
	return s.dir.Meta != nil && s.dir.Meta.ExternalAccountRequired
}

func accountChecks() []check {
	const group = "accounts"
	return []check{
		{group, "RFC 8555, Section 7.3", "an account is made with status 201, its URL and its status", accountMade},
		{group, "RFC 8555, Section 7.3.1", "the same key finds its account, unchanged, with status 200", accountFound},
		{group, "RFC 8555, Section 7.3.1", "onlyReturnExisting finds it, and makes none", accountOnly},
		{group, "RFC 8555, Section 7.3", "without agreement to the terms there is none", accountTerms},
		{group, "RFC 8555, Section 7.3", "a contact of an unknown scheme is refused as unsupportedContact", func(ctx context.Context, s *session) error {
			return s.refuseContact(ctx, acme.UnsupportedContact, "x-selftest:nobody")
		}},
		{group, "RFC 8555, Section 7.3", "a mailto: contact that is none is refused as invalidContact", func(ctx context.Context, s *session) error {
			return s.refuseContact(ctx, acme.InvalidContact, "mailto:", "mailto:nobody")
		}},
		{group, "RFC 8555, Section 6.3", "an account is read by POST-as-GET", func(ctx context.Context, s *session) error {
			if err := s.needAccount(ctx); err != nil {
				return err
			}
			var a acme.Account
			if _, err := s.read(ctx, s.who.url, &a); err != nil {
				return err
			}
			if a.Status != acme.StatusValid {
				return fmt.Errorf("its status is %q", a.Status)
			}
			return nil
		}},
		{group, "RFC 8555, Section 7.3.2", "an account takes other contacts", accountContacts},
		{group, "RFC 8555, Section 7.3.2", "what cannot be changed of it is passed over", accountIgnores},
		{group, "RFC 8555, Section 7.3.4", "where binding is required, there is no account without", bindingMissing},
		{group, "RFC 8555, Section 7.3.4", "a binding by an unknown key is refused", bindingForged},
		{group, "RFC 8555, Section 7.3.4", "an account shows the binding that was checked", bindingShown},
	}
}

func accountMade(ctx context.Context, s *session) error {
	if err := s.needAccount(ctx); err != nil {
		if s.registered != nil {
			return fmt.Errorf("newAccount was answered with %s", s.registered)
		}
		return err
	}
	if s.registered.status != http.StatusCreated {
		return fmt.Errorf("status %d", s.registered.status)
	}
	var a acme.Account
	if err := s.registered.into(&a); err != nil {
		return err
	}
	if a.Status != acme.StatusValid {
		return fmt.Errorf("its status is %q", a.Status)
	}
	if !isHTTPS(s.who.url) {
		return fmt.Errorf("the header Location is %q", s.who.url)
	}
	return nil
}

func accountFound(ctx context.Context, s *session) error {
	if err := s.needAccount(ctx); err != nil {
		return err
	}
	a, err := s.register(ctx, s.who, map[string]any{"contact": []string{"mailto:other@selftest.example.com"}})
	if err != nil {
		return err
	}
	var got acme.Account
	switch {
	case a.status != http.StatusOK:
		return fmt.Errorf("it was answered with %s", a)
	case a.header.Get("Location") != s.who.url:
		return fmt.Errorf("the header Location is %q", a.header.Get("Location"))
	case a.into(&got) == nil && slices.Contains(got.Contact, "mailto:other@selftest.example.com"):
		return errors.New("the request has changed the account")
	}
	return nil
}

func accountOnly(ctx context.Context, s *session) error {
	if err := s.needAccount(ctx); err != nil {
		return err
	}
	ask := map[string]any{"onlyReturnExisting": true}
	a, err := s.send(ctx, message{by: s.who, url: s.dir.NewAccount, payload: ask, asKey: true})
	if err != nil {
		return err
	}
	if a.status != http.StatusOK || a.header.Get("Location") != s.who.url {
		return fmt.Errorf("one that exists: %s", a)
	}
	p, err := newPerson()
	if err != nil {
		return err
	}
	return s.noAccount(ctx, p, ask, http.StatusBadRequest, acme.AccountDoesNotExist)
}

// noAccount checks that newAccount refuses a payload; an account that comes of it all the same is cleaned up.
func (s *session) noAccount(ctx context.Context, p *person, payload any, status int, kinds ...acme.ProblemType) error {
	a, err := s.send(ctx, message{by: p, url: s.dir.NewAccount, payload: payload, asKey: true})
	if err == nil && a.status < 300 {
		if p.url = a.header.Get("Location"); p.url != "" {
			s.people = append(s.people, p)
		}
	}
	if status == 0 {
		return refused(a, err, kinds...)
	}
	return refusedAs(a, err, status, kinds...)
}

func accountTerms(ctx context.Context, s *session) error {
	if s.dir.Meta == nil || s.dir.Meta.TermsOfService == "" {
		return inapplicable("the directory names no terms")
	}
	if s.bindingRequired() {
		return inapplicable("accounts must be bound, which may be looked at first")
	}
	p, err := newPerson()
	if err != nil {
		return err
	}
	return s.noAccount(ctx, p, struct{}{}, 0)
}

func (s *session) refuseContact(ctx context.Context, kind acme.ProblemType, contacts ...string) error {
	if err := s.needAccount(ctx); err != nil {
		return err
	}
	for _, c := range contacts {
		a, err := s.post(ctx, s.who.url, map[string]any{"contact": []string{c}})
		if err != nil {
			return err
		}
		if a.status < 300 {
			var got acme.Account
			if a.into(&got) == nil && len(got.Contact) == 0 {
				return inapplicable("the server keeps no contacts")
			}
		}
		if err := refused(a, err, kind); err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
	}
	return nil
}

func accountContacts(ctx context.Context, s *session) error {
	if err := s.needAccount(ctx); err != nil {
		return err
	}
	contact := s.o.Contact
	if len(contact) == 0 {
		contact = []string{"mailto:acme-selftest@" + s.o.Name}
		if !strings.Contains(s.o.Name, ".") {
			contact = []string{"mailto:acme-selftest@selftest.example.com"}
		}
	}
	a, err := s.post(ctx, s.who.url, map[string]any{"contact": contact})
	if err != nil {
		return err
	}
	var got acme.Account
	if a.problem().Kind() == acme.InvalidContact && len(s.o.Contact) == 0 {
		return inapplicable("no address was given, and the server does not like a made-up one")
	}
	if a.status != http.StatusOK || a.into(&got) != nil || got.Status != acme.StatusValid {
		return fmt.Errorf("it was answered with %s", a)
	}
	if len(got.Contact) > 0 && !slices.Equal(got.Contact, contact) {
		return fmt.Errorf("its contacts are %v then", got.Contact)
	}
	return nil
}

func accountIgnores(ctx context.Context, s *session) error {
	if err := s.needAccount(ctx); err != nil {
		return err
	}
	var got acme.Account
	if _, err := s.read(ctx, s.who.url, &got); err != nil {
		return err
	}
	change := map[string]any{"orders": "https://selftest.example.com/", "x-selftest": map[string]any{"deep": []int{1}}}
	if len(got.Contact) > 0 {
		change["contact"] = got.Contact // some servers refuse an update of nothing
	}
	a, err := s.post(ctx, s.who.url, change)
	if err != nil {
		return err
	}
	if a.status != http.StatusOK || a.into(&got) != nil {
		return fmt.Errorf("it was answered with %s", a)
	}
	if strings.Contains(got.Orders, "selftest.example.com") {
		return errors.New("orders was changed")
	}
	return nil
}

func bindingMissing(ctx context.Context, s *session) error {
	if !s.bindingRequired() {
		return inapplicable("it is not required")
	}
	p, err := newPerson()
	if err != nil {
		return err
	}
	return s.noAccount(ctx, p, map[string]any{"termsOfServiceAgreed": true}, 0)
}

// bindingForged offers a binding that cannot hold. A server that does not look at bindings must not show it afterwards.
func bindingForged(ctx context.Context, s *session) error {
	p, err := newPerson()
	if err != nil {
		return err
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	bound, err := s.bind(p, &Binding{KID: "acme-selftest-nobody", Key: key})
	if err != nil {
		return err
	}
	a, err := s.send(ctx, message{by: p, url: s.dir.NewAccount, payload: map[string]any{"termsOfServiceAgreed": true, "externalAccountBinding": bound}, asKey: true})
	if err != nil || a.status >= 300 {
		return refused(a, err)
	}
	if p.url = a.header.Get("Location"); p.url != "" {
		s.people = append(s.people, p)
	}
	var got acme.Account
	if err := a.into(&got); err != nil {
		return err
	}
	if s.bindingRequired() || len(got.ExternalAccountBinding) > 0 {
		return fmt.Errorf("it was taken: %s", a)
	}
	return nil
}

func bindingShown(ctx context.Context, s *session) error {
	if s.o.Binding == nil {
		return inapplicable("no key for a binding was given")
	}
	if err := s.needAccount(ctx); err != nil {
		return err
	}
	var got acme.Account
	if err := s.registered.into(&got); err != nil {
		return err
	}
	var bound struct {
		Protected string `json:"protected"`
		Payload   string `json:"payload"`
		Signature string `json:"signature"`
	}
	if err := json.NewDecoder(bytes.NewReader(got.ExternalAccountBinding)).Decode(&bound); err != nil || bound.Signature == "" {
		return errors.New("the account does not show it")
	}
	return nil
}

// endChecks deactivate the account: nothing comes after them.
func endChecks() []check {
	return []check{
		{"accounts", "RFC 8555, Section 7.3.6", "a deactivated account says so, and signs no more (401, unauthorized)", func(ctx context.Context, s *session) error {
			p := s.other
			if p == nil {
				return inapplicable("the only account is needed for cleaning up")
			}
			a, err := s.postAs(ctx, p, p.url, acme.StatusChange{Status: acme.StatusDeactivated})
			if err != nil {
				return err
			}
			var got acme.Account
			if a.status != http.StatusOK || a.into(&got) != nil || got.Status != acme.StatusDeactivated {
				return fmt.Errorf("deactivation was answered with %s", a)
			}
			s.gone(p)
			a, err = s.postAs(ctx, p, p.url, nil)
			return refusedAs(a, err, http.StatusUnauthorized, acme.Unauthorized)
		}},
	}
}
