package cli

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/resolve"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// echFlags are the flags of `connect` about Encrypted ClientHello.
type echFlags struct {
	source   string // "": none
	grease   bool
	resolver string
}

// echFromDNS is the word for what the DNS says.
const echFromDNS = "auto"

func (e *echFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&e.source, "ech", "", "encrypt the ClientHello (RFC 9849): to this `LIST` of configurations, base64 or a file, or not connect at all; auto: to what the DNS says, if anything")
	f.BoolVar(&e.grease, "ech-grease", false, "look like a client that encrypts its ClientHello, where none is encrypted")
	f.StringVar(&e.resolver, "resolver", "", "with --ech auto: ask this DNS server, as `ADDRESS[:PORT]` (default: the system's)")
}

// configure turns the flags into a configuration. What the DNS says is asked for each host.
func (e *echFlags) configure(cmd *cobra.Command, c *tlsnet.Config) error {
	c.Core.ECHGrease = e.grease
	if e.resolver != "" && e.source != echFromDNS {
		return usagef(cmd, "--resolver belongs to --ech auto")
	}
	switch e.source {
	case "":
	case echFromDNS:
		c.ECH = tlsnet.ECHUnlessDisabled
		c.LookUpECH = e.lookUp("443")
	default:
		list, err := readECHList(e.source)
		if err != nil {
			return refusedFlag(cmd, "--ech", err)
		}
		if _, err := tlscore.CheckECHConfigList(list); err != nil {
			return refusedFlag(cmd, "--ech", err)
		}
		c.ECHConfigList, c.ECH = list, tlsnet.ECHAlways
	}
	return nil
}

// lookUp finds what the DNS says about a name, at a port.
func (e *echFlags) lookUp(port string) func(ctx context.Context, name string) ([]byte, error) {
	return func(ctx context.Context, name string) ([]byte, error) {
		return echInDNS(ctx, e.resolver, name, port)
	}
}

// echInDNS finds the list that an HTTPS record holds (RFC 9848); nil: none does.
func echInDNS(ctx context.Context, resolver, name, port string) ([]byte, error) {
	if _, err := netip.ParseAddr(name); err == nil || name == "" {
		return nil, nil
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	services, _, err := resolve.New(resolve.Options{Server: resolver, Timeout: echPatience}).HTTPS(ctx, name, number)
	if err != nil {
		return nil, err
	}
	for _, s := range services {
		if len(s.ECH) > 0 {
			return s.ECH, nil
		}
	}
	return nil, nil
}

// echPatience bounds one question to a DNS server.
const echPatience = 3 * time.Second

// readECHList reads a list out of a file, or out of the argument itself.
func readECHList(arg string) ([]byte, error) {
	text, err := os.ReadFile(arg)
	if err == nil {
		list, err := keystore.ParseECHConfigList(text)
		clear(text) // it may hold a key, too
		return list, err
	}
	list, err := keystore.ParseECHConfigList([]byte(arg))
	if err != nil {
		return nil, fmt.Errorf("%q is neither a file nor a list of ECH configurations in base64", arg)
	}
	return list, nil
}

// serveECHFlags are those of `serve`.
type serveECHFlags struct{ keys, old []string }

func (e *serveECHFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&e.keys, "ech-key", nil, "decrypt ClientHellos (RFC 9849) with the key in `FILE`, and tell clients to use it (see tlswright ech new)")
	f.StringArrayVar(&e.old, "ech-old-key", nil, "decrypt those with the key in `FILE`, too, without telling clients of it")
	_ = cmd.MarkFlagFilename("ech-key", "pem")
	_ = cmd.MarkFlagFilename("ech-old-key", "pem")
}

func (e *serveECHFlags) areSet() bool { return len(e.keys)+len(e.old) > 0 }

// load reads the keys, and the public names in them.
func (e *serveECHFlags) load(cmd *cobra.Command) (keys []tlscore.ECHKey, names []string, err error) {
	if len(e.keys) == 0 && len(e.old) > 0 {
		return nil, nil, usagef(cmd, "--ech-old-key needs an --ech-key beside it for clients to use")
	}
	for i, file := range slices.Concat(e.keys, e.old) {
		more, public, err := readECHFile(file, i < len(e.keys))
		if err != nil {
			return nil, nil, cannotRun(err, "")
		}
		keys, names = append(keys, more...), append(names, public...)
	}
	return keys, names, nil
}

// readECHFile reads a file of keys, and the public names in them.
func readECHFile(file string, retry bool) (keys []tlscore.ECHKey, names []string, err error) {
	if keys, err = keystore.ReadECHKeys(file, retry); err != nil {
		return nil, nil, err
	}
	for _, k := range keys {
		var c wire.ECHConfig
		if err := c.Parse(k.Config); err != nil {
			return nil, nil, err
		}
		names = append(names, c.PublicName)
	}
	return keys, names, nil
}

