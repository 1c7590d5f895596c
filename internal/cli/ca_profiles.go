package cli

import (
	"github.com/tlswright/tlswright/pki"
)

// ownProfiles reads the profiles of the user's own; nil where there are none.
func (a *app) ownProfiles() (map[string]pki.ProfileSpec, error) {
	b, err := a.base(nil)
	if err != nil {
		return nil, err
	}
	profiles, err := b.Profiles()
	if err != nil {
		return nil, asFailure(err)
	}
	return profiles, nil
}
