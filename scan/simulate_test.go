package scan

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// testShares makes key pairs once for each group.
func testShares() func(wire.Group) suite.KeyShare {
	return New(Options{}).share
}

// describe is the way back: what the hello of a client says, as it would stand in a file. It is how a captured hello
// becomes one.
func describe(raw []byte) (*knownClient, error) {
	var m wire.ClientHello
	if err := m.Parse(raw); err != nil {
		return nil, err
	}
	k := &knownClient{Version: codes{uint16(m.LegacyVersion)}, SessionID: len(m.SessionID), Suites: coded(m.CipherSuites)}
	if !bytes.Equal(m.CompressionMethods, []byte{0}) {
		k.Compression = hex.EncodeToString(m.CompressionMethods)
	}
	k.Raw = make(map[string]string)
	for _, e := range m.Extensions {
		code := coded([]wire.ExtensionType{e.Type})
		k.Extensions = append(k.Extensions, code...)
		switch e.Type {
		case wire.ExtServerName, wire.ExtPadding:
		case wire.ExtSupportedVersions:
			var v wire.SupportedVersions
			if _, err := m.Ext(&v); err != nil {
				return nil, err
			}
			k.Versions = coded(v.Versions)
		case wire.ExtSupportedGroups:
			var v wire.SupportedGroups
			if _, err := m.Ext(&v); err != nil {
				return nil, err
			}
			k.Groups = coded(v.Groups)
		case wire.ExtSignatureAlgorithms:
			var v wire.SignatureAlgorithms
			if _, err := m.Ext(&v); err != nil {
				return nil, err
			}
			k.Schemes = coded(v.Schemes)
		case wire.ExtALPN:
			var v wire.ALPN
			if _, err := m.Ext(&v); err != nil {
				return nil, err
			}
			k.ALPN = v.Protocols
		case wire.ExtKeyShare:
			var v wire.KeyShares
			if _, err := m.Ext(&v); err != nil {
				return nil, err
			}
			for _, entry := range v.Entries {
				k.Shares = append(k.Shares, coded([]wire.Group{entry.Group})...)
			}
		case wire.ExtEncryptedClientHello:
			at := 8 + int(e.Data[6])<<8 + int(e.Data[7])
			k.ECH = codes{uint16(e.Data[1])<<8 | uint16(e.Data[2]), uint16(e.Data[3])<<8 | uint16(e.Data[4]), uint16(e.Data[at])<<8 | uint16(e.Data[at+1])}
		default:
			if len(e.Data) > 0 && !wire.IsGREASE(uint16(e.Type)) {
				k.Raw[fmt.Sprintf("%04x", uint16(e.Type))] = hex.EncodeToString(e.Data)
			}
		}
	}
	return k, nil
}

func coded[T ~uint16](list []T) codes {
	var c codes
	for _, n := range list {
		if wire.IsGREASE(uint16(n)) {
			n = greaseCode
		}
		c = append(c, uint16(n))
	}
	return c
}

func TestClientsAreReadable(t *testing.T) {
	all, err := knownClients()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 25 {
		t.Errorf("only %d clients", len(all))
	}
	names := make(map[string]bool)
	captured, reference := 0, 0
	for _, k := range all {
		if names[k.Name] {
			t.Errorf("%s is there twice", k.Name)
		}
		names[k.Name] = true
		if k.From == "" || k.Year < 2000 {
			t.Errorf("%s: where is it from, and of which year?", k.Name)
		}
		if k.Source == "captured" {
			captured++
		}
		if k.Reference {
			reference++
		}
		for _, s := range k.Suites {
			if strings.HasPrefix(wire.CipherSuite(s).String(), "0x") {
				t.Errorf("%s: suite %04x has no name", k.Name, s)
			}
		}
		for _, g := range slices.Concat(k.Groups, k.Shares) {
			if strings.HasPrefix(wire.Group(g).String(), "0x") {
				t.Errorf("%s: group %04x has no name", k.Name, g)
			}
		}
		for _, g := range k.Shares {
			if !contains(k.Groups, g) && !wire.IsGREASE(g) {
				t.Errorf("%s sends a share of a group that it does not offer", k.Name)
			}
		}
		if len(k.Versions) == 0 && len(k.Min) == 0 {
			t.Errorf("%s: which is the lowest version it takes?", k.Name)
		}
	}
	if captured < 12 || reference < 10 {
		t.Errorf("%d captured, %d reference clients", captured, reference)
	}
}

