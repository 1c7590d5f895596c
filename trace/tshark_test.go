package trace_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/trace"
	"github.com/tlswright/tlswright/wire"
)

// tshark runs Wireshark without its window over a packet capture, and returns what it says.
func tshark(t testing.TB, file []byte, args ...string) []byte {
	t.Helper()
	program := pkitest.Program(t, "tshark")
	name := filepath.Join(t.TempDir(), "capture.pcapng")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, append([]string{"-r", name, "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir()) // nobody's preferences
	var out, bad bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &bad
	if err := cmd.Run(); err != nil {
		t.Fatalf("tshark: %v\n%s", err, bad.String())
	}
	return out.Bytes()
}

// exchange is an HTTP request and its answer over TLS on the loopback interface, recorded by the client.
func exchange(t testing.TB, version wire.Version, address string, roots *tlsnet.Config) *trace.Recorder {
	t.Helper()
	var recorder *trace.Recorder
	c := *roots
	c.ServerName = "localhost"
	c.Core.MinVersion, c.Core.MaxVersion = version, version
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	recorder = trace.NewRecorder(trace.Client, trace.Endpoint{Address: nc.LocalAddr().String()}, trace.Endpoint{Name: "localhost", Address: address}, time.Now)
	c.Observer = func() tlscore.Observer { return recorder }
	c.Secrets = func() tlscore.Secrets { return recorder }
	conn, err := tlsnet.Client(nc, &c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(conn); err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.")) {
		t.Fatalf("answer %.60q, %v", answer, err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	return recorder
}

// ourServer answers one HTTP request a connection.
func ourServer(t testing.TB, ca *pkitest.CA) string {
	t.Helper()
	leaf := ca.Server(pkitest.P256)
	l, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{Identities: []tlsnet.Identity{{Chain: leaf.Chain, Key: leaf.Key}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				if n, err := nc.Read(make([]byte, 1000)); n > 0 && err == nil {
					io.WriteString(nc, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhello\n")
				}
			}()
		}
	}()
	return l.Addr().String()
}

// opensslServer answers HTTP requests with OpenSSL's s_server.
func opensslServer(t testing.TB, ca *pkitest.CA) string {
	t.Helper()
	program := pkitest.Program(t, "openssl")
	files := ca.Server(pkitest.P256).Files()
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "s_server", "-accept", "127.0.0.1:0", "-cert", files.Cert, "-cert_chain", files.Chain, "-key", files.Key, "-www")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); _ = cmd.Wait() })
	var said []byte
	for b := make([]byte, 1); ; {
		if _, err := out.Read(b); err != nil {
			t.Fatalf("openssl said %q: %v", said, err)
		}
		if said = append(said, b...); b[0] != '\n' {
			continue
		}
		if _, at, ok := strings.Cut(string(said), "ACCEPT "); ok {
			go io.Copy(io.Discard, out)
			return strings.TrimSpace(at)
		}
	}
}

func servers(t testing.TB, ca *pkitest.CA) map[string]func() string {
	return map[string]func() string{
		"ours":    func() string { return ourServer(t, ca) },
		"openssl": func() string { return opensslServer(t, ca) },
	}
}

