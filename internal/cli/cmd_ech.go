package cli

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

func newECH(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "ech",
		Short: "Encrypted ClientHello: make keys for it, and look at configurations",
		Long: `Encrypted ClientHello (ECH, RFC 9849) hides from everybody on the path which
name a client asks a server for. The server publishes a configuration in the
DNS; a client encrypts its ClientHello to the key in there, and puts it into
another one that asks for the public name, which all names behind the server
have in common.`,
		Example: "  tlswright ech new --public-name public.example -o ech.pem\n  tlswright serve --echo --ech-key ech.pem\n  tlswright ech show dns:crypto.example",
	}, newECHNew(a), newECHShow(a))
}

type echNewFlags struct {
	publicName string
	names      []string
	id         int
	maxName    uint8
	kem        string
	output     string
	force      bool
	asJSON     bool
}

const echNewLong = `Make a key for Encrypted ClientHello and the configuration that goes with it, in
one PEM file as RFC 9934 has it, readable for you alone. What is printed belongs
into the DNS: an HTTPS record (RFC 9460) of each name that is to be hidden.

The public name is what everybody may see. The server needs a certificate for
it: with that it tells clients whose configuration is out of date which one to
use. The more names have one public name, the less it tells.

A key is replaced by serving both, the old one by --ech-old-key, for as long as
the DNS may still have it somewhere.

` + exitCodeHelp

const echNewExample = `  tlswright ech new --public-name public.example -o ech.pem
  tlswright ech new --public-name public.example --for app.example -o ech.pem
  tlswright serve --echo --cert chain.pem --key key.pem --ech-key ech.pem`

// echKEMs are the kinds of keys that a file can hold.
func echKEMs() map[string]wire.HPKEKEM {
	return map[string]wire.HPKEKEM{"x25519": wire.HPKEKEMX25519, "p256": wire.HPKEKEMP256, "p384": wire.HPKEKEMP384, "p521": wire.HPKEKEMP521}
}

