package crl_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki/crl"
)

// tlv writes an element around others.
func tlv(tag byte, content ...[]byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.Tag(tag), func(b *cryptobyte.Builder) {
		for _, c := range content {
			b.AddBytes(c)
		}
	})
	return b.BytesOrPanic()
}

func seq(content ...[]byte) []byte { return tlv(0x30, content...) }

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// parts are the fields of a list that is made by hand; nil leaves a field out.
type parts struct {
	version, algorithm, outer, issuer, this, next, entries, extensions, signature []byte
}

func usual() parts {
	ecdsa := unhex("300a06082a8648ce3d040302")
	return parts{version: []byte{2, 1, 1}, algorithm: ecdsa, outer: ecdsa, issuer: name("CA"), this: tlv(0x17, []byte("260504030201Z")), next: tlv(0x17, []byte("260505030201Z")), signature: []byte{3, 2, 0, 1}}
}

// name is a Name with a common name.
func name(cn string) []byte { return seq(tlv(0x31, rdn(cn))) }

// rdn is the content of a set with a common name.
func rdn(cn string) []byte { return seq(unhex("0603550403"), tlv(0x0c, []byte(cn))) }

func (p parts) der() []byte {
	tbs := seq(p.version, p.algorithm, p.issuer, p.this, p.next, p.entries, p.extensions)
	return seq(tbs, p.outer, p.signature)
}

// entryOf makes an entry of serial number content and extensions.
func entryOf(serial []byte, extensions ...[]byte) []byte {
	e := [][]byte{tlv(2, serial), tlv(0x17, []byte("260101000000Z"))}
	if len(extensions) > 0 {
		e = append(e, seq(extensions...))
	}
	return seq(e...)
}

// ext makes an extension; id is hex.
func ext(id string, critical bool, value []byte) []byte {
	parts := [][]byte{tlv(6, unhex(id))}
	if critical {
		parts = append(parts, []byte{1, 1, 0xff})
	}
	return seq(append(parts, tlv(4, value))...)
}

func TestOddListsAreRead(t *testing.T) {
	for label, c := range map[string]struct {
		change func(*parts)
		check  func(*crl.List) bool
	}{
		"usual":          {func(*parts) {}, func(l *crl.List) bool { return l.Version == 2 && l.Count == 0 }},
		"version 1":      {func(p *parts) { p.version, p.entries = nil, seq(entryOf([]byte{1})) }, func(l *crl.List) bool { return l.Version == 1 && l.Count == 1 }},
		"no next update": {func(p *parts) { p.next = nil }, func(l *crl.List) bool { return l.NextUpdate.IsZero() }},
		"empty list":     {func(p *parts) { p.entries = seq() }, func(l *crl.List) bool { return l.Count == 0 }},
		"after 2049":     {func(p *parts) { p.next = tlv(0x18, []byte("20500228235959Z")) }, func(l *crl.List) bool { return l.NextUpdate.Year() == 2050 }},
		"before 1970":    {func(p *parts) { p.this = tlv(0x17, []byte("500101000000Z")) }, func(l *crl.List) bool { return l.ThisUpdate.Year() == 1950 }},
		"leap day":       {func(p *parts) { p.this = tlv(0x17, []byte("240229000000Z")) }, func(l *crl.List) bool { return l.ThisUpdate.Day() == 29 }},
		"unknown":        {func(p *parts) { p.extensions = tlv(0xa0, seq(ext("2a03", true, nil), ext("2a04", false, nil))) }, func(l *crl.List) bool { return slices.Equal(l.UnknownCritical, []string{"1.2.3"}) }},
		"unknown entry": {func(p *parts) {
			p.entries = seq(entryOf([]byte{1}, ext("2a03", true, nil)), entryOf([]byte{2}, ext("2a03", true, nil), ext("2a04", false, nil)))
		}, func(l *crl.List) bool { return slices.Equal(l.UnknownCritical, []string{"1.2.3"}) }},
		"hold instruction": {func(p *parts) { p.entries = seq(entryOf([]byte{1}, ext("551d17", true, unhex("06072a8648ce380202")))) }, func(l *crl.List) bool { return l.UnknownCritical == nil }},
		"old algorithm":    {func(p *parts) { p.algorithm = unhex("300d06092a864886f70d0101050500"); p.outer = p.algorithm }, func(l *crl.List) bool { return l.SignatureAlgorithm == 0 }},
		"freshest": {func(p *parts) {
			p.extensions = tlv(0xa0, seq(ext("551d2e", false, seq(seq(tlv(0xa0, tlv(0xa0, tlv(0x86, []byte("http://x/delta")))))))))
		}, func(l *crl.List) bool { return slices.Equal(l.Freshest, []string{"http://x/delta"}) }},
		"key id by name": {func(p *parts) {
			p.extensions = tlv(0xa0, seq(ext("551d23", false, seq(tlv(0xa1, tlv(0xa4, name("CA"))), tlv(0x82, []byte{1})))))
		}, func(l *crl.List) bool { return l.AuthorityKeyID == nil && l.RawAuthorityKeyID != nil }},
	} {
		p := usual()
		c.change(&p)
		l, err := crl.Parse(p.der())
		if err != nil || !c.check(l) {
			t.Errorf("%s: %v %+v", label, err, l)
		}
	}
}

