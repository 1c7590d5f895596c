package cli

import (
	"crypto"
	"encoding/hex"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/tlscore"
)

// pskFlags are the flags about external pre-shared keys. The keys themselves never stand in the command line, where every
// user of the machine can read them.
type pskFlags struct {
	source     string
	hash       string
	context    string
	unimported bool
}

func (p *pskFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&p.source, "psk", "", "authenticate by pre-shared keys, and by no certificate: a `FILE` with lines of IDENTITY:HEX, or env:NAME for a variable that holds such a line")
	f.StringVar(&p.hash, "psk-hash", "sha256", "the `HASH` that belongs to the keys: sha256 or sha384")
	f.StringVar(&p.context, "psk-context", "", "`TEXT` that both ends derive the keys with, such as their names (RFC 9258)")
	f.BoolVar(&p.unimported, "psk-as-is", false, "use the keys as they are, without the importer of RFC 9258, as OpenSSL and GnuTLS do")
	complete(cmd, "psk-hash", []string{"sha256", "sha384"})
	_ = cmd.MarkFlagFilename("psk")
}

// load reads the keys for a role; none without --psk.
func (p *pskFlags) load(cmd *cobra.Command, role tlscore.Role) ([]tlscore.PSK, error) {
	if p.source == "" {
		if p.context != "" || p.unimported || cmd.Flags().Changed("psk-hash") {
			return nil, usagef(cmd, "--psk-hash, --psk-context and --psk-as-is belong to --psk")
		}
		return nil, nil
	}
	hash := map[string]crypto.Hash{"sha256": crypto.SHA256, "sha384": crypto.SHA384}[p.hash]
	if hash == 0 {
		return nil, usagef(cmd, "--psk-hash %q is neither sha256 nor sha384", p.hash)
	}
	text, err := p.read()
	if err != nil {
		return nil, cannotRun(err, "--psk")
	}
	defer clear(text)
	var keys []tlscore.PSK
	for i, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		cut := strings.LastIndexByte(line, ':')
		key, err := hex.DecodeString(line[cut+1:])
		if cut <= 0 || err != nil || len(key) < 16 {
			f := usagef(cmd, "--psk: line %d is not IDENTITY:HEX with a key of 16 bytes or more", i+1)
			f.hint = "a new key: openssl rand -hex 32"
			return nil, f
		}
		keys = append(keys, tlscore.PSK{
			Identity: []byte(line[:cut]), Key: key, Role: role, Hash: hash, Context: []byte(p.context), Unimported: p.unimported,
		})
	}
	if len(keys) == 0 {
		return nil, usagef(cmd, "--psk: there is no key in %s", p.source)
	}
	return keys, nil
}

// read returns the text with the keys.
func (p *pskFlags) read() ([]byte, error) {
	if name, ok := strings.CutPrefix(p.source, "env:"); ok {
		return []byte(os.Getenv(name)), nil
	}
	return keystore.ReadSecret(p.source)
}
