package admin

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
)

// example fills the wildcards of a route's path.
func example(path string) string {
	return strings.NewReplacer("{issuer}", "default", "{serial}", "4f21c0", "{id}", "x", "{kid}", "x").Replace(path)
}

// TestNobodyMayAnythingWithoutARole asks for every route with every role and none.
func TestNobodyMayAnythingWithoutARole(t *testing.T) {
	l := newLab(t)
	l.admins["roleless"] = l.admin("roleless")
	for _, r := range l.server.table() {
		for _, name := range []string{"", "roleless", "read", "issue", "revoke", "accounts", "all"} {
			w := l.as(name).ask(r.method, example(r.path), nil)
			switch {
			case name == "":
				l.refused(w, "unauthenticated")
			case name == string(r.role) || name == "all" || r.role == "":
				if w.Code == http.StatusForbidden {
					t.Errorf("%s %s as %s: %s", r.method, r.path, name, w.Body)
				}
			default:
				l.refused(w, "forbidden")
			}
		}
	}
}

func TestRoutesThatWriteNeedMoreThanRead(t *testing.T) {
	for _, r := range newLab(t).server.table() {
		if r.method != http.MethodGet && (r.role == RoleRead || r.role == "") {
			t.Errorf("%s %s needs the role %q", r.method, r.path, r.role)
		}
		if r.method == http.MethodGet && r.role != RoleRead && r.path != "/v1/whoami" && r.path != "/openapi.json" {
			t.Errorf("%s %s needs the role %q", r.method, r.path, r.role)
		}
	}
}

// TestOnlyTheListLetsIn: a certificate of the admin CA that is not on the list, or no more, or has expired.
func TestOnlyTheListLetsIn(t *testing.T) {
	l := newLab(t)
	key, err := pki.GenerateKey(pki.P256)
	l.must(err)
	stranger, _, err := l.ca.Issue("stranger", []Role{RoleAll}, key.Public(), 0, nil, l.now)
	l.must(err)
	l.client = stranger
	l.refused(l.ask("GET", "/v1/whoami", nil), "unauthenticated")
	l.refused(l.ask("GET", "/v1/nothing", nil), "unauthenticated") // and learns not even what there is

	if who := got[Identity](l, l.as("read").ask("GET", "/v1/whoami", nil), 200); who.Name != "read" || !slices.Equal(who.Roles, []string{"read"}) {
		t.Errorf("%+v", who)
	}
	_, err = l.au.Store.RemoveAdmin(context.Background(), "read", store.By{Actor: "test", At: l.now})
	l.must(err)
	l.refused(l.ask("GET", "/v1/whoami", nil), "unauthenticated")
	if all := got[[]Identity](l, l.as("all").ask("GET", "/v1/admins", nil), 200); len(all) != 5 || all[len(all)-1].Name != "revoke" {
		t.Errorf("%+v", all)
	}
	l.now = l.now.Add(AdminLifetime + time.Hour)
	l.refused(l.ask("GET", "/v1/whoami", nil), "unauthenticated")
}

