package tlscore

import (
	"errors"
	"fmt"

	"github.com/tlswright/tlswright/internal/ech"
	"github.com/tlswright/tlswright/wire"
)

// ECHStatus says what became of Encrypted ClientHello on a connection (RFC 9849).
type ECHStatus uint8

// What can become of it.
const (
	ECHNone     ECHStatus = iota // the client sent nothing of the kind
	ECHGrease                    // client: it sent what only looks like it (RFC 9849, Section 6.2)
	ECHOffered                   // client: the server has not decided
	ECHAccepted                  // the handshake went on from the inner ClientHello
	ECHRejected                  // the server could not read it, and went on from the outer one
)

var echStatusNames = [...]string{"none", "grease", "offered", "accepted", "rejected"}

// String returns "none", "grease", "offered", "accepted" or "rejected".
func (s ECHStatus) String() string {
	if int(s) < len(echStatusNames) {
		return echStatusNames[s]
	}
	return "unknown"
}

// ECHFacts is what [Facts] says about Encrypted ClientHello. With ECHRejected on a server nothing tells a client with an
// outdated configuration from one that sends GREASE.
type ECHFacts struct {
	Status ECHStatus
	// PublicName is the name that stands in the open in server_name; the connection is for Facts.ServerName.
	PublicName string
	ConfigID   uint8          // of the configuration that is used; on a server that rejects, what the client sent
	Suite      wire.HPKESuite // likewise

	// Of a client whose connection ended with CodeECHRejected, the server being proven to be PublicName's. RetryConfigs is
	// the ECHConfigList that it wants used, nil for none. Disabled says that there is nothing in it for us, so that a new
	// connection without Encrypted ClientHello is what its operator wants (RFC 9849, Section 6.1.6).
	RetryConfigs []byte
	Disabled     bool
}

// ECHKey is a server's key for Encrypted ClientHello; see [GenerateECHKey].
type ECHKey struct {
	Config     []byte // the ECHConfig, encoded: one element of an ECHConfigList
	PrivateKey []byte // as HPKE writes it (RFC 9180, Section 7.1.2)
	// Retry says that the configuration is one for clients to use from now on: it is sent to those that came with another.
	// One that is only kept for clients with an old DNS record has it false.
	Retry bool
}

// GenerateECHKey makes a key for Encrypted ClientHello. Only PublicName must be set in the template, to the name that is to
// stand in the open, for which the server needs a certificate. ConfigID should differ among the keys of a server, and
// MaximumNameLength be that of the longest name behind it. Zero KEM and no CipherSuites: X25519, and AES-128-GCM and
// ChaCha20-Poly1305 with HKDF-SHA256.
func GenerateECHKey(template wire.ECHConfig) (ECHKey, error) {
	config, private, err := ech.Generate(template)
	return ECHKey{Config: config, PrivateKey: private, Retry: true}, err
}

// ECHConfigList is what a server with these keys publishes, encoded: the ech parameter of its HTTPS record in the DNS (RFC 9848,
// Section 3), and [Options].ECHConfigList of a client. The order is that of preference. The error names the key whose
// configuration cannot be read, or says that there is none, or that they take more than 65,535 bytes.
func ECHConfigList(keys ...ECHKey) ([]byte, error) {
	list := wire.ECHConfigList{Configs: make([]wire.ECHConfig, len(keys))}
	size := 0
	for i, k := range keys {
		if err := list.Configs[i].Parse(k.Config); err != nil {
			return nil, fmt.Errorf("ech keys[%d]: %w", i, err)
		}
		size += len(k.Config)
	}
	if size == 0 || size > 1<<16-1 {
		return nil, fmt.Errorf("ech keys: %d bytes of configurations, want 1 to 65535", size)
	}
	return list.Append(nil), nil
}

// CheckECHConfigList reports whether a client can use some configuration of an ECHConfigList, and which one it uses. The
// error says what is wrong, with each if the list as such can be read.
func CheckECHConfigList(list []byte) (*wire.ECHConfig, error) {
	c, err := ech.Choose(list)
	if err != nil {
		return nil, err
	}
	return &c.Config, nil
}

// compileECH checks the keys of a server.
func (p *Params) compileECH(keys []ECHKey) error {
	var retry wire.ECHConfigList
	for i, k := range keys {
		key, err := ech.NewKey(k.Config, k.PrivateKey)
		if err != nil {
			return fmt.Errorf("ech keys[%d]: %w", i, err)
		}
		p.echKeys = append(p.echKeys, key)
		if k.Retry {
			retry.Configs = append(retry.Configs, key.Config)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	// RFC 9849, Section 7.1: the server MUST send one or more configurations with up-to-date keys.
	if len(retry.Configs) == 0 {
		return errors.New("ech keys: none is marked for clients to retry with")
	}
	p.echRetry = retry.Append(nil)
	if len(p.echRetry) > maxOwnList {
		return fmt.Errorf("ech keys: %d bytes of configurations to retry with, more than %d", len(p.echRetry), maxOwnList)
	}
	return nil
}

// OfferECH sets the ECHConfigList in place of what Options said. It is called before Start, when the list is known.
func (m *Machine) OfferECH(list []byte) error {
	if m.started || m.role != RoleClient {
		return misuse("OfferECH other than on a client before Start")
	}
	m.options.ECHConfigList = list
	return nil
}

// HasECHKeys reports whether there are ECHKeys in the configuration, so that a server takes Encrypted ClientHello (RFC 9849).
func (p *Params) HasECHKeys() bool { return len(p.echKeys) > 0 }