// publicNames are those that the files hold now and that are not among names. What cannot be read is told of by load, and by
// who reads the files again.
func (e *serveECHFlags) publicNames(names []string) (out []string) {
	for _, file := range slices.Concat(e.keys, e.old) {
		_, public, _ := readECHFile(file, true)
		for _, name := range public {
			if !slices.Contains(names, name) && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// echFiles are the files of keys, for a gateway that reads them itself, once it is known that they can be read, and the public
// names in them.
func (a *app) echFiles(cmd *cobra.Command, e *serveECHFlags) (files []config.ECHKeyFile, names []string, err error) {
	keys, names, err := e.load(cmd)
	if err != nil {
		return nil, nil, err
	}
	a.noteECH(keys)
	for i, file := range slices.Concat(e.keys, e.old) {
		files = append(files, config.ECHKeyFile{File: file, Old: i >= len(e.keys)})
	}
	return files, names, nil
}

// noteECH tells what clients need, who do not find it in the DNS.
func (a *app) noteECH(keys []tlscore.ECHKey) {
	var l wire.ECHConfigList
	for _, k := range keys {
		var c wire.ECHConfig
		if k.Retry && c.Parse(k.Config) == nil { // load has parsed it
			l.Configs = append(l.Configs, c)
		}
	}
	if len(l.Configs) > 0 {
		a.ui.notef("clients encrypt their ClientHello with --ech %s", base64.StdEncoding.EncodeToString(l.Append(nil)))
	}
}

// echReport is what --json says about Encrypted ClientHello.
type echReport struct {
	Status      string `json:"status"` // none, grease, accepted or rejected
	PublicName  string `json:"public_name,omitempty"`
	ConfigID    uint8  `json:"config_id"`
	CipherSuite string `json:"cipher_suite,omitempty"`
	// Of a connection that is the second one, for the first was rejected:
	Retried  bool `json:"retried,omitempty"`
	Disabled bool `json:"disabled,omitempty"` // the server said that it wants none
}

// newECHReport is nil where there is nothing to say.
func newECHReport(f tlscore.ECHFacts, before *tlscore.ECHFacts) *echReport {
	if f.Status == tlscore.ECHNone && before == nil {
		return nil
	}
	r := &echReport{Status: f.Status.String(), PublicName: pki.Printable(f.PublicName), ConfigID: f.ConfigID}
	if f.PublicName != "" {
		r.CipherSuite = f.Suite.String()
	}
	if before != nil {
		r.Retried, r.Disabled = true, before.Disabled
	}
	return r
}

// echRows are the line of a report about it.
func echRows(f tlscore.Facts) []row {
	name := pki.Printable(f.ECH.PublicName)
	if name == "" {
		name = "no name at all"
	}
	text, st := "", plain
	switch {
	case f.ECH.Status == tlscore.ECHAccepted:
		text, st = fmt.Sprintf("the ClientHello was encrypted; to be seen was %s (config %d, %v)", name, f.ECH.ConfigID, f.ECH.Suite), good
	case f.ECH.Status == tlscore.ECHGrease:
		text = "GREASE: the ClientHello only looked encrypted"
	case f.ECH.Status == tlscore.ECHRejected && f.Role == tlscore.RoleServer:
		text = fmt.Sprintf("not for any key of ours (config %d): GREASE, or out of date", f.ECH.ConfigID)
	case f.ECH.Status == tlscore.ECHRejected:
		text, st = "rejected: "+name+" could not decrypt the ClientHello", caution
	default:
		return nil
	}
	return []row{{label: "ECH", value: text, style: st}}
}

// echRows adds what went before, and that the DNS has nothing.
func (c *connector) echRows(o *outcome) []row {
	switch {
	case o.before != nil && o.before.Disabled:
		return []row{{label: "ECH", value: pki.Printable(o.before.PublicName) + " has switched it off: connected once more, the name in the open", style: caution}}
	case o.before != nil:
		return []row{{label: "ECH", value: "at the second attempt: the server wants another configuration used than the one it was offered", style: caution}}
	case c.ech.source == echFromDNS && o.facts.ECH.Status == tlscore.ECHNone && o.facts.Version != 0:
		return []row{{label: "ECH", value: "none: the DNS has no configuration for this name, which went in the open", style: caution}}
	}
	return nil
}

// explainECH says what a rejection means.
func explainECH(err *tlscore.Error) *failure {
	return &failure{kind: kindTLS, text: "the server could not decrypt the ClientHello: " + pki.Printable(err.Detail),
		hint: "is the list of --ech out of date? --ech auto takes what the DNS says, and goes without where the server has switched it off"}
}

// explainNoECH says why no connection was made.
func explainNoECH(err error) *failure {
	if !errors.Is(err, tlsnet.ErrNoECH) {
		return nil
	}
	return &failure{kind: kindLocal, text: pki.Printable(err.Error()), hint: "see: tlswright ech show dns:NAME"}
}
