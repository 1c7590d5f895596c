package acmecheck

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/acme"
)

func orderChecks() []check {
	const group = "orders"
	// bad orders what no server should take.
	bad := func(payload func(*session) any, kinds ...acme.ProblemType) func(context.Context, *session) error {
		return func(ctx context.Context, s *session) error {
			if err := s.needAccount(ctx); err != nil {
				return err
			}
			a, err := s.post(ctx, s.dir.NewOrder, payload(s))
			if err == nil && a.status < 300 {
				var o acme.Order
				if a.into(&o) == nil {
					s.open = append(s.open, o.Authorizations...)
				}
			}
			return refused(a, err, kinds...)
		}
	}
	named := func(kind string, name func(*session) string) func(*session) any {
		return func(s *session) any {
			return acme.NewOrder{Identifiers: []acme.Identifier{{Type: kind, Value: name(s)}}}
		}
	}
	return []check{
		{group, "RFC 8555, Section 7.4", "an order of nothing is refused", bad(func(*session) any { return map[string]any{"identifiers": []any{}} })},
		{group, "RFC 8555, Section 7.4", "an order that is no JSON object is refused as malformed", bad(func(*session) any { return []byte(`"order"`) }, acme.Malformed)},
		{group, "RFC 8555, Section 7.4", "an unknown type of identifier is refused", bad(named("x-selftest", func(*session) string { return "x" }))},
		{group, "RFC 8555, Section 7.1.3", "a star that is not the first label is refused", bad(named(acme.TypeDNS, func(s *session) string { return "x.*." + s.o.Name }))},
		{group, "RFC 8555, Section 7.1.4", "a label xn-- that is no punycode is refused", bad(named(acme.TypeDNS, func(s *session) string { return "xn--0." + s.o.Name }))},
		{group, "RFC 8738, Section 3", "an address that is none is refused", bad(named(acme.TypeIP, func(*session) string { return "192.0.2.256" }))},
		{group, "RFC 8555, Section 7.4", "an order comes with status 201, its URL, and all it must have", orderMade},
		{group, "RFC 8555, Section 7.4", "it is read by POST-as-GET, and the same", orderRead},
		{group, "RFC 8555, Section 7.4", "dates that are asked for are kept or refused", orderDates},
		{group, "RFC 8555, Section 7.4", "an order that is not ready cannot be finalized (403, orderNotReady)", orderNotReady},
		{group, "RFC 8555, Section 7.1.2.1", "the account's list has the order", orderListed},
		{group, "RFC 8555, Section 6.3", "another account sees neither account nor order nor authorization", orderPrivate},
		{group, "RFC 8555, Section 7.1.4", "a wildcard's authorization is of the name, with wildcard true", orderWildcard},
		{group, "RFC 8738, Section 3", "an address is ordered by its own type, and not proven by DNS", orderAddress},
	}
}

func orderMade(ctx context.Context, s *session) error {
	if err := s.needAccount(ctx); err != nil {
		return err
	}
	o, a, err := s.place(ctx, acme.NewOrder{})
	if err != nil {
		return err
	}
	s.pending = o
	switch {
	case !isHTTPS(o.url):
		return fmt.Errorf("the header Location is %q", a.header.Get("Location"))
	case o.Status != acme.StatusPending && o.Status != acme.StatusReady:
		return fmt.Errorf("status is %q", o.Status)
	case !slices.Equal(o.Identifiers, s.names()):
		return fmt.Errorf("identifiers are %v", o.Identifiers)
	case len(o.Authorizations) == 0 || !isHTTPS(o.Authorizations[0]):
		return fmt.Errorf("authorizations are %q", o.Authorizations)
	case !isHTTPS(o.Finalize):
		return fmt.Errorf("finalize is %q", o.Finalize)
	}
	return date("expires", o.Expires)
}

// date checks a date that must be there (RFC 3339).
func date(name, text string) error {
	if _, err := time.Parse(time.RFC3339, text); err != nil {
		return fmt.Errorf("%s is %q, no date of RFC 3339", name, text)
	}
	return nil
}

func (s *session) needOrder() error {
	if s.pending == nil {
		return inapplicable("there is no order")
	}
	return nil
}

func orderRead(ctx context.Context, s *session) error {
	if err := s.needOrder(); err != nil {
		return err
	}
	var o acme.Order
	if _, err := s.read(ctx, s.pending.url, &o); err != nil {
		return err
	}
	if o.Finalize != s.pending.Finalize || !slices.Equal(o.Authorizations, s.pending.Authorizations) || o.Expires != s.pending.Expires {
		return errors.New("it is another one then")
	}
	return nil
}

