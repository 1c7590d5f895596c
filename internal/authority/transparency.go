package authority

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/ct"
	"github.com/tlswright/tlswright/pki/lint"
)

// logTimeout bounds how long logs may take, all together.
const logTimeout = 30 * time.Second

// maxSubmissions bounds how many logs are asked at the same time.
const maxSubmissions = 8

// Transparency has the certificates of servers shown to logs before they are signed,
// and their timestamps embedded (RFC 6962, Section 3.1).
type Transparency struct {
	// Logs is the list of logs. Those are asked that are usable and take certificates
	// that expire then.
	Logs *ct.LogList
	// Minimum is how many logs must have answered; 0: as many, and of as many operators,
	// as browsers demand.
	Minimum int
	// Timeout bounds how long the logs may take, all together; 0: half a minute.
	Timeout time.Duration
	// Submit gives a chain, leaf first, DER, to a log. What it returns is checked.
	Submit func(ctx context.Context, log *ct.Log, chain [][]byte, entry ct.Entry) (ct.SCT, error)
}

// LogsError says that too few logs took a certificate. Its serial number is used
// up: the precertificate is on file and counts as issued.
type LogsError struct {
	Serial string
	Reason string   // what is missing
	Logs   []string // what each log said that did not take it, printable
}

// Error implements error.
func (e *LogsError) Error() string {
	text := "Certificate Transparency: " + e.Reason
	if len(e.Logs) > 0 {
		text += " (" + strings.Join(e.Logs, "; ") + ")"
	}
	return text
}

