package interop

import (
	"testing"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// TestVerdictRefusesWhatSilentlyDiffers guards the guard: a case that negotiated something else must not pass.
func TestVerdictRefusesWhatSilentlyDiffers(t *testing.T) {
	good := tlscore.Facts{
		Role: tlscore.RoleServer, HandshakeComplete: true, Version: wire.VersionTLS13,
		CipherSuite: wire.TLS_AES_128_GCM_SHA256, Group: wire.GroupX25519,
		PeerScheme: wire.SchemeEd25519, OwnScheme: wire.SchemeECDSASecp256r1SHA256, ALPN: "h2", HelloRetried: true, ServerName: serverName,
	}
	want := verdict{
		version: good.Version,
		suite:   good.CipherSuite, group: good.Group, peer: one(good.PeerScheme), own: one(good.OwnScheme),
		alpn: good.ALPN, retried: true, name: serverName,
	}
	if err := want.check(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*tlscore.Facts){
		"incomplete":       func(f *tlscore.Facts) { f.HandshakeComplete = false },
		"version":          func(f *tlscore.Facts) { f.Version = wire.VersionTLS12 },
		"suite":            func(f *tlscore.Facts) { f.CipherSuite = wire.TLS_AES_256_GCM_SHA384 },
		"group":            func(f *tlscore.Facts) { f.Group = wire.GroupSecp256r1 },
		"peer's signature": func(f *tlscore.Facts) { f.PeerScheme = wire.SchemeRSAPSSRSAESHA256 },
		"our signature":    func(f *tlscore.Facts) { f.OwnScheme = 0 },
		"protocol":         func(f *tlscore.Facts) { f.ALPN = "" },
		"no retry":         func(f *tlscore.Facts) { f.HelloRetried = false },
		"server name":      func(f *tlscore.Facts) { f.ServerName = "" },
	} {
		f := good
		change(&f)
		if want.check(f) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestPayloadDigestSeesOneBit guards the other half of every case.
func TestPayloadDigestSeesOneBit(t *testing.T) {
	got := append([]byte(nil), upPayload()...)
	if err := upPayload().same("here", got); err != nil {
		t.Fatal(err)
	}
	got[payloadSize/2] ^= 1
	if upPayload().same("here", got) == nil || upPayload().same("here", got[:payloadSize-1]) == nil {
		t.Error("a changed payload passed")
	}
}
