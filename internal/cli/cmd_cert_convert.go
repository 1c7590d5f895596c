package cli

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/jks"
	"github.com/tlswright/tlswright/pki/pkcs12"
	"github.com/tlswright/tlswright/pki/pkcs7"
)

type certConvertFlags struct {
	to          string
	output      string
	legacy      bool
	encrypt     bool
	traditional bool
	onlyCerts   bool
	onlyKeys    bool
	name        string
	alias       string
	force       bool
	asJSON      bool
	secret      secretFlags
	newSecret   secretFlags
}

const certConvertLong = `Convert certificates and keys from whatever they are in to what is wanted:

  pem     text: certificates, and the key as PKCS#8; under a passphrase with
          --encrypt, as PKCS#1 or SEC 1 with --traditional
  der     one certificate or, with --only-keys, one key, in binary
  pkcs7   certificates for Windows and Java (.p7b)
  pkcs12  a key with its chain under a password (.p12, .pfx), for browsers and
          Java; --legacy takes the old ciphers that old programs ask for
  jks     Java's old key store

The input is found out by its content; several files are put together, so that a
key, its certificate and the chain may come from three. The output is chosen by
--to or by the name of --output. A file without a key becomes a store of trusted
certificates.

Passwords are asked for at the terminal, or come from a file or a variable of
the environment: --password-file and --password-env for what is read,
--new-password-file and --new-password-env for what is written.`

const certConvertExample = `  tlswright cert convert client.key client.crt ca.crt -o client.p12
  tlswright cert convert client.p12 -o client.pem
  tlswright cert convert server.crt --to der -o server.der
  tlswright cert convert --only-keys --encrypt server.key -o locked.key
  tlswright cert convert --legacy app.pem -o old.pfx`

// outputFormats are the words of --to.
var outputFormats = []string{"pem", "der", "pkcs7", "pkcs12", "jks"}

func newCertConvert(a *app) *cobra.Command {
	o := &certConvertFlags{newSecret: secretFlags{prefix: "new-", isNew: true}}
	cmd := &cobra.Command{
		Use:     "convert FILE...",
		Short:   "Convert certificates and keys: PEM, DER, PKCS#7, PKCS#12, JKS",
		Long:    certConvertLong,
		Example: certConvertExample,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef(cmd, "%q needs a FILE, or \"-\"", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.certConvert(cmd, o, args) },
	}
	f := cmd.Flags()
	f.StringVar(&o.to, "to", "", "write this `FORMAT`: "+strings.Join(outputFormats, ", ")+" (default: by the name of --output, else pem)")
	f.StringVarP(&o.output, "output", "o", "", "write to `FILE` (default: standard output)")
	f.BoolVar(&o.legacy, "legacy", false, "PKCS#12 with 3DES and SHA-1, for programs that know nothing better")
	f.BoolVar(&o.encrypt, "encrypt", false, "lock a key in PEM or DER with a passphrase")
	f.BoolVar(&o.traditional, "traditional", false, "a key in PEM as PKCS#1 or SEC 1 instead of PKCS#8")
	f.BoolVar(&o.onlyCerts, "only-certs", false, "leave keys out")
	f.BoolVar(&o.onlyKeys, "only-keys", false, "leave certificates out")
	f.StringVar(&o.name, "name", "", "the friendly `NAME` (alias) in PKCS#12 and JKS (default: the common name)")
	f.StringVar(&o.alias, "alias", "", "of a store with several keys, take that of this `NAME`")
	f.BoolVar(&o.force, "force", false, "replace the file of --output")
	f.BoolVar(&o.asJSON, "json", false, "print what was written as JSON; needs --output")
	o.secret.register(cmd, "the input")
	o.newSecret.register(cmd, "the output")
	complete(cmd, "to", outputFormats)
	_ = cmd.MarkFlagFilename("output")
	exclusive(cmd, "only-certs", "only-keys")
	exclusive(cmd, "encrypt", "traditional")
	return cmd
}

// format finds the format of the output.
func (o *certConvertFlags) format(cmd *cobra.Command) (string, error) {
	to := strings.ToLower(o.to)
	if to == "" {
		switch strings.ToLower(filepath.Ext(o.output)) {
		case ".der", ".cer":
			to = "der"
		case ".p7b", ".p7c", ".p7s":
			to = "pkcs7"
		case ".p12", ".pfx":
			to = "pkcs12"
		case ".jks":
			to = "jks"
		default:
			to = "pem"
		}
	}
	to = orWord(map[string]string{"p7b": "pkcs7", "p12": "pkcs12", "pfx": "pkcs12"}[to], to)
	switch {
	case !slices.Contains(outputFormats, to):
		f := usagef(cmd, "--to %q is no format we know", o.to)
		f.hint = "known are " + strings.Join(outputFormats, ", ")
		return "", f
	case o.legacy && to != "pkcs12":
		return "", usagef(cmd, "--legacy belongs to PKCS#12, but the output is %s", to)
	case to == "pkcs7" && o.onlyKeys:
		return "", usagef(cmd, "PKCS#7 holds certificates, no keys")
	}
	return to, nil
}