// isPublic reports whether certificates of the request are shown to logs: those by
// which clients know servers.
func (a *Authority) isPublic(req *pki.Request) bool {
	if a.Transparency == nil {
		return false
	}
	spec := req.Spec
	if spec == nil {
		builtin, err := pki.BuiltinProfile(req.Profile)
		if err != nil {
			return false
		}
		spec = &builtin
	}
	return !spec.CA && slices.Contains(spec.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
}

// makePublic makes a certificate with timestamps. The precertificate is signed and
// on disk before it leaves, under the serial number and in the place of the
// certificate: whoever has seen it may rely on it, so it counts as issued, can be
// revoked and is answered for, whatever becomes of the rest. signed tells whether it
// came so far.
func (a *Authority) makePublic(ctx context.Context, o *Order, id int64, now time.Time) (c *x509.Certificate, findings []lint.Finding, signed bool, err error) {
	req := o.Request
	req.Precertificate, req.Timestamps = true, nil
	pre, _, err := a.make(ctx, &req, now)
	if err != nil {
		return nil, nil, false, err
	}
	profile := profileName(&req)
	if err := a.Store.Record(context.WithoutCancel(ctx), a.recordOf(pre, id, profile, now)); err != nil {
		return nil, nil, true, fmt.Errorf("the precertificate could not be recorded and is shown to no log: %w", err)
	}
	timestamps, err := a.collect(ctx, pre)
	if err != nil {
		return nil, nil, true, err
	}
	req.Precertificate = false
	if req.Timestamps, err = ct.MarshalExtension(timestamps); err != nil {
		return nil, nil, true, err
	}
	if c, findings, err = a.make(ctx, &req, now); err != nil {
		return nil, findings, true, err
	}
	if err := a.sameEntry(pre, c); err != nil {
		return nil, findings, true, err
	}
	record := a.recordOf(c, id, profile, a.Now())
	record.Order = o.For
	if err := a.Store.Complete(context.WithoutCancel(ctx), pre.Raw, record); err != nil {
		if errors.Is(err, store.ErrNotOpen) {
			return nil, findings, true, &pki.RefusedError{Reason: "it was revoked while the logs were asked"}
		}
		return nil, findings, true, fmt.Errorf("the certificate could not be recorded and is not given out: %w", err)
	}
	return c, findings, true, nil
}

// sameEntry makes sure that the timestamps are about the certificate.
func (a *Authority) sameEntry(pre, c *x509.Certificate) error {
	shown, err := ct.EntryOf(pre, a.Issuer.Certificate, ct.Embedded)
	if err != nil {
		return err
	}
	final, err := ct.EntryOf(c, a.Issuer.Certificate, ct.Embedded)
	if err != nil {
		return err
	}
	if !bytes.Equal(shown.Data, final.Data) {
		return errors.New("the certificate is not what the logs were shown, and is not given out")
	}
	return nil
}

// chainToRoot is what logs are given: the certificate and everything above it.
func (a *Authority) chainToRoot(c *x509.Certificate) [][]byte {
	chain := [][]byte{c.Raw, a.Issuer.Certificate.Raw}
	for _, up := range a.Issuer.Chain {
		chain = append(chain, up.Raw)
	}
	return chain
}

// answer is what a log said.
type answer struct {
	log *ct.Log
	sct ct.SCT
	err error
}

// collect shows the precertificate to logs, several at once, until they are enough.
func (a *Authority) collect(ctx context.Context, pre *x509.Certificate) ([]ct.SCT, error) {
	t := a.Transparency
	entry, err := ct.EntryOf(pre, a.Issuer.Certificate, ct.Embedded)
	if err != nil {
		return nil, err
	}
	logs := eligible(t.Logs, pre.NotAfter)
	timeout := t.Timeout
	if timeout <= 0 {
		timeout = logTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel() // what is still under way is given up
	answers, chain := make(chan answer, len(logs)), a.chainToRoot(pre)
	slots := make(chan struct{}, maxSubmissions)
	for _, log := range logs {
		go func() {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				answers <- answer{log: log, err: ctx.Err()}
				return
			}
			defer func() { <-slots }()
			begun := time.Now()
			sct, err := t.Submit(ctx, log, chain, entry)
			if ctx.Err() == nil || err == nil { // what is given up because enough have answered is no failure of the log
				a.Meter.Submitted(log.Description, time.Since(begun), err)
			}
			answers <- answer{log, sct, err}
		}()
	}
	var got collection
	for range logs {
		var next answer
		select {
		case next = <-answers:
		case <-ctx.Done():
			return nil, got.failed(pre, "the logs did not answer in time")
		}
		got.take(a, pre, next)
		if ok, _ := got.enough(pre, t.Minimum); ok {
			return got.timestamps(), nil
		}
	}
	_, reason := got.enough(pre, t.Minimum)
	return nil, got.failed(pre, reason)
}

// eligible are the logs that are asked for a certificate that expires then, so
// ordered that each operator's first log comes before anybody's second.
func eligible(list *ct.LogList, expires time.Time) []*ct.Log {
	var rounds [][]*ct.Log
	had := make(map[string]int)
	for _, l := range list.Logs {
		if l.State != ct.Usable && l.State != ct.Qualified || !l.NotBefore.IsZero() && expires.Before(l.NotBefore) || !l.NotAfter.IsZero() && !expires.Before(l.NotAfter) {
			continue
		}
		n := had[l.Operator]
		had[l.Operator]++
		if n == len(rounds) {
			rounds = append(rounds, nil)
		}
		rounds[n] = append(rounds[n], l)
	}
	return slices.Concat(rounds...)
}

// collection is what logs have answered so far.
type collection struct {
	verdicts []ct.Verdict
	refusals []string
}

// take adds an answer if it holds.
func (c *collection) take(a *Authority, pre *x509.Certificate, next answer) {
	name := pki.Printable(next.log.Description)
	if next.err != nil {
		c.refusals = append(c.refusals, name+": "+pki.Printable(next.err.Error()))
		return
	}
	next.sct.Source = ct.Embedded
	// A log's clock may be a little ahead of ours.
	v, err := ct.VerifySCT(next.sct, []*x509.Certificate{pre, a.Issuer.Certificate}, a.Transparency.Logs, a.Now().Add(pki.Backdate))
	switch {
	case err != nil:
		c.refusals = append(c.refusals, name+": "+pki.Printable(err.Error()))
	case v.Status != ct.Valid || v.Log != next.log:
		c.refusals = append(c.refusals, name+": its timestamp does not count: "+pki.Printable(v.Text))
	default:
		c.verdicts = append(c.verdicts, v)
	}
}

// enough tells whether no more logs need to be asked, and else what is missing.
func (c *collection) enough(pre *x509.Certificate, minimum int) (ok bool, reason string) {
	if minimum > 0 {
		return len(c.verdicts) >= minimum, fmt.Sprintf("%d of the %d logs that must take it have", len(c.verdicts), minimum)
	}
	return ct.Complies(pre, c.verdicts)
}

func (c *collection) timestamps() []ct.SCT {
	list := make([]ct.SCT, 0, len(c.verdicts))
	for _, v := range c.verdicts {
		list = append(list, v.SCT)
	}
	return list
}

func (c *collection) failed(pre *x509.Certificate, reason string) error {
	slices.Sort(c.refusals)
	return &LogsError{Serial: SerialText(pre.SerialNumber), Reason: reason, Logs: c.refusals}
}

// Hint says what to do about it.
func (e *LogsError) Hint() string {
	return fmt.Sprintf("the precertificate %s is on file and counts as issued: revoke it, or leave it; and try again", e.Serial)
}
