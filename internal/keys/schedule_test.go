package keys

import (
	"bytes"
	"crypto"
	"crypto/hkdf"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
)

// th is some transcript hash, different for every n.
func th(h crypto.Hash, n byte) []byte { return bytes.Repeat([]byte{n}, h.Size()) }

// everything runs the whole schedule and returns all that comes out of it, by the name of the RFC.
func everything(h crypto.Hash, psk, shared []byte, trace func(Derivation)) map[string][]byte {
	out := map[string][]byte{}
	traffic := func(name string, t Traffic) {
		out[name] = t.Secret()
		key, iv := make([]byte, 32), make([]byte, 12)
		t.KeysInto(key, iv)
		out[name+" key"], out[name+" iv"] = key, iv
		out[name+" finished"] = t.Finished(th(h, 99))
	}
	early := NewEarlyTraced(h, psk, trace)
	out["early_secret"] = early.s.value
	out["external binder"] = early.Binder(true).MAC(th(h, 1))
	out["resumption binder"] = early.Binder(false).MAC(th(h, 1))
	traffic("client_early_traffic_secret", early.ClientEarlyTraffic(th(h, 2)))
	out["early_exporter_master_secret"] = early.Exporter(th(h, 2)).Secret()
	hs := early.Handshake(shared)
	out["handshake_secret"] = hs.s.value
	traffic("client_handshake_traffic_secret", hs.ClientTraffic(th(h, 3)))
	traffic("server_handshake_traffic_secret", hs.ServerTraffic(th(h, 3)))
	main := hs.Main()
	out["master_secret"] = main.s.value
	client, server := main.ClientTraffic(th(h, 4)), main.ServerTraffic(th(h, 4))
	traffic("client_application_traffic_secret_0", client)
	traffic("server_application_traffic_secret_0", server)
	traffic("client_application_traffic_secret_1", client.Next())
	traffic("server_application_traffic_secret_2", server.Next().Next())
	out["exporter_master_secret"] = main.Exporter(th(h, 4)).Secret()
	resumption := main.Resumption(th(h, 5))
	out["resumption_master_secret"] = resumption.s.value
	out["psk"] = resumption.PSK([]byte{0, 1})
	return out
}

// expandLabel is the specification, on crypto/hkdf.
func expandLabel(t *testing.T, h crypto.Hash, secret []byte, label string, context []byte, n int) []byte {
	t.Helper()
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(info, byte(6+len(label)))
	info = append(info, "tls13 "+label...)
	info = append(info, byte(len(context)))
	info = append(info, context...)
	out, err := hkdf.Expand(h.New, secret, string(info), n)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTraceIsEnoughToComputeEverythingAgain(t *testing.T) {
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384} {
		known := map[string][]byte{"psk": bytes.Repeat([]byte{3}, 32), "shared_secret": bytes.Repeat([]byte{4}, 32), "zeros": nil}
		names := map[string]int{}
		out := everything(h, known["psk"], known["shared_secret"], func(d Derivation) {
			names[d.Name]++
			if strings.HasPrefix(d.Name, "exporter secret") {
				return
			}
			if want, ok := known[d.From]; !ok || !bytes.Equal(d.Input, want) {
				t.Errorf("%s comes from %s, which was not reported before or differently", d.Name, d.From)
			}
			var want []byte
			if d.Label == "" {
				salt, input := d.Context, d.Input
				if salt == nil {
					salt = make([]byte, h.Size())
				}
				if input == nil {
					input = make([]byte, h.Size())
				}
				var err error
				if want, err = hkdf.Extract(h.New, input, salt); err != nil {
					t.Fatal(err)
				}
			} else {
				want = expandLabel(t, h, d.Input, d.Label, d.Context, len(d.Output))
			}
			if !bytes.Equal(d.Output, want) {
				t.Errorf("%s (%q): reported output is not what its inputs give", d.Name, d.Label)
			}
			known[d.Name] = bytes.Clone(d.Output)
		})
		for name, value := range out {
			if got, ok := known[name]; ok && name != "psk" && !strings.HasSuffix(name, " finished") && !bytes.Equal(got, value) {
				t.Errorf("%s: reported value and result differ", name)
			}
		}
		for _, name := range []string{
			"early_secret", "binder_key", "handshake_secret", "master_secret", "client_early_traffic_secret",
			"client_application_traffic_secret_1 key", "server_application_traffic_secret_2 iv",
			"early_exporter_master_secret", "exporter_master_secret", "resumption_master_secret",
			"client_handshake_traffic_secret finished", "resumption_master_secret resumption",
		} {
			if names[name] == 0 {
				t.Errorf("%s was not reported", name)
			}
		}
	}
}

func TestTraceChangesNothing(t *testing.T) {
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384} {
		plain := everything(h, nil, []byte("shared"), nil)
		traced := everything(h, nil, []byte("shared"), func(Derivation) {})
		for name, value := range plain {
			if !bytes.Equal(traced[name], value) {
				t.Errorf("%s differs", name)
			}
		}
	}
}

func TestEverySecretIsDifferent(t *testing.T) {
	seen := map[string]string{}
	for name, value := range everything(crypto.SHA384, []byte("psk"), []byte("shared"), nil) {
		if other, ok := seen[string(value)]; ok {
			t.Errorf("%s and %s are the same", name, other)
		}
		seen[string(value)] = name
	}
}

