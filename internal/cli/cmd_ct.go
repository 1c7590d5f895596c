package cli

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki/ct"
)

func newCT(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "ct",
		Short: "Certificate Transparency: show certificates to logs, watch logs",
		Long: `Logs of Certificate Transparency keep every certificate that they are shown, for
everybody to see. They are spoken to in the language of RFC 6962 or in that of
the static API, and believed nothing that their key has not signed and their
tree does not prove.

All commands take a list of logs in the form that Chrome's has, from --logs
FILE. A private CA can have a log of its own, with a list of its own.`,
		Example: "  tlswright ct watch example.com --logs log_list.json\n  tlswright ct verify example.com --logs log_list.json\n  tlswright ct submit fullchain.pem --logs log_list.json --log argon",
	}, newCTSubmit(a), newCTVerify(a), newCTWatch(a))
}

type ctSubmitFlags struct {
	ctLogFlags
	out    string
	asJSON bool
}

// submissionReport is what one log said, in `ct submit --json`.
type submissionReport struct {
	Log       string    `json:"log"`
	LogID     string    `json:"log_id"` // base64, as in the lists of logs
	Timestamp time.Time `json:"timestamp,omitzero"`
	Index     *uint64   `json:"index,omitempty"` // in the log's tree, of a tiled log
	SCT       []byte    `json:"sct,omitempty"`   // as RFC 6962, Section 3.2 has it
	Error     string    `json:"error,omitempty"`
}

const ctSubmitLong = `Show a certificate or a precertificate, with the chain above it, to logs, and
print the timestamps that they sign. FILE holds the chain, leaf first, as
fullchain.pem does; logs want it up to a root that they know.

Without --log it goes to every log of the list that counts today and takes
certificates that expire then. -o writes the timestamps as a list that servers
send in the handshake (RFC 6962, Section 3.3). What a log has taken stays there
for everybody to see.`

func newCTSubmit(a *app) *cobra.Command {
	o := &ctSubmitFlags{}
	cmd := &cobra.Command{
		Use:     "submit FILE",
		Short:   "Show a certificate to logs",
		Long:    ctSubmitLong,
		Example: "  tlswright ct submit fullchain.pem --logs log_list.json --log argon\n  tlswright ct submit fullchain.pem --logs logs.json -o scts.bin",
		Args:    oneArg("the FILE with the chain, or - for standard input"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.ctSubmit(cmd, o, args[0]) },
	}
	o.register(cmd)
	f := cmd.Flags()
	f.StringVarP(&o.out, "output", "o", "", "write the timestamps to `FILE`")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	_ = cmd.MarkFlagFilename("output")
	return cmd
}

func (a *app) ctSubmit(cmd *cobra.Command, o *ctSubmitFlags, file string) error {
	chain, entry, err := a.chainToSubmit(cmd, file)
	if err != nil {
		return err
	}
	expires := chain[0].NotAfter
	_, logs, err := o.chosen(cmd, a, func(l *ct.Log) bool {
		return countsToday(l) && (l.NotBefore.IsZero() || !expires.Before(l.NotBefore)) && (l.NotAfter.IsZero() || expires.Before(l.NotAfter))
	})
	if err != nil {
		return err
	}
	f, err := a.logFetcher(o.timeout)
	if err != nil {
		return err
	}
	defer f.Close()
	reports, scts, failures := make([]submissionReport, len(logs)), make([]*ct.SCT, len(logs)), make([]*failure, len(logs))
	var raw [][]byte
	for _, c := range chain {
		raw = append(raw, c.Raw)
	}
	var wait sync.WaitGroup
	for i, l := range logs {
		wait.Go(func() {
			r := submissionReport{Log: logName(l), LogID: base64.StdEncoding.EncodeToString(l.ID[:])}
			s, err := f.Log(l).Submit(cmd.Context(), raw, entry)
			if err != nil {
				failures[i] = logFailure(l, err)
				r.Error = failures[i].text
			} else {
				r.Timestamp, r.SCT, scts[i] = s.Time(), s.Raw, &s
				if index, ok := s.LeafIndex(); ok {
					r.Index = &index
				}
			}
			reports[i] = r
		})
	}
	wait.Wait()
	if err := writeTimestamps(o.out, scts); err != nil {
		return err
	}
	return a.reportSubmissions(o, reports, failures)
}

// chainToSubmit reads the chain, with what a log signs of it.
func (a *app) chainToSubmit(cmd *cobra.Command, file string) ([]*x509.Certificate, ct.Entry, error) {
	c, err := a.readInput(cmd, file, nil, &secretFlags{})
	if err != nil {
		return nil, ct.Entry{}, err
	}
	if err := c.needCerts(); err != nil {
		return nil, ct.Entry{}, err
	}
	chain, err := c.parsed()
	if err != nil {
		return nil, ct.Entry{}, err
	}
	var issuer *x509.Certificate
	if len(chain) > 1 {
		issuer = chain[1]
	}
	entry, err := ct.EntryOf(chain[0], issuer, ct.Extension)
	if err != nil {
		return nil, ct.Entry{}, &failure{kind: kindLocal, text: c.origin + ": " + err.Error(), hint: "the chain is wanted, leaf first, as fullchain.pem has it"}
	}
	return chain, entry, nil
}

// writeTimestamps writes the list that servers send.
func writeTimestamps(file string, scts []*ct.SCT) error {
	var list []ct.SCT
	for _, s := range scts {
		if s != nil {
			list = append(list, *s)
		}
	}
	if file == "" || len(list) == 0 {
		return nil
	}
	data, err := ct.AppendList(nil, list)
	if err == nil {
		err = keystore.WriteFile(file, data, 0o644)
	}
	if err != nil {
		return cannotRun(err, "writing the timestamps")
	}
	return nil
}

func (a *app) reportSubmissions(o *ctSubmitFlags, reports []submissionReport, failures []*failure) error {
	if o.asJSON {
		if err := a.ui.printJSON(reports); err != nil {
			return err
		}
	} else {
		var rows []row
		for i, r := range reports {
			if failures[i] != nil {
				rows = append(rows, row{label: "refused", value: r.Error, style: bad})
				continue
			}
			text := r.Log + ", " + timeOf(r.Timestamp)
			if r.Index != nil {
				text += ", " + placeText(*r.Index)
			}
			rows = append(rows, row{label: "taken", value: text, style: good})
		}
		a.ui.write(&a.ui.out, a.ui.out.rows(rows))
	}
	count := 0
	var first *failure
	for _, f := range failures {
		if f != nil {
			if count++; first == nil || f.kind == kindTrust {
				first = f
			}
		}
	}
	if first == nil {
		return nil
	}
	return &failure{kind: kindFinding, text: fmt.Sprintf("%d of %s did not take it", count, countOf(len(reports), "log")), err: first}
}