func orderDates(ctx context.Context, s *session) error {
	if err := s.needAccount(ctx); err != nil {
		return err
	}
	from := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	n := acme.NewOrder{Identifiers: s.names(), NotBefore: from.Format(time.RFC3339), NotAfter: from.Add(24 * time.Hour).Format(time.RFC3339)}
	a, err := s.post(ctx, s.dir.NewOrder, n)
	if err != nil || a.status >= 400 && a.status < 500 {
		return err
	}
	var o acme.Order
	if err := a.into(&o); err != nil || a.status != http.StatusCreated {
		return fmt.Errorf("it was answered with %s", a)
	}
	s.open = append(s.open, o.Authorizations...)
	for name, dates := range map[string][2]string{"notBefore": {n.NotBefore, o.NotBefore}, "notAfter": {n.NotAfter, o.NotAfter}} {
		want, _ := time.Parse(time.RFC3339, dates[0]) // our own
		if got, err := time.Parse(time.RFC3339, dates[1]); err != nil || !got.Equal(want) {
			return fmt.Errorf("%s is %q then, instead of %q", name, dates[1], dates[0])
		}
	}
	return nil
}

func orderNotReady(ctx context.Context, s *session) error {
	if err := s.needOrder(); err != nil {
		return err
	}
	if s.pending.Status != acme.StatusPending {
		return inapplicable("the order was ready at once")
	}
	p, err := newPerson()
	if err != nil {
		return err
	}
	der, err := request(p.key, s.o.Name)
	if err != nil {
		return err
	}
	a, err := s.post(ctx, s.pending.Finalize, acme.Finalize{CSR: b64(der)})
	return refusedAs(a, err, http.StatusForbidden, acme.OrderNotReady)
}

func orderListed(ctx context.Context, s *session) error {
	if err := s.needOrder(); err != nil {
		return err
	}
	var account acme.Account
	if _, err := s.read(ctx, s.who.url, &account); err != nil {
		return err
	}
	if account.Orders == "" {
		return errors.New("the account has no orders URL, which is a required field")
	}
	url := account.Orders
	for range 20 {
		var list acme.Orders
		a, err := s.read(ctx, url, &list)
		if err != nil {
			return err
		}
		if slices.Contains(list.Orders, s.pending.url) {
			return nil
		}
		next := a.links("next")
		if len(next) == 0 {
			return errors.New("the order is not in it")
		}
		url = next[0]
	}
	return errors.New("the order is not on its first twenty pages")
}

