package trace_test

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/trace"
	"github.com/tlswright/tlswright/wire"
)

// vectors is the text of the draft that became RFC 8448.
func vectors(t testing.TB) []byte {
	t.Helper()
	f, err := os.Open("testdata/rfc8448/draft-ietf-tls-tls13-vectors.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func asRFC8448(t testing.TB, r *trace.Recording) string {
	t.Helper()
	var out bytes.Buffer
	if err := trace.WriteRFC8448(&out, r); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// readBack reads what was written, and takes it apart.
func readBack(t testing.TB, text string) *trace.Recording {
	t.Helper()
	all, err := trace.ReadRFC8448(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 {
		t.Fatalf("%d traces", len(all))
	}
	return decode(t, all[0])
}

// TestReadRFC8448 reads the RFC's own traces: each record opens, each step of the key schedule and each check comes out
// as it should, and what is written of it reads as the same.
func TestReadRFC8448(t *testing.T) {
	all, err := trace.ReadRFC8448(bytes.NewReader(vectors(t)))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 5 {
		t.Fatalf("%d traces", len(all))
	}
	want := []struct {
		messages                         int
		retry, resumed, clientAuth, data bool
	}{{8, false, false, false, true}, {6, false, true, false, true}, {9, true, false, false, false}, {10, false, false, true, false}, {7, false, false, false, false}}
	for i, c := range all {
		r := decode(t, c)
		s := r.Summary
		if len(r.Messages) != want[i].messages || s.HelloRetry != want[i].retry || s.Resumed != want[i].resumed || s.ClientAuth != want[i].clientAuth || !s.Complete {
			t.Errorf("trace %d: %d messages, %+v", i+3, len(r.Messages), s)
		}
		if s.AnnotatedBytes != s.ClientBytes+s.ServerBytes || r.Failure != nil {
			t.Errorf("trace %d: %d bytes of %d and %d, failure %v", i+3, s.AnnotatedBytes, s.ClientBytes, s.ServerBytes, r.Failure)
		}
		data := false
		for _, rec := range r.Records {
			data = data || rec.Inner == "application_data"
			if rec.Problem != "" || rec.Type == "application_data" && !rec.Opened {
				t.Errorf("trace %d, record %d: %s", i+3, rec.ID, rec.Problem)
			}
		}
		if data != want[i].data {
			t.Errorf("trace %d: application data %v", i+3, data)
		}
		for _, k := range r.Keys {
			if !k.Agrees {
				t.Errorf("trace %d: %s does not agree", i+3, k.Name)
			}
		}
		for _, check := range r.Checks {
			if check.Result != "right" && check.Name != "certificate path" { // theirs are for nobody
				t.Errorf("trace %d: %s is %s: %s", i+3, check.Name, check.Result, check.Text)
			}
		}
		first := asRFC8448(t, r)
		if second := asRFC8448(t, readBack(t, first)); first != second {
			t.Errorf("trace %d is another after it was written and read", i+3)
		}
	}
}

func TestRFC8448ThereAndBack(t *testing.T) {
	for name, config := range map[string]tlscore.Config{
		"TLS 1.3": {}, "TLS 1.2": {MaxVersion: wire.VersionTLS12}, "retry": {Groups: []wire.Group{wire.GroupX25519}}, "SHA-384": {CipherSuites: []wire.CipherSuite{wire.TLS_AES_256_GCM_SHA384}},
	} {
		t.Run(name, func(t *testing.T) {
			w := watch(t, config, serverConfig(t), tlscore.Options{})
			if err := w.Handshake(); err != nil {
				t.Fatal(err)
			}
			if err := w.Send(w.Client, []byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
				t.Fatal(err)
			}
			if err := w.Run(); err != nil {
				t.Fatal(err)
			}
			for _, recorder := range []*trace.Recorder{w.client, w.server} {
				r := decode(t, recorder.Capture())
				first := asRFC8448(t, r)
				got := readBack(t, first)
				whole(t, got)
				if second := asRFC8448(t, got); first != second {
					t.Errorf("another after it was written and read: %s", firstDifference(first, second))
				}
				if len(got.Messages) != len(r.Messages) || len(got.Keys) != len(r.Keys) || got.Summary.Group != r.Summary.Group {
					t.Errorf("%d messages, %d keys, not %d and %d", len(got.Messages), len(got.Keys), len(r.Messages), len(r.Keys))
				}
				public := asRFC8448(t, r.WithoutSecrets())
				if strings.Contains(public, "PRK") || strings.Contains(public, "IKM") || strings.Contains(public, "secret") {
					t.Error("without secrets it has some")
				}
				if got := readBack(t, public); got.Summary.CipherSuite != r.Summary.CipherSuite {
					t.Errorf("without secrets it reads as %v", got.Summary)
				}
			}
			for i, line := range strings.Split(asRFC8448(t, decode(t, w.client.Capture())), "\n") {
				if len(line) > 72 && i > 0 {
					t.Errorf("line %d has %d columns", i+1, len(line))
				}
			}
		})
	}
}

// firstDifference shows the first line that two texts differ in, and the ten before it.
func firstDifference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return strings.Join(as[max(i-10, 0):i], "\n") + "\n-" + as[i] + "\n+" + bs[i]
		}
	}
	return "one is shorter"
}

