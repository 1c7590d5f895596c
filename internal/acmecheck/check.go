package acmecheck

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/tlswright/tlswright/pki"
)

// Binding is a key for external account binding (RFC 8555, Section 7.3.4).
type Binding struct {
	KID string
	Key []byte
}

// Options say which server is checked, and with what.
type Options struct {
	Directory string // URL
	// Transport makes the requests; it decides which certificate of the server is trusted.
	Transport http.RoundTripper
	UserAgent string
	// Name is a DNS name that the server may issue for. With Listen it must lead to that listener.
	Name string
	// Listen is the address of the web server for http-01; "": nothing can be proven, and no certificate is obtained.
	Listen  string
	Binding *Binding // nil: none was given
	Contact []string // mailto: URLs of the account; empty: none
	// Patience bounds the wait for one validation or one certificate; 0: one minute.
	Patience time.Duration
	// Tell hears of each result as it comes; nil: nobody does.
	Tell func(Result)
}

// Outcome is what a check came to.
type Outcome string

// The outcomes. NotApplicable is a rule about something that the server does not offer, or that could not be reached.
const (
	Passed        Outcome = "passed"
	Failed        Outcome = "failed"
	NotApplicable Outcome = "not applicable"
)

// Result is the outcome of one check.
type Result struct {
	Group   string  `json:"group"`
	Section string  `json:"section"` // "RFC 8555, Section 6.5"
	Check   string  `json:"check"`   // the rule
	Outcome Outcome `json:"outcome"`
	Detail  string  `json:"detail,omitempty"` // why it failed or does not apply; fit to print
}

// Report is the scorecard.
type Report struct {
	Directory     string   `json:"directory"`
	Results       []Result `json:"results"`
	Passed        int      `json:"passed"`
	Failed        int      `json:"failed"`
	NotApplicable int      `json:"not_applicable"`
	Requests      int      `json:"requests"`
	// Left is what could not be cleaned up.
	Left []string `json:"left,omitempty"`
}

// check is one rule.
type check struct {
	group, section, rule string
	run                  func(context.Context, *session) error
}

// inapplicable is the error of a check that has nothing to look at.
type inapplicable string

// Error gives the reason.
func (e inapplicable) Error() string { return string(e) }

// maxRequests bounds a run, whatever the server does.
const maxRequests = 2000

// Terms is the URL of the terms of service that a server wants agreed to; "": it has none.
func Terms(ctx context.Context, o Options) (string, error) {
	s := newSession(o)
	if err := s.readDirectory(ctx); err != nil || s.dir.Meta == nil {
		return "", err
	}
	return s.dir.Meta.TermsOfService, nil
}

// Run checks a server. The error is about the run (no such server, no listener, canceled), never about a rule; the report
// holds what was found until then.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Patience <= 0 {
		o.Patience = time.Minute
	}
	if o.Tell == nil {
		o.Tell = func(Result) {}
	}
	s := newSession(o)
	var err error
	if o.Listen != "" {
		if s.proofs, err = listen(o.Listen); err != nil {
			return nil, err
		}
		defer s.proofs.close()
	}
	report := &Report{Directory: o.Directory, Results: []Result{}}
	if err := s.readDirectory(ctx); err != nil {
		return report, err
	}
	for _, c := range checks() {
		if ctx.Err() != nil {
			break
		}
		report.add(c.result(ctx, s), o.Tell)
	}
	report.Left = s.cleanUp(context.WithoutCancel(ctx))
	for _, c := range tallies() {
		report.add(c.result(ctx, s), o.Tell)
	}
	report.Requests = s.requests
	return report, ctx.Err()
}

func (c check) result(ctx context.Context, s *session) Result {
	r := Result{Group: c.group, Section: c.section, Check: c.rule, Outcome: Passed}
	err := c.run(ctx, s)
	var skip inapplicable
	switch {
	case err == nil:
	case errors.As(err, &skip):
		r.Outcome, r.Detail = NotApplicable, pki.Printable(skip.Error())
	default:
		r.Outcome, r.Detail = Failed, pki.Printable(err.Error())
	}
	return r
}

func (r *Report) add(result Result, tell func(Result)) {
	r.Results = append(r.Results, result)
	switch result.Outcome {
	case Passed:
		r.Passed++
	case Failed:
		r.Failed++
	case NotApplicable:
		r.NotApplicable++
	}
	tell(result)
}

// checks are all rules, in the order in which they are tried: later ones use what earlier ones made.
func checks() []check {
	var all []check
	for _, group := range [][]check{directoryChecks(), nonceChecks(), accountChecks(), jwsChecks(), orderChecks(), authorizationChecks(),
		challengeChecks(), finalizeChecks(), certificateChecks(), renewalChecks(), profileChecks(), revocationChecks(), keyChecks(), endChecks()} {
		all = append(all, group...)
	}
	return all
}
