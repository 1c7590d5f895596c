package suite

import (
	"bytes"
	"crypto/ecdh"
	"crypto/mlkem"
	"errors"
	"slices"
	"testing"

	"github.com/tlswright/tlswright/wire"
)

func TestBothSidesAgree(t *testing.T) {
	for _, id := range AllGroups() {
		g := GroupByID(id)
		if g == nil {
			t.Fatalf("%v is offered but unknown", id)
		}
		client, err := g.Generate()
		if err != nil {
			t.Fatal(err)
		}
		serverShare, serverSecret, err := g.Respond(client.Public())
		if err != nil {
			t.Fatalf("%v: %v", id, err)
		}
		clientSecret, err := client.Shared(serverShare)
		if err != nil {
			t.Fatalf("%v: %v", id, err)
		}
		if !bytes.Equal(clientSecret, serverSecret) {
			t.Errorf("%v: the two sides differ", id)
		}
		if client.Group() != id || len(client.Public()) != g.ClientShareLen || len(serverShare) != g.ServerShareLen || len(clientSecret) != g.SharedLen {
			t.Errorf("%v: sizes %d, %d, %d are not those of the row", id, len(client.Public()), len(serverShare), len(clientSecret))
		}
		_, again, err := g.Respond(client.Public())
		if err != nil || bytes.Equal(again, serverSecret) {
			t.Errorf("%v: the server's key is not ephemeral (%v)", id, err)
		}
	}
	if len(AllGroups()) != len(groups) {
		t.Error("a group is known but not offered")
	}
	if GroupByID(wire.GroupX448) != nil {
		t.Error("a group that is not ours is found")
	}
}

// The sizes are those of RFC 8446, Section 4.2.8.2 and draft-ietf-tls-ecdhe-mlkem.
func TestShareSizesAreThoseOfTheSpecifications(t *testing.T) {
	for id, want := range map[wire.Group][3]int{
		wire.GroupX25519:             {32, 32, 32},
		wire.GroupSecp256r1:          {65, 65, 32},
		wire.GroupSecp384r1:          {97, 97, 48},
		wire.GroupSecp521r1:          {133, 133, 66},
		wire.GroupX25519MLKEM768:     {1216, 1120, 64},
		wire.GroupSecp256r1MLKEM768:  {1249, 1153, 64},
		wire.GroupSecp384r1MLKEM1024: {1665, 1665, 80},
		wire.GroupMLKEM768:           {1184, 1088, 32},
		wire.GroupMLKEM1024:          {1568, 1568, 32},
	} {
		g := GroupByID(id)
		if got := [3]int{g.ClientShareLen, g.ServerShareLen, g.SharedLen}; got != want {
			t.Errorf("%v: %v, want %v", id, got, want)
		}
	}
}

// A server written by hand after the draft: the order of the parts cannot be wrong on both sides at once.
func TestHybridsPutTheirPartsInOrder(t *testing.T) {
	for _, c := range []struct {
		id       wire.Group
		curve    ecdh.Curve
		kemFirst bool
		encaps   func(t *testing.T, ek []byte) (shared, ciphertext []byte)
		ekLen    int
	}{
		{wire.GroupX25519MLKEM768, ecdh.X25519(), true, encaps768, 1184},
		{wire.GroupSecp256r1MLKEM768, ecdh.P256(), false, encaps768, 1184},
		{wire.GroupSecp384r1MLKEM1024, ecdh.P384(), false, encaps1024, 1568},
	} {
		client, err := GroupByID(c.id).Generate()
		if err != nil {
			t.Fatal(err)
		}
		public := client.Public()
		ec, ek := public[:len(public)-c.ekLen], public[len(public)-c.ekLen:]
		if c.kemFirst {
			ek, ec = public[:c.ekLen], public[c.ekLen:]
		}
		peer, err := c.curve.NewPublicKey(ec)
		if err != nil {
			t.Fatalf("%v: %v", c.id, err)
		}
		key, err := c.curve.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := key.ECDH(peer)
		if err != nil {
			t.Fatal(err)
		}
		kemSecret, ciphertext := c.encaps(t, ek)
		share, want := slices.Concat(key.PublicKey().Bytes(), ciphertext), slices.Concat(secret, kemSecret)
		if c.kemFirst {
			share, want = slices.Concat(ciphertext, key.PublicKey().Bytes()), slices.Concat(kemSecret, secret)
		}
		if got, err := client.Shared(share); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v: the secret is put together differently (%v)", c.id, err)
		}
	}
}

func encaps768(t *testing.T, ek []byte) (shared, ciphertext []byte) {
	t.Helper()
	k, err := mlkem.NewEncapsulationKey768(ek)
	if err != nil {
		t.Fatal(err)
	}
	return k.Encapsulate()
}

func encaps1024(t *testing.T, ek []byte) (shared, ciphertext []byte) {
	t.Helper()
	k, err := mlkem.NewEncapsulationKey1024(ek)
	if err != nil {
		t.Fatal(err)
	}
	return k.Encapsulate()
}

