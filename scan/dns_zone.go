package scan

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/resolve"
)

// zoneFacts is what the DNS says about a target, the same for all its addresses.
type zoneFacts struct {
	name      string // that was asked about
	caa       []resolve.CAA
	at        string
	tlsa      []resolve.TLSA
	tlsaValid bool // the resolver vouches for them
	services  []resolve.Service
	authentic grade.Answer
	mtaSTS    string
	addresses []netip.Addr
	problems  []string
	gaps      []grade.Gap
	silent    bool // not one question was answered
}

// worthAsking reports whether the public DNS can know a name: not those of RFC 6761, RFC 6762 and RFC 8375, and none of one
// label.
func worthAsking(name string) bool {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if !strings.Contains(name, ".") {
		return false
	}
	for _, special := range []string{".test", ".invalid", ".example", ".localhost", ".local", ".internal", ".home.arpa", ".onion"} {
		if strings.HasSuffix(name, special) {
			return false
		}
	}
	return true
}

// zone asks the DNS about a target, or remembers the answer; nil: there is nothing to ask, or nobody.
func (j *judge) zone(ctx context.Context, h *host) *zoneFacts {
	name := h.target.name()
	if j.resolver == nil || name == "" || h.o.Resolver == "" && !worthAsking(name) {
		return nil
	}
	key := name + " " + h.target.String()
	if z, ok := j.zones.recall(key); ok {
		return z
	}
	if h.o.Now().Unix() < j.deaf.Load() {
		return &zoneFacts{name: name, authentic: grade.Unknown, gaps: []grade.Gap{{Probe: "names in the DNS", Reason: "the DNS server does not answer"}}}
	}
	asking, cancel := context.WithTimeout(ctx, h.o.Timeout)
	defer cancel()
	z := j.askZone(asking, h, name)
	switch {
	case ctx.Err() != nil:
	case z.silent:
		j.deaf.Store(h.o.Now().Add(deafFor).Unix())
	default:
		j.zones.remember(key, z)
	}
	return z
}

// deafFor is how long a DNS server is left alone that answers nothing: a fleet would wait for it with every host.
const deafFor = time.Minute

// askZone asks all questions about a name at once.
func (j *judge) askZone(ctx context.Context, h *host, name string) *zoneFacts {
	z := &zoneFacts{name: name}
	var mu sync.Mutex
	var wg sync.WaitGroup
	ask := func(what string, question func() error) {
		wg.Go(func() {
			if err := question(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				z.gaps = append(z.gaps, grade.Gap{Probe: what, Reason: reasonOf(err)})
			}
		})
	}
	vouched := make([]grade.Answer, 3)
	ask("CAA records", func() error {
		records, at, authentic, err := j.resolver.AuthenticCAA(ctx, name)
		if err == nil {
			z.caa, z.at, vouched[0] = records, at, grade.AnswerOf(authentic)
		}
		return err
	})
	ask("TLSA records", func() error {
		records, authentic, err := j.resolver.TLSA(ctx, h.target.Port, "tcp", name)
		if err == nil {
			z.tlsa, z.tlsaValid, vouched[1] = records, authentic, grade.AnswerOf(authentic)
		}
		return err
	})
	if h.speaksHTTP() {
		ask("HTTPS records", func() error {
			services, authentic, err := j.resolver.HTTPS(ctx, name, h.target.Port)
			if err == nil {
				z.services, vouched[2] = services, grade.AnswerOf(authentic)
			}
			return err
		})
	}
	ask("addresses", func() error {
		var err error
		z.addresses, err = h.scanner.lookUp(ctx, h.target.Host)
		return err
	})
	if h.target.StartTLS == "smtp" {
		ask("MTA-STS", func() error { return j.askMTASTS(ctx, h, z) })
	}
	wg.Wait()
	slices.SortFunc(z.gaps, func(a, b grade.Gap) int { return strings.Compare(a.Probe, b.Probe) })
	z.silent = vouched[0] == "" && vouched[1] == "" && vouched[2] == ""
	for _, v := range vouched {
		if z.authentic == "" || v == grade.No {
			z.authentic = v
		}
	}
	if z.authentic == "" {
		z.authentic = grade.Unknown
	}
	return z
}

