package cli

import (
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

type certPinFlags struct {
	peer       peerFlags
	secret     secretFlags
	of         string
	kind       string
	format     string
	backups    []string
	newBackup  string
	checks     []string
	ca         []string
	host       string
	subdomains bool
	days       int
	asJSON     bool
}

const certPinLong = `Tell the pins of certificates: the SHA-256 of their public keys, by which a
client can insist on one of them, and of the certificates themselves. The pin of
a key survives renewal with the same key; that of a certificate does not.

The chain comes from a file or, as it is sent, from a server; --of chooses whose
pins, --kind what is pinned. --format writes them as others want them: base64,
hex, hpkp (an HTTP header, which browsers no longer heed), android (network
security configuration), okhttp (Java) and curl (--pinnedpubkey).

Who loses a pinned key loses every client. A set for hpkp, android or okhttp
therefore needs a --backup: the pin of a key that is not in use, or a file with
it; --new-backup FILE makes such a key, to be kept elsewhere. Without one, the
table ends with the next best: the key of the leaf's issuer.

The chain of a server is looked at as it is sent, and whether it is trusted is
said beside it (--ca, else the own CA and the system's roots): who pins what
somebody in between has shown keeps the server itself out.

--check PIN tells whether a pin matches; none is a failed check. Of the chain of
a server, which is not verified here, only the leaf counts: that it has its key,
it has proven. To check a verified chain: tlswright connect --pin PIN.

` + exitCodeHelp

const certPinExample = `  tlswright cert pin example.com
  tlswright cert pin --new-backup backup.key example.com
  tlswright cert pin --format hex server.pem
  tlswright cert pin --format android --backup backup.key fullchain.pem
  tlswright cert pin --of intermediate --format curl example.com
  tlswright cert pin --check sha256/AAAA... example.com`

// pinFormats are the forms of --format.
var pinFormats = []string{"table", "base64", "hex", "hpkp", "android", "okhttp", "curl"}

func newCertPin(a *app) *cobra.Command {
	o := &certPinFlags{}
	cmd := &cobra.Command{
		Use:     "pin FILE | - | HOST[:PORT]",
		Short:   "Tell the pins of a chain, in the forms of those who pin, and check them",
		Long:    certPinLong,
		Example: certPinExample,
		Args:    oneArg("a FILE, \"-\" or a server HOST:PORT"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.certPin(cmd, o, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.of, "of", "", "`WHOSE` pins: leaf, intermediate, or all of the chain (default: all; in snippets leaf)")
	f.StringVar(&o.kind, "kind", "spki", "what is pinned, by `KIND`: spki, the public key, or certificate")
	f.StringVar(&o.format, "format", "table", "`FORM`: "+strings.Join(pinFormats[1:], ", "))
	f.StringArrayVar(&o.backups, "backup", nil, "a `PIN` or a FILE with a key, a certificate or a request, not in use, to fall back to")
	f.StringVar(&o.newBackup, "new-backup", "", "make a key in this `FILE`, and take it for the --backup")
	f.StringArrayVar(&o.ca, "ca", nil, "of a server: say whether the roots in this `FILE` verify it")
	f.StringArrayVar(&o.checks, "check", nil, "does this `PIN` match? several are alternatives; @FILE reads them from a file")
	f.StringVar(&o.host, "host", "", "the `NAME` that android and okhttp pin for (default: the first name of the leaf)")
	f.BoolVar(&o.subdomains, "subdomains", false, "pin for the names below as well, in hpkp and android")
	f.IntVar(&o.days, "days", 60, "how many `DAYS` hpkp and android are to keep the pins; 0: for ever")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	o.secret.register(cmd, "a PKCS#12 or JKS file")
	o.peer.register(cmd)
	complete(cmd, "of", []string{"leaf", "intermediate", "all"})
	complete(cmd, "kind", []string{"spki", "certificate"})
	complete(cmd, "format", pinFormats[1:])
	exclusive(cmd, "format", "json")
	exclusive(cmd, "check", "format")
	exclusive(cmd, "check", "new-backup")
	_ = cmd.MarkFlagFilename("new-backup")
	_ = cmd.MarkFlagFilename("ca", "pem", "crt")
	return cmd
}

// pinReport is a certificate in `cert pin --json`.
type pinReport struct {
	Subject     string `json:"subject"`
	Role        string `json:"role"`
	NotAfter    string `json:"not_after"`
	Key         string `json:"key"`
	SPKI        string `json:"spki"` // base64
	SPKIHex     string `json:"spki_hex"`
	Certificate string `json:"certificate_hex"`
}

type pinsJSON struct {
	Source  string      `json:"source"`
	Pins    []pinReport `json:"pins"`
	Backups []string    `json:"backups,omitempty"`
	Set     []string    `json:"set,omitempty"`     // what to pin: the leaf's key, and what to fall back to
	Trusted *bool       `json:"trusted,omitempty"` // of a server: its chain was verified
	Problem string      `json:"problem,omitempty"` // why it is not
	Matches *bool       `json:"matches,omitempty"` // --check
	Matched string      `json:"matched,omitempty"` // the pin that did
}

func (a *app) certPin(cmd *cobra.Command, o *certPinFlags, arg string) error {
	if err := o.check(cmd); err != nil {
		return err
	}
	c, err := a.readInput(cmd, arg, &o.peer, &o.secret)
	if err != nil {
		return err
	}
	if err := c.needCerts(); err != nil {
		return err
	}
	chain, err := c.parsed()
	if err != nil {
		return err
	}
	if len(o.checks) > 0 {
		return a.checkPins(cmd, o, c, chain)
	}
	backups, err := a.backupPins(cmd, o)
	if err != nil {
		return err
	}
	wanted := o.choose(chain)
	if len(wanted) == 0 {
		return &failure{kind: kindFinding, text: fmt.Sprintf("%s holds no %s certificate", c.origin, o.of)}
	}
	j := pinsJSON{Source: c.origin, Pins: []pinReport{}, Set: planPins(chain, backups).texts()}
	if c.format == formatPeer {
		if j.Problem, err = a.distrust(cmd, o, arg, c); err != nil {
			return err
		}
		trusted := j.Problem == ""
		if j.Trusted = &trusted; !trusted {
			a.ui.warnf("the chain of %s is not trusted: %s; be sure of it before you pin it", c.origin, j.Problem)
		}
	}
	switch {
	case o.asJSON:
		for _, w := range wanted {
			j.Pins = append(j.Pins, newPinReport(w))
		}
		for _, p := range backups {
			j.Backups = append(j.Backups, p.String())
		}
		return a.ui.printJSON(j)
	case o.format == "table":
		a.ui.write(&a.ui.out, pinTable(&a.ui.out, c.origin, wanted, backups)+"\n"+a.ui.out.rows(planPins(chain, backups).rows()))
		return nil
	}
	return a.writePins(cmd, o, chain, wanted, backups)
}

// check refuses words that mean nothing.
func (o *certPinFlags) check(cmd *cobra.Command) error {
	for _, w := range []struct {
		flag, value string
		known       []string
	}{{"--of", o.of, []string{"", "leaf", "intermediate", "all"}}, {"--kind", o.kind, []string{"spki", "certificate"}}, {"--format", o.format, pinFormats}} {
		ok := false
		for _, k := range w.known {
			ok = ok || k == w.value
		}
		if !ok {
			f := usagef(cmd, "%s %q is not one we know", w.flag, w.value)
			f.hint = "known are " + strings.Join(w.known, ", ")
			return f
		}
	}
	if o.days < 0 || o.days > 36500 {
		return usagef(cmd, "--days %d is no time to keep pins (0 to 36500)", o.days)
	}
	return nil
}

// choose picks the certificates of --of.
func (o *certPinFlags) choose(chain []*x509.Certificate) []*x509.Certificate {
	of := o.of
	if of == "" && o.format != "table" && o.format != "base64" && o.format != "hex" {
		of = "leaf"
	}
	switch of {
	case "leaf":
		return chain[:1]
	case "intermediate":
		var list []*x509.Certificate
		for _, c := range chain {
			if c.IsCA && string(c.RawSubject) != string(c.RawIssuer) {
				list = append(list, c)
			}
		}
		return list
	}
	return chain
}

func (o *certPinFlags) pin(c *x509.Certificate) pki.Pin {
	if o.kind == "certificate" {
		return pki.PinCertificate(c)
	}
	return pki.PinSPKI(c)
}

func newPinReport(c *x509.Certificate) pinReport {
	spki := pki.PinSPKI(c)
	return pinReport{pki.Name(c.Subject), roleOf(c), c.NotAfter.UTC().Format(time.RFC3339), pki.DescribeKey(c.PublicKey), spki.Base64(), spki.Hex(), pki.PinCertificate(c).Hex()}
}

// roleOf is the place of a certificate in a chain, in a word.
func roleOf(c *x509.Certificate) string {
	v := certView{isCA: c.BasicConstraintsValid && c.IsCA}
	if string(c.RawSubject) == string(c.RawIssuer) {
		return map[bool]string{true: "root", false: "self-signed"}[v.isCA]
	}
	return map[bool]string{true: "intermediate", false: "leaf"}[v.isCA]
}

func pinTable(s *stream, origin string, chain []*x509.Certificate, backups pki.PinSet) string {
	var rows []row
	for _, c := range chain {
		rows = append(rows,
			row{roleOf(c), nameOf(c) + ", " + pki.DescribeKey(c.PublicKey) + ", to " + dateOf(c.NotAfter), bold},
			row{"  key", pki.PinSPKI(c).String(), plain}, row{"  key, hex", pki.PinSPKI(c).Hex(), faint},
			row{"  cert, hex", pki.PinCertificate(c).Hex(), faint})
	}
	for _, p := range backups {
		rows = append(rows, row{"backup", p.String(), plain})
	}
	return s.paint(bold, "pins of "+origin) + "\n" + s.rows(rows)
}

// backupPins reads --backup: pins as text, or files with keys.
func (a *app) backupPins(cmd *cobra.Command, o *certPinFlags) (pki.PinSet, error) {
	var set pki.PinSet
	for _, text := range o.backups {
		if p, err := pki.ParsePin(text); err == nil {
			set = append(set, p)
			continue
		}
		if _, err := os.Stat(text); err != nil {
			return nil, usagef(cmd, "--backup %q is neither a pin nor a file", text)
		}
		p, err := a.pinOfFile(cmd, text, o)
		if err != nil {
			return nil, err
		}
		set = append(set, p)
	}
	if o.newBackup != "" {
		p, err := a.makeBackup(o.newBackup)
		if err != nil {
			return nil, err
		}
		set = append(set, p)
	}
	return set, nil
}

// pinOfFile pins the key that a file is about, whatever it is.
func (a *app) pinOfFile(cmd *cobra.Command, file string, o *certPinFlags) (pki.Pin, error) {
	c, err := a.readInput(cmd, file, nil, &o.secret)
	if err != nil {
		return pki.Pin{}, err
	}
	var key any
	switch {
	case len(c.keys) > 0 && c.keys[0].key != nil:
		key = c.keys[0].key.Public()
	case len(c.publics) > 0:
		key = c.publics[0]
	case len(c.requests) > 0:
		r, err := cert.ParseRequest(c.requests[0])
		if err != nil {
			return pki.Pin{}, cannotRun(err, "%s", file)
		}
		key = r.PublicKey
	default:
		chain, err := c.parsed()
		if err != nil || len(chain) == 0 {
			return pki.Pin{}, &failure{kind: kindLocal, text: "--backup: " + file + " holds no key", err: err}
		}
		return pki.PinSPKI(chain[0]), nil
	}
	p, err := pki.PinPublicKey(key)
	if err != nil {
		return p, cannotRun(err, "%s", file)
	}
	return p, nil
}

// writePins writes the set as --format asks for.
func (a *app) writePins(cmd *cobra.Command, o *certPinFlags, chain, wanted []*x509.Certificate, backups pki.PinSet) error {
	var set pki.PinSet
	for _, c := range wanted {
		set = append(set, o.pin(c))
	}
	set = append(set, backups...)
	host := o.host
	if names := chain[0].DNSNames; host == "" && len(names) > 0 {
		host = names[0]
	}
	until := time.Time{}
	if o.days > 0 {
		until = a.now().Add(time.Duration(o.days) * day)
	}
	var text string
	var err error
	switch o.format {
	case "base64", "hex":
		for _, p := range set {
			if o.format == "hex" {
				text += p.Hex() + "\n"
			} else {
				text += p.Base64() + "\n"
			}
		}
	case "curl":
		text, err = set.CurlPinnedPubKey()
	default:
		if err := set.Validate(chain); err != nil {
			f := refusedFlag(cmd, "--format "+o.format, err)
			return f
		}
		switch o.format {
		case "hpkp":
			text, err = set.HPKPHeader(time.Duration(o.days)*day, o.subdomains)
		case "android":
			text, err = set.AndroidConfig(strings.TrimPrefix(host, "*."), o.subdomains, until)
		case "okhttp":
			text, err = set.OkHttp(host)
		}
	}
	if err != nil {
		return refusedFlag(cmd, "--format "+o.format, err)
	}
	a.ui.write(&a.ui.out, strings.TrimSuffix(text, "\n")+"\n")
	return nil
}

// readPins reads pins of a flag: each a pin, several, or @FILE.
func (a *app) readPins(cmd *cobra.Command, flag string, values []string) (pki.PinSet, error) {
	var set pki.PinSet
	for _, v := range values {
		if file, ok := strings.CutPrefix(v, "@"); ok {
			data, _, err := a.readBytes(file)
			if err != nil {
				return nil, err
			}
			v = string(data)
		}
		pins, err := pki.ParsePinSet(v)
		if err != nil {
			return nil, usagef(cmd, "%s: %v", flag, err)
		}
		set = append(set, pins...)
		for _, p := range pins {
			// Hex alone may be the hash of either; nothing but the one that is meant has this hash.
			if p.Kind == pki.PinKindCertificate && !strings.Contains(strings.ToLower(v), "certificate:") {
				set = append(set, pki.Pin{Kind: pki.PinKindSPKI, SHA256: p.SHA256})
			}
		}
	}
	return set, nil
}

// checkPins is --check.
func (a *app) checkPins(cmd *cobra.Command, o *certPinFlags, c *contents, chain []*x509.Certificate) error {
	set, err := a.readPins(cmd, "--check", o.checks)
	if err != nil {
		return err
	}
	if c.format == formatPeer {
		chain = chain[:1] // which has proven that it has its key; the others may be anybody's
	}
	if o.asJSON {
		j := pinsJSON{Source: c.origin, Pins: []pinReport{}}
		for _, cert := range chain {
			j.Pins = append(j.Pins, newPinReport(cert))
		}
		p, ok := set.Match(chain)
		if j.Matches = &ok; ok {
			j.Matched = p.String()
		}
		if err := a.ui.printJSON(j); err != nil || ok {
			return err
		}
	}
	if p, ok := set.Match(chain); ok {
		for _, cert := range chain {
			if p.Matches(cert) {
				a.ui.printf("%s: %s is that of the %s %s", a.ui.out.paint(good, "match"), p, roleOf(cert), nameOf(cert))
				return nil
			}
		}
	}
	f := &failure{kind: kindFinding, text: fmt.Sprintf("%s: no pin matches; that of the key is %s", c.origin, pki.PinSPKI(chain[0]))}
	if c.format == formatPeer {
		f.hint = "pins of CAs are checked with: tlswright connect --pin PIN"
	}
	return f
}
