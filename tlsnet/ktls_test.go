package tlsnet

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// softKernel protects records with nothing but a struct tls12_crypto_info_…, as the kernel does.
type softKernel struct {
	aead     cipher.AEAD
	nonce    []byte // salt and iv
	explicit bool   // TLS 1.2: the iv stands in the record
	sequence uint64
	v12      bool
}

func newSoftKernel(t *testing.T, info []byte) *softKernel {
	t.Helper()
	version, kind := binary.NativeEndian.Uint16(info), binary.NativeEndian.Uint16(info[2:])
	sizes := map[uint16][3]int{51: {8, 16, 4}, 52: {8, 32, 4}, 54: {12, 32, 0}} // iv, key, salt, of linux/tls.h
	n, ok := sizes[kind]
	if !ok || len(info) != 4+n[0]+n[1]+n[2]+8 {
		t.Fatalf("cipher %d, %d bytes", kind, len(info))
	}
	rest := info[4:]
	take := func(n int) []byte {
		b := rest[:n]
		rest = rest[n:]
		return b
	}
	iv, key, salt := take(n[0]), take(n[1]), take(n[2])
	k := &softKernel{nonce: append(bytes.Clone(salt), iv...), sequence: binary.BigEndian.Uint64(rest), v12: version == 0x0303}
	k.explicit = k.v12 && kind != 54
	var err error
	if kind == 54 {
		k.aead, err = chacha20poly1305.New(key)
	} else {
		var block cipher.Block
		if block, err = aes.NewCipher(key); err == nil {
			k.aead, err = cipher.NewGCM(block)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// seal makes a record as net/tls of the kernel does.
func (k *softKernel) seal(kind wire.ContentType, content []byte) []byte {
	nonce, explicit := bytes.Clone(k.nonce), []byte(nil)
	if k.explicit {
		explicit = bytes.Clone(nonce[4:]) // which counts on with the records
		binary.BigEndian.PutUint64(k.nonce[4:], binary.BigEndian.Uint64(k.nonce[4:])+1)
	} else {
		for i := range 8 {
			nonce[4+i] ^= byte(k.sequence >> (56 - 8*i))
		}
	}
	outer, inner := kind, bytes.Clone(content)
	if !k.v12 {
		outer, inner = wire.ContentApplicationData, append(inner, byte(kind))
	}
	header := wire.AppendRecordHeader(nil, wire.RecordHeader{Type: outer, Version: wire.VersionTLS12, Length: len(explicit) + len(inner) + 16})
	ad := header
	if k.v12 {
		ad = binary.BigEndian.AppendUint64(nil, k.sequence)
		ad = wire.AppendRecordHeader(ad, wire.RecordHeader{Type: outer, Version: wire.VersionTLS12, Length: len(content)})
	}
	k.sequence++
	return k.aead.Seal(append(header, explicit...), nonce, inner, ad)
}

// TestKernelFormat seals records with exactly the fields that the kernel is given, and has the peer open them.
func TestKernelFormat(t *testing.T) {
	for _, id := range []wire.CipherSuite{
		wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256,
		wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, wire.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	} {
		for _, fromServer := range []bool{false, true} {
			t.Run(id.String(), func(t *testing.T) {
				l := joined(t, id)
				from, to := l.Client, l.Server
				if fromServer {
					from, to = to, from
				}
				if err := l.Send(from, []byte("sealed here, ")); err != nil { // so that the number is not zero
					t.Fatal(err)
				}
				refused := errors.New("refused")
				if err := from.Machine.Offload(tlscore.Sent, func(tlscore.RecordKeys) error { return refused }); err != refused {
					t.Fatal(err)
				}
				if err := l.Send(from, []byte("again, ")); err != nil { // nothing has changed
					t.Fatal(err)
				}
				var k *softKernel
				err := from.Machine.Offload(tlscore.Sent, func(keys tlscore.RecordKeys) error {
					k = newSoftKernel(t, cryptoInfo(&keys))
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				l.Inject(to, k.seal(wire.ContentApplicationData, []byte("sealed ")))
				l.Inject(to, k.seal(wire.ContentApplicationData, []byte("there")))
				l.Inject(to, k.seal(wire.ContentAlert, []byte{1, 0}))
				if err := l.Run(); err != nil || string(to.Received) != "sealed here, again, sealed there" || !to.Closed {
					t.Errorf("%q, closed %v, %v", to.Received, to.Closed, err)
				}
			})
		}
	}
}

func joined(t *testing.T, id wire.CipherSuite) *tlstest.Link {
	t.Helper()
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := pki.SelfSign(pki.Request{Profile: pki.ProfileServer, SANs: []string{"localhost"}}, key, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	client, err := tlscore.Compile(tlscore.Config{CipherSuites: []wire.CipherSuite{id}})
	if err != nil {
		t.Fatal(err)
	}
	server, err := tlscore.Compile(tlscore.Config{Identities: []tlscore.Identity{{Chain: [][]byte{leaf.Raw}, Tag: key}}})
	if err != nil {
		t.Fatal(err)
	}
	l := tlstest.New(client, server, tlscore.Options{}, tlscore.Options{})
	if err := l.Handshake(); err != nil {
		t.Fatal(err)
	}
	return l
}
