package scan

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/legacy"
	"github.com/tlswright/tlswright/wire"
)

// The family of padding oracles of TLS 1.0 to 1.2 with CBC (Vaudenay 2002; Langley 2014; Young, Black Hat Asia 2019; Merget et
// al., USENIX Security 2019). Each has a file of its own that says what is concluded; here is what they have in common.
//
// Sent: after a finished handshake, a request in one record that is damaged in one way; every way on a connection of its
// own. Nothing of the server's comes to harm: it loses a connection that is ours.

// The ways of damage. A "long" padding is of several blocks, so that its first byte is not in the last block.
const (
	wrongMAC         = "wrong MAC, right padding"
	wrongFirst       = "right MAC, first byte of the padding wrong"
	wrongLast        = "right MAC, last byte of the padding wrong"
	wrongBoth        = "wrong MAC, wrong padding"
	emptyWrongMAC    = "no content, wrong MAC"
	emptyWrongPad    = "no content, wrong padding"
	nothingButPad    = "nothing but padding"
	undamaged        = "nothing wrong"
	longPaddingExtra = 3 // blocks
)

// damage gives the hand for a way of damage. blockLen is the cipher's.
func damage(way string, blockLen int) func(*legacy.Parts) {
	lengthen := func(p *legacy.Parts) {
		n := len(p.Padding) + longPaddingExtra*blockLen
		p.Padding = bytes.Repeat([]byte{byte(n - 1)}, n)
	}
	return func(p *legacy.Parts) {
		lengthen(p)
		n := len(p.Padding)
		switch way {
		case wrongMAC, emptyWrongMAC:
			p.MAC[0] ^= 0xff
		case wrongFirst, emptyWrongPad:
			p.Padding[0] ^= 0xff
		case wrongLast:
			p.Padding[n-2] ^= 0xff
		case wrongBoth:
			p.MAC[0] ^= 0xff
			p.Padding[0] ^= 0xff
		case nothingButPad:
			// As much as is checked for before the padding is known: a MAC and a byte, in whole blocks.
			n = (len(p.MAC)/blockLen + 2) * blockLen
			p.Content, p.MAC, p.Padding = nil, nil, bytes.Repeat([]byte{byte(n - 1)}, n)
		}
	}
}

// cbcOracle asks a server about damaged records in one version, with one suite.
type cbcOracle struct {
	oracle
	offer *offer
	suite *legacy.Suite
}

// newCBCOracle chooses the suite: AES first, for some flaws are in its code alone.
func (h *host) newCBCOracle(v wire.Version, less func(a, b *legacy.Suite) bool) *cbcOracle {
	o := h.finishable(v, func(s *legacy.Suite) bool { return s.Mode == legacy.ModeCBC })
	if o == nil {
		return nil
	}
	ids := withoutSignals(o.Suites)
	slices.SortStableFunc(ids, func(a, b wire.CipherSuite) int {
		x, _ := legacy.ByID(a)
		y, _ := legacy.ByID(b)
		switch {
		case less(x, y):
			return -1
		case less(y, x):
			return 1
		}
		return 0
	})
	o.Suites = ids[:1]
	q := &cbcOracle{offer: o}
	q.suite, _ = legacy.ByID(ids[0])
	q.h = h
	q.ask = q.connect
	return q
}

// connect finishes a handshake, sends the damaged record and looks what comes.
func (q *cbcOracle) connect(ctx context.Context, way string, patience time.Duration) (reaction, error) {
	s, err := q.h.finish12(ctx, q.offer, nil)
	if err != nil {
		return reaction{}, err
	}
	defer s.link.Close()
	content := plainRequest(q.h.target.name())
	if way == emptyWrongMAC || way == emptyWrongPad {
		content = nil
	}
	if err := s.step(); err != nil {
		return reaction{}, err
	}
	if err := s.sendDamaged(content, damage(way, q.suite.BlockLen)); err != nil {
		return reaction{}, err
	}
	began := time.Now()
	r, err := s.react(patience, s.record)
	q.took(time.Since(began), r)
	if err != nil || !r.Open || len(r.Alerts) > 0 || r.Data || r.Other != "" {
		return r, err
	}
	// Nothing: either the record was taken and the application waits for more, or the server is stuck. A goodbye tells.
	if err := s.step(); err != nil {
		return r, err
	}
	if err := s.send(wire.ContentAlert, wire.Alert{Level: wire.AlertLevelWarning, Code: wire.AlertCloseNotify}.Append(nil)); err != nil && !connectionReset(err) {
		return r, err
	}
	after, err := s.react(patience, s.record)
	r.Farewell = &after
	return r, err
}

// where says in what the questions were asked.
func (q *cbcOracle) where() string {
	return fmt.Sprintf("%v with %v", q.offer.Version, q.offer.Suites[0])
}

