package keystore

import (
	"fmt"
	"os"
	"path/filepath"
)

// Home finds the folder in which everything is kept: flag (the value of --home)
// if not "", else $TLSWRIGHT_HOME, else tlswright in the XDG data folder
// ($XDG_DATA_HOME, by default ~/.local/share). The result is absolute; the folder
// need not exist.
func Home(flag string) (string, error) {
	home := flag
	if home == "" {
		home = os.Getenv("TLSWRIGHT_HOME")
	}
	if home == "" {
		// The XDG Base Directory specification: a relative path is to be ignored.
		data := os.Getenv("XDG_DATA_HOME")
		if !filepath.IsAbs(data) {
			user, err := os.UserHomeDir()
			if err != nil {
				return "", fmt.Errorf("find the home folder (set --home or TLSWRIGHT_HOME): %w", err)
			}
			data = filepath.Join(user, ".local", "share")
		}
		home = filepath.Join(data, "tlswright")
	}
	abs, err := filepath.Abs(home)
	if err != nil {
		return "", fmt.Errorf("find the home folder: %w", err)
	}
	return abs, nil
}