func TestAbsentInputsAreZeros(t *testing.T) {
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384} {
		zeros := make([]byte, h.Size())
		a, b := NewEarly(h, nil), NewEarly(h, zeros)
		if !bytes.Equal(a.s.value, b.s.value) {
			t.Errorf("%v: no PSK is not a PSK of zeros", h)
		}
		if !bytes.Equal(a.Handshake(nil).s.value, b.Handshake(zeros).s.value) {
			t.Errorf("%v: no shared secret is not one of zeros", h)
		}
	}
}

func TestWipeLeavesNothing(t *testing.T) {
	early := NewEarly(crypto.SHA256, nil)
	hs := early.Handshake([]byte("shared"))
	main := hs.Main()
	traffic, exporter, resumption := main.ClientTraffic(th(crypto.SHA256, 1)), main.Exporter(th(crypto.SHA256, 1)), main.Resumption(th(crypto.SHA256, 1))
	binder := early.Binder(true)
	values := [][]byte{early.s.value, hs.s.value, main.s.value, traffic.s.value, exporter.s.value, resumption.s.value, binder.s.value}
	next := traffic.Next()
	want := bytes.Clone(next.Secret())
	early.Wipe()
	hs.Wipe()
	main.Wipe()
	traffic.Wipe()
	exporter.Wipe()
	resumption.Wipe()
	binder.Wipe()
	for i, v := range values {
		if !bytes.Equal(v, make([]byte, len(v))) {
			t.Errorf("secret %d is still there", i)
		}
	}
	if !bytes.Equal(next.Secret(), want) {
		t.Error("the next secret went with the old one")
	}
}

func TestZeroValuesAreNoSecrets(t *testing.T) {
	if !(Traffic{}).IsZero() || !(Exporter{}).IsZero() || !(Resumption{}).IsZero() || !(Binder{}).IsZero() {
		t.Error("a zero value claims to be a secret")
	}
	main := NewEarly(crypto.SHA256, nil).Handshake(nil).Main()
	if main.ClientTraffic(nil).IsZero() || main.Exporter(nil).IsZero() || main.Resumption(nil).IsZero() {
		t.Error("a secret claims to be none")
	}
}

func TestExporterFollowsTheSpecification(t *testing.T) {
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384} {
		e := NewEarly(h, nil).Handshake([]byte("shared")).Main().Exporter(th(h, 1))
		for _, length := range []int{0, 1, 32, 1000, 255 * h.Size()} {
			for _, context := range [][]byte{nil, []byte("context"), bytes.Repeat([]byte{1}, 70_000)} {
				got, err := e.Export("EXPORTER-test", context, length)
				if err != nil {
					t.Fatal(err)
				}
				empty, sum := h.New(), h.New()
				sum.Write(context)
				secret := expandLabel(t, h, e.Secret(), "EXPORTER-test", empty.Sum(nil), h.Size())
				if want := expandLabel(t, h, secret, "exporter", sum.Sum(nil), length); !bytes.Equal(got, want) {
					t.Errorf("%v, %d bytes, context of %d: differs", h, length, len(context))
				}
			}
		}
		if _, err := e.Export("x", nil, 255*h.Size()+1); !errors.Is(err, ErrExportLength) {
			t.Errorf("%v: too long: %v", h, err)
		}
		if _, err := e.Export("x", nil, -1); !errors.Is(err, ErrExportLength) {
			t.Errorf("%v: negative length: %v", h, err)
		}
		if _, err := e.Export(strings.Repeat("x", 250), nil, 1); !errors.Is(err, ErrExportLabel) {
			t.Errorf("%v: long label: %v", h, err)
		}
		if _, err := e.Export(strings.Repeat("x", 249), nil, 1); err != nil {
			t.Errorf("%v: longest label: %v", h, err)
		}
	}
}

func TestSecretsAreSafeForConcurrentUse(t *testing.T) {
	e := NewEarly(crypto.SHA256, nil).Handshake([]byte("shared")).Main()
	client := e.ClientTraffic(th(crypto.SHA256, 1))
	want := client.Next().Secret()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				if !bytes.Equal(client.Next().Secret(), want) {
					t.Error("two uses disturb each other")
				}
			}
		})
	}
	wg.Wait()
}

func TestScheduleAllocatesOneSlicePerSecret(t *testing.T) {
	// extract and its salt twice, early secret, six secrets of the handshake and after
	const secrets = 1 + 2 + 2 + 2 + 2 + 2
	hash, shared := th(crypto.SHA256, 1), th(crypto.SHA256, 2)
	n := testing.AllocsPerRun(100, func() {
		hs := NewEarly(crypto.SHA256, nil).Handshake(shared)
		hs.ClientTraffic(hash)
		hs.ServerTraffic(hash)
		main := hs.Main()
		main.ClientTraffic(hash)
		main.ServerTraffic(hash)
		main.Exporter(hash)
		main.Resumption(hash)
	})
	if n > secrets {
		t.Errorf("%v allocations for %d secrets", n, secrets)
	}
}

func TestDerivationNamesAreUnique(t *testing.T) {
	var names []string
	everything(crypto.SHA256, nil, nil, func(d Derivation) { names = append(names, d.Name) })
	slices.Sort(names)
	// Repeated by purpose: two binders, and server_…_1 on the way to server_…_2 does not appear twice.
	names = slices.DeleteFunc(names, func(n string) bool { return strings.HasPrefix(n, "binder_key") })
	if got := slices.Compact(slices.Clone(names)); len(got) != len(names) {
		t.Errorf("a name stands for two derivations: %q", names)
	}
}