// parcel is what is to be written.
type parcel struct {
	key   crypto.Signer       // nil: none
	ders  [][]byte            // each certificate once, as it stands
	certs []*x509.Certificate // the same, for formats that take only what can be read in full
	name  string
}

func (a *app) certConvert(cmd *cobra.Command, o *certConvertFlags, args []string) error {
	to, err := o.format(cmd)
	if err != nil {
		return err
	}
	if o.output != "" && o.output != "-" && !o.force {
		if err := refuseToReplace(o.output); err != nil {
			return err
		}
	}
	if o.asJSON && (o.output == "" || o.output == "-") {
		return usagef(cmd, "--json needs --output FILE, for what is converted goes to standard output otherwise")
	}
	isBinary := to == "der" || to == "pkcs12" || to == "jks"
	if isBinary && (o.output == "" || o.output == "-") && a.ui.out.width > 0 {
		f := usagef(cmd, "%s is nothing for a terminal", to)
		f.hint = "name a file with --output"
		return f
	}
	p, err := a.pack(cmd, o, to, args)
	if err != nil {
		return err
	}
	data, err := a.encode(cmd, o, to, p)
	if err != nil {
		return err
	}
	if err := a.writeResult(o.output, data, p.key != nil, o.force); err != nil {
		return err
	}
	if o.output == "" || o.output == "-" {
		return nil
	}
	return a.reportConverted(o, to, p)
}

// convertJSON is `cert convert --json`.
type convertJSON struct {
	File         string       `json:"file"`
	Format       string       `json:"format"`
	Key          string       `json:"key,omitempty"`
	Certificates []certReport `json:"certificates"`
}

func (a *app) reportConverted(o *certConvertFlags, to string, p *parcel) error {
	j := convertJSON{File: o.output, Format: to, Certificates: []certReport{}}
	var parts []string
	if p.key != nil {
		j.Key = pki.DescribeKey(p.key.Public())
		parts = append(parts, "the private key ("+j.Key+")")
	}
	if len(p.ders) > 0 {
		parts = append(parts, countOf(len(p.ders), "certificate"))
	}
	for _, c := range p.certs {
		j.Certificates = append(j.Certificates, newCertReport(c, a.now()))
	}
	if o.asJSON {
		return a.ui.printJSON(j)
	}
	a.ui.printf("%s: %s, %s", a.ui.out.paint(bold, "wrote "+o.output), to, strings.Join(parts, ", "))
	return nil
}

// pack reads the inputs and puts together what belongs together.
func (a *app) pack(cmd *cobra.Command, o *certConvertFlags, to string, args []string) (*parcel, error) {
	all := &contents{origin: strings.Join(args, ", ")}
	for _, arg := range args {
		c, err := a.readInput(cmd, arg, nil, &o.secret)
		if err != nil {
			return nil, err
		}
		all.certs, all.keys = append(all.certs, c.certs...), append(all.keys, c.keys...)
		all.publics, all.requests, all.lists = append(all.publics, c.publics...), append(all.requests, c.requests...), append(all.lists, c.lists...)
	}
	p := &parcel{}
	if !o.onlyKeys {
		for _, der := range all.certs {
			if !slices.ContainsFunc(p.ders, func(other []byte) bool { return bytes.Equal(der, other) }) {
				p.ders = append(p.ders, der)
			}
		}
		var err error
		if p.certs, err = (&contents{origin: all.origin, certs: p.ders}).parsed(); err != nil && to != "pem" && to != "der" {
			return nil, err
		}
	}
	if !o.onlyCerts {
		key, err := chooseKey(all, o.alias)
		if err != nil {
			return nil, err
		}
		p.key = key
	}
	switch {
	case p.key == nil && len(p.ders) == 0 && o.onlyKeys:
		return nil, &failure{kind: kindLocal, text: all.origin + " holds no private key, but " + all.summary()}
	case p.key == nil && len(p.ders) == 0:
		return nil, &failure{kind: kindLocal, text: all.origin + " holds no certificate and no private key, but " + all.summary()}
	}
	p.name = o.name
	return p, nil
}

// chooseKey finds the key of an input, nil where there is none.
func chooseKey(c *contents, alias string) (crypto.Signer, error) {
	var names []string
	for _, k := range c.keys {
		if alias != "" && strings.EqualFold(k.name, alias) {
			return k.key, nil
		}
		names = append(names, orWord(k.name, pki.DescribeKey(k.key.Public())))
	}
	switch {
	case alias != "":
		return nil, &failure{kind: kindLocal, text: fmt.Sprintf("%s holds no key of the name %q", c.origin, alias), hint: "known are " + orWord(strings.Join(names, ", "), "none")}
	case len(c.keys) > 1:
		return nil, &failure{kind: kindLocal, text: fmt.Sprintf("%s holds %d private keys: %s", c.origin, len(c.keys), strings.Join(names, ", ")), hint: "choose one with --alias"}
	case len(c.keys) == 1:
		return c.keys[0].key, nil
	}
	return nil, nil
}

