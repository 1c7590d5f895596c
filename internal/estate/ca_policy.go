package estate

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/challenge"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/order"
	"github.com/tlswright/tlswright/internal/resolve"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/pki/ct"
)

const day = 24 * time.Hour

// newValidator makes who finds out whom names belong to.
func newValidator(c *config.CA, now func() time.Time) (*challenge.Validator, error) {
	o := challenge.Options{HTTPPort: c.HTTP01Port, TLSPort: c.TLSALPN01Port, Quorum: c.Quorum, NoCAA: c.NoCAA, Identities: c.CAAIdentities, Now: now}
	o.Gate.Allow = c.AllowNetworks
	for _, r := range c.Resolvers {
		o.Perspectives = append(o.Perspectives, challenge.Perspective{Name: r, Resolver: resolve.New(resolve.Options{Server: r})})
	}
	v, err := challenge.New(o)
	if err != nil {
		return nil, &Problem{Text: err.Error(), Kind: Usage, Err: err}
	}
	return v, nil
}

// policyOf is what may be had over ACME.
func policyOf(c *config.CA) order.Policy {
	p := order.Policy{AllowDNS: c.AllowNames, DenyDNS: c.DenyNames, AllowIP: c.AllowAddresses, NoWildcards: c.NoWildcards, NoIP: c.NoAddresses,
		Challenges: c.Challenges, KeyTypes: c.KeyTypes, ValidLifetime: c.Reuse, Default: "classic",
		Profiles: map[string]order.Profile{
			"classic":    {Description: "server authentication, " + lifetimeText(c.Lifetime, 90*day), Lifetime: c.Lifetime},
			"shortlived": {Description: "server authentication, 6 days, no common name", Lifetime: 6 * day, NoCommon: true},
		},
		Star: order.StarPolicy{MinLifetime: time.Hour, MaxDuration: 365 * day, AllowGet: true}}
	if c.Reuse <= 0 {
		p.ValidLifetime = -1
	}
	return p
}

func lifetimeText(d, usual time.Duration) string {
	if d <= 0 {
		d = usual
	}
	switch days := int(d / day); {
	case d%day != 0:
		return d.String()
	case days == 1:
		return "1 day"
	default:
		return strconv.Itoa(days) + " days"
	}
}

// readLogs reads the list of CT logs that a section names; nil: it names none.
func readLogs(c *config.CA) (*KeptLogs, error) {
	if c.CTLogs == "" || c.CTLogs == config.NoLogs {
		return nil, nil
	}
	info, err := os.Stat(c.CTLogs)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxLogs {
		return nil, fmt.Errorf("%s is longer than %d bytes", c.CTLogs, maxLogs)
	}
	data, err := os.ReadFile(c.CTLogs)
	if err != nil {
		return nil, err
	}
	if _, err := ct.ParseLogList(data); err != nil {
		return nil, doing(err, c.CTLogs)
	}
	return &KeptLogs{Minimum: c.CTMinimum, Logs: data}, nil
}

// alternateChain is a further chain that ACME clients may choose: PEM, what is sent after the leaf, nearest first.
type alternateChain struct {
	file  string
	chain []*x509.Certificate
	used  bool
}

// alternateChains is the key of the section.
const alternateChains = "alternate-chains"

// readAlternates reads the files with alternate chains. Whoever certified each certificate must be the next one.
func readAlternates(files []string) ([]*alternateChain, error) {
	var all []*alternateChain
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, doing(err, "reading a chain")
		}
		ders, err := pki.CertificatesPEM(text)
		if err == nil && len(ders) == 0 {
			err = errors.New("there is no certificate in it")
		}
		a := &alternateChain{file: file}
		for i := 0; err == nil && i < len(ders); i++ {
			var c *x509.Certificate
			if c, err = cert.ParseX509(ders[i]); err != nil {
				break
			}
			switch {
			case !c.IsCA:
				err = fmt.Errorf("%s is no authority", pki.Printable(c.Subject.String()))
			case i > 0:
				err = cert.CheckSignatureFrom(a.chain[i-1], c)
			}
			a.chain = append(a.chain, c)
		}
		if err != nil {
			return nil, &Problem{Key: alternateChains, Text: file + ": " + err.Error(), Err: err}
		}
		all = append(all, a)
	}
	return all, nil
}

// alternatesOf are the chains for one issuing CA: those that begin with another certificate of its name and key, and those
// that begin with one of the authority above it, which its own certificates are put before.
func alternatesOf(all []*alternateChain, au *authority.Authority) [][]*x509.Certificate {
	own := append([]*x509.Certificate{}, au.Chain...)
	if len(own) == 0 {
		own = []*x509.Certificate{au.Issuer.Certificate}
	}
	var chains [][]*x509.Certificate
	for _, a := range all {
		first := a.chain[0]
		for i, c := range own {
			if bytes.Equal(first.RawSubject, c.RawSubject) && pki.SameKey(first.PublicKey, c.PublicKey) {
				a.used = true
				chains = append(chains, append(append([]*x509.Certificate{}, own[:i]...), a.chain...))
				break
			}
			if i == len(own)-1 && cert.CheckSignatureFrom(c, first) == nil {
				a.used = true
				chains = append(chains, append(append([]*x509.Certificate{}, own...), a.chain...))
			}
		}
	}
	return chains
}

// checkAlternates demands that every chain belongs to a CA that issues here: one that leads nowhere is a mistake.
func checkAlternates(all []*alternateChain) error {
	for _, a := range all {
		if !a.used {
			return &Problem{Key: alternateChains, Text: fmt.Sprintf("%s begins with %s, which is none of the CAs that issue here, nor above one", a.file, pki.Printable(a.chain[0].Subject.String())),
				Advice: "the first certificate in it has the name and key of the issuing CA, or of its root"}
		}
	}
	return nil
}
