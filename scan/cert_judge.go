package scan

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/resolve"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/pki/crl"
	"github.com/tlswright/tlswright/pki/ct"
)

// judge says what chains are worth, for all hosts of a scanner. It remembers certificates and verdicts, so that a
// fleet with one certificate costs one judgement.
type judge struct {
	stores   []Store
	logs     *ct.LogList
	quick    bool
	weak     *WeakKeys         // nil: no list
	fetcher  *fetch.Fetcher    // nil: offline
	resolver *resolve.Resolver // nil: offline
	timeout  time.Duration
	deaf     atomic.Int64 // Unix time in seconds until which the DNS server is not asked, for it does not answer

	certs    certificates
	verdicts memory[[sha256.Size]byte, *judgedChain]
	anchors  memory[[sha256.Size]byte, *anchor]
	lists    memory[string, *crl.List]
	zones    memory[string, *zoneFacts]
}

// newJudge makes the judge of a scanner with these options, defaults filled in. Where they name a DNS server, it becomes the
// one that finds addresses, too.
func newJudge(o *Options) *judge {
	j := &judge{stores: sortedStores(o.Stores), logs: o.CT, quick: o.Quick, weak: o.WeakKeys, timeout: o.Timeout}
	j.lists.limit = maxListsKept
	resolver := resolve.New(resolve.Options{Server: o.Resolver, Timeout: o.Timeout / 2})
	if o.LookUp == nil && o.Resolver != "" {
		o.LookUp = resolver.Addresses
	}
	if !o.Offline && !o.Quick {
		j.fetcher = fetch.New(fetch.Options{AllowPrivate: o.AllowPrivate, Timeout: j.timeout, Now: o.Now, LookUp: o.LookUp})
		j.resolver = resolver
	}
	return j
}

// sortedStores takes the intermediates out of the roots of each store.
func sortedStores(stores []Store) []Store {
	sorted := make([]Store, 0, len(stores))
	for _, s := range stores {
		names := make(map[string][]*x509.Certificate, len(s.Roots))
		for _, r := range s.Roots {
			names[string(r.RawSubject)] = append(names[string(r.RawSubject)], r)
		}
		isBelow := func(c *x509.Certificate) bool {
			return !bytes.Equal(c.RawSubject, c.RawIssuer) && slices.ContainsFunc(names[string(c.RawIssuer)], func(r *x509.Certificate) bool {
				return cert.CheckSignatureFrom(c, r) == nil
			})
		}
		for _, c := range s.Roots {
			if isBelow(c) {
				s.Intermediates = append(slices.Clip(s.Intermediates), c)
			}
		}
		s.Roots = slices.DeleteFunc(slices.Clone(s.Roots), isBelow)
		sorted = append(sorted, s)
	}
	return sorted
}

// memory remembers answers by their questions, up to a bound: two generations, so that what is used stays. The zero value is
// ready.
type memory[K comparable, V any] struct {
	mu       sync.Mutex
	new, old map[K]V
	limit    int // of a generation; 0: maxRemembered
}

// What is remembered at most. What is larger than usual is judged each time, so that servers cannot fill the memory.
const (
	maxRemembered = 512      // answers of a generation
	maxChainKept  = 64 << 10 // bytes of a chain
	maxCertKept   = 16 << 10 // bytes of a certificate
	maxListKept   = 1 << 20  // bytes of a CRL
	maxListsKept  = 64       // CRLs of a generation
	maxKnown      = 1024     // certificates of a generation
	maxBesideKept = 16 << 10 // bytes of staple and timestamps together
)

func (m *memory[K, V]) recall(key K) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.new[key]
	if !ok {
		if v, ok = m.old[key]; ok {
			m.put(key, v)
		}
	}
	return v, ok
}

func (m *memory[K, V]) remember(key K, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(key, v)
}

func (m *memory[K, V]) put(key K, v V) {
	limit := m.limit
	if limit == 0 {
		limit = maxRemembered
	}
	if m.new == nil || len(m.new) >= limit {
		m.old, m.new = m.new, make(map[K]V)
	}
	m.new[key] = v
}