func orderPrivate(ctx context.Context, s *session) error {
	if err := s.needOrder(); err != nil {
		return err
	}
	if err := s.needOther(ctx); err != nil {
		return err
	}
	for what, url := range map[string]string{"the order": s.pending.url, "the authorization": s.pending.Authorizations[0]} {
		a, err := s.postAs(ctx, s.other, url, nil)
		if err := refused(a, err); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	// Some servers answer with the asker's own account, which tells nothing of the other.
	var own, seen acme.Account
	if _, err := s.read(ctx, s.who.url, &own); err != nil {
		return err
	}
	a, err := s.postAs(ctx, s.other, s.who.url, nil)
	if err != nil {
		return err
	}
	if a.status < 300 && (a.into(&seen) != nil || seen.Orders == "" || seen.Orders == own.Orders) {
		return fmt.Errorf("the account: %s", a)
	}
	a, err = s.postAs(ctx, s.other, s.pending.Authorizations[0], acme.StatusChange{Status: acme.StatusDeactivated})
	if err := refused(a, err); err != nil {
		return fmt.Errorf("giving the authorization up: %w", err)
	}
	return nil
}

// special orders a single identifier that a server may decline.
func (s *session) special(ctx context.Context, id acme.Identifier) (*acme.Authorization, error) {
	if err := s.needAccount(ctx); err != nil {
		return nil, err
	}
	o, a, err := s.place(ctx, acme.NewOrder{Identifiers: []acme.Identifier{id}})
	if err != nil {
		if a != nil && a.status >= 400 && a.status < 500 {
			return nil, inapplicable("the server does not take them: " + a.String())
		}
		return nil, err
	}
	if len(o.Authorizations) != 1 {
		return nil, fmt.Errorf("there are %d authorizations", len(o.Authorizations))
	}
	var authz acme.Authorization
	_, err = s.read(ctx, o.Authorizations[0], &authz)
	return &authz, err
}

func orderWildcard(ctx context.Context, s *session) error {
	a, err := s.special(ctx, acme.Identifier{Type: acme.TypeDNS, Value: "*." + s.o.Name})
	if err != nil {
		return err
	}
	if a.Identifier.Value != s.o.Name || !a.Wildcard {
		return fmt.Errorf("it is of %q, and wildcard is %v", a.Identifier.Value, a.Wildcard)
	}
	return nil
}

func orderAddress(ctx context.Context, s *session) error {
	address := netip.MustParseAddr("192.0.2.1") // of nobody (RFC 5737)
	a, err := s.special(ctx, acme.Identifier{Type: acme.TypeIP, Value: address.String()})
	if err != nil {
		return err
	}
	if a.Identifier.Type != acme.TypeIP || a.Identifier.Value != address.String() {
		return fmt.Errorf("the authorization is of %s", a.Identifier)
	}
	for _, c := range a.Challenges {
		if c.Type == acme.DNS01 {
			return errors.New("dns-01 is offered")
		}
	}
	return nil
}

func authorizationChecks() []check {
	const group = "authorizations"
	return []check{
		{group, "RFC 8555, Section 7.1.4", "an authorization has its identifier, status and challenges", authorizationMade},
		{group, "RFC 8555, Section 8", "challenges have a type, an https URL and a status", eachChallenge(func(c acme.Challenge) error {
			if c.Type == "" || !isHTTPS(c.URL) || c.Status == "" {
				return fmt.Errorf("type %q, url %q, status %q", c.Type, c.URL, c.Status)
			}
			return nil
		})},
		{group, "RFC 8555, Section 8.3", "tokens are base64url of 128 bits at least", eachChallenge(func(c acme.Challenge) error {
			switch c.Type {
			case acme.HTTP01, acme.DNS01, acme.TLSALPN01:
				// 22 characters of 6 bits are the fewest that can hold 128.
				if len(c.Token) < 22 || strings.Trim(c.Token, base64url) != "" {
					return fmt.Errorf("the token of %s is %q", c.Type, c.Token)
				}
			}
			return nil
		})},
		{group, "RFC 8555, Section 7.5.1", "a challenge is read by POST-as-GET", challengeRead},
		{group, "RFC 8555, Section 7.5.2", "an authorization can be given up, and its order is invalid then", authorizationGivenUp},
		{group, "RFC 8555, Section 7.4.1", "an authorization without an order comes with status 201 and its URL", authorizationAlone},
	}
}

func (s *session) authorization(ctx context.Context) (*acme.Authorization, error) {
	if err := s.needOrder(); err != nil {
		return nil, err
	}
	var a acme.Authorization
	_, err := s.read(ctx, s.pending.Authorizations[0], &a)
	return &a, err
}

func authorizationMade(ctx context.Context, s *session) error {
	a, err := s.authorization(ctx)
	switch {
	case err != nil:
		return err
	case a.Identifier != s.names()[0]:
		return fmt.Errorf("identifier is %v", a.Identifier)
	case a.Status != acme.StatusPending && a.Status != acme.StatusValid:
		return fmt.Errorf("status is %q", a.Status)
	case len(a.Challenges) == 0:
		return errors.New("there are no challenges")
	case a.Wildcard:
		return errors.New("wildcard is true")
	case a.Status == acme.StatusValid:
		return date("expires", a.Expires)
	}
	return nil
}

func eachChallenge(look func(acme.Challenge) error) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		a, err := s.authorization(ctx)
		if err != nil {
			return err
		}
		for _, c := range a.Challenges {
			if err := look(c); err != nil {
				return err
			}
		}
		return nil
	}
}

func authorizationGivenUp(ctx context.Context, s *session) error {
	if err := s.needOrder(); err != nil {
		return err
	}
	o, _, err := s.place(ctx, acme.NewOrder{})
	if err != nil {
		return err
	}
	a, err := s.post(ctx, o.Authorizations[0], acme.StatusChange{Status: acme.StatusDeactivated})
	if err != nil {
		return err
	}
	var got acme.Authorization
	if a.status != http.StatusOK || a.into(&got) != nil || got.Status != acme.StatusDeactivated {
		return fmt.Errorf("it was answered with %s", a)
	}
	if err := s.wait(ctx, o.url, &o.Order, func() bool { return o.Status != acme.StatusPending && o.Status != acme.StatusReady }); err != nil {
		return fmt.Errorf("the order is %s then", o.Status)
	}
	if o.Status != acme.StatusInvalid {
		return fmt.Errorf("the order is %s then", o.Status)
	}
	return nil
}

func authorizationAlone(ctx context.Context, s *session) error {
	if s.dir.NewAuthz == "" {
		return inapplicable("the directory has no newAuthz")
	}
	if err := s.needAccount(ctx); err != nil {
		return err
	}
	a, err := s.post(ctx, s.dir.NewAuthz, acme.NewAuthz{Identifier: s.names()[0]})
	if err != nil {
		return err
	}
	var got acme.Authorization
	url := a.header.Get("Location")
	if a.status != http.StatusCreated || a.into(&got) != nil || !isHTTPS(url) || got.Identifier != s.names()[0] {
		return fmt.Errorf("it was answered with %s, Location %q", a, url)
	}
	s.open = append(s.open, url)
	if got.Status != acme.StatusPending && got.Status != acme.StatusValid {
		return fmt.Errorf("its status is %q", got.Status)
	}
	return nil
}
