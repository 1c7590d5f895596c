package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/ciphers"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

const ciphersLong = `Show which cipher suites an expression means, in order of preference, and what
their names say: key exchange, authentication, encryption, mode and hash, and
whether keys are ephemeral (FS, forward secrecy). HERE marks the suites that
tlswright itself speaks. The verdict is good, weak (better not) or unsafe
(never); a suite alone tells the reasons. The answer comes from all suites ever
registered.

An expression is a list of words, separated by colons, commas or blanks:

  ECDHE+AESGCM     the suites that both words mean
  !aNULL           bar these for good
  -SHA1            take these off, until a later word adds them
  +AES256          move these to the end
  @STRENGTH        sort by strength
  @SECLEVEL=2      only what OpenSSL allows at this security level

A word is the name of a suite (registered or OpenSSL's) or its number (0xc02f),
a class of OpenSSL (ALL, HIGH, ECDHE, kRSA, aNULL, AESGCM, RC4, SHA256,
DEFAULT ...), or a profile of Mozilla: modern, intermediate or old.

Suites of TLS 1.3 leave key exchange and authentication open: words such as
ECDHE add them, and none such bars them. (OpenSSL gives its suites of TLS 1.3
with every expression.)

` + exitCodeHelp

const ciphersExample = `  tlswright ciphers 'ECDHE+AESGCM:!aNULL'
  tlswright ciphers 'ECDH+AES256'
  tlswright ciphers intermediate
  tlswright ciphers TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`

// suiteJSON is a suite in `ciphers --json`. The names are stable.
type suiteJSON struct {
	numberedName
	OpenSSL        string   `json:"openssl_name,omitempty"`
	Since          string   `json:"since"` // lowest version
	KeyExchange    string   `json:"key_exchange"`
	Authentication string   `json:"authentication"`
	Encryption     string   `json:"encryption"`
	Bits           int      `json:"bits"`
	Mode           string   `json:"mode"`
	MAC            string   `json:"mac"`
	Hash           string   `json:"hash"`
	ForwardSecrecy bool     `json:"forward_secrecy"`
	IsExport       bool     `json:"export"`
	IsSpoken       bool     `json:"spoken_here"`
	Verdict        string   `json:"verdict"` // good, weak or unsafe
	Reasons        []string `json:"reasons"` // against it, the worst first
}

type ciphersJSON struct {
	Expression string      `json:"expression"`
	Suites     []suiteJSON `json:"suites"`
}

