package scan

import (
	"cmp"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/wire"
)

// clientFiles holds the hellos of well-known clients, a file each.
//
//go:embed clients/*.json
var clientFiles embed.FS

// knownClient is what the hello of a well-known client says, and what the client would put up with in the answer. Numbers
// are hexadecimal in the files, as they stand on the wire.
type knownClient struct {
	Name string `json:"name"`
	Year int    `json:"year"` // of its release
	// Source is "captured" for a hello that was taken off the wire, "documented" for one written from public documentation.
	Source string `json:"source"`
	From   string `json:"from"` // what it was captured from, or where it is documented
	// Reference marks the clients by which forward secrecy and modern suites are judged: those a site must do well with.
	Reference bool `json:"reference,omitempty"`
	Default   bool `json:"default,omitempty"` // sent by every full scan

	Record      codes    `json:"record"`              // version in the header of the record
	Version     codes    `json:"version"`             // legacy_version
	Min         codes    `json:"min,omitempty"`       // the lowest version it takes; none: the lowest of Versions
	SessionID   int      `json:"sessionID,omitempty"` // bytes of a random one
	Suites      codes    `json:"suites"`
	Compression string   `json:"compression,omitempty"` // methods; none: 00
	Extensions  codes    `json:"extensions,omitempty"`  // in order
	Versions    codes    `json:"versions,omitempty"`
	Groups      codes    `json:"groups,omitempty"`
	Shares      codes    `json:"shares,omitempty"`
	Schemes     codes    `json:"schemes,omitempty"`
	ALPN        []string `json:"alpn,omitempty"`
	// MinDH and MaxDH are the sizes of Diffie-Hellman parameters it takes, in bits; 0: any.
	MinDH int `json:"minDH,omitempty"`
	MaxDH int `json:"maxDH,omitempty"`
	// ECH is the form of a made-up encrypted ClientHello: KDF, AEAD, length of the payload.
	ECH codes             `json:"ech,omitempty"`
	Raw map[string]string `json:"raw,omitempty"` // contents of all other extensions that are not empty
}

// codes is a list of 16-bit numbers, in hexadecimal with blanks between them. The word GREASE stands for a number drawn anew
// each time (RFC 8701); it is kept as greaseCode.
type codes []uint16

const greaseCode = 0x0a0a

// UnmarshalJSON reads "GREASE 1301 c02b".
func (c *codes) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	*c = nil
	for word := range strings.FieldsSeq(s) {
		if word == "GREASE" {
			*c = append(*c, greaseCode)
			continue
		}
		n, err := strconv.ParseUint(word, 16, 16)
		if err != nil || len(word) != 4 {
			return fmt.Errorf("%q is no number of four hexadecimal digits", word)
		}
		*c = append(*c, uint16(n))
	}
	return nil
}

// MarshalJSON writes what UnmarshalJSON reads.
func (c codes) MarshalJSON() ([]byte, error) {
	words := make([]string, len(c))
	for i, n := range c {
		words[i] = fmt.Sprintf("%04x", n)
		if wire.IsGREASE(n) {
			words[i] = "GREASE"
		}
	}
	return json.Marshal(strings.Join(words, " "))
}

// one is the only number of a list; 0: there is none.
func (c codes) one() uint16 {
	if len(c) == 0 {
		return 0
	}
	return c[0]
}

// lowest is the lowest version that the client takes, highest the highest.
func (k *knownClient) lowest() wire.Version {
	if v := k.Min.one(); v != 0 {
		return wire.Version(v)
	}
	least := k.Version.one()
	for _, v := range k.Versions {
		if !wire.IsGREASE(v) {
			least = min(least, v)
		}
	}
	return wire.Version(least)
}

func (k *knownClient) highest() wire.Version {
	most := k.Version.one()
	for _, v := range k.Versions {
		if !wire.IsGREASE(v) {
			most = max(most, v)
		}
	}
	return wire.Version(most)
}

// knownClients reads the hellos: reference clients first, the newest of them first. An error is one in our own files.
func knownClients() ([]*knownClient, error) {
	var all []*knownClient
	err := fs.WalkDir(clientFiles, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := clientFiles.ReadFile(name)
		if err != nil {
			return err
		}
		k, err := parseClient(text)
		if err != nil {
			return fmt.Errorf("%s: %w", path.Base(name), err)
		}
		all = append(all, k)
		return nil
	})
	slices.SortStableFunc(all, func(a, b *knownClient) int {
		return cmp.Or(cmp.Compare(rank(b), rank(a)), cmp.Compare(b.Year, a.Year), cmp.Compare(a.Name, b.Name))
	})
	return all, err
}

func rank(k *knownClient) int {
	if k.Reference {
		return 1
	}
	return 0
}

// parseClient reads one file, strictly.
func parseClient(text []byte) (*knownClient, error) {
	k := new(knownClient)
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(k); err != nil {
		return nil, err
	}
	switch {
	case k.Name == "":
		return nil, errors.New("the client has no name")
	case k.Source != "captured" && k.Source != "documented":
		return nil, fmt.Errorf("source %q is neither captured nor documented", k.Source)
	case len(k.Version) != 1 || len(k.Record) != 1 || len(k.Min) > 1:
		return nil, errors.New("record, version and min are one number each")
	case len(k.Suites) == 0:
		return nil, errors.New("no suites")
	case k.SessionID < 0 || k.SessionID > 32:
		return nil, errors.New("a session id has 32 bytes at most")
	case len(k.ECH) != 0 && len(k.ECH) != 3:
		return nil, errors.New("ech is KDF, AEAD and length")
	}
	return k, k.checkRaw()
}

// checkRaw finds contents that would never be sent, and extensions given twice.
func (k *knownClient) checkRaw() error {
	for code, content := range k.Raw {
		n, err := strconv.ParseUint(code, 16, 16)
		if err != nil || !slices.Contains(k.Extensions, uint16(n)) {
			return fmt.Errorf("raw %q is not among the extensions", code)
		}
		if _, err := hex.DecodeString(content); err != nil {
			return fmt.Errorf("raw %q: %w", code, err)
		}
	}
	if _, err := hex.DecodeString(k.Compression); err != nil {
		return fmt.Errorf("compression: %w", err)
	}
	for i, e := range k.Extensions {
		if !wire.IsGREASE(e) && slices.Contains(k.Extensions[:i], e) {
			return fmt.Errorf("extension %04x stands there twice", e)
		}
	}
	return nil
}

// simulation is what is known of a client before it has been tried.
func (k *knownClient) simulation() grade.Simulation {
	return grade.Simulation{Client: k.Name, Source: k.Source, Reference: k.Reference}
}
