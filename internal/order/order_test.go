package order_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/order"
	"github.com/tlswright/tlswright/pki"
)

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func dns(name string) acme.Identifier { return acme.Identifier{Type: acme.TypeDNS, Value: name} }

func limits(p order.Policy) order.Limits { return p.WithDefaults().Narrow(nil, nil) }

func request(names ...string) acme.NewOrder {
	var r acme.NewOrder
	for _, n := range names {
		id := dns(n)
		if _, err := netip.ParseAddr(n); err == nil {
			id.Type = acme.TypeIP
		}
		r.Identifiers = append(r.Identifiers, id)
	}
	return r
}

func plan(t *testing.T, l order.Limits, r acme.NewOrder, usable ...order.Authorization) *order.Plan {
	t.Helper()
	p, problem := l.Plan("account", r, usable, start)
	if problem != nil {
		t.Fatal(problem)
	}
	return p
}

func types(a order.Authorization) []string {
	var ts []string
	for _, c := range a.Challenges {
		ts = append(ts, c.Type)
	}
	return ts
}

func TestPlan(t *testing.T) {
	p := plan(t, limits(order.Policy{}), request("A.example", "*.a.example", "192.0.2.1", "a.example"))
	if len(p.New) != 3 || len(p.Order.Authorizations) != 3 || len(p.Order.Identifiers) != 3 {
		t.Fatalf("%+v", p)
	}
	want := [][]string{
		{acme.HTTP01, acme.DNS01, acme.TLSALPN01, acme.DNSAccount01, acme.DNSPersist01},
		{acme.DNS01, acme.DNSAccount01, acme.DNSPersist01},
		{acme.HTTP01, acme.TLSALPN01},
	}
	tokens := make(map[string]bool)
	for i, a := range p.New {
		if !slices.Equal(types(a), want[i]) {
			t.Errorf("%s: challenges %v, want %v", a.Requested().Value, types(a), want[i])
		}
		for _, c := range a.Challenges {
			if raw, err := base64.RawURLEncoding.Strict().DecodeString(c.Token); err != nil || len(raw) < 16 || tokens[c.Token] {
				t.Errorf("token %q: no base64url of 128 bits, or used twice: %v", c.Token, err)
			}
			tokens[c.Token] = true
		}
	}
	if !p.New[1].Wildcard || p.New[1].Identifier.Value != "a.example" || p.New[1].Requested().Value != "*.a.example" {
		t.Errorf("%+v", p.New[1])
	}
	if p.Order.Status != acme.StatusPending || !p.Order.Expires.Equal(start.Add(7*24*time.Hour)) {
		t.Errorf("%+v", p.Order)
	}
}

func TestPlanUsesAuthorizationsAgain(t *testing.T) {
	l := limits(order.Policy{})
	first := plan(t, l, request("a.example")).New[0]
	if p := plan(t, l, request("a.example"), first); len(p.New) != 0 || p.Order.Authorizations[0] != first.ID {
		t.Errorf("a pending authorization is not used again: %+v", p)
	}
	if p := plan(t, l, request("*.a.example"), first); len(p.New) != 1 {
		t.Error("a wildcard rests on the authorization of the name")
	}
	begun := first
	begun.Challenges = slices.Clone(first.Challenges)
	if ok, problem := begun.Attempt(begun.Challenges[0].ID, start); !ok || problem != nil {
		t.Fatal(problem)
	}
	if p := plan(t, l, request("a.example"), begun); len(p.New) != 1 {
		t.Error("an authorization whose validation has begun is used again")
	}
	if !begun.Result(begun.Challenges[0].ID, nil, 2*time.Hour, start) {
		t.Fatal("no change")
	}
	p := plan(t, l, request("a.example"), first, begun)
	if len(p.New) != 0 || p.Order.Authorizations[0] != begun.ID {
		t.Error("a valid authorization is not preferred")
	}
	if !p.Order.Expires.Equal(start.Add(2 * time.Hour)) {
		t.Errorf("the order outlives its authorization: %v", p.Order.Expires)
	}
	other := begun
	other.Account = "another"
	if p := plan(t, l, request("a.example"), other); len(p.New) != 1 {
		t.Error("somebody else's authorization is used")
	}
}

