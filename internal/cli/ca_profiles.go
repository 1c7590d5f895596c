package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/pki"
)

// profilesFile holds profiles of the user's own, below --home.
const profilesFile = "ca/profiles.yaml"

// ownProfiles reads the profiles of the user's own; nil where there are none.
func (a *app) ownProfiles() (map[string]pki.ProfileSpec, error) {
	home, err := a.home()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(home, filepath.FromSlash(profilesFile))
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, cannotRun(err, "reading the profiles")
	}
	profiles, err := config.ReadProfiles(text)
	if err != nil {
		f := &failure{kind: kindLocal, text: path + ": " + err.Error(), err: err}
		var wrong *config.Error
		if errors.As(err, &wrong) {
			f.hint = wrong.Hint
		}
		return nil, f
	}
	return profiles, nil
}
