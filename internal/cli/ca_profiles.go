package cli

import "github.com/tlswright/tlswright/pki"

// ownProfiles are the profiles of the user's own; none yet.
func (a *app) ownProfiles() (map[string]pki.ProfileSpec, error) { return nil, nil }
