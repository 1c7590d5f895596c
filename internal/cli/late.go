package cli

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// Certificates that are asked for after the handshake: connect --post-handshake-auth, serve --post-handshake-auth WHERE.

// lateAlways is the WHERE that asks every client.
const lateAlways = "always"

// latePatience is how long a client may take to answer.
const latePatience = 30 * time.Second

func (o *connectFlags) registerLate(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.late, "post-handshake-auth", false, "let the server ask for the certificate of --cert after the handshake, too (TLS 1.3); with --http that takes HTTP/1.1")
}

func (o *serveFlags) registerLate(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.late, "post-handshake-auth", "", "ask clients for a certificate of --client-ca after the handshake, `WHERE`: always, or for requests below a path such as /private (TLS 1.3, HTTP/1.1)")
}

// checkLate refuses what does not go with serve --post-handshake-auth, and makes room for it.
func (o *serveFlags) checkLate(cmd *cobra.Command) error {
	isHTTP := o.dir != "" || o.proxy != ""
	switch {
	case o.late == "":
		return nil
	case o.late != lateAlways && !strings.HasPrefix(o.late, "/"):
		return usagef(cmd, "--post-handshake-auth %q is neither always nor a path that begins with /", o.late)
	case o.late != lateAlways && !isHTTP:
		return usagef(cmd, "--post-handshake-auth with a path goes with --dir and --proxy; with --echo it can be always")
	case o.clientCA == "" || o.clientCA == "own" || o.door.areSet():
		f := usagef(cmd, "--post-handshake-auth needs --client-ca FILE, without further rules: whose certificates are good?")
		f.hint = "the root of the own CA: tlswright ca show --pem"
		return f
	}
	if isHTTP && !cmd.Flags().Changed("alpn") {
		o.alpn = []string{tlsnet.ProtocolHTTP1} // RFC 9113, Section 9.2.3
	}
	return nil
}

// takeLate asks nobody during the handshake who can be asked later.
func (o *serveFlags) takeLate(config *tlsnet.Config) {
	if o.late != "" {
		config.Core.PostHandshakeAuth, config.Core.ClientAuth = true, tlscore.NoClientCert
	}
}

// asking has h see only those requests below the path whose client has shown a certificate.
func (o *serveFlags) asking(h http.Handler) http.Handler {
	if o.late == "" {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !o.asksFor(r.URL.Path) {
			h.ServeHTTP(w, r)
			return
		}
		c, ok := tlsnet.ConnFromContext(r.Context())
		if ok && !c.Peer().Verified() {
			if err := askLate(r.Context(), c); err != nil {
				http.Error(w, "a certificate is needed here: "+err.Error(), http.StatusForbidden)
				return
			}
		}
		h.ServeHTTP(w, r)
	})
}

// asksFor reports whether a path is the one of the flag, or below it.
func (o *serveFlags) asksFor(path string) bool {
	root := strings.TrimSuffix(o.late, "/")
	return o.late == lateAlways || path == root || strings.HasPrefix(path, root+"/")
}

// askLate asks for a certificate. The error says why there is none.
func askLate(ctx context.Context, c *tlsnet.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, latePatience)
	defer cancel()
	p, err := c.RequestClientCertificate(ctx)
	if err == nil && p == nil {
		err = fmt.Errorf("the client has none to show")
	}
	return err
}

// lateRows is the line of a report about certificates after the handshake.
func lateRows(f tlscore.Facts) []row {
	if !f.PostHandshakeAuth {
		return nil
	}
	text := "may be asked for"
	if f.LateRequests > 0 {
		text = "asked for " + countOf(f.LateRequests, "time") + ", " + map[bool]string{true: "shown", false: "none was shown"}[presentedLate(f)]
	}
	return []row{{label: "after handshake", value: "a client certificate: " + text}}
}

// presentedLate reports whether the client has shown a certificate at all.
func presentedLate(f tlscore.Facts) bool {
	return f.Role == tlscore.RoleClient && f.OwnIdentity != nil || f.Role == tlscore.RoleServer && len(f.PeerChain) > 0
}

// lateReport is that in --json; nil: the client was not to be asked.
type lateReport struct {
	Requests  int  `json:"requests"` // that were answered
	Presented bool `json:"certificate_shown"`
}

func newLateReport(f tlscore.Facts) *lateReport {
	if !f.PostHandshakeAuth {
		return nil
	}
	return &lateReport{f.LateRequests, f.LateRequests > 0 && presentedLate(f)}
}

// noteLate says behind the data what the report before them could not know.
func (c *connector) noteLate(f tlscore.Facts) {
	if f.LateRequests == 0 {
		return
	}
	what := "none was shown"
	if presentedLate(f) {
		what = "it was shown"
	}
	c.app.ui.notef("after the handshake the server asked %s for a certificate: %s", countOf(f.LateRequests, "time"), what)
}

// askedLate tells of a client that was asked by serve --echo.
func (l *serveLog) askedLate(c *tlsnet.Conn, err error) {
	e := event{Event: "asked", Address: c.RemoteAddr().String()}
	text := "shows no certificate"
	switch p := c.Peer(); {
	case err != nil:
		e.Reason = pki.Printable(err.Error())
		text += ": " + e.Reason
	case p.Verified():
		e.Client = nameOf(p.Chain[0])
		text = "shows, after the handshake, the certificate of " + e.Client
	}
	l.tell(&l.app.ui.out, e, e.Address+" "+text+"\n")
}