func TestReadRFC8448Refuses(t *testing.T) {
	const step = "   {client}  send handshake record:\n\n"
	for name, text := range map[string]string{
		"nothing":        "",
		"prose":          "In this example, the simplest possible handshake is completed.\n",
		"too few octets": step + "      complete record (6 octets):  16 03 01 00 01\n",
		"too many":       step + "      complete record (4 octets):  16 03 01 00 01\n",
		"no hex":         step + "      complete record (5 octets):  16 03 01 00 xx\n",
		"a huge size":    step + "      complete record (99999999999 octets):  16\n",
		"a long line":    step + "      complete record (5 octets):  " + strings.Repeat("00 ", 5000) + "\n",
	} {
		if _, err := trace.ReadRFC8448(strings.NewReader(text)); !errors.Is(err, trace.ErrRFC8448) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzReadRFC8448(f *testing.F) {
	text := vectors(f)
	f.Add(text[8000:20000])
	f.Add([]byte("1.  A\n\n   {server}  send alert record:\n\n      complete record (7 octets):  15 03\n         03 00 02 02 28\n"))
	f.Add([]byte("   {client}  derive write traffic keys for application+2 data:\n\n      PRK (2 octets):  00 11\n\n      key expanded (1 octets):  00\n\n" +
		"   {server}  extract secret \"early\":\n\n      salt:  0 (all zero octets)\n\n      secret (1 octets):  7f\n\n   {client}  send change_cipher_spec record:\n\n      bytes (1 octets):  2a\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := trace.ReadRFC8448(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, c := range all {
			first := asRFC8448(t, decode(t, c))
			got, err := trace.ReadRFC8448(strings.NewReader(first))
			if err != nil || len(got) != 1 {
				t.Fatalf("%v of what was written:\n%s", err, first)
			}
			sameStreams(t, got[0], c)
		}
	})
}

// TestEveryConnectionGoesThereAndBack writes every kind of connection as text and as packets, and reads both.
func TestEveryConnectionGoesThereAndBack(t *testing.T) {
	for _, s := range slices.Concat(basic(t, scenes13(t)), scenes12(t)) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			w := s.play(t)
			for _, recorder := range []*trace.Recorder{w.client, w.server} {
				r := decode(t, recorder.Capture())
				first := asRFC8448(t, r)
				got := readBack(t, first)
				if second := asRFC8448(t, got); first != second {
					t.Errorf("another after it was written and read: %s", firstDifference(first, second))
				}
				if len(got.Messages) != len(r.Messages) || len(got.Keys) != len(r.Keys) {
					t.Errorf("%d messages, %d keys, not %d and %d", len(got.Messages), len(got.Keys), len(r.Messages), len(r.Keys))
				}
				c := only(t, pcapng(t, r.Capture()))
				sameStreams(t, c, recorder.Capture())
				agrees(t, r.Summary, decode(t, c).Summary)
			}
		})
	}
}

// TestRFC8448ComesOutAgain writes the RFC's own connections: each value that it publishes is in the text, and the text
// reads as the same.
func TestRFC8448ComesOutAgain(t *testing.T) {
	secrets, all := rfcVectors(t, "secrets.vec"), rfcVectors(t, "transcripts.vec")
	for name, published := range secrets {
		t.Run(name, func(t *testing.T) {
			v := all[name]
			for key, raw := range published {
				if strings.HasPrefix(key, "Record_") {
					v[key] = raw
				}
			}
			c := rfcCapture(v)
			c.Derivations = rfcGiven(t, v, published)
			text := asRFC8448(t, decode(t, c))
			packed := []byte(strings.Join(strings.Fields(text), ""))
			for what, want := range published {
				if strings.HasPrefix(what, "hash ") && what != "hash ServerHello" { // the RFC shows them where they go into something
					continue
				}
				if !bytes.Contains(packed, hex.AppendEncode(nil, want)) {
					t.Errorf("%s is not in the text: %x", what, want)
				}
			}
			if second := asRFC8448(t, readBack(t, text)); text != second {
				t.Errorf("another after it was written and read: %s", firstDifference(text, second))
			}
		})
	}
}
