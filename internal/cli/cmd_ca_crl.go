package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki/crl"
)

type caCRLFlags struct {
	caFlags
	output   string
	dir      string
	set      string
	shard    string
	urls     []string
	isDelta  bool
	lifetime time.Duration
	format   string
	show     string
	signer   string
	force    bool
	asJSON   bool
}

const caCRLLong = `Make a list of the certificates that were revoked (a CRL), signed by the issuer,
with the next number. It is printed as PEM, or written to -o FILE: as DER, which
is what clients fetch, unless the file is called .pem or --format says
otherwise. A list is good for seven days (--lifetime): make a new one in time,
clients may refuse everything once it is over.

--delta makes a small list of what changed since the last complete one, good for
a day. --out DIR writes all parts of a CRL that was split with "ca init
--crl-shards", --shard N one of them, counted from 0; each is named as in its
URL. A CRL without parts published anywhere can be split with --shard N/COUNT
--url.

--set FILE writes all that is known of all certificates as a revocation set: a
filter, signed like a CRL, tens of times smaller and never wrong about a
certificate of this issuer. "cert verify" and "connect" take it as
--revocation-set.

--show FILE shows a list that somebody made, and checks its signature by the own
CA, or by the certificate in --signer FILE.`

func newCACRL(a *app) *cobra.Command {
	o := &caCRLFlags{}
	cmd := &cobra.Command{
		Use:   "crl",
		Short: "Make the list of revoked certificates (CRL), or a revocation set",
		Long:  caCRLLong,
		Example: "  tlswright ca crl -o ca.crl\n  tlswright ca crl --delta -o delta.crl\n  tlswright ca crl --out /var/www/crl\n" +
			"  tlswright ca crl --set ca.set -o ca.crl\n  tlswright ca crl --issuer root -o root.crl",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.caCRL(cmd, o) },
	}
	o.register(cmd, a)
	f := cmd.Flags()
	f.StringVarP(&o.output, "output", "o", "", "write the list to `FILE` (default: standard output, as PEM)")
	f.StringVar(&o.dir, "out", "", "write all parts of the list into this `DIR`")
	f.BoolVar(&o.isDelta, "delta", false, "only what changed since the last complete list")
	f.StringVar(&o.shard, "shard", "", "one part of the list: its `NUMBER`, or NUMBER/COUNT")
	f.StringSliceVar(&o.urls, "url", nil, "with --shard or --out: the part will be found at these `URLS` with {shard} (default: as told to ca init)")
	f.DurationVar(&o.lifetime, "lifetime", 0, "`TIME` to the next list, such as 168h (default seven days, a delta one)")
	f.StringVar(&o.format, "format", "", "write `FORMAT`: der or pem (default: by the name of the file)")
	f.StringVar(&o.set, "set", "", "write a revocation set to `FILE`; without -o nothing else is made")
	f.BoolVar(&o.force, "force", false, "replace files that are no CRLs")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	complete(cmd, "format", []string{"der", "pem"})
	exclusive(cmd, "output", "out")
	exclusive(cmd, "shard", "out")
	f.StringVar(&o.show, "show", "", "make no list, but show that in `FILE`")
	f.StringVar(&o.signer, "signer", "", "with --show: the certificate in `FILE` is that of the issuer")
	_ = cmd.MarkFlagFilename("show", "crl", "der", "pem")
	_ = cmd.MarkFlagFilename("signer", "pem", "crt")
	_ = cmd.MarkFlagDirname("out")
	_ = cmd.MarkFlagFilename("output", "crl", "der", "pem")
	return cmd
}

// crlReport is one list in `ca crl --json`.
type crlReport struct {
	Number     string    `json:"number"`
	Base       string    `json:"base,omitempty"` // of a delta: the number of the list that it is to
	Shard      *int      `json:"shard,omitempty"`
	URLs       []string  `json:"urls,omitempty"` // of the distribution point
	ThisUpdate time.Time `json:"this_update"`
	NextUpdate time.Time `json:"next_update"`
	Entries    int       `json:"entries"`
	Bytes      int       `json:"bytes"`
	File       string    `json:"file,omitempty"`
	PEM        string    `json:"pem,omitempty"` // where no file was written
}

// caCRLReport is `ca crl --json`.
type caCRLReport struct {
	Lists []crlReport `json:"lists"`
	Set   *setReport  `json:"revocation_set,omitempty"`
}

