package trace_test

import (
	"bytes"
	"crypto/ecdh"
	"encoding/hex"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/trace"
	"github.com/tlswright/tlswright/wire"
)

// rfcVectors reads "Name = hex" lines by section, of files that package record keeps, where their source is named.
func rfcVectors(t testing.TB, name string) map[string]map[string][]byte {
	t.Helper()
	data, err := os.ReadFile("../internal/record/testdata/rfc8448/" + name)
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]map[string][]byte{}
	var section map[string][]byte
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = map[string][]byte{}
			sections[strings.Trim(line, "[]")] = section
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		if raw, err := hex.DecodeString(strings.ReplaceAll(value, " ", "")); err == nil {
			section[strings.TrimSpace(key)] = raw
		}
	}
	return sections
}

// rfcCapture puts the records of a trace into the order in which they were sent.
func rfcCapture(v map[string][]byte) *trace.Capture {
	c := &trace.Capture{}
	at := map[trace.Side]uint64{}
	for _, name := range []string{
		"Record_ClientHello_1", "Record_Client_EarlyAppData", "Record_HelloRetryRequest", "Record_ClientHello_2", "Record_ServerHello",
		"Record_ServerHandshakeMessages", "Record_ClientFinished", "Record_NewSessionTicket", "Record_Client_AppData",
		"Record_Server_AppData", "Record_Client_CloseNotify", "Record_Server_CloseNotify",
	} {
		side := trace.Server
		if strings.Contains(name, "Client") {
			side = trace.Client
		}
		if len(v[name]) > 0 {
			c.Segments = append(c.Segments, trace.Segment{From: side, Offset: at[side], Data: v[name]})
			at[side] += uint64(len(v[name]))
		}
	}
	return c
}

func TestRFC8448IsComputedAnew(t *testing.T) {
	secrets, all := rfcVectors(t, "secrets.vec"), rfcVectors(t, "transcripts.vec")
	if len(secrets) != 5 || len(all) != 7 {
		t.Fatalf("%d and %d traces", len(secrets), len(all))
	}
	for name, v := range all {
		t.Run(name, func(t *testing.T) {
			for key, raw := range secrets[name] {
				if strings.HasPrefix(key, "Record_") {
					v[key] = raw
				}
			}
			c := rfcCapture(v)
			c.Derivations = rfcGiven(t, v, secrets[name])
			r := decode(t, c)
			whole(t, r)
			r.Checks = slices.DeleteFunc(r.Checks, func(c trace.Check) bool { // those certificates have no names
				return c.Name == "certificate path" && strings.HasPrefix(c.Text, "name: ")
			})
			allRight(t, r)
			if name != "RawPublicKey_With_Client_Authentication" {
				checked(t, r)
			}
			if !r.Summary.Complete || r.Failure != nil {
				t.Errorf("%+v, %+v", r.Summary, r.Failure)
			}
			published := 0
			for what, want := range secrets[name] {
				if strings.HasPrefix(what, "Record_") || strings.HasPrefix(what, "Message_") {
					continue
				}
				published++
				if !found(r, what, want) {
					t.Errorf("%s: %x was not computed", what, want)
				}
			}
			if published < 15 && secrets[name] != nil {
				t.Errorf("only %d published values", published)
			}
		})
	}
}

// rfcGiven are the secrets that come from outside the key schedule: all else is derived.
func rfcGiven(t *testing.T, v, published map[string][]byte) (given []trace.Derivation) {
	t.Helper()
	psk := published["psk"]
	if psk == nil {
		psk = v["PskSecret"]
	}
	if psk != nil {
		given = append(given, trace.Derivation{Name: "psk", How: "given", Output: psk})
	}
	if shared := rfcShared(t, v); shared != nil {
		given = append(given, trace.Derivation{Name: "shared_secret", How: "ECDH", Output: shared})
	}
	return given
}

// found reports whether a value of the RFC is in the recording, under its name.
func found(r *trace.Recording, what string, want []byte) bool {
	if message, ok := strings.CutPrefix(what, "hash "); ok {
		if message == "truncated ClientHello" {
			return true // the binder is over it, and that is compared
		}
		return slices.ContainsFunc(r.Messages, func(m trace.Message) bool { return bytes.Equal(m.Transcript, want) })
	}
	if what == "binder" {
		return slices.ContainsFunc(r.Checks, func(c trace.Check) bool {
			return c.Name == "PSK binder" && c.Result == "right" && bytes.Equal(c.Expected, want)
		})
	}
	return slices.ContainsFunc(r.Keys, func(k trace.Derivation) bool { return k.Name == what && k.Agrees && bytes.Equal(k.Output, want) })
}

// rfcShared computes the shared secret from what the two sides draw at random. What comes before the private key in the
// client's pool is the random of its hello, and its session id if it sends one.
func rfcShared(t *testing.T, v map[string][]byte) []byte {
	t.Helper()
	client, last := v["Client_RNG_Pool"][32:], v["Record_ClientHello_2"]
	if last == nil {
		last = v["Record_ClientHello_1"]
	} else {
		client = client[32:] // the key of the first share
	}
	var hello wire.ClientHello
	if err := hello.Parse(last[wire.RecordHeaderLen:]); err != nil {
		t.Fatal(err)
	}
	var answer wire.ServerHello
	if err := answer.Parse(v["Record_ServerHello"][wire.RecordHeaderLen:]); err != nil {
		t.Fatal(err)
	}
	client = client[len(hello.SessionID):]
	var theirs wire.KeyShareHello
	if ok, err := answer.Ext(&theirs); !ok || err != nil {
		t.Fatal(err)
	}
	return sharedSecret(t, theirs.Entry.Group, client[:32], theirs.Entry.KeyExchange)
}

// sharedSecret is ECDH with a private key of 32 bytes.
func sharedSecret(t *testing.T, g wire.Group, private, public []byte) []byte {
	t.Helper()
	curve := map[wire.Group]ecdh.Curve{wire.GroupX25519: ecdh.X25519(), wire.GroupSecp256r1: ecdh.P256()}[g]
	if curve == nil {
		t.Fatalf("group %v", g)
	}
	key, err := curve.NewPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := curve.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	shared, err := key.ECDH(peer)
	if err != nil {
		t.Fatal(err)
	}
	return shared
}