func TestWiresharkReadsOurs(t *testing.T) {
	pkitest.Program(t, "tshark")
	ca := pkitest.New(t, pkitest.P256)
	for name, server := range servers(t, ca) {
		for version, messages := range map[wire.Version][]string{
			wire.VersionTLS13: {"Client Hello", "Server Hello", "Encrypted Extensions", "Certificate", "Certificate Verify", "Finished", "New Session Ticket"},
			wire.VersionTLS12: {"Client Hello", "Server Hello", "Certificate", "Server Key Exchange", "Server Hello Done", "Client Key Exchange", "Finished"},
		} {
			t.Run(name+"/"+version.String(), func(t *testing.T) {
				r := decode(t, exchange(t, version, server(), &tlsnet.Config{Roots: ca.Roots()}).Capture())
				whole(t, r)
				var file bytes.Buffer
				if err := trace.Write(&file, r, "pcapng", trace.Options{Secrets: true}); err != nil {
					t.Fatal(err)
				}
				seen := string(tshark(t, file.Bytes(), "-V"))
				for _, m := range append(messages, "GET / HTTP/1.1", "HTTP/1.", "Close Notify") {
					if !strings.Contains(seen, m) {
						t.Errorf("Wireshark sees no %s", m)
					}
				}
				complaints(t, file.Bytes())
				// It reads back as the same connection, with the same secrets.
				again := decode(t, only(t, file.Bytes()))
				whole(t, again)
				if len(again.Messages) != len(r.Messages) || again.Summary.CipherSuite != r.Summary.CipherSuite {
					t.Errorf("read again: %d messages, not %d", len(again.Messages), len(r.Messages))
				}
				if name != "ours" {
					return
				}
				// Without secrets nothing is readable.
				file.Reset()
				if err := trace.Write(&file, r, "pcapng", trace.Options{}); err != nil {
					t.Fatal(err)
				}
				if seen := string(tshark(t, file.Bytes(), "-V")); strings.Contains(seen, "GET / HTTP") || strings.Contains(seen, "Encrypted Extensions") {
					t.Error("it is readable without secrets")
				}
			})
		}
	}
}

// complaints checks that Wireshark finds each checksum right, and nothing to warn of.
func complaints(t *testing.T, file []byte) {
	t.Helper()
	out := tshark(t, file, "-T", "fields", "-E", "separator=;", "-e", "tcp.checksum.status", "-e", "_ws.malformed", "-e", "_ws.expert.severity", "-e", "_ws.expert.message")
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(packets(t, file)) {
		t.Errorf("Wireshark sees %d packets of %d", len(lines), len(packets(t, file)))
	}
	for i, line := range lines {
		values := strings.Split(line, ";")
		if values[0] != "1" || values[1] != "" {
			t.Errorf("packet %d: checksum or form: %s", i+1, line)
		}
		for _, severity := range strings.Split(values[2], ",") {
			const note = 0x400000
			if n, err := strconv.Atoi(severity); severity != "" && (err != nil || n > note) {
				t.Errorf("packet %d: %s", i+1, line)
			}
		}
	}
}

// pdml is a field of Wireshark's.
type pdml struct {
	Name   string `xml:"name,attr"`
	Show   string `xml:"show,attr"`
	Value  string `xml:"value,attr"`
	Pos    int    `xml:"pos,attr"`
	Size   int    `xml:"size,attr"`
	Fields []pdml `xml:"field"`
	Protos []pdml `xml:"proto"`
}

// walk calls a function for a field and all fields in it, until it returns false.
func (f *pdml) walk(visit func(*pdml) bool) {
	if !visit(f) {
		return
	}
	for i := range f.Fields {
		f.Fields[i].walk(visit)
	}
}

// leaf reports whether no field of TLS is in it: what a certificate consists of is not ours to compare.
func (f *pdml) leaf() bool {
	return !slices.ContainsFunc(f.Fields, func(in pdml) bool { return in.ofTLS() })
}

// ofTLS reports whether it is a field of TLS, or text among such.
func (f *pdml) ofTLS() bool { return f.Name == "" || strings.HasPrefix(f.Name, "tls.") }

// theirs are the records and messages of a side, as Wireshark sees them.
type theirs struct{ records, messages []*pdml }

// dissect lets Wireshark take a capture apart. What is decrypted it shows with positions in the decrypted bytes.
func dissect(t *testing.T, file []byte) map[trace.Side]*theirs {
	t.Helper()
	var doc struct {
		Packets []pdml `xml:"packet"`
	}
	if err := xml.Unmarshal(tshark(t, file, "-T", "pdml"), &doc); err != nil {
		t.Fatal(err)
	}
	all := map[trace.Side]*theirs{trace.Client: {}, trace.Server: {}}
	client := ""
	for i := range doc.Packets {
		port := ""
		for j := range doc.Packets[i].Protos {
			p := &doc.Packets[i].Protos[j]
			p.walk(func(f *pdml) bool {
				if f.Name == "tcp.srcport" {
					port = f.Show
				}
				return true
			})
			if client == "" && port != "" {
				client = port
			}
			side := trace.Server
			if port == client {
				side = trace.Client
			}
			if p.Name != "tls" {
				continue
			}
			p.walk(func(f *pdml) bool {
				switch f.Name {
				case "tls.record":
					all[side].records = append(all[side].records, f)
				case "tls.handshake":
					all[side].messages = append(all[side].messages, f)
				}
				return true
			})
		}
	}
	return all
}

