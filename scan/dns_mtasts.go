package scan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httputil"
	"net/netip"
	"strings"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/wire"
)

// stsPolicy is the MTA-STS policy of a mail domain (RFC 8461, Section 3.2).
type stsPolicy struct {
	mode string // "enforce", "testing" or "none"
	mx   []string
}

// maxPolicy is how large a policy may be: RFC 8461, Section 3.3 suggests 64 KiB.
const maxPolicy = 64 << 10

// askMTASTS looks whether a mail domain announces a policy (RFC 8461, Section 3.1), and fetches it.
func (j *judge) askMTASTS(ctx context.Context, h *host, z *zoneFacts) error {
	for _, domain := range mailDomains(z.name) {
		texts, err := j.resolver.TXT(ctx, "_mta-sts."+domain)
		if err != nil {
			return err
		}
		announced := false
		for _, t := range texts {
			announced = announced || strings.HasPrefix(t, "v=STSv1")
		}
		if !announced {
			continue
		}
		p, err := j.fetchPolicy(ctx, h, domain)
		if err != nil {
			return fmt.Errorf("a policy is announced for %s, and cannot be had: %w", shortened(domain, 100), err)
		}
		z.mtaSTS = p.mode
		if p.mode != "none" && !p.covers(z.name) {
			z.problems = append(z.problems, "the MTA-STS policy of "+shortened(domain, 100)+" does not name this host")
		}
		return nil
	}
	return nil
}

// mailDomains are the domains that a mail host may serve: its own name, and the one above it.
func mailDomains(host string) []string {
	domains := []string{host}
	if _, above, ok := strings.Cut(host, "."); ok && strings.Contains(above, ".") {
		domains = append(domains, above)
	}
	return domains
}

var errNotTrusted = errors.New("the certificate of its server is not trusted for this name")

// fetchPolicy gets a policy from the address that RFC 8461, Section 3.3 gives it, by this scanner's own handshake.
func (j *judge) fetchPolicy(ctx context.Context, h *host, domain string) (*stsPolicy, error) {
	name := "mta-sts." + domain
	addresses, err := h.scanner.lookUp(ctx, name)
	if err != nil {
		return nil, err
	}
	for _, a := range addresses[:min(len(addresses), 2)] {
		var p *stsPolicy
		if p, err = j.fetchPolicyAt(ctx, h, name, a.Unmap()); err == nil {
			return p, nil
		}
	}
	if err == nil {
		err = errors.New("its name has no address")
	}
	return nil, err
}

func (j *judge) fetchPolicyAt(ctx context.Context, h *host, name string, a netip.Addr) (*stsPolicy, error) {
	if why := (fetch.Gate{AllowPrivate: h.o.AllowPrivate}).Refuses(a); why != "" {
		return nil, fmt.Errorf("%s is %s, which is not asked", a, why)
	}
	there := newHost(h.scanner, Target{Host: name, Port: 443}, a)
	o := there.scanner.quickOffer()
	o.MinVersion, o.Verify = wire.VersionTLS12, true
	s, err := there.finish(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	// RFC 8461, Section 3.3: the policy host must have a certificate that is valid for its name.
	c := j.chain(ctx, chainQuestion{sent: &sentChain{DER: s.Answer().Chain}, name: name, now: h.began})
	if c.facts.Trusted != grade.Yes || c.facts.NameMatches != grade.Yes || s.Answer().SignatureOK != grade.Yes || !c.inForce(h) {
		return nil, errNotTrusted
	}
	if _, err := io.WriteString(s, "GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: "+name+"\r\nUser-Agent: "+userAgent+"\r\nAccept: text/plain\r\nConnection: close\r\n\r\n"); err != nil {
		return nil, err
	}
	body, err := readPolicy(s)
	if err != nil {
		return nil, err
	}
	return parsePolicy(string(body))
}

// inForce reports whether the leaf is valid at the time of the scan.
func (c *judgedChain) inForce(h *host) bool {
	leaf := c.facts.Leaf()
	return leaf != nil && !h.began.Before(leaf.NotBefore) && !h.began.After(leaf.NotAfter)
}

// readPolicy reads an answer with its body.
func readPolicy(s io.Reader) ([]byte, error) {
	r := headReader{r: s}
	head, err := r.next()
	if err != nil {
		return nil, err
	}
	a, err := parseHead(head)
	if err != nil {
		return nil, err
	}
	if a.status != 200 { // RFC 8461, Section 3.3: redirects must not be followed
		return nil, fmt.Errorf("its server answers with HTTP status %d", a.status)
	}
	body := io.MultiReader(strings.NewReader(string(r.buf)), s)
	if coding, _ := a.first("Transfer-Encoding"); strings.EqualFold(coding, "chunked") {
		body = httputil.NewChunkedReader(body)
	}
	text, err := io.ReadAll(io.LimitReader(body, maxPolicy+1))
	if len(text) > maxPolicy {
		return nil, errors.New("it is longer than 64 KiB")
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) { // many servers close without close_notify
		return nil, err
	}
	return text, nil
}

// parsePolicy reads a policy: lines of "key: value", of which mx may stand there several times (RFC 8461, Section 3.2).
func parsePolicy(text string) (*stsPolicy, error) {
	p := new(stsPolicy)
	version := ""
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "version":
			version = value
		case "mode":
			p.mode = value
		case "mx":
			if len(p.mx) < maxFields {
				p.mx = append(p.mx, strings.ToLower(value))
			}
		}
	}
	if version != "STSv1" {
		return nil, errors.New("it does not say \"version: STSv1\"")
	}
	switch p.mode {
	case "enforce", "testing", "none":
		return p, nil
	}
	return nil, fmt.Errorf("its mode is %q", shortened(p.mode, 50))
}

// covers reports whether a policy names a mail host: a wildcard stands for one label (RFC 8461, Section 4.1).
func (p *stsPolicy) covers(host string) bool {
	for _, pattern := range p.mx {
		if matchesPattern(pattern, canonicalHost(host)) {
			return true
		}
	}
	return false
}