// TestHostileRequestsAreRefused is about what a web page, a confused client or an attacker with a certificate sends.
func TestHostileRequestsAreRefused(t *testing.T) {
	l := newLab(t)
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	good := IssueOrder{CSR: l.csr("a.test")}
	for name, c := range map[string]struct {
		w    *httptest.ResponseRecorder
		want string
	}{
		"rebound name":      {l.ask("GET", "/v1/status", nil, host("evil.example")), "host"},
		"rebound, port":     {l.ask("GET", "/v1/status", nil, host("evil.example:9444")), "host"},
		"no name":           {l.ask("GET", "/v1/status", nil, host("")), "host"},
		"form of a page":    {l.ask("POST", "/v1/certificates", good, header("Origin", "https://evil.example")), "cross-origin"},
		"page, fetch":       {l.ask("POST", "/v1/certificates", good, header("Sec-Fetch-Site", "cross-site")), "cross-origin"},
		"page that reads":   {l.ask("GET", "/v1/status", nil, header("Sec-Fetch-Site", "cross-site")), "cross-origin"},
		"sister site":       {l.ask("GET", "/v1/status", nil, header("Sec-Fetch-Site", "same-site")), "cross-origin"},
		"preflight":         {l.ask("OPTIONS", "/v1/status", nil), "method"},
		"write by GET":      {l.ask("GET", "/v1/certificates/4f21c0/revoke", nil), "method"},
		"PUT":               {l.ask("PUT", "/v1/certificates", nil), "method"},
		"TRACE":             {l.ask("TRACE", "/v1/status", nil), "method"},
		"unknown path":      {l.ask("GET", "/v1/keys", nil), "not-found"},
		"path not clean":    {l.ask("GET", "/v1//status", nil), "not-found"},
		"path with dots":    {l.ask("GET", "/v1/issuers/../status", nil), "not-found"},
		"unknown parameter": {l.ask("GET", "/v1/certificates?stat=valid", nil), "malformed"},
		"parameter twice":   {l.ask("GET", "/v1/certificates?state=valid&state=revoked", nil), "malformed"},
		"NUL in parameter":  {l.ask("GET", "/v1/accounts?contains=a%00", nil), "malformed"},
		"no UTF-8 in path":  {l.ask("GET", "/v1/accounts/%ff", nil), "malformed"},
		"bad escape":        {l.ask("GET", "/v1/certificates?issuer=%zz", nil), "malformed"},
		"semicolons":        {l.ask("GET", "/v1/certificates?state=valid;limit=1", nil), "malformed"},
		"parameter of none": {l.ask("GET", "/v1/status?x=1", nil), "malformed"},
		"limit zero":        {l.ask("GET", "/v1/certificates?limit=0", nil), "malformed"},
		"limit huge":        {l.ask("GET", "/v1/certificates?limit=1001", nil), "malformed"},
		"after":             {l.ask("GET", "/v1/certificates?after=x", nil), "malformed"},
		"after of orders":   {l.ask("GET", "/v1/orders?after=eHg", nil), "malformed"},
		"state":             {l.ask("GET", "/v1/certificates?state=odd", nil), "malformed"},
		"time":              {l.ask("GET", "/v1/certificates?ends_before=tomorrow", nil), "malformed"},
		"serial":            {l.ask("GET", "/v1/certificates?serial=%25", nil), "malformed"},
		"serial in path":    {l.ask("GET", "/v1/certificates/xyz", nil), "malformed"},
		"issuer":            {l.ask("GET", "/v1/certificates?issuer=none", nil), "not-found"},
		"body of a GET":     {l.ask("GET", "/v1/status", "{}"), "malformed"},
		"no JSON type":      {l.ask("POST", "/v1/certificates", good, header("Content-Type", "text/plain")), "media-type"},
		"form":              {l.ask("POST", "/v1/certificates", "csr=x", header("Content-Type", "application/x-www-form-urlencoded")), "media-type"},
		"no JSON":           {l.ask("POST", "/v1/certificates", "{"), "malformed"},
		"two values":        {l.ask("POST", "/v1/certificates", "{}{}"), "malformed"},
		"unknown member":    {l.ask("POST", "/v1/certificates", `{"csr":"x","ca":true}`), "malformed"},
		"too large":         {l.ask("POST", "/v1/certificates", `{"csr":"`+strings.Repeat("A", maxBody)+`"}`), "too-large"},
		"no request":        {l.ask("POST", "/v1/certificates", "{}"), "malformed"},
		"a request of junk": {l.ask("POST", "/v1/certificates", `{"csr":"AAAA"}`), "malformed"},
		"junk in ASN.1":     {l.ask("POST", "/v1/certificates", `{"csr":"MAMCAQE"}`), "refused"},
		"no such issuer":    {l.ask("POST", "/v1/certificates", IssueOrder{CSR: good.CSR, Issuer: "root"}), "not-found"},
		"a CA":              {l.ask("POST", "/v1/certificates", IssueOrder{CSR: good.CSR, Profile: "intermediate"}), "refused"},
		"a root":            {l.ask("POST", "/v1/certificates", IssueOrder{CSR: good.CSR, Profile: "root"}), "refused"},
		"an OCSP responder": {l.ask("POST", "/v1/certificates", IssueOrder{CSR: good.CSR, Profile: "ocsp"}), "refused"},
		"a bad name":        {l.ask("POST", "/v1/certificates", IssueOrder{CSR: good.CSR, Names: []string{"a..test"}}), "refused"},
		"no names":          {l.ask("POST", "/v1/certificates", IssueOrder{CSR: l.csr()}), "refused"},
		"days":              {l.ask("POST", "/v1/certificates", IssueOrder{CSR: good.CSR, Days: -1}), "malformed"},
		"unknown serial":    {l.ask("POST", "/v1/certificates/4f21c0/revoke", "{}"), "not-found"},
		"no such account":   {l.ask("POST", "/v1/accounts/x/deactivate", nil), "not-found"},
		"no such order":     {l.ask("GET", "/v1/orders/x", nil), "not-found"},
		"no such binding":   {l.ask("DELETE", "/v1/bindings/x", nil), "not-found"},
		"bad binding":       {l.ask("POST", "/v1/bindings", BindingOrder{KID: "a/b"}), "malformed"},
		"bad network":       {l.ask("POST", "/v1/bindings", BindingOrder{KID: "a", Networks: []string{"10.0.0.0"}}), "malformed"},
		"bad directory":     {l.ask("POST", "/v1/bindings", BindingOrder{KID: "a", Directory: "x"}), "not-found"},
		"CRL of none":       {l.ask("POST", "/v1/issuers/none/crl", "{}"), "not-found"},
		"delta of nothing":  {l.ask("POST", "/v1/issuers/default/crl", `{"delta":true}`), "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			old := l.TB
			l.TB = t
			l.refused(c.w, c.want)
			l.TB = old
			for _, cors := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Methods"} {
				if c.w.Header().Get(cors) != "" {
					t.Error(cors)
				}
			}
			if c.w.Header().Get("Cache-Control") != "no-store" || c.w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%v", c.w.Header())
			}
			if c.want == "method" && c.w.Header().Get("Allow") == "" {
				t.Error("no Allow")
			}
		})
	}
	if w := l.ask("HEAD", "/v1/status", nil, host("[::1]:9444")); w.Code != 200 {
		t.Errorf("%d", w.Code)
	}
	if total := got[page[Certificate]](l, l.ask("GET", "/v1/certificates?state=valid", nil), 200); len(total.Items) != 1 {
		t.Errorf("a refused request was issued: %+v", total)
	}
}

