package keystore_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

func TestKeysForECHAreKeptAsRFC9934Says(t *testing.T) {
	for _, kem := range []wire.HPKEKEM{wire.HPKEKEMX25519, wire.HPKEKEMP256, wire.HPKEKEMP384, wire.HPKEKEMP521} {
		key, err := tlscore.GenerateECHKey(wire.ECHConfig{PublicName: "public.example", KEM: kem})
		if err != nil {
			t.Fatal(err)
		}
		text, err := keystore.MarshalECHKey(key)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), "-----BEGIN PRIVATE KEY-----") || !strings.Contains(string(text), "-----BEGIN ECHCONFIG-----") {
			t.Errorf("%s", text)
		}
		path := filepath.Join(t.TempDir(), "ech.pem")
		if err := keystore.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := keystore.ReadECHKeys(path, true)
		if err != nil || len(got) != 1 || !bytes.Equal(got[0].Config, key.Config) || !got[0].Retry {
			t.Fatalf("%v: %v, %+v", kem, err, got)
		}
		if _, err := tlscore.Compile(tlscore.Config{ECHKeys: got}); err != nil {
			t.Errorf("%v: %v", kem, err)
		}
		list, err := keystore.ParseECHConfigList(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{string(list), base64.StdEncoding.EncodeToString(list) + "\n", strings.TrimRight(base64.StdEncoding.EncodeToString(list), "=")} {
			if again, err := keystore.ParseECHConfigList([]byte(form)); err != nil || !bytes.Equal(again, list) {
				t.Errorf("%q: %v", form, err)
			}
		}
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := keystore.ReadECHKeys(path, true); err == nil {
			t.Error("a key that everybody can read is taken")
		}
	}
	pq, err := tlscore.GenerateECHKey(wire.ECHConfig{PublicName: "public.example", KEM: 0x647a})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keystore.MarshalECHKey(pq); err == nil {
		t.Error("a key of ML-KEM has a form")
	}
}

func TestWhatIsNoKeyForECH(t *testing.T) {
	key, err := tlscore.GenerateECHKey(wire.ECHConfig{PublicName: "public.example"})
	if err != nil {
		t.Fatal(err)
	}
	good, err := keystore.MarshalECHKey(key)
	if err != nil {
		t.Fatal(err)
	}
	private, config, _ := strings.Cut(string(good), "-----BEGIN ECHCONFIG")
	config = "-----BEGIN ECHCONFIG" + config
	for name, text := range map[string]string{
		"nothing": "", "no configuration": private, "no key": config, "two of them": string(good) + config,
		"another block":   string(good) + strings.ReplaceAll(config, "ECHCONFIG", "CERTIFICATE"),
		"a damaged list":  private + "-----BEGIN ECHCONFIG-----\nAAAA\n-----END ECHCONFIG-----\n",
		"an unknown list": private + "-----BEGIN ECHCONFIG-----\nAAX+DAABBw==\n-----END ECHCONFIG-----\n",
		"a damaged key":   "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" + config,
	} {
		path := filepath.Join(t.TempDir(), "ech.pem")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := keystore.ReadECHKeys(path, true); err == nil {
			t.Errorf("%s is taken for a key", name)
		}
	}
	if _, err := keystore.ParseECHConfigList([]byte("!")); err == nil {
		t.Error("nonsense is a list")
	}
}

func FuzzParseECHConfigList(f *testing.F) {
	f.Add([]byte("AEX+DQBB"))
	f.Add([]byte("-----BEGIN ECHCONFIG-----\nAAX+DAABBw==\n-----END ECHCONFIG-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if list, err := keystore.ParseECHConfigList(text); err == nil && len(list) == 0 {
			t.Error("an empty list")
		}
	})
}

// TestAListOutlivesItsText, which may hold a key beside it and is wiped, whatever the form.
func TestAListOutlivesItsText(t *testing.T) {
	k, err := tlscore.GenerateECHKey(wire.ECHConfig{PublicName: "public.example"})
	if err != nil {
		t.Fatal(err)
	}
	pem, err := keystore.MarshalECHKey(k)
	if err != nil {
		t.Fatal(err)
	}
	list := append([]byte{byte(len(k.Config) >> 8), byte(len(k.Config))}, k.Config...)
	for name, text := range map[string][]byte{"PEM": pem, "binary": bytes.Clone(list), "base64": []byte(base64.StdEncoding.EncodeToString(list))} {
		got, err := keystore.ParseECHConfigList(text)
		clear(text)
		if err != nil || !bytes.Equal(got, list) {
			t.Errorf("%s: %v, %x", name, err, got)
		}
	}
}
