package acmeclient

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tlswright/tlswright/internal/order"
	"github.com/tlswright/tlswright/pki/cert"
)

// RenewOptions say which certificates are renewed, and how.
type RenewOptions struct {
	Names  []string // of certificates; none: all
	Force  bool     // whatever their age
	DryRun bool
	// Client makes the client for a server.
	Client func(server string) (*Client, error)
}

// Renewed is what became of one certificate.
type Renewed struct {
	Name    string
	Done    *Certificate // nil: it was not renewed
	Due     time.Time    // when it is
	Err     error
	Skipped bool // not due yet
}

// Decide says whether a certificate is due: the moment chosen within the window that the server suggests (RFC 9773), or
// else within a twelfth of its life from two thirds on. The moment is chosen once and by chance, so that many certificates
// of one day are not renewed in one minute. After a failure it is tried again with growing pauses, which are never longer
// than a quarter of the time that is left.
func Decide(r *Renewal, leaf *x509.Certificate, now time.Time) (due time.Time, isDue bool) {
	start, end := r.WindowStart, r.WindowEnd
	if start.IsZero() || !end.After(start) {
		start, end = order.RenewalWindow(leaf.NotBefore, leaf.NotAfter, now, false)
	}
	if r.Chosen.Before(start) || r.Chosen.After(end) {
		r.Chosen = start.Add(rand.N(max(end.Sub(start), 1)))
	}
	due = r.Chosen
	if r.NextTry.After(due) {
		due = r.NextTry
	}
	return due, !due.After(now)
}

// failed notes a failure, and when to try again: after an hour, twice that and so on up to a day, but never so late that
// fewer than three tries are left.
func (r *Renewal) failed(leaf *x509.Certificate, now time.Time) {
	pause := min(time.Hour<<min(r.Fails, 5), 24*time.Hour)
	if left := leaf.NotAfter.Sub(now); left > 0 {
		pause = min(pause, max(left/4, time.Minute))
	} else {
		pause = min(pause, time.Hour)
	}
	r.Fails++
	r.NextTry = now.Add(pause/2 + rand.N(pause/2+1)).Truncate(time.Second)
}

// Renew renews what is due. One failure does not keep the others from being renewed; each is in the results.
func (t *Tree) Renew(ctx context.Context, o RenewOptions) ([]Renewed, error) {
	all, err := t.List()
	if err != nil {
		return nil, err
	}
	for _, n := range o.Names {
		if !slices.ContainsFunc(all, func(c *Certificate) bool { return c.Name == n }) {
			return nil, fmt.Errorf("%s: %w", n, ErrNotFound)
		}
	}
	var results []Renewed
	var pre, post []string
	for _, c := range all {
		if len(o.Names) > 0 && !slices.Contains(o.Names, c.Name) || c.Generation == 0 {
			continue
		}
		client, err := o.Client(c.Renewal.Server)
		if err != nil {
			results = append(results, Renewed{Name: c.Name, Err: err})
			continue
		}
		r := Renewed{Name: c.Name}
		leaf, err := cert.ParseX509(c.Chain[0])
		if err != nil {
			r.Err = err
			results = append(results, r)
			continue
		}
		client.askWindow(ctx, c, leaf)
		due, isDue := Decide(&c.Renewal, leaf, client.o.Now())
		r.Due = due
		if !isDue && !o.Force && !o.DryRun {
			r.Skipped = true
			if c.Renewal.InstallPending {
				r.Err = client.installPending(ctx, c)
				r.Skipped = r.Err == nil
			}
			results = append(results, r)
			continue
		}
		if h := c.Renewal.Hooks.Pre; h != "" && !slices.Contains(pre, h) {
			pre = append(pre, h)
			r.Err = shell(ctx, h)
		}
		if h := c.Renewal.Hooks.Post; h != "" && !slices.Contains(post, h) {
			post = append(post, h)
		}
		if r.Err == nil {
			r.Done, r.Err = client.renewOne(ctx, c, leaf, o.DryRun)
		}
		results = append(results, r)
	}
	var errs []error
	for _, h := range post {
		errs = append(errs, shell(ctx, h))
	}
	return results, errors.Join(errs...)
}

// askWindow asks the server when to renew, if it is time to ask, and keeps the answer. Without one our own rule holds.
func (c *Client) askWindow(ctx context.Context, cert *Certificate, leaf *x509.Certificate) {
	now := c.o.Now()
	before := cert.Renewal
	if !now.Before(cert.Renewal.AskAgain) {
		ctx, cancel := context.WithTimeout(ctx, min(c.o.Timeout, time.Minute))
		defer cancel()
		info, err := c.protocol.GetRenewalInfo(ctx, leaf)
		switch {
		case err == nil && info.HasWindow():
			cert.Renewal.WindowStart, cert.Renewal.WindowEnd = info.SuggestedWindow.Start, info.SuggestedWindow.End
			cert.Renewal.AskAgain = now.Add(6 * time.Hour)
			if info.RetryAfter != nil {
				// The server's word counts, within a minute and a day.
				cert.Renewal.AskAgain = now.Add(min(max(info.RetryAfter.Sub(now), time.Minute), 24*time.Hour))
			}
		default:
			cert.Renewal.AskAgain = now.Add(6 * time.Hour)
		}
	}
	Decide(&cert.Renewal, leaf, now)
	if cert.Renewal.Chosen != before.Chosen || cert.Renewal.AskAgain != before.AskAgain {
		_ = c.tree.saveRenewal(cert.Name, cert.Renewal) // what cannot be kept is asked again
	}
}

func (c *Client) renewOne(ctx context.Context, cert *Certificate, leaf *x509.Certificate, dryRun bool) (*Certificate, error) {
	done, err := c.Obtain(ctx, Request{Name: cert.Name, Renewal: cert.Renewal, DryRun: dryRun, replaces: leaf})
	var server *ServerError
	if errors.As(err, &server) && (server.Type == "alreadyReplaced" || server.Type == "malformed") {
		// A server that knows nothing of replacements, or knows of one that we lost, still issues.
		done, err = c.Obtain(ctx, Request{Name: cert.Name, Renewal: cert.Renewal, DryRun: dryRun})
	}
	var hook *HookError
	if err == nil || dryRun || errors.As(err, &hook) {
		return done, err
	}
	cert.Renewal.failed(leaf, c.o.Now())
	return nil, errors.Join(err, c.tree.saveRenewal(cert.Name, cert.Renewal))
}