// A good server offers TLS 1.2 and 1.3: this is what the clients of a full scan cost there.
func TestDefaultClientsKeepToTheirShareOfConnections(t *testing.T) {
	all, err := knownClients()
	if err != nil {
		t.Fatal(err)
	}
	connections := 0
	for _, k := range all {
		if k.Default && k.highest() >= wire.VersionTLS12 {
			connections++
		}
	}
	if connections > 18 {
		t.Errorf("%d connections for simulation; a good server is to be scanned with 100 in all", connections)
	}
}

func TestHellosSayWhatTheirFilesSay(t *testing.T) {
	all, err := knownClients()
	if err != nil {
		t.Fatal(err)
	}
	share := testShares()
	for _, k := range all {
		t.Run(k.Name, func(t *testing.T) {
			body, err := k.hello("www.example.test", share)
			if err != nil {
				t.Fatal(err)
			}
			raw := append([]byte{1, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
			got, err := describe(raw)
			if err != nil {
				t.Fatal(err)
			}
			want := *k
			want.Name, want.Year, want.Source, want.From, want.Reference, want.Default = "", 0, "", "", false, false
			want.Record, want.Min, want.MinDH, want.MaxDH = nil, nil, 0, 0
			if want.Raw == nil {
				want.Raw = map[string]string{}
			}
			if !slices.Contains(got.Extensions, uint16(wire.ExtPadding)) { // only where its size asks for it
				want.Extensions = slices.DeleteFunc(slices.Clone(want.Extensions), func(e uint16) bool { return e == uint16(wire.ExtPadding) })
			} else if len(raw) != 512 {
				t.Errorf("padded to %d bytes", len(raw))
			}
			shares := want.Shares[:0:0]
			for _, g := range want.Shares {
				if wire.IsGREASE(g) || share(wire.Group(g)) != nil {
					shares = append(shares, g)
				}
			}
			want.Shares = shares
			if !reflect.DeepEqual(*got, want) {
				t.Errorf("got  %+v\nwant %+v", *got, want)
			}
		})
	}
}

func TestNoTwoHellosAreAlike(t *testing.T) {
	all, err := knownClients()
	if err != nil {
		t.Fatal(err)
	}
	share := testShares()
	for _, k := range all {
		one, err := k.hello("a.test", share)
		if err != nil {
			t.Fatal(err)
		}
		other, err := k.hello("a.test", share)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(one[2:34], other[2:34]) {
			t.Errorf("%s: the same random twice", k.Name)
		}
		if !bytes.Contains(one, []byte("a.test")) && slices.Contains(k.Extensions, 0) {
			t.Errorf("%s: the name is not in it", k.Name)
		}
		nameless, err := k.hello("", share)
		if err != nil || bytes.Contains(nameless, []byte("a.test")) {
			t.Errorf("%s without a name: %v", k.Name, err)
		}
	}
}

func TestMistakesInClientFilesAreFound(t *testing.T) {
	good := `"name":"x","year":2020,"source":"captured","from":"y","record":"0301","version":"0303","suites":"1301"`
	if _, err := parseClient([]byte("{" + good + "}")); err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"unknown field":     `{` + good + `,"colour":"blue"}`,
		"no digits":         `{` + strings.Replace(good, "1301", "zzzz", 1) + `}`,
		"short number":      `{` + strings.Replace(good, "1301", "131", 1) + `}`,
		"source":            `{` + strings.Replace(good, "captured", "guessed", 1) + `}`,
		"no suites":         `{` + strings.Replace(good, `"1301"`, `""`, 1) + `}`,
		"contents unsent":   `{` + good + `,"raw":{"0005":"00"}}`,
		"contents no hex":   `{` + good + `,"extensions":"0005","raw":{"0005":"0"}}`,
		"extension twice":   `{` + good + `,"extensions":"0005 0005"}`,
		"compression":       `{` + good + `,"compression":"0"}`,
		"long session id":   `{` + good + `,"sessionID":33}`,
		"ECH without parts": `{` + good + `,"ech":"0001"}`,
		"nothing":           ``,
	} {
		if _, err := parseClient([]byte(text)); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

func TestClientsAskMailServersForNoHTTP(t *testing.T) {
	all, err := knownClients()
	if err != nil {
		t.Fatal(err)
	}
	share := testShares()
	for _, k := range all {
		body, err := k.withoutHTTP().hello("mail.test", share)
		if err != nil || bytes.Contains(body, []byte("http/1.1")) || bytes.Contains(body, []byte("\x02h2")) {
			t.Errorf("%s: %v", k.Name, err)
		}
		if with, err := k.hello("mail.test", share); err != nil || len(k.ALPN) > 0 && !bytes.Contains(with, []byte("http/1.1")) {
			t.Errorf("%s: %v", k.Name, err)
		}
	}
}