func TestBrokenListsAreRefusedByField(t *testing.T) {
	extensions := func(list ...[]byte) func(*parts) { return func(p *parts) { p.extensions = tlv(0xa0, seq(list...)) } }
	entries := func(list ...[]byte) func(*parts) { return func(p *parts) { p.entries = seq(list...) } }
	for label, c := range map[string]struct {
		change func(*parts)
		field  string
	}{
		"version 3":              {func(p *parts) { p.version = []byte{2, 1, 2} }, "version"},
		"two algorithms":         {func(p *parts) { p.outer = unhex("300a06082a8648ce3d040303") }, "signature"},
		"no issuer":              {func(p *parts) { p.issuer = nil }, "issuer"},
		"no date":                {func(p *parts) { p.this, p.next = nil, nil }, "thisUpdate"},
		"no such day":            {func(p *parts) { p.this = tlv(0x17, []byte("250229000000Z")) }, "thisUpdate"},
		"no such month":          {func(p *parts) { p.this = tlv(0x17, []byte("251301000000Z")) }, "thisUpdate"},
		"no such hour":           {func(p *parts) { p.next = tlv(0x17, []byte("250101240000Z")) }, "nextUpdate"},
		"time zone":              {func(p *parts) { p.next = tlv(0x17, []byte("250101000000+0100")) }, "nextUpdate"},
		"letters":                {func(p *parts) { p.next = tlv(0x18, []byte("2025010100000aZ")) }, "nextUpdate"},
		"extensions in v1":       {func(p *parts) { p.version = nil; p.extensions = tlv(0xa0, seq(ext("2a03", false, nil))) }, "crlExtensions"},
		"entry extensions in v1": {func(p *parts) { p.version = nil; p.entries = seq(entryOf([]byte{1}, ext("2a03", false, nil))) }, "revokedCertificates[0]"},
		"twice":                  {extensions(ext("2a03", false, nil), ext("2a03", false, nil)), "crlExtensions[1]"},
		"negative number":        {extensions(ext("551d14", false, []byte{2, 1, 0xff})), "cRLNumber"},
		"huge number":            {extensions(ext("551d14", false, tlv(2, bytes.Repeat([]byte{1}, 22)))), "cRLNumber"},
		"broken base":            {extensions(ext("551d1b", true, []byte{2, 0})), "deltaCRLIndicator"},
		"broken key id":          {extensions(ext("551d23", false, []byte{5, 0})), "authorityKeyIdentifier"},
		"broken point":           {extensions(ext("551d1c", true, seq([]byte{0x9f, 1, 0}))), "issuingDistributionPoint"},
		"flag not in DER":        {extensions(ext("551d1c", true, seq([]byte{0x81, 1, 1}))), "issuingDistributionPoint"},
		"no reasons":             {extensions(ext("551d1c", true, seq([]byte{0x83, 2, 7, 0}))), "onlySomeReasons"},
		"empty point":            {extensions(ext("551d1c", true, seq())), "issuingDistributionPoint"},
		"two kinds at once":      {extensions(ext("551d1c", true, seq([]byte{0x81, 1, 0xff}, []byte{0x82, 1, 0xff}))), "issuingDistributionPoint"},
		"broken freshest":        {extensions(ext("551d2e", false, []byte{5, 0})), "freshestCRL"},
		"long serial form":       {entries(entryOf([]byte{0, 1})), "revokedCertificates[0]"},
		"no serial":              {entries(entryOf([]byte{1}), entryOf(nil)), "revokedCertificates[1]"},
		"no entry date":          {entries(seq([]byte{2, 1, 1})), "revokedCertificates[0]"},
		"reason 7":               {entries(entryOf([]byte{1}, ext("551d15", false, []byte{10, 1, 7}))), "crlEntryExtensions"},
		"reason 11":              {entries(entryOf([]byte{1}, ext("551d15", true, []byte{10, 1, 11}))), "crlEntryExtensions"},
		"long reason":            {entries(entryOf([]byte{1}, ext("551d15", false, []byte{10, 2, 0, 1}))), "crlEntryExtensions"},
		"reason twice":           {entries(entryOf([]byte{1}, ext("551d15", false, []byte{10, 1, 1}), ext("551d15", false, []byte{10, 1, 2}))), "crlEntryExtensions"},
		"UTC invalidity":         {entries(entryOf([]byte{1}, ext("551d18", false, tlv(0x17, []byte("260101000000Z"))))), "crlEntryExtensions"},
		"issuer without name":    {entries(entryOf([]byte{1}, ext("551d1d", true, seq(tlv(0x82, []byte("x")))))), "crlEntryExtensions"},
		"odd signature":          {func(p *parts) { p.signature = []byte{3, 2, 1, 2} }, "signatureValue"},
		"indefinite length":      {func(p *parts) { p.entries = unhex("30803000") }, ""},
	} {
		p := usual()
		c.change(&p)
		_, err := crl.Parse(p.der())
		var pe *crl.ParseError
		if !errors.As(err, &pe) || !strings.Contains(pe.Field, c.field) {
			t.Errorf("%s: %v", label, err)
		}
	}
	good := usual().der()
	for n := range good {
		if _, err := crl.Parse(good[:n]); err == nil {
			t.Errorf("%d of %d bytes were taken", n, len(good))
		}
	}
	if _, err := crl.Parse(append(good, 0)); err == nil {
		t.Error("a byte after the list was taken")
	}
}

