package trace_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/trace"
)

// TestWiresharkAgreesOnFingerprints holds JA3 and JA3S, in full and hashed, against another program's reading of the same
// packets.
func TestWiresharkAgreesOnFingerprints(t *testing.T) {
	old, new := bothVersions(t)
	for _, r := range []*trace.Recording{old, new} {
		var file bytes.Buffer
		if err := trace.WritePcapng(&file, r.Capture()); err != nil {
			t.Fatal(err)
		}
		theirs := strings.Fields(string(tshark(t, file.Bytes(), "-T", "fields", "-E", "occurrence=f",
			"-e", "tls.handshake.ja3_full", "-e", "tls.handshake.ja3", "-e", "tls.handshake.ja3s_full", "-e", "tls.handshake.ja3s")))
		f := r.Fingerprints()
		ours := []string{f.JA3Text, f.JA3, f.JA3SText, f.JA3S}
		if strings.Join(theirs, "\n") != strings.Join(ours, "\n") {
			t.Errorf("%s: ours are\n%s\nand Wireshark's are\n%s", r.Summary.Version, strings.Join(ours, "\n"), strings.Join(theirs, "\n"))
		}
	}
}
