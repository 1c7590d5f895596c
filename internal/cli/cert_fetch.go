package cli

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	outside "github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
	"github.com/tlswright/tlswright/pki/ocsp"
)

// fetchFlags say whether the addresses in certificates are asked. Whoever makes a certificate chooses these, so nothing is
// asked unless a person says so.
type fetchFlags struct {
	isOn    bool
	private bool
}

func (f *fetchFlags) register(cmd *cobra.Command, what string) {
	cmd.Flags().BoolVar(&f.isOn, "fetch", false, "get "+what+" from the addresses that the certificates name")
	cmd.Flags().BoolVar(&f.private, "allow-private", false, "with --fetch: ask private addresses too, for a CA of one's own network")
}

func (a *app) fetcher(f fetchFlags, timeout time.Duration) *outside.Fetcher {
	return outside.New(outside.Options{AllowPrivate: f.private, Timeout: timeout, Now: a.now})
}

// maxFetched bounds how many issuers are fetched for one chain, one after the other.
const maxFetched = 8

// completed is a chain with what had to be got for it.
type completed struct {
	*pki.Arrangement
	heap    []*x509.Certificate
	fetched []fetchedIssuer
	notes   []string // what gave nothing
}

type fetchedIssuer struct {
	cert *x509.Certificate
	url  string
}

// completeChain fetches the missing issuers of a chain. isDone says that a chain needs nothing more, though its root is not at
// hand.
func completeChain(ctx context.Context, f *outside.Fetcher, heap []*x509.Certificate, leaf *x509.Certificate, roots []*x509.Certificate, isDone func(*pki.Arrangement) bool) *completed {
	c := &completed{heap: slices.Clone(heap)}
	c.Arrangement = pki.Arrange(c.heap, leaf, roots)
	for range maxFetched {
		if c.Root != nil || len(c.Missing) == 0 || isDone(c.Arrangement) {
			return c
		}
		before := len(c.heap)
		for _, url := range c.Missing[0].AIA {
			found, err := f.Issuers(ctx, url)
			if err != nil {
				c.notes = append(c.notes, "fetching an issuer: "+pki.Printable(err.Error()))
				continue
			}
			for _, cert := range found {
				if !slices.ContainsFunc(c.heap, cert.Equal) {
					c.heap = append(c.heap, cert)
					c.fetched = append(c.fetched, fetchedIssuer{cert, url})
				}
			}
			break
		}
		if len(c.heap) == before {
			return c
		}
		c.Arrangement = pki.Arrange(c.heap, leaf, roots)
	}
	return c
}

// fetchRevocation asks the OCSP responders and the CRL addresses of a path for what revocation is judged by, the leaf's
// alone or those of all. What gives nothing is noted.
// A CRL is fetched where no responder knows the answer.
func fetchRevocation(ctx context.Context, f *outside.Fetcher, path []*x509.Certificate, o *pki.RevocationOptions, now time.Time) (notes []string) {
	for i, c := range path {
		if i+1 == len(path) || i > 0 && !o.WholeChain {
			break
		}
		answered := false
		for _, url := range c.OCSPServer {
			der, err := askOCSP(ctx, f, url, c, path[i+1])
			if err != nil {
				notes = append(notes, "asking for the status: "+pki.Printable(err.Error()))
				continue
			}
			o.OCSP = append(o.OCSP, der)
			if answered = decides(path[i:], der, now); answered {
				break
			}
		}
		if answered {
			continue
		}
		for _, url := range c.CRLDistributionPoints {
			if !strings.HasPrefix(url, "http") {
				continue
			}
			l, err := fetchCRL(ctx, f, url)
			if err != nil {
				notes = append(notes, "fetching a CRL: "+pki.Printable(err.Error()))
				continue
			}
			o.CRLs = append(o.CRLs, l)
		}
	}
	return notes
}

// decides reports whether an OCSP response says good or revoked of the first certificate of a path.
func decides(path []*x509.Certificate, response []byte, now time.Time) bool {
	results := pki.JudgeRevocation(path, pki.RevocationOptions{Mode: pki.RevocationSoft, OCSP: [][]byte{response}}, now)
	return len(results) > 0 && (results[0].Status == pki.RevocationGood || results[0].Status == pki.RevocationRevoked)
}

func fetchCRL(ctx context.Context, f *outside.Fetcher, url string) (*crl.List, error) {
	der, err := f.CRL(ctx, url)
	if err != nil {
		return nil, err
	}
	l, err := crl.Parse(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	return l, nil
}

// askOCSP asks a responder about one certificate.
func askOCSP(ctx context.Context, f *outside.Fetcher, url string, c, issuer *x509.Certificate) ([]byte, error) {
	// SHA-1 names, and nothing more; responders that know another hash are few (RFC 5019, Section 2.1.1).
	id, err := ocsp.NewCertID(c.SerialNumber.Bytes(), issuer, crypto.SHA1)
	if err != nil {
		return nil, err
	}
	request, err := ocsp.CreateRequest([]ocsp.CertID{id}, nil)
	if err != nil {
		return nil, err
	}
	return f.OCSP(ctx, url, request)
}