func TestNegativeSerialsAreFoundAsNumbersOnly(t *testing.T) {
	p := usual()
	p.entries = seq(entryOf([]byte{0xff}), entryOf([]byte{0x80}), entryOf([]byte{0x80, 0x01}), entryOf([]byte{0}))
	l, err := crl.Parse(p.der())
	if err != nil {
		t.Fatal(err)
	}
	want := [][]byte{{1}, {0x80}, {0x7f, 0xff}, {}}
	i := 0
	for e := range l.All() {
		if !bytes.Equal(e.Serial, want[i]) || e.Negative != (i < 3) {
			t.Errorf("%x %v", e.Serial, e.Negative)
		}
		i++
	}
	for range 2 {
		for _, s := range want[:3] {
			if _, ok := l.Find(s, nil); ok {
				t.Errorf("%x: found", s)
			}
		}
		for _, n := range []int64{-1, -128, -32767, 0} {
			if e, ok := l.FindNumber(big.NewInt(n), nil); !ok || e.Negative != (n < 0) {
				t.Errorf("%d: %v %+v", n, ok, e)
			}
		}
		for _, n := range []int64{1, 128, 255, 32767, 32769, -2, -127, -129, -255, -256, -32768, -65535} {
			if _, ok := l.FindNumber(big.NewInt(n), nil); ok {
				t.Errorf("%d: found", n)
			}
		}
		for _, s := range [][]byte{nil, {0}, {0, 0}} {
			if _, ok := l.Find(s, nil); !ok {
				t.Errorf("zero as %x: not found", s)
			}
		}
	}
}