// agreeOn checks that each of Wireshark's fields begins and ends where fields of ours do, over the same bytes, and that
// each of ours lies inside one of the smallest of theirs. It returns how many it compared.
func agreeOn(t *testing.T, what string, of *pdml, raw []byte, ours []trace.Field) (compared int) {
	t.Helper()
	if of.Size != len(raw) || len(of.Fields) == 0 {
		t.Errorf("%s: Wireshark's has %d bytes, ours %d", what, of.Size, len(raw))
		return 0
	}
	base := of.Fields[0].Pos // of what is decrypted Wireshark gives the place of the message in the packet, of its fields not
	starts, ends := map[int]bool{}, map[int]bool{}
	for _, f := range ours {
		starts[f.Offset], ends[f.Offset+f.Length] = true, true
	}
	type piece struct{ at, end int }
	var leaves []piece
	of.walk(func(f *pdml) bool {
		if f.Size == 0 || !f.ofTLS() { // worked out, or another package's
			return f.ofTLS()
		}
		if f == of {
			return true
		}
		at := f.Pos - base
		end := at + f.Size
		if at < 0 || end > len(raw) {
			t.Errorf("%s: Wireshark's %s %q is at %d to %d", what, f.Name, f.Show, at, end)
			return false
		}
		compared++
		if value, err := hex.DecodeString(f.Value); f.Value != "" && (err != nil || !bytes.Equal(value, raw[at:end])) {
			t.Errorf("%s: Wireshark's %s has other bytes: %s, not %x", what, f.Name, f.Value, raw[at:end])
		}
		if !starts[at] || !ends[end] {
			t.Errorf("%s: Wireshark's %s %q is at %d to %d, where no field of ours begins and ends", what, f.Name, f.Show, at, end)
		}
		if f.leaf() || historic(f.Name) {
			leaves = append(leaves, piece{at, end})
			return false
		}
		return true
	})
	for _, f := range ours {
		in := slices.ContainsFunc(leaves, func(p piece) bool { return p.at <= f.Offset && f.Offset+f.Length <= p.end })
		if !in {
			t.Errorf("%s: our %s, %d bytes at %d, lies in no field of Wireshark's", what, f.Path, f.Length, f.Offset)
		}
	}
	return compared
}

// historic reports whether Wireshark cuts a value as older versions did, which RFC 8446 does not: a random into a time and
// the rest, a signature scheme into a hash and an algorithm.
func historic(name string) bool {
	return name == "tls.handshake.random" || name == "tls.handshake.sig_hash_alg"
}

func TestWiresharkAgreesOnEachField(t *testing.T) {
	pkitest.Program(t, "tshark")
	ca := pkitest.New(t, pkitest.P256)
	for name, server := range servers(t, ca) {
		for _, version := range []wire.Version{wire.VersionTLS13, wire.VersionTLS12} {
			t.Run(name+"/"+version.String(), func(t *testing.T) {
				r := decode(t, exchange(t, version, server(), &tlsnet.Config{Roots: ca.Roots()}).Capture())
				all := dissect(t, pcapng(t, r.Capture()))
				compared := 0
				for _, side := range []trace.Side{trace.Client, trace.Server} {
					theirs := all[side]
					at := 0
					for i := range r.Records {
						rec := &r.Records[i]
						if rec.From != side {
							continue
						}
						if at == len(theirs.records) {
							t.Fatalf("Wireshark sees %d records of the %s", at, side)
						}
						compared += compareRecord(t, fmt.Sprintf("record %d", i), theirs.records[at], rec)
						at++
					}
					if at != len(theirs.records) {
						t.Errorf("Wireshark sees %d records of the %s, we %d", len(theirs.records), side, at)
					}
					at = 0
					for i := range r.Messages {
						m := &r.Messages[i]
						if m.From != side {
							continue
						}
						if at == len(theirs.messages) {
							t.Fatalf("Wireshark sees %d messages of the %s", at, side)
						}
						compared += agreeOn(t, m.Type+" of the "+string(side), theirs.messages[at], m.Raw, m.Fields)
						at++
					}
					if at != len(theirs.messages) {
						t.Errorf("Wireshark sees %d messages of the %s, we %d", len(theirs.messages), side, at)
					}
				}
				t.Logf("%d fields of Wireshark's compared", compared)
			})
		}
	}
}