// judgedChain is a chain with all that was found out about it. It does not change any more.
type judgedChain struct {
	facts grade.Chain
	certs []*knownCert
	path  []*x509.Certificate // leaf first; up to a root if the chain is trusted
	// issuer of the leaf, as far as it is known; nil: it is not.
	issuer *x509.Certificate
	gaps   []grade.Gap
}

// maxSent is how many certificates of a chain are looked at.
const maxSent = 64

// chainQuestion is all that a judgement depends on, beside the judge.
type chainQuestion struct {
	sent *sentChain
	name string // the DNS name or address that the leaf must be for
	now  time.Time
}

// key names a question: the same within a minute.
func (q *chainQuestion) key() [sha256.Size]byte {
	h := sha256.New()
	part := func(b []byte) {
		h.Write([]byte{byte(len(b) >> 16), byte(len(b) >> 8), byte(len(b))})
		h.Write(b)
	}
	part([]byte(q.name))
	part([]byte(q.now.UTC().Format("200601021504")))
	part(q.sent.Staple)
	part(q.sent.SCTs)
	for _, der := range q.sent.DER {
		part(der)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// isUsual reports whether a question is of a size that is worth remembering.
func (q *chainQuestion) isUsual() bool {
	size := 0
	for _, der := range q.sent.DER {
		size += len(der)
	}
	return size <= maxChainKept && len(q.sent.Staple)+len(q.sent.SCTs) <= maxBesideKept
}

// chain judges a chain, or remembers the judgement.
func (j *judge) chain(ctx context.Context, q chainQuestion) *judgedChain {
	key := q.key()
	c, ok := j.verdicts.recall(key)
	if !ok {
		c = j.judgeAnew(ctx, q)
		if ctx.Err() == nil && q.isUsual() { // else something may have been left out
			j.verdicts.remember(key, c)
		}
	}
	mine := *c
	mine.facts.SNI, mine.facts.Seen = q.sent.SNI, slices.Clone(q.sent.Versions)
	return &mine
}

// judgeAnew asks everything about a chain.
func (j *judge) judgeAnew(ctx context.Context, q chainQuestion) *judgedChain {
	c := new(judgedChain)
	f := &c.facts
	f.VerifiedAt = q.now
	for _, der := range q.sent.DER[:min(len(q.sent.DER), maxSent)] {
		k := j.certs.of(der)
		c.certs = append(c.certs, k)
		facts := k.facts
		listed, why := j.weak.look(k)
		facts.KeyListed = listed
		if facts.WeakKey == "" {
			facts.WeakKey = why
		}
		f.Sent = append(f.Sent, facts)
	}
	f.Trusted, f.Complete, f.NameMatches = grade.Unknown, grade.Unknown, grade.Unknown
	if len(c.certs) == 0 {
		return c
	}
	leaf := c.certs[0]
	f.KeyType = q.sent.KeyType
	if leaf.view != nil {
		if f.KeyType == "" {
			f.KeyType = keyOf(leaf.view).kind
		}
		names, _ := leaf.view.AltNames()
		f.NameMatches = grade.AnswerOf(matchesHost(names, q.name))
		if f.NameMatches == grade.No {
			f.NameOnlyCN = onlyCommonName(leaf.view, names, q.name)
			f.Suggestion = suggestion(names, q.name)
		}
		f.SelfSigned = leaf.facts.IsSelfSigned
	}
	if !j.quick || !j.trustQuickly(&q, c) {
		j.judgeTrust(ctx, q, c)
	}
	for _, p := range c.path {
		if k := j.certs.of(p.Raw); !slices.ContainsFunc(c.certs, func(sent *knownCert) bool { return sent.sum == k.sum }) {
			f.Unsent = append(f.Unsent, k.facts)
		}
	}
	f.Staple = stapleFacts(q.sent.Staple, c, q.now)
	j.judgeTimestamps(q, c)
	if !j.quick {
		j.judgeRevocation(ctx, q, c)
		f.Lint = lintChain(c)
	}
	return c
}

// gap notes what could not be found out.
func (c *judgedChain) gap(probe, reason string) {
	g := grade.Gap{Probe: probe, Reason: shortened(reason, 200)}
	if len(c.gaps) < 20 && !slices.Contains(c.gaps, g) {
		c.gaps = append(c.gaps, g)
	}
}