func (a *app) caCRL(cmd *cobra.Command, o *caCRLFlags) (err error) {
	switch {
	case o.show != "":
		return a.showList(cmd, o)
	case o.signer != "":
		return usagef(cmd, "--signer goes with --show")
	}
	options, err := o.options(cmd)
	if err != nil {
		return err
	}
	if o.format != "" && o.format != "der" && o.format != "pem" {
		return usagef(cmd, "--format %q is neither der nor pem", o.format)
	}
	if o.output == "" && o.format == "der" && a.ui.out.width > 0 {
		return usagef(cmd, "DER is nothing for a terminal: name a file with -o")
	}
	if o.set == "-" {
		return usagef(cmd, "--set needs the name of a file")
	}
	if o.dir != "" {
		if err := os.MkdirAll(o.dir, 0o755); err != nil {
			return cannotRun(err, "")
		}
	}
	for _, file := range []string{o.output, o.set} {
		if err := needFolder(file); err != nil {
			return err
		}
		if err := a.mayReplaceList(o, file); err != nil {
			return err
		}
	}
	au, err := a.openAuthority(cmd.Context(), &o.caFlags, true)
	if err != nil {
		return err
	}
	defer closing(au, &err)
	var report caCRLReport
	if o.set == "" || o.output != "" || o.dir != "" || o.shard != "" || o.isDelta {
		if report.Lists, err = a.makeLists(cmd, o, au, options); err != nil {
			return err
		}
	}
	if o.set != "" {
		if report.Set, err = a.makeSet(cmd, o, au, report.Lists); err != nil {
			return err
		}
	}
	return a.reportLists(o, report)
}

// options turns the flags into what the authority makes.
func (o *caCRLFlags) options(cmd *cobra.Command) (authority.CRLOptions, error) {
	options := authority.CRLOptions{Delta: o.isDelta, Lifetime: o.lifetime, URLs: o.urls}
	if cmd.Flags().Changed("lifetime") && o.lifetime <= 0 {
		return options, usagef(cmd, "--lifetime %v is no time", o.lifetime)
	}
	if o.shard == "" {
		if len(o.urls) > 0 && o.dir == "" {
			return options, usagef(cmd, "--url goes with --shard or --out")
		}
		return options, nil
	}
	number, count, isCounted := strings.Cut(o.shard, "/")
	var err error
	if options.Shard, err = strconv.Atoi(number); err == nil && isCounted {
		options.Shards, err = strconv.Atoi(count)
	}
	if err != nil || options.Shard < 0 || isCounted && (options.Shards < 2 || options.Shard >= options.Shards) {
		f := usagef(cmd, "--shard %q is no part of a list", o.shard)
		f.hint = "write 0 for the first part, or 0/16 for the first of sixteen"
		return options, f
	}
	return options, nil
}

// mayReplaceList refuses to overwrite what is neither a CRL nor a revocation set: those are made anew all the time.
func (a *app) mayReplaceList(o *caCRLFlags, file string) error {
	if file == "" || file == "-" {
		return nil
	}
	if data, err := readFileWithin(file, maxList); err == nil && isRevocationFile(data) {
		return nil
	}
	if o.force {
		return a.refuseCAFile(file)
	}
	return refuseToReplace(file)
}

func isRevocationFile(data []byte) bool {
	if strings.HasPrefix(string(data), setMagic) || strings.Contains(string(data[:min(len(data), 4096)]), "-----BEGIN X509 CRL-----") {
		return true
	}
	_, err := crl.Parse(data)
	return err == nil
}

// makeLists makes the lists that were asked for and writes them.
func (a *app) makeLists(cmd *cobra.Command, o *caCRLFlags, au *authority.Authority, options authority.CRLOptions) ([]crlReport, error) {
	shards := au.Publication.Shards
	if o.shard != "" && options.Shards == 0 {
		if options.Shards = shards; shards <= 1 {
			f := usagef(cmd, "the CRL is not split, so there is no part %s", o.shard)
			f.hint = "say into how many: --shard NUMBER/COUNT --url URL"
			return nil, f
		}
	}
	var lists [][]byte
	var err error
	if o.dir != "" && shards > 1 {
		lists, err = au.Partitions(cmd.Context(), options)
	} else {
		var one []byte
		one, err = au.CRL(cmd.Context(), options)
		lists = [][]byte{one}
	}
	if err != nil {
		return nil, caFailure(err, "making the CRL")
	}
	if o.shard == "" && o.dir == "" && shards > 1 {
		a.ui.notef("this list is whole; certificates point to its %d parts: see --out", shards)
	}
	var reports []crlReport
	for i, der := range lists {
		r, err := a.writeList(o, au, der, options.Shard+i)
		if err != nil {
			return nil, err
		}
		if o.shard != "" || len(lists) > 1 {
			number := options.Shard + i
			r.Shard = &number
		}
		reports = append(reports, *r)
	}
	return reports, nil
}

