package cli

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
)

// pinPlan is what to pin of a chain that was found: the leaf's key, and something to fall back to when that is lost or
// replaced.
type pinPlan struct {
	pins   pki.PinSet
	backup string // what the second one is, in words; "": there is none
}

// planPins chooses: backups that were named come first; else the key of the leaf's issuer is the next best, for whoever
// loses the leaf's key gets a new certificate there.
func planPins(chain []*x509.Certificate, backups pki.PinSet) pinPlan {
	p := pinPlan{pins: pki.PinSet{pki.PinSPKI(chain[0])}}
	switch {
	case len(backups) > 0:
		p.pins, p.backup = append(p.pins, backups...), "the backup"
	default:
		for _, c := range chain[1:] {
			if bytes.Equal(c.RawSubject, chain[0].RawIssuer) {
				p.pins, p.backup = append(p.pins, pki.PinSPKI(c)), "the key of its issuer"
				break
			}
		}
	}
	return p
}

// rows show the plan as flags of connect.
func (p pinPlan) rows() []row {
	if p.backup == "" {
		return []row{{"to pin", "the leaf's key has nothing to fall back to: --new-backup FILE makes a key", caution}}
	}
	rows := []row{{"to pin", "the leaf's key, and " + p.backup + " to fall back to", plain}}
	for _, pin := range p.pins {
		rows = append(rows, row{"", "--pin " + pin.String(), plain})
	}
	return rows
}

// texts are the pins as text.
func (p pinPlan) texts() (list []string) {
	for _, pin := range p.pins {
		list = append(list, pin.String())
	}
	return list
}

// makeBackup is --new-backup: a key that is not in use, in a file that was not there.
func (a *app) makeBackup(file string) (pki.Pin, error) {
	if err := refuseToReplace(file); err != nil {
		return pki.Pin{}, err
	}
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		return pki.Pin{}, cannotRun(err, "making a key")
	}
	pin, err := pki.PinPublicKey(key.Public())
	if err != nil {
		return pin, cannotRun(err, "--new-backup")
	}
	if err := keystore.WriteKey(file, key); err != nil {
		return pin, cannotRun(err, "--new-backup")
	}
	a.ui.notef("made %s, a key to fall back to: keep it where the server's key is not", file)
	return pin, nil
}

// distrust says why the chain of a server is not to be pinned unseen; "" if it was verified. Who pins what somebody in
// between has shown keeps the server itself out.
func (a *app) distrust(cmd *cobra.Command, o *certPinFlags, arg string, c *contents) (string, error) {
	t, err := o.peer.target(cmd, arg)
	if err != nil {
		return "", err
	}
	roots, err := a.loadTrust(o.ca)
	if err != nil {
		return "", err
	}
	v := pki.VerifyOptions{Roots: roots.roots, Intermediates: c.certs[1:], Time: a.now(), ServerName: orWord(o.peer.serverName, t.name()), Usage: pki.UsageServer}
	if roots.system {
		if v.SystemRoots, err = x509.SystemCertPool(); err != nil {
			return "", cannotRun(err, "reading the roots of the system")
		}
	}
	if _, err := pki.Verify(c.certs[0], v); err != nil {
		return strings.TrimSpace(fmt.Sprint(err)), nil
	}
	return "", nil
}
