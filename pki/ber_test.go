package pki

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

func TestBERIsRewrittenAsDER(t *testing.T) {
	for in, want := range map[string]string{
		"3000":                           "3000",
		"308100":                         "3000",
		"30800000":                       "3000",
		"3080020101300002010200 00":      "30080201013000020102",
		"0481020102":                     "04020102",
		"048400000001 ff":                "0401ff",
		"24800401aa0402bbcc0000":         "0403aabbcc",
		"240a0401aa24050403bbccdd":       "0404aabbccdd",
		"a08030800000 0000":              "a0023000",
		"3080048100 0500 0000":           "300404000500",
		"30802480040130 0401310000 0000": "300404023031",
	} {
		data, err := hex.DecodeString(strings.ReplaceAll(in, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		got, err := NormalizeBER(data)
		if err != nil || hex.EncodeToString(got) != want {
			t.Errorf("%s: %x, %v; want %s", in, got, err, want)
		}
	}
	long := append([]byte{0x04, 0x83, 0, 1, 0x2c}, make([]byte, 300)...)
	if got, err := NormalizeBER(long); err != nil || !bytes.HasPrefix(got, []byte{0x04, 0x82, 1, 0x2c, 0}) || len(got) != 304 {
		t.Errorf("%v", err)
	}
}

func TestBrokenBERIsRefused(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "cut off",
		"30":                       "cut off",
		"3001":                     "cut off",
		"3080":                     "cut off",
		"30800000 00":              "after",
		"0480":                     "indefinite",
		"1f0100":                   "above 30",
		"2403020100":               "parts",
		"0488ffffffffffffffff":     "cut off",
		"04897fffffffffffffffff":   "cut off",
		"0484ffffffff00":           "cut off",
		strings.Repeat("3080", 40): "deeper",
	} {
		data, err := hex.DecodeString(strings.ReplaceAll(in, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := NormalizeBER(data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %x, %v", in, got, err)
		}
	}
}

func FuzzNormalizeBER(f *testing.F) {
	for _, s := range []string{"30802480040130040131000000 00", "048400000001ff", "a0803080000000 00"} {
		data, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		der, err := NormalizeBER(data)
		if err != nil {
			return
		}
		if len(der) > len(data)+2*maxBERDepth {
			t.Fatalf("%d bytes became %d", len(data), len(der))
		}
		if again, err := NormalizeBER(der); err != nil || !bytes.Equal(again, der) {
			t.Fatalf("not a fixed point: %v", err)
		}
	})
}