// compareRecord compares the header of a record, and the place of what is in it.
func compareRecord(t *testing.T, what string, of *pdml, rec *trace.Record) (compared int) {
	t.Helper()
	if of.Size != len(rec.Raw) {
		t.Errorf("%s: Wireshark's has %d bytes, ours %d", what, of.Size, len(rec.Raw))
	}
	for i := range of.Fields {
		f := &of.Fields[i]
		if !strings.HasPrefix(f.Name, "tls.record.") && f.Name != "tls.app_data" || f.Size == 0 {
			continue
		}
		at := f.Pos - of.Pos
		end := at + f.Size
		if f.Name == "tls.record.opaque_type" {
			at, end = 0, 1
		}
		compared++
		starts := slices.ContainsFunc(rec.Fields, func(o trace.Field) bool { return o.Offset == at })
		ends := slices.ContainsFunc(rec.Fields, func(o trace.Field) bool { return o.Offset+o.Length == end })
		if !starts || !ends {
			t.Errorf("%s: Wireshark's %s is at %d to %d, where no field of ours begins and ends", what, f.Name, at, end)
		}
	}
	return compared
}

// TestWiresharkReadsIPv6 checks the packets of the other family, and those around a gap.
func TestWiresharkReadsIPv6(t *testing.T) {
	c := connection(t, wire.VersionTLS13).Capture()
	c.Client.Address, c.Server.Address = "[2001:db8::7]:50000", "[2001:db8::9]:443"
	file := pcapng(t, c)
	complaints(t, file)
	if seen := string(tshark(t, file, "-V")); !strings.Contains(seen, "GET /private") || !strings.Contains(seen, "Encrypted Extensions") {
		t.Error("it is not readable")
	}
	c.Segments = slices.Delete(c.Segments, 3, 4)
	file = pcapng(t, c)
	if bad := tshark(t, file, "-Y", `_ws.malformed || tcp.checksum.status != 1`); len(bad) > 0 {
		t.Errorf("Wireshark complains about a gap:\n%s", bad)
	}
	if lost := tshark(t, file, "-Y", "tcp.analysis.lost_segment"); len(lost) == 0 {
		t.Error("Wireshark misses no packet")
	}
}

// TestReadPcapOfWireshark reads files that Wireshark's programs have written.
func TestReadPcapOfWireshark(t *testing.T) {
	editcap := pkitest.Program(t, "editcap")
	r := connection(t, wire.VersionTLS13)
	c := r.Capture()
	dir := t.TempDir()
	plain, keys, out := filepath.Join(dir, "plain.pcapng"), filepath.Join(dir, "keys.txt"), filepath.Join(dir, "out")
	var log bytes.Buffer
	if err := trace.WriteKeyLog(&log, c.KeyLog); err != nil {
		t.Fatal(err)
	}
	c.KeyLog = nil
	for name, data := range map[string][]byte{plain: pcapng(t, c), keys: log.Bytes()} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"-F", "pcapng", "--inject-secrets", "tls," + keys}, {"-F", "pcap"}, {"-F", "nsecpcap"}, {"-F", "pcap", "-d"},
	} {
		if said, err := pkitest.Run(t, editcap, append(args, plain, out)...); err != nil {
			t.Fatalf("editcap %v: %v\n%s", args, err, said)
		}
		file, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		got := only(t, file)
		sameStreams(t, got, c)
		secrets := slices.Contains(args, "--inject-secrets")
		if decoded := decode(t, got); (len(got.KeyLog) > 0) != secrets || decoded.Summary.Complete != secrets {
			t.Errorf("editcap %v: %d secrets, complete %v", args, len(got.KeyLog), decoded.Summary.Complete)
		}
	}
}
