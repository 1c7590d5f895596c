// Package ech encrypts and decrypts ClientHellos (RFC 9849): it chooses among configurations, runs HPKE, pads, and leaves
// out of the inner ClientHello what the outer one has. It knows the two hellos as bytes; it knows neither which of them a
// handshake goes on from nor where configurations come from.
package ech

import (
	"bytes"
	"crypto/hpke"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/wire"
)

// ErrNoConfig is returned for a list of configurations none of which we can use.
var ErrNoConfig = errors.New("ech: no usable configuration in the list")

// Choice is a configuration to encrypt to, and how.
type Choice struct {
	Config wire.ECHConfig
	Suite  wire.HPKESuite
	public hpke.PublicKey
}

// Choose takes the first configuration of a list that can be used, and the first of its cipher suites. The error is a
// *wire.ParseError, or ErrNoConfig with what is wrong with each (RFC 9849, Section 6.1).
func Choose(list []byte) (*Choice, error) {
	var l wire.ECHConfigList
	if err := l.Parse(bytes.Clone(list)); err != nil {
		return nil, err
	}
	var reasons []error
	for i := range l.Configs {
		c, err := use(&l.Configs[i])
		if err == nil {
			return c, nil
		}
		reasons = append(reasons, fmt.Errorf("configs[%d]: %w", i, err))
	}
	return nil, fmt.Errorf("%w: %w", ErrNoConfig, errors.Join(reasons...))
}

// Usable says why a client cannot use a configuration, or nil.
func Usable(c *wire.ECHConfig) error {
	_, err := use(c)
	return err
}

func use(c *wire.ECHConfig) (*Choice, error) {
	if c.Version != wire.ECHVersion1 {
		return nil, fmt.Errorf("version %v is unknown", c.Version)
	}
	for i, e := range c.Extensions {
		same := func(o wire.ECHConfigExtension) bool { return o.Type == e.Type }
		switch {
		case e.Type.Mandatory():
			return nil, fmt.Errorf("extension %v is mandatory and unknown", e.Type)
		case i < maxConfigExtensions && slices.ContainsFunc(c.Extensions[:i], same):
			return nil, fmt.Errorf("extension %v appears twice", e.Type)
		case i >= maxConfigExtensions:
			return nil, fmt.Errorf("more than %d extensions", maxConfigExtensions)
		}
	}
	if err := checkName(c.PublicName); err != nil {
		return nil, err
	}
	kem, err := hpke.NewKEM(uint16(c.KEM))
	if err != nil {
		return nil, fmt.Errorf("KEM %v is unknown", c.KEM)
	}
	public, err := kem.NewPublicKey(c.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("its public key is not one of %v", c.KEM)
	}
	i := slices.IndexFunc(c.CipherSuites, supported)
	if i < 0 {
		return nil, errors.New("none of its cipher suites is known")
	}
	return &Choice{*c, c.CipherSuites[i], public}, nil
}

// maxConfigExtensions bounds what is looked through for duplicates.
const maxConfigExtensions = 32

// supported reports whether we have a cipher suite. The AEAD that cannot encrypt, which HPKE has too, is none.
func supported(s wire.HPKESuite) bool {
	return s.KDF >= wire.HPKEHKDFSHA256 && s.KDF <= wire.HPKEHKDFSHA512 && s.AEAD >= wire.HPKEAES128GCM && s.AEAD <= wire.HPKEChaCha20Poly1305
}

// algorithms gives those of a supported suite.
func algorithms(s wire.HPKESuite) (hpke.KDF, hpke.AEAD) {
	kdf := [...]func() hpke.KDF{hpke.HKDFSHA256, hpke.HKDFSHA384, hpke.HKDFSHA512}[s.KDF-1]
	aead := [...]func() hpke.AEAD{hpke.AES128GCM, hpke.AES256GCM, hpke.ChaCha20Poly1305}[s.AEAD-1]
	return kdf(), aead()
}

// checkName: RFC 9849, Section 6.1.7: a public name is a sequence of LDH labels, and nothing that could be taken for an
// IPv4 address.
func checkName(name string) error {
	labels := strings.Split(name, ".")
	for _, l := range labels {
		if len(l) == 0 || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' || strings.Trim(l, "-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			return fmt.Errorf("public name %q is not a host name", name)
		}
	}
	last := strings.ToLower(labels[len(labels)-1])
	hex, isHex := strings.CutPrefix(last, "0x")
	if strings.Trim(last, "0123456789") == "" || isHex && strings.Trim(hex, "0123456789abcdef") == "" {
		return fmt.Errorf("public name %q could be taken for an IP address", name)
	}
	return nil
}

// info is what binds a context to its configuration (RFC 9849, Section 6.1).
func info(config []byte) []byte { return append([]byte("tls ech\x00"), config...) }

// Key is a server's key with the configuration that it publishes.
type Key struct {
	Config wire.ECHConfig
	Raw    []byte // the same, encoded
	key    hpke.PrivateKey
}

// NewKey checks a configuration and its private key, as [Generate] made them.
func NewKey(config, private []byte) (*Key, error) {
	k := &Key{Raw: bytes.Clone(config)}
	if err := k.Config.Parse(k.Raw); err != nil {
		return nil, err
	}
	if k.Config.Version != wire.ECHVersion1 {
		return nil, fmt.Errorf("version %v is unknown", k.Config.Version)
	}
	kem, err := hpke.NewKEM(uint16(k.Config.KEM))
	if err != nil {
		return nil, fmt.Errorf("KEM %v is unknown", k.Config.KEM)
	}
	if k.key, err = kem.NewPrivateKey(private); err != nil {
		return nil, fmt.Errorf("the private key is not one of %v", k.Config.KEM)
	}
	if !bytes.Equal(k.key.PublicKey().Bytes(), k.Config.PublicKey) {
		return nil, errors.New("the private key is not that of the configuration")
	}
	return k, nil
}

// Generate makes a key and its configuration. Version, public key, and where they are empty KEM and cipher suites are
// filled in: X25519, and AES-128-GCM and ChaCha20-Poly1305 with HKDF-SHA256. A client must be able to use what comes out.
func Generate(template wire.ECHConfig) (config, private []byte, err error) {
	c := template
	c.Version = wire.ECHVersion1
	if c.KEM == 0 {
		c.KEM = wire.HPKEKEMX25519
	}
	if len(c.CipherSuites) == 0 {
		c.CipherSuites = []wire.HPKESuite{{KDF: wire.HPKEHKDFSHA256, AEAD: wire.HPKEAES128GCM}, {KDF: wire.HPKEHKDFSHA256, AEAD: wire.HPKEChaCha20Poly1305}}
	}
	kem, err := hpke.NewKEM(uint16(c.KEM))
	if err != nil {
		return nil, nil, fmt.Errorf("KEM %v is unknown", c.KEM)
	}
	key, err := kem.GenerateKey()
	if err != nil {
		return nil, nil, err
	}
	c.PublicKey = key.PublicKey().Bytes()
	if err := Usable(&c); err != nil {
		return nil, nil, err
	}
	if private, err = key.Bytes(); err != nil {
		return nil, nil, err
	}
	return c.Append(nil), private, nil
}
