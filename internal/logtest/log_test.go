package logtest

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/tlswright/tlswright/pki/ct"
)

// The tree of one entry has the hash of its leaf as root: with the entries of the reference log, taken when that took them,
// it is the published one.
func TestItsTreeIsThatOfTheReferenceLog(t *testing.T) {
	data, err := os.ReadFile("../../pki/ct/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		CA, Certificate, Precertificate             []byte
		CertificateSCT, PrecertificateSCT           string
		CertificateLeafHash, PrecertificateLeafHash []byte
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	ca, err := x509.ParseCertificate(v.CA)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		der  []byte
		sct  string
		want []byte
	}{{v.Certificate, v.CertificateSCT, v.CertificateLeafHash}, {v.Precertificate, v.PrecertificateSCT, v.PrecertificateLeafHash}} {
		raw, err := hex.DecodeString(c.sct)
		if err != nil {
			t.Fatal(err)
		}
		s, err := ct.ParseSCT(raw)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(c.der)
		if err != nil {
			t.Fatal(err)
		}
		entry, err := ct.EntryOf(leaf, ca, ct.Extension)
		if err != nil {
			t.Fatal(err)
		}
		l, err := New("log", false)
		if err != nil {
			t.Fatal(err)
		}
		l.now = func() time.Time { return s.Time() }
		if _, err := l.put(entry, [][]byte{c.der, v.CA}); err != nil {
			t.Fatal(err)
		}
		if root := rootOf(t, l); !bytes.Equal(root, c.want) {
			t.Errorf("root %x, want %x", root, c.want)
		}
	}
}

func rootOf(t *testing.T, l *Log) []byte {
	t.Helper()
	server := httptest.NewServer(l)
	defer server.Close()
	response, err := http.Get(server.URL + "/log/ct/v1/get-sth")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var head struct {
		Root []byte `json:"sha256_root_hash"`
	}
	if err := json.Unmarshal(body, &head); err != nil {
		t.Fatal(err)
	}
	return head.Root
}
