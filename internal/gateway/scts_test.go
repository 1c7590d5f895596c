package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"os"
	"path/filepath"
	"testing"

	"github.com/tlswright/tlswright/pki/ct"
)

// Signed certificate timestamps of a file come along in the handshake, here to crypto/tls; a file that is none is refused.
func TestTimestampsComeAlong(t *testing.T) {
	w := newWorld(t)
	sct := ct.SCT{Timestamp: 1_790_000_000_000, Hash: 4, Algorithm: 3, Signature: []byte("signature")}
	want, err := sct.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	list, err := ct.AppendList(nil, []ct.SCT{sct})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(w.dir, "app.scts")
	pair := &w.config.Sites[0].Certificate.Files[0]
	pair.SCTs = file
	if err := os.WriteFile(file, []byte("no list"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(w.config, w.options); err == nil {
		t.Fatal("a file that holds no timestamps was taken")
	}
	if err := os.WriteFile(file, list, 0o600); err != nil {
		t.Fatal(err)
	}
	w.start()
	d := &tls.Dialer{Config: &tls.Config{ServerName: "app.test", InsecureSkipVerify: true}}
	c, err := d.DialContext(context.Background(), "tcp", w.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got := c.(*tls.Conn).ConnectionState().SignedCertificateTimestamps
	if len(got) != 1 || !bytes.Equal(got[0], want) {
		t.Errorf("%d timestamps came along: %x", len(got), got)
	}
}
