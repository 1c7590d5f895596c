package trace_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/trace"
)

// hexOf is n bytes in hexadecimal.
func hexOf(n int) string { return strings.Repeat("5a", n) }

func TestReadKeyLog(t *testing.T) {
	random := " " + hexOf(32) + " "
	text := "# made by a test\n\n" +
		"CLIENT_HANDSHAKE_TRAFFIC_SECRET" + random + hexOf(32) + "\n" +
		"SERVER_TRAFFIC_SECRET_12" + random + hexOf(48) + "\r\n" +
		"CLIENT_RANDOM" + random + strings.ToUpper(hexOf(48)) + "\n" +
		"RSA 0011223344556677 00\n" + // another way to name a connection
		"QUIC_CLIENT_SOMETHING" + random + "00\n" +
		"SERVER_TRAFFIC_SECRET_" + random + hexOf(32) + "\n" +
		strings.Repeat("x", 10000) + "\n" +
		"EXPORTER_SECRET" + random + hexOf(32) + "\n" +
		"CLIENT_TRAFFIC_SECRET_0" + random + "5" // whoever wrote it is still at it
	lines, err := trace.ReadKeyLog(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var labels []string
	for _, l := range lines {
		labels = append(labels, l.Label)
	}
	if got, want := strings.Join(labels, " "), "CLIENT_HANDSHAKE_TRAFFIC_SECRET SERVER_TRAFFIC_SECRET_12 CLIENT_RANDOM EXPORTER_SECRET"; got != want {
		t.Errorf("labels are %s", got)
	}
	var out bytes.Buffer
	if err := trace.WriteKeyLog(&out, lines); err != nil {
		t.Fatal(err)
	}
	again, err := trace.ReadKeyLog(&out)
	if err != nil || len(again) != len(lines) {
		t.Errorf("written and read again: %d lines, %v", len(again), err)
	}
}

func TestReadKeyLogRefuses(t *testing.T) {
	for _, line := range []string{
		"CLIENT_RANDOM", "CLIENT_RANDOM " + hexOf(32), "CLIENT_RANDOM " + hexOf(31) + " " + hexOf(48), "CLIENT_RANDOM " + hexOf(32) + " " + hexOf(48) + " 00",
		"CLIENT_RANDOM " + hexOf(32) + " 5", "CLIENT_RANDOM " + hexOf(32) + " " + hexOf(65), "EXPORTER_SECRET x" + hexOf(32) + " " + hexOf(32),
	} {
		if _, err := trace.ReadKeyLog(strings.NewReader("# one\n" + line + "\n")); !errors.Is(err, trace.ErrKeyLog) || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%.60s: %v", line, err)
		}
	}
}

func FuzzReadKeyLog(f *testing.F) {
	f.Add([]byte("# comment\nCLIENT_RANDOM " + hexOf(32) + " " + hexOf(48) + "\n"))
	f.Add([]byte("CLIENT_TRAFFIC_SECRET_0 " + hexOf(32) + " " + hexOf(32)))
	f.Add([]byte("EXPORTER_SECRET " + hexOf(32) + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		lines, err := trace.ReadKeyLog(bytes.NewReader(data))
		if err != nil {
			return
		}
		var out, second bytes.Buffer
		_ = trace.WriteKeyLog(&out, lines)
		again, err := trace.ReadKeyLog(bytes.NewReader(out.Bytes()))
		if err != nil {
			t.Fatalf("%v of what was written", err)
		}
		_ = trace.WriteKeyLog(&second, again)
		if !bytes.Equal(out.Bytes(), second.Bytes()) {
			t.Fatal("read again, it is something else")
		}
	})
}