func TestTooManyAtATimeAreSentAway(t *testing.T) {
	l := newLab(t)
	for range maxRequests {
		l.server.slots <- struct{}{}
	}
	w := l.ask("GET", "/v1/status", nil)
	l.refused(w, "busy")
	if w.Header().Get("Retry-After") != "1" {
		t.Error(w.Header())
	}
	<-l.server.slots
	got[Status](l, l.ask("GET", "/v1/status", nil), 200)
}

// TestTheLifeOfACertificate issues, finds, holds, releases and revokes, and finds all of it in the audit log.
func TestTheLifeOfACertificate(t *testing.T) {
	l := newLab(t)
	made := l.as("issue").issue("A.test", "10.0.0.1")
	if made.Issuer != "default" || made.State != "valid" || made.Profile != "server" || !strings.Contains(made.PEM, "BEGIN CERTIFICATE") || len(made.Chain) != 1 || *made.DaysLeft != 89 {
		t.Errorf("%+v", made)
	}
	at := "/v1/certificates/" + made.Serial
	l.refused(l.ask("GET", at, nil), "forbidden")
	l.as("read")
	seen := got[Certificate](l, l.ask("GET", at+"?issuer=default", nil), 200)
	if seen.PEM != made.PEM || seen.ACME != nil {
		t.Errorf("%+v", seen)
	}
	for _, q := range []string{"name=a.test", "contains=a.te", "serial=" + made.Serial[:8], "profile=server", "state=valid&issuer=default", "ends_after=2027-01-01&ends_before=2027-12-31T00:00:00Z&order=oldest"} {
		if p := got[page[Certificate]](l, l.ask("GET", "/v1/certificates?"+q, nil), 200); len(p.Items) != 1 || p.Items[0].Serial != made.Serial || p.Items[0].PEM != "" {
			t.Errorf("%s: %+v", q, p)
		}
	}
	l.as("revoke")
	if held := got[Certificate](l, l.ask("POST", at+"/hold", nil), 200); held.State != "on hold" || held.Reason != "certificateHold" {
		t.Errorf("%+v", held)
	}
	if free := got[Certificate](l, l.ask("POST", at+"/release", nil), 200); free.State != "valid" {
		t.Errorf("%+v", free)
	}
	l.refused(l.ask("POST", at+"/release", nil), "refused")
	l.refused(l.ask("POST", at+"/revoke", `{"reason":"certificateHold"}`), "malformed")
	l.refused(l.ask("POST", at+"/revoke", `{"reason":"removeFromCRL"}`), "malformed")
	l.refused(l.ask("POST", at+"/revoke", `{"at":"2030-01-01T00:00:00Z"}`), "refused")
	gone := got[Certificate](l, l.ask("POST", at+"/revoke", `{"reason":"keyCompromise","invalid_at":"2026-11-22T08:59:00Z"}`), 200)
	if gone.State != "revoked" || gone.Reason != "keyCompromise" || gone.RevokedAt.IsZero() || gone.InvalidAt.IsZero() {
		t.Errorf("%+v", gone)
	}
	l.refused(l.ask("POST", at+"/revoke", `{}`), "refused")
	lists := got[[]CRLMade](l, l.ask("POST", "/v1/issuers/default/crl", "{}"), http.StatusCreated)
	if len(lists) != 1 || !strings.Contains(lists[0].PEM, "X509 CRL") {
		t.Errorf("%+v", lists)
	}
	l.as("read")
	i := got[IssuerView](l, l.ask("GET", "/v1/issuers/default", nil), 200)
	if !i.Served || len(i.CRLs) != 1 || i.CRLs[0].Number != 1 || i.CRLs[0].Entries != 1 {
		t.Errorf("%+v", i)
	}
	if root := got[IssuerView](l, l.ask("GET", "/v1/issuers/root", nil), 200); root.Served || root.PEM == "" {
		t.Errorf("%+v", root)
	}
	l.refused(l.ask("GET", "/v1/issuers/none", nil), "not-found")
	want := []string{"admin issue issued", "admin revoke revoked", "admin revoke released", "admin revoke revoked", "admin revoke crl", "admin revoke signed"}
	var acts []string
	for _, e := range got[page[AuditEntry]](l, l.ask("GET", "/v1/audit?order=oldest", nil), 200).Items {
		if strings.HasPrefix(e.Actor, "admin ") {
			acts = append(acts, e.Actor+" "+e.Action)
		}
	}
	if !slices.Equal(acts, want) {
		t.Errorf("%q, want %q", acts, want)
	}
	if v := got[AuditVerdict](l, l.ask("GET", "/v1/audit/verification", nil), 200); !v.Intact || v.Entries == 0 || v.Hash == "" {
		t.Errorf("%+v", v)
	}
}

