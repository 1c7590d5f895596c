package grade

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/ciphers"
	"github.com/tlswright/tlswright/wire"
)

// subject is the facts as the rules want to see them: suites taken apart, the chains that count, the reference clients.
type subject struct {
	f       *Facts
	options Options
	now     time.Time
	used    []usedSuite // every suite of every version
	kinds   []ssl2Kind
	chains  []*Chain // those that a client gets who names the server
	clients []meeting
	// modelled says that clients come from a model of ours, because nobody sent the hellos of real ones.
	modelled bool
	score    scores
}

// usedSuite is a suite in one version.
type usedSuite struct {
	version wire.Version
	place   int // in the version's list
	suite   *Suite
	parts   ciphers.Parts
}

// maxEvidence bounds the lines of evidence of one finding.
const maxEvidence = 12

func newSubject(f *Facts, o Options) *subject {
	f = bounded(f)
	s := &subject{f: f, options: o, now: f.Time}
	known := make(map[wire.CipherSuite]ciphers.Parts)
	for i := range f.Protocols {
		p := &f.Protocols[i]
		if p.Offered != Yes {
			continue
		}
		for j := range p.Suites {
			id := p.Suites[j].ID
			parts, ok := known[id]
			if !ok {
				if parts, ok = ciphers.Apart(id); !ok {
					continue
				}
				known[id] = parts
			}
			s.used = append(s.used, usedSuite{p.Version, j, &p.Suites[j], parts})
		}
	}
	if f.Offers(VersionSSL20) {
		for _, k := range f.SSL2Kinds {
			s.kinds = append(s.kinds, readKind(k))
		}
	}
	s.chains = chainsThatCount(f)
	if s.now.IsZero() && len(s.chains) > 0 {
		s.now = s.chains[0].VerifiedAt
	}
	s.meetClients()
	s.score = s.scores()
	return s
}

// chainsThatCount are the chains for clients that name the server; where there are none, all.
func chainsThatCount(f *Facts) []*Chain {
	var named, all []*Chain
	for i := range f.Chains {
		all = append(all, &f.Chains[i])
		if f.Chains[i].SNI {
			named = append(named, &f.Chains[i])
		}
	}
	if len(named) > 0 {
		return named
	}
	return all
}

// judgeable reports whether anything is known that a grade could be about.
func (s *subject) judgeable() bool {
	return slices.ContainsFunc(s.f.Protocols, func(p Protocol) bool { return p.Offered == Yes })
}

// refuses reports whether a version is known not to be offered.
func (s *subject) refuses(v wire.Version) bool {
	p := s.f.Protocol(v)
	return p != nil && p.Offered == No
}

// best is the highest version on offer; 0 if none is known.
func (s *subject) best() wire.Version {
	best := wire.Version(0)
	for i := range s.f.Protocols {
		if p := &s.f.Protocols[i]; p.Offered == Yes && p.Version > best {
			best = p.Version
		}
	}
	return best
}

// suitesThat collects the suites with a property, by name and with the versions in which they are taken.
func (s *subject) suitesThat(match func(*usedSuite) bool) []string {
	var order []wire.CipherSuite
	versions := make(map[wire.CipherSuite][]string)
	for i := range s.used {
		u := &s.used[i]
		if !match(u) {
			continue
		}
		id := u.parts.Suite
		if versions[id] == nil {
			order = append(order, id)
		}
		versions[id] = append(versions[id], versionName(u.version))
	}
	lines := make([]string, 0, len(order))
	for _, id := range order {
		lines = append(lines, fmt.Sprintf("%s (%s)", id, strings.Join(versions[id], ", ")))
	}
	return lines
}

// anySuite reports whether a suite with a property is taken in any version.
func (s *subject) anySuite(match func(*usedSuite) bool) bool {
	for i := range s.used {
		if match(&s.used[i]) {
			return true
		}
	}
	return false
}

// allSuites reports whether all suites have a property, and there is one.
func (s *subject) allSuites(match func(*usedSuite) bool) bool {
	return len(s.used) > 0 && !s.anySuite(func(u *usedSuite) bool { return !match(u) })
}

// proven reports whether a vulnerability has been proved.
func (s *subject) proven(id string) bool {
	v := s.f.Vulnerability(id)
	return v != nil && v.Verdict == Vulnerable
}

// leaves calls f with each certificate that the server shows, and its chain.
func (s *subject) leaves(f func(*Chain, *Certificate)) {
	for _, c := range s.chains {
		if leaf := c.Leaf(); leaf != nil {
			f(c, leaf)
		}
	}
}

// isHTTP reports whether the server answered a request.
func (s *subject) isHTTP() bool {
	return s.f.HTTP != nil && s.f.HTTP.Problem == "" && s.f.HTTP.Status != 0
}

// isWeb reports whether the service should speak HTTP: TLS from the first byte, and no port that is known for another
// protocol.
func (s *subject) isWeb() bool {
	if s.f.StartTLS != "" {
		return false
	}
	return s.isHTTP() || !slices.Contains(otherPorts[:], s.f.Port)
}

// otherPorts are registered for protocols other than HTTP that begin with TLS: mail, news, directories, DNS, file transfer,
// telephony, chat, queues, syslog.
var otherPorts = [...]int{465, 563, 636, 853, 989, 990, 992, 993, 994, 995, 2083, 3269, 5061, 5223, 5671, 6514, 6697, 8883}

// versionName names a version, SSL 2.0 included.
func versionName(v wire.Version) string {
	if v == VersionSSL20 {
		return "SSL 2.0"
	}
	return v.String()
}

// several joins the first lines of a list to a sentence's part: "a, b and 3 more".
func several(lines []string, most int) string {
	if len(lines) <= most {
		return strings.Join(lines, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(lines[:most], ", "), len(lines)-most)
}

// count says a number of things: "1 suite", "3 suites".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
