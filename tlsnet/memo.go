package tlsnet

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"slices"
	"sync"
	"time"
)

const (
	// memoGeneration is how many chains one of the two generations of a memo holds.
	memoGeneration = 512
	// memoChainBytes is how much DER a chain may have to be remembered; parsed it takes a few times as much.
	memoChainBytes = 16 << 10
)

// chainMemo remembers which chains have been verified, so that a peer that is met again costs no signature checks of its
// chain and no parsing. It belongs to one compiled configuration, and with that to its roots: other roots, another memo.
// Where the system's roots are trusted there is none, for those may change meanwhile.
//
// What it says is only what a full verification would say again: the bytes sent are the same, all of them, as is the name
// that a server was to have, and the time is within the validity of every certificate of the path that was found. All that may change in between is decided anew for
// each connection: the possession of the key (tlscore), revocation and authorization ([Config.VerifyPeer]), pins. Refusals
// are not remembered.
type chainMemo struct {
	mu         sync.Mutex
	young, old map[memoKey]*verifiedChain // what is looked up in old becomes young again; what is not goes with old
}

// memoKey stands for the certificates as sent, and for the name that they were verified for.
type memoKey [sha256.Size]byte

// verifiedChain is a path that was found, leaf first, root last.
type verifiedChain struct {
	certs       []*x509.Certificate
	from, until time.Time // when all of them are valid, both included (RFC 5280, Section 4.1.2.5)
}

// memoKeyOf returns the key of a chain as sent by a server that should have a name ("": by a client), and whether it is
// short enough to be remembered.
func memoKeyOf(name string, chain [][]byte) (memoKey, bool) {
	total := len(name)
	for _, der := range chain {
		total += len(der)
	}
	if total > memoChainBytes {
		return memoKey{}, false
	}
	var length [4]byte
	h := sha256.New()
	add := func(part []byte) {
		binary.BigEndian.PutUint32(length[:], uint32(len(part))) // so that the borders between them count
		h.Write(length[:])
		h.Write(part)
	}
	add([]byte(name))
	for _, der := range chain {
		add(der)
	}
	var key memoKey
	h.Sum(key[:0])
	return key, true
}

// get returns the path of a chain that was verified before and still is valid, else nil.
func (m *chainMemo) get(key memoKey, now time.Time) []*x509.Certificate {
	v := m.find(key)
	if v == nil || now.Before(v.from) || now.After(v.until) {
		return nil
	}
	return slices.Clone(v.certs) // the caller's caller may do with it what he likes
}

func (m *chainMemo) find(key memoKey) *verifiedChain {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v := m.young[key]; v != nil {
		return v
	}
	v := m.old[key]
	if v != nil {
		m.addLocked(key, v)
	}
	return v
}

// put remembers a path that was just found. The certificates are shared by all who get it, and must not be changed.
func (m *chainMemo) put(key memoKey, certs []*x509.Certificate) {
	v := &verifiedChain{certs: slices.Clone(certs), from: certs[0].NotBefore, until: certs[0].NotAfter}
	for _, c := range certs[1:] {
		if c.NotBefore.After(v.from) {
			v.from = c.NotBefore
		}
		if c.NotAfter.Before(v.until) {
			v.until = c.NotAfter
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.addLocked(key, v)
}

func (m *chainMemo) addLocked(key memoKey, v *verifiedChain) {
	if len(m.young) >= memoGeneration {
		m.young, m.old = nil, m.young
	}
	if m.young == nil {
		m.young = make(map[memoKey]*verifiedChain)
	}
	m.young[key] = v
}