func TestCertificatesOfTheRootAreNotRevokedHere(t *testing.T) {
	l := newLab(t)
	serial := fmt.Sprintf("%x", l.au.Issuer.Certificate.SerialNumber.Bytes())
	if c := got[Certificate](l, l.ask("GET", "/v1/certificates/"+serial, nil), 200); c.Issuer != "root" || c.Profile != "intermediate" {
		t.Errorf("%+v", c)
	}
	l.refused(l.ask("POST", "/v1/certificates/"+serial+"/revoke", "{}"), "refused")
}

func TestListsComeInPages(t *testing.T) {
	l := newLab(t)
	for i := range 5 {
		l.issue(fmt.Sprintf("n%d.test", i))
		l.acmeAccount(fmt.Sprintf("account%d", i))
		l.now = l.now.Add(time.Minute)
	}
	for _, list := range []string{"/v1/certificates?profile=server&limit=2", "/v1/accounts?limit=2", "/v1/audit?action=issued&actor=admin+all&limit=2"} {
		seen, target := 0, list
		for pages := 0; target != ""; pages++ {
			w := l.ask("GET", target, nil)
			p := got[page[map[string]any]](l, w, 200)
			seen += len(p.Items)
			next := strings.TrimSuffix(strings.TrimPrefix(w.Header().Get("Link"), "<"), `>;rel="next"`)
			if (next == "") != (p.Next == "") || pages > 3 {
				t.Fatalf("%s: %q, %q", list, next, p.Next)
			}
			target = next
		}
		if seen != 5 {
			t.Errorf("%s: %d items", list, seen)
		}
	}
}

