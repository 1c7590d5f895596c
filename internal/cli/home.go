package cli

import "github.com/tlswright/tlswright/internal/keystore"

// home is the folder in which the estate lives; it need not exist yet.
func (a *app) home() (string, error) {
	home, err := keystore.Home(a.homeFlag)
	if err != nil {
		return "", cannotRun(err, "")
	}
	return home, nil
}
