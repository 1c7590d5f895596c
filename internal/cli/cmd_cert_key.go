package cli

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

type certKeyFlags struct {
	make        string
	output      string
	force       bool
	encrypt     bool
	kdf         string
	traditional bool
	isPublic    bool
	match       string
	asJSON      bool
	secret      secretFlags
}

const certKeyLong = `Make a private key, or look at one: its kind and size, how it is kept, whether
it is sound (it signs, and its public part verifies), the key id and the pin by
which certificates with it are known.

--new KIND makes a key and writes it as PKCS#8, readable for you alone;
--encrypt asks for a passphrase to lock it with. --public prints the public
part. --match FILE tells whether a certificate, a request or a public key
belongs to the key; one that does not is a failed check.

A passphrase is asked for at the terminal, or comes from a file or a variable of
the environment, but never from the command line, which everybody can read.

` + exitCodeHelp

const certKeyExample = `  tlswright cert key --new p256 -o server.key
  tlswright cert key --new rsa4096 --encrypt -o ca.key
  tlswright cert key server.key
  tlswright cert key --match server.crt server.key
  tlswright cert key --public server.key > server.pub`

func newCertKey(a *app) *cobra.Command {
	o := &certKeyFlags{}
	cmd := &cobra.Command{
		Use:     "key FILE | key --new KIND",
		Short:   "Make a private key, or inspect and check one",
		Long:    certKeyLong,
		Example: certKeyExample,
		Args: func(cmd *cobra.Command, args []string) error {
			if o.make != "" {
				return noArgs(cmd, args)
			}
			return oneArg("a FILE with a key, \"-\", or --new KIND")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.make != "" {
				return a.makeKey(cmd, o)
			}
			return a.certKey(cmd, o, args[0])
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.make, "new", "", "make a key of this `KIND`: "+keyTypeList())
	f.StringVarP(&o.output, "output", "o", "", "write the key to `FILE` (default: standard output)")
	f.BoolVar(&o.force, "force", false, "replace the file of --output")
	f.BoolVar(&o.encrypt, "encrypt", false, "lock the new key with a passphrase")
	f.StringVar(&o.kdf, "kdf", string(pki.PBKDF2), "how the passphrase becomes a key, by `NAME`: pbkdf2, which everybody reads, or scrypt, which is dearer to try out")
	f.BoolVar(&o.traditional, "traditional", false, "write the key as PKCS#1 or SEC 1 instead of PKCS#8, for old programs")
	f.BoolVar(&o.isPublic, "public", false, "print the public part, PEM")
	f.StringVar(&o.match, "match", "", "does this `FILE` (certificate, request, public key) belong to the key?")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	o.secret.register(cmd, "the key")
	complete(cmd, "new", keyTypeNames())
	complete(cmd, "kdf", []string{string(pki.PBKDF2), string(pki.Scrypt)})
	_ = cmd.MarkFlagFilename("output")
	_ = cmd.MarkFlagFilename("match")
	exclusive(cmd, "new", "match")
	exclusive(cmd, "public", "match")
	exclusive(cmd, "public", "json")
	exclusive(cmd, "traditional", "encrypt")
	return cmd
}

func keyTypeNames() []string {
	var words []string
	for _, t := range pki.KeyTypes() {
		words = append(words, string(t))
	}
	return words
}

// keyReport is `cert key --json`.
type keyReport struct {
	Source    string `json:"source"`
	Key       string `json:"key"`
	Bits      int    `json:"bits,omitempty"`
	Strength  int    `json:"strength,omitempty"` // bits of work
	Exponent  int    `json:"exponent,omitempty"`
	IsPrivate bool   `json:"private"`
	Matches   *bool  `json:"matches,omitempty"` // --match
	Container string `json:"container,omitempty"`
	Encrypted bool   `json:"encrypted"`
	Mode      string `json:"file_mode,omitempty"`
	IsSound   bool   `json:"sound"`
	Problem   string `json:"problem,omitempty"`
	KeyID     string `json:"key_id"`     // as this program writes it into certificates
	Pin       string `json:"pin_sha256"` // base64, of the SubjectPublicKeyInfo
	Public    string `json:"public_key"` // PEM
}

// makeKey is --new.
func (a *app) makeKey(cmd *cobra.Command, o *certKeyFlags) error {
	kind, err := pki.ParseKeyType(o.make)
	if err != nil {
		return refusedFlag(cmd, "--new", err)
	}
	form := keyForm{encrypt: o.encrypt || o.secret.isSet(), traditional: o.traditional}
	if form.kdf, err = pki.ParseKDF(o.kdf); err != nil {
		return refusedFlag(cmd, "--kdf", err)
	}
	if o.output != "" && o.output != "-" && !o.force {
		if err := refuseToReplace(o.output); err != nil {
			return err
		}
	}
	o.secret.isNew = true
	key, err := pki.GenerateKey(kind)
	if err != nil {
		return cannotRun(err, "making a key")
	}
	text, err := a.encodeKey(key, form, &o.secret, orWord(o.output, "the new key"))
	if err != nil {
		return err
	}
	if err := a.writeResult(o.output, text, true, o.force); err != nil {
		return err
	}
	if o.output == "" || o.output == "-" {
		return nil
	}
	r, err := newKeyReport(foundKey{key: key, encrypted: form.encrypt, container: form.container(key)}, nil, o.output)
	if err != nil {
		return err
	}
	if o.asJSON {
		return a.ui.printJSON(r)
	}
	a.printKey("made "+o.output, r)
	return nil
}

// keyForm is how a private key is to be written.
type keyForm struct {
	encrypt     bool
	traditional bool
	kdf         pki.KDF
}

func (f keyForm) container(key crypto.Signer) string {
	if !f.traditional {
		return "PKCS#8"
	}
	if _, ok := key.(*rsa.PrivateKey); ok {
		return "PKCS#1"
	}
	return "SEC 1"
}

// encodeKey writes a private key as PEM.
func (a *app) encodeKey(key crypto.Signer, form keyForm, secret *secretFlags, what string) ([]byte, error) {
	var text []byte
	var err error
	switch {
	case form.encrypt:
		passphrase, secretErr := a.secret(secret, what)
		if secretErr != nil {
			return nil, secretErr
		}
		text, err = pki.MarshalEncryptedPrivateKeyPEM(key, passphrase, form.kdf)
	case form.traditional:
		text, err = pki.MarshalTraditionalPEM(key)
	default:
		text, err = pki.MarshalPrivateKeyPEM(key)
	}
	if err != nil {
		return nil, refusedRequest(err, "writing the key")
	}
	return text, nil
}

func (a *app) certKey(cmd *cobra.Command, o *certKeyFlags, arg string) error {
	c, err := a.readInput(cmd, arg, nil, &o.secret)
	if err != nil {
		return err
	}
	var found foundKey
	var public crypto.PublicKey
	switch {
	case len(c.keys) > 1:
		return &failure{kind: kindLocal, text: fmt.Sprintf("%s holds %d private keys", c.origin, len(c.keys)), hint: "convert it first, and name one with --name"}
	case len(c.keys) == 1:
		found = c.keys[0]
		public = found.key.Public()
	case len(c.publics) > 0:
		public = c.publics[0]
	default:
		return &failure{kind: kindLocal, text: c.origin + " holds no key, but " + c.summary()}
	}
	r, err := newKeyReport(found, public, c.origin)
	if err != nil {
		return err
	}
	switch {
	case o.isPublic:
		return a.writeResult(o.output, []byte(r.Public), false, o.force)
	case o.match != "":
		return a.matchKey(cmd, o, public, r)
	case o.asJSON:
		err = a.ui.printJSON(r)
	default:
		a.printKey(c.origin, r)
	}
	if err == nil && r.Problem != "" {
		return &failure{kind: kindFinding, text: fmt.Sprintf("%s: the key is not sound: %s", c.origin, r.Problem)}
	}
	return err
}

func newKeyReport(found foundKey, public crypto.PublicKey, origin string) (keyReport, error) {
	if found.key != nil {
		public = found.key.Public()
	}
	spki, err := cert.MarshalPublicKey(public)
	if err != nil {
		return keyReport{}, cannotRun(err, "%s", origin)
	}
	id, err := pki.KeyID(public)
	if err != nil {
		return keyReport{}, cannotRun(err, "%s", origin)
	}
	pin := sha256.Sum256(spki)
	r := keyReport{
		Source: origin, Key: pki.DescribeKey(public), Bits: keyBits(public), Strength: keyStrength(public), IsPrivate: found.key != nil,
		Container: found.container, Encrypted: found.encrypted, IsSound: true, KeyID: hex.EncodeToString(id),
		Pin: base64.StdEncoding.EncodeToString(pin[:]), Public: string(pemBlock("PUBLIC KEY", spki)),
	}
	if k, ok := public.(*rsa.PublicKey); ok {
		r.Exponent = k.E
	}
	if found.key != nil {
		if err := checkKeyPair(found.key); err != nil {
			r.IsSound, r.Problem = false, err.Error()
		}
	}
	if info, err := os.Stat(origin); err == nil && info.Mode().IsRegular() {
		r.Mode = fmt.Sprintf("%04o", info.Mode().Perm())
	}
	return r, nil
}

// checkKeyPair has a key sign something, and verifies the signature with its public part.
func checkKeyPair(key crypto.Signer) error {
	t := &x509.CertificateRequest{}
	if _, ok := key.(*pki.PSSKey); ok {
		t.SignatureAlgorithm = x509.SHA256WithRSAPSS
	}
	if k, ok := key.(*rsa.PrivateKey); ok {
		if err := k.Validate(); err != nil {
			return err
		}
	}
	der, err := cert.CreateRequest(t, key)
	if err != nil {
		return fmt.Errorf("it does not sign: %w", err)
	}
	request, err := cert.ParseRequest(der)
	if err != nil {
		return err
	}
	return cert.CheckRequest(request)
}

func (a *app) printKey(title string, r keyReport) {
	out := &a.ui.out
	kind := "public"
	if r.IsPrivate {
		kind = "private"
	}
	key := row{"key", r.Key, plain}
	if r.Exponent != 0 {
		key.value += fmt.Sprintf(", exponent %d", r.Exponent)
	}
	if r.Strength > 0 {
		key.value += fmt.Sprintf(", worth %d bits", r.Strength)
	}
	if r.Bits < pki.MinRSABits && r.Exponent != 0 {
		key.value, key.style = fmt.Sprintf("%s: too short, below %d bits", key.value, pki.MinRSABits), bad
	}
	rows := []row{key}
	if r.IsPrivate {
		kept := r.Container + ", without a passphrase"
		switch {
		case r.Container == tokenContainer:
			kept = r.Container + ", which it never leaves"
		case r.Encrypted:
			kept = r.Container + ", under a passphrase"
		}
		rows = append(rows, row{"kept as", kept, plain})
		if r.Mode != "" {
			mode := row{"file mode", r.Mode + ", for its owner alone", plain}
			if r.Mode != "0600" && r.Mode != "0400" {
				mode = row{"file mode", r.Mode + ": open to others; chmod 600 closes it", caution}
			}
			rows = append(rows, mode)
		}
		sound := row{"check", "sound: it signs, and the public part verifies", good}
		if !r.IsSound {
			sound = row{"check", "NOT SOUND: " + pki.Printable(r.Problem), bad}
		}
		rows = append(rows, sound)
	}
	rows = append(rows, row{"key id", r.KeyID, faint}, row{"pin", "sha256/" + r.Pin, plain})
	a.ui.write(out, out.paint(bold, title)+out.paint(faint, ", a "+kind+" key")+"\n"+out.rows(rows))
}

// matchKey is --match.
func (a *app) matchKey(cmd *cobra.Command, o *certKeyFlags, public crypto.PublicKey, r keyReport) error {
	origin := r.Source
	c, err := a.readInput(cmd, o.match, nil, nil)
	if err != nil {
		return err
	}
	var others []crypto.PublicKey
	what := "certificate"
	switch {
	case len(c.certs) > 0:
		v, err := newCertView(c.certs[0], a.now())
		if err != nil {
			return cannotRun(err, "%s", c.origin)
		}
		others = append(others, v.PublicKey)
	case len(c.requests) > 0:
		r, err := cert.ParseRequest(c.requests[0])
		if err != nil {
			return cannotRun(err, "%s", c.origin)
		}
		what, others = "request", append(others, r.PublicKey)
	case len(c.publics) > 0:
		what, others = "public key", c.publics
	case len(c.keys) > 0 && c.keys[0].key != nil:
		what, others = "private key", append(others, c.keys[0].key.Public())
	default:
		return &failure{kind: kindLocal, text: c.origin + " holds no certificate, request or public key"}
	}
	isSame := pki.SameKey(others[0], public)
	if o.asJSON {
		r.Matches = &isSame
		if err := a.ui.printJSON(r); err != nil || isSame {
			return err
		}
	}
	if !isSame {
		return &failure{kind: kindFinding, text: fmt.Sprintf("the %s of %s (%s) does not belong to the key of %s (%s)", what, c.origin,
			pki.DescribeKey(others[0]), origin, pki.DescribeKey(public))}
	}
	a.ui.printf("%s: the %s of %s belongs to the key of %s", a.ui.out.paint(good, "match"), what, c.origin, origin)
	return nil
}
