package acmeclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
	"github.com/miekg/dns"

	"github.com/tlswright/tlswright/internal/resolve"
	"github.com/tlswright/tlswright/pki"
)

// recordTTL is the life of a proof in caches, in seconds.
const recordTTL = 60

// updater makes TXT records by dynamic update (RFC 2136), signed by TSIG (RFC 8945).
type updater struct {
	server, zone string
	keyName      string // "": not signed
	algorithm    string
	secret       string
}

// newUpdater reads the key: a file as tsig-keygen writes it, closed to others.
func newUpdater(ch Challenge) (*updater, error) {
	u := &updater{server: ch.Server, zone: ch.Zone}
	if u.server == "" {
		return nil, errors.New("rfc2136: which name server?")
	}
	if _, _, err := net.SplitHostPort(u.server); err != nil {
		u.server = net.JoinHostPort(u.server, "53")
	}
	if ch.KeyFile == "" {
		return u, nil
	}
	info, err := os.Stat(ch.KeyFile)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s is open to others (mode %04o): chmod 600 it", ch.KeyFile, info.Mode().Perm())
	}
	text, err := os.ReadFile(ch.KeyFile)
	if err != nil {
		return nil, err
	}
	if u.keyName, u.algorithm, u.secret, err = parseTSIGKey(string(text)); err != nil {
		return nil, fmt.Errorf("%s: %w", ch.KeyFile, err)
	}
	return u, nil
}

// parseTSIGKey reads `key "NAME" { algorithm hmac-sha256; secret "…"; };`.
func parseTSIGKey(text string) (name, algorithm, secret string, err error) {
	find := func(pattern string) string {
		if m := regexp.MustCompile(pattern).FindStringSubmatch(text); m != nil {
			return m[1]
		}
		return ""
	}
	name = find(`(?m)^\s*key\s+"?([^"\s{]+)"?\s*\{`)
	algorithm = strings.ToLower(find(`algorithm\s+"?([A-Za-z0-9.-]+)"?\s*;`))
	secret = find(`secret\s+"([A-Za-z0-9+/=]+)"\s*;`)
	known := []string{"hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"}
	switch {
	case name == "" || secret == "":
		return "", "", "", errors.New("there is no TSIG key in it, as tsig-keygen writes them")
	case !slices.Contains(known, algorithm):
		return "", "", "", fmt.Errorf("the algorithm %q is not one of %s", pki.Printable(algorithm), strings.Join(known, ", "))
	}
	return dns.Fqdn(name), dns.Fqdn(algorithm), secret, nil
}

// Present makes the record.
func (u *updater) Present(ctx context.Context, ch acme.Challenge) error {
	return u.change(ctx, ch, func(m *dns.Msg, rr dns.RR) { m.Insert([]dns.RR{rr}) })
}

// CleanUp removes it, and no other of the same name.
func (u *updater) CleanUp(ctx context.Context, ch acme.Challenge) error {
	return u.change(ctx, ch, func(m *dns.Msg, rr dns.RR) { m.Remove([]dns.RR{rr}) })
}

func (u *updater) change(ctx context.Context, ch acme.Challenge, edit func(*dns.Msg, dns.RR)) error {
	name := dns.Fqdn(ch.DNS01TXTRecordName())
	zone, err := u.zoneOf(ctx, name)
	if err != nil {
		return err
	}
	m := new(dns.Msg)
	m.SetUpdate(zone)
	edit(m, &dns.TXT{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: recordTTL}, Txt: []string{ch.DNS01KeyAuthorization()}})
	answer, err := u.exchange(ctx, m)
	if err != nil {
		return fmt.Errorf("updating the zone %s at %s: %w", zone, u.server, err)
	}
	if answer.Rcode != dns.RcodeSuccess {
		return fmt.Errorf("the name server %s refuses to update %s: %s", u.server, zone, dns.RcodeToString[answer.Rcode])
	}
	return nil
}

func (u *updater) exchange(ctx context.Context, m *dns.Msg) (*dns.Msg, error) {
	c := &dns.Client{Net: "tcp", Timeout: 10 * time.Second}
	if u.keyName != "" {
		m.SetTsig(u.keyName, u.algorithm, 300, time.Now().Unix())
		c.TsigSecret = map[string]string{u.keyName: u.secret}
	}
	answer, _, err := c.ExchangeContext(ctx, m, u.server)
	return answer, err
}

// zoneOf finds the zone that a name is in by asking the server for the start of authority, upwards.
func (u *updater) zoneOf(ctx context.Context, name string) (string, error) {
	if u.zone != "" {
		return dns.Fqdn(u.zone), nil
	}
	for at := name; at != "."; {
		m := new(dns.Msg)
		m.SetQuestion(at, dns.TypeSOA)
		answer, err := u.exchange(ctx, m)
		if err != nil {
			return "", fmt.Errorf("asking %s for the zone of %s: %w", u.server, name, err)
		}
		for _, rr := range slices.Concat(answer.Answer, answer.Ns) {
			if soa, ok := rr.(*dns.SOA); ok && dns.IsSubDomain(soa.Hdr.Name, name) {
				return soa.Hdr.Name, nil
			}
		}
		next, end := dns.NextLabel(at, 0)
		if end {
			break
		}
		at = at[next:]
	}
	return "", fmt.Errorf("%s knows no zone of %s", u.server, name)
}

// patient waits until a resolver has the record, before the CA looks for it.
type patient struct {
	acmez.Solver
	resolver string
}

// propagation is how long a record may take.
const propagation = 2 * time.Minute

// Wait asks every second.
func (p *patient) Wait(ctx context.Context, ch acme.Challenge) error {
	ctx, cancel := context.WithTimeout(ctx, propagation)
	defer cancel()
	r := resolve.New(resolve.Options{Server: p.resolver})
	want := ch.DNS01KeyAuthorization()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if texts, err := r.TXT(ctx, ch.DNS01TXTRecordName()); err == nil && slices.Contains(texts, want) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the record %s did not reach %s within %v", ch.DNS01TXTRecordName(), p.resolver, propagation)
		}
	}
}