func newCiphers(a *app) *cobra.Command {
	var asJSON, onlySpoken bool
	cmd := &cobra.Command{
		Use:     "ciphers EXPRESSION",
		Short:   "Show which cipher suites an expression means, and what their names say",
		Long:    ciphersLong,
		Example: ciphersExample,
		Args:    oneArg("an expression, such as 'ECDHE+AESGCM:!aNULL' or intermediate"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return ciphers.Profiles(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := evaluate(cmd, "", args[0])
			if err != nil {
				return err
			}
			if onlySpoken {
				s.Suites = slices.DeleteFunc(s.Suites, func(id wire.CipherSuite) bool { return !isSpoken(id) })
			}
			if asJSON {
				return a.ciphersJSON(args[0], s)
			}
			return a.printSuites(args[0], s)
		},
	}
	cmd.Flags().BoolVar(&onlySpoken, "here", false, "only the suites that tlswright speaks")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// evaluate reads an expression; flag names the flag it comes from, "" for an argument.
func evaluate(cmd *cobra.Command, flag, expression string) (ciphers.Selection, error) {
	s, err := ciphers.Evaluate(expression)
	if err == nil {
		return s, nil
	}
	if flag != "" {
		flag += " "
	}
	f := usagef(cmd, "%s%q, %v", flag, expression, err)
	f.hint = "see: tlswright ciphers --help"
	var syntax *ciphers.SyntaxError
	if errors.As(err, &syntax) && syntax.Near != "" {
		f.hint = "did you mean: " + syntax.Near
	}
	return s, f
}

// isSpoken reports whether this program has a suite.
func isSpoken(id wire.CipherSuite) bool { return suite.ByID(id) != nil || suite.ByID12(id) != nil }

func noSuite(expression string) *failure {
	return &failure{kind: kindFinding, text: fmt.Sprintf("%q means no suite at all", expression), hint: "see: tlswright ciphers --help"}
}

func (a *app) ciphersJSON(expression string, s ciphers.Selection) error {
	j := ciphersJSON{Expression: expression, Suites: []suiteJSON{}}
	for _, id := range s.Suites {
		p, _ := ciphers.Apart(id)
		j.Suites = append(j.Suites, newSuiteJSON(p))
	}
	if err := a.ui.printJSON(j); err != nil || len(s.Suites) > 0 {
		return err
	}
	return noSuite(expression)
}

func newSuiteJSON(p ciphers.Parts) suiteJSON {
	verdict, reasons := p.Verdict()
	return suiteJSON{
		numberedName: numberedName{p.Suite.String(), id(p.Suite)}, OpenSSL: p.OpenSSLName, Since: p.Since.String(),
		KeyExchange: p.KeyExchange, Authentication: p.Authentication, Encryption: p.Encryption, Bits: p.Bits, Mode: p.Mode,
		MAC: p.MAC, Hash: p.Hash, ForwardSecrecy: p.HasForwardSecrecy, IsExport: p.IsExport, IsSpoken: isSpoken(p.Suite),
		Verdict: verdict.String(), Reasons: orEmpty(reasons),
	}
}

// printSuites shows several suites as a table, and a single one in words.
func (a *app) printSuites(expression string, s ciphers.Selection) error {
	u := a.ui
	switch len(s.Suites) {
	case 0:
		return noSuite(expression)
	case 1:
		p, _ := ciphers.Apart(s.Suites[0])
		u.write(&u.out, u.out.paint(bold, p.Suite.String())+" "+id(p.Suite)+"\n"+u.out.rows(suiteRows(p)))
		return nil
	}
	cells := [][]string{{"NUMBER", "NAME", "OPENSSL NAME", "SINCE", "EXCHANGE", "SIGNED", "ENCRYPTION", "MAC", "FS", "HERE", "VERDICT"}}
	for _, number := range s.Suites {
		p, _ := ciphers.Apart(number)
		verdict, _ := p.Verdict()
		cells = append(cells, []string{
			id(number), number.String(), dash(p.OpenSSLName), p.Since.String(), p.KeyExchange, p.Authentication, encryptionText(p),
			p.MAC, yesNo(p.HasForwardSecrecy), yesNo(isSpoken(number)), verdict.String(),
		})
	}
	paint := func(r, col int) style {
		switch {
		case col == 1:
			return bold
		case col == 10:
			p, _ := ciphers.Apart(s.Suites[r-1])
			verdict, _ := p.Verdict()
			return verdictStyle(verdict)
		}
		return plain
	}
	text := u.out.grid(cells, paint)
	if u.out.width > 0 && gridWidth(cells) > u.out.width {
		text = u.out.bands(cells, paint)
	}
	u.write(&u.out, text)
	return nil
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// encryptionText is the encryption in short: "AES-128-GCM".
func encryptionText(p ciphers.Parts) string {
	if p.Bits == 0 {
		return p.Encryption
	}
	if p.Mode == "POLY1305" {
		return p.Encryption + "-" + p.Mode // whose keys have one size
	}
	text := p.Encryption + "-" + strconv.Itoa(p.Bits)
	if p.Mode != "stream" {
		text += "-" + p.Mode
	}
	return text
}

// weakness says what speaks most against a suite, "" for nothing.
func weakness(number wire.CipherSuite) string {
	p, _ := ciphers.Apart(number)
	if _, reasons := p.Verdict(); len(reasons) > 0 {
		return reasons[0]
	}
	return ""
}

// suiteRows takes one suite apart in words.
func suiteRows(p ciphers.Parts) []row {
	mac := "HMAC with " + p.MAC
	switch p.MAC {
	case "AEAD":
		mac = "none apart: the mode protects integrity as well (AEAD)"
	case "none", "IMIT", "OMAC":
		mac = p.MAC
	}
	rows := []row{
		{label: "OpenSSL name", value: dash(p.OpenSSLName)},
		{label: "versions", value: versionsText(p)},
		{label: "key exchange", value: exchangeText(p)},
		{label: "signed with", value: authenticationText(p)},
		{label: "encryption", value: encryptionText(p) + ", " + strconv.Itoa(p.Bits) + " bits"},
		{label: "integrity", value: mac},
		{label: "hash", value: p.Hash},
		{label: "spoken here", value: yesNo(isSpoken(p.Suite))},
	}
	verdict, reasons := p.Verdict()
	text := verdict.String()
	if len(reasons) > 0 {
		text += ": " + strings.Join(reasons, "; ")
	}
	return append(rows, row{"verdict", text, verdictStyle(verdict)})
}

func verdictStyle(v ciphers.Verdict) style {
	switch v {
	case ciphers.Good:
		return good
	case ciphers.Weak:
		return caution
	}
	return bad
}

func versionsText(p ciphers.Parts) string {
	switch p.Since {
	case wire.VersionTLS13:
		return "TLS 1.3"
	case wire.VersionTLS12:
		return "TLS 1.2"
	}
	return p.Since.String() + " to TLS 1.2"
}

func exchangeText(p ciphers.Parts) string {
	text := p.KeyExchange
	if text == "any" {
		return "not said by the suite: that of the group, with forward secrecy"
	}
	switch {
	case strings.HasPrefix(text, "ECDHE"):
		text += ", ephemeral keys on an elliptic curve"
	case strings.HasPrefix(text, "DHE"):
		text += ", ephemeral keys"
	case p.KeyExchange == "RSA":
		text += ", the client encrypts a secret with the server's key"
	}
	if p.HasForwardSecrecy {
		return text + ": forward secrecy"
	}
	return text + ": no forward secrecy, who gets the key later reads what was recorded"
}

func authenticationText(p ciphers.Parts) string {
	switch p.Authentication {
	case "any":
		return "not said by the suite: that of the certificate"
	case "none":
		return "nothing: anybody in between can pose as the server"
	case "RSA":
		if p.KeyExchange == "RSA" {
			return "nothing: that it can decrypt with its RSA key proves who the server is"
		}
	}
	return p.Authentication
}
