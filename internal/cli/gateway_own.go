package cli

import (
	"slices"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/keystore"
)

// recognizeOwnCA has clients judged by the records of the estate's own CA wherever that CA is trusted, be it that the file
// names its root's file in the place of "own": a root by any name has the same books. Files that cannot be read are left
// to gateway.New, which says what is wrong with them.
func (a *app) recognizeOwnCA(g *config.Gateway) {
	home, err := a.home()
	if err != nil {
		return
	}
	ca, err := keystore.ReadCA(home)
	if err != nil {
		return // there is none, or it is broken, which is said where it is needed
	}
	for i := range g.Sites {
		c := g.Sites[i].Clients
		if c == nil || c.OwnCA || c.Revocation == config.RevocationOff {
			continue
		}
		c.OwnCA = slices.ContainsFunc(c.CA, func(file string) bool {
			roots, err := keystore.ReadCertificates(file)
			return err == nil && slices.ContainsFunc(roots, ca.Root.Equal)
		})
	}
}
