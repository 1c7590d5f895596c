package acmeclient_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/acmeclient"
	"github.com/tlswright/tlswright/internal/acmeserver"
)

// withoutLocation takes the account's URL out of all answers but that to newAccount, as some servers do.
type withoutLocation struct{ http.RoundTripper }

// RoundTrip makes the request.
func (w withoutLocation) RoundTrip(q *http.Request) (*http.Response, error) {
	r, err := w.RoundTripper.RoundTrip(q)
	if err == nil && !strings.HasSuffix(q.URL.Path, "/new-account") {
		r.Header.Del("Location")
	}
	return r, err
}

// TestAccountOfATaciturnServer changes an account on a server that tells its URL once.
func TestAccountOfATaciturnServer(t *testing.T) {
	c := newCA(t, nil)
	tree, err := acmeclient.OpenTree(filepath.Join(t.TempDir(), "acme"))
	if err != nil {
		t.Fatal(err)
	}
	client := acmeclient.New(tree, acmeclient.Options{Server: c.url, Transport: withoutLocation{c.transport}})
	made, err := client.Register(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.UpdateContact(t.Context(), []string{"mailto:me@a.test"}); err != nil {
		t.Error(err)
	}
	if err := client.Rollover(t.Context()); err != nil {
		t.Error(err)
	}
	if shown, err := client.Show(t.Context()); err != nil || shown.URL != made.URL {
		t.Errorf("%+v %v, made as %s", shown, err, made.URL)
	}
	if err := client.Deactivate(t.Context()); err != nil {
		t.Error(err)
	}
}

// wild is what "ca serve --chaos wild" does, with its waits in miniature.
func wild(o *acmeserver.Options) {
	o.Chaos = acmeserver.Chaos{RejectNonces: 30, Unavailable: 10, TooMany: 5, Drop: 5, Slow: 20 * time.Millisecond, ValidationDelay: 50 * time.Millisecond,
		FailValidations: 5, IssueDelay: 50 * time.Millisecond, RetryDates: true, FreshAuthz: true}
}

// hurried has a client not wait as long as the server asks it to.
type hurried struct{ http.RoundTripper }

// RoundTrip makes the request.
func (h hurried) RoundTrip(q *http.Request) (*http.Response, error) {
	r, err := h.RoundTripper.RoundTrip(q)
	if err == nil && r.Header.Get("Retry-After") != "" {
		r.Header.Set("Retry-After", "0")
	}
	return r, err
}

// TestWildServer gets certificates of a server that misbehaves in every way it can. A client tries each again when its
// time has come, as renew does; so what counts is that the tree is whole after each attempt, and that all come in the end.
func TestWildServer(t *testing.T) {
	c := newCA(t, wild)
	tree, err := acmeclient.OpenTree(filepath.Join(t.TempDir(), "acme"))
	if err != nil {
		t.Fatal(err)
	}
	client := acmeclient.New(tree, acmeclient.Options{Server: c.url, Transport: hurried{c.transport}})
	const certificates, attempts = 2, 15
	failures := 0
	for n := range certificates {
		name := []string{"a.test", "b.test"}[n]
		for try := 1; ; try++ {
			done, err := client.Obtain(t.Context(), c.standalone(name))
			if err == nil {
				if done.Generation != 1 || len(done.Chain) == 0 {
					t.Errorf("%s: %+v", name, done)
				}
				break
			}
			failures++
			if try == attempts {
				t.Fatalf("%s: %v", name, err)
			}
			if found, err := tree.List(); err != nil || len(found) != n {
				t.Fatalf("after a failure there are %d certificates, not %d: %v", len(found), n, err)
			}
		}
	}
	found, err := tree.List()
	if err != nil || len(found) != certificates {
		t.Errorf("%d certificates, %v", len(found), err)
	}
	t.Logf("%d attempts failed on the way to %d certificates", failures, certificates)
}