func TestWhatACMEDidIsVisible(t *testing.T) {
	l := newLab(t)
	l.acmeAccount("alice", "mailto:alice@corp.test")
	serial := l.acmeOrder("o1", "alice", "www.corp.test")
	l.issue("other.test")
	l.as("read")
	c := got[Certificate](l, l.ask("GET", "/v1/certificates/"+serial, nil), 200)
	o := c.ACME
	if c.Account != "alice" || o == nil || o.Order != "o1" || o.Contact[0] != "mailto:alice@corp.test" || o.Client.Agent != "certbot/5" || o.Profile != "short" ||
		len(o.Proofs) != 1 || o.Proofs[0].Challenge != "dns-01" || o.Proofs[0].Identifier != "dns:www.corp.test" || !o.Renewal.Start.After(l.now) {
		t.Errorf("%+v %+v", c, o)
	}
	if p := got[page[Certificate]](l, l.ask("GET", "/v1/certificates?account=alice", nil), 200); len(p.Items) != 1 || p.Items[0].Account != "alice" {
		t.Errorf("%+v", p)
	}
	if p := got[page[Order]](l, l.ask("GET", "/v1/orders?account=alice&status=valid", nil), 200); len(p.Items) != 1 || p.Items[0].Serial != serial || p.Items[0].Authorizations != nil {
		t.Errorf("%+v", p)
	}
	if v := got[Order](l, l.ask("GET", "/v1/orders/o1", nil), 200); len(v.Authorizations) != 1 || len(v.Authorizations[0].Challenges) != 2 {
		t.Errorf("%+v", v)
	}
	if p := got[page[Account]](l, l.ask("GET", "/v1/accounts?contains=ALICE@corp&status=valid&directory=", nil), 200); len(p.Items) != 1 {
		t.Errorf("%+v", p)
	}
	l.as("accounts")
	if a := got[Account](l, l.ask("POST", "/v1/accounts/alice/deactivate", nil), 200); a.Status != "revoked" {
		t.Errorf("%+v", a)
	}
	l.refused(l.ask("POST", "/v1/accounts/alice/deactivate", nil), "conflict")
	st := got[Status](l, l.as("read").ask("GET", "/v1/status", nil), 200)
	if st.Accounts["revoked"] != 1 || st.Orders["valid"] != 1 || st.Unexpired != 3 || st.Database != "sqlite" || len(st.Issuers) != 2 {
		t.Errorf("%+v", st)
	}
}

func TestBindingsAreShownOnce(t *testing.T) {
	l := newLab(t)
	l.as("accounts")
	made := got[Binding](l, l.ask("POST", "/v1/bindings", BindingOrder{KID: "alice", Names: []string{"alice.test"}, Networks: []string{"10.1.2.3/8"}}), http.StatusCreated)
	if len(made.Key) != 43 || made.Networks[0] != "10.0.0.0/8" {
		t.Errorf("%+v", made)
	}
	l.refused(l.ask("POST", "/v1/bindings", BindingOrder{KID: "alice"}), "conflict")
	if all := got[[]Binding](l, l.as("read").ask("GET", "/v1/bindings", nil), 200); len(all) != 1 || all[0].Key != "" || all[0].Names[0] != "alice.test" {
		t.Errorf("%+v", all)
	}
	if w := l.as("accounts").ask("DELETE", "/v1/bindings/alice", nil); w.Code != http.StatusNoContent {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	acts := got[page[AuditEntry]](l, l.as("read").ask("GET", "/v1/audit?action=binding", nil), 200)
	if len(acts.Items) != 2 || acts.Items[0].Actor != "admin accounts" || acts.Items[0].Detail != "binding alice taken back" {
		t.Errorf("%+v", acts)
	}
}