// aesFirst prefers AES, and then SHA-1 before longer MACs.
func aesFirst(a, b *legacy.Suite) bool {
	if (a.Encryption == "AES") != (b.Encryption == "AES") {
		return a.Encryption == "AES"
	}
	return a.MACLen() < b.MACLen()
}

// aesLast prefers what is not AES: another piece of code.
func aesLast(a, b *legacy.Suite) bool { return a.Encryption != "AES" && b.Encryption == "AES" }

// cbcAttacks are the attacks of the family, in the order in which they are judged.
func cbcAttacks() []attack {
	return []attack{poodleTLS, zombiePOODLE, goldendoodle, sleepingPOODLE, zeroLength, cve20162107}
}

// probeCBC asks in the highest version with CBC below TLS 1.3, and a few questions in the lowest, too.
func probeCBC(ctx context.Context, h *host) {
	var versions []wire.Version
	for _, v := range h.versions() {
		if v >= wire.VersionTLS10 && v <= wire.VersionTLS12 && slices.ContainsFunc(h.suites(v), h.isCBC) {
			versions = append(versions, v)
		}
	}
	if len(versions) == 0 {
		h.withoutCBC()
		return
	}
	verdicts, err := h.judgeCBC(ctx, versions[len(versions)-1], aesFirst, true)
	if err == nil && len(versions) > 1 && !slices.ContainsFunc(verdicts, func(v grade.Vulnerability) bool { return v.Verdict != grade.NotVulnerable }) {
		lowest, err := h.judgeCBC(ctx, versions[0], aesLast, false)
		h.gap("padding oracles in "+versions[0].String(), err)
		for i, v := range lowest {
			if v.Verdict == grade.Vulnerable {
				verdicts[i] = v
			}
		}
	}
	if err != nil {
		h.gap("padding oracles", err)
		verdicts = verdicts[:0]
		for _, a := range cbcAttacks() {
			verdicts = append(verdicts, a.unknown("The server could not be asked: "+reasonOf(err)+"."))
		}
	}
	for _, v := range verdicts {
		h.verdict(v)
	}
}

// withoutCBC is the verdict where there is nothing to ask.
func (h *host) withoutCBC() {
	sure := h.surelyWithout(wire.VersionTLS10)
	for _, a := range cbcAttacks() {
		if sure {
			h.verdict(a.is(grade.NotApplicable, "No CBC suite is offered in TLS 1.0 to 1.2."))
		} else {
			h.verdict(a.unknown("No CBC suite was seen, but not all suites could be asked about."))
		}
	}
}

// isCBC reports whether records of a suite are padded.
func (h *host) isCBC(id wire.CipherSuite) bool {
	s, ok := legacy.ByID(id)
	return ok && s.Mode == legacy.ModeCBC
}

// judgeCBC asks in one version and gives the verdicts in the order of cbcAttacks. whole: all questions; else those about MAC
// and padding alone.
func (h *host) judgeCBC(ctx context.Context, v wire.Version, less func(a, b *legacy.Suite) bool, whole bool) ([]grade.Vulnerability, error) {
	q := h.newCBCOracle(v, less)
	if q == nil {
		return nil, errUnfinishable
	}
	ways := []string{wrongMAC, wrongFirst, wrongBoth}
	if whole {
		ways = append(ways, wrongLast, emptyWrongMAC, emptyWrongPad)
		if q.suite.Encryption == "AES" {
			ways = append(ways, nothingButPad)
		}
	}
	if err := q.all(ctx, ways...); err != nil {
		return nil, err
	}
	var verdicts []grade.Vulnerability
	for _, judge := range []func(context.Context, *cbcOracle) (grade.Vulnerability, error){judgePOODLETLS, judgeZombie, judgeGoldendoodle, judgeSleeping, judgeZeroLength, judge20162107} {
		verdict, err := judge(ctx, q)
		if err != nil {
			return nil, err
		}
		verdicts = append(verdicts, verdict)
	}
	return verdicts, nil
}

// confirmed gives the verdict about a difference: it counts when it stays.
func (q *cbcOracle) confirmed(ctx context.Context, a attack, text string, ways ...string) (grade.Vulnerability, error) {
	steady, err := q.steady(ctx, ways...)
	if err != nil {
		return grade.Vulnerability{}, err
	}
	if !steady {
		return a.is(grade.Inconclusive, "In "+q.where()+" the server reacts now so, now otherwise: nothing can be concluded.", q.evidence(ways...)...), nil
	}
	return a.is(grade.Vulnerable, "In "+q.where()+" "+text, q.evidence(ways...)...), nil
}

// healthy is the verdict where two reactions cannot be told apart.
func (q *cbcOracle) healthy(a attack, way string) (grade.Vulnerability, error) {
	return a.is(grade.NotVulnerable, "In "+q.where()+" all damaged records get the same answer: "+q.seen[way].String()+"."), nil
}
