package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/pki/ct"
)

type certShowFlags struct {
	peer     peerFlags
	secret   secretFlags
	expiring int
	logList  string
	first    bool
	isBrief  bool
	asPEM    bool
	asJSON   bool
}

const certShowLong = `Show certificates so that they can be read: whom they name, who issued them, how
long they are valid, their key, what they may be used for, where their
revocation is told, and the fingerprints and the pin by which they are known.
What is wrong or old-fashioned is marked.

FILE is PEM, DER, PKCS#7, PKCS#12 or JKS, found out by its content. A server
(HOST:PORT, or HOST for port 443) shows the whole chain as it is sent; nothing
is verified. Certificates that programs refuse, because they break the rules,
are taken apart as far as they can be, and what was odd is said.

--brief shows a line for each certificate, --json all there is, each extension
with its bytes. With --expiring DAYS a certificate that is not valid, or will
not be in so many days, is a failed check.

` + exitCodeHelp

const certShowExample = `  tlswright cert show server.pem
  tlswright cert show example.com
  tlswright cert show --brief /etc/ssl/certs/ca-certificates.crt
  tlswright cert show --json mail.example.com:25 --starttls smtp
  tlswright cert show --expiring 30 example.com
  tlswright cert show --pem example.com > chain.pem`

func newCertShow(a *app) *cobra.Command {
	o := &certShowFlags{}
	cmd := &cobra.Command{
		Use:     "show FILE | - | HOST[:PORT]",
		Short:   "Show certificates of a file or a server, for people or as JSON",
		Long:    certShowLong,
		Example: certShowExample,
		Args:    oneArg("a FILE, \"-\" or a server HOST:PORT"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.certShow(cmd, o, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.logList, "log-list", "", "judge the timestamps of Certificate Transparency by the list of logs in `FILE` (JSON, version 3)")
	f.BoolVar(&o.first, "first", false, "only the first certificate, which is that of the server")
	f.BoolVar(&o.isBrief, "brief", false, "a line for each certificate")
	f.IntVar(&o.expiring, "expiring", -1, "fail where a certificate is not valid, or will not be in `DAYS`")
	f.BoolVar(&o.asPEM, "pem", false, "print the certificates as PEM, and nothing else")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	o.secret.register(cmd, "a PKCS#12 or JKS file")
	o.peer.register(cmd)
	_ = cmd.MarkFlagFilename("log-list")
	exclusive(cmd, "brief", "pem", "json")
	return cmd
}

// certificateJSON is a certificate in `cert show --json`: what every command reports, and all the rest.
type certificateJSON struct {
	Subject     string          `json:"subject"` // RFC 4514, most specific part first
	Issuer      string          `json:"issuer"`
	Names       []string        `json:"names"` // subject alternative names of all kinds
	Serial      string          `json:"serial"`
	Decimal     string          `json:"serial_decimal"`
	Version     int             `json:"version"`
	NotBefore   string          `json:"not_before"` // RFC 3339, UTC; "" where it cannot be read
	NotAfter    string          `json:"not_after"`
	DaysLeft    int             `json:"days_left"`
	Status      string          `json:"status"` // valid, expired, not yet valid, unreadable
	Role        string          `json:"role"`   // leaf, intermediate, root or self-signed
	Key         string          `json:"key"`
	KeyBits     int             `json:"key_bits,omitempty"`
	KeyStrength int             `json:"key_strength,omitempty"` // bits of work
	Signature   string          `json:"signature"`
	SigOID      string          `json:"signature_oid"`
	IsCA        bool            `json:"is_ca"`
	PathLen     *int            `json:"path_len,omitempty"`
	Usages      []string        `json:"key_usage"`
	Purposes    []string        `json:"extended_key_usage"`
	Validation  string          `json:"validation,omitempty"` // DV, OV, IV or EV
	Policies    []string        `json:"policies"`
	OCSP        []string        `json:"ocsp"`
	CAIssuers   []string        `json:"ca_issuers"`
	CRLs        []string        `json:"crl_distribution_points"`
	SCTs        any             `json:"scts"`
	MustStaple  bool            `json:"must_staple"`
	SubjectID   string          `json:"subject_key_id,omitempty"`
	AuthorityID string          `json:"authority_key_id,omitempty"`
	SHA256      string          `json:"sha256"`
	SHA1        string          `json:"sha1"`
	Pin         string          `json:"pin_sha256"` // base64, of the SubjectPublicKeyInfo
	Extensions  []extensionJSON `json:"extensions"`
	Defects     []string        `json:"defects"`
	IsStrict    bool            `json:"well_formed"` // crypto/x509 reads it
	StrictError string          `json:"refused_because,omitempty"`
	Size        int             `json:"size"` // bytes of DER
	PEM         string          `json:"pem"`
}

// showJSON is `cert show --json`.
type showJSON struct {
	Source       string            `json:"source"`
	Format       format            `json:"format"`
	Certificates []certificateJSON `json:"certificates"`
	Along        *serviceJSON      `json:"along,omitempty"` // what a server sent along, and what the logs say
	Error        *errorJSON        `json:"error,omitempty"`
}

func (a *app) certShow(cmd *cobra.Command, o *certShowFlags, arg string) error {
	c, err := a.readInput(cmd, arg, &o.peer, &o.secret)
	if err != nil {
		return err
	}
	if err := c.needCerts(); err != nil {
		return err
	}
	var views []*certView
	for i, der := range c.certs {
		v, err := newCertView(der, a.now())
		if err != nil {
			return cannotRun(err, "%s: certificate %d", c.origin, i+1)
		}
		views = append(views, v)
	}
	logs, err := a.readLogList(o.logList)
	if err != nil {
		return err
	}
	along := newService(c, logs, a.now())
	if o.first {
		views = views[:1]
	}
	problem := expiring(views, o.expiring, cmd.Flags().Changed("expiring"))
	out := &a.ui.out
	switch {
	case o.asJSON:
		j := showJSON{Source: c.origin, Format: c.format, Along: along.json(), Error: newErrorJSON(problem)}
		for _, v := range views {
			j.Certificates = append(j.Certificates, v.json())
		}
		err = a.ui.printJSON(j)
	case o.asPEM:
		var text []byte
		for _, v := range views {
			text = pki.AppendCertificatePEM(text, v.Raw)
		}
		a.ui.write(out, string(text))
	case o.isBrief:
		a.ui.write(out, briefTable(out, views))
	default:
		for i, v := range views {
			var more []row
			if i == 0 {
				more = along.rows()
			}
			a.printCertificate(v, ordinal(i, len(views)), more...)
		}
	}
	if err == nil && problem != nil {
		return problem
	}
	return err
}

// readLogList reads --log-list; nil where it is not given.
func (a *app) readLogList(file string) (*ct.LogList, error) {
	if file == "" {
		return nil, nil
	}
	data, origin, err := a.readBytes(file)
	if err != nil {
		return nil, err
	}
	logs, err := ct.ParseLogList(data)
	if err != nil {
		return nil, cannotRun(err, "%s", origin)
	}
	return logs, nil
}

// expiring finds the first certificate that is not in force, or will not be in so many days.
func expiring(views []*certView, days int, isAsked bool) *failure {
	if !isAsked {
		return nil
	}
	for _, v := range views {
		life, _ := v.life()
		switch end := v.now.Add(time.Duration(days) * day); {
		case v.status() != "valid":
			return &failure{kind: kindFinding, text: fmt.Sprintf("%s is not valid: %s", v.title(), life), hint: "renew it"}
		case end.After(v.NotAfter):
			return &failure{kind: kindFinding, text: fmt.Sprintf("%s ends on %s: %s", v.title(), dateOf(v.NotAfter), life), hint: "renew it"}
		}
	}
	return nil
}

// briefTable is a line for each certificate.
func briefTable(s *stream, views []*certView) string {
	cells := [][]string{{"ROLE", "NAME", "ISSUER", "ENDS", "LEFT", "KEY", "SIGNATURE", "SHA-256"}}
	for _, v := range views {
		life, _ := v.life()
		name := pki.Printable(commonName(v.subject))
		if name == "" {
			name = v.title()
		}
		issuer := pki.Printable(commonName(v.issuer))
		if issuer == "" {
			issuer = nameText(v.issuer)
		}
		key, _, _ := strings.Cut(v.keyText(), ",")
		cells = append(cells, []string{v.role(), cut(name, 40), cut(dash(issuer), 32), dateOf(v.NotAfter), strings.TrimSuffix(life, " left"), key, v.signatureText(), v.fingerprints().sha256[:16]})
	}
	// What does not fit goes, least needed first; in a pipe everything is there.
	for _, drop := range []string{"SHA-256", "SIGNATURE", "ISSUER", "KEY"} {
		if s.width > 0 && gridWidth(cells) > s.width {
			cells = withoutColumn(cells, drop)
		}
	}
	return s.grid(cells, func(r, col int) style {
		v := views[r-1]
		_, life := v.life()
		switch cells[0][col] {
		case "NAME":
			return bold
		case "ENDS", "LEFT":
			return life
		case "KEY":
			if keyWeakness(v.PublicKey) != "" {
				return bad
			}
		case "SIGNATURE":
			if v.signatureWeakness() != "" && !v.isSelfIssued() {
				return bad
			}
		}
		return plain
	})
}

// withoutColumn drops a column by its heading.
func withoutColumn(cells [][]string, heading string) [][]string {
	at := slices.Index(cells[0], heading)
	if at < 0 {
		return cells
	}
	var fewer [][]string
	for _, line := range cells {
		fewer = append(fewer, slices.Delete(slices.Clone(line), at, at+1))
	}
	return fewer
}

// cut shortens a text that would make a column too wide.
func cut(text string, width int) string {
	if r := []rune(text); len(r) > width {
		return string(r[:width-1]) + "…"
	}
	return text
}

// printCertificate shows one certificate as a page.
func (a *app) printCertificate(v *certView, place string, more ...row) {
	out := &a.ui.out
	text := out.paint(faint, place) + out.paint(bold, v.title()) + out.paint(faint, ", "+v.roleText()) + "\n"
	if place != "" && !strings.HasPrefix(place, "1 ") {
		text = "\n" + text
	}
	rows := v.identityRows()
	rows = append(rows, v.keyRows()...)
	rows = append(rows, v.useRows()...)
	rows = append(rows, v.statusRows()...)
	rows = append(rows, more...)
	rows = append(rows, v.otherRows()...)
	rows = append(rows, v.markRows()...)
	a.ui.write(out, text+out.rows(rows))
}

// roleText is the role in a few words.
func (v *certView) roleText() string {
	switch role := v.role(); role {
	case "root":
		return "a root: a CA that answers for itself"
	case "intermediate":
		return "an intermediate CA"
	case "self-signed":
		return "self-signed: it answers for itself"
	default:
		return "a leaf"
	}
}

// many is a row for a list, a line for each entry.
func many(label string, lines []string, st style) []row {
	var rows []row
	for i, line := range lines {
		if i > 0 {
			label = ""
		}
		rows = append(rows, row{label, line, st})
	}
	return rows
}

func (v *certView) identityRows() []row {
	rows := []row{{label: "subject", value: orWord(nameText(v.subject), "(empty)")}}
	if x := v.extension(cert.OIDSubjectAltName); x != nil {
		rows = append(rows, many("names", flow(x.lines, 8), plain)...)
	} else if !v.isCA {
		rows = append(rows, row{"names", "none: no client takes it for any host", caution})
	}
	issuer := row{label: "issuer", value: orWord(nameText(v.issuer), "(empty)")}
	if v.isSelfIssued() {
		issuer.value = "itself"
	}
	life, st := v.lifeText()
	rows = append(rows, issuer,
		row{"valid from", timeOf(v.NotBefore), plain},
		row{"valid to", timeOf(v.NotAfter) + " (" + life + ")", st},
		row{"serial", v.serialText(), plain})
	if v.Version != 3 {
		rows = append(rows, row{"version", fmt.Sprintf("%d, which has no extensions: long out of use", v.Version), caution})
	} else {
		rows = append(rows, row{"version", "3", plain})
	}
	return rows
}

func orWord(text, word string) string {
	if text == "" {
		return word
	}
	return text
}

// flow joins short entries, several on a line, so that a certificate for a hundred hosts stays a page.
func flow(entries []string, perLine int) []string {
	if len(entries) <= perLine {
		return []string{strings.Join(entries, ", ")}
	}
	var lines []string
	for part := range slices.Chunk(entries, perLine) {
		lines = append(lines, strings.Join(part, ", "))
	}
	return lines
}

// timeOf is a moment to the second, for the ends of a validity do count.
func timeOf(t time.Time) string {
	if t.IsZero() {
		return "(unreadable)"
	}
	return t.UTC().Format(time.DateTime) + " UTC"
}
