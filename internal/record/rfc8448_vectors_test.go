package record_test

import (
	"bufio"
	"bytes"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/wire"
)

// vectors is one section of a .vec file: "Name = hex" per line.
type vectors map[string][]byte

// readVectors reads a file of sections. Values that are not hex (names, numbers) are kept as they stand.
func readVectors(t *testing.T, name string) map[string]vectors {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "rfc8448", name))
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]vectors{}
	var section vectors
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			section = vectors{}
			sections[strings.Trim(line, "[]")] = section
		default:
			key, value, ok := strings.Cut(line, "=")
			if !ok || section == nil {
				t.Fatalf("%s: unexpected line %.40q", name, line)
			}
			raw, err := hex.DecodeString(strings.ReplaceAll(value, " ", ""))
			if err != nil {
				raw = []byte(strings.TrimSpace(value))
			}
			section[strings.TrimSpace(key)] = raw
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return sections
}

// readPEM returns the one DER element of a PEM file. One of the files has two zero bytes behind it, the (empty) extensions
// of its place in a Certificate message.
func readPEM(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "rfc8448", name))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatalf("%s: no PEM block", name)
	}
	var der asn1.RawValue
	rest, err := asn1.Unmarshal(block.Bytes, &der)
	if err != nil || !bytes.Equal(rest, make([]byte, len(rest))) {
		t.Fatalf("%s: %x follows, %v", name, rest, err)
	}
	return der.FullBytes
}

// pool is the randomness of one side, in the order in which it is drawn.
type pool struct{ left []byte }

func (p *pool) draw(t *testing.T, n int) []byte {
	t.Helper()
	if n > len(p.left) {
		t.Fatalf("%d random bytes wanted, %d left", n, len(p.left))
	}
	out := p.left[:n]
	p.left = p.left[n:]
	return out
}

// viewer decodes one extension of a message; every message with extensions is one.
type viewer interface {
	Ext(v wire.ExtensionView) (present bool, err error)
}

// viewOf gives an empty view for an extension in a message, nil for one that does not occur in the traces.
func viewOf(t wire.ExtensionType, in wire.Message) wire.ExtensionView {
	_, fromClient := in.(*wire.ClientHello)
	hello, _ := in.(*wire.ServerHello)
	retry := hello != nil && hello.IsHelloRetryRequest()
	_, encrypted := in.(*wire.EncryptedExtensions)
	_, ticket := in.(*wire.NewSessionTicket)
	switch t {
	case wire.ExtServerName:
		if fromClient {
			return &wire.ServerNames{}
		}
		return &wire.ServerNameAck{}
	case wire.ExtSupportedGroups:
		return &wire.SupportedGroups{}
	case wire.ExtSignatureAlgorithms:
		return &wire.SignatureAlgorithms{}
	case wire.ExtClientCertificateType:
		if encrypted {
			return &wire.SelectedClientCertificateType{}
		}
		return &wire.ClientCertificateTypes{}
	case wire.ExtServerCertificateType:
		if encrypted {
			return &wire.SelectedServerCertificateType{}
		}
		return &wire.ServerCertificateTypes{}
	case wire.ExtPadding:
		return &wire.Padding{}
	case wire.ExtRecordSizeLimit:
		return &wire.RecordSizeLimit{}
	case wire.ExtSessionTicket:
		return &wire.SessionTicket{}
	case wire.ExtEarlyData:
		if ticket {
			return &wire.EarlyDataSize{}
		}
		return &wire.EarlyData{}
	case wire.ExtSupportedVersions:
		if fromClient {
			return &wire.SupportedVersions{}
		}
		return &wire.SelectedVersion{}
	case wire.ExtCookie:
		return &wire.Cookie{}
	case wire.ExtPSKKeyExchangeModes:
		return &wire.PSKKeyExchangeModes{}
	case wire.ExtKeyShare:
		switch {
		case fromClient:
			return &wire.KeyShares{}
		case retry:
			return &wire.KeyShareRetry{}
		}
		return &wire.KeyShareHello{}
	case wire.ExtPreSharedKey:
		if fromClient {
			return &wire.PreSharedKeys{}
		}
		return &wire.PreSharedKeySelected{}
	case wire.ExtRenegotiationInfo:
		return &wire.RenegotiationInfo{}
	}
	return nil
}

// rebuild decodes every extension and encodes it again from its typed view, after edit had a look at it.
func rebuild(t *testing.T, m wire.Message, es wire.Extensions, edit func(wire.ExtensionView)) wire.Extensions {
	t.Helper()
	out := wire.Extensions{}
	for _, e := range es {
		v := viewOf(e.Type, m)
		if v == nil {
			t.Fatalf("%v: no view for %v", m.Type(), e.Type)
		}
		if _, err := m.(viewer).Ext(v); err != nil {
			t.Fatal(err)
		}
		if edit != nil {
			edit(v)
		}
		out.Add(v)
	}
	return out
}