func TestIssuersStickInIndirectLists(t *testing.T) {
	issuerOf := func(cn string) []byte { return ext("551d1d", true, seq(tlv(0xa4, name(cn)))) }
	p := usual()
	p.entries = seq(entryOf([]byte{1}), entryOf([]byte{2}, issuerOf("A")), entryOf([]byte{3}), entryOf([]byte{1}), entryOf([]byte{1}, issuerOf("B")), entryOf([]byte{4}, issuerOf("A")), entryOf([]byte{1}, ext("551d15", false, []byte{10, 1, 1})))
	want := []string{"CA", "A", "A", "A", "B", "A", "A"}
	serials := []byte{1, 2, 3, 1, 1, 4, 1}
	for range 2 {
		l, err := crl.Parse(p.der())
		if err != nil {
			t.Fatal(err)
		}
		i := 0
		for e := range l.All() {
			if !bytes.Equal(e.Issuer, name(want[i])) {
				t.Errorf("entry %d: %x", i, e.Issuer)
			}
			i++
		}
		for range 2 {
			for i, cn := range want {
				if e, ok := l.Find(serials[i:i+1], name(strings.ToLower(cn)+" ")); !ok || !bytes.Equal(e.Issuer, name(cn)) || e.Reason != 0 {
					t.Errorf("entry %d: %v %+v", i, ok, e)
				}
			}
			for _, miss := range []struct {
				serial byte
				cn     string
			}{{2, "CA"}, {3, "B"}, {4, "B"}, {5, "A"}, {1, "C"}} {
				if _, ok := l.Find([]byte{miss.serial}, name(miss.cn)); ok {
					t.Errorf("%+v: found", miss)
				}
			}
		}
	}
}

func TestIndirectListsAreWrittenAsRead(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	at := now()
	entries := []crl.Entry{{Serial: []byte{1}, RevokedAt: at}, {Serial: []byte{2}, RevokedAt: at, Issuer: name("A"), Reason: crl.KeyCompromise}, {Serial: []byte{3}, RevokedAt: at, Issuer: name("A")}, {Serial: []byte{4}, RevokedAt: at}}
	tm := template(entries...)
	tm.IDP = &crl.DistributionPoint{Indirect: true}
	l := create(t, tm, ca)
	i := 0
	for e := range l.All() {
		want := entries[i]
		if want.Issuer == nil {
			want.Issuer = ca.Intermediate.RawSubject
		}
		if !same(e, want) {
			t.Errorf("%+v, want %+v", e, want)
		}
		i++
	}
}

