package revset

import (
	"errors"
	"slices"
)

// block is the filter of one issuer.
type block struct {
	issuer  [32]byte
	revoked int
	total   int
	first   []ribbon // k columns
	second  ribbon
	seeds   [2]byte
}

// maxColumns bounds k.
const maxColumns = 32

// attempts is how often a level is tried with other hashes before it is given more room.
const attempts = 4

// The levels' salts are far apart; the seed goes in between.
func salt(level int, seed byte) uint64 { return uint64(level+1)<<32 | uint64(seed)<<8 }

// room is how many bits a ribbon for n keys needs. Measured: nearly all systems can be solved with it, and with half as many to
// spare the first level begins to let far too many pass, since where nothing is left free the solution is 0.
func room(n int) int { return n + n/64 + 8 }

// build makes the filter. revoked and valid have no member in common; revoked has none twice.
func build(issuer [32]byte, revoked, valid []digest) (*block, error) {
	b := &block{issuer: issuer, revoked: len(revoked), total: len(revoked) + len(valid)}
	if len(revoked) == 0 || len(valid) == 0 {
		return b, nil
	}
	return b, b.buildSecond(revoked, b.buildFirst(revoked, valid, columns(len(revoked), len(valid))))
}

// columns chooses k: the size of both levels together is smallest.
func columns(revoked, valid int) int {
	best, size := 0, revoked+valid
	for k := 1; k <= maxColumns; k++ {
		if s := k*room(revoked) + room(revoked+valid>>k); s < size {
			best, size = k, s
		}
	}
	return best
}

// buildFirst makes the filter that all revoked keys pass, and gives the others that do. Its equations cannot contradict each
// other; but should many more pass than expected, other hashes are tried.
func (b *block) buildFirst(revoked, valid []digest, k int) (passed []digest) {
	if k == 0 {
		return valid
	}
	m := room(len(revoked))
	expected := len(valid) >> k
	for attempt := range attempts {
		try := block{seeds: [2]byte{byte(attempt), 0}}
		s := newSystem(m)
		for i := range revoked {
			s.add(equationFor(&revoked[i], m, salt(0, try.seeds[0])), false)
		}
		for c := range k {
			try.first = append(try.first, s.solve(uint64(c+1)<<48))
		}
		var through []digest
		for i := range valid {
			if try.passes(&valid[i]) {
				through = append(through, valid[i])
			}
		}
		if attempt == 0 || len(through) < len(passed) {
			b.first, b.seeds[0], passed = try.first, try.seeds[0], through
		}
		if len(passed) <= expected+expected/8+30 {
			break
		}
	}
	return passed
}

// passes asks the first level.
func (b *block) passes(d *digest) bool {
	if len(b.first) == 0 {
		return true
	}
	e := equationFor(d, b.first[0].m, salt(0, b.seeds[0]))
	for i := range b.first {
		if b.first[i].times(&e) != 0 {
			return false
		}
	}
	return true
}

var errUnsolvable = errors.New("no filter was found for these certificates")

// buildSecond makes the ribbon that tells revoked keys from those that only passed the first level.
func (b *block) buildSecond(revoked, passed []digest) error {
	n := len(revoked) + len(passed)
	m := room(n)
	for attempt := range 64 {
		b.seeds[1] = byte(attempt)
		if s := b.trySecond(revoked, passed, m); s != nil {
			b.second = s.solve(1 << 56)
			return nil
		}
		if attempt%attempts == attempts-1 {
			m += m/50 + 8
		}
	}
	return errUnsolvable
}

func (b *block) trySecond(revoked, passed []digest, m int) *system {
	s := newSystem(m)
	for level, keys := range [...][]digest{revoked, passed} {
		for i := range keys {
			if !s.add(equationFor(&keys[i], m, salt(1, b.seeds[1])), level == 0) {
				return nil
			}
		}
	}
	return s
}

// isRevoked asks both levels.
func (b *block) isRevoked(d *digest) bool {
	switch {
	case b.revoked == 0:
		return false
	case b.revoked == b.total:
		return true
	case !b.passes(d):
		return false
	}
	e := equationFor(d, b.second.m, salt(1, b.seeds[1]))
	return b.second.times(&e) == 1
}

// blockHeader is how many octets the format needs for one issuer beside the bits.
const blockHeader = 32 + 4 + 4 + 1 + 2*(4+1)

func (b *block) size() int {
	n := blockHeader + octets(b.second.m)
	for i := range b.first {
		n += octets(b.first[i].m)
	}
	return n
}

// sortDigests sorts and drops repetitions.
func sortDigests(list []digest) []digest {
	slices.SortFunc(list, func(a, b digest) int { return compareDigests(&a, &b) })
	return slices.Compact(list)
}
