package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/admin"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// Bounds of a call.
const (
	maxAdminAnswer   = 64 << 20 // bytes
	adminCallTimeout = 2 * time.Minute
)

type caAdminCallFlags struct {
	server string
	as     string
	cert   string
	key    string
	ca     string
	data   string
	asJSON bool
}

func newCAAdminCall(a *app) *cobra.Command {
	o := &caAdminCallFlags{}
	cmd := &cobra.Command{
		Use:   "call [METHOD] PATH",
		Short: "Ask the admin API of a running CA",
		Long: `Ask the admin API of a running CA, here or elsewhere, and print its answer.
METHOD is GET, or POST where --data is given. /openapi.json says what can be
asked. --as NAME takes the certificate that "ca admin issue" left below --home;
--cert, --key and --ca name the files of one that was carried here. Exit code 1
if the service refuses; why is on standard error.`,
		Example: "  tlswright ca admin call /v1/status --as alice\n  tlswright ca admin call '/v1/certificates?state=valid&limit=10' --as alice\n" +
			"  tlswright ca admin call POST /v1/certificates/4f21c0/hold --as alice\n" +
			"  tlswright ca admin call /v1/bindings --as alice --data '{\"kid\":\"team\"}'\n" +
			"  tlswright ca admin call /v1/audit --server https://ca.corp.example:9444 \\\n" +
			"    --cert alice/fullchain.pem --key alice/privkey.pem --ca alice/ca.pem",
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: completeAdminPaths,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.caAdminCall(cmd, o, args) },
	}
	f := cmd.Flags()
	f.StringVar(&o.server, "server", "https://127.0.0.1:9444", "`URL` of the admin API, without a path")
	f.StringVar(&o.as, "as", "", "`NAME` of an admin who was certified here")
	f.StringVar(&o.cert, "cert", "", "the admin's certificate in this `FILE`")
	f.StringVar(&o.key, "key", "", "its key in this `FILE`")
	f.StringVar(&o.ca, "ca", "", "trust a service with a certificate of the root in this `FILE`")
	f.StringVar(&o.data, "data", "", "send this `JSON`, or with @ the content of a file (@-: standard input)")
	f.BoolVar(&o.asJSON, "json", false, "print the answer as it came, and not for reading")
	_ = cmd.RegisterFlagCompletionFunc("as", a.completeAdmins)
	for _, name := range []string{"cert", "key", "ca"} {
		_ = cmd.MarkFlagFilename(name, "pem")
	}
	exclusive(cmd, "as", "cert")
	return cmd
}

// completeAdminPaths offers what needs no name.
func completeAdminPaths(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"/v1/status", "/v1/whoami", "/v1/certificates", "/v1/accounts", "/v1/orders", "/v1/bindings", "/v1/audit", "/v1/issuers", "/v1/admins", "/openapi.json"}, cobra.ShellCompDirectiveNoFileComp
}

// adminIdentity loads who asks, and whom to trust.
func (a *app) adminIdentity(cmd *cobra.Command, o *caAdminCallFlags) (*tlsnet.Config, error) {
	if o.as == "" && (o.cert == "" || o.key == "" || o.ca == "") {
		f := usagef(cmd, "who asks is not said")
		f.hint = "--as NAME, or --cert, --key and --ca"
		return nil, f
	}
	if o.as != "" {
		if err := admin.CheckName(o.as); err != nil {
			return nil, refusedFlag(cmd, "--as", err)
		}
		dir, err := a.adminFolder(o.as)
		if err != nil {
			return nil, err
		}
		o.cert, o.key = filepath.Join(dir, keystore.FullChainFile), filepath.Join(dir, keystore.KeyFile)
		o.ca = orWord(o.ca, filepath.Join(dir, "ca.pem"))
	}
	id, err := keystore.LoadIdentity(o.cert, o.key)
	if err != nil {
		return nil, keyFailure(err, o.key)
	}
	roots, err := keystore.ReadCertificates(o.ca)
	if err != nil {
		return nil, cannotRun(err, "reading whom to trust")
	}
	return &tlsnet.Config{Identities: []tlsnet.Identity{{Chain: id.Chain, Key: id.Key}}, Roots: roots, Core: tlscore.Config{ALPN: tlsnet.HTTPProtocols(), MinVersion: wire.VersionTLS13}, Time: a.now}, nil
}

