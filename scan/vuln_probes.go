package scan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/ciphers"
	"github.com/tlswright/tlswright/wire"
)

// vulnerabilityProbes ask about known attacks. The first needs no connection: it judges what the other phases found.
func vulnerabilityProbes() []probe {
	return []probe{
		{name: "known attacks", phase: phaseAttacks, run: probeKnownAttacks},
		{name: "drown", phase: phaseAttacks, run: probeDROWN},
		{name: "heartbleed", phase: phaseAttacks, run: probeHeartbleed},
		{name: "ccs-injection", phase: phaseAttacks, run: probeCCSInjection},
		{name: "fallback-scsv", phase: phaseAttacks, run: probeFallback},
		{name: "starttls-injection", phase: phaseAttacks, run: probeStartTLSInjection},
		{name: "early-data-425", phase: phaseAttacks, run: probeEarlyData},
		{name: "opossum", phase: phaseAttacks, run: probeOpossum},
	}
}

// judges give the verdicts that follow from facts alone, one for each attack.
func judges() []func(*grade.Facts) grade.Vulnerability {
	return []func(*grade.Facts) grade.Vulnerability{
		judgePOODLE, judgeFREAK, judgeLogjam, judgeWeakDH, judgeSharedDH, judgeRaccoon, judgeSweet32, judgeBEAST,
		judgeCRIME, judgeBREACH, judgeLucky13, judgeRC4, judgeALPACA, judgeROCA, judgeDebianKey,
	}
}

func probeKnownAttacks(_ context.Context, h *host) {
	f := h.facts()
	f.DH = h.knowPrimes()
	for _, judge := range judges() {
		h.verdict(judge(f))
	}
}

// knowPrimes fills in what the numbers of Diffie-Hellman parameters tell, and gives a copy that nobody else writes to.
func (h *host) knowPrimes() []grade.DH {
	var sets []grade.DH
	h.record(func(f *grade.Facts) { sets = slices.Clone(f.DH) })
	for i := range sets {
		sets[i] = knowDH(sets[i]) // takes a while: not under the lock
	}
	h.record(func(f *grade.Facts) {
		for i := range min(len(sets), len(f.DH)) {
			d := &f.DH[i]
			d.Known, d.Safe, d.Composite = sets[i].Known, sets[i].Safe, sets[i].Composite
		}
	})
	return sets
}

// shortPatience is how long silence is listened to where it is an answer.
const shortPatience = time.Second

// flight makes a connection and reads the server's whole flight, up to where the attack begins; it tries again where the
// connection dies or stays silent. The caller closes the link. moment is how long to listen for silence on this
// connection: some round trips, and at most shortPatience.
func (h *host) flight(ctx context.Context, o *offer) (l *link, a *answer, moment time.Duration, err error) {
	o.Until = untilFlight
	backOff := firstBackOff
	for try := 1; ; try++ {
		if l, err = h.dial(ctx); err != nil {
			return nil, nil, 0, err
		}
		began := time.Now()
		a = l.exchange(o)
		if a.Outcome == accepted && a.Err == nil {
			const trips, least = 20, 200 * time.Millisecond
			return l, a, min(max(trips*time.Since(began), least), shortPatience), nil
		}
		l.Close()
		if a.Outcome == alerted || a.Outcome == notTLS || try == askTries {
			return nil, nil, 0, &refusedError{a}
		}
		if err := wait(ctx, backOff); err != nil {
			return nil, nil, 0, err
		}
		backOff *= 2
	}
}

// isTimeout reports that nothing came in time.
func isTimeout(err error) bool {
	var netErr net.Error
	return errors.As(err, &netErr) && netErr.Timeout()
}

// verdict records what was found out about an attack. The rows stand in the order of their identifiers, whichever probe
// came first.
func (h *host) verdict(v grade.Vulnerability) {
	h.record(func(f *grade.Facts) {
		at, _ := slices.BinarySearchFunc(f.Vulnerabilities, v, func(a, b grade.Vulnerability) int { return cmp.Compare(a.ID, b.ID) })
		f.Vulnerabilities = slices.Insert(slices.Clone(f.Vulnerabilities), at, v)
	})
}

// attack is what there is to know about an attack beforehand.
type attack struct {
	id, name string
	cve      []string
	url      string
}

// Bounds on evidence.
const (
	maxEvidenceRows  = 12
	maxEvidenceBytes = 200
)

// is makes the verdict about the attack.
func (a attack) is(v grade.Verdict, text string, evidence ...string) grade.Vulnerability {
	if n := len(evidence); n > maxEvidenceRows {
		evidence = append(slices.Clone(evidence[:maxEvidenceRows-1]), fmt.Sprintf("and %d more", n-maxEvidenceRows+1))
	}
	for i, e := range evidence {
		if len(e) > maxEvidenceBytes {
			evidence[i] = strings.ToValidUTF8(e[:maxEvidenceBytes-3], "") + "…"
		}
	}
	return grade.Vulnerability{ID: a.id, Name: a.name, Verdict: v, Text: text, Evidence: evidence, CVE: a.cve, URL: a.url}
}

// unknown is the verdict where a question got no answer.
func (a attack) unknown(why string) grade.Vulnerability { return a.is(grade.Inconclusive, why) }

// offering is which suites of a kind a server takes.
type offering struct {
	names []string // "TLS 1.0: TLS_RSA_WITH_RC4_128_SHA"
	any   bool     // one of the versions is offered at all
	sure  bool     // all these versions were asked about, and all their suites, to the end
}

// offered finds the suites of some versions that match.
func offered(f *grade.Facts, versions []wire.Version, match func(p ciphers.Parts) bool) offering {
	o := offering{sure: true}
	for _, v := range versions {
		p := f.Protocol(v)
		switch {
		case p == nil || p.Offered == grade.Unknown || p.Offered == grade.Unasked:
			o.sure = false
			continue
		case p.Offered != grade.Yes:
			continue
		}
		o.any = true
		o.sure = o.sure && p.Complete
		for _, s := range p.Suites {
			if parts, ok := ciphers.Apart(s.ID); ok && match(parts) {
				o.names = append(o.names, p.Name+": "+s.Name)
			}
		}
	}
	return o
}

// The versions that attacks are about.
var (
	versionSSL30 = []wire.Version{wire.VersionSSL30}
	versionsCBC1 = []wire.Version{wire.VersionSSL30, wire.VersionTLS10}
	versionsOld  = []wire.Version{wire.VersionSSL30, wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12}
)

// bySuites is the verdict about an attack that needs nothing but certain suites. what names them: "RC4 suites".
func (a attack) bySuites(o offering, found grade.Verdict, what, consequence string) grade.Vulnerability {
	switch {
	case len(o.names) > 0:
		return a.is(found, fmt.Sprintf("The server takes %s: %s.", what, consequence), o.names...)
	case !o.sure:
		return a.unknown("Not all versions and suites could be asked about, and among those that were there are no " + what + ".")
	case !o.any:
		return a.is(grade.NotApplicable, "None of the versions that the attack is about is offered.")
	}
	return a.is(grade.NotVulnerable, "The server takes no "+what+".")
}
