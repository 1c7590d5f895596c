package jks

import (
	"bytes"
	"crypto/sha1"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
)

var someTime = time.Date(2026, 3, 1, 12, 0, 0, int(250*time.Millisecond), time.UTC)

// entries are a key with its chain, and a root to trust.
func entries(t testing.TB, ca *pkitest.CA, k pkitest.KeyType) []Entry {
	t.Helper()
	l := ca.Server(k)
	return []Entry{
		{Alias: "cake", Created: someTime, Key: l.Key, Chain: []*x509.Certificate{l.Certificate, ca.Intermediate}},
		{Alias: "röst", Created: someTime, Chain: ca.Roots()},
	}
}

func mustEncode(t testing.TB, e []Entry, password string) []byte {
	t.Helper()
	data, err := Encode(e, []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	if !Is(data) {
		t.Error("what was written is not recognised")
	}
	return data
}

func sameEntries(t testing.TB, got, want []Entry) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d entries, not %d", len(got), len(want))
	}
	for i, g := range got {
		w := want[i]
		if g.Alias != w.Alias || !g.Created.Equal(w.Created) || len(g.Chain) != len(w.Chain) || (g.Key == nil) != (w.Key == nil) {
			t.Errorf("entry %d is %q of %s with %d certificates", i, g.Alias, g.Created, len(g.Chain))
			continue
		}
		if g.Key != nil && !pki.SameKey(g.Key.Public(), w.Key.Public()) {
			t.Errorf("entry %d has another key", i)
		}
		for j := range g.Chain {
			if !g.Chain[j].Equal(w.Chain[j]) {
				t.Errorf("entry %d: certificate %d is another", i, j)
			}
		}
	}
}

func TestStoresSurviveWritingAndReading(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	for _, k := range pkitest.KeyTypes() {
		want := entries(t, ca, k)
		data := mustEncode(t, want, "pässword")
		got, err := Decode(data, []byte("pässword"), nil)
		if err != nil {
			t.Fatalf("%s: %v", k, err)
		}
		sameEntries(t, got, want)
		if _, err := Decode(data, []byte("password"), nil); !errors.Is(err, ErrWrongPassword) {
			t.Errorf("%s, wrong password: %v", k, err)
		}
	}
	undated := entries(t, ca, pkitest.P256)[1:]
	undated[0].Created = time.Time{}
	got, err := Decode(mustEncode(t, undated, "changeit"), []byte("changeit"), nil)
	if err != nil || !got[0].Created.Equal(ca.Root.NotBefore) {
		t.Errorf("%v %v", got, err)
	}
}

