package acmeserver_test

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"io"
	"testing"
)

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func unJSON(t testing.TB, b []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

// derSerial is the serial number as the contents of a DER INTEGER.
func derSerial(t *testing.T, c *x509.Certificate) []byte {
	t.Helper()
	der, err := asn1.Marshal(c.SerialNumber)
	if err != nil {
		t.Fatal(err)
	}
	return der[2:]
}

func (w *world) get(t *testing.T, url string) *answer {
	t.Helper()
	r, err := w.web.Client().Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &answer{status: r.StatusCode, header: r.Header, body: body}
}
