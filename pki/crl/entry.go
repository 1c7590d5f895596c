package crl

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"iter"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlswright/tlswright/pki/cert"
)

// Entry is one revoked certificate.
//
//	SEQUENCE  {
//	     userCertificate         CertificateSerialNumber,
//	     revocationDate          Time,
//	     crlEntryExtensions      Extensions OPTIONAL }
type Entry struct {
	// Serial is the certificate's serial number, big endian without zeros in front, as [math/big.Int.Bytes] gives it. For the
	// negative numbers that old CAs used it is the absolute value, and Negative is set: only [List.FindNumber] finds those.
	Serial    []byte
	Negative  bool
	RevokedAt time.Time
	Reason    Reason
	// InvalidityDate is when the key is thought to have been lost (RFC 5280, Section 5.3.2); zero: not said.
	InvalidityDate time.Time
	// Issuer is the Name, DER, of who issued the certificate: nil in [Template] for the list's own issuer; always set by
	// [List.Find] and [List.All].
	Issuer []byte
}

// The extensions of an entry, as the content octets of their identifiers (RFC 5280, Section 5.3).
const (
	idReason            = "\x55\x1d\x15"
	idInvalidityDate    = "\x55\x1d\x18"
	idCertificateIssuer = "\x55\x1d\x1d"
	idHoldInstruction   = "\x55\x1d\x17" // of RFC 3280, Section 5.3.2: never critical, says nothing that we need
)

// plainReason is what an entry with a reason and nothing else has after its date, but for the reason itself.
const plainReason = "\x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01"

// rawEntry is an entry as it stands.
type rawEntry struct {
	serial     []byte // content octets of the INTEGER
	dateTag    byte
	date       []byte
	extensions []byte // the element; empty: none
}

// readEntry takes one entry off the front.
func readEntry(b []byte) (e rawEntry, rest []byte, ok bool) {
	tag, body, rest, ok := readElement(b)
	if !ok || tag != tagSequence {
		return e, nil, false
	}
	if tag, e.serial, body, ok = readElement(body); !ok || tag != tagInteger {
		return e, nil, false
	}
	if e.dateTag, e.date, e.extensions, ok = readElement(body); !ok {
		return e, nil, false
	}
	return e, rest, true
}

// facts are what the extensions of an entry say.
type facts struct {
	reason     Reason
	invalidity time.Time
	issuer     []byte // nil: as for the entry before
	unknown    [][]byte
}

// facts reads the extensions of an entry.
func (e *rawEntry) facts() (f facts, ok bool) {
	x := e.extensions
	if len(x) == 0 {
		return f, true
	}
	if len(x) == len(plainReason)+1 && string(x[:len(plainReason)]) == plainReason {
		f.reason = Reason(x[len(plainReason)])
		return f, f.reason.Valid()
	}
	in := cryptobyte.String(x)
	var list cryptobyte.String
	if !in.ReadASN1(&list, cbasn1.SEQUENCE) || !in.Empty() {
		return f, false
	}
	var seen [][]byte
	for !list.Empty() {
		x, ok := readExtension(&list)
		if !ok || len(seen) == maxExtensions || slices.ContainsFunc(seen, func(id []byte) bool { return bytes.Equal(id, x.id) }) {
			return f, false
		}
		seen = append(seen, x.id)
		if !f.take(x) {
			return f, false
		}
	}
	return f, true
}

func (f *facts) take(x extension) bool {
	value := cryptobyte.String(x.value)
	var content cryptobyte.String
	switch string(x.id) {
	case idReason:
		if !value.ReadASN1(&content, cbasn1.ENUM) || !value.Empty() || len(content) != 1 {
			return false
		}
		f.reason = Reason(content[0])
		return f.reason.Valid()
	case idInvalidityDate:
		var ok bool
		if !value.ReadASN1(&content, cbasn1.GeneralizedTime) || !value.Empty() {
			return false
		}
		f.invalidity, ok = parseTime(tagGeneralizedTime, content)
		return ok
	case idCertificateIssuer:
		if !value.ReadASN1(&content, cbasn1.SEQUENCE) || !value.Empty() {
			return false
		}
		// RFC 5280, Section 5.3.3: CAs MUST include in the extension the distinguished name of the certificate's issuer.
		names, ok := readDirectoryNames(content)
		if !ok || len(names) != 1 {
			return false
		}
		f.issuer = names[0]
	case idHoldInstruction:
	default:
		if x.critical {
			f.unknown = append(f.unknown, x.id)
		}
	}
	return true
}