func TestPlanRefuses(t *testing.T) {
	star := order.StarPolicy{MinLifetime: time.Hour, MaxDuration: 30 * 24 * time.Hour}
	profiles := map[string]order.Profile{"short": {Lifetime: 24 * time.Hour, MaxNames: 2, NoIP: true}}
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprintf("n%d.example", i)
	}
	with := func(r acme.NewOrder, f func(*acme.NewOrder)) acme.NewOrder { f(&r); return r }
	renew := func(a acme.AutoRenewal) acme.NewOrder {
		return with(request("a.example"), func(r *acme.NewOrder) { r.AutoRenewal = &a })
	}
	for name, c := range map[string]struct {
		policy order.Policy
		req    acme.NewOrder
		want   acme.ProblemType
	}{
		"no identifiers":    {order.Policy{}, acme.NewOrder{}, acme.Malformed},
		"too many":          {order.Policy{}, request(many...), acme.Malformed},
		"not allowed":       {order.Policy{AllowDNS: []string{"corp.example"}}, request("a.example"), acme.RejectedIdentifier},
		"not below":         {order.Policy{AllowDNS: []string{"corp.example"}}, request("acorp.example"), acme.RejectedIdentifier},
		"denied":            {order.Policy{DenyDNS: []string{"=a.example"}}, request("a.example"), acme.RejectedIdentifier},
		"only itself":       {order.Policy{AllowDNS: []string{"=a.example"}}, request("b.a.example"), acme.RejectedIdentifier},
		"wildcard of exact": {order.Policy{AllowDNS: []string{"=a.example"}}, request("*.a.example"), acme.RejectedIdentifier},
		"no wildcards":      {order.Policy{NoWildcards: true}, request("*.a.example"), acme.RejectedIdentifier},
		"no addresses":      {order.Policy{NoIP: true}, request("192.0.2.1"), acme.RejectedIdentifier},
		"another network":   {order.Policy{AllowIP: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, request("192.0.2.1"), acme.RejectedIdentifier},
		"no way to prove":   {order.Policy{Challenges: []string{acme.HTTP01}}, request("*.a.example"), acme.RejectedIdentifier},
		"two reasons":       {order.Policy{NoIP: true}, with(request("192.0.2.1"), func(r *acme.NewOrder) { r.Identifiers = append(r.Identifiers, acme.Identifier{Type: "x"}) }), acme.Compound},
		"unknown profile":   {order.Policy{Profiles: profiles}, with(request("a.example"), func(r *acme.NewOrder) { r.Profile = "long" }), acme.InvalidProfile},
		"profile: names":    {order.Policy{Profiles: profiles, Default: "short"}, request("a.example", "b.example", "c.example"), acme.Malformed},
		"profile: address":  {order.Policy{Profiles: profiles, Default: "short"}, request("192.0.2.1"), acme.RejectedIdentifier},
		"profile: lifetime": {order.Policy{Profiles: profiles, Default: "short"}, with(request("a.example"), func(r *acme.NewOrder) { r.NotAfter = "2026-11-03T12:00:00Z" }), acme.Malformed},
		"bad date":          {order.Policy{}, with(request("a.example"), func(r *acme.NewOrder) { r.NotBefore = "tomorrow" }), acme.Malformed},
		"past":              {order.Policy{}, with(request("a.example"), func(r *acme.NewOrder) { r.NotBefore = "2026-10-01T00:00:00Z" }), acme.Malformed},
		"far ahead":         {order.Policy{}, with(request("a.example"), func(r *acme.NewOrder) { r.NotBefore = "2027-11-01T00:00:00Z" }), acme.Malformed},
		"ends first":        {order.Policy{}, with(request("a.example"), func(r *acme.NewOrder) { r.NotAfter = "2026-11-01T11:00:00Z" }), acme.Malformed},
		"no renewal here":   {order.Policy{}, renew(acme.AutoRenewal{Lifetime: 7200, EndDate: "2026-11-10T00:00:00Z"}), acme.Malformed},
		"renewal: short":    {order.Policy{Star: star}, renew(acme.AutoRenewal{Lifetime: 60, EndDate: "2026-11-10T00:00:00Z"}), acme.Malformed},
		"renewal: long":     {order.Policy{Star: star}, renew(acme.AutoRenewal{Lifetime: 7200, EndDate: "2027-11-10T00:00:00Z"}), acme.Malformed},
		"renewal: huge":     {order.Policy{Star: star}, renew(acme.AutoRenewal{Lifetime: 1 << 62, EndDate: "2026-11-10T00:00:00Z"}), acme.Malformed},
		"renewal: no end":   {order.Policy{Star: star}, renew(acme.AutoRenewal{Lifetime: 7200}), acme.Malformed},
		"renewal: past":     {order.Policy{Star: star}, renew(acme.AutoRenewal{Lifetime: 7200, EndDate: "2026-10-10T00:00:00Z"}), acme.Malformed},
		"renewal: GET":      {order.Policy{Star: star}, renew(acme.AutoRenewal{Lifetime: 7200, EndDate: "2026-11-10T00:00:00Z", AllowCertificateGet: true}), acme.Malformed},
		"renewal and dates": {order.Policy{Star: star}, with(renew(acme.AutoRenewal{Lifetime: 7200, EndDate: "2026-11-10T00:00:00Z"}), func(r *acme.NewOrder) { r.NotAfter = "2026-11-09T00:00:00Z" }), acme.Malformed},
	} {
		p, problem := limits(c.policy).Plan("account", c.req, nil, start)
		if problem == nil {
			t.Errorf("%s: taken: %+v", name, p)
		} else if problem.Kind() != c.want || problem.Detail == "" {
			t.Errorf("%s: %v, want %s", name, problem, c.want)
		}
	}
}

