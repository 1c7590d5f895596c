package keystore

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// The blocks of a file with a key for Encrypted ClientHello (RFC 9934, Section 3).
const (
	pemPrivateKey = "PRIVATE KEY"
	pemECHConfig  = "ECHCONFIG"
)

// MarshalECHKey writes a key as PEM: the private key, and the list of its one configuration (RFC 9934). Keys of ML-KEM
// have no such form.
func MarshalECHKey(k tlscore.ECHKey) ([]byte, error) {
	var config wire.ECHConfig
	if err := config.Parse(k.Config); err != nil {
		return nil, err
	}
	curve := map[wire.HPKEKEM]ecdh.Curve{
		wire.HPKEKEMX25519: ecdh.X25519(), wire.HPKEKEMP256: ecdh.P256(), wire.HPKEKEMP384: ecdh.P384(), wire.HPKEKEMP521: ecdh.P521(),
	}[config.KEM]
	if curve == nil {
		return nil, fmt.Errorf("a key of %v cannot be kept in a file", config.KEM)
	}
	key, err := curve.NewPrivateKey(k.PrivateKey)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	list, err := tlscore.ECHConfigList(k)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: pemPrivateKey, Bytes: der})
	return append(text, pem.EncodeToMemory(&pem.Block{Type: pemECHConfig, Bytes: list})...), nil
}

// ReadECHKeys reads a file that [MarshalECHKey] or another program made: a private key, and a list of configurations for
// it, each of which becomes a key of a server (RFC 9934). The file must be closed to everybody else, as for [ReadKey].
func ReadECHKeys(path string, retry bool) ([]tlscore.ECHKey, error) {
	text, err := readFile(path, checkKeyMode)
	if err != nil {
		return nil, fmt.Errorf("read ECH key: %w", err)
	}
	defer clear(text)
	keys, err := parseECHKeys(text)
	if err != nil {
		return nil, fmt.Errorf("read ECH key %s: %w", pki.Printable(path), err)
	}
	for i := range keys {
		keys[i].Retry = retry
	}
	return keys, nil
}

func parseECHKeys(text []byte) ([]tlscore.ECHKey, error) {
	var private []byte
	var list *wire.ECHConfigList
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		var err error
		switch {
		case block.Type == pemPrivateKey && private == nil:
			private, err = hpkePrivateKey(block.Bytes)
		case block.Type == pemECHConfig && list == nil:
			list = new(wire.ECHConfigList)
			err = list.Parse(block.Bytes)
		default:
			err = fmt.Errorf("there is a second %s, or one that does not belong here", pki.Printable(block.Type))
		}
		if err != nil {
			return nil, err
		}
	}
	if private == nil || list == nil {
		return nil, errors.New("it must hold a PRIVATE KEY and an ECHCONFIG")
	}
	var keys []tlscore.ECHKey
	for i := range list.Configs {
		if list.Configs[i].Version == wire.ECHVersion1 {
			keys = append(keys, tlscore.ECHKey{Config: list.Configs[i].Append(nil), PrivateKey: private})
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("it holds no configuration of a version that is known")
	}
	return keys, nil
}

// hpkePrivateKey gives the private key of PKCS #8 as HPKE wants it.
func hpkePrivateKey(der []byte) ([]byte, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	switch key := key.(type) {
	case *ecdh.PrivateKey:
		return key.Bytes(), nil
	case *ecdsa.PrivateKey:
		k, err := key.ECDH()
		if err != nil {
			return nil, err
		}
		return k.Bytes(), nil
	}
	return nil, fmt.Errorf("a %T is no key for ECH", key)
}

// ParseECHConfigList finds an ECHConfigList in what people have: PEM (RFC 9934), base64 as in the DNS, or the bytes
// themselves. What it returns is not looked into, and a copy: the text may be wiped.
func ParseECHConfigList(text []byte) ([]byte, error) {
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == pemECHConfig {
			return block.Bytes, nil
		}
	}
	if n := len(text); n > 2 && int(text[0])<<8|int(text[1]) == n-2 {
		return bytes.Clone(text), nil
	}
	line := bytes.TrimRight(bytes.TrimSpace(text), "=")
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(line)))
	n, err := base64.RawStdEncoding.Decode(out, line)
	if err != nil || n == 0 {
		return nil, errors.New("this is no list of ECH configurations: neither PEM, nor base64, nor binary")
	}
	return out[:n], nil
}
