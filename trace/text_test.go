package trace_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/trace"
	"github.com/tlswright/tlswright/wire"
)

// connection records a connection with a request in it.
func connection(t testing.TB, version wire.Version) *trace.Recording {
	t.Helper()
	w := watch(t, tlscore.Config{MaxVersion: version}, serverConfig(t), tlscore.Options{})
	if err := w.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := w.Send(w.Client, []byte("GET /private HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := w.Run(); err != nil {
		t.Fatal(err)
	}
	return decode(t, w.client.Capture())
}

func write(t testing.TB, r *trace.Recording, format string, o trace.Options) string {
	t.Helper()
	var out bytes.Buffer
	if err := trace.Write(&out, r, format, o); err != nil {
		t.Fatalf("%s: %v", format, err)
	}
	return out.String()
}

func TestTextFitsItsWidth(t *testing.T) {
	escape := regexp.MustCompile("\x1b\\[[0-9;]*m")
	for _, version := range []wire.Version{wire.VersionTLS13, wire.VersionTLS12} {
		r := connection(t, version)
		for _, format := range []string{"text", "brief"} {
			for _, width := range []int{1, 60, 80, 100, 120, 200} {
				text := write(t, r, format, trace.Options{Width: width, Secrets: true})
				for _, line := range strings.Split(text, "\n") {
					if utf8.RuneCountInString(line) > max(width, 60) || strings.HasSuffix(line, " ") {
						t.Errorf("%s, %d columns: %q has %d", format, width, line, utf8.RuneCountInString(line))
					}
				}
				if strings.Contains(text, "\x1b") {
					t.Errorf("%s has colours", format)
				}
				colored := write(t, r, format, trace.Options{Width: width, Secrets: true, Color: true})
				var plain []string
				for _, line := range strings.Split(escape.ReplaceAllString(colored, ""), "\n") {
					plain = append(plain, strings.TrimRight(line, " "))
				}
				if !strings.Contains(colored, "\x1b") || strings.Join(plain, "\n") != text {
					t.Errorf("%s, %d columns: with colours it says something else", format, width)
				}
			}
		}
	}
}

// onTheLeft puts the bytes together that stand on the left of a text.
func onTheLeft(text string) (left []byte) {
	row := regexp.MustCompile(`^ *[0-9a-f]{4,}  ((?:[0-9a-f]{2} )*[0-9a-f]{2})(?:  |$)`)
	for _, line := range strings.Split(text, "\n") {
		if found := row.FindStringSubmatch(line); found != nil {
			b, _ := hex.DecodeString(strings.ReplaceAll(found[1], " ", ""))
			left = append(left, b...)
		}
	}
	return left
}

// TestTextShowsEveryByte looks for each record and each message on the left.
func TestTextShowsEveryByte(t *testing.T) {
	for _, version := range []wire.Version{wire.VersionTLS13, wire.VersionTLS12} {
		r := connection(t, version)
		for _, width := range []int{80, 120} {
			left := onTheLeft(write(t, r, "text", trace.Options{Width: width, All: true, Secrets: true}))
			for _, rec := range r.Records {
				if !bytes.Contains(left, rec.Raw) {
					t.Errorf("record %d is not whole", rec.ID)
				}
			}
			for _, m := range r.Messages {
				if !bytes.Contains(left, m.Raw) {
					t.Errorf("%s is not whole", m.Type)
				}
			}
			if !bytes.Contains(left, []byte("GET /private")) {
				t.Error("the request is missing")
			}
		}
	}
}

func TestBriefIsBrief(t *testing.T) {
	for version, want := range map[wire.Version][]string{
		wire.VersionTLS13: {"TLS 1.3", "TLS_AES_256_GCM_SHA384", "X25519MLKEM768", "a.example", "CN=test", "right", "handshake", "bytes", "100 % explained", "holds the secrets"},
		wire.VersionTLS12: {"TLS 1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "x25519", "ecdsa_secp256r1_sha256"},
	} {
		text := write(t, connection(t, version), "brief", trace.Options{Width: 120, Secrets: true})
		if n := strings.Count(text, "\n"); n > 14 {
			t.Errorf("%d lines", n)
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("no %q in\n%s", w, text)
			}
		}
	}
}

func TestTextOfWhatAPeerSays(t *testing.T) {
	r := &trace.Recording{
		Schema: trace.Schema, Client: trace.Endpoint{Name: "a\x1b[31m\u202eb"}, Cut: "x\x07",
		Records:  []trace.Record{{From: trace.Client, Raw: trace.Hex{1, 2, 3}, Type: "t\x1b", Problem: "p\x1b", Fields: []trace.Field{{Path: "a\x1bb", Length: 3, Value: "v\r\n", Meaning: "\x9b"}, {Offset: 2, Length: 9}}}},
		Messages: []trace.Message{{From: trace.Server, Type: "m\x1b", Meaning: "\u2028"}, {Spans: []trace.Span{{Record: 77}}}},
		Rest:     []trace.Rest{{From: trace.Server, Raw: trace.Hex("\x1b[0m"), Why: "\x1b"}},
		Keys:     []trace.Derivation{{Name: "k\x1b", Label: "\x1b", From: []int{5, -1, 0}, UpTo: 9, Fed: []trace.FieldRef{{Message: 9}, {Path: "\x1b"}}}},
		Checks:   []trace.Check{{Name: "\x1b", Text: "\x1b", Result: "\x1b"}},
		Failure:  &trace.Failure{Text: "\x1b", After: 9, Change: "\x1b"},
	}
	for _, format := range []string{"text", "brief", "rfc8448"} {
		text := write(t, r, format, trace.Options{Secrets: true})
		if strings.ContainsAny(text, "\x1b\x07\r\u009b\u202e\u2028") || !utf8.ValidString(text) {
			t.Errorf("%s lets control characters through: %q", format, text)
		}
	}
}

func TestWriteKeepsSecrets(t *testing.T) {
	for _, version := range []wire.Version{wire.VersionTLS13, wire.VersionTLS12} {
		r := connection(t, version)
		secrets := [][]byte{[]byte("GET /private")}
		for _, k := range r.Keys {
			if len(k.Output) >= 12 && k.Name != "zeros" && k.Name != "early_secret" && k.Name != "early_secret derived" && k.Name != "verify_data" {
				secrets = append(secrets, k.Output)
			}
		}
		if len(secrets) < 5 {
			t.Fatalf("only %d secrets to look for", len(secrets))
		}
		for _, format := range trace.Formats() {
			var out, all bytes.Buffer
			if err := trace.Write(&all, r, format, trace.Options{Secrets: true, All: true}); err != nil {
				t.Errorf("%s: %v", format, err)
			}
			err := trace.Write(&out, r, format, trace.Options{All: true})
			if format == "keylog" {
				if !errors.Is(err, trace.ErrNoSecrets) || out.Len() > 0 {
					t.Errorf("a key log without secrets: %v, %q", err, out.String())
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", format, err)
			}
			if format != "pcapng" && format != "brief" && !holds(all.Bytes(), secrets[0]) {
				t.Errorf("%s with secrets has not even the request", format)
			}
			for _, secret := range secrets {
				if holds(out.Bytes(), secret) {
					t.Errorf("%s lets %x through", format, secret)
				}
			}
		}
	}
}

// holds looks for bytes, as they are or in hexadecimal of any layout.
func holds(text, secret []byte) bool {
	packed := regexp.MustCompile(`[\s:,]`).ReplaceAll(text, nil)
	return bytes.Contains(text, secret) || bytes.Contains(onTheLeft(string(text)), secret) || bytes.Contains(bytes.ToLower(packed), hex.AppendEncode(nil, secret))
}

func TestWriteRefuses(t *testing.T) {
	if err := trace.Write(&bytes.Buffer{}, &trace.Recording{}, "xml", trace.Options{}); !errors.Is(err, trace.ErrNoFormat) {
		t.Error(err)
	}
	for _, format := range trace.Formats() {
		if format == "keylog" {
			continue
		}
		if err := trace.Write(brokenWriter{}, connection(t, wire.VersionTLS13), format, trace.Options{}); !errors.Is(err, errBroken) {
			t.Errorf("%s: %v", format, err)
		}
	}
}

var errBroken = errors.New("broken")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

// FuzzWrite writes whatever passes for a recording.
func FuzzWrite(f *testing.F) {
	for _, version := range []wire.Version{wire.VersionTLS13, wire.VersionTLS12} {
		b, err := connection(f, version).JSON()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint8(80))
	}
	f.Add([]byte(`{"schema":"tlswright-trace/1","records":[{"id":0,"from":"client","raw":"160301","fields":[{"path":"a","offset":0,"length":3}]}],"messages":[],"keys":[],"checks":[]}`), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, width uint8) {
		r, err := trace.ReadJSON(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, format := range trace.Formats() {
			for _, secrets := range []bool{false, true} {
				var out bytes.Buffer
				err := trace.Write(&out, r, format, trace.Options{Width: int(width), Secrets: secrets})
				if err != nil && !errors.Is(err, trace.ErrNoSecrets) {
					t.Fatalf("%s: %v", format, err)
				}
				if format != "pcapng" && bytes.ContainsAny(out.Bytes(), "\x1b\x07\r") {
					t.Fatalf("%s lets control characters through", format)
				}
			}
		}
	})
}