// writeList puts one list where it belongs.
func (a *app) writeList(o *caCRLFlags, au *authority.Authority, der []byte, number int) (*crlReport, error) {
	list, err := crl.Parse(der)
	if err != nil {
		return nil, cannotRun(err, "reading the new CRL")
	}
	r := &crlReport{Number: list.Number.String(), ThisUpdate: list.ThisUpdate, NextUpdate: list.NextUpdate, Entries: list.Count, Bytes: len(der), File: o.output}
	if list.Base != nil {
		r.Base = list.Base.String()
	}
	if list.IDP != nil {
		r.URLs = list.IDP.URIs
	}
	if o.dir != "" {
		r.File = filepath.Join(o.dir, listName(au.Publication, o.isDelta, number))
		if err := a.mayReplaceList(o, r.File); err != nil {
			return nil, err
		}
	}
	text := pemBlock("X509 CRL", der)
	if r.File == "" || r.File == "-" {
		r.PEM, r.File = string(text), ""
		if o.format == "der" {
			text = der
		}
		if !o.asJSON {
			a.ui.write(&a.ui.out, string(text))
		}
		return r, nil
	}
	if o.format == "der" || o.format == "" && strings.ToLower(filepath.Ext(r.File)) != ".pem" {
		text = der
	}
	if err := keystore.WriteFile(r.File, text, certFileMode); err != nil {
		return nil, cannotRun(err, "writing the CRL, number %s", r.Number)
	}
	return r, nil
}

// listName is the file of a list in a folder: as its URL calls it, so that the folder can be served as it is.
func listName(p authority.Publication, isDelta bool, number int) string {
	urls, name := p.CRL, "crl-"+strconv.Itoa(number)+".crl"
	if isDelta {
		urls, name = p.Delta, "delta-"+name
	}
	if len(urls) == 0 {
		return name
	}
	path, _, _ := strings.Cut(strings.ReplaceAll(urls[0], "{shard}", strconv.Itoa(number)), "?")
	base := path[strings.LastIndexByte(path, '/')+1:]
	if base == "" || strings.Count(path, "/") < 3 || strings.HasPrefix(base, ".") || strings.ContainsAny(base, "\\:%") {
		return name
	}
	return base
}

func (a *app) reportLists(o *caCRLFlags, r caCRLReport) error {
	if o.asJSON {
		if r.Lists == nil {
			r.Lists = []crlReport{}
		}
		return a.ui.printJSON(r)
	}
	if len(r.Lists) > 0 && r.Lists[0].File == "" {
		// The list itself went to standard output.
		if r.Set != nil {
			a.ui.notef("revocation set: %s", r.Set.text())
		}
		return nil
	}
	out := &a.ui.out
	if len(r.Lists) > 1 {
		a.ui.write(out, listTable(out, r.Lists))
	} else if len(r.Lists) == 1 {
		l, kind := r.Lists[0], "CRL number "
		if l.Base != "" {
			kind = "delta to CRL number " + l.Base + ", number "
		}
		rows := []row{
			{label: "entries", value: fmt.Sprintf("%d, %s in all", l.Entries, byteCount(int64(l.Bytes)))},
			{label: "next", value: "before " + timeOf(l.NextUpdate)},
		}
		rows = append(rows, many("found at", l.URLs, plain)...)
		rows = append(rows, row{label: "file", value: l.File})
		a.ui.write(out, out.paint(bold, kind+l.Number)+"\n"+out.rows(rows))
	}
	if r.Set != nil {
		a.ui.write(out, out.paint(bold, "revocation set")+"\n"+out.rows(r.Set.rows()))
	}
	return nil
}

// listTable shows the parts of a list.
func listTable(s *stream, lists []crlReport) string {
	cells := [][]string{{"part", "number", "entries", "size", "next before", "file"}}
	for _, l := range lists {
		cells = append(cells, []string{strconv.Itoa(*l.Shard), l.Number, strconv.Itoa(l.Entries), byteCount(int64(l.Bytes)), timeOf(l.NextUpdate), l.File})
	}
	return s.grid(cells, func(int, int) style { return plain })
}