func TestAccountsNarrow(t *testing.T) {
	l := order.Policy{AllowDNS: []string{"corp.example"}}.WithDefaults().Narrow([]string{"a.corp.example"}, []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")})
	for name, ok := range map[string]bool{"a.corp.example": true, "x.a.corp.example": true, "*.a.corp.example": true, "b.corp.example": false, "a.other.example": false, "10.1.2.3": true, "10.2.0.1": false} {
		if _, problem := l.Plan("account", request(name), nil, start); (problem == nil) != ok {
			t.Errorf("%s: %v", name, problem)
		}
	}
}

// drive brings all authorizations of a plan to a status by way of their first challenge.
func drive(t *testing.T, p *order.Plan, failure *acme.Problem) []order.Authorization {
	t.Helper()
	for i := range p.New {
		a := &p.New[i]
		if begun, problem := a.Attempt(a.Challenges[0].ID, start); !begun || problem != nil {
			t.Fatal(begun, problem)
		}
		if begun, problem := a.Attempt(a.Challenges[0].ID, start); begun || problem != nil {
			t.Error("a second word begins a second validation", problem)
		}
		if len(a.Challenges) > 1 {
			if _, problem := a.Attempt(a.Challenges[1].ID, start); problem == nil {
				t.Error("two validations of one authorization at once")
			}
		}
		if !a.Result(a.Challenges[0].ID, failure, time.Hour, start) {
			t.Error("the outcome changes nothing")
		}
		if a.Result(a.Challenges[0].ID, failure, time.Hour, start) {
			t.Error("a second outcome is taken")
		}
	}
	return p.New
}

func csr(t *testing.T, key crypto.Signer, cn string, sans ...string) *pki.CSR {
	t.Helper()
	der, err := pki.CreateCSR(pki.CSRRequest{Subject: pkix.Name{CommonName: cn}, SANs: sans}, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := pki.ParseCSR(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestTheWayToACertificate(t *testing.T) {
	l := limits(order.Policy{})
	p := plan(t, l, request("a.example", "192.0.2.1"))
	o := &p.Order
	account, key := newKey(t), newKey(t)
	if problem := l.Finalize(o, csr(t, key, "", "a.example", "192.0.2.1"), account.Public()); problem == nil || problem.Kind() != acme.OrderNotReady {
		t.Errorf("finalize of a pending order: %v", problem)
	}
	if o.Observe(p.New, start) {
		t.Error("an order changes by itself")
	}
	auths := drive(t, p, nil)
	if o.Observe(auths[:1], start); o.Status != acme.StatusPending {
		t.Error("ready with one authorization of two")
	}
	if !o.Observe(auths, start) || o.Status != acme.StatusReady {
		t.Fatalf("%+v", o)
	}
	for name, c := range map[string]*pki.CSR{
		"a name is missing": csr(t, key, "", "a.example"),
		"a name too many":   csr(t, key, "", "a.example", "192.0.2.1", "b.example"),
		"another name":      csr(t, key, "b.example", "a.example", "192.0.2.1"),
		"the account's key": csr(t, account, "", "a.example", "192.0.2.1"),
		"a mail address":    csr(t, key, "", "a.example", "192.0.2.1", "email:a@a.example"),
	} {
		if problem := l.Finalize(o, c, account.Public()); problem == nil || problem.Kind() != acme.BadCSR {
			t.Errorf("%s: %v", name, problem)
		}
	}
	if problem := l.Finalize(o, csr(t, key, "A.example", "192.0.2.1"), account.Public()); problem != nil {
		t.Fatal(problem)
	}
	if o.Status != acme.StatusProcessing || o.Observe(auths, start.Add(time.Hour*24*30)) {
		t.Errorf("%+v", o)
	}
	if !o.Issued("01ab") || o.Issued("02") || o.Failed(acme.NewProblem(acme.ServerInternal, "")) || o.Status != acme.StatusValid || o.Serial != "01ab" {
		t.Errorf("%+v", o)
	}
}

func TestOrdersFail(t *testing.T) {
	l := limits(order.Policy{})
	p := plan(t, l, request("a.example", "b.example"))
	auths := drive(t, p, acme.NewProblem(acme.Connection, "nobody answers"))
	if !p.Order.Observe(auths, start) || p.Order.Status != acme.StatusInvalid || p.Order.Error.Kind() != acme.Connection {
		t.Errorf("%+v", p.Order)
	}
	if s := p.Order.Error.Subproblems; len(s) != 1 || s[0].Identifier.Value != "a.example" || !strings.Contains(p.Order.Error.Detail, "nobody answers") {
		t.Errorf("%+v", p.Order.Error)
	}
	late := plan(t, l, request("a.example"))
	if !late.Order.Observe(late.New, start.Add(8*24*time.Hour)) || late.Order.Status != acme.StatusInvalid {
		t.Errorf("%+v", late.Order)
	}
	gone := plan(t, l, request("a.example"))
	auths = drive(t, gone, nil)
	gone.Order.Observe(auths, start)
	if problem := auths[0].Deactivate(start); problem != nil {
		t.Fatal(problem)
	}
	if !gone.Order.Observe(auths, start) || gone.Order.Status != acme.StatusInvalid {
		t.Errorf("an order is ready on an authorization that was given up: %+v", gone.Order)
	}
}

// TestEveryStateAndEvent drives an authorization by every sequence of five events and checks that it only takes the steps of
// RFC 8555, Section 7.1.6.
func TestEveryStateAndEvent(t *testing.T) {
	allowed := map[string][]string{
		acme.StatusPending:     {acme.StatusPending, acme.StatusValid, acme.StatusInvalid, acme.StatusDeactivated},
		acme.StatusValid:       {acme.StatusValid, acme.StatusExpired, acme.StatusDeactivated},
		acme.StatusInvalid:     {acme.StatusInvalid},
		acme.StatusExpired:     {acme.StatusExpired},
		acme.StatusDeactivated: {acme.StatusDeactivated},
	}
	events := []func(a *order.Authorization, now *time.Time){
		func(a *order.Authorization, now *time.Time) { _, _ = a.Attempt(a.Challenges[0].ID, *now) },
		func(a *order.Authorization, now *time.Time) { _, _ = a.Attempt(a.Challenges[1].ID, *now) },
		func(a *order.Authorization, now *time.Time) { _, _ = a.Attempt("nobody's", *now) },
		func(a *order.Authorization, now *time.Time) { a.Result(a.Challenges[0].ID, nil, time.Hour, *now) },
		func(a *order.Authorization, now *time.Time) {
			a.Result(a.Challenges[1].ID, acme.NewProblem(acme.DNS, "x"), time.Hour, *now)
		},
		func(a *order.Authorization, now *time.Time) { _ = a.Deactivate(*now) },
		func(a *order.Authorization, now *time.Time) { *now = now.Add(30 * time.Minute) },
		func(a *order.Authorization, now *time.Time) { *now = now.Add(40 * 24 * time.Hour) },
	}
	runs := 0
	for n := range 8 * 8 * 8 * 8 * 8 {
		a, problem := limits(order.Policy{}).Authorize("account", acme.NewAuthz{Identifier: dns("a.example")}, start)
		if problem != nil {
			t.Fatal(problem)
		}
		now := start
		for range 5 {
			before := a.StatusAt(now)
			events[n%8](a, &now)
			n /= 8
			if after := a.StatusAt(now); !slices.Contains(allowed[before], after) {
				t.Fatalf("%s becomes %s", before, after)
			}
		}
		runs++
	}
	if runs != 32768 {
		t.Error(runs)
	}
}

func TestPreauthorization(t *testing.T) {
	l := limits(order.Policy{AllowDNS: []string{"a.example"}})
	if _, problem := l.Authorize("account", acme.NewAuthz{Identifier: dns("*.a.example")}, start); problem == nil || problem.Kind() != acme.Malformed {
		t.Errorf("%v", problem)
	}
	if _, problem := l.Authorize("account", acme.NewAuthz{Identifier: dns("b.example")}, start); problem == nil || problem.Kind() != acme.RejectedIdentifier {
		t.Errorf("%v", problem)
	}
}

func TestStar(t *testing.T) {
	l := limits(order.Policy{Star: order.StarPolicy{MinLifetime: time.Hour, MaxDuration: 30 * 24 * time.Hour, AllowGet: true}})
	r := request("a.example")
	r.AutoRenewal = &acme.AutoRenewal{Lifetime: 86400, LifetimeAdjust: 3600, EndDate: "2026-11-10T12:00:00Z", AllowCertificateGet: true}
	p := plan(t, l, r)
	s := p.Order.Star
	for at := start; at.Before(s.End); at = at.Add(17 * time.Minute) {
		_, from, to, ok := s.Due(at)
		if !ok || from.After(at) || !to.After(at) || to.After(s.End) {
			t.Fatalf("at %v: %v to %v, %v", at, from, to, ok)
		}
	}
	if _, _, _, ok := s.Due(s.End); ok {
		t.Error("a certificate after the end")
	}
	if problem := p.Order.Cancel(start); problem == nil || problem.Kind() != acme.AutoRenewalCancelInvalid {
		t.Errorf("%v", problem)
	}
	p.Order.Status = acme.StatusValid
	if problem := p.Order.Cancel(start); problem != nil || p.Order.Status != acme.StatusCanceled {
		t.Errorf("%v", problem)
	}
	if _, _, _, ok := s.Due(start.Add(time.Hour)); ok {
		t.Error("a certificate after the order was canceled")
	}
}

func TestRenewalWindow(t *testing.T) {
	for _, days := range []int{1, 6, 10, 47, 90, 398} {
		end := start.Add(time.Duration(days) * 24 * time.Hour)
		from, to := order.RenewalWindow(start, end, start, false)
		if !from.After(start) || !to.After(from) || end.Sub(to) < end.Sub(start)/5 {
			t.Errorf("%d days: %v to %v", days, from, to)
		}
		if _, to := order.RenewalWindow(start, end, start, true); !to.Before(start) {
			t.Errorf("a revoked certificate may wait until %v", to)
		}
	}
	if d := order.PollAfter(start.Add(90*time.Minute), start); d != time.Hour || d%time.Second != 0 {
		t.Error(d)
	}
}