func TestPointsAndDeltasAreWrittenAsRead(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	for _, p := range []crl.DistributionPoint{
		{URIs: []string{"http://x/1", "ldap://y"}, OnlyUser: true},
		{FullNames: [][]byte{tlv(0xa4, name("point")), tlv(0x82, []byte("host"))}, OnlyCA: true, OnlySomeReasons: crl.SetOf(crl.KeyCompromise, crl.AACompromise)},
		{RelativeName: rdn("point"), Indirect: true, OnlySomeReasons: crl.SetOf(crl.KeyCompromise)},
		{OnlyAttribute: true, OnlySomeReasons: crl.SetOf(crl.PrivilegeWithdrawn)},
	} {
		tm := template()
		tm.IDP, tm.Base = &p, big.NewInt(6)
		l := create(t, tm, ca)
		got := *l.IDP
		if !slices.Equal(got.URIs, p.URIs) || !slices.EqualFunc(got.FullNames, p.FullNames, bytes.Equal) || !bytes.Equal(got.RelativeName, p.RelativeName) ||
			got.OnlyUser != p.OnlyUser || got.OnlyCA != p.OnlyCA || got.OnlyAttribute != p.OnlyAttribute || got.Indirect != p.Indirect || got.OnlySomeReasons != p.OnlySomeReasons {
			t.Errorf("%+v, want %+v", got, p)
		}
		if l.Base.Int64() != 6 || len(l.UnknownCritical) > 0 {
			t.Errorf("%+v", l)
		}
	}
	tm := template()
	tm.Freshest = []string{"http://x/delta", "http://y/delta"}
	if l := create(t, tm, ca); !slices.Equal(l.Freshest, tm.Freshest) {
		t.Errorf("%v", l.Freshest)
	}
}

func TestReasonsHaveNames(t *testing.T) {
	for _, r := range crl.Reasons() {
		if got, err := crl.ParseReason(r.String()); err != nil || got != r {
			t.Errorf("%v: %v, %v", r, got, err)
		}
	}
	for s, want := range map[string]crl.Reason{"key-compromise": crl.KeyCompromise, "CA_COMPROMISE": crl.CACompromise, "superseded": crl.Superseded} {
		if got, err := crl.ParseReason(s); err != nil || got != want {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "7", "bored"} {
		if _, err := crl.ParseReason(s); err == nil {
			t.Errorf("%q is a reason", s)
		}
	}
	if crl.Reason(7).Valid() || crl.Reason(11).Valid() || crl.Reason(7).String() != "reason 7" {
		t.Error("reasons that there are not")
	}
	s := crl.SetOf(crl.KeyCompromise, crl.AACompromise, crl.Unspecified, crl.RemoveFromCRL)
	if s.String() != "keyCompromise, aACompromise" || !slices.Equal(s.Members(), []crl.Reason{crl.KeyCompromise, crl.AACompromise}) {
		t.Errorf("%v", s)
	}
	if crl.ReasonSet(0).Effective() != crl.AllReasons || crl.ReasonSet(0).String() != "all reasons" || len(crl.AllReasons.Members()) != 8 {
		t.Error("the empty set is not all reasons")
	}
}

func TestShardsNeverChange(t *testing.T) {
	counts := make([]int, 16)
	for i := range 16000 {
		counts[crl.ShardOf(serial(i), len(counts))]++
	}
	for i, n := range counts {
		if n < 800 || n > 1200 {
			t.Errorf("shard %d has %d of 16000", i, n)
		}
	}
	// These are written into certificates: another answer would look for them in the wrong list.
	for _, c := range []struct {
		serial []byte
		shards int
		want   int
	}{{[]byte{1}, 16, 5}, {[]byte{0, 1}, 16, 5}, {[]byte{1, 2, 3}, 1000, 393}, {[]byte{9}, 1, 0}, {[]byte{9}, 0, 0}} {
		if got := crl.ShardOf(c.serial, c.shards); got != c.want {
			t.Errorf("%x of %d: %d, want %d", c.serial, c.shards, got, c.want)
		}
	}
}

func TestManyMaySearchAtOnce(t *testing.T) {
	l, err := crl.Parse(large(t, pkitest.New(t, pkitest.P256), 2000))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 4000 {
				if e, ok := l.Find(serial(i), nil); ok != (i < 2000) || ok && !bytes.Equal(e.Serial, serial(i)) {
					t.Errorf("%d: %v", i, ok)
				}
			}
		})
	}
	wg.Wait()
}

func TestReadingALargeListTakesNoMemory(t *testing.T) {
	der := large(t, pkitest.New(t, pkitest.P256), 5000)
	if n := testing.AllocsPerRun(5, func() { _, _ = crl.Parse(der) }); n > 12 {
		t.Errorf("%v allocations for 5000 entries", n)
	}
}