func TestSharesOfTheWrongSizeAreRefused(t *testing.T) {
	for _, id := range AllGroups() {
		g := GroupByID(id)
		client, err := g.Generate()
		if err != nil {
			t.Fatal(err)
		}
		serverShare, _, err := g.Respond(client.Public())
		if err != nil {
			t.Fatal(err)
		}
		for _, share := range [][]byte{nil, client.Public()[1:], append(client.Public(), 0)} {
			if _, _, err := g.Respond(share); !errors.Is(err, ErrShare) {
				t.Errorf("%v: a client share of %d bytes: %v", id, len(share), err)
			}
		}
		for _, share := range [][]byte{nil, serverShare[1:], append(serverShare, 0)} {
			if _, err := client.Shared(share); !errors.Is(err, ErrShare) {
				t.Errorf("%v: a server share of %d bytes: %v", id, len(share), err)
			}
		}
	}
}

func TestInvalidPointsAreRefused(t *testing.T) {
	for _, id := range AllGroups() {
		g := GroupByID(id)
		client, err := g.Generate()
		if err != nil {
			t.Fatal(err)
		}
		serverShare, _, err := g.Respond(client.Public())
		if err != nil {
			t.Fatal(err)
		}
		if g.curve == nil {
			continue
		}
		// Zeros are no point of a NIST curve, and a point of small order on Curve25519.
		spoil := func(share []byte, kemLen int) []byte {
			share = bytes.Clone(share)
			ec := share
			if g.Hybrid {
				ec, _ = g.split(share, kemLen)
			}
			clear(ec)
			return share
		}
		clientKEM, serverKEM := 0, 0
		if g.Hybrid {
			clientKEM, serverKEM = g.kem.publicLen, g.kem.ciphertextLen
		}
		if _, _, err := g.Respond(spoil(client.Public(), clientKEM)); !errors.Is(err, ErrShare) {
			t.Errorf("%v: a client's point of zeros: %v", id, err)
		}
		if _, err := client.Shared(spoil(serverShare, serverKEM)); !errors.Is(err, ErrShare) {
			t.Errorf("%v: a server's point of zeros: %v", id, err)
		}
	}
}

func TestMalformedKEMKeysAreRefused(t *testing.T) {
	for _, id := range AllGroups() {
		g := GroupByID(id)
		if !g.PostQuantum {
			continue
		}
		client, err := g.Generate()
		if err != nil {
			t.Fatal(err)
		}
		share := bytes.Clone(client.Public())
		ek := share
		if g.Hybrid {
			_, ek = g.split(share, g.kem.publicLen)
		}
		ek[0], ek[1] = 0xff, 0xff // a coefficient of 4095 is not below q = 3329
		if _, _, err := g.Respond(share); !errors.Is(err, ErrShare) {
			t.Errorf("%v: %v", id, err)
		}
	}
}

func TestForgedCiphertextGivesAnotherSecret(t *testing.T) {
	g := GroupByID(wire.GroupX25519MLKEM768)
	client, err := g.Generate()
	if err != nil {
		t.Fatal(err)
	}
	serverShare, want, err := g.Respond(client.Public())
	if err != nil {
		t.Fatal(err)
	}
	serverShare[0] ^= 1
	got, err := client.Shared(serverShare)
	if err != nil || bytes.Equal(got, want) || len(got) != len(want) {
		t.Errorf("%d bytes, equal: %v, %v", len(got), bytes.Equal(got, want), err)
	}
}

func TestCompanionIsTheSameKeyWithoutTheKEM(t *testing.T) {
	for _, id := range AllGroups() {
		g := GroupByID(id)
		share, err := g.Generate()
		if err != nil {
			t.Fatal(err)
		}
		plain, ok := Companion(share)
		want, hybrid := g.CompanionGroup()
		if ok != g.Hybrid || ok != hybrid {
			t.Errorf("%v: companion: %v", id, ok)
		}
		if !ok {
			continue
		}
		ec, _ := g.split(share.Public(), g.kem.publicLen)
		if plain.Group() != want || !bytes.Equal(plain.Public(), ec) {
			t.Errorf("%v: the companion is not the part of the hybrid", id)
		}
		serverShare, secret, err := GroupByID(want).Respond(plain.Public())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := plain.Shared(serverShare); err != nil || !bytes.Equal(got, secret) {
			t.Errorf("%v: the companion does not work (%v)", id, err)
		}
	}
}

func FuzzRespond(f *testing.F) {
	for i := range groups {
		share, err := groups[i].Generate()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), share.Public())
	}
	f.Fuzz(func(t *testing.T, n uint8, share []byte) {
		g := &groups[int(n)%len(groups)]
		serverShare, secret, err := g.Respond(share)
		if err != nil {
			if !errors.Is(err, ErrShare) {
				t.Errorf("%v: %v", g.ID, err)
			}
			return
		}
		if len(serverShare) != g.ServerShareLen || len(secret) != g.SharedLen || bytes.Equal(secret, make([]byte, len(secret))) {
			t.Errorf("%v: share of %d bytes, secret of %d", g.ID, len(serverShare), len(secret))
		}
	})
}

func BenchmarkRespond(b *testing.B) {
	for _, id := range AllGroups() {
		b.Run(id.String(), func(b *testing.B) {
			g := GroupByID(id)
			share, err := g.Generate()
			if err != nil {
				b.Fatal(err)
			}
			public := share.Public()
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := g.Respond(public); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
