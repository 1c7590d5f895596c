package trust

import (
	"context"
	"crypto/x509"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/pki"
)

// nss is one NSS database: a profile of Firefox, or the one that Chromium and others share.
type nss struct {
	dir string
}

// findNSS finds the databases of a user. Chromium's is made when Chromium first needs it: where its folder is missing,
// there is nothing to install into yet. Since Chromium 146 that is the one in the XDG data folder, unless the other is there.
func findNSS(home string) []string {
	var found []string
	for _, pattern := range []string{
		".pki/nssdb",
		".local/share/pki/nssdb",
		".mozilla/firefox/*",
		".config/mozilla/firefox/*",
		"snap/*/current/.pki/nssdb",
		"snap/*/current/.local/share/pki/nssdb",
		"snap/firefox/common/.mozilla/firefox/*",
		".var/app/org.mozilla.firefox/.mozilla/firefox/*",
		".var/app/org.mozilla.firefox/config/mozilla/firefox/*",
		".var/app/*/.pki/nssdb",
		".var/app/*/data/pki/nssdb",
	} {
		// A pattern that is written wrong finds nothing, and this test of the package finds it.
		dirs, _ := filepath.Glob(filepath.Join(home, filepath.FromSlash(pattern)))
		for _, dir := range dirs {
			if _, err := os.Stat(filepath.Join(dir, "cert9.db")); err == nil {
				found = append(found, dir)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// Kind implements Store.
func (*nss) Kind() string { return "nss" }

// Where implements Store.
func (n *nss) Where() string { return n.dir }

func (n *nss) label() string { return "NSS database " + n.dir }

func (n *nss) certutil(ctx context.Context, args ...string) ([]byte, error) {
	return run(ctx, n.label(), "certutil", append([]string{"-d", "sql:" + n.dir}, args...)...)
}

// Install implements Store.
func (n *nss) Install(ctx context.Context, root *x509.Certificate) error {
	path, remove, err := writeTemp(root)
	if err != nil {
		return err
	}
	defer remove()
	_, err = n.certutil(ctx, "-A", "-t", "C,,", "-n", nameOf(root), "-i", path)
	return err
}

// IsEmpty reports whether an NSS database of [MakeNSS] holds neither certificates nor keys.
func IsEmpty(ctx context.Context, s Store) (bool, error) {
	n, ok := s.(*nss)
	if !ok {
		return false, nil
	}
	list, err := n.certutil(ctx, "-L")
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(string(list)) {
		if fields := strings.Fields(line); len(fields) > 1 && strings.Count(fields[len(fields)-1], ",") == 2 {
			return false, nil
		}
	}
	// Without keys certutil fails, and says so.
	keys, err := n.certutil(ctx, "-K")
	return err != nil && strings.Contains(string(keys), "no keys found"), nil
}

// Remove implements Store.
func (n *nss) Remove(ctx context.Context, root *x509.Certificate) error {
	roots, err := n.Roots(ctx)
	if err != nil || !holds(roots, root) {
		return err
	}
	_, err = n.certutil(ctx, "-D", "-n", nameOf(root))
	return err
}

// Roots implements Store: the certificates with the trust flag C for servers.
func (n *nss) Roots(ctx context.Context) ([]*x509.Certificate, error) {
	list, err := n.certutil(ctx, "-L")
	if err != nil {
		return nil, err
	}
	var roots []*x509.Certificate
	for _, nickname := range trustedNicknames(string(list)) {
		text, err := n.certutil(ctx, "-L", "-a", "-n", nickname)
		if err != nil {
			return nil, err
		}
		certs, err := pki.ParseCertificatesPEM(text)
		if err != nil {
			continue // not one that Go reads
		}
		roots = append(roots, certs...)
	}
	return roots, nil
}

// trustedNicknames takes the names of server CAs from the table that certutil prints: a name, spaces, and the three
// groups of trust flags.
func trustedNicknames(list string) []string {
	var names []string
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		flags := fields[len(fields)-1]
		groups := strings.Split(flags, ",")
		if len(groups) != 3 || !strings.Contains(groups[0], "C") {
			continue
		}
		name := strings.TrimSpace(strings.TrimSuffix(strings.TrimRight(line, "\r\n\t "), flags))
		names = append(names, name)
	}
	return names
}

// NSS is the database in a folder, whether it is there already or not.
func NSS(dir string) Store { return &nss{dir: dir} }

// MakeNSS makes an empty NSS database at dir, as Chromium does with ~/.pki/nssdb when it first needs one.
func MakeNSS(ctx context.Context, dir string) (Store, error) {
	n := &nss{dir: dir}
	if _, err := os.Stat(filepath.Join(dir, "cert9.db")); err == nil {
		return n, nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, &Error{Store: n.label(), Text: err.Error(), Err: err}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, &Error{Store: n.label(), Text: err.Error(), Err: err}
	}
	_, err := n.certutil(ctx, "-N", "--empty-password")
	return n, err
}

// ChromiumDatabase is where every version of Chromium finds a user's own roots, if it is there; since version 146 it makes
// one elsewhere, see findNSS.
func ChromiumDatabase(home string) string { return filepath.Join(home, ".pki", "nssdb") }

// HasChromium reports whether a browser of that family is installed, which makes its database when it first needs one.
func HasChromium() bool {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge", "brave-browser", "vivaldi", "opera"} {
		if _, err := exec.LookPath(name); err == nil {
			return true
		}
	}
	return false
}

// IsChromium reports whether a store is that of the browsers of Chromium's family.
func IsChromium(s Store) bool {
	where := filepath.ToSlash(s.Where())
	return s.Kind() == "nss" && (strings.HasSuffix(where, "/pki/nssdb") || strings.HasSuffix(where, "/.pki/nssdb"))
}
