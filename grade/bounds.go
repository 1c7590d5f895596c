package grade

// Bounds on what is judged of facts: a scan stays far below them, a file that somebody made up may not.
const (
	maxProtocols = 16
	maxSuites    = 1000 // of one version
	maxChains    = 32
	maxSent      = 64 // certificates of one chain
	maxRows      = 500
)

// bounded returns facts that are small enough to be judged in a moment: the same if they are, else a copy with the lists cut
// short.
func bounded(f *Facts) *Facts {
	if isBounded(f) {
		return f
	}
	c := *f
	c.Protocols = append([]Protocol(nil), cut(f.Protocols, maxProtocols)...)
	for i := range c.Protocols {
		c.Protocols[i].Suites = cut(c.Protocols[i].Suites, maxSuites)
	}
	c.Chains = append([]Chain(nil), cut(f.Chains, maxChains)...)
	for i := range c.Chains {
		x := &c.Chains[i]
		x.Sent, x.Path, x.Checks, x.Trust = cut(x.Sent, maxSent), cut(x.Path, maxSent), cut(x.Checks, maxRows), cut(x.Trust, maxSent)
		x.SCTs, x.Lint = cut(x.SCTs, maxRows), cut(x.Lint, maxRows)
	}
	c.SSL2Kinds, c.Groups, c.DH, c.Gaps = cut(f.SSL2Kinds, maxRows), cut(f.Groups, maxRows), cut(f.DH, maxRows), cut(f.Gaps, maxRows)
	c.Vulnerabilities, c.Simulations = cut(f.Vulnerabilities, maxRows), cut(f.Simulations, maxRows)
	c.Features.Tolerance = cut(f.Features.Tolerance, maxRows)
	if f.HTTP != nil {
		h := *f.HTTP
		h.Headers, h.Cookies, h.Redirects, h.Followed = cut(h.Headers, maxRows), cut(h.Cookies, maxRows), cut(h.Redirects, maxSent), cut(h.Followed, maxSent)
		c.HTTP = &h
	}
	if f.DNS != nil {
		d := *f.DNS
		d.CAA, d.TLSA = cut(d.CAA, maxRows), cut(d.TLSA, maxRows)
		c.DNS = &d
	}
	return &c
}

// cut returns at most the first so many entries of a list.
func cut[T any](list []T, most int) []T {
	if len(list) <= most {
		return list
	}
	return list[:most:most]
}

// isBounded reports whether facts are as a scan makes them.
func isBounded(f *Facts) bool {
	ok := len(f.Protocols) <= maxProtocols && len(f.Chains) <= maxChains && len(f.Features.Tolerance) <= maxRows &&
		max(len(f.SSL2Kinds), len(f.Groups), len(f.DH), len(f.Gaps), len(f.Vulnerabilities), len(f.Simulations)) <= maxRows
	for i := 0; ok && i < len(f.Protocols); i++ {
		ok = len(f.Protocols[i].Suites) <= maxSuites
	}
	for i := 0; ok && i < len(f.Chains); i++ {
		c := &f.Chains[i]
		ok = max(len(c.Sent), len(c.Path), len(c.Trust)) <= maxSent && max(len(c.Checks), len(c.SCTs), len(c.Lint)) <= maxRows
	}
	if ok && f.HTTP != nil {
		ok = max(len(f.HTTP.Headers), len(f.HTTP.Cookies)) <= maxRows && max(len(f.HTTP.Redirects), len(f.HTTP.Followed)) <= maxSent
	}
	if ok && f.DNS != nil {
		ok = max(len(f.DNS.CAA), len(f.DNS.TLSA)) <= maxRows
	}
	return ok
}
