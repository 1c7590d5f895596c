package cli

import (
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/estate"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
)

// publicationFlags say where clients find what the CA publishes.
type publicationFlags struct {
	crl, delta, ocsp, issuer []string
	shards                   int
}

// publicationReport is where a CA publishes, in --json.
type publicationReport struct {
	CRL    []string `json:"crl"`
	Delta  []string `json:"delta"`
	OCSP   []string `json:"ocsp"`
	Issuer []string `json:"issuer"`
	Shards int      `json:"crl_shards"` // 1: the CRL is one
}

func newPublicationReport(p authority.Publication) publicationReport {
	return publicationReport{CRL: orEmpty(p.CRL), Delta: orEmpty(p.Delta), OCSP: orEmpty(p.OCSP), Issuer: orEmpty(p.Issuer), Shards: max(p.Shards, 1)}
}

func (f *publicationFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.crl, "crl-url", nil, "the CRL will be found at these `URLS`; {shard} stands for the number of the part")
	flags.StringSliceVar(&f.delta, "delta-url", nil, "delta CRLs will be found at these `URLS`")
	flags.StringSliceVar(&f.ocsp, "ocsp-url", nil, "an OCSP responder will be found at these `URLS`")
	flags.StringSliceVar(&f.issuer, "issuer-url", nil, "the certificate of the intermediate (DER) will be found at these `URLS`")
	flags.IntVar(&f.shards, "crl-shards", 1, "split the CRL into `N` parts")
}

func (f *publicationFlags) isSet() bool {
	return len(f.crl)+len(f.delta)+len(f.ocsp)+len(f.issuer) > 0 || f.shards > 1
}

// maxShards is how many parts a CRL may have here; the authority allows more, but nobody wants to publish them by hand.
const maxShards = 1024

// publication lays the flags over what was published so far.
func (f *publicationFlags) publication(cmd *cobra.Command, p authority.Publication) (authority.Publication, error) {
	for _, part := range []struct {
		flag string
		urls []string
		to   *[]string
	}{{"crl-url", f.crl, &p.CRL}, {"delta-url", f.delta, &p.Delta}, {"ocsp-url", f.ocsp, &p.OCSP}, {"issuer-url", f.issuer, &p.Issuer}} {
		if !cmd.Flags().Changed(part.flag) {
			continue
		}
		*part.to = part.urls
		for _, text := range part.urls {
			if err := f.check(cmd, part.flag, text); err != nil {
				return p, err
			}
		}
	}
	if f.shards < 1 || f.shards > maxShards {
		return p, usagef(cmd, "--crl-shards %d is no number of parts (1 to %d)", f.shards, maxShards)
	}
	if f.shards > 1 {
		if p.Shards = f.shards; len(p.CRL) == 0 {
			return p, usagef(cmd, "--crl-shards needs --crl-url: each part of a CRL must say where it is found")
		}
	}
	return p, nil
}

// check refuses a URL that no client would follow.
func (f *publicationFlags) check(cmd *cobra.Command, flag, text string) error {
	u, err := url.Parse(strings.NewReplacer("{shard}", "0", estate.IssuerMark, keystore.DefaultIntermediate).Replace(text))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		bad := usagef(cmd, "--%s %q is no URL that clients fetch", flag, pki.Printable(text))
		bad.hint = "write it like http://ca.example.com/ca.crl"
		return bad
	}
	isList := flag == "crl-url" || flag == "delta-url"
	switch marked := strings.Contains(text, "{shard}"); {
	case isList && f.shards > 1 && !marked:
		bad := usagef(cmd, "--%s %s is the same for all parts of the CRL", flag, pki.Printable(text))
		bad.hint = "put {shard} where the number of the part belongs"
		return bad
	case marked && (!isList || f.shards <= 1):
		return usagef(cmd, "--%s %s names a part of the CRL, which has none there (see --crl-shards)", flag, pki.Printable(text))
	}
	return nil
}