func newECHNew(a *app) *cobra.Command {
	o := &echNewFlags{}
	cmd := &cobra.Command{
		Use:     "new --public-name NAME",
		Short:   "Make a key, and the HTTPS record that tells of it",
		Long:    echNewLong,
		Example: echNewExample,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.newECHKey(cmd, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.publicName, "public-name", "", "the `NAME` that is to be seen, for which the server has a certificate")
	f.StringArrayVar(&o.names, "for", nil, "a `NAME` to be hidden, to print its record (default: @, the name of the zone)")
	f.IntVar(&o.id, "id", -1, "the `NUMBER` of the configuration, 0 to 255, other than that of older keys in use (default: at random)")
	f.Uint8Var(&o.maxName, "max-name", 0, "how many `BYTES` the longest name to be hidden has, so that lengths tell nothing (default: that of --for)")
	f.StringVar(&o.kem, "kem", "x25519", "the `KIND` of the key: x25519, p256, p384 or p521")
	f.StringVarP(&o.output, "output", "o", "", "write key and configuration to `FILE` (default: standard output)")
	f.BoolVar(&o.force, "force", false, "replace the file of --output")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	complete(cmd, "kem", []string{"x25519", "p256", "p384", "p521"})
	_ = cmd.MarkFlagFilename("output")
	return cmd
}

// echNewReport is `ech new --json`.
type echNewReport struct {
	File    string        `json:"file,omitempty"`
	Config  echConfigJSON `json:"config"`
	List    string        `json:"ech_config_list"` // base64
	Records []string      `json:"records"`
}

func (a *app) newECHKey(cmd *cobra.Command, o *echNewFlags) error {
	kem, ok := echKEMs()[o.kem]
	switch {
	case o.publicName == "":
		return usagef(cmd, "--public-name is needed")
	case !ok:
		return usagef(cmd, "--kem %q is neither x25519 nor p256, p384 or p521", o.kem)
	case o.id < -1 || o.id > 255:
		return usagef(cmd, "--id %d is not 0 to 255", o.id)
	case o.asJSON && (o.output == "" || o.output == "-"):
		return usagef(cmd, "--json needs --output for the key")
	}
	template := wire.ECHConfig{ConfigID: uint8(o.id), KEM: kem, PublicName: o.publicName, MaximumNameLength: o.maxName}
	if o.id < 0 {
		var b [1]byte
		rand.Read(b[:])
		template.ConfigID = b[0]
	}
	for _, name := range o.names {
		template.MaximumNameLength = max(template.MaximumNameLength, uint8(min(len(name), 255)))
	}
	key, err := tlscore.GenerateECHKey(template)
	if err != nil {
		return refusedFlag(cmd, "--public-name", err)
	}
	text, err := keystore.MarshalECHKey(key)
	if err != nil {
		return cannotRun(err, "")
	}
	defer clear(text)
	if err := a.writeResult(o.output, text, true, o.force); err != nil {
		return err
	}
	var config wire.ECHConfig
	if err := config.Parse(key.Config); err != nil {
		return cannotRun(err, "")
	}
	list, err := tlscore.ECHConfigList(key)
	if err != nil {
		return cannotRun(err, "")
	}
	r := echNewReport{File: o.output, Config: newECHConfigJSON(&config), List: base64.StdEncoding.EncodeToString(list)}
	if len(o.names) == 0 {
		o.names = []string{"@"}
	}
	for _, name := range o.names {
		if name != "@" {
			name = strings.TrimSuffix(name, ".") + "."
		}
		r.Records = append(r.Records, fmt.Sprintf("%s 300 IN HTTPS 1 . ech=%s", name, r.List))
	}
	switch {
	case o.asJSON:
		return a.ui.printJSON(r)
	case o.output == "" || o.output == "-":
		a.ui.notef("for the DNS: %s", strings.Join(r.Records, "\n"))
	default:
		a.ui.printf("made %s: config %d, public name %s", o.output, config.ConfigID, config.PublicName)
		a.ui.printf("for the DNS:")
		for _, record := range r.Records {
			a.ui.printf("  %s", record)
		}
	}
	return nil
}

type echShowFlags struct {
	resolver string
	asJSON   bool
}

const echShowLong = `Show the configurations of a list, and which of them a client uses: the first
one that it understands. The list is base64 as it stands in the DNS, a file
(PEM, base64 or binary; one with a key, too), "-" for standard input, or
dns:NAME[:PORT] for what the HTTPS record of a name holds.

A list of which nothing can be used is a failed check.

` + exitCodeHelp

func newECHShow(a *app) *cobra.Command {
	o := &echShowFlags{}
	cmd := &cobra.Command{
		Use:     "show LIST | FILE | dns:NAME[:PORT]",
		Short:   "Show configurations, and which of them is used",
		Long:    echShowLong,
		Example: "  tlswright ech show ech.pem\n  tlswright ech show dns:crypto.example\n  tlswright ech show --json AEX+DQBB...",
		Args:    oneArg("a LIST, a FILE or dns:NAME"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.showECH(cmd, o, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.resolver, "resolver", "", "with dns:NAME: ask this DNS server, as `ADDRESS[:PORT]` (default: the system's)")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	return cmd
}

// echConfigJSON is one configuration in --json.
type echConfigJSON struct {
	Version       string   `json:"version"`
	ConfigID      uint8    `json:"config_id"`
	KEM           string   `json:"kem,omitempty"`
	PublicKey     string   `json:"public_key,omitempty"` // hex
	CipherSuites  []string `json:"cipher_suites,omitempty"`
	MaximumLength uint8    `json:"maximum_name_length"`
	PublicName    string   `json:"public_name,omitempty"`
	Extensions    []string `json:"extensions,omitempty"`
	Problem       string   `json:"problem,omitempty"` // why it cannot be used
	Used          bool     `json:"used"`
}

// echShowReport is `ech show --json`.
type echShowReport struct {
	Configs []echConfigJSON `json:"configs"`
	List    string          `json:"ech_config_list"` // base64
}

func newECHConfigJSON(c *wire.ECHConfig) echConfigJSON {
	j := echConfigJSON{Version: c.Version.String(), ConfigID: c.ConfigID, MaximumLength: c.MaximumNameLength, PublicName: pki.Printable(c.PublicName)}
	if c.Version == wire.ECHVersion1 {
		j.KEM, j.PublicKey = c.KEM.String(), hex.EncodeToString(c.PublicKey)
	}
	for _, s := range c.CipherSuites {
		j.CipherSuites = append(j.CipherSuites, s.String())
	}
	for _, e := range c.Extensions {
		text := e.Type.String()
		if e.Type.Mandatory() {
			text += " (mandatory)"
		}
		j.Extensions = append(j.Extensions, text)
	}
	one := wire.ECHConfigList{Configs: []wire.ECHConfig{*c}}
	if _, err := tlscore.CheckECHConfigList(one.Append(nil)); err != nil {
		_, text, _ := strings.Cut(err.Error(), "configs[0]: ")
		j.Problem = pki.Printable(text)
	}
	return j
}

func (a *app) showECH(cmd *cobra.Command, o *echShowFlags, arg string) error {
	list, err := a.findECHList(cmd, o, arg)
	if err != nil {
		return err
	}
	var l wire.ECHConfigList
	if err := l.Parse(list); err != nil {
		return &failure{kind: kindFinding, text: "this list of ECH configurations cannot be read: " + pki.Printable(err.Error())}
	}
	r := echShowReport{List: base64.StdEncoding.EncodeToString(list)}
	for i := range l.Configs {
		r.Configs = append(r.Configs, newECHConfigJSON(&l.Configs[i]))
	}
	usable := slices.IndexFunc(r.Configs, func(j echConfigJSON) bool { return j.Problem == "" })
	if usable >= 0 {
		r.Configs[usable].Used = true
	}
	if o.asJSON {
		err = a.ui.printJSON(r)
	} else {
		for i := range r.Configs {
			if i > 0 {
				a.ui.printf("")
			}
			a.ui.write(&a.ui.out, a.ui.out.rows(r.Configs[i].rows()))
		}
	}
	if err == nil && usable < 0 {
		return &failure{kind: kindFinding, text: "none of these configurations can be used here"}
	}
	return err
}

// findECHList takes the list out of wherever it is.
func (a *app) findECHList(cmd *cobra.Command, o *echShowFlags, arg string) ([]byte, error) {
	name, isDNS := strings.CutPrefix(arg, "dns:")
	if !isDNS {
		if o.resolver != "" {
			return nil, usagef(cmd, "--resolver belongs to dns:NAME")
		}
		if arg != "-" {
			list, err := readECHList(arg)
			if err != nil {
				return nil, cannotRun(err, "")
			}
			return list, nil
		}
		data, _, err := a.readBytes(arg)
		if err != nil {
			return nil, err
		}
		list, err := keystore.ParseECHConfigList(data)
		if err != nil {
			return nil, cannotRun(err, "")
		}
		return list, nil
	}
	port := "443"
	if host, p, err := net.SplitHostPort(name); err == nil {
		name, port = host, p
	}
	list, err := echInDNS(cmd.Context(), o.resolver, name, port)
	if err != nil {
		return nil, &failure{kind: kindDNS, text: pki.Printable(err.Error())}
	}
	if list == nil {
		return nil, &failure{kind: kindFinding, text: pki.Printable(name) + " has no HTTPS record with an ECH configuration"}
	}
	return list, nil
}

func (j *echConfigJSON) rows() []row {
	use, st := "used", good
	switch {
	case j.Problem != "":
		use, st = "left alone: "+j.Problem, caution
	case !j.Used:
		use, st = "usable, but not the first", plain
	}
	rows := []row{{label: "version", value: j.Version}}
	if j.KEM != "" {
		rows = append(rows,
			row{label: "config id", value: fmt.Sprint(j.ConfigID)},
			row{label: "public name", value: j.PublicName},
			row{label: "key", value: j.KEM + ", " + j.PublicKey},
			row{label: "cipher suites", value: strings.Join(j.CipherSuites, "; ")},
			row{label: "longest name", value: longestName(j.MaximumLength)})
	}
	if len(j.Extensions) > 0 {
		rows = append(rows, row{label: "extensions", value: strings.Join(j.Extensions, ", ")})
	}
	return append(rows, row{label: "verdict", value: use, style: st})
}

func longestName(n uint8) string {
	if n == 0 {
		return "not told"
	}
	return fmt.Sprintf("%d bytes", n)
}