func TestKeysMayHavePasswordsOfTheirOwn(t *testing.T) {
	want := entries(t, pkitest.New(t, pkitest.P256), pkitest.P256)
	data := mustEncode(t, want, "changeit")
	got, err := Decode(data, []byte("changeit"), func(alias string) ([]byte, error) {
		if alias != "cake" {
			t.Errorf("asked about %q", alias)
		}
		return []byte("changeit"), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sameEntries(t, got, want)
	if _, err := Decode(data, []byte("changeit"), func(string) ([]byte, error) { return []byte("other"), nil }); !errors.Is(err, ErrWrongPassword) {
		t.Errorf("%v", err)
	}
	none := errors.New("nobody there")
	if _, err := Decode(data, []byte("changeit"), func(string) ([]byte, error) { return nil, none }); !errors.Is(err, none) {
		t.Errorf("%v", err)
	}
}

func TestWhatJavaRefusesIsNotWritten(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	good := entries(t, ca, pkitest.P256)
	change := func(f func(e []Entry)) []Entry {
		e := entries(t, ca, pkitest.P256)
		f(e)
		return e
	}
	for name, c := range map[string]struct {
		entries  []Entry
		password string
	}{
		"short password": {good, "12345"},
		"nothing":        {nil, "changeit"},
		"alias twice":    {change(func(e []Entry) { e[1].Alias = "CAKE" }), "changeit"},
		"no alias":       {change(func(e []Entry) { e[1].Alias = "" }), "changeit"},
		"no leaf":        {change(func(e []Entry) { e[0].Chain = nil }), "changeit"},
		"other leaf":     {change(func(e []Entry) { e[0].Chain = e[1].Chain }), "changeit"},
		"two trusted":    {change(func(e []Entry) { e[1].Chain = e[0].Chain }), "changeit"},
		"long chain":     {change(func(e []Entry) { e[0].Chain = make([]*x509.Certificate, maxChain+1) }), "changeit"},
		"many":           {make([]Entry, maxEntries+1), "changeit"},
	} {
		var refused *pki.RefusedError
		if _, err := Encode(c.entries, []byte(c.password)); !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, password := range []string{"пароль", strings.Repeat("x", maxPassword+1)} {
		if _, err := Encode(good, []byte(password)); err == nil {
			t.Errorf("a password of %d bytes was taken", len(password))
		}
	}
}

func TestLyingLengthsAreFoundBeforeRoomIsMade(t *testing.T) {
	good := mustEncode(t, entries(t, pkitest.New(t, pkitest.P256), pkitest.P256), "changeit")
	head := []byte{0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2}
	digest := make([]byte, 20)
	u32 := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	alias, date := []byte{0, 1, 'a'}, make([]byte, 8)
	join := func(parts ...[]byte) []byte { return bytes.Join(append(append([][]byte{head}, parts...), digest), nil) }
	// SEQUENCE { AlgorithmIdentifier, OCTET STRING of 10 bytes }: the library would make a slice of -30.
	short := append([]byte{0x30, 0x1e, 0x30, 0x0e, 0x06, 0x0a, 0x2b, 6, 1, 4, 1, 0x2a, 2, 0x11, 1, 1, 5, 0, 0x04, 0x0a}, make([]byte, 10)...)
	if isProtectedKey(short) {
		t.Error("a key too short for salt and digest passes")
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":        {nil, "begin"},
		"magic only":   {head[:4], "cut off"},
		"version":      {append([]byte{0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 3}, make([]byte, 40)...), "version 3"},
		"JCEKS":        {append([]byte{0xce, 0xce, 0xce, 0xce}, make([]byte, 40)...), "JCEKS"},
		"entries":      {join(u32(1 << 30)), "entries"},
		"missing":      {join(u32(1)), "cut off"},
		"tag":          {join(u32(1), u32(3), alias, date), "cut off"},
		"certificate":  {join(u32(1), u32(2), alias, date, []byte{0, 0}, u32(0xfffffff0)), "cut off"},
		"key":          {join(u32(1), u32(1), alias, date, u32(0xfffffff0)), "cut off"},
		"short key":    {join(u32(1), u32(1), alias, date, u32(uint32(len(short))), short, u32(0)), "protected"},
		"alias twice":  {join(u32(2), u32(2), alias, date, []byte{0, 0}, u32(0), u32(2), alias, date, []byte{0, 0}, u32(0)), "twice"},
		"left over":    {join(u32(0), []byte{1}), "cut off"},
		"larger":       {make([]byte, maxFile+1), "limit"},
		"not Java's":   {[]byte("-----BEGIN CERTIFICATE-----"), "begin"},
		"wrong digest": {good[:len(good)-1], ""},
	} {
		if _, err := Decode(c.data, []byte("changeit"), nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The count of a chain: at its place, four billion.
	at := bytes.Index(good, []byte{0, 0, 0, 2, 0, 5, 'X', '.', '5', '0', '9'})
	if at < 0 {
		t.Fatal("no chain of two certificates found")
	}
	many := bytes.Clone(good)
	copy(many[at:], u32(0xffffffff))
	if _, err := Decode(many, []byte("changeit"), nil); err == nil || !strings.Contains(err.Error(), "chain") {
		t.Errorf("%v", err)
	}
}

func TestJavaAndWeReadEachOther(t *testing.T) {
	keytool := pkitest.Program(t, "keytool")
	ca := pkitest.New(t, pkitest.P256)
	dir := t.TempDir()
	run := func(args ...string) string {
		t.Helper()
		out, err := pkitest.Run(t, keytool, args...)
		if err != nil {
			t.Fatalf("keytool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return out
	}
	ours := filepath.Join(dir, "ours.jks")
	want := entries(t, ca, pkitest.RSA2048)
	if err := os.WriteFile(ours, mustEncode(t, want, "changeit"), 0o600); err != nil {
		t.Fatal(err)
	}
	// Java opens keys only when it copies them; into a store that we read again, where
	// keys keep their password.
	theirs := filepath.Join(dir, "theirs.jks")
	run("-importkeystore", "-noprompt", "-srckeystore", ours, "-srcstoretype", "JKS", "-srcstorepass", "changeit",
		"-destkeystore", theirs, "-deststoretype", "JKS", "-deststorepass", "changeit2")
	data, err := os.ReadFile(theirs)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(data, []byte("changeit2"), func(string) ([]byte, error) { return []byte("changeit"), nil })
	if err != nil {
		t.Fatal(err)
	}
	for i := range got { // it was made anew
		got[i].Created = someTime
	}
	sameEntries(t, got, want)
}

func FuzzDecode(f *testing.F) {
	ca := pkitest.New(f, pkitest.P256)
	e := entries(f, ca, pkitest.P256)
	f.Add(mustEncode(f, e, "changeit"))
	f.Add(mustEncode(f, e[1:], "changeit"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if survey(data) == nil { // past the digest, which no fuzzer finds
			if _, err := Decode(signed(data, "changeit"), []byte("changeit"), nil); errors.Is(err, ErrWrongPassword) && !strings.Contains(err.Error(), "entry") {
				t.Fatal("the survey let something pass that the library does not read")
			}
		}
		got, err := Decode(data, []byte("changeit"), nil)
		if err != nil {
			return
		}
		if _, err := Encode(got, []byte("changeit")); err != nil {
			var refused *pki.RefusedError
			if !errors.As(err, &refused) {
				t.Fatal(err)
			}
		}
	})
}

// signed puts the right digest under a store.
func signed(data []byte, password string) []byte {
	h := sha1.New()
	for _, b := range []byte(password) {
		h.Write([]byte{0, b})
	}
	h.Write([]byte("Mighty Aphrodite"))
	body := data[:len(data)-sha1.Size]
	h.Write(body)
	return h.Sum(bytes.Clone(body))
}
