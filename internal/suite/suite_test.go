package suite

import (
	"crypto"
	"slices"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/wire"
)

func TestSuiteTablesAreConsistent(t *testing.T) {
	for _, c := range []struct {
		version  wire.Version
		rows     []Suite
		byID     func(wire.CipherSuite) *Suite
		all      []wire.CipherSuite
		defaults []wire.CipherSuite
		other    func(wire.CipherSuite) *Suite
	}{
		{wire.VersionTLS13, suites[:], ByID, All(), Defaults(), ByID12},
		{wire.VersionTLS12, suites12[:], ByID12, All12(), Defaults12(), ByID},
	} {
		for i := range c.rows {
			s := &c.rows[i]
			if c.byID(s.ID) != s || !slices.Contains(c.all, s.ID) || c.other(s.ID) != nil {
				t.Errorf("%v is not found where it belongs", s.ID)
			}
			if ccm := strings.Contains(s.ID.String(), "CCM"); slices.Contains(c.defaults, s.ID) == ccm {
				t.Errorf("%v: offered unasked: %v", s.ID, !ccm)
			}
			checkRow(t, s, c.version)
		}
		if len(c.all) != len(c.rows) || !slices.Equal(c.all[:len(c.defaults)], c.defaults) {
			t.Errorf("%v: the lists do not match the table", c.version)
		}
		if c.byID(wire.TLS_RSA_WITH_AES_128_CBC_SHA) != nil || c.byID(wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA) != nil {
			t.Error("a suite that is not ours is found")
		}
	}
}

// checkRow compares a row with its AEAD and with the name of the suite.
func checkRow(t *testing.T, s *Suite, version wire.Version) {
	t.Helper()
	aead, err := s.NewAEAD(make([]byte, s.KeyLen))
	if err != nil {
		t.Fatal(err)
	}
	if aead.NonceSize() != 12 || aead.Overhead() != s.TagLen || s.Bits != 8*s.KeyLen || !s.Hash.Available() {
		t.Errorf("%v: the row does not describe its AEAD", s.ID)
	}
	if _, err := s.NewAEAD(make([]byte, s.KeyLen+1)); err == nil {
		t.Errorf("%v takes a key of the wrong size", s.ID)
	}
	if s.IVLen+s.ExplicitLen != 12 || (version == wire.VersionTLS13 && s.ExplicitLen != 0) || s.Version != version {
		t.Errorf("%v: version %v, nonce of %d and %d bytes", s.ID, s.Version, s.IVLen, s.ExplicitLen)
	}
	name := s.ID.String()
	has := func(part string) bool { return strings.Contains(name, part) }
	auth := map[bool]Auth{true: AuthRSA, false: AuthECDSA}[has("ECDHE_RSA")]
	if !has("ECDHE") {
		auth = AuthAny
	}
	tag := map[bool]int{true: 8, false: 16}[has("CCM_8")]
	bits := map[bool]int{true: 128, false: 256}[has("AES_128")]
	explicit := map[bool]int{true: 8, false: 0}[version == wire.VersionTLS12 && has("AES")]
	hash := map[bool]crypto.Hash{true: crypto.SHA384, false: crypto.SHA256}[has("SHA384")]
	if s.Auth != auth || s.TagLen != tag || s.Bits != bits || s.ExplicitLen != explicit || s.Hash != hash {
		t.Errorf("%s: the row does not say what the name says: %+v", name, s)
	}
	if has("CHACHA20") != (s.MaxRecords == 0) || s.MaxForgeries == 0 {
		t.Errorf("%s: limits %d and %d", name, s.MaxRecords, s.MaxForgeries)
	}
}

func TestAuthenticationFollowsTheKey(t *testing.T) {
	kinds := []KeyKind{0, KeyRSA, KeyRSAPSS, KeyECDSAP256, KeyECDSAP384, KeyECDSAP521, KeyEd25519}
	for auth, want := range map[Auth][]KeyKind{
		AuthAny: kinds[1:], AuthRSA: {KeyRSA, KeyRSAPSS}, AuthECDSA: kinds[3:], 9: nil,
	} {
		for _, k := range kinds {
			if auth.Fits(k) != slices.Contains(want, k) {
				t.Errorf("%v and %v: %v", auth, k, auth.Fits(k))
			}
		}
	}
	if AuthAny.String() != "any" || AuthECDSA.String() != "ECDSA" || AuthRSA.String() != "RSA" || Auth(9).String() != "unknown authentication" {
		t.Error("a wrong name")
	}
}

func TestDefaultsAreFreshCopies(t *testing.T) {
	Defaults()[0], All()[0], Defaults12()[0], All12()[0], DefaultGroups()[0], DefaultSchemes()[0] = 0, 0, 0, 0, 0, 0
	if Defaults()[0] == 0 || All()[0] == 0 || Defaults12()[0] == 0 || All12()[0] == 0 || DefaultGroups()[0] == 0 || DefaultSchemes()[0] == 0 {
		t.Error("a caller can change the defaults of all others")
	}
}