// checkEntries walks all entries once: later walks meet no error.
func (l *List) checkEntries() error {
	rest := l.entries
	for len(rest) > 0 {
		e, after, ok := readEntry(rest)
		if ok {
			ok = isInteger(e.serial)
		}
		if ok {
			_, ok = parseTime(e.dateTag, e.date)
		}
		if !ok {
			return malformed(fmt.Sprintf("revokedCertificates[%d]", l.Count))
		}
		if len(e.extensions) > 0 {
			f, ok := e.facts()
			if !ok {
				return malformed(fmt.Sprintf("revokedCertificates[%d].crlEntryExtensions", l.Count))
			}
			// RFC 5280, Section 5.1.2.1: extensions ask for version 2.
			if l.Version != 2 {
				return &ParseError{fmt.Sprintf("revokedCertificates[%d].crlEntryExtensions", l.Count), "present in a list of version 1"}
			}
			l.indirect = l.indirect || f.issuer != nil
			for _, id := range f.unknown {
				l.unknown(id)
			}
		}
		l.Count++
		rest = after
	}
	return nil
}

// entry makes the view of an entry; issuer is its certificate's.
func (e *rawEntry) entry(f facts, issuer []byte) Entry {
	v := Entry{Reason: f.reason, InvalidityDate: f.invalidity, Issuer: issuer}
	v.RevokedAt, _ = parseTime(e.dateTag, e.date)
	v.Serial, v.Negative = magnitude(e.serial)
	return v
}

// magnitude takes an INTEGER's content apart into absolute value and sign.
func magnitude(content []byte) (abs []byte, negative bool) {
	if len(content) > 0 && content[0] >= 0x80 {
		abs = make([]byte, len(content))
		carry := byte(1)
		for i := len(content) - 1; i >= 0; i-- {
			abs[i] = ^content[i] + carry
			if abs[i] != 0 {
				carry = 0
			}
		}
		return bytes.TrimLeft(abs, "\x00"), true
	}
	return bytes.TrimLeft(content, "\x00"), false
}

// content makes the content octets of an INTEGER from an unsigned number.
func content(serial []byte) []byte {
	serial = bytes.TrimLeft(serial, "\x00")
	if len(serial) == 0 || serial[0] >= 0x80 {
		return append([]byte{0}, serial...)
	}
	return serial
}

// All walks the entries in their order. The error ends the walk; it cannot happen while nobody changes [List.Raw].
func (l *List) All() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		issuer := l.RawIssuer
		for rest := l.entries; len(rest) > 0; {
			e, after, ok := readEntry(rest)
			var f facts
			if ok {
				f, ok = e.facts()
			}
			if !ok {
				yield(Entry{}, malformed("revokedCertificates"))
				return
			}
			// RFC 5280, Section 5.3.3: without the extension the issuer is that of the entry before.
			if f.issuer != nil {
				issuer = f.issuer
			}
			if !yield(e.entry(f, issuer), nil) {
				return
			}
			rest = after
		}
	}
}

// Find looks for the certificate with a serial number (big endian, unsigned) of an issuer (a Name, DER; nil: the list's
// own). Where an entry is there twice, the first counts. The first search walks the list, the second makes an index of
// about 12 bytes per entry; from then on a search takes the same time whatever the list's length.
func (l *List) Find(serial, certIssuer []byte) (Entry, bool) {
	return l.find(content(serial), certIssuer)
}

