package cli

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
)

// TestTimestampsAreJudgedByAListOfLogs shows the certificate of the test vectors of Certificate Transparency with a list that
// has its log, and with one that has not.
func TestTimestampsAreJudgedByAListOfLogs(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "pki", "ct", "testdata", "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Log, CA, Embedded []byte
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	chain := write("chain.pem", string(pki.AppendCertificatePEM(pki.AppendCertificatePEM(nil, vectors.Embedded), vectors.CA)))
	id := sha256.Sum256(vectors.Log)
	log := `{"description": "Example 2012", "log_id": "` + base64.StdEncoding.EncodeToString(id[:]) + `", "key": "` +
		base64.StdEncoding.EncodeToString(vectors.Log) + `", "url": "https://log.test/", "mmd": 86400, "state": {"usable": {"timestamp": "2012-01-01T00:00:00Z"}}}`
	spki, err := x509.MarshalPKIXPublicKey(pkitest.New(t, pkitest.P256).Key.Public())
	if err != nil {
		t.Fatal(err)
	}
	otherID := sha256.Sum256(spki)
	other := strings.NewReplacer(base64.StdEncoding.EncodeToString(id[:]), base64.StdEncoding.EncodeToString(otherID[:]),
		base64.StdEncoding.EncodeToString(vectors.Log), base64.StdEncoding.EncodeToString(spki)).Replace(log)
	list := func(logs string) string {
		return `{"version": "1", "log_list_timestamp": "2026-11-01T00:00:00Z", "operators": [{"name": "Example", "email": [], "logs": [` + logs + `]}]}`
	}
	out, errOut, code := runCert(t, "cert", "show", chain)
	if code != exitDone || !strings.Contains(out, "logged      by log "+base64.StdEncoding.EncodeToString(id[:])) {
		t.Errorf("%d\n%s%s", code, out, errOut)
	}
	out, errOut, code = runCert(t, "cert", "show", "--first", "--log-list", write("logs.json", list(log)), chain)
	if code != exitDone || !strings.Contains(out, "valid: Example 2012 of Example, signed by the log on 2013-04-05") || !strings.Contains(out, "not enough for browsers") {
		t.Errorf("%d\n%s%s", code, out, errOut)
	}
	out, errOut, code = runCert(t, "cert", "show", "--json", "--log-list", write("other.json", list(other)), chain)
	if code != exitDone || !strings.Contains(out, `"status": "unknown log"`) {
		t.Errorf("%d\n%s%s", code, out, errOut)
	}
	if _, _, code := runCert(t, "cert", "show", "--log-list", chain, chain); code != exitCannotRun {
		t.Errorf("a list that is none: %d", code)
	}
}