// probeNames asks the DNS, and holds the answers against the certificates.
func probeNames(ctx context.Context, h *host) {
	j := h.scanner.judge
	z := j.zone(ctx, h)
	if z == nil || h.await(ctx, probeNameCertificates) != nil {
		return
	}
	chains := h.facts().Chains
	d := &grade.DNS{Authentic: z.authentic, CAAAt: z.at, MTASTS: z.mtaSTS, Problems: z.problems}
	for _, r := range z.caa {
		d.CAA = append(d.CAA, grade.CAA{Critical: r.Critical, Tag: shortened(r.Tag, 100), Value: shortened(r.Value, maxText)})
	}
	d.CAAAllows = caaAllows(z.caa, chains)
	for _, t := range z.tlsa {
		d.TLSA = append(d.TLSA, tlsaFact(t, chains))
	}
	if len(z.tlsa) > 0 && !z.tlsaValid {
		// RFC 6698, Section 4.1: records that are not secure by DNSSEC must not be used.
		d.Problems = append(d.Problems, "the TLSA records count for nothing, for DNSSEC does not protect them")
	}
	for i, s := range z.services {
		d.ECH = d.ECH || len(s.ECH) > 0
		if i == 0 {
			for _, p := range s.ALPN {
				d.ALPN = append(d.ALPN, shortened(p, 100))
			}
		}
	}
	for _, a := range z.addresses[:min(len(z.addresses), 32)] {
		d.Addresses = append(d.Addresses, a.Unmap().String())
	}
	h.record(func(f *grade.Facts) {
		f.DNS = d
		if h.speaksHTTP() {
			f.Features.ECH = grade.AnswerOf(d.ECH)
		}
		f.Gaps = append(f.Gaps, z.gaps...)
	})
}

// tlsaFact holds one record against the chains: it matches if one of them fits.
func tlsaFact(t resolve.TLSA, chains []grade.Chain) grade.TLSA {
	f := grade.TLSA{Usage: t.Usage, Selector: t.Selector, Matching: t.Matching, Record: shortened(t.String(), 400), Matches: grade.No}
	if t.Usage > 3 || t.Selector > 1 || t.Matching > 2 {
		f.Matches, f.Text = grade.Unknown, "the record has a usage, selector or matching type that is not known"
		return f
	}
	f.Text = tlsaWords(t)
	if len(chains) == 0 {
		f.Matches = grade.Unknown
	}
	for i := range chains {
		if tlsaMatches(t, &chains[i]) {
			f.Matches = grade.Yes
		}
	}
	return f
}

// tlsaWords says what a record demands.
func tlsaWords(t resolve.TLSA) string {
	what := [...]string{"the certificate of a trusted CA", "the server's certificate, trusted besides", "the certificate of the domain's own CA", "the server's certificate, trusted by this alone"}[t.Usage]
	part := [...]string{"whole", "its public key"}[t.Selector]
	how := [...]string{"as it is", "by SHA-256", "by SHA-512"}[t.Matching]
	return what + ": " + part + ", " + how
}

// tlsaMatches holds a record against a chain (RFC 6698, Section 2.1): usages 1 and 3 are about the leaf, 0 and 2 about a CA;
// 0 and 1 ask for trust besides.
func tlsaMatches(t resolve.TLSA, c *grade.Chain) bool {
	if t.Usage <= 1 && c.Trusted != grade.Yes {
		return false
	}
	for i := range c.Sent {
		isLeaf := i == 0
		if isLeaf != (t.Usage == 1 || t.Usage == 3) {
			continue
		}
		if tlsaMatchesCert(t, c.Sent[i].DER) {
			return true
		}
	}
	return false
}

func tlsaMatchesCert(t resolve.TLSA, der []byte) bool {
	data := der
	if t.Selector == 1 {
		k := newKnownCert(der)
		if k.view == nil {
			return false
		}
		data = k.view.RawSPKI
	}
	switch t.Matching {
	case 1:
		sum := sha256.Sum256(data)
		data = sum[:]
	case 2:
		sum := sha512.Sum512(data)
		data = sum[:]
	}
	return string(data) == string(t.Data)
}
