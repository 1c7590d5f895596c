package cli

import (
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
)

// lesson is the CA of the lesson and the server that it vouches for.
type lesson struct {
	root   *x509.Certificate
	rootID ed25519.PrivateKey
	server *x509.Certificate
	key    ed25519.PrivateKey
}

// The files of `learn certs`.
const (
	lessonRootFile   = "ca.pem"
	lessonRootKey    = "ca.key"
	lessonServerFile = "server.pem"
	lessonServerKey  = "server.key"
	lessonServerName = "example-server"
)

// newLesson makes keys and certificates: steps 1 and 2.
func newLesson(name string, now time.Time) (*lesson, error) {
	rootKey, err := pki.GenerateKey(pki.Ed25519)
	if err != nil {
		return nil, cannotRun(err, "making a key")
	}
	serverKey, err := pki.GenerateKey(pki.Ed25519)
	if err != nil {
		return nil, cannotRun(err, "making a key")
	}
	l := &lesson{rootID: rootKey.(ed25519.PrivateKey), key: serverKey.(ed25519.PrivateKey)}
	l.root, err = pki.SelfSign(pki.Request{Profile: pki.ProfileRoot, CommonName: "Lesson Root CA"}, rootKey, now)
	if err != nil {
		return nil, refusedRequest(err, "making the root")
	}
	l.server, err = pki.Issuer{Certificate: l.root, Key: rootKey}.Issue(pki.Request{
		Profile: pki.ProfileServer, CommonName: name, SANs: []string{name}, Key: serverKey.Public(),
	}, now)
	if err != nil {
		return nil, refusedRequest(err, "issuing the server's certificate")
	}
	return l, nil
}

// lessonReport is `learn certs --json`.
type lessonReport struct {
	Folder string     `json:"folder"`
	CA     certReport `json:"ca"`
	Server certReport `json:"server"`
}

func newLearnCerts(a *app) *cobra.Command {
	var name, dir string
	var force, asJSON bool
	cmd := &cobra.Command{
		Use:   "certs",
		Short: "Make the lesson's CA and its server's certificate",
		Long: `Steps 1 and 2 of the lesson: an Ed25519 key and a self-signed certificate for
the CA, an Ed25519 key for the server, and its certificate signed by the CA.`,
		Example: "  tlswright learn certs\n  tlswright learn certs --name my-server --out ./lesson",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			return a.learnCerts(name, dir, force, asJSON)
		},
	}
	cmd.Flags().StringVar(&name, "name", lessonServerName, "the `NAME` of the server")
	cmd.Flags().StringVar(&dir, "out", "lesson", "the `DIR` to write to")
	cmd.Flags().BoolVar(&force, "force", false, "replace files that are there")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	_ = cmd.MarkFlagDirname("out")
	return cmd
}

func (a *app) learnCerts(name, dir string, force, asJSON bool) error {
	if !force {
		for _, f := range []string{lessonRootKey, lessonServerKey} {
			if err := refuseToReplace(filepath.Join(dir, f)); err != nil {
				return err
			}
		}
	}
	l, err := newLesson(name, a.now())
	if err != nil {
		return err
	}
	for _, err := range []error{
		keystore.WriteKey(filepath.Join(dir, lessonRootKey), l.rootID),
		keystore.WriteKey(filepath.Join(dir, lessonServerKey), l.key),
		keystore.WriteCertificates(filepath.Join(dir, lessonRootFile), l.root.Raw),
		keystore.WriteCertificates(filepath.Join(dir, lessonServerFile), l.server.Raw),
	} {
		if err != nil {
			return cannotRun(err, "writing the lesson's files")
		}
	}
	if asJSON {
		now := a.now()
		return a.ui.printJSON(lessonReport{dir, newCertReport(l.root, now), newCertReport(l.server, now)})
	}
	out := &a.ui.out
	a.ui.write(out, out.paint(bold, "step 1 and 2: "+lessonSteps()[0])+"\n"+out.rows([]row{
		{label: "CA", value: nameOf(l.root) + ", signed by itself"},
		{label: "server", value: nameOf(l.server) + ", signed by the CA"},
		{label: "files", value: filepath.Join(dir, "{ca,server}.{pem,key}")},
	}))
	a.ui.printf("\nnext: %s", out.paint(bold, fmt.Sprintf("tlswright learn server --dir %s", dir)))
	return nil
}

// readLesson reads what `learn certs` wrote; the CA's key is not needed.
func readLesson(dir string) (*lesson, error) {
	l := &lesson{}
	hint := "make them: tlswright learn certs --out " + dir
	for _, f := range []struct {
		name string
		to   **x509.Certificate
	}{{lessonRootFile, &l.root}, {lessonServerFile, &l.server}} {
		certs, err := keystore.ReadCertificates(filepath.Join(dir, f.name))
		if err != nil {
			failed := cannotRun(err, "")
			failed.hint = hint
			return nil, failed
		}
		*f.to = certs[0]
	}
	key, err := keystore.ReadKey(filepath.Join(dir, lessonServerKey))
	if err != nil {
		failed := cannotRun(err, "")
		failed.hint = hint
		return nil, failed
	}
	var ok bool
	if l.key, ok = key.(ed25519.PrivateKey); !ok {
		return nil, cannotRun(errors.New("the server's key is no Ed25519 key"), "")
	}
	return l, nil
}
