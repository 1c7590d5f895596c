package cli

import (
	"crypto/sha256"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// rawKeyRows is the line of a report about a raw public key.
func rawKeyRows(f tlscore.Facts) []row {
	if f.PeerType != wire.CertificateTypeRawPublicKey || len(f.PeerChain) != 1 {
		return nil
	}
	text := pki.Pin{Kind: pki.PinKindSPKI, SHA256: sha256.Sum256(f.PeerChain[0])}.String()
	if key, err := cert.ParsePublicKey(f.PeerChain[0]); err == nil {
		text = pki.DescribeKey(key) + ", " + text
	}
	return []row{{label: "raw key", value: text}}
}

// takeRawKeys is connect --raw-key: keys in the place of certificates, which are taken too only where --ca names whose. A
// client with a key of its own can show that alone, too.
func (a *app) takeRawKeys(cmd *cobra.Command, o *connectFlags, config *tlsnet.Config) (err error) {
	if len(o.rawKeys) == 0 {
		return nil
	}
	if len(o.psk.source) > 0 {
		return usagef(cmd, "--raw-key and --psk exclude each other")
	}
	if config.RawKeys, err = a.readRawKeys(cmd, "--raw-key", o.rawKeys); err != nil {
		return err
	}
	if len(o.ca) == 0 {
		config.Roots, config.SystemRoots = nil, false
	}
	for _, id := range config.Identities {
		config.Identities = append(config.Identities, tlsnet.Identity{Key: id.Key, Raw: true})
	}
	return nil
}

// showRawKeys is serve --raw-key and --client-raw-key.
func (a *app) showRawKeys(cmd *cobra.Command, o *serveFlags, config *tlsnet.Config) (err error) {
	if o.rawKey {
		for _, id := range config.Identities {
			config.Identities = append(config.Identities, tlsnet.Identity{Key: id.Key, Raw: true})
		}
	}
	if len(o.clientRawKeys) == 0 {
		return nil
	}
	config.Core.ClientAuth = tlscore.RequireClientCert
	config.RawKeys, err = a.readRawKeys(cmd, "--client-raw-key", o.clientRawKeys)
	return err
}

// readRawKeys reads the pins of keys.
func (a *app) readRawKeys(cmd *cobra.Command, flag string, values []string) (keys pki.PinSet, err error) {
	pins, err := a.readPins(cmd, flag, values)
	for _, p := range pins {
		if p.Kind == pki.PinKindSPKI {
			keys = append(keys, p)
		}
	}
	if err == nil && len(keys) == 0 {
		return nil, usagef(cmd, "%s: none of these is the pin of a key", flag)
	}
	return keys, err
}