// encode writes the parcel in the format.
func (a *app) encode(cmd *cobra.Command, o *certConvertFlags, to string, p *parcel) ([]byte, error) {
	var data []byte
	var err error
	switch to {
	case "pem":
		return a.encodePEM(o, p)
	case "der":
		return a.encodeDER(cmd, o, p)
	case "pkcs7":
		if len(p.certs) == 0 {
			return nil, &failure{kind: kindLocal, text: "there is no certificate to write"}
		}
		p.key = nil
		data, err = pkcs7.EncodePEM(p.certs)
	default:
		data, err = a.encodeStore(o, to, p)
	}
	var f *failure
	switch {
	case errors.As(err, &f):
		return nil, f
	case err != nil:
		return nil, refusedRequest(err, "writing "+to)
	}
	return data, nil
}

func (a *app) encodePEM(o *certConvertFlags, p *parcel) ([]byte, error) {
	var text []byte
	for _, der := range p.ders {
		text = pki.AppendCertificatePEM(text, der)
	}
	if p.key == nil {
		return text, nil
	}
	form := keyForm{encrypt: o.encrypt || o.newSecret.isSet(), traditional: o.traditional, kdf: pki.PBKDF2}
	key, err := a.encodeKey(p.key, form, &o.newSecret, orWord(o.output, "the key"))
	return append(text, key...), err
}

func (a *app) encodeDER(cmd *cobra.Command, o *certConvertFlags, p *parcel) ([]byte, error) {
	if len(p.ders)+len(asList(p.key)) > 1 {
		f := usagef(cmd, "DER holds one thing, but there are %s", countOf(len(p.ders), "certificate")+map[bool]string{true: " and a key"}[p.key != nil])
		f.hint = "choose with --only-certs or --only-keys, or write pem, pkcs7 or pkcs12"
		return nil, f
	}
	if p.key == nil {
		return p.ders[0], nil
	}
	if !o.encrypt && !o.newSecret.isSet() {
		der, err := pki.MarshalPrivateKeyDER(p.key)
		if err != nil {
			return nil, refusedRequest(err, "writing the key")
		}
		return der, nil
	}
	secret, err := a.secret(&o.newSecret, orWord(o.output, "the key"))
	if err != nil {
		return nil, err
	}
	der, err := pki.MarshalEncryptedPrivateKeyDER(p.key, secret, pki.PBKDF2)
	if err != nil {
		return nil, refusedRequest(err, "writing the key")
	}
	return der, nil
}

func asList(key crypto.Signer) []crypto.Signer {
	if key == nil {
		return nil
	}
	return []crypto.Signer{key}
}

// encodeStore writes PKCS#12 or JKS. Where there is a key, the chain is put in order behind its certificate.
func (a *app) encodeStore(o *certConvertFlags, to string, p *parcel) ([]byte, error) {
	if p.key != nil && !o.onlyKeys {
		at := slices.IndexFunc(p.certs, func(c *x509.Certificate) bool { return pki.SameKey(c.PublicKey, p.key.Public()) })
		if at < 0 {
			return nil, &failure{kind: kindLocal, text: fmt.Sprintf("none of %s belongs to the private key (%s)", countOf(len(p.certs), "certificate"),
				pki.DescribeKey(p.key.Public())), hint: "add the file with its certificate"}
		}
		p.certs = inOrder(p.certs, p.certs[at])
	}
	if p.name == "" && len(p.certs) > 0 {
		p.name = shortName(p.certs[0])
	}
	secret, err := a.secret(&o.newSecret, orWord(o.output, "the "+to+" file"))
	if err != nil {
		return nil, err
	}
	if to == "jks" {
		return jks.Encode(p.entries(), secret)
	}
	b := pkcs12.Bundle{Key: p.key, Chain: p.certs, FriendlyName: p.name}
	if p.key == nil {
		b.Chain, b.Trusted = nil, p.certs
	}
	profile := pkcs12.Modern
	if o.legacy {
		profile = pkcs12.Legacy
	}
	return pkcs12.Encode(b, secret, profile)
}

// inOrder is the chain of leaf, then the root if it is there, then what is left.
func inOrder(certs []*x509.Certificate, leaf *x509.Certificate) []*x509.Certificate {
	arranged := pki.Arrange(certs, leaf, certs)
	list := slices.Clone(arranged.Chain)
	if r := arranged.Root; r != nil && !slices.ContainsFunc(list, r.Equal) {
		list = append(list, r)
	}
	for _, c := range certs {
		if !slices.ContainsFunc(list, c.Equal) {
			list = append(list, c)
		}
	}
	return list
}

// entries are those of a Java key store: the key with its chain, or a certificate to trust each.
func (p *parcel) entries() []jks.Entry {
	if p.key != nil {
		return []jks.Entry{{Alias: p.name, Key: p.key, Chain: p.certs}}
	}
	var list []jks.Entry
	for i, c := range p.certs {
		alias := p.name
		if i > 0 {
			alias = fmt.Sprintf("%s-%d", p.name, i+1)
		}
		list = append(list, jks.Entry{Alias: alias, Chain: []*x509.Certificate{c}})
	}
	return list
}