// FindNumber is [List.Find] for any serial number, the negative ones too that no CA may use
// (RFC 5280, Section 4.1.2.2).
func (l *List) FindNumber(serial *big.Int, certIssuer []byte) (Entry, bool) {
	if serial.Sign() >= 0 {
		return l.Find(serial.Bytes(), certIssuer)
	}
	// Two's complement: n octets hold -2^(8n-1) at least.
	n := uint(new(big.Int).Not(serial).BitLen()/8 + 1)
	abs := new(big.Int).Add(serial, new(big.Int).Lsh(big.NewInt(1), 8*n))
	return l.find(abs.FillBytes(make([]byte, n)), certIssuer)
}

// find takes the content octets of a serial number.
func (l *List) find(want, certIssuer []byte) (Entry, bool) {
	if certIssuer == nil {
		certIssuer = l.RawIssuer
	}
	if !l.searched.Swap(true) {
		return l.walkFor(want, certIssuer)
	}
	l.indexing.Do(l.makeIndex)
	return l.index.find(l, want, certIssuer)
}

func (l *List) walkFor(serial, certIssuer []byte) (Entry, bool) {
	issuer := l.RawIssuer
	for rest := l.entries; len(rest) > 0; {
		e, after, ok := readEntry(rest)
		if !ok {
			return Entry{}, false
		}
		found := bytes.Equal(e.serial, serial)
		if found || l.indirect {
			f, _ := e.facts()
			if f.issuer != nil {
				issuer = f.issuer
			}
			if found && cert.SameName(issuer, certIssuer) {
				return e.entry(f, issuer), true
			}
		}
		rest = after
	}
	return Entry{}, false
}

// index finds entries by serial number: a hash table with chains, so that no choice of serial numbers makes it slow to
// build.
type index struct {
	seed    maphash.Seed
	heads   []uint32 // by hash: 1 + the number of the last entry with it; 0: none
	next    []uint32 // by entry: the one before it with the same hash
	offsets []uint32 // by entry: where it is
	issuers []change // by entry, ascending
}

// change is where the certificates' issuer changes in an indirect list.
type change struct {
	from   uint32 // the entry
	issuer []byte
}

// hash gives the chain of a serial number; the number of chains is a power of two.
func (x *index) hash(serial []byte) uint64 {
	return maphash.Bytes(x.seed, serial) & uint64(len(x.heads)-1)
}

func (l *List) makeIndex() {
	size := 1
	for size < l.Count {
		size <<= 1
	}
	x := &l.index
	x.seed = maphash.MakeSeed()
	x.heads, x.next, x.offsets = make([]uint32, size), make([]uint32, 0, l.Count), make([]uint32, 0, l.Count)
	for rest := l.entries; len(rest) > 0; {
		e, after, ok := readEntry(rest)
		if !ok {
			return
		}
		n := uint32(len(x.offsets))
		x.offsets = append(x.offsets, uint32(len(l.entries)-len(rest)))
		if l.indirect {
			if f, _ := e.facts(); f.issuer != nil {
				x.issuers = append(x.issuers, change{n, f.issuer})
			}
		}
		h := x.hash(e.serial)
		x.next = append(x.next, x.heads[h])
		x.heads[h] = n + 1
		rest = after
	}
}

func (x *index) find(l *List, serial, certIssuer []byte) (found Entry, ok bool) {
	for n := x.heads[x.hash(serial)]; n != 0; n = x.next[n-1] {
		e, _, read := readEntry(l.entries[x.offsets[n-1]:])
		if !read || !bytes.Equal(e.serial, serial) {
			continue
		}
		issuer := x.issuerOf(l, n-1)
		if cert.SameName(issuer, certIssuer) {
			f, _ := e.facts()
			found, ok = e.entry(f, issuer), true // the chain goes backwards: the last one found is the first in the list
		}
	}
	return found, ok
}

func (x *index) issuerOf(l *List, n uint32) []byte {
	i, exact := slices.BinarySearchFunc(x.issuers, n, func(c change, n uint32) int { return int(c.from) - int(n) })
	switch {
	case exact:
		return x.issuers[i].issuer
	case i > 0:
		return x.issuers[i-1].issuer
	}
	return l.RawIssuer
}