// adminRequest is what the arguments ask for.
func (a *app) adminRequest(ctx context.Context, cmd *cobra.Command, o *caAdminCallFlags, args []string) (*http.Request, error) {
	var body []byte
	if file, ok := strings.CutPrefix(o.data, "@"); ok {
		text, _, err := a.readBytes(file)
		if err != nil {
			return nil, err
		}
		body = text
	} else {
		body = []byte(o.data)
	}
	method := http.MethodGet
	if len(body) > 0 {
		method = http.MethodPost
	}
	path := args[len(args)-1]
	if len(args) == 2 {
		method = strings.ToUpper(args[0])
	}
	if !slices.Contains([]string{http.MethodGet, http.MethodPost, http.MethodDelete}, method) {
		return nil, usagef(cmd, "METHOD is GET, POST or DELETE, not %q", pki.Printable(method))
	}
	if method == http.MethodGet && len(body) > 0 {
		return nil, usagef(cmd, "--data goes with POST")
	}
	base, err := url.Parse(o.server)
	if err != nil || base.Scheme != "https" || base.Host == "" || strings.Trim(base.Path, "/") != "" {
		return nil, usagef(cmd, "--server %q is no https URL without a path", pki.Printable(o.server))
	}
	to, err := url.Parse(path)
	if err != nil || !strings.HasPrefix(path, "/") || to.Host != "" {
		f := usagef(cmd, "PATH %q does not begin with a slash", pki.Printable(path))
		f.hint = "such as /v1/status"
		return nil, f
	}
	to.Scheme, to.Host = base.Scheme, base.Host
	req, err := http.NewRequestWithContext(ctx, method, to.String(), bytes.NewReader(body))
	if err != nil {
		return nil, cannotRun(err, "")
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

func (a *app) caAdminCall(cmd *cobra.Command, o *caAdminCallFlags, args []string) (err error) {
	ctx, cancel := context.WithTimeout(cmd.Context(), adminCallTimeout)
	defer cancel()
	req, err := a.adminRequest(ctx, cmd, o, args)
	if err != nil {
		return err
	}
	config, err := a.adminIdentity(cmd, o)
	if err != nil {
		return err
	}
	transport := &tlsnet.Transport{Config: config}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(req)
	if err != nil {
		return explainConnection(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAdminAnswer+1))
	if err != nil {
		return explainConnection(err)
	}
	if len(body) > maxAdminAnswer {
		return &failure{kind: kindLocal, text: "the answer has more than " + byteCount(maxAdminAnswer)}
	}
	if response.StatusCode >= http.StatusBadRequest {
		return adminRefusal(response.StatusCode, body)
	}
	if o.asJSON && json.Valid(body) {
		a.ui.write(&a.ui.out, string(body))
		return nil
	}
	a.ui.write(&a.ui.out, readable(body))
	return nil
}

// readable indents JSON; what is not JSON stays as it is, a line at a time, and printable.
func readable(body []byte) string {
	var indented bytes.Buffer
	if json.Valid(body) && json.Indent(&indented, bytes.TrimSpace(body), "", "  ") == nil {
		return indented.String() + "\n"
	}
	var b strings.Builder
	for line := range strings.Lines(string(body)) {
		b.WriteString(pki.Printable(strings.TrimSuffix(line, "\n")) + "\n")
	}
	return b.String()
}

// adminRefusal says why the service refused.
func adminRefusal(status int, body []byte) *failure {
	var p admin.Problem
	if err := json.Unmarshal(body, &p); err != nil || p.Title == "" {
		return &failure{kind: kindFinding, text: fmt.Sprintf("the service answers %d", status)}
	}
	return &failure{kind: kindFinding, text: fmt.Sprintf("%s (%d): %s", pki.Printable(p.Title), status, pki.Printable(p.Detail)), hint: pki.Printable(p.Hint)}
}
